//! Numbers with their names, in rows that break where the width ends.

use egui::{TextStyle, Ui};

use super::stat;
use crate::theme::{SPACE, display};

/// Draws the numbers; `more` stands behind the last one.
pub fn stats(ui: &mut Ui, numbers: &[(&str, String)], more: impl FnOnce(&mut Ui)) {
    let gap = SPACE[4];
    let width_of = |ui: &Ui, text: &str, style: TextStyle| {
        let font = style.resolve(ui.style());
        ui.painter().layout_no_wrap(text.to_owned(), font, egui::Color32::PLACEHOLDER).size().x
    };
    let mut rows: Vec<Vec<usize>> = vec![Vec::new()];
    let (available, mut used) = (ui.available_width(), 0.0);
    for (i, (name, value)) in numbers.iter().enumerate() {
        let width = width_of(ui, name, TextStyle::Small).max(width_of(ui, value, display())) + 1.0;
        if used > 0.0 && used + gap + width > available {
            rows.push(Vec::new());
            used = 0.0;
        }
        used += if used > 0.0 { gap + width } else { width };
        if let Some(row) = rows.last_mut() {
            row.push(i);
        }
    }
    let n_rows = rows.len();
    let mut more = Some(more);
    for (r, row) in rows.into_iter().enumerate() {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = gap;
            row.into_iter().for_each(|i| stat(ui, numbers[i].0, &numbers[i].1));
            if r + 1 == n_rows
                && ui.available_width() > 150.0
                && let Some(more) = more.take()
            {
                more(ui);
            }
        });
    }
    if let Some(more) = more {
        more(ui);
    }
}
