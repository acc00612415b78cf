//! The golden tiny models, ready to be trained with random updates: for tests of what training does, not of its numbers.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use dsee_core::checkpoint::{HostTensor, NamedTensors};
use dsee_core::data::PackedBatch;
use dsee_core::gpu::{Device, GpuError, Sizes, StepScalars};
use dsee_core::models::config::ModelConfig;
use dsee_core::models::family::{Head, Parts};
use dsee_core::models::load::load_model;
use dsee_core::models::{DropoutRates, Model};
use dsee_core::nn::added::{prefix_length, prefix_name};
use dsee_core::nn::inputs::BatchInputs;
use dsee_core::nn::parameters::Parameters;
use dsee_core::nn::plan::{DeltaPlan, TuningPlan};
use dsee_core::nn::site::{Role, Site};
use dsee_core::ops::adamw::AdamW;
use dsee_core::random::Random;
use dsee_core::train::evaluate::Evaluator;
use dsee_core::train::place::{HeadShape, HostState, Placement};
use dsee_core::train::step::{Objective, StepSettings, Trainer, refresh_weights};
use dsee_core::tuning::state::{PrunedState, SiteDelta};

use crate::{golden, golden_tensors, read_checkpoint};

/// The settings in a folder of golden files.
#[must_use]
pub fn config(folder: &str) -> ModelConfig {
    let bytes = std::fs::read(golden(folder).join("config.json")).unwrap();
    ModelConfig::parse("config.json", &bytes).unwrap()
}

/// A model on the host, and what of it is trained.
#[derive(Clone, Debug)]
pub struct TinyModel {
    /// Its settings.
    pub config: ModelConfig,
    /// What follows its last layer.
    pub head: Head,
    /// Its parameters.
    pub base: NamedTensors,
    /// What is trained and removed.
    pub state: HostState,
    /// What is trained.
    pub plan: TuningPlan,
    /// The golden file with its batch.
    batch_file: &'static str,
}

impl TinyModel {
    /// The golden BERT that classifies, nothing trained.
    #[must_use]
    pub fn golden() -> Self {
        Self::of("tiny_bert", Head::classes(3), "bert_full.safetensors")
    }

    /// The model in `folder`, nothing trained, with the batch of a golden file.
    #[must_use]
    pub fn of(folder: &str, head: Head, batch_file: &'static str) -> Self {
        let config = config(folder);
        let checkpoint = read_checkpoint(&golden(&format!("{folder}/model.safetensors")));
        let base = load_model(&config, "config.json", checkpoint, head).unwrap().matched.params;
        Self { config, head, base, state: HostState::default(), plan: TuningPlan::default(), batch_file }
    }

