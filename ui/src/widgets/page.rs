//! The page that a screen is drawn on: it scrolls, has margins, and does not grow wider than can be read.

use egui::{Frame, Margin, ScrollArea, Ui};

use crate::theme::{NARROW, SPACE};

/// Lines longer than this are hard to follow, so very wide windows leave the rest empty.
const WIDEST: f32 = 1400.0;

/// Draws `content` on the page called `name`.
pub fn page(ui: &mut Ui, name: &str, content: impl FnOnce(&mut Ui)) {
    let margin = if ui.available_width() < NARROW { SPACE[2] } else { SPACE[4] };
    ScrollArea::vertical().id_salt(name.to_owned()).auto_shrink(false).show(ui, |ui| {
        Frame::new().inner_margin(Margin::symmetric(margin as i8, SPACE[1] as i8)).show(ui, |ui| {
            ui.set_width(ui.available_width().min(WIDEST));
            ui.spacing_mut().item_spacing.y = SPACE[2];
            content(ui);
        });
    });
}
