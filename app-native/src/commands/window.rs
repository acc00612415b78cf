//! `dsee window`, and `dsee` alone: the window.

use std::path::PathBuf;

use crate::{failure::Failure, window};

/// Flags of `dsee window`.
#[derive(Debug, Default, clap::Args)]
pub struct WindowArgs {
    /// Show this run, made by the window or by `dsee train`.
    #[arg(value_name = "RUN_FOLDER")]
    run: Option<PathBuf>,
    /// Save a picture of the window when the engine is ready, and close it: for bug reports.
    #[arg(long, value_name = "FILE.PNG")]
    screenshot: Option<PathBuf>,
}

/// Opens it, and waits until it is closed.
pub fn run(args: &WindowArgs) -> Result<(), Failure> {
    window::open(args.run.as_deref(), args.screenshot.as_deref())
}
