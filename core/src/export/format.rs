//! The forms a tuned model can take: what each is called, who reads it, and how it is written and checked.

use super::adapter::{check_adapter, export_adapter};
use super::compact::{check_compact, export_compact};
use super::dsee_state::export_dsee_state;
use super::merged::export_merged;
use super::verify::{Verified, VerifyError, verify_adapter, verify_dsee_state, verify_merged};
use super::{ExportError, ExportInput, OutputFile, loading};
pub use crate::protocol::ExportFormat;

impl ExportFormat {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Adapter, Self::Merged, Self::Compact, Self::Dsee];

    /// Its name, and that of its folder in a run folder.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Adapter => "adapter",
            Self::Merged => "merged",
            Self::Compact => "compact",
            Self::Dsee => "dsee",
        }
    }

    /// The form of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// What it is, in one line.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Adapter => {
                "An adapter for peft: LoRA with the sparse entries as extra rank, or a prefix, with our lossless state \
                 beside it"
            }
            Self::Merged => {
                "A whole model with the update added to its weights, for everything that reads the base model"
            }
            Self::Compact => {
                "The same without the heads that were removed: smaller, for transformers up to 4.57 and as a model of ours"
            }
            Self::Dsee => "Our lossless state alone",
        }
    }

    /// A snippet that loads it from `folder`: Python, or a command where only we read it.
    #[must_use]
    pub fn how_to_load(self, input: &ExportInput<'_>, folder: &str) -> String {
        // Python reads the escapes of JSON.
        let folder = serde_json::Value::from(folder).to_string();
        match self {
            Self::Adapter => loading::adapter(input, "BASE", &folder),
            Self::Merged | Self::Compact => loading::model(input, &folder),
            Self::Dsee => "dsee eval --run RUN".to_owned(),
        }
    }

    /// Whether this form can hold the model.
    ///
    /// # Errors
    /// If it cannot, or the parts of the input do not belong together.
    pub fn check(self, input: &ExportInput<'_>) -> Result<(), ExportError> {
        match self {
            Self::Adapter => check_adapter(input).map(drop),
            Self::Merged => input.check_pretrained(),
            Self::Compact => check_compact(input),
            Self::Dsee => input.check(),
        }
    }

    /// Its files.
    ///
    /// # Errors
    /// If the form cannot express the model, or the parts of the input do not belong together.
    pub fn export(self, input: &ExportInput<'_>) -> Result<Vec<OutputFile>, ExportError> {
        match self {
            Self::Adapter => export_adapter(input),
            Self::Merged => export_merged(input),
            Self::Compact => export_compact(input),
            Self::Dsee => export_dsee_state(input),
        }
    }

    /// Reads files of this form back and compares them with the model in memory.
    ///
    /// # Errors
    /// The first thing that does not agree.
    pub fn verify(self, input: &ExportInput<'_>, files: &[OutputFile]) -> Result<Verified, VerifyError> {
        match self {
            Self::Adapter => verify_adapter(input, files),
            Self::Merged | Self::Compact => verify_merged(input, files),
            Self::Dsee => verify_dsee_state(input, files),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::export::fixture::Fixture;

    #[test]
    fn every_form_has_a_name_and_verifies_its_own_files_only() {
        let fixture = Fixture::pruned();
        let input = fixture.input();
        for format in ExportFormat::ALL {
            assert_eq!(ExportFormat::from_name(format.name()), Some(format));
            let json = serde_json::to_value(format).unwrap();
            assert_eq!(json, format.name());
            let files = format.export(&input).unwrap();
            assert!(format.verify(&input, &files).unwrap().tensors > 0);
        }
        assert_eq!(ExportFormat::ALL.map(|format| format.check(&input).is_ok()), [true; 4]);
        let state = ExportFormat::Dsee.export(&input).unwrap();
        assert!(ExportFormat::Merged.verify(&input, &state).is_err());
        let whole = Fixture::tuned();
        assert_eq!(ExportFormat::Compact.check(&whole.input()), Err(ExportError::NothingRemoved));
    }

    #[test]
    fn what_a_method_added_is_kept_by_our_own_state_alone() {
        let mut fixture = Fixture::tuned();
        let bottleneck = "bert.encoder.layer.0.attention.output.dense.adapter_down.weight";
        fixture.trained.insert(bottleneck.into(), fixture.trained["classifier.weight"].clone());
        let input = fixture.input();
        let state = ExportFormat::Dsee.export(&input).unwrap();
        ExportFormat::Dsee.verify(&input, &state).unwrap();
        for format in [ExportFormat::Adapter, ExportFormat::Merged] {
            let expected = ExportError::Added { names: vec![bottleneck.to_owned()] };
            assert_eq!(format.check(&input), Err(expected.clone()));
            assert_eq!(format.export(&input), Err(expected));
        }
        let text = ExportFormat::Merged.check(&input).unwrap_err().to_string();
        assert!(text.contains(bottleneck) && text.contains("our own state"), "{text}");
    }
}
