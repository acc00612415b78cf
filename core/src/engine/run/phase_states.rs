//! The states that a run has behind it, so that they can be compared with the present one.

use std::collections::BTreeMap;

use super::Run;
use crate::checkpoint::weights::StoredTensor;
use crate::config::Pruning;
use crate::engine::checkpoint::Stage;
use crate::protocol::Variant;
use crate::train::place::HostState;

/// A tuned state is kept beside the newest one if it has at most one number for so many of the model.
const MODEL_SHARE: usize = 4;

impl Run {
    /// Keeps the state before pruning, unless it is about as large as the model.
    pub(super) fn keep_tuned(&mut self) {
        let n_model: usize = self.base.parameters.0.values().map(StoredTensor::n_values).sum();
        let n_updates: usize = self.state.deltas.iter().map(|delta| delta.n_trainable()).sum();
        let n_trained: usize = self.state.trained.values().map(|tensor| tensor.data.len()).sum();
        let is_small = MODEL_SHARE * (n_updates + n_trained) <= n_model;
        self.tuned = is_small.then(|| self.state.clone());
    }

    /// The states after the phases that are over, as far as they are known: a run that goes on from a checkpoint has
    /// them from there. Where every weight is trained, earlier states are lost with the end of retuning.
    #[must_use]
    pub fn phase_states(&self) -> BTreeMap<Variant, HostState> {
        let newest = match self.position.stage {
            Stage::Begin | Stage::SelectOmega | Stage::Tune => return BTreeMap::new(),
            // The pretrained weights again, which are no state that was reached.
            Stage::Retune if self.config.method.rewinds() => return BTreeMap::new(),
            Stage::Prune => Variant::Tuned,
            Stage::Evaluate | Stage::Done if self.config.prune == Pruning::None => Variant::Tuned,
            Stage::Retune => Variant::Pruned,
            Stage::Evaluate | Stage::Done if self.config.retune_epochs == 0.0 => Variant::Pruned,
            Stage::Evaluate | Stage::Done => Variant::Retuned,
        };
        let mut states = BTreeMap::from([(newest, self.state.clone())]);
        let tuned = match newest {
            Variant::Pruned | Variant::Retuned => self.tuned.clone().or_else(|| self.unpruned(newest)),
            _ => None,
        };
        let Some(tuned) = tuned else { return states };
        states.entry(Variant::Pruned).or_insert_with(|| {
            let mut pruned = tuned.clone();
            pruned.prune(&self.base.sites, self.base.heads(), self.state.pruned.clone());
            pruned
        });
        states.insert(Variant::Tuned, tuned);
        states
    }

    /// The tuned state from the pruned one: pruning changes nothing but masks, and updates of removed heads.
    fn unpruned(&self, newest: Variant) -> Option<HostState> {
        let untouched = self.base.untouched().pruned;
        let is_whole = self.state.deltas.is_empty() || self.state.pruned.heads == untouched.heads;
        let is_pruned = newest == Variant::Pruned && is_whole;
        is_pruned.then(|| HostState { pruned: untouched, ..self.state.clone() })
    }
}
