//! The learning rate of every step, with the names and formulas of transformers' `optimization.py`.

use crate::config::SchedulerType;
use std::f64::consts::PI;

/// Learning rate at which `polynomial` ends.
const POLYNOMIAL_END: f64 = 1e-7;
/// Time scale of `inverse_sqrt` without warm-up.
const INVERSE_SQRT_TIMESCALE: f64 = 10_000.0;

/// One phase's learning rate as a function of the step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Shape.
    pub kind: SchedulerType,
    /// Largest rate.
    pub peak: f64,
    /// Steps of linear warm-up, see [`warmup_steps`].
    pub warmup_steps: usize,
    /// Optimizer steps of the phase.
    pub total_steps: usize,
}

impl Schedule {
    /// The rate used by optimizer step `step`, counted from 0. The first step of a warm-up has rate 0, as in
    /// transformers.
    #[must_use]
    pub fn learning_rate(&self, step: usize) -> f64 {
        let (now, warmup, total) = (step as f64, self.warmup_steps as f64, self.total_steps as f64);
        if step < self.warmup_steps && self.kind != SchedulerType::Constant {
            return self.peak * now / warmup;
        }
        // How far between the end of the warm-up and the end, in [0, 1] until the end.
        let progress = (now - warmup) / (total - warmup).max(1.0);
        let factor = match self.kind {
            SchedulerType::Constant | SchedulerType::ConstantWithWarmup => 1.0,
            SchedulerType::Linear => (1.0 - progress).max(0.0),
            SchedulerType::Cosine => 0.5 * (1.0 + (PI * progress).cos()),
            SchedulerType::CosineWithRestarts if progress >= 1.0 => 0.0,
            SchedulerType::CosineWithRestarts => 0.5 * (1.0 + (PI * progress).cos()),
            SchedulerType::Polynomial => {
                let end = POLYNOMIAL_END / self.peak;
                end + (1.0 - end) * (1.0 - progress).max(0.0)
            }
            SchedulerType::InverseSqrt => {
                let timescale = if self.warmup_steps > 0 { warmup } else { INVERSE_SQRT_TIMESCALE };
                ((now + timescale - warmup) / timescale).sqrt().recip()
            }
        };
        self.peak * factor
    }
}

/// Steps of warm-up out of the setting: below 1 it is a share of all steps, rounded up; else a number of steps.
#[must_use]
pub fn warmup_steps(setting: f64, total_steps: usize) -> usize {
    if setting < 1.0 { (total_steps as f64 * setting).ceil() as usize } else { setting as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(kind: SchedulerType, warmup_steps: usize, step: usize) -> f64 {
        Schedule { kind, peak: 2.0, warmup_steps, total_steps: 10 }.learning_rate(step)
    }

    #[test]
    fn hand_numbers_without_warmup() {
        use SchedulerType as S;
        let cases = [
            (S::Linear, [2.0, 1.0, 0.2]),
            (S::Cosine, [2.0, 1.0, 0.048_943_483_704_846_4]),
            (S::CosineWithRestarts, [2.0, 1.0, 0.048_943_483_704_846_4]),
            (S::Polynomial, [2.0, 1.000_000_05, 0.200_000_09]),
            (S::Constant, [2.0, 2.0, 2.0]),
            (S::ConstantWithWarmup, [2.0, 2.0, 2.0]),
            (S::InverseSqrt, [2.0, 2.0 / 1.0005f64.sqrt(), 2.0 / 1.0009f64.sqrt()]),
        ];
        for (kind, expected) in cases {
            for (step, expected) in [0, 5, 9].into_iter().zip(expected) {
                let found = rate(kind, 0, step);
                assert!((found - expected).abs() < 1e-12, "{kind} at {step}: {found} instead of {expected}");
            }
        }
    }

    #[test]
    fn warmup_rises_from_zero_to_the_peak() {
        for kind in [SchedulerType::Linear, SchedulerType::Cosine, SchedulerType::InverseSqrt] {
            let rates: Vec<f64> = (0..5).map(|step| rate(kind, 4, step)).collect();
            assert_eq!(rates, [0.0, 0.5, 1.0, 1.5, 2.0], "{kind}");
        }
        assert_eq!(rate(SchedulerType::Linear, 4, 7), 1.0);
        assert_eq!(rate(SchedulerType::InverseSqrt, 4, 9), 2.0 / 1.5);
        assert_eq!(rate(SchedulerType::Constant, 4, 0), 2.0, "constant ignores the warm-up");
    }

    #[test]
    fn nothing_is_left_at_the_end() {
        assert_eq!(rate(SchedulerType::Linear, 2, 10), 0.0);
        assert!(rate(SchedulerType::Cosine, 2, 10).abs() < 1e-15);
        assert_eq!(rate(SchedulerType::CosineWithRestarts, 2, 10), 0.0);
        assert!((rate(SchedulerType::Polynomial, 2, 10) - 1e-7).abs() < 1e-18);
    }

    #[test]
    fn warmup_is_a_share_or_a_number() {
        assert_eq!(warmup_steps(0.0, 100), 0);
        assert_eq!(warmup_steps(0.06, 101), 7);
        assert_eq!(warmup_steps(1.0, 100), 1);
        assert_eq!(warmup_steps(25.0, 100), 25);
    }
}
