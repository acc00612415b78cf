//! The settings of one run: loose as they are given, checked as the engine uses them.
//!
//! [`FIELDS`] describes every setting once; `run.toml`, the command line and the window are made from it.
//! [`RunConfigDraft::check`] turns loose settings into a [`RunConfig`] or into the list of everything that is
//! wrong; [`RunConfigDraft::check_for`] also compares them with the sizes of a model.

mod check;
mod choice;
mod draft;
mod error;
mod field;
mod generation;
mod model;
mod read;
mod reader;
mod shell_word;

pub use choice::{Choice, Method, Pruning, SchedulerType, Strategy, TaskType};
pub use draft::RunConfigDraft;
pub use error::{DraftError, FieldError};
pub use field::{FIELDS, FieldKind, FieldSpec, GENERATION, PATHS};
pub use generation::GenerationSettings;
pub use model::ModelFacts;
pub use shell_word::quoted;

use serde::Serialize;

use crate::ops::adamw::AdamW;

use crate::data::{ColumnChoice, DataOptions};
use crate::{
    metrics::Metric, nn::site::Role, omega::OmegaMethod, tasks::Task, tuning::criterion::PruneCriterion,
};

/// Checked settings of one run. The names are those of `run.toml`; meanings and defaults stand in [`FIELDS`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunConfig {
    /// Folder of the pretrained encoder; `None` is the embedded one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The task by name; `None` is decided by the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
    /// Data set of the hub, `name` or `organisation/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_name: Option<String>,
    /// Its configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_config_name: Option<String>,
    /// Training file; `None` is the data set of the hub, or the embedded sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_file: Option<String>,
    /// Validation file; `None` holds out a part of the training file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_file: Option<String>,
    /// Second validation file, from other sources than the training file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_mismatched_file: Option<String>,
    /// Share held out of the training file, in percent, in (0, 100).
    pub validation_split_percentage: f64,
    /// Column of the text; `None` is guessed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_column: Option<String>,
    /// Column of the second text; `None` is guessed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_pair_column: Option<String>,
    /// Column of the label; `None` is guessed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
    /// Classes, numbers or text.
    pub task_type: TaskType,
    /// Tokens per example, special tokens included.
    pub max_length: usize,
    /// At most this many training examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_train_samples: Option<usize>,
    /// At most this many validation examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_eval_samples: Option<usize>,
    /// Run folder; `None` is `runs/<date-time>-<name>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_dir: Option<String>,
    /// Name of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_name: Option<String>,
    /// Seed of everything random.
    pub seed: u64,

    /// What is trained.
    pub method: Method,
    /// Rank R of the low-rank update; 0 where the method has none.
    #[serde(skip_serializing_if = "is_zero")]
    pub rank: usize,
    /// The update is scaled by alpha / rank.
    pub alpha: f64,
    /// Sparse entries K per adapted matrix; 0 where the method has none.
    #[serde(skip_serializing_if = "is_zero")]
    pub nnz: usize,
    /// How Ω is found.
    pub omega: OmegaMethod,
    /// Attention matrices with an update, ascending and without repetition.
    pub target_modules: Vec<Role>,

    /// Size m of adapters' bottlenecks; 0 is the default of the model, or a method without any.
    #[serde(skip_serializing_if = "is_zero")]
    pub bottleneck_size: usize,
    /// Rows P of the trained prefix; 0 where the method has none.
    #[serde(skip_serializing_if = "is_zero")]
    pub prefix_length: usize,
    /// Size of the hidden vectors that a prefix is computed from; 0 where the method has none.
    #[serde(skip_serializing_if = "is_zero")]
    pub prefix_hidden_size: usize,
    /// Share of the feed-forward neurons that a search removes, in [0, 1); `None` where the method has no search.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neuron_sparsity: Option<f64>,

    /// What stage 2 removes.
    pub prune: Pruning,
    /// What adapted weights and heads are ranked by.
    pub prune_criterion: PruneCriterion,
    /// Epochs of stage 3.
    pub retune_epochs: f64,
    /// Largest learning rate of stage 3.
    pub retune_learning_rate: f64,

    /// Epochs of stage 1.
    pub num_train_epochs: f64,
    /// Optimizer steps of each phase, instead of epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<usize>,
    /// Examples B per forward and backward pass.
    pub per_device_train_batch_size: usize,
    /// Passes per optimizer step.
    pub gradient_accumulation_steps: usize,
    /// Examples per evaluation pass.
    pub per_device_eval_batch_size: usize,
    /// Largest learning rate of stage 1.
    pub learning_rate: f64,
    /// Shape of the learning rate.
    pub lr_scheduler_type: SchedulerType,
    /// Steps of warm-up, or below 1 a share of all steps; see [`crate::train::schedule::warmup_steps`].
    pub warmup_steps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Decay of the mean of gradients, in [0, 1).
    pub adam_beta1: f64,
    /// Decay of the mean of squared gradients, in [0, 1).
    pub adam_beta2: f64,
    /// Added to the root of the mean square.
    pub adam_epsilon: f64,
    /// Global norm that gradients are scaled down to; 0 is off.
    pub max_grad_norm: f64,
    /// Share of every label spread over all classes, in [0, 1).
    pub label_smoothing_factor: f64,
    /// Dropout probability everywhere, in [0, 1); `None` is the model's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,

    /// How text is generated; `None` where the task is not about text.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub generation: Option<GenerationSettings>,

    /// When to evaluate.
    pub eval_strategy: Strategy,
    /// Steps between evaluations.
    pub eval_steps: usize,
    /// When to write checkpoints.
    pub save_strategy: Strategy,
    /// Steps between checkpoints.
    pub save_steps: usize,
    /// Checkpoints to keep.
    pub save_total_limit: usize,
    /// Whether a phase ends with the best state instead of the last.
    pub load_best_model_at_end: bool,
    /// What best means; `None` is accuracy, or Pearson for regression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_for_best_model: Option<Metric>,
    /// Steps between two log lines.
    pub logging_steps: usize,
}

