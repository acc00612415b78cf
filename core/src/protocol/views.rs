//! What an app shows of a model during and after a run.

use serde::{Deserialize, Serialize};

use super::command::{ExportFormat, TextInput};
use crate::nn::site::Role;

/// A state of the model that can be compared with the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// Before the run.
    Base,
    /// As it is now, in the middle of a phase.
    Present,
    /// After tuning.
    Tuned,
    /// After pruning, before retuning.
    Pruned,
    /// After retuning.
    Retuned,
}

/// Texts judged by every state there is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Predicted {
    /// Which request.
    pub request: u64,
    /// Label names in the order of the probabilities; empty for regression.
    pub label_names: Vec<String>,
    /// One per text.
    pub predictions: Vec<Prediction>,
}

/// One text judged by every state there is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The text.
    pub input: TextInput,
    /// The text as tokens, as the model reads it.
    pub tokens: Vec<String>,
    /// One per state, in the order of [`Variant`].
    pub scores: Vec<ClassScores>,
}

/// What one state makes of one text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Which state.
    pub variant: Variant,
    /// Probabilities of the classes; for regression the one number.
    pub values: Vec<f64>,
}

/// A prompt and what every state has written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Which request.
    pub request: u64,
    /// What was to be written about.
    pub prompt: String,
    /// One per state, in the order of [`Variant`]; of a stopped request those that had begun.
    pub texts: Vec<WrittenText>,
    /// Whether the user ended it.
    pub is_stopped: bool,
}

/// What one state has written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenText {
    /// Which state.
    pub variant: Variant,
    /// The text without the prompt.
    pub text: String,
    /// Tokens of it.
    pub n_tokens: usize,
    /// Whether the model has ended it, rather than the most tokens that were allowed.
    pub is_complete: bool,
}

/// How a model does on the validation data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Label names.
    pub label_names: Vec<String>,
    /// Row: the right label; column: the predicted one.
    pub confusion: Vec<Vec<usize>>,
    /// Where it is most certain of the wrong label, the worst first.
    pub mistakes: Vec<Mistake>,
}

/// One example that was judged wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// The text.
    pub input: TextInput,
    /// The right label.
    pub expected: String,
    /// What the model said.
    pub predicted: String,
    /// With which probability.
    pub confidence: f64,
}

/// A tuned model in one of its forms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exported {
    /// The form.
    pub format: ExportFormat,
    /// Its files.
    pub files: Vec<ExportedFile>,
    /// Tensors that were read back and compared with the model in memory.
    pub verified_tensors: usize,
    /// Largest difference that was found.
    pub max_difference: f64,
    /// A Python or shell snippet that loads it.
    pub how_to_load: String,
}

/// One file of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedFile {
    /// Path inside the folder.
    pub path: String,
    /// Size in bytes.
    pub n_bytes: u64,
}

/// One matrix as it is now; its large parts are attached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatrixView {
    /// Which request.
    pub request: u64,
    /// Module path.
    pub path: String,
    /// What it does.
    pub role: Role,
    /// Layer, from 0; absent outside the layers.
    pub layer: Option<usize>,
    /// Rows.
    pub d_out: usize,
    /// Columns.
    pub d_in: usize,
    /// Rank of the low-rank update, 0 without one.
    pub rank: usize,
    /// Ω: flat row-major positions, ascending.
    pub s_indices: Vec<u32>,
    /// Values of S on Ω times the scale, in the same order.
    pub s_values: Vec<f32>,
    /// Singular values of W, descending.
    pub weight_singular_values: Vec<f64>,
    /// Singular values of ΔW, descending; empty without an update.
    pub delta_singular_values: Vec<f64>,
    /// Entries that masks or removed heads have taken.
    pub n_zeros: usize,
    /// Removed heads of the layer, in the numbering of the pretrained model.
    pub removed_heads: Vec<usize>,
    /// Steps of the run at which this was.
    pub step: usize,
}
