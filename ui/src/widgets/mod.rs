//! Pieces that screens are made of, so that they look and behave alike.

pub mod form;
pub mod heat_map;
pub mod numbers;
pub mod page;
pub mod stats;

use egui::text::{LayoutJob, TextWrapping};
use egui::{
    Align, Button, Color32, FontId, Frame, Label, Layout, Response, RichText, Role, Sense, Stroke,
    StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use crate::theme::{ROUND, SPACE, TARGET, TYPE, colours, display};

/// A panel with a heading; without one, if the heading is empty.
pub fn card<R>(ui: &mut Ui, title: &str, content: impl FnOnce(&mut Ui) -> R) -> R {
    let colours = colours(ui);
    Frame::new()
        .fill(colours.surface)
        .stroke(Stroke::new(1.0, colours.border))
        .corner_radius(ROUND)
        .inner_margin(SPACE[3])
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            if !title.is_empty() {
                ui.heading(title);
                ui.add_space(SPACE[0]);
            }
            content(ui)
        })
        .inner
}

/// A number with its name.
pub fn stat(ui: &mut Ui, name: &str, value: &str) {
    let width = |text: &str, size| {
        let font = FontId::proportional(size);
        ui.fonts_mut(|fonts| fonts.layout_no_wrap(text.to_owned(), font, Color32::WHITE).size().x)
    };
    // Its width is asked for in advance, so that in a row that wraps it moves to the next line as a whole.
    let size = vec2(width(name, TYPE[0]).max(width(value, TYPE[3])).ceil(), 0.0);
    ui.allocate_ui_with_layout(size, Layout::top_down(Align::Min), |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.add(Label::new(RichText::new(name).small().weak()).extend());
        ui.add(Label::new(RichText::new(value).text_style(display()).strong()).extend());
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
    ui.add(primary_button(ui, text))
}

/// [`primary`] for layouts and for buttons that are not always enabled.
pub fn primary_button<'a>(ui: &Ui, text: &str) -> Button<'a> {
    let text = RichText::new(text).strong().color(Color32::WHITE);
    Button::new(text).fill(colours(ui).accent_fill).min_size(vec2(TARGET * 2.5, TARGET))
}

/// A sentence about something wrong, in the colour for it.
pub fn error_line(ui: &mut Ui, text: &str) {
    ui.colored_label(colours(ui).error, text);
}

/// A short fact in a rounded box, with a dot in the colour of its meaning; cut off where there is no room.
pub fn chip(ui: &mut Ui, text: &str, meaning: Color32) -> Response {
    let colours = colours(ui);
    let font = FontId::proportional(TYPE[0]);
    let mut job = LayoutJob::simple_singleline(text.to_owned(), font, colours.text);
    let frame = vec2(2.0 * SPACE[2] + 2.0 * SPACE[1], 2.0 * SPACE[0] + 2.0);
    job.wrap = TextWrapping::truncate_at_width((ui.available_width() - frame.x).max(SPACE[4]));
    let galley = ui.fonts_mut(|fonts| fonts.layout_job(job));
    let (area, response) = ui.allocate_exact_size(galley.size() + frame, Sense::hover());
    let edge = Stroke::new(1.0, colours.border);
    ui.painter().rect(area, area.height() / 2.0, colours.surface, edge, StrokeKind::Inside);
    let dot = area.left_center() + vec2(SPACE[2] + SPACE[0] / 2.0, 0.0);
    ui.painter().circle_filled(dot, SPACE[0], meaning);
    let top = area.center().y - galley.size().y / 2.0;
    ui.painter().galley(pos2(dot.x + SPACE[1] + SPACE[0] / 2.0, top), galley, colours.text);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    response
}

/// A thin bar that is filled to `share`, in [0, 1].
pub fn progress_line(ui: &mut Ui, name: &str, share: f32, width: f32) {
    let colours = colours(ui);
    let (area, response) = ui.allocate_exact_size(vec2(width.max(SPACE[4]), SPACE[1]), Sense::hover());
    let bar = area.shrink2(vec2(0.0, 1.0));
    ui.painter().rect_filled(bar, u8::MAX, colours.raised);
    if share > 0.0 {
        let filled = bar.with_max_x(bar.left() + (bar.width() * share).max(bar.height()));
        ui.painter().rect_filled(filled, u8::MAX, colours.accent);
    }
    let percent = (100.0 * share).round();
    response
        .widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, format!("{name} {percent} %")));
}

/// Names a plot for those who cannot see it.
pub fn name_plot(response: &egui::Response, name: &str) {
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, name));
}
