//! The table of phases, filling in: what the model can do and what it costs after each of them.

use dsee_core::report::PhaseRow;
use egui::{Align, Grid, Layout, RichText, Ui};

use super::figures::capital;
use crate::{
    state::RunView,
    theme::SPACE,
    widgets::numbers::{duration, percent, short, thousands},
};

/// What the table tells.
const TITLE: &str = "What each phase did";

/// Draws it: as a table where there is room, else one phase below the other.
pub fn show(ui: &mut Ui, run: &RunView, narrow: bool) {
    let rows = &run.report.phase_rows;
    if rows.is_empty() || narrow {
        ui.label(RichText::new(TITLE).strong());
    }
    if rows.is_empty() {
        ui.label(RichText::new("The first row comes when the first phase ends.").weak());
        return;
    }
    let metric = rows.iter().rev().find(|row| !row.metric_name.is_empty());
    let names = [
        metric.map_or("Accuracy".to_owned(), |row| capital(&row.metric_name)),
        "Trainable".to_owned(),
        "Non-zero weights".to_owned(),
        "of dense".to_owned(),
        "GFLOP a sequence".to_owned(),
        "Time".to_owned(),
    ];
    if narrow {
        list(ui, run, &names);
    } else {
        table(ui, run, &names);
    }
}

fn table(ui: &mut Ui, run: &RunView, names: &[String; 6]) {
    ui.spacing_mut().interact_size.y = 0.0;
    let columns = names.len() as f32;
    let width = (ui.available_width() - 240.0 - columns * SPACE[2]) / columns;
    let grid = Grid::new("phases").num_columns(1 + names.len()).spacing([SPACE[2], SPACE[0] + 2.0]);
    grid.min_col_width(width.max(60.0)).show(ui, |ui| {
        ui.label(RichText::new(TITLE).strong());
        for name in names {
            right(ui, RichText::new(name).small().weak());
        }
        ui.end_row();
        for row in &run.report.phase_rows {
            ui.label(RichText::new(plain_name(&row.phase, run)));
            for (i, value) in values(row).into_iter().enumerate() {
                let value = RichText::new(value);
                right(ui, if i == 0 { value.strong() } else { value });
            }
            ui.end_row();
        }
    });
}

fn list(ui: &mut Ui, run: &RunView, names: &[String; 6]) {
    for row in &run.report.phase_rows {
        ui.label(RichText::new(plain_name(&row.phase, run)).strong());
        let grid = Grid::new(("phase", &row.phase)).num_columns(2).spacing([SPACE[2], 2.0]);
        grid.min_col_width(ui.available_width() / 2.0 - SPACE[2]).show(ui, |ui| {
            ui.spacing_mut().interact_size.y = 0.0;
            for (name, value) in names.iter().zip(values(row)) {
                ui.label(RichText::new(name).weak());
                right(ui, RichText::new(value));
                ui.end_row();
            }
        });
    }
}

fn right(ui: &mut Ui, text: RichText) {
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| ui.label(text));
}

/// The state of the model after a phase, in plain words.
fn plain_name(phase: &str, run: &RunView) -> String {
    let sparse = run.config.as_ref().map_or(!run.report.omega.is_empty(), |config| config.nnz > 0);
    match phase {
        "select Ω" => "Ω chosen, nothing trained".to_owned(),
        "UV only" => "After tuning, UV only".to_owned(),
        "tune" if sparse => "After tuning (UV + S)".to_owned(),
        "tune" => "After tuning".to_owned(),
        "prune" => "After pruning, before retuning".to_owned(),
        "retune" => "After retuning".to_owned(),
        "evaluate" => "In the end".to_owned(),
        other => capital(other),
    }
}

fn values(row: &PhaseRow) -> [String; 6] {
    let metric = match row.metric_value {
        Some(value) if (0.0..=1.0).contains(&value) => percent(value),
        Some(value) => format!("{value:.4}"),
        None => "–".to_owned(),
    };
    let share = row.nonzero_weights as f64 / row.total_weights.max(1) as f64;
    [
        metric,
        thousands(row.trainable_parameters as usize),
        short(row.nonzero_weights as usize),
        percent(share),
        format!("{:.3}", row.flops_with_attention as f64 / 1e9),
        duration(row.seconds),
    ]
}
