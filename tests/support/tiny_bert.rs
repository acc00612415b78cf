//! The golden tiny BERT, ready to be trained with random updates: for tests of what training does, not of its numbers.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use dsee_core::checkpoint::NamedTensors;
use dsee_core::data::PackedBatch;
use dsee_core::gpu::{Device, GpuError, Sizes, StepScalars};
use dsee_core::models::config::ModelConfig;
use dsee_core::models::family::{Head, Parts};
use dsee_core::models::load::load_model;
use dsee_core::models::{DropoutRates, Model};
use dsee_core::nn::inputs::BatchInputs;
use dsee_core::nn::parameters::Parameters;
use dsee_core::nn::plan::{DeltaPlan, TuningPlan};
use dsee_core::ops::adamw::AdamW;
use dsee_core::random::Random;
use dsee_core::train::place::{HeadShape, HostState, Placement};
use dsee_core::train::step::{Objective, StepSettings, Trainer, refresh_weights};
use dsee_core::tuning::state::SiteDelta;

use crate::{golden, golden_tensors, read_checkpoint};

/// The golden classifier's head.
pub const HEAD: Head = Head::classes(3);

/// The settings in a folder of golden files.
#[must_use]
pub fn config(folder: &str) -> ModelConfig {
    let bytes = std::fs::read(golden(folder).join("config.json")).unwrap();
    ModelConfig::parse("config.json", &bytes).unwrap()
}

/// A model on the host, and what of it is trained.
#[derive(Clone, Debug)]
pub struct TinyBert {
    /// Its settings.
    pub config: ModelConfig,
    /// Its parameters.
    pub base: NamedTensors,
    /// What is trained and removed.
    pub state: HostState,
    /// What is trained.
    pub plan: TuningPlan,
}

impl TinyBert {
    /// The golden classifier, nothing trained.
    #[must_use]
    pub fn golden() -> Self {
        let config = config("tiny_bert");
        let checkpoint = read_checkpoint(&golden("tiny_bert/model.safetensors"));
        let base = load_model(&config, "config.json", checkpoint, HEAD).unwrap().matched.params;
        Self { config, base, state: HostState::default(), plan: TuningPlan::default() }
    }

    /// Every parameter trained.
    #[must_use]
    pub fn train_all(mut self) -> Self {
        self.plan.trained = self.base.keys().cloned().collect();
        self
    }

    /// The classifier trained, and at every attention query and value an update of rank R with K sparse entries.
    #[must_use]
    pub fn adapt(mut self, rank: usize, n_nonzero: usize) -> Self {
        let mut random = Random::new(7, 0);
        self.plan.trained = ["classifier.weight", "classifier.bias"].map(str::to_owned).into();
        for site in self.config.family.sites(&self.config, HEAD) {
            if !(site.path.ends_with("query") || site.path.ends_with("value")) {
                continue;
            }
            let mut normal = |n: usize| (0..n).map(|_| 0.1 * random.normal() as f32).collect::<Vec<_>>();
            let (a, b) = (normal(rank * site.d_in), normal(site.d_out * rank));
            let s_values = normal(n_nonzero);
            let mut s_indices = random.permutation(site.d_out * site.d_in);
            s_indices.truncate(n_nonzero);
            s_indices.sort_unstable();
            let (path, d_out, d_in, scale) = (site.path.clone(), site.d_out, site.d_in, 2.0);
            self.state.deltas.push(SiteDelta { path, d_out, d_in, rank, scale, a, b, s_indices, s_values });
            self.plan.deltas.insert(site.path, DeltaPlan { rank, n_nonzero, scale });
        }
        self
    }

    /// The bridge between host and device.
    #[must_use]
    pub fn placement(&self) -> Placement {
        let heads =
            HeadShape { n_heads: self.config.num_attention_heads, head_size: self.config.head_size() };
        Placement::new(&self.config.family.sites(&self.config, HEAD), heads, &self.state.pruned)
    }

    /// Everything a run needs on a device, with one rate of dropout everywhere.
    ///
    /// # Errors
    /// Memory errors of the device.
    pub async fn place(&self, device: &Device, dropout: f32) -> Result<Run, GpuError> {
        let parameters = self.placement().place(device, &self.base, &self.state, &self.plan).await?;
        let rates = DropoutRates::of(&self.config, Some(f64::from(dropout)));
        let parts = Parts { config: &self.config, parameters: &parameters, plan: &self.plan, rates };
        let model = self.config.family.build(&parts, HEAD);
        let mut batch = golden_tensors("bert_full.safetensors").batch();
        batch.classes = golden_tensors("bert_full.safetensors").uints("labels");
        let capacity = Sizes { tokens: batch.n_tokens(), sequences: batch.n_sequences(), targets: 0 };
        let inputs = BatchInputs::new(device, capacity, self.config.inputs())?;
        refresh_weights(device, model.as_ref()).await?;
        Ok(Run { device: device.clone(), parameters, model, inputs, batch })
    }
}

/// A model on a device with the golden batch.
pub struct Run {
    /// Where it is.
    pub device: Device,
    /// Its parameters.
    pub parameters: Parameters,
    /// The model.
    pub model: Box<dyn Model>,
    /// Memory for the batch.
    pub inputs: BatchInputs,
    /// The batch.
    pub batch: PackedBatch,
}

impl Run {
    /// A trainer with the usual AdamW and clipping at 1.
    ///
    /// # Errors
    /// Memory errors of the device.
    pub async fn trainer(&self) -> Result<Trainer, GpuError> {
        let settings = StepSettings {
            objective: Objective::Classification { label_smoothing: 0.0 },
            optimizer: AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 },
            max_grad_norm: 1.0,
            accumulation: 1,
        };
        Trainer::new(&self.device, self.model.as_ref(), &self.parameters, &self.inputs, settings).await
    }

    /// Step `step`, counted from 0, with its own dropout masks under `seed`.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub async fn step(&self, trainer: &mut Trainer, step: u32, seed: u32) -> Result<(), GpuError> {
        let correction = |beta: f64| (1.0 - beta.powi(step as i32 + 1)) as f32;
        let scalars = StepScalars {
            learning_rate: 1e-3,
            bias_correction1: correction(0.9),
            bias_correction2: correction(0.999),
            dropout_seed: seed.wrapping_add(step),
            ..StepScalars::default()
        };
        trainer.step(scalars, &mut |_| self.inputs.write(&self.batch, None)).await
    }
}
