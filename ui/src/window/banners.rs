//! What must be seen whatever screen is open: a run to go on with, refusals, failures, messages.

use dsee_core::protocol::{Command, Problem};
use egui::{Button, Color32, Frame, Margin, RichText, Stroke, Ui, vec2};

use super::failure;
use crate::{
    shell::Action,
    state::{AppState, Screen},
    theme::{ROUND, SPACE, TARGET, colours},
    widgets::primary_button,
};

/// Draws all of them, one below the other.
pub fn show(ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
    if let Some(why) = state.read_only.clone() {
        read_only(ui, &why);
    }
    if state.failure.is_some() || state.engine_gone {
        failure::show(ui, state, actions);
    }
    if state.rejected.is_some() {
        rejected(ui, state);
    }
    last_run(ui, state, actions);
    messages(ui, state);
}

/// A box across the screen with an edge in the colour of its meaning.
pub fn banner<R>(ui: &mut Ui, meaning: Color32, content: impl FnOnce(&mut Ui) -> R) -> R {
    let colours = colours(ui);
    let side = if ui.available_width() < crate::theme::NARROW { SPACE[2] } else { SPACE[4] };
    let frame = Frame::new()
        .fill(colours.surface)
        .stroke(Stroke::new(1.0, meaning))
        .corner_radius(ROUND)
        .inner_margin(SPACE[2])
        .outer_margin(Margin { left: side as i8, right: side as i8, top: SPACE[1] as i8, bottom: 0 });
    let shown = frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().interact_size.y = 0.0;
        content(ui)
    });
    shown.inner
}

fn read_only(ui: &mut Ui, why: &str) {
    banner(ui, colours(ui).warning, |ui| {
        ui.label(RichText::new("⚠ Only looking").strong());
        ui.label(why);
    });
}

/// Everything that is wrong with what was asked, and the way to where it can be corrected.
fn rejected(ui: &mut Ui, state: &mut AppState) {
    let Some((command, problems)) = &state.rejected else { return };
    let place = place(command, problems);
    // The screens of model and data tell of their own files themselves.
    if place == state.screen && matches!(command, Command::LoadModel { .. } | Command::LoadData { .. }) {
        return;
    }
    let title = title(command);
    let (mut go, mut close) = (false, false);
    banner(ui, colours(ui).error, |ui| {
        ui.label(RichText::new(format!("✖ {title}")).strong().color(colours(ui).error));
        for problem in problems {
            ui.horizontal_wrapped(|ui| {
                // A sentence that begins with the setting's name needs it no second time.
                if !problem.field.is_empty() && !problem.text.starts_with(&problem.field) {
                    ui.label(RichText::new(&problem.field).monospace().color(colours(ui).error));
                }
                ui.label(&problem.text);
            });
        }
        ui.horizontal_wrapped(|ui| {
            if place != state.screen {
                let button = primary_button(ui, &format!("Open {}", place.name()));
                go = ui.add(button).clicked();
            }
            close = ui.add(Button::new("Close").min_size(vec2(TARGET, TARGET))).clicked();
        });
    });
    if go {
        state.screen = place;
    }
    if close {
        state.rejected = None;
    }
}

fn title(command: &Command) -> &'static str {
    match command {
        Command::Start { .. } => "The run cannot start yet",
        Command::Restore { .. } => "The run cannot go on",
        Command::LoadModel { .. } => "This model cannot be used",
        Command::LoadData { .. } => "These data cannot be used",
        Command::Export { .. } => "This cannot be exported",
        _ => "This cannot be done now",
    }
}

/// The screen where the problems can be corrected.
fn place(command: &Command, problems: &[Problem]) -> Screen {
    match command {
        Command::LoadModel { .. } => Screen::Model,
        Command::LoadData { .. } => Screen::Data,
        Command::Export { .. } => Screen::Export,
        Command::Predict { .. }
        | Command::Write { .. }
        | Command::StopWriting { .. }
        | Command::Judge { .. } => Screen::TryIt,
        Command::Inspect { .. } => Screen::Inspect,
        _ => match problems.first().map_or("", |problem| problem.field.as_str()) {
            "model" => Screen::Model,
            "train_file" | "validation_file" | "text_column" | "text_pair_column" | "label_column" => {
                Screen::Data
            }
            _ => Screen::Method,
        },
    }
}

/// Offers to go on with the run that was cut off.
fn last_run(ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
    let busy = state.run().is_some_and(|run| run.activity.is_under_way());
    let Some(saved) = state.last_run.clone().filter(|_| !busy && state.read_only.is_none()) else { return };
    let question = format!("Resume last run (step {}, {} ago)?", saved.step, ago(saved.minutes_ago));
    let (mut resume, mut not_now) = (false, false);
    banner(ui, colours(ui).accent, |ui| {
        // Words and buttons in lines of their own: side by side they would not fit a narrow window.
        ui.label(RichText::new(question).strong());
        if !saved.report.title.is_empty() {
            ui.label(RichText::new(&saved.report.title).weak());
        }
        ui.horizontal_wrapped(|ui| {
            let button = primary_button(ui, "Resume");
            resume = ui.add_enabled(state.adapter.is_some() && !state.engine_gone, button).clicked();
            not_now = ui.add(Button::new("Not now").min_size(vec2(TARGET, TARGET))).clicked();
        });
    });
    if resume {
        state.resume_saved(&saved, actions);
    } else if not_now {
        state.last_run = None;
    }
}

/// Minutes as people say them.
fn ago(minutes: u64) -> String {
    match minutes {
        0 => "less than a minute".to_owned(),
        1..60 => format!("{minutes} min"),
        60..2880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}

/// The newest message; the others come when it is closed.
fn messages(ui: &mut Ui, state: &mut AppState) {
    let Some(text) = state.messages.last() else { return };
    let mut close = false;
    banner(ui, colours(ui).border, |ui| {
        ui.horizontal_top(|ui| {
            let room = ui.available_width() - TARGET * 2.5;
            ui.allocate_ui(vec2(room, 0.0), |ui| ui.add(egui::Label::new(text).wrap()));
            close = ui.add(Button::new("Dismiss").min_size(vec2(TARGET, TARGET))).clicked();
        });
    });
    if close {
        state.messages.pop();
    }
}
