//! `dsee window`, and `dsee` alone: the window.

use std::{path::PathBuf, time::Instant};

use crate::{
    failure::Failure,
    window::{self, Errands, Measure},
};

/// Flags of `dsee window`.
#[derive(Debug, Default, clap::Args)]
pub struct WindowArgs {
    /// Show this run, made by the window or by `dsee train`.
    #[arg(value_name = "RUN_FOLDER")]
    run: Option<PathBuf>,
    /// Save a picture of the window when the engine is ready, and close it: for bug reports.
    #[arg(long, value_name = "FILE.PNG")]
    screenshot: Option<PathBuf>,
    /// Start a run, print how long drawing takes meanwhile, throw the run away and close: for bug reports.
    #[arg(long, conflicts_with = "screenshot")]
    frames: bool,
}

/// Opens it, and waits until it is closed. The process began at `process_start`.
pub fn run(args: &WindowArgs, json: bool, process_start: Instant) -> Result<(), Failure> {
    let measure = args.frames.then(|| Measure::new(process_start, json));
    window::open(args.run.as_deref(), Errands { picture: args.screenshot.clone(), measure })
}
