//! Screen: how it is tuned and pruned.

mod command;
mod editor;
mod fields;
mod presets;
mod summary;

pub use command::command_line;

use dsee_core::{
    config::{FIELDS, FieldError, FieldSpec, RunConfigDraft},
    protocol::{Event, Settings},
    source::NamedBytes,
};
use egui::Ui;

use crate::{
    shell::{Action, Purpose},
    state::{Activity, AppState, Screen},
    widgets::form::{self, Tone},
};

/// What the screen remembers.
#[derive(Default)]
pub struct MethodScreen {
    /// The setting that is being typed into, and what stands there: an empty field must not jump back to its default.
    typing: Option<(String, String)>,
    /// What was wrong with a settings file that was opened.
    file_problems: Vec<String>,
    /// Whether the command was copied since the settings changed last.
    copied: Option<String>,
}

impl MethodScreen {
    /// Takes what it needs of an event's bytes.
    pub fn event(&mut self, _event: &Event, _attachments: &[NamedBytes]) {}

    /// Takes settings files out of what was chosen or dropped, whatever screen is open.
    pub fn take_files(&mut self, state: &mut AppState) {
        let is_settings = |(purpose, _, files): &(Purpose, String, Vec<crate::FileRef>)| match purpose {
            Purpose::Settings => true,
            Purpose::Dropped => files.iter().any(|file| super::model::is_settings_file(&file.name)),
            _ => false,
        };
        let (taken, rest) = std::mem::take(&mut state.files).into_iter().partition(is_settings);
        state.files = rest;
        let taken: Vec<(Purpose, String, Vec<crate::FileRef>)> = taken;
        for (purpose, name, files) in taken {
            let (settings, others): (Vec<_>, Vec<_>) = files
                .into_iter()
                .partition(|file| purpose == Purpose::Settings || super::model::is_settings_file(&file.name));
            if purpose == Purpose::Dropped && others.is_empty() {
                state.screen = Screen::Method;
            }
            for file in settings {
                self.open_settings(&file.name, file.text.as_deref(), &mut state.settings);
            }
            if !others.is_empty() {
                state.files.push((purpose, name, others));
            }
        }
    }

    fn open_settings(&mut self, name: &str, text: Option<&str>, settings: &mut Settings) {
        self.file_problems.clear();
        let Some(text) = text else {
            self.file_problems
                .push(format!("{name}: not a text file; settings are TOML, as in a run folder's run.toml"));
            return;
        };
        let draft = match RunConfigDraft::from_toml(text) {
            Ok(draft) => draft,
            Err(error) => {
                self.file_problems.push(format!("{name}: {error}"));
                return;
            }
        };
        // Wrong values are taken over all the same: each then shows its error beside it. Unknown names have no place.
        if let Err(errors) = draft.check() {
            let unknown = errors.iter().filter(|error| FieldSpec::find(&error.field).is_none());
            self.file_problems.extend(unknown.map(|error| format!("{name}: {error}")));
        }
        settings.clear();
        for field in FIELDS.iter().filter(|field| !command::is_about_files(field)) {
            if let Some(value) = draft.text(field.name) {
                editor::set(settings, field, &list_without_brackets(&value));
            }
        }
    }

    /// Draws it.
    pub fn show(&mut self, ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        self.take_files(state);
        let lead =
            "What is trained, what is pruned, and every number that decides how. Hints show the defaults.";
        form::page(ui, "Method", lead, |ui| {
            if state.activity().is_some_and(Activity::is_under_way) {
                let text = "A run is going on. What you change here applies to the next run.";
                form::call_out(ui, Tone::Note, text, &[]);
            }
            if !self.file_problems.is_empty() {
                form::call_out(ui, Tone::Error, "The settings file has mistakes", &self.file_problems);
            }
            if !state.shows("settings") {
                let text = "The link that opened this window hides the settings: they are as the link says.";
                form::call_out(ui, Tone::Note, text, &[]);
                return;
            }
            presets::show(ui, &mut state.settings);
            let errors = problems(state);
            let copied = self.copied.clone();
            form::columns(ui, 2, |columns| {
                let last = columns.len() - 1;
                summary::show(&mut columns[last], state, &errors);
                self.copied = summary::show_command(&mut columns[last], state, copied, actions);
                self.show_common(&mut columns[0], state, &errors);
            });
            self.show_rest(ui, state, &errors);
        });
    }
}

/// `["query", "value"]`, as a list reads in a file, as the form and the command line write it.
fn list_without_brackets(value: &str) -> String {
    match value.strip_prefix('[').and_then(|value| value.strip_suffix(']')) {
        Some(inner) => {
            inner.split(',').map(|name| name.trim().trim_matches('"')).collect::<Vec<_>>().join(",")
        }
        None => value.to_owned(),
    }
}

/// Everything that is wrong with the present settings, also against the loaded model.
fn problems(state: &AppState) -> Vec<FieldError> {
    state.checked(&command::draft(&state.settings)).err().unwrap_or_default()
}
