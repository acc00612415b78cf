//! How long a phase of optimizer steps is, in which order it reads the examples, and its learning rates.

use crate::config::RunConfig;
use crate::data::BatchOrder;
use crate::protocol::Phase;
use crate::train::schedule::{Schedule, warmup_steps};

/// What stays the same over a phase.
#[derive(Clone, Copy, Debug)]
pub struct PhasePlan {
    pub phase: Phase,
    pub total_steps: usize,
    /// Passes per epoch.
    pub n_batches: usize,
    pub schedule: Schedule,
    pub order: BatchOrder,
    /// Rounds before this one, where a method has several.
    pub round: usize,
}

impl PhasePlan {
    /// Steps, schedule and order of `phase` in round `round` over `n_examples`.
    pub fn new(config: &RunConfig, phase: Phase, round: usize, n_examples: usize) -> Self {
        let (epochs, peak) = match phase {
            Phase::Retune => (config.retune_epochs, config.retune_learning_rate),
            _ => (config.num_train_epochs, config.learning_rate),
        };
        // Stage 3 and later rounds shuffle anew, so that their epochs are not those of stage 1 again.
        let seed = config.seed ^ (phase as u64) << 32 ^ (round as u64) << 40;
        let order = BatchOrder { seed, n_examples, batch_size: config.per_device_train_batch_size };
        let n_batches = order.n_batches();
        let passes = (epochs * n_batches as f64).ceil() as usize;
        let planned = passes.div_ceil(config.gradient_accumulation_steps);
        let total_steps = config.max_steps.unwrap_or(planned).max(1);
        let warmup = warmup_steps(config.warmup_steps, total_steps);
        let schedule = Schedule { kind: config.lr_scheduler_type, peak, warmup_steps: warmup, total_steps };
        Self { phase, total_steps, n_batches, schedule, order, round }
    }

    /// Ends after `steps` at the latest; the learning rate is what it would be otherwise.
    pub fn cut_short(self, steps: usize) -> Self {
        Self { total_steps: self.total_steps.min(steps), ..self }
    }

    /// Epochs that the phase touches, the last one perhaps in part.
    pub fn n_epochs(&self, accumulation: usize) -> u32 {
        let n_epochs = self.total_steps.saturating_mul(accumulation).div_ceil(self.n_batches);
        u32::try_from(n_epochs).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::config::RunConfigDraft;

    /// Three epochs of ten batches.
    fn plan(accumulation: &str) -> PhasePlan {
        let settings = [
            ("num_train_epochs", "3"),
            ("per_device_train_batch_size", "10"),
            ("gradient_accumulation_steps", accumulation),
            ("learning_rate", "1e-3"),
        ];
        let config = settings.into_iter().collect::<RunConfigDraft>().check().unwrap();
        PhasePlan::new(&config, Phase::Tune, 0, 98)
    }

    #[test]
    fn a_phase_cut_short_has_fewer_steps_at_the_same_rates() {
        let whole = plan("1");
        let short = whole.cut_short(2);
        assert_eq!((whole.total_steps, short.total_steps, short.n_batches), (30, 2, 10));
        for step in 0..short.total_steps {
            let expected = 1e-3 * (1.0 - step as f64 / 30.0);
            assert!((short.schedule.learning_rate(step) - expected).abs() < 1e-12, "step {step}");
        }
        assert_eq!((whole.n_epochs(1), short.n_epochs(1)), (3, 1));
    }

    #[test]
    fn a_phase_is_not_made_longer_and_very_long_ones_are_counted() {
        assert_eq!((plan("4").total_steps, plan("4").cut_short(9).total_steps), (8, 8));
        let endless = PhasePlan { total_steps: usize::MAX, ..plan("4") };
        assert_eq!(endless.n_epochs(4), u32::MAX);
    }
}
