//! Lesson 1: waves and spikes, rank and entries.

use dsee_core::lessons::{Planted, Split};
use egui::Ui;
use egui_plot::{Legend, Line, LineStyle, MarkerShape, Points};

use super::{
    lesson::{Lesson, Scene, parse},
    pictures::{Parts, percent, plot},
    texts::{LOW_RANK, Text},
};
use crate::{
    theme::colours,
    widgets::{name_plot, stats::stats},
};

/// Largest rank and most entries that can be chosen.
const MAX: (usize, usize) = (12, 24);
/// The rank that the waves have: where the entries are tried.
const WAVES: usize = 3;

/// The lesson's state.
pub struct LowRank {
    seed: u64,
    rank: usize,
    entries: usize,
    /// The step of the text that was open last: a new one moves the sliders to where it begins.
    step: usize,
    shown: Option<Shown>,
}

/// What was computed for a state.
struct Shown {
    of: (u64, usize, usize),
    planted: Planted,
    split: Split,
    parts: Parts,
    /// Parameters and error of every rank without entries.
    alone: Vec<[f64; 2]>,
    /// The same for this rank with more and more entries.
    with_entries: Vec<[f64; 2]>,
}

impl Default for LowRank {
    fn default() -> Self {
        Self { seed: 1, rank: 1, entries: 0, step: 0, shown: None }
    }
}

impl LowRank {
    /// Computes what is shown, as far as it has changed.
    fn shown(&mut self) -> &mut Shown {
        let of = (self.seed, self.rank, self.entries);
        let old = self.shown.take();
        self.shown.insert(match old {
            Some(shown) if shown.of == of => shown,
            old => Shown::new(of, old),
        })
    }

    /// Whether the entries are what is dragged in this step of the text.
    fn drags_entries(step: usize) -> bool {
        step >= 2
    }
}

impl Shown {
    fn new(of: (u64, usize, usize), old: Option<Self>) -> Self {
        let (seed, rank, entries) = of;
        let old = old.filter(|old| old.of.0 == seed);
        let planted = Planted::outliers(seed);
        let split = Split::new(&planted.w, rank, entries);
        let parts = Parts::new(&planted.w, &split);
        let point = |rank, entries| {
            let split = Split::new(&planted.w, rank, entries);
            [split.n_parameters as f64, 100.0 * split.error]
        };
        let same_rank = old.as_ref().is_some_and(|old| old.of.1 == rank);
        let (alone, with_entries) = old.map_or_else(Default::default, |old| (old.alone, old.with_entries));
        let alone = if alone.is_empty() { (0..=MAX.0).map(|rank| point(rank, 0)).collect() } else { alone };
        let with_entries = if same_rank {
            with_entries
        } else {
            (0..=MAX.1).step_by(3).map(|entries| point(rank, entries)).collect()
        };
        Self { of, planted, split, parts, alone, with_entries }
    }

    fn draw_plot(&self, ui: &mut Ui) {
        let colours = colours(ui);
        let here = [self.split.n_parameters as f64, 100.0 * self.split.error];
        let (alone, with) = (self.alone.clone(), self.with_entries.clone());
        let response = plot(ui, "error against parameters", "numbers spent", "error, %")
            .legend(Legend::default())
            .include_y(0.0)
            .show(ui, |plot| {
                plot.line(Line::new("rank alone", alone.clone()).color(colours.negative).width(2.0));
                plot.points(Points::new("rank alone", alone).color(colours.negative).radius(3.0));
                let dashed = LineStyle::dashed_dense();
                plot.line(
                    Line::new("this rank and entries", with).color(colours.positive).width(2.0).style(dashed),
                );
                let you = Points::new("you", vec![here]).shape(MarkerShape::Diamond).radius(7.0);
                plot.points(you.color(colours.accent));
            })
            .response;
        name_plot(&response, "Error against numbers spent, by rank alone and by rank with entries");
    }
}

impl Lesson for LowRank {
    fn text(&self) -> Text {
        LOW_RANK
    }

    fn control(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        if std::mem::replace(&mut self.step, scene.step) < 2 && Self::drags_entries(scene.step) {
            self.rank = WAVES;
        }
        let is_free = scene.step == LOW_RANK.steps.len() - 1;
        if is_free || !Self::drags_entries(scene.step) {
            scene.slider(ui, "rank", &mut self.rank, MAX.0, "rank");
        }
        if Self::drags_entries(scene.step) {
            scene.slider(ui, "entries", &mut self.entries, MAX.1, "entries");
        }
    }

    fn draw(&mut self, ui: &mut Ui, _scene: &mut Scene<'_>) {
        let shown = self.shown();
        let (hits, n_spikes) = (shown.planted.hits(&shown.split.support), shown.planted.spikes.len());
        let numbers = [
            ("numbers spent", shown.split.n_parameters.to_string()),
            ("error", percent(shown.split.error)),
            ("spikes caught by S", format!("{hits} of {n_spikes}")),
        ];
        stats(ui, &numbers, |ui| shown.parts.legend(ui));
        shown.parts.show(ui, &[]);
        shown.draw_plot(ui);
    }

    fn advance(&mut self, scene: &mut Scene<'_>) -> bool {
        let (value, max) = if Self::drags_entries(scene.step) {
            (&mut self.entries, MAX.1)
        } else {
            (&mut self.rank, MAX.0)
        };
        *value = (*value + 1).min(max);
        *value < max
    }

    fn reset(&mut self, scene: &mut Scene<'_>) {
        let rank = if Self::drags_entries(scene.step) { WAVES } else { 1 };
        *self = Self { rank, step: scene.step, ..Self::default() };
    }

    fn seen(&self, _scene: &Scene<'_>) -> Option<String> {
        let shown = self.shown.as_ref()?;
        let cost = shown.split.n_parameters as f64;
        let same = shown.alone.iter().rfind(|point| point[0] <= cost)?;
        Some(format!(
            "Rank {} with {} entries spends {cost} numbers and leaves an error of {}. Rank {} alone spends {} and \
             leaves {:.1} %. {} of the {} spikes are in S.",
            self.rank,
            self.entries,
            percent(shown.split.error),
            same[0] / 48.0,
            same[0],
            same[1],
            shown.planted.hits(&shown.split.support),
            shown.planted.spikes.len(),
        ))
    }

    fn write(&self) -> Vec<(&'static str, String)> {
        vec![
            ("rank", self.rank.to_string()),
            ("entries", self.entries.to_string()),
            ("seed", self.seed.to_string()),
        ]
    }

    fn read(&mut self, key: &str, value: &str) {
        let found = match key {
            "rank" => parse(value, MAX.0).map(|x| self.rank = x),
            "entries" => parse(value, MAX.1).map(|x| self.entries = x),
            "seed" => value.parse().ok().map(|x| self.seed = x),
            // A link that opens at a later step has its own place for the sliders.
            "step" => parse(value, LOW_RANK.steps.len()).map(|x| self.step = x.saturating_sub(1)),
            _ => None,
        };
        found.unwrap_or_default();
    }
}
