//! Set-up, tests, demo and maintenance of the repository: `cargo xtask <command>`.

mod demo;
mod pretrain;
mod setup;
mod shell;
mod test;
mod web;

use clap::{Parser, Subcommand};
use std::{ffi::OsString, process::ExitCode};

/// Set-up, tests, demo and maintenance of the repository.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install what is missing, then tune, prune and retune a model and show what each phase cost and kept.
    Demo(demo::DemoArgs),
    /// Run all checks and tests.
    Test,
    /// Format and lints only, natively and for the web.
    Check,
    /// Install what is missing: a Vulkan driver on Linux, the web target of Rust, a browser and Node.js for its tests.
    Setup,
    /// Build the page: a static site in `www/dist`.
    Web {
        /// `--dev` builds quicker, and larger.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        flags: Vec<OsString>,
    },
    /// Build the page and serve it on this machine.
    Serve {
        /// `--port N`, `--under PATH`, `--dev`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        flags: Vec<OsString>,
    },
    /// Measure the adapter and the kernels (`dsee bench`).
    Bench {
        /// Flags of `dsee bench`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        flags: Vec<OsString>,
    },
    /// Make the embedded encoder again, with its model card; takes about a quarter of an hour.
    Pretrain {
        /// Flags of the pretraining program; `--text FILE…` is needed.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        flags: Vec<OsString>,
    },
    /// Make the golden files of the parity tests again; needs Python with the packages that tests/golden/README.md names.
    Golden,
}

/// The scripts that need nothing but Python's packages, the models first.
const GOLDEN_SCRIPTS: [&str; 5] = [
    "make_golden",
    "make_golden_families",
    "make_golden_methods",
    "make_golden_adapters",
    "make_golden_prefixes",
];

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Demo(args) => demo::demo(&args),
        Task::Test => test::test(),
        Task::Check => test::check(),
        Task::Setup => setup::adapter()
            .and_then(|()| setup::web_target())
            .and_then(|()| setup::browser())
            .and_then(|()| setup::display())
            .and_then(|()| setup::parallel()),
        Task::Web { flags } => web::web(&flags),
        Task::Serve { flags } => web::serve(&flags),
        Task::Bench { flags } => setup::adapter().and_then(|()| demo::dsee("bench", &flags)),
        Task::Pretrain { flags } => pretrain::pretrain(&flags),
        Task::Golden => GOLDEN_SCRIPTS.iter().try_for_each(|script| {
            let script = format!("tests/golden/{script}.py");
            shell::run(&mut shell::command("python3", &[&script, "--out", "tests/golden"]))
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
