//! Screen: what it learns from.

mod choose;
mod files;
mod preview;
mod shape;

use dsee_core::{
    protocol::{Command, DataForm, Event},
    source::NamedBytes,
};
use egui::Ui;

use crate::{
    shell::Action,
    state::AppState,
    widgets::{
        self,
        form::{self, Tone},
        numbers::{percent, thousands},
    },
};

/// What the screen remembers.
#[derive(Default)]
pub struct DataScreen {
    files: files::DataFiles,
    /// Text in the box for pasting.
    pasted: String,
}

impl DataScreen {
    /// Takes what it needs of an event's bytes.
    pub fn event(&mut self, _event: &Event, _attachments: &[NamedBytes]) {}

    /// Takes data files out of what was chosen or dropped, whatever screen is open.
    pub fn take_files(&mut self, state: &mut AppState, actions: &mut Vec<Action>) {
        self.files.take(state, actions);
    }

    /// Draws it.
    pub fn show(&mut self, ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        self.take_files(state, actions);
        let lead =
            "Text to learn from, with labels or without. It is read on this device and never leaves it.";
        form::page(ui, "Data", lead, |ui| {
            self.show_problems(ui, state);
            form::columns(ui, 2, |columns| {
                let last = columns.len() - 1;
                self.show_sources(&mut columns[0], state, actions);
                show_card(&mut columns[last], state, actions);
            });
            if let Some(data) = &state.data {
                preview::show(ui, data);
                form::columns(ui, 2, |columns| {
                    let last = columns.len() - 1;
                    shape::show_lengths(&mut columns[0], data, state);
                    preview::show_tokens(&mut columns[last], data);
                });
            }
        });
    }

    fn show_problems(&self, ui: &mut Ui, state: &AppState) {
        if !self.files.problems.is_empty() {
            form::call_out(ui, Tone::Warning, "Not all files were used", &self.files.problems);
        }
        if let Some((Command::LoadData { .. }, problems)) = &state.rejected {
            let lines: Vec<String> = problems.iter().map(|problem| format!("• {}", problem.text)).collect();
            form::call_out(ui, Tone::Error, "These data cannot be used", &lines);
        }
        if let Some(data) = state.data.as_ref().filter(|data| !data.warnings.is_empty()) {
            let lines: Vec<String> = data.warnings.iter().map(|warning| format!("• {warning}")).collect();
            form::call_out(ui, Tone::Warning, &format!("Look at {} before training", data.name), &lines);
        }
    }
}

/// What was read: sizes, columns, classes.
fn show_card(ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
    widgets::card(ui, "Loaded data", |ui| {
        if let Some((what, share)) = &state.working {
            ui.label(what);
            widgets::progress_line(ui, what, share.unwrap_or(0.0) as f32, ui.available_width());
        }
        let Some(data) = state.data.clone() else {
            let text = if state.model.is_some() {
                "Use the built-in sentences to start at once, or choose a table of your own."
            } else {
                "Load a model first: data are read with its tokenizer."
            };
            widgets::empty_state(ui, "No data yet", text, None);
            return;
        };
        ui.label(egui::RichText::new(&data.name).strong());
        widgets::stats::stats(
            ui,
            &[
                ("To train on", thousands(data.n_train)),
                ("To validate on", thousands(data.n_validation)),
                ("Mean tokens", format!("{:.0}", data.mean_length)),
                ("Cut short", percent(data.truncated_share)),
            ],
            |_| {},
        );
        let validation = data.validation_name.as_deref().unwrap_or("a part of the training file, held out");
        form::fact(ui, "Validated on", validation);
        if data.form != DataForm::Labelled {
            if data.n_texts > 0 {
                form::fact(ui, "Texts of the training meanings", &thousands(data.n_texts));
            }
            return;
        }
        if !data.embedded {
            choose::show_columns(ui, &data, state, actions);
        }
        shape::show_classes(ui, &data);
    });
}
