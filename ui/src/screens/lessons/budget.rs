//! Lesson 3: the same count of numbers, spent on rank or on entries.

use dsee_core::lessons::{Budget, Kind, Planted, Split};
use egui::Ui;
use egui_plot::{Legend, Line, MarkerShape, Points};

use super::{
    lesson::{Lesson, Scene, parse},
    pictures::{Parts, percent, plot},
    texts::{BUDGET, Text},
};
use crate::{
    theme::colours,
    widgets::{name_plot, stats::stats},
};

/// Numbers to spend: five ranks of a 24 × 24 matrix.
const N_PARAMETERS: usize = 240;
/// Largest rank that the budget buys.
const MAX_RANK: usize = N_PARAMETERS / (2 * Planted::SIDE);

/// The lesson's state.
pub struct BudgetGame {
    seed: u64,
    kind: Kind,
    rank: usize,
    budget: Option<((u64, Kind), Planted, Budget)>,
    parts: Option<((u64, Kind, usize), Parts)>,
}

impl Default for BudgetGame {
    fn default() -> Self {
        Self { seed: 1, kind: Kind::Mixed, rank: 0, budget: None, parts: None }
    }
}

impl BudgetGame {
    /// Spends the budget in all ways, once for a matrix.
    fn spend(&mut self) -> &((u64, Kind), Planted, Budget) {
        let of = (self.seed, self.kind);
        let old = self.budget.take().filter(|budget| budget.0 == of);
        self.budget.insert(old.unwrap_or_else(|| {
            let planted = Planted::of_kind(of.1, of.0);
            let budget = Budget::spend(&planted.w, N_PARAMETERS);
            (of, planted, budget)
        }))
    }

    fn choose(&mut self, ui: &mut Ui, scene: &Scene<'_>) {
        if !scene.shows("matrix") {
            return;
        }
        ui.horizontal_wrapped(|ui| {
            for kind in Kind::ALL {
                ui.selectable_value(&mut self.kind, kind, format!("{} matrix", kind.name()));
            }
        });
    }

    fn draw_plot(&self, ui: &mut Ui) {
        let Some((_, _, budget)) = &self.budget else { return };
        let colours = colours(ui);
        let points: Vec<[f64; 2]> =
            budget.points.iter().map(|point| [point.rank as f64, 100.0 * point.error]).collect();
        let (here, best) = (points[self.rank], points[budget.best()]);
        let response = plot(ui, "budget", "rank (the rest is entries)", "error, %")
            .legend(Legend::default())
            .include_y(0.0)
            .show(ui, |plot| {
                plot.line(Line::new("error", points.clone()).color(colours.negative).width(2.0));
                plot.points(Points::new("error", points).color(colours.negative).radius(3.0));
                let best = Points::new("best", vec![best]).shape(MarkerShape::Asterisk).radius(9.0);
                plot.points(best.color(colours.good));
                let you = Points::new("you", vec![here]).shape(MarkerShape::Diamond).radius(7.0);
                plot.points(you.color(colours.accent));
            })
            .response;
        name_plot(&response, "Error of every way to spend the budget");
    }
}

impl Lesson for BudgetGame {
    fn text(&self) -> Text {
        BUDGET
    }

    fn control(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        scene.slider(ui, "rank", &mut self.rank, MAX_RANK, "rank");
    }

    fn draw(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        if scene.step > 0 {
            self.choose(ui, scene);
        }
        let of = (self.seed, self.kind, self.rank);
        let old = self.parts.take().filter(|parts| parts.0 == of);
        let (_, planted, budget) = self.spend();
        let point = budget.points[of.2];
        let mut parts = old.unwrap_or_else(|| {
            (of, Parts::new(&planted.w, &Split::new(&planted.w, point.rank, point.n_entries)))
        });
        let numbers = [
            ("rank", format!("{} × 48", point.rank)),
            ("entries", point.n_entries.to_string()),
            ("together", N_PARAMETERS.to_string()),
            ("error", percent(point.error)),
        ];
        stats(ui, &numbers, |ui| parts.1.legend(ui));
        parts.1.show(ui, &[]);
        self.parts = Some(parts);
        self.draw_plot(ui);
    }

    fn advance(&mut self, _scene: &mut Scene<'_>) -> bool {
        self.rank = (self.rank + 1).min(MAX_RANK);
        self.rank < MAX_RANK
    }

    fn reset(&mut self, _scene: &mut Scene<'_>) {
        *self = Self::default();
    }

    fn seen(&self, _scene: &Scene<'_>) -> Option<String> {
        let (_, _, budget) = self.budget.as_ref()?;
        let (best, here) = (budget.points[budget.best()], budget.points[self.rank]);
        let verdict = if best == here {
            "This is the best buy.".to_owned()
        } else {
            format!(
                "The best buy is rank {} with {} entries: {}.",
                best.rank,
                best.n_entries,
                percent(best.error)
            )
        };
        let (rank, entries, error) = (here.rank, here.n_entries, percent(here.error));
        let kind = self.kind.name();
        Some(format!("On the {kind} matrix, rank {rank} with {entries} entries leaves {error}. {verdict}"))
    }

    fn write(&self) -> Vec<(&'static str, String)> {
        vec![
            ("matrix", self.kind.name().to_owned()),
            ("rank", self.rank.to_string()),
            ("seed", self.seed.to_string()),
        ]
    }

    fn read(&mut self, key: &str, value: &str) {
        match key {
            "matrix" => {
                self.kind = Kind::ALL.into_iter().find(|kind| kind.name() == value).unwrap_or(self.kind);
            }
            "rank" => self.rank = parse(value, MAX_RANK).unwrap_or(self.rank),
            "seed" => self.seed = value.parse().unwrap_or(self.seed),
            _ => {}
        }
    }
}
