//! The engine of DSEE Studio: models, tuning methods, kernels and training.
//!
//! It runs anywhere: no window, no DOM, no file system, no thread of its own. Bytes in, bytes out.

pub mod accounting;
pub mod builtin;
pub mod checkpoint;
pub mod data;
pub mod export;
pub mod gpu;
pub mod ops;
pub mod models;
pub mod nn;
pub mod omega;
pub mod random;
pub mod tape;
pub mod metrics;
pub mod tokenizer;
pub mod config;
pub mod protocol;
pub mod train;
pub mod report;
pub mod tuning;
