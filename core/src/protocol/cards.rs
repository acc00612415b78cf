//! What was loaded, as an app shows it before a run.

use serde::{Deserialize, Serialize};

use crate::config::{Method, ModelFacts, RunConfig};
use crate::data::TaskKind;
use crate::nn::site::Role;
use crate::ops::linear_cross_entropy::n_logits_at_a_time;
use crate::tuning::adapters;

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
    /// Numbers of the last two layers and of what follows them.
    pub n_top: usize,
    /// Whether tokens see only what stands before them.
    pub is_decoder: bool,
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
    /// None: a decoder predicts the next token by its token embedding.
    Words,
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
            is_decoder: self.is_decoder,
        }
    }

    /// What the sites of some roles come to.
    fn sum(&self, is_chosen: impl Fn(Role) -> bool, n_values: impl Fn(&SiteCard) -> usize) -> usize {
        self.sites.iter().filter(|site| is_chosen(site.role)).map(n_values).sum()
    }

    /// Numbers that tuning leaves of those it trains, before pruning.
    #[must_use]
    pub fn n_kept(&self, config: &RunConfig) -> usize {
        match config.method {
            Method::EarlyBert => self.n_parameters,
            Method::Prefix => self.sum(is_prefixed, |site| config.prefix_length * site.d_out),
            _ => self.n_trainable(config),
        }
    }

    /// Numbers the optimizer may change, without the task head (`dsee-method` 1.4). A test holds it to what the engine
    /// counts from the plan of the method.
    #[must_use]
    pub fn n_trainable(&self, config: &RunConfig) -> usize {
        match config.method {
            Method::Full | Method::BertTickets => self.n_parameters,
            Method::EarlyBert => {
                let heads = self.sum(|role| role == Role::AttentionOutput, |_| self.num_attention_heads);
                self.n_parameters + heads + self.sum(|role| role == Role::FeedForwardDown, |site| site.d_in)
            }
            Method::FtTop2 => self.n_top,
            Method::Bitfit => self.n_biases,
            Method::Lora | Method::Dsee => {
                let is_target = |role| config.target_modules.contains(&role);
                self.sum(is_target, |site| config.rank * (site.d_out + site.d_in) + config.nnz)
            }
            Method::Adapters => {
                let size = config.clone().for_model(&self.facts()).bottleneck_size;
                let is_place = |role| adapters::is_place(role, self.is_decoder);
                self.sum(is_place, |site| adapters::n_trainable(size, site.d_out))
            }
            Method::PTuning => self.sum(is_prefixed, |site| config.prefix_length * site.d_out),
            Method::Prefix => {
                let (hidden, c) = (config.prefix_hidden_size, self.hidden_size);
                let shared = config.prefix_length * c + hidden * (c + 1);
                shared + self.sum(is_prefixed, |site| (hidden + 1) * site.d_out)
            }
        }
    }

    /// What a run needs at most: every batch full of texts of `max_length` tokens.
    ///
    /// Weights are counted as `train::place` uploads them, trained numbers four times as `nn::parameters` keeps them
    /// (value, gradient, both moments). Activations are what the tape keeps of each layer; the factors were fitted to
    /// measured runs and hold within 10 % of the total.
    #[must_use]
    pub fn memory_bytes(&self, config: &RunConfig) -> MemoryEstimate {
        let n_trained = self.n_trainable(config) as u64;
        let adapted = |site: &&SiteCard| config.target_modules.contains(&site.role);
        let effective: usize = if config.method.has_update() {
            self.sites.iter().filter(adapted).map(|site| site.d_out * site.d_in).sum()
        } else {
            0
        };
        let is_own = config.method.is_full() || matches!(config.method, Method::Bitfit | Method::FtTop2);
        // A search trains its coefficients beside all parameters.
        let frozen = (self.n_parameters as u64).saturating_sub(if is_own { n_trained } else { 0 });
        let longest = config.max_length.min(self.max_position_embeddings);
        let n_tokens = config.per_device_train_batch_size * longest;
        let writes =
            matches!(config.task_type.kind(), Some(TaskKind::Generation | TaskKind::LanguageModeling));
        let n_logits = if writes { n_logits_at_a_time(n_tokens, self.vocab_size) } else { 0 };
        MemoryEstimate {
            weights: 4 * (frozen + effective as u64),
            trained: 16 * n_trained,
            activations: 4 * (n_tokens * self.numbers_per_token(config) + n_logits) as u64,
        }
    }

    /// Numbers that one token of a batch keeps on the device until the backward pass has used them.
    ///
    /// Per layer: what goes into both layer norms, query, key, value, the context, what goes into the activation, the
    /// statistics of softmax and layer norms; the layer's input where A and B are trained on it, and every input of a
    /// product where whole weights are trained. Beside that, gradients on their way and the pass of evaluations.
    fn numbers_per_token(&self, config: &RunConfig) -> usize {
        let (hidden, inner) = (self.hidden_size, self.intermediate_size);
        let statistics = 2 * self.num_attention_heads + 4;
        let (kept, on_their_way) = match config.method {
            Method::Full | Method::FtTop2 | Method::BertTickets => (8 * hidden + 2 * inner, 0),
            // What coefficients are multiplied with.
            Method::EarlyBert => (9 * hidden + 3 * inner, 0),
            Method::Lora | Method::Dsee => (7 * hidden + inner, 3 * hidden + inner),
            Method::Bitfit => (6 * hidden + inner, 3 * hidden + inner),
            // The inputs of the bottlenecks.
            Method::Adapters => (8 * hidden + inner, 3 * hidden + inner),
            // Keys and values without and with their prefixes.
            Method::PTuning | Method::Prefix => (8 * hidden + inner, 3 * hidden + inner),
        };
        let n_layers = if config.method == Method::FtTop2 { 2 } else { self.num_hidden_layers };
        n_layers.min(self.num_hidden_layers) * (kept + statistics) + on_their_way
    }
}

