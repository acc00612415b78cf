//! The engine as a service: commands in, events out, one bounded piece of work at a time.

mod host;

pub use host::{Host, Reply, Request};
