//! DSEE Studio natively: the window, and the command line with results on stdout and everything else on stderr.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong command line or settings, or no display for the window, 130 interrupted.

#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing panics where nobody reads: see console.rs"
)]

#[macro_use]
mod console;

mod args;
mod atomic;
mod commands;
mod data_file;
mod exports;
mod failure;
mod file_source;
mod gpu_args;
mod hub;
mod interrupt;
mod meteor_tables;
mod model_folder;
mod outcome;
mod phase_table;
mod progress;
mod recorder;
mod resume;
mod run_folder;
mod run_inputs;
mod run_lock;
mod saved_run;
mod settings_args;
mod study;
mod text_evaluation;
mod texts;
mod trainer_log;
mod training;
mod window;

use clap::Parser as _;
use std::{process::ExitCode, time::Instant};

use args::{Cli, Verb};
use commands::window::WindowArgs;
use failure::Failure;

fn main() -> ExitCode {
    let process_start = Instant::now();
    // OpenGL is looked for beside Vulkan; where it is missing, nothing is wrong.
    let filter = env_logger::Env::default().default_filter_or("error,wgpu_hal::gles=off");
    env_logger::Builder::from_env(filter).init();
    let cli = Cli::parse();
    let done = match &cli.verb {
        None => commands::window::run(&WindowArgs::default(), cli.json, process_start),
        Some(verb) => carry_out(verb, cli.json, process_start),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn carry_out(verb: &Verb, json: bool, process_start: Instant) -> Result<(), Failure> {
    match verb {
        Verb::Window(args) => commands::window::run(args, json, process_start),
        Verb::Train(args) => commands::train::run(args, json),
        Verb::Eval(args) => commands::eval::run(args, json),
        Verb::Predict(args) => commands::predict::run(args, json),
        Verb::Generate(args) => commands::generate::run(args, json),
        Verb::Score(args) => commands::score::run(args, json),
        Verb::Prune(args) => commands::prune::run(args, json),
        Verb::Compare(args) => commands::compare::run(args, json),
        Verb::Reproduce(args) => commands::reproduce::run(args, json),
        Verb::Export(args) => commands::export::run(args, json),
        Verb::Bench(args) => commands::bench::run(args, json),
        Verb::Env(args) => commands::env::run(args, json),
        Verb::Inspect(args) => commands::inspect::run(args, json),
    }
}