fn is_prefixed(role: Role) -> bool {
    matches!(role, Role::Key | Role::Value)
}

/// Bytes that a run needs on the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryEstimate {
    /// The pretrained weights, and the effective ones of adapted sites.
    pub weights: u64,
    /// Trained numbers with their gradients and both moments.
    pub trained: u64,
    /// What the backward pass needs of the forward pass, and the gradients on their way.
    pub activations: u64,
}

impl MemoryEstimate {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.weights + self.trained + self.activations
    }
}

/// What data consist of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataForm {
    /// Texts with labels.
    #[default]
    Labelled,
    /// Meanings, or prompts, with the texts that complete them.
    Generation,
    /// Texts alone.
    Plain,
}

/// Data that were read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DataCard {
    /// Name of the training file.
    pub name: String,
    /// Whether they are the sentences inside the program.
    pub embedded: bool,
    /// What they consist of.
    pub form: DataForm,
    /// Name of the validation file; absent if a part of the training file was held out.
    pub validation_name: Option<String>,
    /// Training examples; meanings, if they have texts.
    pub n_train: usize,
    /// Validation examples.
    pub n_validation: usize,
    /// Texts of all training meanings; 0 in other forms.
    pub n_texts: usize,
    /// Column of the text, by name; empty where there are no labels, as the next two.
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
    /// First validation rows of data without labels: what a model that writes can be tried with.
    pub held_out: Vec<PreviewRow>,
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
    /// Text, or the meaning as the model reads it.
    pub text: String,
    /// Second text.
    pub text_pair: Option<String>,
    /// Label's name or number; empty without labels.
    pub label: String,
    /// The texts of a meaning.
    pub references: Vec<String>,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::config::RunConfigDraft;

    fn card(n_parameters: usize, sizes: [usize; 4]) -> ModelCard {
        let [hidden_size, intermediate_size, num_hidden_layers, num_attention_heads] = sizes;
        let roles = [Role::Query, Role::Key, Role::Value, Role::AttentionOutput];
        let site = |layer: usize, role| SiteCard {
            path: String::new(),
            layer: Some(layer),
            role,
            d_out: hidden_size,
            d_in: hidden_size,
        };
        ModelCard {
            hidden_size,
            intermediate_size,
            num_hidden_layers,
            num_attention_heads,
            max_position_embeddings: 512,
            n_parameters,
            n_biases: num_hidden_layers * (7 * hidden_size + intermediate_size),
            sites: (0..num_hidden_layers).flat_map(|layer| roles.map(|role| site(layer, role))).collect(),
            ..ModelCard::default()
        }
    }

    /// Bytes the device had allocated after the first step of runs whose batches were full.
    #[test]
    fn the_estimate_is_within_a_tenth_of_measured_runs() {
        let tiny = card(685_952, [128, 512, 2, 4]);
        let mini = card(22_713_216, [384, 1536, 6, 12]);
        let all = "query,key,value,output";
        let measured = [
            (&tiny, "lora", "query,value", "64", "8", 10_774_016),
            (&tiny, "lora", "query,value", "64", "16", 18_268_672),
            (&tiny, "full", "query,value", "64", "16", 26_982_656),
            (&mini, "lora", "query,value", "64", "4", 129_280_768),
            (&mini, "lora", "query,value", "64", "32", 332_076_032),
            (&mini, "lora", "query,value", "128", "8", 216_068_352),
            (&mini, "dsee", all, "64", "8", 167_719_424),
            (&mini, "bitfit", "query,value", "64", "8", 145_217_024),
            (&mini, "full", "query,value", "64", "8", 438_683_904),
            (&mini, "full", "query,value", "64", "32", 664_438_528),
        ];
        for (model, method, modules, length, batch, bytes) in measured {
            let draft = RunConfigDraft::default().with("method", method).with("target_modules", modules);
            let config =
                draft.with("max_length", length).with("per_device_train_batch_size", batch).check().unwrap();
            let estimate = model.memory_bytes(&config).total() as f64;
            let ratio = estimate / f64::from(bytes);
            assert!((0.9..1.1).contains(&ratio), "{method} {length} × {batch}: {estimate} for {bytes}");
        }
    }
}
