//! Reads the fields of a `config.json`, collecting every problem instead of stopping at the first.

use serde_json::{Map, Value};
use thiserror::Error;

/// Everything wrong with a configuration, or between it and the files beside it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", .fields.iter().map(|field| format!("{field} ({})", .file)).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError {
    /// Name of the file.
    pub file: String,
    /// Every problem; never empty.
    pub fields: Vec<FieldProblem>,
}

/// One field with a value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{field}` is {found}, expected {expected}")]
pub struct FieldProblem {
    /// Name of the field.
    pub field: String,
    /// Its value, as text.
    pub found: String,
    /// What would be right, and what to do.
    pub expected: String,
}

/// The object of a `config.json` and the problems found in it so far.
pub struct Fields {
    /// All fields.
    pub object: Map<String, Value>,
    /// Problems so far.
    pub problems: Vec<FieldProblem>,
}

impl Fields {
    /// Parses the text of a configuration.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, ConfigError> {
        let whole = |found: String| ConfigError {
            file: file.to_owned(),
            fields: vec![FieldProblem {
                field: "the whole file".to_owned(),
                found,
                expected: "a JSON object".to_owned(),
            }],
        };
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(object)) => Ok(Self { object, problems: Vec::new() }),
            Ok(other) => Err(whole(short(&other))),
            Err(error) => Err(whole(format!("not valid JSON: {error}"))),
        }
    }

    /// `value` if nothing was wrong.
    pub fn finish<T>(self, file: &str, value: T) -> Result<T, ConfigError> {
        if self.problems.is_empty() {
            Ok(value)
        } else {
            Err(ConfigError { file: file.to_owned(), fields: self.problems })
        }
    }

    /// The value of a field; `null` counts as absent.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.object.get(field).filter(|value| !value.is_null())
    }

    /// Notes a problem.
    pub fn reject(&mut self, field: &str, found: impl Into<String>, expected: impl Into<String>) {
        let (field, found, expected) = (field.to_owned(), found.into(), expected.into());
        self.problems.push(FieldProblem { field, found, expected });
    }

    /// A whole number within `range`, or `default` if absent or wrong.
    pub fn size(&mut self, field: &str, default: usize, range: std::ops::RangeInclusive<usize>) -> usize {
        let Some(value) = self.get(field) else { return default };
        let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return number;
        }
        let (found, expected) =
            (short(value), format!("a whole number from {} to {}", range.start(), range.end()));
        self.reject(field, found, expected);
        default
    }

    /// A number with `least <= x < end`, or `default` if absent or wrong.
    pub fn number(&mut self, field: &str, default: f64, least: f64, end: f64) -> f64 {
        let Some(value) = self.get(field) else { return default };
        if let Some(number) = value.as_f64().filter(|&number| number >= least && number < end) {
            return number;
        }
        let found = short(value);
        self.reject(field, found, format!("a number from {least:e} to below {end}"));
        default
    }

    /// A text, or `None` if absent or wrong.
    pub fn text(&mut self, field: &str) -> Option<String> {
        let value = self.get(field)?;
        if let Some(text) = value.as_str() {
            return Some(text.to_owned());
        }
        let found = short(value);
        self.reject(field, found, "a text");
        None
    }
}

/// A value as text, cut to what fits in a message.
pub(crate) fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
