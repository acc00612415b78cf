//! Settings as they come from a file, the command line or a form: anything goes until they are checked.

use std::collections::BTreeMap;
use toml::Value;

use super::error::DraftError;

/// Loose settings: every one may be absent, of the wrong type, or unknown. [`RunConfigDraft::check`] tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunConfigDraft {
    /// Name of the setting → value as given.
    pub(super) values: BTreeMap<String, Value>,
}

impl RunConfigDraft {
    /// Reads the text of a `run.toml`.
    ///
    /// # Errors
    /// If the text is not TOML. Wrong and unknown settings are found by [`RunConfigDraft::check`], all at once.
    pub fn from_toml(text: &str) -> Result<Self, DraftError> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| DraftError {
            line: error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count()),
            reason: error.message().to_owned(),
        })?;
        Ok(Self { values: table.into_iter().collect() })
    }

    /// Sets `name` to `value` as written on a command line or typed into a form.
    pub fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), Value::String(value.to_owned()));
    }

    /// [`RunConfigDraft::set`] for chains.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// Forgets `name`.
    pub fn unset(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// Whether `name` was given.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The value of `name` as it was given, in words.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.values.get(name).map(super::reader::show)
    }

    /// These settings, replaced by `overrides` wherever those say something.
    #[must_use]
    pub fn overridden_by(mut self, overrides: &Self) -> Self {
        self.values.extend(overrides.values.clone());
        self
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for RunConfigDraft {
    /// Every name [set](Self::set) to its value; of a name that comes twice the last.
    fn from_iter<T: IntoIterator<Item = (N, V)>>(pairs: T) -> Self {
        let set = |draft: Self, (name, value): (N, V)| draft.with(name.as_ref(), value.as_ref());
        pairs.into_iter().fold(Self::default(), set)
    }
}

/// Settings for tests.
#[cfg(test)]
pub(super) fn draft(pairs: &[(&str, &str)]) -> RunConfigDraft {
    pairs.iter().copied().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn flags_win_over_the_file() {
        let file = RunConfigDraft::from_toml("rank = 8\nnnz = 4\n").unwrap();
        let flags = RunConfigDraft::default().with("rank", "2");
        let config = file.overridden_by(&flags).check().unwrap();
        assert_eq!((config.rank, config.nnz), (2, 4));
    }

    #[test]
    fn syntax_errors_name_the_line() {
        let error = RunConfigDraft::from_toml("rank = 8\nnnz == 4\n").unwrap_err();
        assert_eq!(error.line, 2, "{error}");
    }
}
