//! FT-Top2 (Li and Liang 2021, arXiv 2101.00190): the last two layers, what follows them, and the task head are trained;
//! embeddings and the layers below stay frozen.

use crate::nn::outline::{Outline, Place};
use crate::nn::plan::TuningPlan;

/// Layers that are trained.
const N_LAYERS: usize = 2;

/// Trains the top of the model.
#[must_use]
pub fn plan(model: &Outline) -> TuningPlan {
    let first = model.n_layers().saturating_sub(N_LAYERS);
    let is_trained = |place| match place {
        Place::Embedding => false,
        Place::Layer(layer) => layer >= first,
        Place::Top | Place::Head => true,
    };
    TuningPlan { trained: model.names(is_trained).collect(), ..TuningPlan::default() }
}
