//! Models: their settings, the names of their parameters, loading them from files, and their forward passes.

pub mod bert;
pub mod config;
pub mod config_fields;
pub mod encoder;
pub mod family;
pub mod files;
pub mod fit;
pub mod gpt2;
pub mod load;
pub mod parameter;
pub mod roberta;
mod tokenizer_fit;

use crate::nn::cached_inputs::CachedInputs;
use crate::nn::inputs::BatchInputs;
use crate::nn::linear::{After, Linear};
use crate::nn::parameters::Parameters;
use crate::nn::plan::TuningPlan;
use crate::ops::layer_norm::layer_norm;
use crate::ops::linear_cross_entropy::LmHead;
use crate::ops::matmul::activation;
use crate::tape::{Tape, Tensor};
use config::{HiddenAct, ModelConfig};

/// A model that maps a batch to what its head says: what training and evaluation know of models.
pub trait Model {
    /// The forward pass.
    fn output(&self, tape: &mut Tape, batch: &BatchInputs) -> Output;

    /// What the word after each sequence is told by, (B, C), from new tokens and what is remembered of the old ones.
    /// `None` from models that do not write.
    fn next_words(&self, _: &mut Tape, _: &CachedInputs) -> Option<Words> {
        None
    }

    /// Numbers of one key or value of every layer, for models that write.
    fn cache_widths(&self) -> Vec<usize> {
        Vec::new()
    }

    /// Rows of the trained prefix before the keys and the values of every layer, for models that write; 0 without one.
    fn n_prefix(&self) -> usize {
        0
    }

    /// Puts the keys and values of the prefix into their rows of the pools, for models that write.
    fn store_prefix(&self, _: &mut Tape, _: &CachedInputs) {}

    /// Every linear map, for refreshing effective weights.
    fn linears(&self) -> Vec<&Linear>;
}

/// What the head of a model says.
#[derive(Clone, Debug)]
pub enum Output {
    /// One row per sequence, (B, N).
    Logits(Tensor),
    /// What words are predicted from; their logits are many, so they are made where they are used.
    Words(Words),
}

/// Predicted words before the last product.
#[derive(Clone, Debug)]
pub struct Words {
    /// One row per predicted position, (P, C).
    pub hidden: Tensor,
    /// From there to logits.
    pub head: LmHead,
}

impl Output {
    /// Logits, (B, N) or (P, V).
    ///
    /// # Panics
    /// If the vocabulary comes in several parts, whose logits are never held together.
    #[must_use]
    pub fn logits(self, tape: &mut Tape) -> Tensor {
        match self {
            Self::Logits(logits) => logits,
            Self::Words(Words { hidden, head }) => {
                let [decoder] = head.weight.as_slice() else {
                    unreachable!("the caller asks for small vocabularies")
                };
                Linear::tied("decoder", decoder, head.bias.as_ref()).forward(tape, &hidden, After::default())
            }
        }
    }
}

/// Dropout rates of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DropoutRates {
    /// On embeddings.
    pub embedding: f32,
    /// On the output of every block.
    pub hidden: f32,
    /// On attention probabilities.
    pub attention: f32,
    /// Before the classifier.
    pub classifier: f32,
}

impl DropoutRates {
    /// The model's own rates, or one rate everywhere.
    #[must_use]
    pub fn of(config: &ModelConfig, everywhere: Option<f64>) -> Self {
        let rate = |own: f64| everywhere.unwrap_or(own) as f32;
        Self {
            embedding: rate(config.embedding_dropout),
            hidden: rate(config.hidden_dropout_prob),
            attention: rate(config.attention_probs_dropout_prob),
            classifier: rate(config.classifier_dropout),
        }
    }
}

/// A layer norm, its parameters found on the device.
#[derive(Clone, Debug)]
struct Norm {
    weight: Tensor,
    bias: Tensor,
    eps: f32,
}

impl Norm {
    fn find(parameters: &Parameters, path: &str, eps: f64) -> Self {
        let get = |name: &str| parameters.get(&format!("{path}.{name}")).clone();
        Self { weight: get("weight"), bias: get("bias"), eps: eps as f32 }
    }

    fn forward(&self, tape: &mut Tape, x: &Tensor) -> Tensor {
        layer_norm(tape, x, &self.weight, &self.bias, self.eps)
    }
}

/// The linear map at `path`, with what the plan wants done there.
fn linear(parameters: &Parameters, plan: &TuningPlan, path: &str) -> Linear {
    Linear::find(parameters, plan, path)
}

fn activation_number(act: HiddenAct) -> u32 {
    match act {
        HiddenAct::Gelu => activation::GELU,
        HiddenAct::GeluTanh => activation::GELU_TANH,
    }
}
