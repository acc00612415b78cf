//! How long the window takes to draw while a run goes on: what "it stutters" is in numbers.

use dsee_core::protocol::RunId;
use serde::Serialize;
use std::collections::VecDeque;

/// Frames that are kept: a minute's worth on an ordinary screen.
const KEPT: usize = 3600;

/// The newest frames that were drawn while a run went on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameTimes {
    run: Option<RunId>,
    seconds: VecDeque<f32>,
    newest: f32,
}

/// The figures of a run's frames, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FrameFigures {
    /// How many frames they are of.
    pub n_frames: usize,
    /// Half of the frames took no longer.
    pub median_ms: f32,
    /// 95 of 100 frames took no longer.
    pub p95_ms: f32,
    /// The longest one.
    pub longest_ms: f32,
}

impl FrameTimes {
    /// Takes note of a frame that took `seconds`, drawn while `run` went on. Frames of another run are forgotten.
    pub(super) fn note(&mut self, run: Option<RunId>, seconds: f32) {
        // A frame that is drawn in two passes, or not at all, tells of the frame before it once more.
        let is_new = seconds.to_bits() != self.newest.to_bits();
        self.newest = seconds;
        let Some(run) = run.filter(|_| is_new && seconds.is_finite()) else { return };
        if self.run != Some(run) {
            (self.run, self.seconds) = (Some(run), VecDeque::with_capacity(KEPT));
        }
        if self.seconds.len() == KEPT {
            self.seconds.pop_front();
        }
        self.seconds.push_back(seconds);
    }

    /// The figures; none while nothing was drawn during a run.
    #[must_use]
    pub fn figures(&self) -> Option<FrameFigures> {
        let mut sorted: Vec<f32> = self.seconds.iter().map(|seconds| 1e3 * seconds).collect();
        sorted.sort_by(f32::total_cmp);
        let (&longest_ms, n_frames) = (sorted.last()?, sorted.len());
        // The smallest time that this share of the frames does not exceed.
        let within = |percent: usize| sorted[(n_frames * percent).div_ceil(100).max(1) - 1];
        Some(FrameFigures { n_frames, median_ms: within(50), p95_ms: within(95), longest_ms })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn only_frames_of_the_run_count_each_once() {
        let mut times = FrameTimes::default();
        times.note(None, 0.5);
        times.note(Some(1), 0.5);
        assert_eq!(times.figures(), None, "it was told before the run");
        (1..=100).for_each(|i| times.note(Some(1), i as f32 / 1e3));
        times.note(Some(1), 0.1);
        let figures = times.figures().unwrap();
        assert_eq!((figures.n_frames, figures.longest_ms), (100, 100.0));
        assert_eq!((figures.median_ms.round(), figures.p95_ms.round()), (50.0, 95.0));
        times.note(Some(2), 0.007);
        assert_eq!(times.figures().unwrap().n_frames, 1);
    }

    #[test]
    fn old_frames_make_room() {
        let mut times = FrameTimes::default();
        (0..2 * KEPT).for_each(|i| times.note(Some(1), i as f32));
        let figures = times.figures().unwrap();
        assert_eq!((figures.n_frames, figures.longest_ms), (KEPT, 1e3 * (2 * KEPT - 1) as f32));
    }
}
