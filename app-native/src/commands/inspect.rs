//! `dsee inspect`: what is in a weight file, a model folder, an export or a run folder.

use anyhow::{Context as _, bail};
use dsee_core::checkpoint::safetensors_read::{Entry, Header};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{failure::Failure, phase_table::thousands};

/// Flags of `dsee inspect`.
#[derive(Debug, clap::Args)]
pub struct InspectArgs {
    /// A .safetensors file, or a folder with some: a model, an adapter, a checkpoint, a run.
    path: PathBuf,
}

/// Prints every tensor with its type, shape and zeros.
pub fn run(args: &InspectArgs, json: bool) -> Result<(), Failure> {
    let files = weight_files(&args.path)?;
    let reports = files.iter().map(|path| inspect(path)).collect::<anyhow::Result<Vec<Value>>>()?;
    if json {
        tell!("{:#}", json!({ "files": reports }));
        return Ok(());
    }
    for report in &reports {
        print_file(report);
    }
    Ok(())
}

/// The file itself, or all weight files in a folder and in its subfolders.
fn weight_files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    let mut folders = vec![path.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot read: {}", folder.display()))?;
        for entry in entries {
            let path = entry.with_context(|| format!("cannot read: {}", folder.display()))?.path();
            // Links to folders are left alone, they may lead round in circles.
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "safetensors") {
                files.push(path);
            }
        }
    }
    if files.is_empty() {
        bail!("there is no .safetensors file: {}", path.display());
    }
    files.sort();
    Ok(files)
}

fn inspect(path: &Path) -> anyhow::Result<Value> {
    let bytes = fs::read(path).with_context(|| format!("cannot read: {}", path.display()))?;
    let name = path.display().to_string();
    let header = Header::parse(&name, &bytes, bytes.len() as u64)?;
    let tensors: Vec<Value> =
        header.entries.iter().map(|entry| tensor(entry, header.slice(entry, &bytes))).collect();
    let sum = |field: &str| tensors.iter().filter_map(|tensor| tensor[field].as_u64()).sum::<u64>();
    Ok(json!({
        "file": name, "metadata": header.metadata, "n_values": sum("n_values"), "n_zeros": sum("n_zeros"),
        "tensors": tensors,
    }))
}

/// One tensor. Zeros are counted, and values that are no numbers, where the type holds weights.
fn tensor(entry: &Entry, bytes: &[u8]) -> Value {
    let n_values: usize = entry.shape.iter().product();
    let values = entry.dtype.decode(bytes);
    let count =
        |is: fn(&f32) -> bool| values.as_ref().map(|values| values.iter().filter(|value| is(value)).count());
    json!({
        "name": entry.name, "dtype": entry.dtype.name(), "shape": entry.shape, "n_values": n_values,
        "n_zeros": count(|value| *value == 0.0), "n_not_finite": count(|value| !value.is_finite()),
    })
}

fn print_file(report: &Value) {
    let number = |value: &Value| value.as_u64().unwrap_or(0) as usize;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    tell!("{}", text(&report["file"]));
    for tensor in report["tensors"].as_array().into_iter().flatten() {
        let (n_values, n_zeros) = (number(&tensor["n_values"]), number(&tensor["n_zeros"]));
        let share = 100.0 * n_zeros as f64 / n_values.max(1) as f64;
        let zeros = if n_zeros > 0 { format!("  {share:.1} % zeros") } else { String::new() };
        let bad = match number(&tensor["n_not_finite"]) {
            0 => String::new(),
            count => format!("  {count} NOT FINITE"),
        };
        tell!(
            "  {:<5} {:<14} {}{zeros}{bad}",
            text(&tensor["dtype"]),
            tensor["shape"].to_string(),
            text(&tensor["name"])
        );
    }
    let (n_values, n_zeros) = (number(&report["n_values"]), number(&report["n_zeros"]));
    tell!("  {} values, {} of them not zero", thousands(n_values), thousands(n_values - n_zeros));
}
