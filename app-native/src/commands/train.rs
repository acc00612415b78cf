//! `dsee train`: tune, and if asked prune and retune.

use crate::{
    failure::Failure, gpu_args::GpuArgs, resume::ResumePoint, run_inputs, settings_args::SettingsArgs,
    training,
};

/// Flags of `dsee train`.
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Print all settings as they would be used, as a run.toml, and stop.
    #[arg(long)]
    print_config: bool,
    /// Go on with an interrupted run: a checkpoint folder, a run folder, or `latest` with --output-dir.
    #[arg(long, alias = "resume_from_checkpoint", value_name = "latest|FOLDER")]
    resume_from_checkpoint: Option<String>,
    #[command(flatten)]
    gpu: GpuArgs,
}

/// Runs it.
pub fn run(args: &TrainArgs, json: bool) -> Result<(), Failure> {
    if let Some(from) = &args.resume_from_checkpoint {
        training::go_on(ResumePoint::find(from, &args.settings)?, args.gpu)?.print(json);
        return Ok(());
    }
    let config = args.settings.resolve()?;
    if args.print_config {
        let settings = if json { serde_json::to_string_pretty(&config)? } else { config.to_toml() };
        println!("{}", settings.trim_end());
        return Ok(());
    }
    let inputs = run_inputs::read(&config)?;
    training::begin(config, inputs, None, args.gpu)?.print(json);
    Ok(())
}
