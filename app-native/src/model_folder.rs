//! Reads a Hugging Face model folder from disk; the engine says what it means.

use anyhow::{Context as _, bail};
use dsee_core::{
    gpu::Device,
    models::{
        config::BertConfig,
        files::{CONFIG_FILE, ModelFiles},
        fit,
    },
};
use std::{fs, path::Path};

/// The files of a model folder. Only those of use are read; the others are listed, so that messages can name them.
///
/// # Errors
/// If the path is no folder, or a file cannot be read.
pub fn read(path: &Path) -> anyhow::Result<ModelFiles> {
    if !path.is_dir() {
        bail!(
            "there is no such model folder; it holds config.json, model.safetensors and tokenizer.json: {}",
            path.display()
        );
    }
    let mut model = ModelFiles { name: name_of(path), ..ModelFiles::default() };
    let mut weights = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("cannot read the folder: {}", path.display()))? {
        let entry = entry.with_context(|| format!("cannot read the folder: {}", path.display()))?;
        // Links are followed: the hub's cache is made of them.
        if !entry.path().is_file() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        if ModelFiles::is_wanted(&name) && name.ends_with(".safetensors") {
            let n_bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            weights.push((name, entry.path(), n_bytes));
            continue;
        }
        let bytes = if ModelFiles::is_wanted(&name) { read_file(&entry.path())? } else { Vec::new() };
        model.files.insert(name, bytes);
    }
    check_fit(&model, weights.iter().map(|(_, _, n_bytes)| n_bytes).sum())?;
    for (name, path, _) in weights {
        model.files.insert(name, read_file(&path)?);
    }
    Ok(model)
}

fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read: {}", path.display()))
}

/// Refuses a model that no buffer of this adapter can hold, before its weights are read. Settings that the size of the
/// weights already contradicts are reported with them, and what fits everywhere needs no question.
fn check_fit(model: &ModelFiles, n_weight_bytes: u64) -> anyhow::Result<()> {
    let Some(Ok(config)) = model.files.get(CONFIG_FILE).map(|bytes| BertConfig::parse(CONFIG_FILE, bytes))
    else {
        return Ok(());
    };
    let (_, needed) = fit::largest_matrix(&config);
    // Weights may be stored in 16 bits.
    if needed <= fit::GUARANTEED_BYTES || n_weight_bytes < needed / 2 {
        return Ok(());
    }
    let device = pollster::block_on(Device::open())?;
    Ok(fit::check(&config, device.report())?)
}

/// The last part of the path, never the path: that is nobody's business but this machine's.
fn name_of(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    whole.file_name().map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use std::io::Write as _;

    #[test]
    fn useless_files_are_listed_but_not_read() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["config.json", "pytorch_model.bin"] {
            fs::File::create(folder.path().join(name)).unwrap().write_all(b"{}").unwrap();
        }
        let model = read(folder.path()).unwrap();
        assert_eq!(model.files["config.json"], b"{}");
        assert!(model.files["pytorch_model.bin"].is_empty());
        assert!(!model.name.contains('/'));
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = read(Path::new("no/such/model")).unwrap_err().to_string();
        assert!(error.contains("no/such/model") && error.contains("config.json"), "{error}");
    }
}