impl RunConfig {
    /// The text of a `run.toml` that gives these settings again.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("settings are numbers and strings, which TOML can write")
    }

    /// The data set of the hub that the run is about, and its configuration: the one that is named, or the task's own
    /// where no file is.
    #[must_use]
    pub fn hub_dataset(&self) -> Option<(String, Option<String>)> {
        if self.train_file.is_some() {
            return None;
        }
        let spec = self.task.map(Task::spec);
        let own = spec.map(|spec| spec.dataset.name);
        let name = self.dataset_name.as_deref().or(own)?;
        let config_name = spec.and_then(|spec| spec.configuration_of(name));
        Some((name.to_owned(), self.dataset_config_name.clone().or(config_name.map(str::to_owned))))
    }

    /// How the data files are to be read, for a model whose own settings name these classes.
    #[must_use]
    pub fn data_options(&self, model_labels: Option<Vec<String>>) -> DataOptions {
        DataOptions {
            columns: ColumnChoice {
                text: self.text_column.clone(),
                text_pair: self.text_pair_column.clone(),
                label: self.label_column.clone(),
                task: self.task,
            },
            kind: self.task_type.kind(),
            model_labels,
            max_train_samples: self.max_train_samples,
            max_eval_samples: self.max_eval_samples,
            validation_share: self.validation_split_percentage / 100.0,
            seed: self.seed,
        }
    }

    /// The optimizer.
    #[must_use]
    pub fn optimizer(&self) -> AdamW {
        AdamW {
            beta1: self.adam_beta1 as f32,
            beta2: self.adam_beta2 as f32,
            eps: self.adam_epsilon as f32,
            weight_decay: self.weight_decay as f32,
        }
    }

    /// Every setting with its value as text, in the order of [`FIELDS`].
    #[must_use]
    pub fn to_pairs(&self) -> Vec<(String, String)> {
        let table =
            toml::Table::try_from(self).expect("settings are numbers and strings, which TOML can write");
        let text = |value: &toml::Value| match value {
            toml::Value::Array(names) => names.iter().map(reader::show).collect::<Vec<_>>().join(","),
            other => reader::show(other),
        };
        FIELDS
            .iter()
            .filter_map(|field| Some((field.name.to_owned(), text(table.get(field.name)?))))
            .collect()
    }
}

/// Left out of `run.toml`, so that another method named on the command line finds its own default again.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}
