//! The parts of a matrix as pictures, and the entry that is looked at.

use egui::{DragValue, Ui, vec2};

use super::matrix::Matrix;
use crate::{
    theme::{NARROW, SPACE},
    widgets::{
        card,
        heat_map::{HeatMap, colour_bar},
    },
};

/// Names of the pictures and what they are.
const PARTS: [(&str, &str); 5] = [
    ("W", "pretrained weight"),
    ("s·BA", "low-rank update"),
    ("s·S", "sparse update on Ω"),
    ("ΔW", "both updates together"),
    ("Mask", "what pruning left of W"),
];

/// The pictures, and the entry that is looked at.
pub fn show(ui: &mut Ui, matrix: &mut Matrix, entry: &mut (usize, usize)) {
    let (rows, cols) = (matrix.view.d_out, matrix.view.d_in);
    entry.0 = entry.0.min(rows.saturating_sub(1));
    entry.1 = entry.1.min(cols.saturating_sub(1));
    card(ui, "Parts", |ui| {
        let gap = SPACE[2];
        let n_columns = match ui.available_width() {
            width if width < NARROW * 0.75 => 2,
            width if width < 900.0 => 3,
            _ => 5,
        };
        let tile = ((ui.available_width() - gap * (n_columns - 1) as f32) / n_columns as f32).min(300.0);
        for row in PARTS.chunks(n_columns).enumerate() {
            ui.horizontal_top(|ui| {
                ui.spacing_mut().item_spacing.x = gap;
                for (i, name) in row.1.iter().enumerate() {
                    ui.vertical(|ui| {
                        ui.set_width(tile);
                        ui.spacing_mut().item_spacing.y = 2.0;
                        part(ui, matrix, row.0 * n_columns + i, *name, tile, entry);
                    });
                }
            });
        }
    });
    card(ui, "One entry", |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.add(DragValue::new(&mut entry.0).range(0..=rows.saturating_sub(1)).prefix("row "));
            ui.add(DragValue::new(&mut entry.1).range(0..=cols.saturating_sub(1)).prefix("column "));
            ui.weak("or press a point in a picture");
        });
        let entry = matrix.entry(entry.0, entry.1);
        ui.label(egui::RichText::new(entry.delta_line()).monospace());
        ui.label(egui::RichText::new(entry.weight_line()).monospace());
    });
}

/// One picture with its name, or why there is none.
fn part(
    ui: &mut Ui,
    matrix: &mut Matrix,
    which: usize,
    (name, meaning): (&str, &str),
    tile: f32,
    entry: &mut (usize, usize),
) {
    ui.label(egui::RichText::new(name).strong());
    ui.label(egui::RichText::new(meaning).small().weak());
    let missing =
        ["", "No low-rank update here.", "No sparse entries here.", "Not changed.", "Nothing pruned."];
    let maps = [
        Some(&mut matrix.weight),
        matrix.low_rank.as_mut(),
        matrix.sparse.as_mut(),
        matrix.delta.as_mut(),
        matrix.mask.as_mut(),
    ];
    let Some(map) = maps.into_iter().nth(which).flatten() else {
        ui.weak(missing[which]);
        return;
    };
    let answer = map.show(ui, name, vec2(tile, tile), Some(*entry));
    legend(ui, which, map, tile);
    if let Some(clicked) = answer.clicked() {
        *entry = clicked;
    }
    if let Some((row, col)) = answer.hovered {
        let entry = matrix.entry(row, col);
        answer.response.on_hover_ui_at_pointer(|ui| {
            ui.label(entry.delta_line());
            ui.label(entry.weight_line());
        });
    }
}

fn legend(ui: &mut Ui, which: usize, map: &HeatMap, tile: f32) {
    const MASK: usize = 4;
    if which == MASK {
        ui.label(egui::RichText::new("coloured: kept, grey: pruned").small().weak());
    } else {
        colour_bar(ui, tile.min(180.0), map.scale());
    }
}
