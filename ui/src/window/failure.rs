//! Something broke: what happened, what to do, and a report that can be passed on.

use dsee_core::{
    config::PATHS,
    protocol::{FailureKind, FailureReport},
};
use egui::{Button, CollapsingHeader, RichText, ScrollArea, Ui, vec2};
use std::fmt::Write as _;

use super::banners::banner;
use crate::{
    shell::Action,
    state::{AppState, Remedy},
    theme::{TARGET, colours},
    widgets::{numbers::bytes, primary_button},
};

/// What was pressed.
#[derive(Default)]
struct Pressed {
    remedy: Option<Remedy>,
    restart: bool,
    /// Whether the new engine is to let the GPU work in shorter pieces.
    shorter: bool,
    resume: bool,
    close: bool,
}

/// Draws the panel.
pub fn show(ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
    let report = state.failure.clone().unwrap_or_else(engine_gone);
    let mut pressed = Pressed::default();
    banner(ui, colours(ui).error, |ui| {
        ui.label(RichText::new(format!("✖ {}", title(report.kind))).heading().color(colours(ui).error));
        ui.label(&report.text);
        ui.label(RichText::new(&report.advice).strong());
        if let Some(step) = report.last_good_step {
            ui.label(format!("The state after step {step} is good and was kept."));
        }
        ui.horizontal_wrapped(|ui| buttons(ui, state, &report, &mut pressed));
        CollapsingHeader::new("Technical text").show(ui, |ui| {
            ScrollArea::vertical().max_height(160.0).show(ui, |ui| {
                ui.add(egui::Label::new(RichText::new(report_text(state)).monospace()).selectable(true));
            });
        });
    });
    act(pressed, state, actions);
}

fn buttons(ui: &mut Ui, state: &AppState, report: &FailureReport, pressed: &mut Pressed) {
    let plain = |ui: &mut Ui, text: &str| ui.add(Button::new(text).min_size(vec2(TARGET, TARGET))).clicked();
    if state.engine_gone {
        let button = primary_button(ui, "Start a new engine");
        pressed.restart = ui.add(button).clicked();
        if report.kind == FailureKind::DeviceLost {
            pressed.shorter = plain(ui, "Start a new engine with shorter GPU work");
        }
    } else if let Some(remedy) = AppState::remedy(report.kind).filter(|_| state.can_start()) {
        let text = match remedy {
            Remedy::SmallerRate => "Try again with a third of the learning rate",
            Remedy::SmallerBatch => "Try again with half the batch",
            Remedy::ShorterWork if state.last_run.is_some() => "Go on with shorter GPU work",
            Remedy::ShorterWork => "Try again with shorter GPU work",
        };
        let button = primary_button(ui, text);
        pressed.remedy = ui.add(button).clicked().then_some(remedy);
    }
    if let Some(saved) = state.last_run.as_ref().filter(|_| !state.engine_gone) {
        pressed.resume = plain(ui, &format!("Resume from step {}", saved.step));
    }
    if plain(ui, "Copy report") {
        ui.ctx().copy_text(report_text(state));
    }
    if !state.engine_gone {
        pressed.close = plain(ui, "Close");
    }
}

fn act(pressed: Pressed, state: &mut AppState, actions: &mut Vec<Action>) {
    if pressed.shorter {
        state.ask_shorter_work();
    }
    if pressed.restart || pressed.shorter {
        // Until the new engine says that it is ready, nothing can be started.
        (state.failure, state.adapter, state.engine_gone) = (None, None, false);
        actions.push(Action::RestartEngine);
    }
    if let Some(remedy) = pressed.remedy {
        state.try_again(remedy, actions);
    }
    if pressed.close {
        state.failure = None;
    }
    if pressed.resume
        && let Some(saved) = state.last_run.clone()
    {
        state.resume_saved(&saved, actions);
    }
}

fn title(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::NoDevice => "No device to compute on",
        FailureKind::DeviceLost => "The GPU went away",
        FailureKind::OutOfMemory => "The GPU has not enough memory",
        FailureKind::NotFinite => "The loss is not a number any more",
        FailureKind::Crashed => "The engine stopped",
        FailureKind::Other => "Something went wrong",
    }
}

/// For an engine that ended without a word.
fn engine_gone() -> FailureReport {
    FailureReport {
        kind: FailureKind::Crashed,
        run: None,
        text: "The engine ended without saying why.".to_owned(),
        advice: "Start a new one; it reads the model and the data again.".to_owned(),
        last_good_step: None,
    }
}

/// All that helps to find out what happened: no file name, no row of data, no token.
pub fn report_text(state: &AppState) -> String {
    let mut out = format!("DSEE Studio {}\n", env!("CARGO_PKG_VERSION"));
    if let Some(failure) = &state.failure {
        let _ = writeln!(out, "failure: {:?}: {} {}", failure.kind, failure.text, failure.advice);
    }
    if let Some(a) = &state.adapter {
        let _ = writeln!(out, "adapter: {} ({}, {}, {})", a.name, a.backend, a.driver, a.kind);
        let _ = writeln!(
            out,
            "limits: buffer {}, binding {}, workgroup {} invocations; features: {}",
            bytes(a.max_buffer_bytes),
            bytes(a.max_binding_bytes),
            a.max_workgroup_invocations,
            a.features.join(", ")
        );
    }
    if let Some(model) = &state.model {
        let _ = writeln!(out, "model: {}, {} parameters", model.family, model.n_parameters);
    }
    let settings = state.settings.iter().filter(|(name, _)| !PATHS.contains(&name.as_str()));
    let settings: Vec<String> = settings.map(|(name, value)| format!("{name} = {value}")).collect();
    let _ = writeln!(out, "settings: {}", settings.join(", "));
    for line in state.log.lines() {
        let _ = writeln!(out, "  {line}");
    }
    out
}
