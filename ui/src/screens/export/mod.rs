//! Screen: files out.

mod formats;
mod report;

use std::collections::BTreeMap;

use dsee_core::{
    protocol::{Command, Event, ExportFormat, Exported, RunId},
    source::NamedBytes,
};
use egui::Ui;

use crate::{
    shell::Action,
    state::{AppState, RunView, Screen},
    widgets::{
        self,
        form::{self, Tone},
    },
};

/// A form that was written, with its files.
struct Written {
    exported: Exported,
    files: Vec<NamedBytes>,
    /// Steps of the run when it was first shown; the run may go on afterwards.
    step: Option<usize>,
}

/// What the screen remembers.
#[derive(Default)]
pub struct ExportScreen {
    written: BTreeMap<(RunId, ExportFormat), Written>,
    /// What was asked for and is not here yet.
    waiting: Option<(RunId, ExportFormat)>,
    /// The snippet that was copied last.
    copied: Option<ExportFormat>,
}

impl ExportScreen {
    /// Keeps the files of an export until they are saved.
    pub fn event(&mut self, event: &Event, attachments: &[NamedBytes]) {
        match event {
            Event::Exported { run, exported } => {
                // Whole models are large: only those of one run are kept.
                self.written.retain(|(other, _), _| other == run);
                let written = Written { exported: exported.clone(), files: attachments.to_vec(), step: None };
                self.written.insert((*run, exported.format), written);
                self.waiting = None;
            }
            Event::Rejected { command: Command::Export { .. }, .. } | Event::Failed(_) => self.waiting = None,
            _ => {}
        }
    }

    /// Draws it.
    pub fn show(&mut self, ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        let lead =
            "Take the tuned model with you. Every file is read back and compared before it is offered.";
        form::page(ui, "Export", lead, |ui| {
            let Some((id, run)) = state.current.and_then(|id| Some((id, state.runs.get(&id)?))) else {
                return nothing(ui, state);
            };
            if run.step() == 0 || run.discarded {
                return nothing(ui, state);
            }
            if let Some((Command::Export { .. }, problems)) = &state.rejected {
                let lines: Vec<String> =
                    problems.iter().map(|problem| format!("• {}", problem.text)).collect();
                form::call_out(ui, Tone::Error, "This form cannot be written", &lines);
            }
            self.show_formats(ui, id, run, actions);
            report::show(ui, run, actions);
        });
    }

    fn show_formats(&mut self, ui: &mut Ui, id: RunId, run: &RunView, actions: &mut Vec<Action>) {
        // Four in a row would be too narrow to read.
        let n_columns = if formats::forms(run).count() > 3 { 2 } else { 3 };
        form::columns(ui, n_columns, |columns| {
            let n = columns.len();
            for (i, format) in formats::forms(run).enumerate() {
                self.show_format(&mut columns[i % n], format, id, run, actions);
            }
        });
    }
}

/// Nothing was trained yet.
fn nothing(ui: &mut Ui, state: &mut AppState) {
    widgets::card(ui, "", |ui| {
        let text = "Train a model first; then it can be saved as a small adapter, as a whole model, \
                    or as the exact state of this program.";
        if widgets::empty_state(ui, "Nothing to export yet", text, Some("Go to Train")) {
            state.screen = Screen::Train;
        }
    });
}
