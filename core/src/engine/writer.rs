//! A decoder at rest that writes text: a search for one text at a time, one token per call.

use super::base_model::BaseModel;
use super::error::EngineError;
use super::placed::Placed;
use crate::generate::{GenerationConfig, GenerationError, Limits, Search};
use crate::gpu::{Device, Sizes};
use crate::nn::added::prefix_length;
use crate::nn::plan::{DeltaPlan, TuningPlan};
use crate::train::place::HostState;
use crate::train::write::{CachedDecoder, Room};

/// A model on the device with room for texts.
pub struct Writer {
    // The decoder's recording reads the parameters in it.
    _placed: Placed,
    decoder: CachedDecoder,
    limits: Limits,
}

impl Writer {
    /// Places the model with what was trained and removed.
    ///
    /// # Errors
    /// A model that does not write; memory errors of the device.
    pub async fn new(
        device: &Device,
        base: &BaseModel,
        state: &HostState,
        room: Room,
    ) -> Result<Self, EngineError> {
        let plan = tuned_plan(state);
        let capacity = Sizes { tokens: 1, sequences: 1, targets: 1 };
        let placed = Placed::new(device, base, state, &plan, Some(0.0), capacity).await?;
        let decoder = CachedDecoder::new(device, placed.model.as_ref(), room).await?;
        let n_positions = text_positions(base, state);
        let limits = Limits { n_vocab: base.config.vocab_size, n_positions };
        Ok(Self { _placed: placed, decoder, limits })
    }

    /// A search for the text behind `prompt`; the one before it is over.
    ///
    /// # Errors
    /// Everything wrong with settings and prompt.
    pub fn begin(&mut self, config: &GenerationConfig, prompt: &[u32]) -> Result<Search, GenerationError> {
        self.decoder.forget();
        Search::new(config, self.limits, prompt)
    }

    /// Adds a token to the text of the latest search; false when it is over.
    ///
    /// # Errors
    /// Whatever went wrong on the device until then.
    pub async fn advance(&mut self, search: &mut Search) -> Result<bool, EngineError> {
        Ok(search.advance_with(&mut self.decoder).await?)
    }
}

/// Tokens that a text may have: the positions of the model that no trained prefix takes.
#[must_use]
pub fn text_positions(base: &BaseModel, state: &HostState) -> usize {
    base.config.longest().saturating_sub(prefix_length(&state.trained))
}

/// A plan that trains nothing but knows the updates of a state.
pub(super) fn tuned_plan(state: &HostState) -> TuningPlan {
    let deltas = state.deltas.iter().map(|delta| {
        let shape = DeltaPlan { rank: delta.rank, n_nonzero: delta.s_indices.len(), scale: delta.scale };
        (delta.path.clone(), shape)
    });
    TuningPlan { deltas: deltas.collect(), ..TuningPlan::default() }
}