    /// One of every family: classifiers, and the decoder that predicts words.
    #[must_use]
    pub fn families() -> [(&'static str, Self); 4] {
        let classes = Head::classes(3);
        [
            ("bert", Self::golden()),
            ("roberta", Self::of("tiny_roberta", classes, "roberta_full.safetensors")),
            ("gpt2", Self::of("tiny_gpt2", Head::CausalLm, "gpt2_full.safetensors")),
            ("gpt2_classes", Self::of("tiny_gpt2_classes", classes, "gpt2_classes.safetensors")),
        ]
    }

    /// Every parameter trained.
    #[must_use]
    pub fn train_all(mut self) -> Self {
        self.plan.trained = self.base.keys().cloned().collect();
        self
    }

    /// The head trained, and at every attention query and value an update of rank R with K sparse entries.
    #[must_use]
    pub fn adapt(mut self, rank: usize, n_nonzero: usize) -> Self {
        let mut random = Random::new(7, 0);
        self.plan.trained = self.head_parameters();
        for site in self.sites().into_iter().filter(|site| matches!(site.role, Role::Query | Role::Value)) {
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

    /// The head with other values, as if it had been trained.
    #[must_use]
    pub fn retrain_head(mut self) -> Self {
        let mut random = Random::new(8, 0);
        for name in self.head_parameters() {
            let shape = self.base[&name].shape.clone();
            let data = self.base[&name].data.iter().map(|_| 0.2 * random.normal() as f32).collect();
            self.state.trained.insert(name, HostTensor { shape, data });
        }
        self.plan.trained = self.head_parameters();
        self
    }

    /// These parameters with values near their own, as if they had been trained whole.
    #[must_use]
    pub fn retrain(mut self, is_trained: impl Fn(&str) -> bool) -> Self {
        let mut random = Random::new(10, 0);
        for (name, tensor) in self.base.iter().filter(|(name, _)| is_trained(name)) {
            let data = tensor.data.iter().map(|value| value + 0.05 * random.normal() as f32).collect();
            self.state.trained.insert(name.clone(), HostTensor { shape: tensor.shape.clone(), data });
            self.plan.trained.insert(name.clone());
        }
        self
    }

    /// Without one head of the first layer and two of the second; updates of theirs are gone too.
    #[must_use]
    pub fn remove_heads(mut self) -> Self {
        let heads = BTreeMap::from([(0, vec![1]), (1, vec![0, 3])]);
        let shape = self.head_shape();
        self.state.prune(&self.sites(), shape, PrunedState { heads, ..PrunedState::default() });
        self
    }

    /// With random rows before keys and values.
    #[must_use]
    pub fn prefix(mut self, length: usize) -> Self {
        let mut random = Random::new(9, 0);
        for site in self.sites().into_iter().filter(|site| matches!(site.role, Role::Key | Role::Value)) {
            let data = (0..length * site.d_out).map(|_| random.normal() as f32).collect();
            let rows = HostTensor { shape: vec![length, site.d_out], data };
            self.state.trained.insert(prefix_name(&site.path), rows);
        }
        self
    }

    /// Its linear maps.
    #[must_use]
    pub fn sites(&self) -> Vec<Site> {
        self.config.family.sites(&self.config, self.head)
    }

    /// What of it belongs to its task.
    fn head_parameters(&self) -> BTreeSet<String> {
        let heads = self.sites().into_iter().filter(|site| site.role == Role::Head);
        let names = heads.flat_map(|site| [site.weight_name(), site.bias_name()]);
        names.filter(|name| self.base.contains_key(name)).collect()
    }

    fn head_shape(&self) -> HeadShape {
        HeadShape { n_heads: self.config.num_attention_heads, head_size: self.config.head_size() }
    }

    /// The bridge between host and device.
    #[must_use]
    pub fn placement(&self) -> Placement {
        Placement::new(&self.sites(), self.head_shape(), &self.state.pruned)
    }

    /// Everything a run needs on a device, with one rate of dropout everywhere.
    ///
    /// # Errors
    /// Memory errors of the device.
    pub async fn place(&self, device: &Device, dropout: f32) -> Result<Run, GpuError> {
        let parameters = self.placement().place(device, &self.base, &self.state, &self.plan).await?;
        let rates = DropoutRates::of(&self.config, Some(f64::from(dropout)));
        let parts = Parts { config: &self.config, parameters: &parameters, plan: &self.plan, rates };
        let model = self.config.family.build(&parts, self.head);
        let golden = golden_tensors(self.batch_file);
        let mut batch = golden.batch();
        let words = matches!(self.head, Head::MaskedLm | Head::CausalLm)
            .then(|| (golden.uints("mlm_positions"), golden.uints("mlm_labels")));
        if words.is_none() {
            batch.classes = golden.uints("labels");
        }
        let targets = words.as_ref().map_or(0, |(positions, _)| positions.len());
        let capacity = Sizes { tokens: batch.n_tokens(), sequences: batch.n_sequences(), targets };
        let mut layout = self.config.inputs();
        layout.first_position += prefix_length(&self.state.trained) as u32;
        let inputs = BatchInputs::new(device, capacity, layout)?;
        refresh_weights(device, model.as_ref()).await?;
        Ok(Run { device: device.clone(), parameters, model, inputs, batch, words })
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
    /// Where words are predicted, and which, in models that predict any.
    pub words: Option<(Vec<u32>, Vec<u32>)>,
}

impl Run {
    /// A trainer with the usual AdamW and clipping at 1.
    ///
    /// # Errors
    /// Memory errors of the device.
    pub async fn trainer(&self) -> Result<Trainer, GpuError> {
        let label_smoothing = 0.0;
        let objective = match self.words {
            Some(_) => Objective::Words { label_smoothing },
            None => Objective::Classification { label_smoothing },
        };
        let settings = StepSettings {
            objective,
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
        trainer.step(scalars, &mut |_| self.write()).await
    }

    /// Logits of the batch: of classes (B, N), or of the predicted words (P, V).
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub async fn logits(&self) -> Result<Vec<f32>, GpuError> {
        Evaluator::of_logits(&self.device, self.model.as_ref(), &self.inputs).await?.run(self.write()).await
    }

    fn write(&self) -> Sizes {
        let words = self.words.as_ref().map(|(positions, labels)| (positions.as_slice(), labels.as_slice()));
        self.inputs.write(&self.batch, words)
    }
}
