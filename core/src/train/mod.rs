//! Training: one optimizer step, evaluation, and what they need on the device.

pub mod evaluate;
pub mod fresh;
pub mod place;
pub mod pretrain;
pub mod pretrain_score;
pub mod schedule;
pub mod step;
pub mod write;
