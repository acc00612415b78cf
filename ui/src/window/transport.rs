//! The buttons that drive the run, and how far it is. On every screen.

use dsee_core::protocol::Command;
use egui::{Align, Button, Id, Label, Layout, Modal, RichText, Ui, vec2};

use super::keys::{START, STOP};
use crate::{
    shell::Action,
    state::{Activity, AppState},
    theme::{SPACE, TARGET},
    widgets::{
        numbers::{duration, thousands},
        primary, primary_button, progress_line,
    },
};

/// Draws the bar.
pub fn show(ui: &mut Ui, state: &mut AppState, narrow: bool, confirm: &mut bool, actions: &mut Vec<Action>) {
    if narrow {
        ui.scope(|ui| {
            ui.spacing_mut().interact_size.y = 0.0;
            words(ui, state);
        });
        progress_line(ui, "Progress of the run", share(state), ui.available_width());
        ui.horizontal(|ui| buttons(ui, state, true, confirm, actions));
    } else {
        ui.horizontal(|ui| {
            buttons(ui, state, false, confirm, actions);
            ui.add_space(SPACE[2]);
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = SPACE[0];
                ui.spacing_mut().interact_size.y = 0.0;
                words(ui, state);
                progress_line(ui, "Progress of the run", share(state), ui.available_width());
            });
        });
    }
}

fn share(state: &AppState) -> f32 {
    match (state.run(), &state.working) {
        (Some(run), _) if run.activity.is_under_way() => run.progress().share(),
        (_, Some((_, share))) => share.unwrap_or(0.0) as f32,
        (Some(run), None) => run.progress().share(),
        (None, None) => 0.0,
    }
}

fn words(ui: &mut Ui, state: &AppState) {
    let (left, right) = sentence(state);
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.label(RichText::new(right).weak());
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add(Label::new(RichText::new(left).strong()).truncate());
            });
        });
    });
}

/// What goes on, and how long it will take.
fn sentence(state: &AppState) -> (String, String) {
    let run = state.run().filter(|run| run.activity.is_under_way() || state.working.is_none());
    let Some(run) = run else {
        return (waiting(state), String::new());
    };
    let progress = run.progress();
    let left = match progress.n_steps {
        0 => progress.doing.to_owned(),
        n => format!("{} · step {} of {}", progress.doing, thousands(progress.step), thousands(n)),
    };
    let right = match (progress.seconds_left, run.activity) {
        (Some(seconds), _) => format!("{} left", duration(seconds)),
        (None, Activity::Finished) => {
            run.summary.as_ref().map_or(String::new(), |s| format!("in {}", duration(s.seconds)))
        }
        (None, _) => String::new(),
    };
    (left, right)
}

fn waiting(state: &AppState) -> String {
    if state.engine_gone {
        return "The engine has ended".to_owned();
    }
    match &state.working {
        Some((what, _)) => what.clone(),
        None if state.can_start() => "Ready".to_owned(),
        None if state.read_only.is_some() => "Only looking".to_owned(),
        None if state.adapter.is_none() => "Starting the engine".to_owned(),
        None => "Reading model and data".to_owned(),
    }
}

fn buttons(ui: &mut Ui, state: &mut AppState, narrow: bool, confirm: &mut bool, actions: &mut Vec<Action>) {
    let free = state.read_only.is_none();
    let activity = state.activity();
    let under_way = free && activity.is_some_and(Activity::is_under_way);
    main_button(ui, state, activity, free, actions);
    let paused = free && activity == Some(Activity::Paused);
    if plain(ui, paused, "⏭ Step", "One optimizer step, then wait again") {
        state.drive(|run| Command::Step { run }, actions);
    }
    let keys = ui.ctx().format_shortcut(&STOP);
    let stop = if narrow { "⏹ Stop" } else { "⏹ Stop and keep" };
    if plain(ui, under_way, stop, &format!("End the run after this step and keep what was trained ({keys})"))
    {
        state.drive(|run| Command::Stop { run, keep: true }, actions);
    }
    let discard = if narrow { "🗑" } else { "🗑 Discard" };
    if plain(ui, under_way, discard, "Discard: end the run and throw away what was trained") {
        *confirm = true;
    }
}

/// Start, pause or resume, whichever can be done.
fn main_button(
    ui: &mut Ui,
    state: &mut AppState,
    activity: Option<Activity>,
    free: bool,
    actions: &mut Vec<Action>,
) {
    let keys = ui.ctx().format_shortcut(&START);
    match activity {
        Some(Activity::Running | Activity::Starting) => {
            let enabled = free && activity == Some(Activity::Running);
            let button = Button::new("⏸ Pause").min_size(vec2(TARGET * 2.5, TARGET));
            let response = ui.add_enabled(enabled, button);
            if response.on_hover_text("Wait after this step").clicked() {
                state.drive(|run| Command::Pause { run }, actions);
            }
        }
        Some(Activity::Paused) => {
            let button = primary_button(ui, "▶ Resume");
            if ui.add_enabled(free, button).on_hover_text(format!("Go on ({keys})")).clicked() {
                state.drive(|run| Command::Resume { run }, actions);
            }
        }
        _ => {
            let button = primary_button(ui, "▶ Start");
            let hint = format!("Start a run with these settings ({keys})");
            if ui.add_enabled(state.can_start(), button).on_hover_text(hint).clicked() {
                state.start(actions);
            }
        }
    }
}

fn plain(ui: &mut Ui, enabled: bool, text: &str, hint: &str) -> bool {
    let button = Button::new(text).min_size(vec2(TARGET, TARGET));
    let response = ui.add_enabled(enabled, button).on_hover_text(hint);
    if text.chars().count() == 1 {
        let name = hint.split(':').next().unwrap_or(hint).to_owned();
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, enabled, &name));
    }
    response.clicked()
}

/// Asks before what was trained is thrown away.
pub fn confirm_discard(ui: &mut Ui, open: &mut bool, state: &AppState, actions: &mut Vec<Action>) {
    if !*open {
        return;
    }
    let response = Modal::new(Id::unique("discard")).show(ui.ctx(), |ui| {
        ui.set_width(320.0);
        ui.heading("Discard this run?");
        ui.label("What it has trained so far is lost. Its curves stay.");
        ui.add_space(SPACE[2]);
        ui.horizontal(|ui| {
            let keep = primary(ui, "Keep it").clicked();
            let discard = ui.add(Button::new("Discard it").min_size(vec2(TARGET, TARGET))).clicked();
            (keep, discard)
        })
        .inner
    });
    let (keep, discard) = response.inner;
    if discard {
        state.drive(|run| Command::Stop { run, keep: false }, actions);
    }
    if keep || discard || response.should_close() {
        *open = false;
    }
}
