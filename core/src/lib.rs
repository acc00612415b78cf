//! The engine of DSEE Studio: models, tuning methods, kernels and training.
//!
//! It runs anywhere: no window, no DOM, no file system, no thread of its own. Bytes in, bytes out.

pub mod checkpoint;
pub mod config;
pub mod gpu;
pub mod protocol;
pub mod random;
pub mod train;
pub mod tuning;
