//! What a finished run leaves: verified exports, the report, and the table or JSON on stdout.

use anyhow::Context as _;
use dsee_core::{
    config::RunConfig,
    engine::{ExportParts, Origin, Run},
    export::format::ExportFormat,
    models::files::PretrainedModel,
    protocol::RunSummary,
};
use serde_json::json;
use std::path::{Path, PathBuf};

use crate::{
    exports::{self, Written},
    failure::Failure,
    hub, phase_table,
    recorder::RunRecorder,
    run_inputs,
};

/// Takes note of settings, model and data for the exports.
///
/// # Errors
/// If the training file cannot be read again.
pub fn origin(config: &RunConfig, model: &PretrainedModel) -> anyhow::Result<Origin> {
    let base_id = config.model.as_deref().and_then(hub::id_of).map(|id| id.to_string());
    if config.train_file.is_none() && config.hub_dataset().is_none() {
        return Ok(Origin::new(config, model, None).on_hub(base_id));
    }
    let (path, bytes) = run_inputs::data_files(config)?.train;
    let name = Path::new(&path).file_stem().unwrap_or_default().to_string_lossy();
    Ok(Origin::new(config, model, Some((&name, &bytes))).on_hub(base_id))
}

/// A finished run, as it is told to the user.
pub struct FinishedRun {
    folder: PathBuf,
    summary: RunSummary,
    written: Vec<(ExportFormat, Written)>,
}

/// Writes and verifies the exports, and completes the record.
///
/// # Errors
/// If something cannot be written or reads back differently.
pub fn write(run: &Run, recorder: &mut RunRecorder, origin: &Origin) -> Result<FinishedRun, Failure> {
    let summary = recorder.summary().cloned().context("the run told no summary")?;
    let parts = pollster::block_on(ExportParts::gather(run.outcome(), run.rows(), origin, &mut async || ()));
    let parts = parts.context("cannot read the base model")?;
    let input = parts.input();
    // A run is kept whatever its method made: where no other form can hold it, our own state does.
    let can_be = |format: &ExportFormat| format.check(&input).is_ok();
    let first = if can_be(&ExportFormat::Adapter) { ExportFormat::Adapter } else { ExportFormat::Dsee };
    let mut written = Vec::new();
    for format in [first].into_iter().chain(Some(ExportFormat::Merged).filter(can_be)) {
        let path = recorder.folder().path().join(format.name());
        written.push((format, exports::write(&path, format, &input)?));
    }
    let readable = written.iter().map(|(format, _)| *format).find(|format| *format != ExportFormat::Dsee);
    let readable = readable.unwrap_or(ExportFormat::Dsee);
    recorder.set_how_to_load(&readable.how_to_load(&input, readable.name()));
    recorder.write_record()?;
    Ok(FinishedRun { folder: recorder.folder().path().to_path_buf(), summary, written })
}

impl FinishedRun {
    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Prints the result on stdout.
    pub fn print(&self, json: bool) {
        let Self { folder, summary, written } = self;
        let path = |format: &ExportFormat| folder.join(format.name());
        if json {
            let exports = written.iter().map(|(format, written)| {
                json!({
                    "format": format.name(), "path": path(format), "verified_tensors": written.verified.tensors,
                    "max_difference": written.verified.max_difference,
                })
            });
            let exports: Vec<_> = exports.collect();
            let result = json!({ "run_folder": folder, "summary": summary, "exports": exports });
            tell!("{result:#}");
            return;
        }
        tell!("{}", phase_table::render(&summary.phases));
        for (format, written) in written {
            let (name, tensors) = (format.name(), written.verified.tensors);
            tell!("{name:<9} verified, {tensors} tensors read back: {}", path(format).display());
        }
        tell!("{:<9} {}", "report", folder.join("report.html").display());
    }
}
