//! What the engine tells an app.

use serde::{Deserialize, Serialize};

use super::{
    DataCard, Exported, MatrixView, ModelCard, Predicted, Quality, RunEvent, Written, WrittenText,
    command::{Command, RunId},
};
use crate::gpu::AdapterReport;

/// One thing the engine tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The engine is there and has a device. Always the first event, unless it is `Failed`; told again when a lost device
    /// was replaced.
    Ready {
        /// What computes.
        adapter: AdapterReport,
    },
    /// A model was read.
    ModelLoaded(ModelCard),
    /// Data were read.
    DataLoaded(DataCard),
    /// A run tells of itself.
    Run {
        /// Which run.
        run: RunId,
        /// What.
        event: RunEvent,
    },
    /// A run waits.
    Paused {
        /// Which run.
        run: RunId,
        /// Optimizer steps so far.
        step: usize,
    },
    /// A run goes on.
    Resumed {
        /// Which run.
        run: RunId,
    },
    /// A run was ended by the user.
    Stopped {
        /// Which run.
        run: RunId,
        /// Whether its state was kept.
        kept: bool,
        /// Optimizer steps so far.
        step: usize,
    },
    /// The state to save. Attached: the files of the checkpoint.
    CheckpointSaved {
        /// Which run.
        run: RunId,
        /// Optimizer steps so far.
        step: usize,
    },
    /// Texts were judged.
    Predicted(Predicted),
    /// A text grew, or was found a better beginning: this is all of it so far.
    Writing {
        /// Which request.
        request: u64,
        /// Which state, and its text.
        text: WrittenText,
    },
    /// Texts were written.
    Written(Written),
    /// The validation data were judged.
    Judged {
        /// Which run.
        run: RunId,
        /// How it did.
        quality: Quality,
    },
    /// A tuned model was written and read back. Attached: its files.
    Exported {
        /// Which run.
        run: RunId,
        /// What was written.
        exported: Exported,
    },
    /// A matrix as it is now. Attached, f32 little-endian, row-major: `weight` (d_out, d_in), `low_rank` B A times the
    /// scale (d_out, d_in) if adapted, `mask` (d_out, d_in) with 0 for removed entries if something was removed.
    Inspected(MatrixView),
    /// The GPU works that long at a stretch from now on.
    GpuTargetSet {
        /// Milliseconds.
        target_ms: f64,
    },
    /// Something takes longer: reading a model, for example.
    Working {
        /// What, in a few words.
        what: String,
        /// How much is done, in [0, 1]; absent where nobody knows.
        share: Option<f64>,
    },
    /// A command cannot be done; nothing has changed.
    Rejected {
        /// The command.
        command: Command,
        /// Everything that is wrong.
        problems: Vec<Problem>,
    },
    /// Something broke. The engine goes on unless the device is gone.
    Failed(FailureReport),
}

/// One thing that is wrong with what the user gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The setting it is about, as in `run.toml`; empty if it is about a file.
    pub field: String,
    /// The whole sentence: what was found, what was expected, what to do.
    pub text: String,
}

/// Something broke: what, why it is likely, what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureReport {
    /// What kind.
    pub kind: FailureKind,
    /// The run it stopped.
    pub run: Option<RunId>,
    /// What happened, one sentence.
    pub text: String,
    /// What to do now, one sentence.
    pub advice: String,
    /// Optimizer steps of the state that is still good; a `CheckpointSaved` with it came before.
    pub last_good_step: Option<usize>,
}

/// Kinds of failures that an app answers differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// There is no adapter, or it gives no device.
    NoDevice,
    /// The device went away.
    DeviceLost,
    /// The adapter has not enough memory.
    OutOfMemory,
    /// The loss is not a finite number.
    NotFinite,
    /// The engine itself stopped: a mistake of this program.
    Crashed,
    /// Anything else.
    Other,
}
