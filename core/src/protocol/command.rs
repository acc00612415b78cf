//! What an app asks of the engine.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::views::Variant;

/// Names a run for as long as the app lives. Chosen by the app, never used twice.
pub type RunId = u64;

/// Settings as typed: name as in `run.toml` → value as on the command line. Absent ones have their defaults.
pub type Settings = BTreeMap<String, String>;

/// One request. Each ends in exactly one of the answers its line names, or in `Rejected` or `Failed`; a run tells
/// of itself by `Run` in between.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Reads the model whose files are attached; the embedded one if nothing is attached. → `ModelLoaded`.
    LoadModel {
        /// The folder's name or the hub's id; empty for the embedded one.
        name: String,
    },
    /// Reads the attached data files; the embedded sentences if nothing is attached. The first attachment is for
    /// training, a second one for validation. Needs a model, for its tokenizer. → `DataLoaded`.
    LoadData {
        /// Those about columns, labels, lengths and samples count here.
        settings: Settings,
    },
    /// Starts a run with the loaded model and data. → `Run` … `Finished`, `Paused` or `Stopped`.
    Start {
        /// Its name from now on.
        run: RunId,
        /// All of its settings.
        settings: Settings,
        /// Whether it waits before its first step.
        paused: bool,
    },
    /// Goes on with a run from the attached files of a checkpoint, with the loaded model and data. → `Paused` or
    /// `Resumed`, then as `Start`.
    Restore {
        /// Its name from now on.
        run: RunId,
        /// The settings it began with.
        settings: Settings,
        /// Whether it waits before its next step.
        paused: bool,
    },
    /// Stops after the step under way. → `Paused`.
    Pause {
        /// Which run.
        run: RunId,
    },
    /// Goes on. → `Resumed`.
    Resume {
        /// Which run.
        run: RunId,
    },
    /// Does one more step of a run that waits. → `Paused`; if no step is left, `Run` with `Finished`.
    Step {
        /// Which run.
        run: RunId,
    },
    /// Ends the run after the step under way. What was trained stays for predictions and exports if it is kept.
    /// → `Stopped`.
    Stop {
        /// Which run.
        run: RunId,
        /// Whether its state is saved and kept.
        keep: bool,
    },
    /// Evaluates now, whatever the strategy says; a run that waits waits again afterwards. → `Run` with `Evaluated`.
    Evaluate {
        /// Which run.
        run: RunId,
    },
    /// Ends tuning now and goes on with pruning; a run that waits waits again after it. → `Run` with `Pruned`.
    PruneNow {
        /// Which run.
        run: RunId,
    },
    /// Hands the present state out for saving. → `CheckpointSaved`.
    SaveCheckpoint {
        /// Which run.
        run: RunId,
    },
    /// Judges texts with the model before the run and after each of its phases. → `Predicted`.
    Predict {
        /// Comes back with the answer.
        request: u64,
        /// What to judge.
        texts: Vec<TextInput>,
        /// Layer → heads that are switched off for this prediction, in the numbering of the pretrained model.
        heads_off: BTreeMap<usize, Vec<usize>>,
    },
    /// Has the model write a text with the states there are before and after each phase of the run, one after the other.
    /// Each text so far is told by `Writing`. → `Written`.
    Write {
        /// Comes back with the answer.
        request: u64,
        /// What to write about, or to go on from if the model has learned plain text.
        prompt: String,
        /// How: those about generation, and the seed; what is absent is as in the run's settings.
        settings: Settings,
        /// Which states write; all there are if empty.
        variants: Vec<Variant>,
    },
    /// Ends a `Write` after the token under way. → `Written` with what there is, which answers the `Write` as well.
    StopWriting {
        /// The request of the `Write`.
        request: u64,
    },
    /// Confusion matrix and worst mistakes on the validation data, of the newest state. → `Judged`.
    Judge {
        /// Which run.
        run: RunId,
    },
    /// Writes the tuned model in one of its forms and reads it back: as the user stopped it, else as its last finished
    /// phase left it. → `Exported`.
    Export {
        /// Which run.
        run: RunId,
        /// In which form.
        format: ExportFormat,
    },
    /// Sets how long the GPU works at a stretch, for this device and the next ones. Where a driver has taken the device
    /// away, shorter work may get through. Changes no bit of a result. → `GpuTargetSet`.
    SetGpuTarget {
        /// Milliseconds, one of [`crate::gpu::pacing::TARGETS_MS`].
        target_ms: f64,
    },
    /// Shows one matrix as it is now. → `Inspected`.
    Inspect {
        /// Comes back with the answer.
        request: u64,
        /// Module path, as in [`super::SiteCard::path`].
        path: String,
    },
}

/// A text or a pair of texts to judge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextInput {
    /// The text, or the first of a pair.
    pub text: String,
    /// The second text of a pair.
    pub text_pair: Option<String>,
}

/// The forms a tuned model can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// A LoRA adapter for peft and transformers, the sparse entries as extra rank, our lossless state beside it.
    Adapter,
    /// A whole model with the update added to its weights.
    Merged,
    /// The same without the removed heads: smaller, for transformers up to 4.57 and for us.
    Compact,
    /// Our lossless state alone.
    Dsee,
}
