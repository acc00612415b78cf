//! Builds the page into `www/dist`, and serves it on this machine: the work behind `cargo xtask web` and `serve`.
#![allow(
    clippy::disallowed_methods,
    reason = "what is built is built anew the next time: half a file does no harm"
)]

mod build;
mod pack;
mod server;
mod size;

use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// Builds and serves the page.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build the static site, `www/dist`.
    Web(build::BuildArgs),
    /// Build the static site and serve it on this machine.
    Serve {
        /// How to build.
        #[command(flatten)]
        build: build::BuildArgs,
        /// Port to listen on; 0 takes a free one.
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Path of the site, to see that it works below any.
        #[arg(long, default_value = "/", value_name = "PATH")]
        under: String,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Web(args) => build::build(&args).map(drop),
        Task::Serve { build, port, under } => {
            build::build(&build).and_then(|site| server::serve(&site, port, &under))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's root.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(PathBuf::from).unwrap_or(here)
}
