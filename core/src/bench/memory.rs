//! What a training step keeps on the device, and how far the estimate that apps show before a run is from it.

use serde::Serialize;

use super::Clock;
use super::step::{Method, N_NONZERO, RANK, Scene, StepJob};
use crate::config::{FieldError, RunConfig, RunConfigDraft};
use crate::gpu::{Device, GpuError};
use crate::protocol::{ModelCard, SiteCard};

/// Memory of one training step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StepMemory {
    /// T of the batch.
    pub n_tokens: usize,
    /// Everything that was allocated: weights, trained numbers, batch, and the recorded step.
    pub allocated_bytes: u64,
    /// Of these, what the recorded step takes: what forward leaves for backward, and gradients on their way.
    pub plan_bytes: u64,
    /// What the estimate says before anything is allocated.
    pub estimated_bytes: u64,
    /// Wall seconds of the step that was run.
    pub step_seconds: Option<f64>,
}

impl StepMemory {
    /// Allocates all that a step of `method` needs.
    ///
    /// # Errors
    /// Memory errors of the device.
    pub async fn measure(
        device: &Device,
        clock: &dyn Clock,
        scene: &Scene,
        method: Method,
    ) -> Result<Self, GpuError> {
        let (memory, _job) = Self::allocate(device, clock, scene, method).await?;
        Ok(memory)
    }

    /// The same, and runs the step.
    ///
    /// # Errors
    /// Whatever goes wrong on the device.
    pub async fn measure_running(
        device: &Device,
        clock: &dyn Clock,
        scene: &Scene,
        method: Method,
    ) -> Result<Self, GpuError> {
        let before = device.allocated_bytes();
        let (memory, mut job) = Self::allocate(device, clock, scene, method).await?;
        let start = clock.wall();
        job.run().await?;
        device.throttle(0).await?;
        let step_seconds = Some(clock.wall() - start);
        Ok(Self { step_seconds, allocated_bytes: device.allocated_bytes() - before, ..memory })
    }

    async fn allocate(
        device: &Device,
        clock: &dyn Clock,
        scene: &Scene,
        method: Method,
    ) -> Result<(Self, StepJob), GpuError> {
        let before = device.allocated_bytes();
        let job = StepJob::new(device, clock, scene, method).await?;
        let memory = Self {
            n_tokens: scene.n_tokens(),
            allocated_bytes: device.allocated_bytes() - before,
            plan_bytes: job.plan_bytes(),
            estimated_bytes: card(scene).memory_bytes(&settings(scene, method)).total(),
            step_seconds: None,
        };
        Ok((memory, job))
    }

    /// Gibibytes that were allocated.
    #[must_use]
    pub fn gib(&self) -> f64 {
        self.allocated_bytes as f64 / f64::from(1 << 30)
    }

    /// What was estimated of what was allocated.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.estimated_bytes as f64 / self.allocated_bytes as f64
    }
}

/// The settings of a run whose steps are those of `method` on the scene's decoder.
fn settings(scene: &Scene, method: Method) -> RunConfig {
    let name = match method {
        Method::Dsee => "dsee",
        Method::Lora => "lora",
        Method::Frozen => "bitfit",
        Method::Full => "full",
    };
    let [n_sequences, length] = scene.shape();
    let draft = RunConfigDraft::default()
        .with("method", name)
        .with("rank", &RANK.to_string())
        .with("nnz", &N_NONZERO.to_string())
        .with("task_type", "language-modeling")
        .with("max_length", &length.to_string())
        .with("per_device_train_batch_size", &n_sequences.to_string());
    let is_right = |errors: Vec<FieldError>| unreachable!("our own settings are right: {errors:?}");
    draft.check().unwrap_or_else(is_right)
}

/// The model as an app shows it before a run.
fn card(scene: &Scene) -> ModelCard {
    let config = &scene.config;
    let count = |ending: &str| {
        let counted = scene.base.iter().filter(|(name, _)| name.ends_with(ending));
        counted.map(|(_, tensor)| tensor.data.len()).sum()
    };
    let site = |site: crate::nn::site::Site| SiteCard {
        path: site.path,
        layer: site.layer,
        role: site.role,
        d_out: site.d_out,
        d_in: site.d_in,
    };
    ModelCard {
        vocab_size: config.vocab_size,
        hidden_size: config.hidden_size,
        intermediate_size: config.intermediate_size,
        num_hidden_layers: config.num_hidden_layers,
        num_attention_heads: config.num_attention_heads,
        max_position_embeddings: config.longest(),
        n_parameters: count(""),
        n_biases: count(".bias"),
        is_decoder: config.family.is_causal(),
        sites: scene.sites().into_iter().map(site).collect(),
        ..ModelCard::default()
    }
}
