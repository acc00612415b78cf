//! The presets as cards to press.

use dsee_core::protocol::Settings;
use egui::{Button, RichText, Ui};

use crate::{
    state::presets::{PRESETS, Preset},
    theme::{ROUND, SPACE, colours},
    widgets::form,
};

/// Draws them side by side, or below each other where it is narrow.
pub(super) fn show(ui: &mut Ui, settings: &mut Settings) {
    form::columns(ui, PRESETS.len(), |columns| {
        let n = columns.len();
        for (i, preset) in PRESETS.iter().enumerate() {
            show_one(&mut columns[i % n], preset, settings);
        }
    });
}

fn show_one(ui: &mut Ui, preset: &Preset, settings: &mut Settings) {
    let chosen = is_chosen(preset, settings);
    let colours = colours(ui);
    let stroke =
        if chosen { egui::Stroke::new(2.0, colours.accent) } else { egui::Stroke::new(1.0, colours.border) };
    let frame =
        egui::Frame::new().fill(colours.surface).corner_radius(ROUND).inner_margin(SPACE[2]).stroke(stroke);
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        let mark = if chosen { "✔ " } else { "" };
        let name = RichText::new(format!("{mark}{}", preset.name)).strong();
        let button =
            Button::new(name).min_size(egui::vec2(ui.available_width(), ui.spacing().interact_size.y));
        if form::named(ui.add(button.selected(chosen)), preset.name).clicked() {
            preset.apply(settings);
        }
        ui.label(RichText::new(preset.text).small().weak());
    });
}

/// Whether the settings that presets set are as this preset sets them.
fn is_chosen(preset: &Preset, settings: &Settings) -> bool {
    let mut applied = settings.clone();
    preset.apply(&mut applied);
    applied == *settings
}
