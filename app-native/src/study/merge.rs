//! Joining the runs of several shards into one table.

use anyhow::bail;
use std::path::{Path, PathBuf};

use super::{
    findings::{Gathered, done_report},
    manifest::Manifest,
};
use crate::failure::Failure;

/// Prints the table of the runs in `folders`, and writes it to `output` if that is named.
///
/// # Errors
/// If a folder is of another study, other settings, another model or other data, and for every run that is in none of
/// them or in several: all at once.
pub fn run(name: &str, folders: &[PathBuf], output: Option<&Path>, json: bool) -> Result<(), Failure> {
    let manifest = common_manifest(name, folders)?;
    let mut gathered = Gathered::none(&manifest);
    let mut problems = Vec::new();
    for run in &manifest.runs {
        let is_here = |folder: &&PathBuf| done_report(&folder.join(&run.id), &run.task).is_some();
        let here: Vec<&PathBuf> = folders.iter().filter(is_here).collect();
        match here.as_slice() {
            [folder] => gathered.take(run, &folder.join(&run.id))?,
            [] => problems.push(format!("missing: {}", run.id)),
            several => {
                let names: Vec<String> = several.iter().map(|folder| folder.display().to_string()).collect();
                problems.push(format!("double: {} is in {}", run.id, names.join(" and ")));
            }
        }
    }
    if !problems.is_empty() {
        let advice = "run the missing shards, or name their folders; of a double run name one folder only";
        let n = manifest.runs.len();
        return Err(anyhow::anyhow!(
            "the folders do not hold each of the {n} runs once: {advice}\n  {}",
            problems.join("\n  ")
        )
        .into());
    }
    if let Some(output) = output {
        gathered.write(&manifest, output)?;
    }
    Ok(gathered.print(&manifest, output, json)?)
}

/// What all folders are of.
fn common_manifest(name: &str, folders: &[PathBuf]) -> anyhow::Result<Manifest> {
    let mut manifests = Vec::new();
    let mut problems = Vec::new();
    for folder in folders {
        match Manifest::read(folder) {
            Ok(manifest) => manifests.push((folder, manifest)),
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    if let Some((first, manifest)) = manifests.first() {
        if manifest.study.name != name {
            problems.push(format!("{} holds the study {}, not {name}", first.display(), manifest.study.name));
        }
        for (folder, other) in &manifests[1..] {
            let differences = other.differences(manifest);
            if !differences.is_empty() {
                let (there, here) = (folder.display(), first.display());
                problems.push(format!("{there} differs from {here}: {}", differences.join("; ")));
            }
        }
    }
    match manifests.into_iter().next() {
        Some((_, manifest)) if problems.is_empty() => Ok(manifest),
        _ => bail!("the folders cannot be joined\n  {}", problems.join("\n  ")),
    }
}
