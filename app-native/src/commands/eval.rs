//! `dsee eval`: the figures of a finished run, on its own validation data or on another file.

use anyhow::{Context as _, bail};
use dsee_core::{
    data::{DataFile, Dataset, EncodedDataset, load_labelled},
    engine::Session,
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
    let dataset = match &args.validation_file {
        Some(path) => labelled(&saved, path, &args.columns)?,
        None => own_validation(&saved)?,
    };
    let n_examples = dataset.examples.len();
    let session = score(&saved, &dataset)?;
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

/// Runs the model of `saved` over a data set.
///
/// # Errors
/// If a text cannot be encoded, there is no adapter, or the device fails.
pub fn score(saved: &SavedRun, dataset: &Dataset) -> anyhow::Result<Session> {
    let encoded = EncodedDataset::new(dataset, &saved.tokenizer, saved.config.max_length)?;
    let device = pollster::block_on(Device::open())?;
    let n_sequences = saved.config.per_device_eval_batch_size;
    let mut session =
        pollster::block_on(Session::new(&device, &saved.base, &saved.state, encoded, n_sequences))?;
    while !pollster::block_on(session.advance())? {}
    Ok(session)
}

fn labelled(saved: &SavedRun, path: &PathBuf, columns: &ColumnArgs) -> anyhow::Result<Dataset> {
    let bytes = fs::read(path).with_context(|| format!("cannot read the data file: {}", path.display()))?;
    let name = path.display().to_string();
    let file = DataFile { name: &name, bytes: &bytes };
    let loaded = load_labelled(file, &columns.over(&saved.config), &saved.labels())?;
    eprintln!("{}", loaded.columns);
    loaded.warnings.iter().for_each(|warning| eprintln!("warning   {warning}"));
    Ok(loaded.dataset)
}

/// The validation data the run was judged by, read as it read them.
fn own_validation(saved: &SavedRun) -> anyhow::Result<Dataset> {
    let data = run_inputs::load_data(&saved.config, saved.base.config.id2label.clone())?;
    if data.validation.labels != saved.labels() {
        bail!("the training file's labels are not those of the run; name a file with --validation-file");
    }
    Ok(data.validation)
}
