//! What the settings amount to: trained numbers, the command, the settings file.

use dsee_core::{config::FieldError, source::NamedBytes};
use egui::{RichText, Ui};

use super::command;
use crate::{
    shell::{Action, Purpose},
    state::AppState,
    theme::{SPACE, colours, display},
    widgets::{
        self,
        form::{self, Tone},
        numbers::{bytes, percent, thousands},
    },
};

/// How much is trained, live.
pub(super) fn show(ui: &mut Ui, state: &AppState, errors: &[FieldError]) {
    widgets::card(ui, "What is trained", |ui| {
        match (command::draft(&state.settings).check(), &state.model) {
            (Ok(config), Some(model)) => {
                let n_trained = model.n_trainable(&config);
                let share = n_trained as f64 / model.n_parameters.max(1) as f64;
                ui.label(RichText::new(thousands(n_trained)).text_style(display()).strong());
                let text =
                    format!("trainable parameters, {} of {}", percent(share), thousands(model.n_parameters));
                ui.label(RichText::new(text).weak());
                share_bar(ui, share as f32);
                let n_kept = model.n_kept(&config);
                if n_kept != n_trained {
                    form::fact(ui, "Kept of them after tuning", &thousands(n_kept));
                }
                form::fact(ui, "Memory of a run, at most", &bytes(model.memory_bytes(&config).total()));
            }
            (Ok(_), None) => {
                drop(ui.label(RichText::new("Load a model to see how many numbers are trained.").weak()))
            }
            (Err(_), _) => drop(ui.label(RichText::new("Not known while a setting is wrong.").weak())),
        }
    });
    if !errors.is_empty() {
        let lines: Vec<String> = errors.iter().map(|error| format!("• {error}")).collect();
        let title = match lines.len() {
            1 => "One setting is wrong".to_owned(),
            n => format!("{n} settings are wrong"),
        };
        form::call_out(ui, Tone::Error, &title, &lines);
    }
}

fn share_bar(ui: &mut Ui, share: f32) {
    let size = egui::vec2(ui.available_width(), SPACE[1]);
    let (rect, _) = ui.allocate_exact_size(size, egui::Sense::hover());
    let colours = colours(ui);
    ui.painter().rect_filled(rect, SPACE[0], colours.zero.gamma_multiply(0.4));
    let width = (rect.width() * share.clamp(0.0, 1.0)).max(2.0);
    ui.painter().rect_filled(rect.with_max_x(rect.left() + width), SPACE[0], colours.accent);
}

/// The command and the settings file. Gives the command that was copied last.
pub(super) fn show_command(
    ui: &mut Ui,
    state: &AppState,
    mut copied: Option<String>,
    actions: &mut Vec<Action>,
) -> Option<String> {
    widgets::card(ui, "The same run elsewhere", |ui| {
        let line = command::command_line(state);
        ui.label(RichText::new(&line).monospace());
        if state.model.as_ref().is_some_and(|model| !model.embedded) {
            let text = "A window knows names, not places: put the path before the names of files.";
            ui.label(RichText::new(text).small().weak());
        }
        form::row(ui, |ui| {
            let is_copied = copied.as_ref() == Some(&line);
            if form::button(ui, if is_copied { "✔ Copied" } else { "Copy command" }).clicked() {
                ui.ctx().copy_text(line.clone());
                copied = Some(line.clone());
            }
            if form::button(ui, "Save run.toml").clicked() {
                let bytes = command::run_toml(state).into_bytes();
                let file = NamedBytes { name: "run.toml".to_owned(), bytes };
                actions.push(Action::Save { name: "run.toml".to_owned(), files: vec![file] });
            }
            if form::button(ui, "Load run.toml…").clicked() {
                actions.push(Action::Pick(Purpose::Settings));
            }
        });
        if !state.settings.is_empty() {
            let text = format!("{} settings differ from their defaults.", state.settings.len());
            ui.label(RichText::new(text).small().weak());
        }
    });
    copied
}
