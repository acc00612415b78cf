//! `dsee eval`: the figures of a finished run, on its own validation data or on another file.

use anyhow::{Context as _, bail};
use dsee_core::{
    data::{
        DataFile, EncodedDataset, TaskKind, causal::CausalDataset, generation::load_generation,
        load_labelled, plain::load_plain,
    },
    engine::{
        Corpus, Session,
        corpus::{encode, encode_texts},
    },
    gpu::Device,
};
use serde_json::{Map, Value, json};
use std::{fs, path::PathBuf};

use crate::{
    failure::Failure,
    run_inputs::{self, ColumnArgs},
    saved_run::{RunArgs, SavedRun},
};

/// Flags of `dsee eval`.
#[derive(Debug, clap::Args)]
pub struct EvalArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Labelled text to evaluate on [default: the validation data of the run].
    #[arg(long, alias = "validation_file", value_name = "FILE")]
    validation_file: Option<PathBuf>,
    #[command(flatten)]
    columns: ColumnArgs,
}

/// Evaluates and prints the figures.
pub fn run(args: &EvalArgs, json: bool) -> Result<(), Failure> {
    let saved = args.run.open()?;
    let data = match &args.validation_file {
        Some(path) => named_file(&saved, path, &args.columns)?,
        None => own_validation(&saved)?,
    };
    let n_examples = data.len();
    let session = score(&saved, data)?;
    let figures = session.metrics(&saved.labels()).entries();
    if json {
        let metrics: Map<String, Value> =
            figures.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        println!("{:#}", json!({ "n_examples": n_examples, "metrics": metrics }));
        return Ok(());
    }
    println!("{:<22} {n_examples}", "examples");
    figures.iter().for_each(|(name, value)| println!("{name:<22} {value:.4}"));
    Ok(())
}

/// Runs the model of `saved` over data.
///
/// # Errors
/// If there is no adapter, or the device fails.
pub fn score(saved: &SavedRun, data: Corpus) -> anyhow::Result<Session> {
    let device = pollster::block_on(Device::open())?;
    let n_sequences = saved.config.per_device_eval_batch_size;
    let mut session =
        pollster::block_on(Session::new(&device, &saved.base, &saved.state, data, n_sequences))?;
    while !pollster::block_on(session.advance())? {}
    Ok(session)
}

/// The validation data of a file, read as the run read its own.
fn named_file(saved: &SavedRun, path: &PathBuf, columns: &ColumnArgs) -> anyhow::Result<Corpus> {
    let bytes = fs::read(path).with_context(|| format!("cannot read the data file: {}", path.display()))?;
    let name = path.display().to_string();
    let file = DataFile { name: &name, bytes: &bytes };
    let (columns, mut warnings) = (columns.over(&saved.config), Vec::new());
    let corpus = match saved.config.task_type.kind() {
        Some(TaskKind::Generation) => {
            let examples = load_generation(file, &columns, &mut warnings)?;
            CausalDataset::from_examples(&examples, &saved.tokenizer, saved.config.max_length)?.into()
        }
        Some(TaskKind::LanguageModeling) => {
            let texts = load_plain(file, &columns)?;
            encode_texts(&texts, saved.base.head, &saved.tokenizer, &saved.config)?
        }
        _ => {
            let loaded = load_labelled(file, &columns, &saved.labels())?;
            eprintln!("{}", loaded.columns);
            warnings = loaded.warnings;
            EncodedDataset::new(&loaded.dataset, &saved.tokenizer, saved.config.max_length)?.into()
        }
    };
    warnings.iter().for_each(|warning| eprintln!("warning   {warning}"));
    Ok(corpus)
}

/// The validation data the run was judged by, read as it read them.
fn own_validation(saved: &SavedRun) -> anyhow::Result<Corpus> {
    let data = run_inputs::load_data(&saved.config, saved.base.config.id2label.clone())?;
    if data.labelled().is_some_and(|splits| splits.validation.labels != saved.labels()) {
        bail!("the training file's labels are not those of the run; name a file with --validation-file");
    }
    let [_, validation] = encode(&data, saved.base.head, &saved.tokenizer, &saved.config)?;
    Ok(validation)
}
