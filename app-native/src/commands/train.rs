//! `dsee train`: tune, and if asked prune and retune.

use dsee_core::{
    config::{FieldError, quoted},
    data::TaskKind,
    engine::facts_of,
};

use super::score::as_table;
use crate::{
    failure::Failure, gpu_args::GpuArgs, meteor_tables::MeteorArgs, outcome::FinishedRun,
    resume::ResumePoint, run_inputs, settings_args::SettingsArgs, text_evaluation, texts::check_contexts,
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
    /// At the end, write a text for every validation context and score it, as `dsee eval` does; for tasks of texts.
    #[arg(long, alias = "predict_with_generate")]
    predict_with_generate: bool,
    #[command(flatten)]
    meteor: MeteorArgs,
    #[command(flatten)]
    gpu: GpuArgs,
}

/// Runs it. Whatever interrupts it, the command that goes on asks for the same at the end.
pub fn run(args: &TrainArgs, json: bool) -> Result<(), Failure> {
    let mut flags = String::new();
    if args.predict_with_generate {
        flags += " --predict-with-generate";
        flags += &args.meteor.as_flag();
    }
    if json {
        flags += " --json";
    }
    train(args, json).map_err(|failure| failure.going_on_with(&flags))
}

fn train(args: &TrainArgs, json: bool) -> Result<(), Failure> {
    if let Some(from) = &args.resume_from_checkpoint {
        let point = ResumePoint::find(from, &args.settings)?;
        if args.predict_with_generate {
            check_contexts(&point.config, &run_inputs::read(&point.config)?)?;
        }
        return finish(args, &training::go_on(point, Vec::new(), args.gpu)?, json);
    }
    let config = args.settings.resolve()?;
    if args.predict_with_generate && config.task_type.kind() != Some(TaskKind::Generation) {
        let reason = "this run writes no text";
        let advice = "leave it out, or name a task of texts such as e2e";
        let error = FieldError::new("--predict-with-generate", true, reason, advice);
        return Err(Failure::Settings(vec![error]));
    }
    if args.print_config {
        let settings = if json { serde_json::to_string_pretty(&config)? } else { config.to_toml() };
        tell!("{}", settings.trim_end());
        return Ok(());
    }
    let inputs = run_inputs::read(&config)?;
    let config = args.settings.resolve_for(&facts_of(&inputs.model.config))?;
    if args.predict_with_generate {
        check_contexts(&config, &inputs)?;
    }
    finish(args, &training::begin(config, inputs, None, args.gpu)?, json)
}

/// Prints what the run came to. Texts are a second document: their figures lie in the run folder, too.
fn finish(args: &TrainArgs, run: &FinishedRun, json: bool) -> Result<(), Failure> {
    run.print(json);
    if args.predict_with_generate {
        let folder = quoted(&run.folder().display().to_string());
        let again = format!("dsee eval --run {folder}{}", args.meteor.as_flag());
        let texts = text_evaluation::of_run(run.folder(), &args.meteor, &again)?;
        if !json {
            tell!("\n{}", as_table(&texts.scored).trim_end());
        }
    }
    Ok(())
}
