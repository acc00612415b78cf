//! What apps and engine say to each other: plain data that travels through channels and messages alike.
//!
//! An app sends [`Command`]s and gets [`Event`]s; bytes (files, weights, pictures of matrices) travel beside them as
//! attachments, never inside. The command line drives runs directly and sees [`RunEvent`]s only.

mod cards;
mod command;
mod event;
mod run_event;
mod views;

pub use cards::{DataCard, DataForm, HeadOrigin, LengthBin, MemoryEstimate, ModelCard, PreviewRow, SiteCard};
pub use command::{Command, ExportFormat, RunId, Settings, TextInput};
pub use event::{Event, FailureKind, FailureReport, Problem};
pub use run_event::*;
pub use views::{
    ClassScores, Exported, ExportedFile, MatrixView, Mistake, Predicted, Prediction, Quality, Variant,
    Written, WrittenText,
};
