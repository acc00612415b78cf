//! The engine of DSEE Studio: models, tuning methods, kernels and training.
//!
//! It runs anywhere: no window, no DOM, no file system, no thread of its own. Bytes in, bytes out.

pub mod builtin;
pub mod checkpoint;
pub mod random;
pub mod report;
pub mod tuning;
