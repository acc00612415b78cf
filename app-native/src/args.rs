//! The command line: verbs and their flags.

use clap::{Parser, Subcommand};

use crate::commands;

/// Fine-tunes pretrained encoders with low-rank plus sparse updates, prunes them by what the updates say, and
/// tunes them again, on any GPU or none.
#[derive(Debug, Parser)]
#[command(name = "dsee", version, max_term_width = 110)]
pub struct Cli {
    /// What to do; without a verb, the window opens.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// Print the result as JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

/// Everything the program does.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Open the window; the same as no verb at all.
    Window(commands::window::WindowArgs),
    /// Tune a model, and if asked prune and retune it.
    Train(Box<commands::train::TrainArgs>),
    /// Measure a finished run on labelled text.
    Eval(commands::eval::EvalArgs),
    /// Label texts with a finished run.
    Predict(commands::predict::PredictArgs),
    /// Write text with a decoder: greedy, sampled, or by beam search.
    #[command(mut_args(commands::generate::hide_what_trains))]
    Generate(Box<commands::generate::GenerateArgs>),
    /// Score generated text against references, or any two files: BLEU, NIST, METEOR, TER, ROUGE-L, CIDEr, chrF.
    Score(commands::score::ScoreArgs),
    /// Prune a tuned run, and retune it.
    Prune(Box<commands::prune::PruneArgs>),
    /// Tune by several methods and compare them in one table.
    Compare(Box<commands::compare::CompareArgs>),
    /// Run a table of the paper on a model and data of yours, and judge its claims.
    Reproduce(Box<commands::reproduce::ReproduceArgs>),
    /// Write a run's result in a form that other tools load, and check it by reading it back.
    Export(commands::export::ExportArgs),
    /// Measure the adapter, the kernels and whole training steps.
    Bench(commands::bench::BenchArgs),
    /// Show the adapter, its limits and the versions.
    Env(commands::env::EnvArgs),
    /// List the tensors of a file or folder: types, shapes, zeros.
    Inspect(commands::inspect::InspectArgs),
}
