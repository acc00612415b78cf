//! Takes typed values out of loose settings, with the table's defaults, and gathers what is wrong.

use toml::Value;

use super::{
    Choice, FieldError, Pruning, RunConfigDraft,
    error::did_you_mean,
    field::{FieldKind, FieldSpec},
};
use crate::nn::site::Role;

/// A rule for a number, and its wording.
pub(super) type Rule = (fn(f64) -> bool, &'static str);
pub(super) const POSITIVE: Rule = (|x| x > 0.0 && x.is_finite(), "must be larger than 0");
pub(super) const NOT_NEGATIVE: Rule = (|x| x >= 0.0 && x.is_finite(), "must not be negative");
pub(super) const SHARE: Rule = (|x| (0.0..1.0).contains(&x), "must lie in [0, 1)");
pub(super) const PERCENTAGE: Rule = (|x| x > 0.0 && x < 100.0, "must lie between 0 and 100");

/// Takes values out of a draft, or their defaults out of the task or the table, and gathers what is wrong.
pub(super) struct Reader<'a> {
    pub(super) draft: &'a RunConfigDraft,
    /// What the task recommends, as name and value.
    pub(super) recommended: Vec<(&'static str, &'static str)>,
    pub(super) errors: Vec<FieldError>,
}

impl Reader<'_> {
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) if !text.is_empty() => Some(text),
            Value::Integer(number) => Some(number.to_string()),
            other => self.fail(name, &other, "must be a text that is not empty"),
        }
    }

    pub(super) fn optional_count(&mut self, name: &str, least: usize) -> Option<usize> {
        let value = self.value(name)?;
        let number = match &value {
            Value::Integer(number) => Some(*number),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        match number {
            None => self.fail(name, &value, "must be a whole number"),
            Some(number) => match usize::try_from(number) {
                Ok(count) if count >= least => Some(count),
                _ => self.fail(name, &value, format!("must be at least {least}")),
            },
        }
    }

    pub(super) fn count(&mut self, name: &str, least: usize) -> usize {
        self.optional_count(name, least).unwrap_or(least)
    }

    pub(super) fn optional_number(&mut self, name: &str, (is_right, rule): Rule) -> Option<f64> {
        let value = self.value(name)?;
        let number = match &value {
            Value::Integer(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        match number {
            None => self.fail(name, &value, "must be a number"),
            Some(number) if is_right(number) => Some(number),
            Some(_) => self.fail(name, &value, rule),
        }
    }

    pub(super) fn number(&mut self, name: &str, rule: Rule) -> f64 {
        self.optional_number(name, rule).unwrap_or(0.0)
    }

    pub(super) fn switch(&mut self, name: &str) -> bool {
        match self.value(name) {
            Some(Value::Boolean(on)) => on,
            Some(Value::String(text)) if text == "true" => true,
            Some(Value::String(text)) if text == "false" => false,
            Some(other) => self.fail(name, &other, "must be true or false").unwrap_or(false),
            None => false,
        }
    }

    pub(super) fn choice<T: Choice>(&mut self, name: &str) -> Option<T> {
        let value = self.value(name)?;
        match value.as_str().and_then(T::from_name) {
            Some(choice) => Some(choice),
            None => self.fail(name, &value, format!("must be one of {}", T::NAMES.join(", "))),
        }
    }

    pub(super) fn choices(&mut self, name: &str) -> Vec<Role> {
        let names: Vec<Value> = match self.value(name) {
            Some(Value::Array(names)) => names,
            Some(Value::String(text)) => {
                text.split(',').map(|name| Value::String(name.trim().to_owned())).collect()
            }
            Some(other) => vec![other],
            None => vec![],
        };
        let mut modules = Vec::with_capacity(names.len());
        for value in &names {
            match value.as_str().and_then(<Role as Choice>::from_name) {
                Some(module) => modules.push(module),
                None => {
                    let reason = format!("may name {}", <Role as Choice>::NAMES.join(", "));
                    self.fail::<()>(name, value, reason);
                }
            }
        }
        modules.sort_unstable();
        modules.dedup();
        modules
    }

    pub(super) fn pruning(&mut self, name: &str) -> Pruning {
        match self.value(name) {
            Some(Value::String(text)) => match text.parse() {
                Ok(pruning) => pruning,
                Err(reason) => self.fail(name, &Value::String(text), reason).unwrap_or(Pruning::None),
            },
            Some(other) => {
                self.fail(name, &other, "must be a text such as \"heads:3\"").unwrap_or(Pruning::None)
            }
            None => Pruning::None,
        }
    }

    /// The value as given, else the task's, else the table's default.
    fn value(&self, name: &str) -> Option<Value> {
        let spec = FieldSpec::find(name).expect("only settings of the table are read");
        let recommended = self.recommended.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let default = recommended.or(Some(spec.default)).filter(|text| !text.is_empty());
        self.draft.values.get(name).cloned().or_else(|| default.map(|text| Value::String(text.to_owned())))
    }

    fn fail<T>(&mut self, name: &str, value: &Value, reason: impl Into<String>) -> Option<T> {
        let spec = FieldSpec::find(name).expect("only settings of the table are read");
        self.errors.push(FieldError::new(name, show(value), reason, suggestion(spec, value)));
        None
    }
}

/// A helpful sentence about a wrong value of a known setting.
fn suggestion(spec: &FieldSpec, value: &Value) -> String {
    let names = match spec.kind {
        FieldKind::Choice(names) | FieldKind::Choices(names) => names,
        _ => &[],
    };
    if let Some(close) = value.as_str().and_then(|text| did_you_mean(text, names.iter().copied())) {
        return format!("did you mean {close}?");
    }
    match (spec.name, spec.default) {
        ("nnz", _) => "the default is 16; for no sparse entries use the method lora".to_owned(),
        ("prune", _) => "for example unstructured:0.2 or heads:3".to_owned(),
        (_, "") => String::new(),
        (_, default) => format!("the default is {default}"),
    }
}

/// A value as the user wrote it, without the quotes of a text.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
