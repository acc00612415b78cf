//! What the adapter can do, and how much of it the kernels and whole training steps reach.
//!
//! Everything is a ratio within one run: kernels to the adapter's own peak, training methods to each other. Contenders
//! take turns round by round; medians and least values of the rounds are reported, and the rounds themselves.

pub mod kernels;
pub mod memory;
pub mod profile;
pub mod report;
pub mod step;
pub mod timing;
pub mod writing;

use crate::gpu::{AdapterKind, Device, GpuError};
use memory::StepMemory;
use profile::ProfileRow;
use report::{BenchReport, FirstStep, Measurement, Others};
use step::{Method, Scene, StepJob};
use timing::{Contender, Samples, measure};
use writing::WritingJob;

/// The clocks of the platform.
pub trait Clock {
    /// Seconds since some moment.
    fn wall(&self) -> f64;

    /// Processor seconds of the whole process, all threads together, where the platform tells. On a software adapter
    /// they repeat within a few percent under load, where wall time does not.
    fn cpu(&self) -> Option<f64>;
}

/// Which clock figures are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Processor seconds of the process, for adapters that are software.
    Cpu,
    /// The wall clock.
    Wall,
}

impl Basis {
    fn new(kind: AdapterKind, clock: &dyn Clock) -> Self {
        if kind == AdapterKind::Hardware || clock.cpu().is_none() { Self::Wall } else { Self::Cpu }
    }

    /// The samples of this clock.
    #[must_use]
    pub fn of(self, samples: &Samples) -> &[f64] {
        match self {
            Self::Cpu => &samples.cpu,
            Self::Wall => &samples.wall,
        }
    }
}

/// What to measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BenchOptions {
    /// Rounds after the warm-up.
    pub n_rounds: usize,
    /// Only what has this in its name, beside the probes of the adapter; empty for everything.
    pub filter: String,
}

/// Names of the steps measured.
pub mod step_name {
    /// DSEE on all-MiniLM-L6-v2's sizes.
    pub const DSEE: &str = "step/dsee";
    /// LoRA on the same.
    pub const LORA: &str = "step/lora";
    /// Forward and the gradients of activations alone.
    pub const FROZEN: &str = "step/frozen forward+dX";
    /// Every parameter trained.
    pub const FULL: &str = "step/full";
    /// DSEE with every sequence padded.
    pub const PADDED: &str = "step/dsee padded to 128";
    /// A small encoder, every parameter trained.
    pub const SMALL: &str = "step/small encoder, full";
    /// The latency of the first step.
    pub const FIRST: &str = "first step";
    /// Memory of a step of GPT-2 small: measured only where the filter asks for it, because it takes gigabytes.
    pub const MEMORY: &str = "memory of GPT-2 small";
    /// One more token of a text, with keys and values remembered.
    pub const CACHED: &str = "writing/with cache, 256 tokens";
    /// The same with everything computed again.
    pub const WHOLE: &str = "writing/without cache, 256 tokens";
    /// Where the time of a DSEE step goes.
    pub const PROFILE: &str = "profile";
}

/// Measures everything the filter asks for. `device` should be freshly opened, so that the first step finds no pipeline
/// compiled. `progress` is told what is being done.
///
/// # Errors
/// Whatever goes wrong on the device.
pub async fn run(
    device: &Device,
    clock: &dyn Clock,
    options: &BenchOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<BenchReport, GpuError> {
    let basis = Basis::new(device.kind(), clock);
    let wants = |name: &str| name.contains(&options.filter);
    let scene = Scene::minilm();
    let first_step = if wants(step_name::FIRST) {
        progress(step_name::FIRST);
        Some(first_step(device, clock, &scene).await?)
    } else {
        None
    };
    let memory = if !options.filter.is_empty() && wants(step_name::MEMORY) {
        progress(step_name::MEMORY);
        let scene = Scene::gpt2_small();
        Some(StepMemory::measure_running(device, clock, &scene, Method::Dsee).await?)
    } else {
        None
    };
    progress("compiling kernels");
    let mut contenders = kernels::Builder::new(device, clock, &options.filter).build().await?;
    let mut samples = measure(device, clock, options.n_rounds, &mut contenders, progress).await?;
    let mut measurements = Measurement::all(&contenders, &samples);
    drop(contenders);
    contenders = steps(device, clock, &scene, &options.filter, progress).await?;
    contenders.extend(writing(device, &options.filter, progress).await?);
    samples = measure(device, clock, options.n_rounds, &mut contenders, progress).await?;
    measurements.extend(Measurement::all(&contenders, &samples));
    drop(contenders);
    let profile = if wants(step_name::PROFILE) {
        profile_step(device, clock, basis, options, &scene, progress).await?
    } else {
        Vec::new()
    };
    let others = Others { first_step, memory, profile };
    Ok(BenchReport::new(device.report().clone(), basis, options.n_rounds, measurements, others))
}

async fn writing(
    device: &Device,
    filter: &str,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Contender>, GpuError> {
    let mut contenders = Vec::new();
    for name in [step_name::CACHED, step_name::WHOLE].into_iter().filter(|name| name.contains(filter)) {
        progress(&format!("recording {name}"));
        let scene = writing::scene();
        let job = if name == step_name::CACHED {
            WritingJob::cached(device, &scene).await?
        } else {
            WritingJob::whole(device, &scene).await?
        };
        contenders.push(Contender::writing(name, job));
    }
    Ok(contenders)
}

async fn steps(
    device: &Device,
    clock: &dyn Clock,
    scene: &Scene,
    filter: &str,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Contender>, GpuError> {
    let (padded, small) = (scene.clone().padded(), Scene::small());
    let all = [
        (step_name::FROZEN, scene, Method::Frozen),
        (step_name::LORA, scene, Method::Lora),
        (step_name::DSEE, scene, Method::Dsee),
        (step_name::FULL, scene, Method::Full),
        (step_name::SMALL, &small, Method::Full),
        (step_name::PADDED, &padded, Method::Dsee),
    ];
    let mut contenders = Vec::new();
    for (name, scene, method) in all.into_iter().filter(|(name, _, _)| name.contains(filter)) {
        progress(&format!("recording {name}"));
        contenders.push(Contender::step(name, StepJob::new(device, clock, scene, method).await?));
    }
    Ok(contenders)
}

async fn first_step(device: &Device, clock: &dyn Clock, scene: &Scene) -> Result<FirstStep, GpuError> {
    let (wall, cpu) = (clock.wall(), clock.cpu());
    let mut job = StepJob::new(device, clock, scene, Method::Dsee).await?;
    device.throttle(0).await?;
    let ready = clock.wall();
    job.run().await?;
    device.throttle(0).await?;
    let done = clock.wall();
    let cpu_seconds = cpu.and_then(|before| clock.cpu().map(|after| after - before));
    Ok(FirstStep {
        upload_seconds: ready - wall - job.prepare_seconds(),
        prepare_seconds: job.prepare_seconds(),
        step_seconds: done - ready,
        total_seconds: done - wall,
        total_cpu_seconds: cpu_seconds,
    })
}

async fn profile_step(
    device: &Device,
    clock: &dyn Clock,
    basis: Basis,
    options: &BenchOptions,
    scene: &Scene,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<ProfileRow>, GpuError> {
    progress("recording the step to profile");
    let recorded = step::record(device, scene, Method::Dsee).await?;
    profile::profile(device, clock, basis, options.n_rounds, recorded, progress).await
}
