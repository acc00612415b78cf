//! What follows pruning: most methods go on with what they have; those that look for tickets go back to the pretrained
//! weights first.

use super::Run;
use crate::config::{Method, Pruning};
use crate::engine::checkpoint::Stage;
use crate::tuning::bert_tickets;

impl Run {
    /// Puts back what is trained anew and gives the next stage.
    pub(super) fn rewind(&mut self) -> Stage {
        match (self.config.method, self.config.prune) {
            (Method::EarlyBert, _) => {
                self.state.trained.clear();
                Stage::Retune
            }
            (Method::BertTickets, Pruning::Unstructured { sparsity }) => {
                bert_tickets::rewind(&mut self.state.trained, &self.base.outline());
                let is_last = bert_tickets::is_last(self.position.round, sparsity);
                self.position.round += 1;
                if is_last { Stage::Retune } else { Stage::Tune }
            }
            _ if self.config.retune_epochs > 0.0 => Stage::Retune,
            _ => Stage::Evaluate,
        }
    }
}
