//! What a run reports: plain data for progress bars, logs, reports and the window.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

use crate::gpu::AdapterReport;

/// One report of the engine. Serialised as `{"event": "progress", …}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// The adapter that computes.
    Adapter(AdapterReport),
    /// Model and data are on the adapter.
    Loaded(Loaded),
    /// A phase begins.
    PhaseStarted {
        /// Which one.
        phase: Phase,
        /// Optimizer steps planned; 0 for phases without steps.
        planned_steps: usize,
    },
    /// Ω of one matrix was chosen.
    OmegaSelected(OmegaReport),
    /// An optimizer step was done.
    Progress(StepReport),
    /// The validation set was evaluated.
    Evaluated(Evaluation),
    /// Masks or heads were chosen and applied.
    Pruned(PruneReport),
    /// A phase ended.
    PhaseFinished(PhaseRow),
    /// The state should be saved now.
    Checkpoint {
        /// Optimizer steps of the whole run so far.
        step: usize,
        /// Why now.
        reason: CheckpointReason,
    },
    /// Something the user should know; the run goes on.
    Warning {
        /// One sentence.
        text: String,
    },
    /// The run is complete.
    Finished(RunSummary),
}

/// The stages of a run, in order, and what is measured between them. The numbers of the stages are part of the seeds of
/// shuffling and dropout, so that new ones come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Stage 0: the positions of the sparse entries.
    SelectOmega,
    /// Stage 1: training.
    Tune,
    /// Stage 2: masks or removed heads, and what they cost before retuning.
    Prune,
    /// Stage 3: training under fixed masks.
    Retune,
    /// The final evaluation.
    Evaluate,
    /// No stage of its own: what stage 1 has tuned, measured with S left out.
    LowRankOnly,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SelectOmega => "select Ω",
            Self::Tune => "tune",
            Self::Prune => "prune",
            Self::Retune => "retune",
            Self::Evaluate => "evaluate",
            Self::LowRankOnly => "UV only",
        })
    }
}

/// What was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    /// Model family, `bert` for example.
    pub family: String,
    /// All numbers of the model, head included.
    pub n_parameters: usize,
    /// Numbers that will be trained.
    pub n_trainable: usize,
    /// Numbers that tuning leaves of them, before pruning: fewer where prefixes are computed while they are tuned, or
    /// coefficients only searched with.
    #[serde(default)]
    pub n_kept: usize,
    /// Tensors that were not in the file and start at random values, in transformers' names.
    pub fresh: Vec<String>,
    /// Training examples.
    pub n_train_examples: usize,
    /// Validation examples.
    pub n_validation_examples: usize,
    /// Label names in the order of the logits; empty for regression and for words.
    pub label_names: Vec<String>,
    /// Whether words are predicted, which need no labels.
    #[serde(default)]
    pub predicts_words: bool,
}

impl Loaded {
    /// `; labels: negative, positive`, to stand behind the sizes of the data.
    #[must_use]
    pub fn labels(&self) -> String {
        match self.label_names.as_slice() {
            [] if self.predicts_words => String::new(),
            [] => "; labels: numbers".to_owned(),
            names => format!("; labels: {}", names.join(", ")),
        }
    }
}

/// Ω of one matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OmegaReport {
    /// Module path in the transformers model.
    pub path: String,
    /// Rows.
    pub d_out: usize,
    /// Columns.
    pub d_in: usize,
    /// Flat row-major positions, ascending.
    pub indices: Vec<u32>,
    /// How many of them are also among the largest |W|.
    pub overlap_with_magnitude: usize,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Matrices done so far, this one included.
    pub n_done: usize,
    /// Matrices in all.
    pub n_total: usize,
}

