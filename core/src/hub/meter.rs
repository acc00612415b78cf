//! How far a download is, how fast it goes, and when it will be done.

use std::collections::VecDeque;

/// Seconds over which the rate is taken: long enough to be steady, short enough to follow.
const WINDOW_SECONDS: f64 = 5.0;

/// Counts the bytes of a download. Time is given in seconds since any fixed moment.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    n_done: u64,
    n_total: u64,
    /// When how many bytes had come over the network, ascending; the first one is at the window's edge.
    samples: VecDeque<(f64, u64)>,
    n_received: u64,
}

impl Meter {
    /// Bytes of all files, as far as they are known.
    pub fn set_total(&mut self, n_total: u64) {
        self.n_total = n_total;
    }

    /// Bytes that were there before, from an earlier try. They count as done, but not for the rate.
    pub fn add_kept(&mut self, n_bytes: u64) {
        self.n_done += n_bytes;
    }

    /// Bytes that turned out to be of no use.
    pub fn drop_kept(&mut self, n_bytes: u64) {
        self.n_done = self.n_done.saturating_sub(n_bytes);
    }

    /// Bytes that have come.
    pub fn add_received(&mut self, seconds: f64, n_bytes: u64) {
        if self.samples.is_empty() {
            self.samples.push_back((seconds, 0));
        }
        self.n_done += n_bytes;
        self.n_received += n_bytes;
        self.samples.push_back((seconds, self.n_received));
        while self.samples.len() > 2 && self.samples[1].0 <= seconds - WINDOW_SECONDS {
            self.samples.pop_front();
        }
    }

    /// Bytes that are here.
    #[must_use]
    pub fn n_done(&self) -> u64 {
        self.n_done
    }

    /// Bytes in all, never less than those that are here.
    #[must_use]
    pub fn n_total(&self) -> u64 {
        self.n_total.max(self.n_done)
    }

    /// Bytes a second over the last seconds; 0 before there is anything to measure.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else { return 0.0 };
        let seconds = last.0 - first.0;
        if seconds > 0.0 { (last.1 - first.1) as f64 / seconds } else { 0.0 }
    }

    /// Seconds until everything is here at the present rate, if that can be said.
    #[must_use]
    pub fn seconds_left(&self) -> Option<f64> {
        let rate = self.rate();
        (rate > 0.0).then(|| (self.n_total() - self.n_done) as f64 / rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut meter = Meter::default();
        meter.set_total(10_000);
        assert_eq!((meter.rate(), meter.seconds_left()), (0.0, None));
        meter.add_kept(2_000);
        for second in 0..=10 {
            meter.add_received(f64::from(second), if second == 0 { 0 } else { 100 });
        }
        assert_eq!(meter.rate(), 100.0);
        assert_eq!((meter.n_done(), meter.seconds_left()), (3_000, Some(70.0)));
        for second in 11..=20 {
            meter.add_received(f64::from(second), 300);
        }
        assert_eq!(meter.rate(), 300.0, "the slow start no longer counts");
    }

    #[test]
    fn more_than_everything_never_comes() {
        let mut meter = Meter::default();
        meter.set_total(10);
        meter.add_received(1.0, 12);
        assert_eq!((meter.n_done(), meter.n_total()), (12, 12));
        meter.drop_kept(100);
        assert_eq!(meter.n_done(), 0);
    }
}
