//! The large numbers on top of the run.

use egui::{Grid, Ui};

use crate::window::words::result;
use crate::{
    state::RunView,
    theme::SPACE,
    widgets::{
        card,
        numbers::{bytes, duration, percent, short, thousands},
        stat,
    },
};

/// Where nothing is known yet.
const NOTHING: &str = "–";

/// Draws them: in one line where there is room, else in rows of two.
pub fn show(ui: &mut Ui, run: &RunView, narrow: bool) {
    let figures = figures(run);
    card(ui, "", |ui| {
        if narrow {
            // The number of steps says what the number of epochs says.
            let figures: Vec<_> = figures.into_iter().filter(|(name, _)| name != "Epoch").collect();
            let width = (ui.available_width() - SPACE[2]) / 2.0;
            Grid::new("figures").num_columns(2).min_col_width(width).spacing([SPACE[2], SPACE[1]]).show(
                ui,
                |ui| {
                    for pair in figures.chunks(2) {
                        for (name, value) in pair {
                            stat(ui, name, value);
                        }
                        ui.end_row();
                    }
                },
            );
        } else {
            ui.columns(figures.len(), |columns| {
                for (column, (name, value)) in columns.iter_mut().zip(&figures) {
                    stat(column, name, value);
                }
            });
        }
    });
}

fn figures(run: &RunView) -> Vec<(String, String)> {
    let progress = run.progress();
    let newest = run.newest.as_ref();
    let of_newest =
        |text: fn(&dsee_core::protocol::StepReport) -> String| newest.map_or(NOTHING.to_owned(), text);
    let step = match progress.n_steps {
        0 => thousands(progress.step),
        n => format!("{} / {}", thousands(progress.step), thousands(n)),
    };
    let last = match run.summary.as_ref().filter(|_| progress.seconds_left.is_none()) {
        Some(summary) => ("Time".to_owned(), duration(summary.seconds)),
        None => ("Time left".to_owned(), progress.seconds_left.map_or(NOTHING.to_owned(), duration)),
    };
    let (metric, value) = metric(run);
    vec![
        ("Step".to_owned(), step),
        ("Epoch".to_owned(), of_newest(|report| format!("{:.2}", report.epoch))),
        ("Loss".to_owned(), loss(run)),
        (metric, value),
        ("Tokens per second".to_owned(), of_newest(|report| short(report.tokens_per_second as usize))),
        ("GPU memory".to_owned(), of_newest(|report| bytes(report.gpu_bytes))),
        last,
    ]
}

fn loss(run: &RunView) -> String {
    run.report.losses.last().map_or(NOTHING.to_owned(), |point| format!("{:.3}", point.loss))
}

/// The newest measurement, of the table or of the curve, whichever is there.
fn metric(run: &RunView) -> (String, String) {
    let newest = run.report.metrics.iter().rev().find(|point| point.name != "loss");
    match newest.map(|point| (point.name.as_str(), point.value)).or_else(|| result(run)) {
        Some((name, value)) if (0.0..=1.0).contains(&value) => (capital(name), percent(value)),
        Some((name, value)) => (capital(name), format!("{value:.3}")),
        None => ("Accuracy".to_owned(), NOTHING.to_owned()),
    }
}

/// `accuracy` as the name of a number: `Accuracy`.
pub fn capital(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect::<String>().replace('_', " ")
}
