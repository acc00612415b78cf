//! What was loaded, as an app shows it before a run.

use serde::{Deserialize, Serialize};

use crate::config::{Method, ModelFacts, RunConfig};
use crate::nn::site::Role;

/// A model that was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// The folder's name or the hub's id.
    pub name: String,
    /// Whether it is the one inside the program.
    pub embedded: bool,
    /// Model family, `bert` for example.
    pub family: String,
    /// V, rows of the token embedding.
    pub vocab_size: usize,
    /// C.
    pub hidden_size: usize,
    /// F.
    pub intermediate_size: usize,
    /// L.
    pub num_hidden_layers: usize,
    /// H.
    pub num_attention_heads: usize,
    /// Longest input in tokens.
    pub max_position_embeddings: usize,
    /// All numbers of the model, without the task head.
    pub n_parameters: usize,
    /// Biases among them.
    pub n_biases: usize,
    /// Bytes of the weights on the device.
    pub weight_bytes: u64,
    /// Whether the file has a task head.
    pub head: HeadOrigin,
    /// What to tell the user about the file.
    pub notes: Vec<String>,
    /// The linear maps, in the model's order.
    pub sites: Vec<SiteCard>,
}

/// Where the task head comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadOrigin {
    /// It starts at random values.
    #[default]
    Fresh,
    /// It was in the file.
    Found {
        /// Names of its classes.
        labels: Vec<String>,
    },
}

/// One linear map of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteCard {
    /// Module path in the transformers model.
    pub path: String,
    /// Layer, from 0; absent outside the layers.
    pub layer: Option<usize>,
    /// What it does.
    pub role: Role,
    /// Rows.
    pub d_out: usize,
    /// Columns.
    pub d_in: usize,
}

impl ModelCard {
    /// The sizes that settings are checked against.
    #[must_use]
    pub fn facts(&self) -> ModelFacts {
        ModelFacts {
            hidden_size: self.hidden_size,
            num_hidden_layers: self.num_hidden_layers,
            num_attention_heads: self.num_attention_heads,
            max_position_embeddings: self.max_position_embeddings,
        }
    }

    /// Numbers the optimizer may change, without the task head (`dsee-method` 1.4).
    #[must_use]
    pub fn n_trainable(&self, config: &RunConfig) -> usize {
        match config.method {
            Method::Full => self.n_parameters,
            Method::Bitfit => self.n_biases,
            Method::Lora | Method::Dsee => {
                let sites = self.sites.iter().filter(|site| config.target_modules.contains(&site.role));
                sites.map(|site| config.rank * (site.d_out + site.d_in) + config.nnz).sum()
            }
        }
    }
}

/// Data that were read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataCard {
    /// Name of the training file.
    pub name: String,
    /// Whether they are the sentences inside the program.
    pub embedded: bool,
    /// Name of the validation file; absent if a part of the training file was held out.
    pub validation_name: Option<String>,
    /// Training examples.
    pub n_train: usize,
    /// Validation examples.
    pub n_validation: usize,
    /// Column of the text, by name.
    pub text_column: String,
    /// Column of the second text.
    pub text_pair_column: Option<String>,
    /// Column of the label.
    pub label_column: String,
    /// Names of all columns of the training file.
    pub columns: Vec<String>,
    /// Label names in the order of the logits; empty for regression.
    pub label_names: Vec<String>,
    /// Training examples of each label.
    pub class_counts: Vec<usize>,
    /// First rows.
    pub preview: Vec<PreviewRow>,
    /// The first row as tokens.
    pub tokens: Vec<String>,
    /// Lengths in tokens, ascending.
    pub lengths: Vec<LengthBin>,
    /// Mean length in tokens.
    pub mean_length: f64,
    /// Share of the examples that are cut at the maximum length, in [0, 1].
    pub truncated_share: f64,
    /// What the user should look at.
    pub warnings: Vec<String>,
}

/// One example as read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewRow {
    /// Text.
    pub text: String,
    /// Second text.
    pub text_pair: Option<String>,
    /// Label's name or number.
    pub label: String,
}

/// One bar of the length histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LengthBin {
    /// Shortest length that counts here, in tokens.
    pub from: usize,
    /// Longest length that counts here, in tokens.
    pub to: usize,
    /// Examples.
    pub count: usize,
}
