//! Pieces that screens are made of, so that they look and behave alike.

pub mod heat_map;

use egui::{Frame, Response, RichText, Ui};

use crate::theme::{SPACE, TARGET, colours};

/// A panel with a heading.
pub fn card<R>(ui: &mut Ui, title: &str, content: impl FnOnce(&mut Ui) -> R) -> R {
    Frame::group(ui.style())
        .inner_margin(SPACE[3])
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.heading(title);
            ui.add_space(SPACE[1]);
            content(ui)
        })
        .inner
}

/// A number with its name.
pub fn stat(ui: &mut Ui, name: &str, value: &str) {
    ui.vertical(|ui| {
        ui.label(RichText::new(name).small().weak());
        ui.label(RichText::new(value).strong());
    });
}

/// What stands where there is nothing yet: says what to do, and offers it. True when it was pressed.
pub fn empty_state(ui: &mut Ui, title: &str, text: &str, button: Option<&str>) -> bool {
    ui.vertical_centered(|ui| {
        ui.add_space(SPACE[4]);
        ui.heading(title);
        ui.label(RichText::new(text).weak());
        ui.add_space(SPACE[2]);
        button.is_some_and(|button| primary(ui, button).clicked())
    })
    .inner
}

/// The one button of a screen that asks to be pressed.
pub fn primary(ui: &mut Ui, text: &str) -> Response {
    let colours = colours(ui);
    let text = RichText::new(text).strong().color(egui::Color32::WHITE);
    ui.add(egui::Button::new(text).fill(colours.accent).min_size(egui::vec2(TARGET * 2.5, TARGET)))
}

/// A sentence about something wrong, in the colour for it.
pub fn error_line(ui: &mut Ui, text: &str) {
    ui.colored_label(colours(ui).error, text);
}
