//! Training: schedules, metrics and the steps between them.

pub mod schedule;
