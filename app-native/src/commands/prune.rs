//! `dsee prune`: stages 2 and 3 on a run that was only tuned, as a run of its own.

use dsee_core::{
    config::{FieldError, Pruning, RunConfig},
    engine::{RunCheckpoint, corpus::labels_of},
};
use std::path::PathBuf;

use crate::{
    failure::Failure,
    gpu_args::GpuArgs,
    run_folder::{RunFolder, SETTINGS_FILE},
    run_inputs,
    saved_run::SavedRun,
    settings_args::{SettingsArgs, as_flags, given, read_draft, refuse_idle},
    training,
};

/// What tuning has already decided.
const TUNED: [&str; 10] = [
    "method",
    "rank",
    "alpha",
    "nnz",
    "omega",
    "target_modules",
    "bottleneck_size",
    "prefix_length",
    "prefix_hidden_size",
    "num_train_epochs",
];

/// Flags of `dsee prune`.
#[derive(Debug, clap::Args)]
pub struct PruneArgs {
    /// The folder of the tuned run. Its settings hold unless flags say otherwise.
    #[arg(long, value_name = "FOLDER")]
    run: PathBuf,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    gpu: GpuArgs,
}

/// Prunes the tuned state in a new run folder, retunes it, and evaluates it.
pub fn run(args: &PruneArgs, json: bool) -> Result<(), Failure> {
    let config = settings(args)?;
    let model = config.model.as_ref().map(PathBuf::from);
    let saved = SavedRun::open(&args.run, model.as_deref())?;
    let pruned = &saved.state.pruned;
    if !pruned.masks.is_empty() || pruned.heads != saved.base.removed_heads {
        return Err(anyhow::anyhow!(
            "this run is pruned already; start from one that was tuned with --prune none: {}",
            args.run.display()
        )
        .into());
    }
    let inputs = run_inputs::read(&config)?;
    let labels = saved.labels();
    let found = labels_of(&inputs.data);
    if found != labels {
        return Err(anyhow::anyhow!(
            "the training file has the labels {:?}, the run was tuned with {:?}; name its file with --train-file",
            found.names(),
            labels.names()
        )
        .into());
    }
    training::begin(config, inputs, Some(RunCheckpoint::tuned(saved.state)), args.gpu)?.print(json);
    Ok(())
}

/// The settings of the tuned run with those of the command line over them.
fn settings(args: &PruneArgs) -> Result<RunConfig, Failure> {
    let flags = &args.settings.flags;
    let mut errors = given(flags, |field| TUNED.contains(&field.name), "the run is tuned already");
    let file = read_draft(&RunFolder::open(&args.run)?.path().join(SETTINGS_FILE))?;
    let file = match &args.settings.config {
        Some(path) => file.overridden_by(&read_draft(path)?),
        None => file,
    };
    let mut config = match file.overridden_by(flags).check() {
        Ok(config) => config,
        Err(wrong) => {
            errors.extend(wrong);
            return Err(Failure::Settings(as_flags(errors)));
        }
    };
    if config.prune == Pruning::None {
        let advice = "use unstructured:0.2 or heads:3, for example";
        errors.push(FieldError::new("prune", config.prune, "there is nothing to remove", advice));
    }
    if !errors.is_empty() {
        return Err(Failure::Settings(as_flags(errors)));
    }
    refuse_idle([&config], flags)?;
    // The tuned run keeps its folder and its name.
    (config.output_dir, config.run_name) = (flags.text("output_dir"), flags.text("run_name"));
    Ok(config)
}
