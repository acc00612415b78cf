//! Writes a tuned model in one of its forms and checks it by reading it back from the disk.

use anyhow::Context as _;
use dsee_core::export::{
    ExportInput, OutputFile,
    adapter::export_adapter,
    dsee_state::export_dsee_state,
    merged::export_merged,
    verify::{Verified, verify_adapter, verify_dsee_state, verify_merged},
};
use std::path::Path;

use crate::{atomic, run_folder::read_folder};

/// The forms a tuned model can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A LoRA adapter for peft and transformers, the sparse entries as extra rank, with our lossless state beside it.
    Adapter,
    /// A whole model with the update added to its weights, for everything that reads the base model.
    Merged,
    /// Our lossless state alone.
    Dsee,
}

impl Format {
    /// Its name, and that of its folder in a run folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adapter => "adapter",
            Self::Merged => "merged",
            Self::Dsee => "dsee",
        }
    }

    /// A Python snippet that loads it.
    pub fn how_to_load(self, n_labels: usize) -> String {
        let model = "from transformers import AutoModelForSequenceClassification";
        match self {
            Self::Adapter => format!(
                "from peft import PeftModel\n{model}\n\nbase = AutoModelForSequenceClassification.from_pretrained(BASE, \
                 num_labels={n_labels})\nmodel = PeftModel.from_pretrained(base, \"adapter\")"
            ),
            Self::Merged => {
                format!("{model}\n\nmodel = AutoModelForSequenceClassification.from_pretrained(\"merged\")")
            }
            Self::Dsee => "dsee eval --run RUN".to_owned(),
        }
    }
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
pub fn write(path: &Path, format: Format, input: &ExportInput<'_>) -> anyhow::Result<Written> {
    let files = match format {
        Format::Adapter => export_adapter(input)?,
        Format::Merged => export_merged(input)?,
        Format::Dsee => export_dsee_state(input)?,
    };
    let named: Vec<_> = files.into_iter().map(|file| (file.path, file.bytes)).collect();
    atomic::replace_folder(path, &named)?;
    let n_bytes = named.iter().map(|(_, bytes)| bytes.len()).sum();
    drop(named);
    let read: Vec<OutputFile> =
        read_folder(path)?.into_iter().map(|(path, bytes)| OutputFile { path, bytes }).collect();
    let verified = match format {
        Format::Adapter => verify_adapter(input, &read),
        Format::Merged => verify_merged(input, &read),
        Format::Dsee => verify_dsee_state(input, &read),
    };
    let verified =
        verified.with_context(|| format!("what was written reads back differently: {}", path.display()))?;
    Ok(Written { n_files: read.len(), n_bytes, verified })
}
