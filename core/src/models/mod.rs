//! Models: their settings, the names of their parameters, loading them from files, and their forward passes.

pub mod bert;
pub mod bert_load;
pub mod bert_names;
pub mod config;
pub mod config_fields;
pub mod files;
pub mod fit;

use crate::nn::inputs::BatchInputs;
use crate::nn::linear::Linear;
use crate::tape::{Tape, Tensor};

/// A model that maps a batch to logits: what training and evaluation know of models.
pub trait Model {
    /// Logits: (B, N) of a classifier, (P, V) of a model that predicts words.
    fn logits(&self, tape: &mut Tape, batch: &BatchInputs) -> Tensor;

    /// Every linear map, for refreshing effective weights.
    fn linears(&self) -> Vec<&Linear>;
}
