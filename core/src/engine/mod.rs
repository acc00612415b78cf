//! Runs and tuned models: what the apps drive.
//!
//! [`Run`] is a run, one bounded piece of work at a time: the caller decides when to go on, pause, save or stop.
//! [`Session`] is a tuned model at rest, [`Writer`] one that writes text. The command line drives both directly; windows and pages send commands to
//! [`service::serve`], which drives them the same way.

pub mod base_model;
pub mod checkpoint;
pub mod corpus;
pub mod error;
pub mod origin;
mod phase_plan;
mod phase_row;
mod placed;
pub mod run;
mod scorer;
pub mod service;
pub mod session;
mod state_file;
mod text_form;
mod tuning_phase;
pub mod writer;

pub use base_model::{BaseModel, facts_of, outline_of, shape_of};
pub use checkpoint::{RunCheckpoint, Stage};
pub use corpus::Corpus;
pub use error::EngineError;
pub use origin::{ExportParts, Origin};
pub use run::Run;
pub use session::Session;
pub use text_form::TextForm;
pub use writer::Writer;
