//! Before the first run: what will happen, in three lines, and the button that makes it happen.

use dsee_core::config::{Method, Pruning, RunConfig};
use dsee_core::protocol::DataForm;
use egui::{Align, Button, Layout, RichText, Ui, vec2};

use crate::{
    shell::Action,
    state::{AppState, presets::PRESETS},
    theme::{SPACE, TARGET, colours, display},
    widgets::{
        card,
        numbers::{percent, thousands},
        primary_button,
    },
};

/// Draws the invitation.
pub fn show(ui: &mut Ui, state: &mut AppState, narrow: bool, actions: &mut Vec<Action>) {
    if !narrow {
        ui.add_space(SPACE[4]);
    }
    let config = state.run_config();
    let steps = match &config {
        Ok(config) => plan(state, config),
        Err(_) => Vec::new(),
    };
    card(ui, "", |ui| {
        ui.label(RichText::new("Watch a model learn, shrink and recover").text_style(display()).strong());
        ui.label(RichText::new(lead(state)).weak());
        ui.add_space(SPACE[1]);
        for (number, (name, text)) in steps.iter().enumerate() {
            line(ui, number + 1, name, text);
        }
        if config.is_err() {
            ui.label("The settings cannot be used as they are: the Method screen says what to correct.");
        }
        ui.add_space(SPACE[2]);
        if narrow {
            ui.vertical_centered(|ui| start_row(ui, state, narrow, actions));
        } else {
            ui.horizontal(|ui| start_row(ui, state, narrow, actions));
        }
    });
    card(ui, "You could try", |ui| try_these(ui, state));
}

/// The button that asks to be pressed, and what it waits for.
fn start_row(ui: &mut Ui, state: &mut AppState, narrow: bool, actions: &mut Vec<Action>) {
    let button = primary_button(ui, "▶ Start training").min_size(vec2(TARGET * 4.5, TARGET * 1.2));
    if ui.add_enabled(state.can_start(), button).clicked() {
        state.start(actions);
    }
    let hint = waits(state, narrow);
    ui.add(egui::Label::new(RichText::new(hint).weak()).wrap());
}

/// What it will be done with.
fn lead(state: &AppState) -> String {
    let (Some(model), Some(data)) = (&state.model, &state.data) else {
        return "Model and data are being read.".to_owned();
    };
    let name = if model.embedded && model.is_decoder {
        "the built-in decoder"
    } else if model.embedded {
        "the built-in model"
    } else {
        &model.name
    };
    let set = if data.embedded && data.form == DataForm::Generation {
        "built-in meanings"
    } else if data.embedded {
        "built-in sentences"
    } else {
        "of your examples"
    };
    let free = if model.embedded && data.embedded { " Nothing is downloaded." } else { "" };
    format!("With {name} and {} {set}.{free}", thousands(data.n_train))
}

/// Why Start cannot be pressed yet, or how else it can be.
fn waits(state: &AppState, narrow: bool) -> String {
    if state.can_start() {
        // Narrow windows are touched, not typed into.
        return if narrow { String::new() } else { "or Ctrl/Cmd + Enter".to_owned() };
    }
    match &state.working {
        Some((what, Some(share))) => format!("{what}, {}", percent(*share)),
        Some((what, None)) => what.clone(),
        None if state.adapter.is_none() => "The engine is starting.".to_owned(),
        None => "Model and data are being read.".to_owned(),
    }
}

/// Name and sentence of each phase.
fn plan(state: &AppState, config: &RunConfig) -> Vec<(&'static str, String)> {
    let numbers = state.model.as_ref().map(|model| {
        let (n, all) = (model.n_trainable(config), model.n_parameters.max(1));
        format!("{} numbers ({} of the model)", thousands(n), percent(n as f64 / all as f64))
    });
    let numbers = numbers.unwrap_or_else(|| "A few numbers".to_owned());
    let tune = match config.method {
        Method::Dsee => format!(
            "{numbers} learn beside the frozen weights: rank {} plus {} sparse entries in each adapted matrix.",
            config.rank, config.nnz
        ),
        Method::Lora => format!("{numbers} learn beside the frozen weights: rank {}.", config.rank),
        Method::Full => format!("{numbers} learn: all of them."),
        Method::Bitfit => format!("{numbers} learn: the biases."),
        Method::FtTop2 => format!("{numbers} learn: the last two layers."),
        Method::Adapters => format!("{numbers} learn in bottlenecks between the frozen layers."),
        Method::PTuning => {
            format!("{numbers} learn: {} keys and values before those of every layer.", config.prefix_length)
        }
        Method::Prefix => {
            let kept =
                state.model.as_ref().map(|model| format!(", {} numbers", thousands(model.n_kept(config))));
            format!(
                "{numbers} learn to compute {} keys and values before those of every layer. Only these{} are kept.",
                config.prefix_length,
                kept.unwrap_or_default()
            )
        }
        Method::EarlyBert => {
            format!(
                "{numbers} learn for a fifth of an epoch, to find the heads and neurons that matter least."
            )
        }
        Method::BertTickets => {
            format!("{numbers} learn, in rounds that each remove a tenth of the weights and start again.")
        }
    };
    let mut steps = vec![("Tune", tune)];
    let pruned = match config.prune {
        Pruning::None => None,
        Pruning::Unstructured { sparsity } => Some(format!(
            "{:.0} % of the weights become zero: those that matter least by what tuning changed.",
            100.0 * sparsity
        )),
        Pruning::Heads { n_heads: 1 } => Some("One attention head of every layer is removed.".to_owned()),
        Pruning::Heads { n_heads } => Some(format!("{n_heads} attention heads of every layer are removed.")),
    };
    if let Some(pruned) = pruned {
        steps.push(("Prune", pruned));
        if config.retune_epochs > 0.0 {
            steps.push((
                "Retune",
                "The same few numbers learn on, and the curve shows what comes back.".to_owned(),
            ));
        }
    }
    steps
}

fn line(ui: &mut Ui, number: usize, name: &str, text: &str) {
    let colours = colours(ui);
    ui.with_layout(Layout::left_to_right(Align::Min), |ui| {
        let (dot, _) = ui.allocate_exact_size(vec2(28.0, 28.0), egui::Sense::hover());
        ui.painter().circle_filled(dot.center(), 13.0, colours.raised);
        let font = egui::FontId::proportional(crate::theme::TYPE[1]);
        ui.painter().text(
            dot.center(),
            egui::Align2::CENTER_CENTER,
            number.to_string(),
            font,
            colours.strong,
        );
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            ui.label(RichText::new(name).strong());
            ui.label(RichText::new(text).weak());
        });
    });
}

/// Presets, one press each; what is chosen already says so.
fn try_these(ui: &mut Ui, state: &mut AppState) {
    ui.horizontal_wrapped(|ui| {
        for preset in &PRESETS {
            let mut changed = state.settings.clone();
            preset.apply(&mut changed);
            let chosen = changed == state.settings;
            let button = Button::selectable(chosen, preset.name)
                .min_size(vec2(TARGET, TARGET))
                .frame_when_inactive(true);
            if ui.add(button).on_hover_text(preset.text).clicked() {
                state.settings = changed;
            }
        }
    });
    let mine = PRESETS.iter().find(|preset| {
        let mut changed = state.settings.clone();
        preset.apply(&mut changed);
        changed == state.settings
    });
    let text = mine.map_or(
        "Each is one run. The present settings are none of them: tune, prune 30 %, retune.",
        |preset| preset.text,
    );
    ui.label(RichText::new(text).weak());
}
