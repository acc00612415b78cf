//! The page about keys and colours.

use egui::{Grid, Id, Modal, RichText, Ui};

use crate::{
    state::AppState,
    theme::{SPACE, colours},
    widgets::primary,
};

/// Keys and what they do; `Ctrl` is `⌘` on a Mac.
const KEYS: [(&str, &str); 6] = [
    ("Ctrl/Cmd + Enter", "start, or resume what is paused"),
    ("Ctrl/Cmd + .", "stop, and keep what was trained"),
    ("Tab, Shift + Tab", "to the next or previous control"),
    ("Space or Enter", "press it"),
    ("Esc", "close what is open"),
    ("?", "this page"),
];

/// Draws the page over the window while it is open.
pub fn show(ui: &mut Ui, state: &AppState, open: &mut bool) {
    if !*open {
        return;
    }
    let response = Modal::new(Id::unique("help")).show(ui.ctx(), |ui| {
        ui.set_width(420.0_f32.min(ui.ctx().content_rect().width() - 2.0 * SPACE[4] - 2.0 * SPACE[2]));
        ui.heading("Help and keys");
        ui.label(
            "A pretrained model stays frozen. A small update learns beside it: a low-rank part UV and a few \
             sparse entries S. Then weights or heads are removed, and the update learns on. You cannot break \
             anything: every run starts from the same model.",
        );
        ui.add_space(SPACE[1]);
        Grid::new("keys").num_columns(2).spacing([SPACE[3], SPACE[0]]).show(ui, |ui| {
            ui.spacing_mut().interact_size.y = 0.0;
            for (key, meaning) in KEYS {
                ui.label(RichText::new(key).strong());
                ui.label(meaning);
                ui.end_row();
            }
        });
        ui.add_space(SPACE[1]);
        ui.label(RichText::new("Colours mean the same everywhere").strong());
        let colours = colours(ui);
        ui.horizontal_wrapped(|ui| {
            for (text, colour) in [
                ("positive", colours.positive),
                ("negative", colours.negative),
                ("zero or pruned", colours.zero),
                ("sparse entries", colours.sparse),
            ] {
                crate::widgets::chip(ui, text, colour);
            }
        });
        if let Some(line) = drawing(state) {
            ui.add_space(SPACE[1]);
            ui.label(RichText::new(line).small().weak());
        }
        ui.add_space(SPACE[2]);
        primary(ui, "Close").clicked()
    });
    if response.inner || response.should_close() {
        *open = false;
    }
}

/// How long drawing took during the run, for whom the window stutters.
fn drawing(state: &AppState) -> Option<String> {
    let figures = state.frames.figures()?;
    Some(format!(
        "Drawing during the run: half of {} frames within {:.1} ms, 95 % within {:.1} ms.",
        figures.n_frames, figures.median_ms, figures.p95_ms
    ))
}
