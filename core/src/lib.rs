//! The engine of DSEE Studio: models, tuning methods, kernels and training.
//!
//! It runs anywhere: no window, no DOM, no file system, no thread of its own. Bytes in, bytes out.

pub mod checkpoint;
pub mod data;
pub mod gpu;
pub mod metrics;
pub mod random;
pub mod tokenizer;
pub mod tuning;
