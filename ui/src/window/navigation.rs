//! The way between the screens: a rail where there is room, a menu where there is not.

use egui::{Align, Layout, Response, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, vec2};

use super::words::{NAME, PRIVACY, screen_state};
use crate::{
    state::{AppState, Screen},
    theme::{ROUND, SPACE, TARGET, TYPE, colours, display},
};

/// Height of an entry of the rail: a name and how it stands.
const ENTRY: f32 = 46.0;

/// The rail along the left edge.
pub fn rail(ui: &mut Ui, state: &mut AppState, help: &mut bool) {
    ui.spacing_mut().item_spacing.y = 2.0;
    ui.horizontal(|ui| {
        ui.add_space(SPACE[0]);
        ui.label(RichText::new(NAME).text_style(display()).strong());
    });
    ui.add_space(SPACE[2]);
    ui.with_layout(Layout::bottom_up(Align::Min), |ui| {
        foot(ui, help);
        if state.shows("nav") {
            ui.with_layout(Layout::top_down_justified(Align::Min), |ui| {
                ScrollArea::vertical().show(ui, |ui| entries(ui, state));
            });
        }
    });
}

fn entries(ui: &mut Ui, state: &mut AppState) {
    for screen in Screen::ALL {
        // What is set up, what happens, what is looked at afterwards: three groups.
        if matches!(screen, Screen::Train | Screen::Inspect | Screen::Lessons) {
            ui.add_space(SPACE[1]);
        }
        if entry(ui, screen.name(), &screen_state(state, screen), state.screen == screen, ENTRY).clicked() {
            state.screen = screen;
        }
    }
}

fn foot(ui: &mut Ui, help: &mut bool) {
    // The rail is filled from below: the last line first.
    egui::Frame::new().inner_margin(egui::Margin::symmetric(SPACE[2] as i8, SPACE[0] as i8)).show(ui, |ui| {
        ui.add(egui::Label::new(RichText::new(PRIVACY).small().weak()).wrap());
    });
    if entry(ui, "Help and keys", "", *help, TARGET).clicked() {
        *help = true;
    }
}

/// The menu of a narrow window: the open screen, and all others on a press.
pub fn menu(ui: &mut Ui, state: &mut AppState, help: &mut bool) {
    let button = egui::Button::new(format!("☰ {}", state.screen.name())).min_size(vec2(TARGET * 2.0, TARGET));
    egui::containers::menu::MenuButton::from_button(button).ui(ui, |ui| {
        ui.set_min_width(260.0);
        ui.spacing_mut().item_spacing.y = 2.0;
        entries(ui, state);
        if entry(ui, "Help and keys", "", *help, TARGET).clicked() {
            *help = true;
        }
    });
}

/// One entry: a name, how it stands below it, and a mark if it is open.
fn entry(ui: &mut Ui, name: &str, note: &str, open: bool, height: f32) -> Response {
    let (area, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, open, name));
    if !note.is_empty() {
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_description(note));
    }
    if !ui.is_rect_visible(area) {
        return response;
    }
    let colours = colours(ui);
    let fill = match (open, response.hovered() || response.is_pointer_button_down_on()) {
        (true, _) => ui.visuals().selection.bg_fill,
        (false, true) => colours.raised,
        (false, false) => egui::Color32::TRANSPARENT,
    };
    ui.painter().rect_filled(area, ROUND - 2, fill);
    if response.has_focus() {
        let ring = egui::Stroke::new(2.0, colours.accent);
        ui.painter().rect_stroke(area, ROUND - 2, ring, egui::StrokeKind::Inside);
    }
    let text_colour = if open { colours.strong } else { colours.text };
    let inner = area.shrink2(vec2(SPACE[2], 0.0));
    let line = |text: &str, size: f32, colour, top: f32| {
        let mut job = egui::text::LayoutJob::simple_singleline(
            text.to_owned(),
            egui::FontId::proportional(size),
            colour,
        );
        job.wrap = egui::text::TextWrapping::truncate_at_width(inner.width());
        let galley = ui.fonts_mut(|fonts| fonts.layout_job(job));
        let y = top - galley.size().y / 2.0;
        ui.painter().galley(egui::pos2(inner.left(), y), galley, colour);
    };
    if note.is_empty() {
        line(name, TYPE[1], text_colour, area.center().y);
    } else {
        line(name, TYPE[1], text_colour, area.top() + height * 0.32);
        line(note, TYPE[0], colours.weak, area.top() + height * 0.70);
    }
    response
}
