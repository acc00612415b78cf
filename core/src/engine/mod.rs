//! A run, one bounded piece of work at a time: the caller decides when to go on, pause, save or stop.

pub mod base_model;
pub mod checkpoint;
pub mod error;
mod phase_row;
mod placed;
pub mod run;
mod scorer;
pub mod service;
pub mod session;
mod tuning_phase;

pub use base_model::BaseModel;
pub use checkpoint::{RunCheckpoint, Stage};
pub use error::EngineError;
pub use run::Run;
pub use session::Session;
