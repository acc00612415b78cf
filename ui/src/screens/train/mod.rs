//! The run: what it will do, its curves, its figures, and the table that fills in.

mod before;
mod charts;
mod figures;
mod series;
mod table;

use dsee_core::{protocol::Event, source::NamedBytes};
use egui::{Frame, Margin, RichText, ScrollArea, Ui};

use crate::{
    shell::Action,
    state::{Activity, AppState, RunView},
    theme::{NARROW, SPACE},
    widgets::{card, numbers::percent, primary},
};
use series::Series;

/// Lines longer than this are hard to follow, so very wide windows leave the rest empty.
const WIDEST: f32 = 1400.0;

/// What this screen remembers.
#[derive(Default)]
pub struct TrainScreen {
    /// The curves of the shown run, fit for drawing.
    series: Series,
}

impl TrainScreen {
    /// Keeps nothing: the run itself keeps what it told.
    pub fn event(&mut self, _event: &Event, _attachments: &[NamedBytes]) {}

    /// Draws the screen.
    pub fn show(&mut self, ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        let narrow = ui.available_width() < NARROW;
        let margin = if narrow { SPACE[2] } else { SPACE[4] };
        ScrollArea::vertical().id_salt("train").auto_shrink(false).show(ui, |ui| {
            Frame::new().inner_margin(Margin::symmetric(margin as i8, SPACE[1] as i8)).show(ui, |ui| {
                ui.set_width(ui.available_width().min(WIDEST));
                ui.spacing_mut().item_spacing.y = SPACE[2];
                if state.run().is_none() {
                    before::show(ui, state, narrow, actions);
                } else {
                    self.run(ui, state, narrow);
                }
            });
        });
    }

    fn run(&mut self, ui: &mut Ui, state: &mut AppState, narrow: bool) {
        let (Some(id), Some(run)) = (state.current, state.run()) else { return };
        self.series.update(id, run);
        figures::show(ui, run, narrow);
        charts::show(ui, &self.series, run, narrow);
        card(ui, "", |ui| table::show(ui, run, narrow));
        for warning in &run.report.warnings {
            ui.label(RichText::new(format!("⚠ {warning}")).weak());
        }
        if run.activity.is_under_way() {
            if state.can_keep_awake {
                // Offered, not imposed: it costs the battery.
                ui.checkbox(&mut state.keep_awake, "Keep the screen awake during the run");
            }
        } else {
            after(ui, state);
        }
    }
}

/// What to do with a run that has ended.
fn after(ui: &mut Ui, state: &mut AppState) {
    use crate::state::Screen;
    let Some(run) = state.run().filter(|run| !run.discarded && run.activity != Activity::Failed) else {
        return;
    };
    let sentence = outcome(run);
    let mut go = None;
    card(ui, "And now?", |ui| {
        if let Some(sentence) = sentence {
            ui.label(sentence);
        }
        ui.horizontal_wrapped(|ui| {
            if primary(ui, "Try your own sentence").clicked() {
                go = Some(Screen::TryIt);
            }
            for (text, screen) in [
                ("Look into the matrices", Screen::Inspect),
                ("Export the result", Screen::Export),
                ("Change the method", Screen::Method),
            ] {
                let button = egui::Button::new(text).min_size(egui::vec2(0.0, crate::theme::TARGET));
                if ui.add(button).clicked() {
                    go = Some(screen);
                }
            }
        });
    });
    if let Some(screen) = go {
        state.screen = screen;
    }
}

/// What pruning took and retuning gave back, as measured.
fn outcome(run: &RunView) -> Option<String> {
    let value = |phase: &str| {
        let row = run.report.phase_rows.iter().find(|row| row.phase == phase)?;
        Some((row.metric_name.clone(), row.metric_value.filter(|v| (0.0..=1.0).contains(v))?))
    };
    let (name, tuned) = value("tune")?;
    let (_, pruned) = value("prune")?;
    let (_, retuned) = value("retune")?;
    Some(format!(
        "{name}: {} after tuning, {} after pruning, {} after retuning.",
        percent(tuned),
        percent(pruned),
        percent(retuned)
    ))
}
