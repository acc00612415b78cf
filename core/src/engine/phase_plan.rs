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

    /// Ends after this share of an epoch; the learning rate is what it would be otherwise.
    pub fn cut_short(self, share: f64, accumulation: usize) -> Self {
        let steps = (share * self.n_batches as f64 / accumulation as f64).ceil() as usize;
        Self { total_steps: self.total_steps.min(steps.max(1)), ..self }
    }

    /// Epochs that the phase touches, the last one perhaps in part.
    pub fn n_epochs(&self, accumulation: usize) -> u32 {
        (self.total_steps * accumulation).div_ceil(self.n_batches) as u32
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
        let short = whole.cut_short(0.2, 1);
        assert_eq!((whole.total_steps, short.total_steps, short.n_batches), (30, 2, 10));
        for step in 0..short.total_steps {
            let expected = 1e-3 * (1.0 - step as f64 / 30.0);
            assert!((short.schedule.learning_rate(step) - expected).abs() < 1e-12, "step {step}");
        }
        assert_eq!((whole.n_epochs(1), short.n_epochs(1)), (3, 1));
    }

    #[test]
    fn what_is_cut_short_has_a_step_at_least_and_no_more_than_before() {
        // Steps of four batches: a fifth of an epoch is half of one.
        let whole = plan("4");
        assert_eq!((whole.total_steps, whole.cut_short(0.2, 4).total_steps), (8, 1));
        assert_eq!(whole.cut_short(0.0, 4).total_steps, 1);
        assert_eq!(whole.cut_short(9.0, 4).total_steps, 8);
    }
}
