//! What a finished run leaves: verified exports, the report, and the table or JSON on stdout.

use anyhow::Context as _;
use dsee_core::{
    checkpoint::{NamedTensors, hash::sha256_hex},
    config::RunConfig,
    engine::{BaseModel, Run},
    export::{ExportInput, PhaseFacts, RunFacts},
    models::files::PretrainedModel,
    protocol::{PhaseRow, RunSummary},
    report::RunReport,
    train::place::HostState,
};
use serde_json::json;
use std::{fs, path::Path};

use crate::{
    exports::{self, Format, Written},
    failure::Failure,
    hub, phase_table,
    recorder::RunRecorder,
};

/// Where a run came from, as its exports tell it.
pub struct Origin {
    tokenizer_files: Vec<(String, Vec<u8>)>,
    facts: RunFacts,
    /// The hub's name for the base model, if it came from there.
    base_id: Option<String>,
}

impl Origin {
    /// Takes note of settings, model and data.
    ///
    /// # Errors
    /// If the training file cannot be read again.
    pub fn new(config: &RunConfig, model: &PretrainedModel) -> anyhow::Result<Self> {
        // The report's choice: everything but paths, which tell of this machine and not of the run.
        let settings = RunReport::begin(config).settings.into_iter();
        let mut facts = RunFacts {
            base_sha256: Some(model.weights_sha256.clone()),
            settings: settings.map(|setting| (setting.name, setting.value.into())).collect(),
            ..RunFacts::default()
        };
        if let Some(path) = &config.train_file {
            let bytes = fs::read(path).with_context(|| format!("cannot read the data file: {path}"))?;
            facts.dataset_sha256 = Some(sha256_hex(&bytes));
            facts.dataset = Path::new(path).file_stem().map(|name| name.to_string_lossy().into_owned());
        }
        let base_id = config.model.as_deref().and_then(hub::id_of).map(|id| id.to_string());
        Ok(Self { tokenizer_files: model.tokenizer_files.clone(), facts, base_id })
    }

    /// The same with the run's results.
    fn with_results(&self, summary: &RunSummary) -> RunFacts {
        let metric = summary.phases.iter().map(|row| &row.metric_name).find(|name| !name.is_empty());
        let sparsity = summary.phases.last().map(|row| {
            let share = 100.0 * row.non_zero_weights as f64 / row.total_weights.max(1) as f64;
            let text = format!("{} of {} ({share:.1} %)", row.non_zero_weights, row.total_weights);
            ("non-zero weights".to_owned(), text)
        });
        RunFacts {
            metric: metric.cloned().unwrap_or_default(),
            phases: summary.phases.iter().map(phase_facts).collect(),
            sparsity: sparsity.into_iter().collect(),
            ..self.facts.clone()
        }
    }
}

fn phase_facts(row: &PhaseRow) -> PhaseFacts {
    PhaseFacts {
        phase: row.phase.to_string(),
        metric: row.metric,
        n_trainable: row.trainable_parameters as u64,
        n_nonzero: row.non_zero_weights as u64,
        flops: row.flops_linear,
        seconds: row.seconds,
    }
}

/// Writes and verifies the exports, completes the record, and prints the result on stdout.
///
/// # Errors
/// If something cannot be written or reads back differently.
pub fn write(run: &Run, recorder: &mut RunRecorder, origin: &Origin, json: bool) -> Result<(), Failure> {
    let summary = recorder.summary().cloned().context("the run told no summary")?;
    let (base, state, labels) = run.outcome();
    let weights =
        pollster::block_on(base.parameters.read_where(|_| true)).context("cannot read the base model")?;
    let trained = trained_and_fresh(base, &weights, state);
    let facts = origin.with_results(&summary);
    let input = ExportInput {
        config: &base.config,
        base: &weights,
        sites: &state.deltas,
        pruned: &state.pruned,
        trained: &trained,
        labels: labels.names(),
        base_id: origin.base_id.as_deref(),
        tokenizer_files: &origin.tokenizer_files,
        facts: &facts,
    };
    let first = if run.has_update() { Format::Adapter } else { Format::Dsee };
    let mut written = Vec::new();
    for format in [first, Format::Merged] {
        let path = recorder.folder().path().join(format.name());
        written.push((format, exports::write(&path, format, &input)?));
    }
    let readable = if run.has_update() { Format::Adapter } else { Format::Merged };
    recorder.set_how_to_load(&readable.how_to_load(input.n_labels()));
    recorder.write_record()?;
    print(recorder.folder().path(), &summary, &written, json);
    Ok(())
}

/// Everything that differs from the base model's file: what was trained, and what started at random and stayed so.
fn trained_and_fresh(base: &BaseModel, weights: &NamedTensors, state: &HostState) -> NamedTensors {
    let mut trained = state.trained.clone();
    for name in &base.fresh {
        trained.entry(name.clone()).or_insert_with(|| weights[name].clone());
    }
    trained
}

fn print(folder: &Path, summary: &RunSummary, written: &[(Format, Written)], json: bool) {
    let path = |format: &Format| folder.join(format.name());
    if json {
        let exports = written.iter().map(|(format, written)| {
            json!({
                "format": format.name(), "path": path(format), "verified_tensors": written.verified.tensors,
                "max_difference": written.verified.max_difference,
            })
        });
        let exports: Vec<_> = exports.collect();
        let result = json!({ "run_folder": folder, "summary": summary, "exports": exports });
        println!("{result:#}");
        return;
    }
    println!("{}", phase_table::render(&summary.phases));
    for (format, written) in written {
        let (name, tensors) = (format.name(), written.verified.tensors);
        println!("{name:<9} verified, {tensors} tensors read back: {}", path(format).display());
    }
    println!("{:<9} {}", "report", folder.join("report.html").display());
}
