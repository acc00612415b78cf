//! Reads a Hugging Face model folder from disk; the engine says what it means.

use anyhow::{Context as _, bail};
use dsee_core::{
    gpu::Device,
    models::{
        config::ModelConfig,
        files::{CONFIG_FILE, ModelFiles},
        fit,
    },
    source::ByteSource,
};
use std::{fs, path::Path, rc::Rc};

use crate::{file_source::FileSource, run_folder::SETTINGS_FILE};

/// The files of a model folder. Only those of use are opened; the others are listed, so that messages can name them.
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
    if path.join(SETTINGS_FILE).is_file() && !path.join(CONFIG_FILE).is_file() {
        let merged = path.join("merged");
        bail!("this is the folder of a run; the model that came of it is {}", merged.display());
    }
    let mut model = ModelFiles { name: name_of(path), ..ModelFiles::default() };
    for entry in fs::read_dir(path).with_context(|| format!("cannot read the folder: {}", path.display()))? {
        let entry = entry.with_context(|| format!("cannot read the folder: {}", path.display()))?;
        // Links are followed: the hub's cache is made of them.
        if !entry.path().is_file() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let source: Rc<dyn ByteSource> = if ModelFiles::is_wanted(&name) {
            let opened = FileSource::open(&entry.path());
            Rc::new(opened.with_context(|| format!("cannot read: {}", entry.path().display()))?)
        } else {
            Rc::new(Vec::new())
        };
        model.files.insert(name, source);
    }
    check_fit(&model)?;
    Ok(model)
}

/// Refuses a model that no buffer of this adapter can hold, before its weights are read. Settings that the size of the
/// weights already contradicts are reported with them, and what fits everywhere needs no question.
fn check_fit(model: &ModelFiles) -> anyhow::Result<()> {
    let Some(file) = model.files.get(CONFIG_FILE) else { return Ok(()) };
    let Ok(config) = ModelConfig::parse(CONFIG_FILE, &pollster::block_on(file.read(0..file.len()))?) else {
        return Ok(());
    };
    let weights = model.files.iter().filter(|(name, _)| name.ends_with(".safetensors"));
    let n_weight_bytes: u64 = weights.map(|(_, file)| file.len()).sum();
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
    fn useless_files_are_listed_but_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["config.json", "pytorch_model.bin"] {
            fs::File::create(folder.path().join(name)).unwrap().write_all(b"{}").unwrap();
        }
        let model = read(folder.path()).unwrap();
        assert_eq!(model.files["config.json"].len(), 2);
        assert!(model.files["pytorch_model.bin"].is_empty());
        assert!(!model.name.contains('/'));
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = read(Path::new("no/such/model")).err().unwrap().to_string();
        assert!(error.contains("no/such/model") && error.contains("config.json"), "{error}");
    }
}
