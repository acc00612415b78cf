//! The flags that all studies share.

use dsee_core::{config::quoted, study::shard::Shard};
use std::path::PathBuf;

use crate::{gpu_args::GpuArgs, meteor_tables::MeteorArgs, settings_args::SettingsArgs};

/// Flags of verbs that do many runs.
#[derive(Debug, clap::Args)]
pub struct StudyArgs {
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Seeds, with commas; every one runs the whole table.
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    pub seeds: Option<Vec<u64>>,
    /// Few steps and one seed where nothing else is set: to see that it works, not to judge by.
    #[arg(long)]
    pub quick: bool,
    /// Optimizer steps that every run makes in all, shared evenly by its phases: rows that prune do not learn longer
    /// than rows that do not (--max-steps is per phase).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub total_steps: Option<u32>,
    /// Do the I-th of N parts of the runs only.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Run nothing: join the runs in the folders of several shards into one table.
    #[arg(long, value_name = "FOLDER", num_args = 1..)]
    pub merge: Vec<PathBuf>,
    /// Keep checkpoints and merged weights of finished runs.
    #[arg(long)]
    pub keep_models: bool,
    #[command(flatten)]
    pub meteor: MeteorArgs,
    #[command(flatten)]
    pub gpu: GpuArgs,
}

/// The present command again.
pub fn this_command() -> String {
    command(std::env::args().skip(1).collect())
}

/// The same, going on in `root`.
pub fn again(root: &std::path::Path) -> String {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let has_folder = |word: &String| {
        ["--output-dir", "--output_dir"].iter().any(|flag| word.split('=').next() == Some(flag))
    };
    if !words.iter().any(has_folder) {
        words.extend(["--output-dir".to_owned(), root.display().to_string()]);
    }
    command(words)
}

fn command(words: Vec<String>) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("dsee {}", words.join(" "))
}
