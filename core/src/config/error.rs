//! What is wrong with one setting, and the nearest thing that would be right.

use std::fmt;

/// One wrong setting. A check returns all of them at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The setting, in the spelling of `run.toml`.
    pub field: String,
    /// The value as it was given.
    pub value: String,
    /// Why it cannot be.
    pub reason: String,
    /// What to write instead; empty where nothing better can be said.
    pub suggestion: String,
}

impl FieldError {
    /// An error about `field`, which was given as `value`.
    pub fn new(
        field: &str,
        value: impl fmt::Display,
        reason: impl Into<String>,
        suggestion: impl Into<String>,
    ) -> Self {
        Self {
            field: field.to_owned(),
            value: value.to_string(),
            reason: reason.into(),
            suggestion: suggestion.into(),
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}", self.field, self.value, self.reason)?;
        if !self.suggestion.is_empty() {
            write!(f, "; {}", self.suggestion)?;
        }
        Ok(())
    }
}

impl std::error::Error for FieldError {}

/// A `run.toml` that is not TOML at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not valid TOML in line {line}: {reason}")]
pub struct DraftError {
    /// Line, counted from 1.
    pub line: usize,
    /// The parser's words.
    pub reason: String,
}

/// The candidate that is closest to `name`, if it is close enough to be a slip of the pen.
pub(crate) fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Two letters, so that a swapped pair counts as a slip; in short names one.
    let close_enough = if name.len() < 4 { 1 } else { (name.len() / 3).max(2) };
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .filter(|&(distance, _)| distance <= close_enough)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance: how many letters to insert, delete or replace.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let names = ["learning_rate", "rank", "max_steps"];
        assert_eq!(did_you_mean("lerning_rate", names), Some("learning_rate"));
        assert_eq!(did_you_mean("ranks", names), Some("rank"));
        assert_eq!(did_you_mean("temperature", names), None);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }

    #[test]
    fn sentence_has_field_value_reason_and_suggestion() {
        let error = FieldError::new("rank", 0, "must be at least 1", "try 16");
        assert_eq!(error.to_string(), "rank = 0: must be at least 1; try 16");
    }
}
