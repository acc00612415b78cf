//! The engine of DSEE Studio: models, tuning methods, kernels and training.
//!
//! It runs anywhere: no window, no DOM, no file system, no thread of its own. Bytes in, bytes out.

pub mod accounting;
pub mod bench;
pub mod builtin;
pub mod checkpoint;
pub mod clock;
pub mod config;
pub mod data;
pub mod engine;
pub mod export;
pub mod generate;
pub mod gpu;
pub mod hub;
pub mod lessons;
pub mod metrics;
pub mod models;
pub mod nn;
pub mod omega;
pub mod ops;
pub mod protocol;
pub mod random;
pub mod report;
pub mod source;
pub mod study;
pub mod tape;
pub mod tasks;
pub mod tokenizer;
pub mod train;
pub mod tuning;
