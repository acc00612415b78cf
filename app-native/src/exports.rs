//! Writes a tuned model in one of its forms and checks it by reading it back from the disk.

use anyhow::{Context as _, bail};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use dsee_core::export::{
    ExportInput, OutputFile, dsee_state::DSEE_CONFIG, format::ExportFormat, verify::Verified,
};
use std::{fs, path::Path};

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

/// Whether nothing but an earlier export of this form is in the folder.
fn check_free(path: &Path, files: &[OutputFile]) -> anyhow::Result<()> {
    let Ok(entries) = fs::read_dir(path) else { return Ok(()) };
    let names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let is_ours = |name: &String| files.iter().any(|file| file.path.split('/').next() == Some(name.as_str()));
    let is_export = names.iter().any(|name| name == DSEE_CONFIG);
    match names.iter().find(|name| !is_export || !is_ours(name)) {
        None => Ok(()),
        Some(other) => bail!(
            "the folder holds something else ({other}), which would be lost; choose another --output-dir: {}",
            path.display()
        ),
    }
}

/// Writes the model in this form to the folder `path`. An earlier export there is replaced, anything else never.
///
/// # Errors
/// If the folder holds something else, the form cannot express the model, the folder cannot be written, or what is read back differs.
pub fn write(path: &Path, format: ExportFormat, input: &ExportInput<'_>) -> anyhow::Result<Written> {
    let files = format.export(input)?;
    check_free(path, &files)?;
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