/// One optimizer step, or the mean over the steps since the last report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Phase.
    pub phase: Phase,
    /// Optimizer steps of this phase done so far.
    pub step: usize,
    /// Optimizer steps of this phase.
    pub total_steps: usize,
    /// Passes over the training data in this phase.
    pub epoch: f64,
    /// Training loss, mean since the last report.
    pub loss: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Global gradient norm of the last step, before clipping.
    pub grad_norm: f64,
    /// Tokens per wall-clock second since the last report.
    pub tokens_per_second: f64,
    /// Bytes allocated on the adapter.
    pub gpu_bytes: u64,
    /// Seconds since the phase began.
    pub elapsed_seconds: f64,
    /// Expected seconds until the phase ends.
    pub remaining_seconds: f64,
}

/// The figures of one evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Phase it belongs to.
    pub phase: Phase,
    /// Optimizer steps of this phase done so far.
    pub step: usize,
    /// Passes over the training data in this phase.
    pub epoch: f64,
    /// Metric name → value.
    pub metrics: BTreeMap<String, f64>,
    /// Mean validation loss.
    pub loss: f64,
    /// Whether it is the best of the phase so far.
    pub is_best: bool,
    /// Examples evaluated.
    pub n_examples: usize,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// What stage 2 did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PruneReport {
    /// Layer → score of each head, in the numbering of the pretrained model; empty for unstructured masks.
    pub head_scores: Vec<Vec<f64>>,
    /// Layer → removed heads, ascending; empty for unstructured masks.
    pub removed_heads: Vec<Vec<usize>>,
    /// Every prunable weight, in the model's order.
    pub matrices: Vec<MatrixSparsity>,
}

/// Zeros of one weight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixSparsity {
    /// Parameter name in transformers.
    pub name: String,
    /// Entries before pruning.
    pub n_entries: usize,
    /// Entries masked or removed.
    pub n_zeros: usize,
}

/// One row of the table that a run ends with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseRow {
    /// Phase.
    pub phase: Phase,
    /// Metric's name; empty where nothing was evaluated.
    pub metric_name: String,
    /// Metric's value on the validation set of the state that the row is about.
    pub metric: Option<f64>,
    /// Numbers that the optimizer may change, without the head (`dsee-method` 1.4).
    pub trainable_parameters: usize,
    /// Numbers of the model that are not zero, ΔW included if unmerged (`dsee-method` 6.5).
    pub non_zero_weights: usize,
    /// Numbers of the dense model.
    pub total_weights: usize,
    /// FLOPs of one sequence of 128 tokens, linear layers only (`dsee-method` 3.4).
    pub flops_linear: u64,
    /// The same with the attention products.
    pub flops_with_attention: u64,
    /// Wall-clock seconds of the phase.
    pub seconds: f64,
}

/// Why a checkpoint is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckpointReason {
    /// The save strategy says so.
    Scheduled,
    /// The last evaluation was the best.
    Best,
    /// A phase ended.
    PhaseEnd,
    /// The user interrupted the run.
    Interrupted,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The table, one row per phase.
    pub phases: Vec<PhaseRow>,
    /// Metrics of the final state.
    pub metrics: BTreeMap<String, f64>,
    /// Optimizer steps of the whole run.
    pub n_steps: usize,
    /// Wall-clock seconds of the whole run.
    pub seconds: f64,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn events_carry_their_name_and_come_back() {
        let events = [
            RunEvent::PhaseStarted { phase: Phase::SelectOmega, planned_steps: 0 },
            RunEvent::Checkpoint { step: 7, reason: CheckpointReason::PhaseEnd },
            RunEvent::Pruned(PruneReport {
                removed_heads: vec![vec![], vec![0, 3]],
                ..PruneReport::default()
            }),
        ];
        let names = ["phase_started", "checkpoint", "pruned"];
        for (event, name) in events.iter().zip(names) {
            let json = serde_json::to_value(event).unwrap();
            assert_eq!(json["event"], name);
            assert_eq!(&serde_json::from_value::<RunEvent>(json).unwrap(), event);
        }
    }
}
