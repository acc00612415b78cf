//! Names of models on the hub: `name` or `organisation/name`.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// Longest part of a name, in characters.
const LONGEST_PART: usize = 96;

/// What stands for `/` where a name becomes the name of a folder; never part of a valid name.
const SEPARATOR: &str = "--";

/// A valid model id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelId(String);

/// Why a text is no model id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdError {
    /// Nothing was given.
    #[error("no model was named: write `name` or `organisation/name`")]
    Empty,
    /// More than one `/`.
    #[error("a model id is `name` or `organisation/name`, found {n_parts} parts: {id}")]
    Parts {
        /// The text.
        id: String,
        /// How many there are between its slashes.
        n_parts: usize,
    },
    /// A part without text.
    #[error("a part of the model id is empty: {id}")]
    EmptyPart {
        /// The text.
        id: String,
    },
    /// A part that is too long.
    #[error("a part of a model id has at most 96 characters, found {n_chars}: {id}")]
    TooLong {
        /// The text.
        id: String,
        /// Characters of the part.
        n_chars: usize,
    },
    /// Something else than letters, digits, `-`, `_` and `.`.
    #[error("a model id has letters, digits, `-`, `_` and `.` only, found {found:?}: {id}")]
    Character {
        /// The text.
        id: String,
        /// The first other character.
        found: char,
    },
    /// `..` or `--`.
    #[error("a model id never contains `{found}`: {id}")]
    Doubled {
        /// The text.
        id: String,
        /// Which of the two.
        found: &'static str,
    },
    /// A part that begins or ends with `-` or `.`.
    #[error("a part of a model id begins and ends with a letter, a digit or `_`: {id}")]
    Edge {
        /// The text.
        id: String,
    },
}

impl ModelId {
    /// The id as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as the name of one folder: `organisation--name`.
    #[must_use]
    pub fn folder_name(&self) -> String {
        self.0.replace('/', SEPARATOR)
    }

    /// The id whose [`Self::folder_name`] this is, if there is one.
    #[must_use]
    pub fn from_folder_name(name: &str) -> Option<Self> {
        name.replacen(SEPARATOR, "/", 1).parse().ok()
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ModelId {
    type Err = IdError;

    /// The same rules as transformers.js has, so that an id means the same everywhere.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let id = text.trim().to_owned();
        if id.is_empty() {
            return Err(IdError::Empty);
        }
        let parts: Vec<&str> = id.split('/').collect();
        if parts.len() > 2 {
            return Err(IdError::Parts { n_parts: parts.len(), id });
        }
        parts.into_iter().try_for_each(|part| check_part(&id, part))?;
        Ok(Self(id))
    }
}

fn check_part(id: &str, part: &str) -> Result<(), IdError> {
    let id = || id.to_owned();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if part.is_empty() {
        return Err(IdError::EmptyPart { id: id() });
    }
    if let Some(found) = part.chars().find(|&c| !is_word(c) && !"-.".contains(c)) {
        return Err(IdError::Character { id: id(), found });
    }
    if part.len() > LONGEST_PART {
        return Err(IdError::TooLong { id: id(), n_chars: part.len() });
    }
    if let Some(found) = ["..", SEPARATOR].into_iter().find(|doubled| part.contains(doubled)) {
        return Err(IdError::Doubled { id: id(), found });
    }
    if part.starts_with(['-', '.']) || part.ends_with(['-', '.']) {
        return Err(IdError::Edge { id: id() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn names_with_and_without_organisation_are_valid() {
        for id in ["bert-base-uncased", "sentence-transformers/all-MiniLM-L6-v2", "a/b_c.d", &"x".repeat(96)]
        {
            let parsed: ModelId = id.parse().unwrap();
            assert_eq!(parsed.as_str(), id);
            assert_eq!(ModelId::from_folder_name(&parsed.folder_name()), Some(parsed));
        }
        assert_eq!(" a/b \n".parse::<ModelId>().unwrap().to_string(), "a/b");
    }

    #[test]
    fn everything_else_says_what_is_wrong() {
        let error = |id: &str| id.parse::<ModelId>().unwrap_err();
        assert_eq!(error("  "), IdError::Empty);
        assert!(matches!(error("a/b/c"), IdError::Parts { n_parts: 3, .. }));
        assert!(matches!(error("/b"), IdError::EmptyPart { .. }));
        assert!(matches!(error("a/"), IdError::EmptyPart { .. }));
        assert!(matches!(error("a b"), IdError::Character { found: ' ', .. }));
        assert!(matches!(error("modèle"), IdError::Character { found: 'è', .. }));
        assert!(matches!(error("a\\b"), IdError::Character { found: '\\', .. }));
        assert!(matches!(error(&"x".repeat(97)), IdError::TooLong { n_chars: 97, .. }));
        assert!(matches!(error("a..b"), IdError::Doubled { found: "..", .. }));
        assert!(matches!(error("a/b--c"), IdError::Doubled { found: "--", .. }));
        assert!(matches!(error(".."), IdError::Doubled { .. }));
        assert!(matches!(error("./model"), IdError::Edge { .. }));
        assert!(matches!(error("model-"), IdError::Edge { .. }));
    }
}
