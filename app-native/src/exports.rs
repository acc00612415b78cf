//! Writes a tuned model in one of its forms and checks it by reading it back from the disk.

use anyhow::Context as _;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use dsee_core::export::{ExportInput, OutputFile, format::ExportFormat, verify::Verified};
use std::path::Path;

use crate::{atomic, run_folder::read_folder};

/// The forms by their names, for `--format`.
pub fn format_parser() -> impl TypedValueParser<Value = ExportFormat> {
    let named = |format: ExportFormat| PossibleValue::new(format.name()).help(format.meaning());
    let names = PossibleValuesParser::new(ExportFormat::ALL.map(named));
    names.try_map(|name| ExportFormat::from_name(&name).ok_or("one of the names above"))
}

/// What was written.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// Files.
    pub n_files: usize,
    /// Their bytes.
    pub n_bytes: usize,
    /// What reading them back showed.
    pub verified: Verified,
}

/// Replaces the folder `path` by the model in this form.
///
/// # Errors
/// If the form cannot express the model, the folder cannot be written, or what is read back differs.
pub fn write(path: &Path, format: ExportFormat, input: &ExportInput<'_>) -> anyhow::Result<Written> {
    let files = format.export(input)?;
    let named: Vec<_> = files.into_iter().map(|file| (file.path, file.bytes)).collect();
    atomic::replace_folder(path, &named)?;
    let n_bytes = named.iter().map(|(_, bytes)| bytes.len()).sum();
    drop(named);
    let read: Vec<OutputFile> =
        read_folder(path)?.into_iter().map(|(path, bytes)| OutputFile { path, bytes }).collect();
    let verified = format
        .verify(input, &read)
        .with_context(|| format!("what was written reads back differently: {}", path.display()))?;
    Ok(Written { n_files: read.len(), n_bytes, verified })
}
