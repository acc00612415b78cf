//! The one place that picks a clock: the system's natively, the page's in a browser.

pub use web_time::Instant;

/// The present moment.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place that the ban points to")]
pub fn now() -> Instant {
    Instant::now()
}
