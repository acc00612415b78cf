//! `dsee train`: tune, and if asked prune and retune.

use crate::{failure::Failure, settings_args::SettingsArgs};

/// Flags of `dsee train`.
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Print all settings as they would be used, as a run.toml, and stop.
    #[arg(long)]
    print_config: bool,
}

/// Runs it.
pub fn run(args: &TrainArgs, json: bool) -> Result<(), Failure> {
    let config = args.settings.resolve()?;
    if args.print_config {
        let settings = if json { serde_json::to_string_pretty(&config)? } else { config.to_toml() };
        println!("{}", settings.trim_end());
        return Ok(());
    }
    // Until the engine's run is connected: a run that trained nothing must never look like one that did.
    Err(anyhow::anyhow!("this build cannot train yet; --print-config shows the checked settings").into())
}
