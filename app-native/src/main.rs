//! DSEE Studio on the command line: results on stdout, everything else on stderr.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong command line or settings, 130 interrupted.

mod args;
mod atomic;
mod commands;
mod exports;
mod failure;
mod file_source;
mod hub;
mod interrupt;
mod model_folder;
mod outcome;
mod phase_table;
mod progress;
mod recorder;
mod resume;
mod run_folder;
mod run_inputs;
mod saved_run;
mod settings_args;
mod trainer_log;
mod training;

use clap::Parser as _;
use std::process::ExitCode;

use args::{Cli, Verb};

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("error")).init();
    let cli = Cli::parse();
    let done = match &cli.verb {
        Verb::Train(args) => commands::train::run(args, cli.json),
        Verb::Eval(args) => commands::eval::run(args, cli.json),
        Verb::Predict(args) => commands::predict::run(args, cli.json),
        Verb::Prune(args) => commands::prune::run(args, cli.json),
        Verb::Export(args) => commands::export::run(args, cli.json),
        Verb::Bench(args) => commands::bench::run(args, cli.json),
        Verb::Env(args) => commands::env::run(args, cli.json),
        Verb::Inspect(args) => commands::inspect::run(args, cli.json),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
