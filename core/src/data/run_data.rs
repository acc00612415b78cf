//! The data of a run, whatever its task: examples with labels, contexts with texts, or plain texts.

use super::check::DataWarning;
use super::dataset::{DataFile, DataOptions, DataSplits, load_splits};
use super::error::DataErrors;
use super::generation::{GenerationSplits, load_generation_splits};
use super::labels::TaskKind;
use super::plain::{PlainSplits, load_plain_splits};

/// What a run trains on and is judged by.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one of it in a run")]
pub enum RunData {
    /// Examples with labels.
    Labelled(DataSplits),
    /// Contexts with the texts that complete them.
    Generation(GenerationSplits),
    /// Texts.
    Plain(PlainSplits),
}

impl RunData {
    /// Reads the files as task and kind ask; without either they have labels.
    ///
    /// # Errors
    /// Everything that is wrong with the files, of both at once.
    pub fn load(
        train: DataFile<'_>,
        validation: Option<DataFile<'_>>,
        options: &DataOptions,
    ) -> Result<Self, DataErrors> {
        let kind = options.columns.task.map(|task| task.spec().kind).or(options.kind);
        Ok(match kind {
            Some(TaskKind::Generation) => {
                Self::Generation(load_generation_splits(train, validation, options)?)
            }
            Some(TaskKind::LanguageModeling) => Self::Plain(load_plain_splits(train, validation, options)?),
            Some(TaskKind::Classification | TaskKind::Regression) | None => {
                Self::Labelled(load_splits(train, validation, options)?)
            }
        })
    }

    /// The examples with labels, if that is what they are.
    #[must_use]
    pub fn labelled(&self) -> Option<&DataSplits> {
        if let Self::Labelled(splits) = self { Some(splits) } else { None }
    }

    /// What deserves a look but hinders nothing.
    #[must_use]
    pub fn warnings(&self) -> &[DataWarning] {
        match self {
            Self::Labelled(splits) => &splits.warnings,
            Self::Generation(splits) => &splits.warnings,
            Self::Plain(splits) => &splits.warnings,
        }
    }
}

impl From<DataSplits> for RunData {
    fn from(splits: DataSplits) -> Self {
        Self::Labelled(splits)
    }
}
