//! Fair timing: every contender warms up, then all take turns, round by round, so that a busy machine slows them alike.

use serde::Serialize;

use super::Clock;
use super::step::StepJob;
use super::writing::WritingJob;
use crate::gpu::{Device, GpuError, Plan, Recording, Sizes, StepScalars};

/// What a contender does in one item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Work {
    /// Floating-point operations; 0 where they are not the point.
    pub flop: f64,
    /// Bytes that must at least be read or written; 0 where they are not the point.
    pub bytes: f64,
}

/// Something to time.
#[derive(Debug)]
pub struct Contender {
    /// `group/what and size`.
    pub name: String,
    /// What one item does.
    pub work: Work,
    /// Dispatches of one item; 0 where they are not counted.
    pub n_dispatches: usize,
    /// Wall seconds for pipelines and recording.
    pub prepare_seconds: f64,
    job: Job,
}

#[derive(Debug)]
enum Job {
    Plan { plan: Plan, sizes: Sizes, n_copies: usize },
    Step(Box<StepJob>),
    Writing(Box<WritingJob>),
}

/// Seconds of one item, round by round.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Samples {
    /// Of the wall clock.
    pub wall: Vec<f64>,
    /// Of the processor time of the whole process; empty where the platform does not tell.
    pub cpu: Vec<f64>,
}

/// Median of the values, the mean of the middle two of an even number; NaN of none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

/// Least of the values; infinite of none.
#[must_use]
pub fn minimum(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Wall seconds a contender should take in a round, so that the clocks' steps do not show.
const ROUND_SECONDS: f64 = 0.05;
/// A first run that takes this long is warm-up enough: a round will be one run anyway.
const SLOW_SECONDS: f64 = 5.0;
/// Most submissions of a contender in a round.
const MAX_RUNS: f64 = 64.0;

impl Contender {
    /// A recording whose commands are repeated `n_copies` times, each an item.
    ///
    /// # Errors
    /// As [`Device::compile`].
    pub async fn repeat(
        device: &Device,
        clock: &dyn Clock,
        name: impl Into<String>,
        recording: Recording,
        sizes: Sizes,
        n_copies: usize,
        work: Work,
    ) -> Result<Self, GpuError> {
        let start = clock.wall();
        let n_dispatches = recording.n_dispatches();
        let commands: Vec<_> = std::iter::repeat_n(recording.commands, n_copies).flatten().collect();
        let plan = device.compile(Recording { commands, transients: recording.transients }, sizes).await?;
        let prepare_seconds = clock.wall() - start;
        let job = Job::Plan { plan, sizes, n_copies };
        Ok(Self { name: name.into(), work, n_dispatches, prepare_seconds, job })
    }

    /// A whole training step.
    #[must_use]
    pub fn step(name: &str, job: StepJob) -> Self {
        let (n_dispatches, prepare_seconds) = (job.n_dispatches(), job.prepare_seconds());
        let work = Work::default();
        Self { name: name.into(), work, n_dispatches, prepare_seconds, job: Job::Step(Box::new(job)) }
    }

    /// One more token of a text.
    #[must_use]
    pub fn writing(name: &str, job: WritingJob) -> Self {
        let job = Job::Writing(Box::new(job));
        Self { name: name.into(), work: Work::default(), n_dispatches: 0, prepare_seconds: 0.0, job }
    }

    fn n_copies(&self) -> usize {
        match &self.job {
            Job::Plan { n_copies, .. } => *n_copies,
            Job::Step(_) | Job::Writing(_) => 1,
        }
    }

    async fn run(&mut self, device: &Device, n_runs: usize) -> Result<(), GpuError> {
        for _ in 0..n_runs {
            match &mut self.job {
                Job::Plan { plan, sizes, .. } => device.run(plan, sizes, &StepScalars::default())?,
                Job::Step(job) => job.run().await?,
                Job::Writing(job) => job.run().await?,
            }
        }
        device.throttle(0).await
    }
}

/// Times all contenders: a warm-up that also finds how often each must run, then `n_rounds` rounds.
///
/// # Errors
/// Whatever goes wrong on the device.
pub async fn measure(
    device: &Device,
    clock: &dyn Clock,
    n_rounds: usize,
    contenders: &mut [Contender],
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Samples>, GpuError> {
    let mut n_runs = Vec::with_capacity(contenders.len());
    for contender in contenders.iter_mut() {
        progress(&format!("warming up: {}", contender.name));
        let mut start = clock.wall();
        contender.run(device, 1).await?;
        if clock.wall() - start < SLOW_SECONDS {
            // The first run may have compiled.
            start = clock.wall();
            contender.run(device, 1).await?;
        }
        let seconds = (clock.wall() - start).max(1e-6);
        n_runs.push((ROUND_SECONDS / seconds).ceil().clamp(1.0, MAX_RUNS) as usize);
    }
    let mut samples = vec![Samples { wall: Vec::new(), cpu: Vec::new() }; contenders.len()];
    for round in 1..=n_rounds {
        for (i, contender) in contenders.iter_mut().enumerate() {
            progress(&format!("round {round} of {n_rounds}: {}", contender.name));
            let (wall, cpu) = (clock.wall(), clock.cpu());
            contender.run(device, n_runs[i]).await?;
            let n_items = (n_runs[i] * contender.n_copies()) as f64;
            samples[i].wall.push((clock.wall() - wall) / n_items);
            if let (Some(before), Some(after)) = (cpu, clock.cpu()) {
                samples[i].cpu.push((after - before) / n_items);
            }
        }
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_even_and_no_numbers() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
        assert_eq!(minimum(&[3.0, 1.0, 2.0]), 1.0);
    }
}
