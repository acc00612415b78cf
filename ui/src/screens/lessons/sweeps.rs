//! Lesson 2: the search for Ω, sweep by sweep.

use dsee_core::lessons::{Planted, Sweeps};
use egui::{Color32, Ui};
use egui_plot::{Legend, Line, LineStyle, VLine};

use super::{
    lesson::{Lesson, Scene, parse},
    pictures::{Parts, percent, plot},
    texts::{SWEEPS, Text},
};
use crate::{
    theme::colours,
    widgets::{name_plot, stats::stats},
};

/// The lesson's state.
pub struct SweepBySweep {
    seed: u64,
    /// The sweep that is shown, from 0.
    sweep: usize,
    recording: Option<(u64, Planted, Sweeps)>,
    parts: Option<((u64, usize), Parts)>,
}

impl Default for SweepBySweep {
    fn default() -> Self {
        Self { seed: 1, sweep: 0, recording: None, parts: None }
    }
}

impl SweepBySweep {
    /// Records the search, once for a matrix.
    fn record(&mut self) -> &(u64, Planted, Sweeps) {
        let seed = self.seed;
        let old = self.recording.take().filter(|recording| recording.0 == seed);
        let recording = self.recording.insert(old.unwrap_or_else(|| {
            let planted = Planted::hidden(seed);
            let sweeps = Sweeps::record(&planted, 0);
            (seed, planted, sweeps)
        }));
        self.sweep = self.sweep.min(recording.2.pictures.len() - 1);
        recording
    }

    fn draw_plot(&self, ui: &mut Ui) {
        let Some((_, planted, sweeps)) = &self.recording else { return };
        let colours = colours(ui);
        let series = |value: &dyn Fn(usize) -> f64| -> Vec<[f64; 2]> {
            (0..sweeps.pictures.len()).map(|i| [(i + 1) as f64, value(i)]).collect()
        };
        let n_spikes = planted.spikes.len() as f64;
        let hits = series(&|i| 100.0 * sweeps.pictures[i].hits as f64 / n_spikes);
        let errors = series(&|i| 100.0 * sweeps.pictures[i].split.error);
        let here = (self.sweep + 1) as f64;
        let response = plot(ui, "sweeps", "sweep", "%")
            .legend(Legend::default())
            .include_y(0.0)
            .include_y(105.0)
            .show(ui, |plot| {
                plot.line(Line::new("spikes found", hits).color(colours.good).width(2.5));
                let style = LineStyle::dashed_dense();
                plot.line(Line::new("error", errors).color(colours.positive).width(2.0).style(style));
                plot.vline(VLine::new("now", here).color(colours.accent).width(2.0));
            })
            .response;
        name_plot(&response, "Spikes found and error after every sweep");
    }
}

impl Lesson for SweepBySweep {
    fn text(&self) -> Text {
        SWEEPS
    }

    fn control(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        let n_sweeps = self.record().2.pictures.len();
        let mut shown = self.sweep + 1;
        if scene.slider(ui, "sweep", &mut shown, n_sweeps, "sweep") {
            self.sweep = shown.max(1) - 1;
        }
    }

    fn draw(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        let n_sweeps = self.record().2.pictures.len();
        let (sweep, seed) = (self.sweep, self.seed);
        let old = self.parts.take().filter(|parts| parts.0 == (seed, sweep));
        let (_, planted, sweeps) = self.record();
        let Some(picture) = sweeps.pictures.get(sweep) else { return };
        let (found, wrong): (Vec<u32>, Vec<u32>) =
            picture.split.support.iter().partition(|i| planted.spikes.binary_search(i).is_ok());
        let mut parts = old.unwrap_or_else(|| ((seed, sweep), Parts::new(&planted.w, &picture.split)));
        let numbers = [
            ("sweep", format!("{} of {n_sweeps}", sweep + 1)),
            ("rank now", picture.rank.to_string()),
            ("spikes found", format!("{} of {}", picture.hits, planted.spikes.len())),
            ("new in Ω", picture.n_new.to_string()),
            ("error", percent(picture.split.error)),
        ];
        let mut is_new_wanted = false;
        stats(ui, &numbers, |ui| {
            parts.1.legend(ui);
            is_new_wanted = scene.shows("matrix") && ui.button("New matrix").clicked();
        });
        let colours = colours(ui);
        let rings: [(Vec<u32>, Color32); 2] = [(found, colours.good), (wrong, colours.error)];
        parts.1.show(ui, &rings);
        self.parts = Some(parts);
        self.draw_plot(ui);
        if is_new_wanted {
            *self = Self { seed: self.seed % 9 + 1, ..Self::default() };
        }
    }

    fn advance(&mut self, _scene: &mut Scene<'_>) -> bool {
        let n_sweeps = self.record().2.pictures.len();
        self.sweep = (self.sweep + 1).min(n_sweeps - 1);
        self.sweep + 1 < n_sweeps
    }

    fn reset(&mut self, _scene: &mut Scene<'_>) {
        *self = Self::default();
    }

    fn seen(&self, _scene: &Scene<'_>) -> Option<String> {
        let (_, planted, sweeps) = self.recording.as_ref()?;
        let (first, last) = (sweeps.pictures.first()?, sweeps.pictures.last()?);
        let n_spikes = planted.spikes.len();
        Some(format!(
            "The first sweep, at rank {}, found {} of {n_spikes} spikes. After {} sweeps, at rank {}, it is {}, and \
             the error has gone from {} to {}.",
            first.rank,
            first.hits,
            sweeps.pictures.len(),
            last.rank,
            last.hits,
            percent(first.split.error),
            percent(last.split.error),
        ))
    }

    fn write(&self) -> Vec<(&'static str, String)> {
        vec![("sweep", (self.sweep + 1).to_string()), ("seed", self.seed.to_string())]
    }

    fn read(&mut self, key: &str, value: &str) {
        match key {
            "sweep" => self.sweep = parse(value, 10_000).map_or(self.sweep, |x| x.max(1) - 1),
            "seed" => self.seed = value.parse().unwrap_or(self.seed),
            _ => {}
        }
    }
}
