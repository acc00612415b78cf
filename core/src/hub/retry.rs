//! Whether a failed request is worth another try, and when.

use std::time::Duration;

use super::error::HubError;

/// Most tries in a row that bring nothing.
const MOST_TRIES: u32 = 5;
/// Longest wait that a host may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Counts tries. Waits double: 0.5, 1, 2, 4 seconds.
#[derive(Clone, Debug)]
pub struct Retry {
    first_wait: Duration,
    n_failed: u32,
}

impl Retry {
    /// The usual waits.
    #[must_use]
    pub fn new() -> Self {
        Self::waiting(Duration::from_millis(500))
    }

    /// Waits that begin at `first_wait`.
    #[must_use]
    pub fn waiting(first_wait: Duration) -> Self {
        Self { first_wait, n_failed: 0 }
    }

    /// How long to wait before the next try; `None` if there is no use in one.
    pub fn after(&mut self, error: &HubError) -> Option<Duration> {
        self.n_failed += 1;
        if !error.is_temporary() || self.n_failed >= MOST_TRIES {
            return None;
        }
        let doubled = self.first_wait * (1 << (self.n_failed - 1));
        let asked = error.retry_after().map_or(Duration::ZERO, Duration::from_secs);
        Some(doubled.max(asked.min(LONGEST_WAIT)))
    }

    /// Bytes have come: what failed before no longer counts. A connection that breaks now and then may take as many
    /// tries as it needs, as long as each of them brings something.
    pub fn progressed(&mut self) {
        self.n_failed = 0;
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(retry_after: Option<u64>) -> HubError {
        HubError::Busy { host: "hub.example.org".to_owned(), status: 503, retry_after }
    }

    #[test]
    fn waits_double_and_end() {
        let mut retry = Retry::new();
        let waits: Vec<Option<u128>> =
            (0..5).map(|_| retry.after(&busy(None)).map(|wait| wait.as_millis())).collect();
        assert_eq!(waits, [Some(500), Some(1000), Some(2000), Some(4000), None]);
        retry.progressed();
        assert!(retry.after(&busy(None)).is_some());
    }

    #[test]
    fn the_host_may_ask_for_a_longer_wait_within_reason() {
        assert_eq!(Retry::new().after(&busy(Some(7))), Some(Duration::from_secs(7)));
        assert_eq!(Retry::new().after(&busy(Some(1_000_000))), Some(LONGEST_WAIT));
    }

    #[test]
    fn what_will_not_change_is_not_tried_again() {
        let missing = HubError::MissingFile { id: "a/b".to_owned(), file: "config.json".to_owned() };
        assert_eq!(Retry::new().after(&missing), None);
    }
}
