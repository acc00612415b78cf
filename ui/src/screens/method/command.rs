//! The settings as the command line and the settings file have them.

use dsee_core::{
    config::{FIELDS, FieldKind, FieldSpec, RunConfigDraft, quoted},
    protocol::Settings,
};

use crate::state::AppState;

/// Settings that are chosen on the screens Model and Data.
const FILES: [&str; 3] = ["model", "train_file", "validation_file"];

/// Whether a setting names files, which the window chooses on other screens.
#[must_use]
pub fn is_about_files(field: &FieldSpec) -> bool {
    FILES.contains(&field.name)
}

/// The settings as the engine's checks read them.
#[must_use]
pub fn draft(settings: &Settings) -> RunConfigDraft {
    settings.iter().collect()
}

/// The `dsee train` line that makes the same run, for a shell.
#[must_use]
pub fn command_line(state: &AppState) -> String {
    let all = state.all_settings();
    let mut line = "dsee train".to_owned();
    for field in FIELDS {
        if let Some(value) = all.get(field.name) {
            line += &format!(" --{} {}", field.name.replace('_', "-"), quoted(value));
        }
    }
    line
}

/// The text of a `run.toml` with the settings that differ from their defaults, or what is wrong with them.
pub fn run_toml(state: &AppState) -> String {
    let all = state.all_settings();
    let mut table = toml::Table::new();
    for field in FIELDS {
        if let Some(value) = all.get(field.name) {
            table.insert(field.name.to_owned(), typed(field.kind, value));
        }
    }
    table.to_string()
}

/// A value with the type that it has in a settings file; text where it cannot have it.
fn typed(kind: FieldKind, value: &str) -> toml::Value {
    let text = || toml::Value::String(value.to_owned());
    match kind {
        FieldKind::Count => value.parse().map_or_else(|_| text(), toml::Value::Integer),
        FieldKind::Number => value.parse().map_or_else(|_| text(), toml::Value::Float),
        FieldKind::Switch => value.parse().map_or_else(|_| text(), toml::Value::Boolean),
        FieldKind::Choices(_) => toml::Value::Array(
            value.split(',').map(|name| toml::Value::String(name.trim().to_owned())).collect(),
        ),
        FieldKind::Text | FieldKind::Choice(_) | FieldKind::Pruning => text(),
    }
}
