//! Lesson 4: prune and retune, with the engine.

use dsee_core::protocol::RunId;
use egui::{CornerRadius, Grid, RichText, Role, Sense, Slider, Ui, WidgetInfo, vec2};
use egui_plot::{Legend, Line, LineStyle, MarkerShape, Points};

use super::{
    class_run::ClassRun,
    lesson::{Drive, Lesson, Scene},
    pictures::{percent, plot},
    texts::{PRUNE, Text},
};
use crate::{
    state::{Activity, RunView},
    theme::{SPACE, colours},
    widgets::name_plot,
};

/// Accuracy after tuning, after pruning and after retuning.
type Outcome = [Option<f64>; 3];
/// Names of the three states.
const STATES: [&str; 3] = ["tuned", "pruned", "retuned"];

/// The lesson's state.
pub struct PruneAndRetune {
    /// Share of the weights that go, in percent.
    sparsity: usize,
    run: ClassRun,
    /// Share of zeros of the run under way.
    running_at: usize,
    /// What every run came to, by its share of zeros.
    tries: Vec<(RunId, usize, Outcome)>,
}

impl Default for PruneAndRetune {
    fn default() -> Self {
        Self { sparsity: 50, run: ClassRun::default(), running_at: 50, tries: Vec::new() }
    }
}

/// What a run has come to so far.
fn outcome(view: &RunView) -> Outcome {
    let value = |phase: &str| {
        view.report.phase_rows.iter().find(|row| row.phase == phase).and_then(|row| row.metric_value)
    };
    ["tune", "prune", "retune"].map(value)
}

impl PruneAndRetune {
    /// Keeps what a run has come to.
    fn note(&mut self, scene: &Scene<'_>) {
        let (Some(id), Some(view)) = (self.run.id(), self.run.view(scene.state)) else { return };
        let found = (id, self.running_at, outcome(view));
        match self.tries.iter_mut().find(|known| known.0 == id) {
            Some(known) => *known = found,
            None => self.tries.push(found),
        }
    }

    fn slider(&mut self, ui: &mut Ui, scene: &Scene<'_>) {
        let is_free = !self.run.activity(scene.state).is_some_and(Activity::is_under_way);
        ui.add_enabled_ui(is_free, |ui| {
            ui.spacing_mut().slider_width = (ui.available_width() - 240.0).clamp(120.0, 420.0);
            let slider = Slider::new(&mut self.sparsity, 10..=90).step_by(10.0).suffix(" %");
            ui.add(slider.text("weights set to zero"));
        });
    }

    fn draw_tries(&self, ui: &mut Ui) {
        let colours = colours(ui);
        let series = |state: usize| -> Vec<[f64; 2]> {
            let values = self.tries.iter().filter_map(|(_, at, o)| Some([*at as f64, 100.0 * o[state]?]));
            let mut points: Vec<[f64; 2]> = values.collect();
            points.sort_by(|a, b| a[0].total_cmp(&b[0]));
            points
        };
        let looks = [
            (colours.accent, LineStyle::Solid, MarkerShape::Circle),
            (colours.positive, LineStyle::dashed_dense(), MarkerShape::Down),
            (colours.good, LineStyle::Solid, MarkerShape::Diamond),
        ];
        let response = plot(ui, "tries", "weights set to zero, %", "accuracy, %")
            .legend(Legend::default())
            .include_x(0.0)
            .include_x(100.0)
            .include_y(45.0)
            .include_y(100.0)
            .show(ui, |plot| {
                for (i, (colour, style, shape)) in looks.into_iter().enumerate() {
                    let points = series(i);
                    plot.line(Line::new(STATES[i], points.clone()).color(colour).width(2.0).style(style));
                    plot.points(Points::new(STATES[i], points).color(colour).radius(5.0).shape(shape));
                }
            })
            .response;
        name_plot(&response, "Accuracy of every try against the share of zeros");
    }
}

/// Three bars; those that are not there yet are empty.
fn bars(ui: &mut Ui, outcome: Outcome) {
    let width = (ui.available_width() - 170.0).clamp(80.0, 560.0);
    Grid::new("outcome").spacing(vec2(SPACE[2], SPACE[0])).show(ui, |ui| {
        for (name, value) in STATES.into_iter().zip(outcome) {
            ui.label(RichText::new(name).strong());
            let text = value.map_or("not yet".to_owned(), percent);
            let (rect, response) = ui.allocate_exact_size(vec2(width, 14.0), Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("{name}: {text}")));
            let colours = colours(ui);
            ui.painter().rect_filled(rect, CornerRadius::same(4), colours.raised);
            let mut filled = rect;
            filled.set_width(rect.width() * value.unwrap_or(0.0).clamp(0.0, 1.0) as f32);
            ui.painter().rect_filled(filled, CornerRadius::same(4), colours.accent);
            ui.label(text);
            ui.end_row();
        }
    });
}

impl Lesson for PruneAndRetune {
    fn text(&self) -> Text {
        PRUNE
    }

    fn control(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        if scene.shows("sparsity") {
            self.slider(ui, scene);
        }
    }

    fn draw(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        self.note(scene);
        if let Some(obstacle) = self.run.obstacle(scene.state) {
            ui.label(obstacle);
        }
        match self.run.view(scene.state) {
            Some(view) => {
                self.run.show_progress(ui, scene.state);
                bars(ui, outcome(view));
            }
            None => {
                ui.label("Press Play: the run takes some seconds on a GPU, longer without one.");
                bars(ui, [None; 3]);
            }
        }
        if !self.tries.is_empty() {
            self.draw_tries(ui);
        }
    }

    fn advance(&mut self, _scene: &mut Scene<'_>) -> bool {
        false
    }

    fn reset(&mut self, scene: &mut Scene<'_>) {
        self.run.drive(Drive::Reset, "none", scene);
        self.sparsity = 50;
    }

    fn seen(&self, _scene: &Scene<'_>) -> Option<String> {
        let lines: Vec<String> = self
            .tries
            .iter()
            .filter_map(|(_, at, [tuned, pruned, retuned])| {
                let (tuned, pruned, retuned) =
                    (percent((*tuned)?), percent((*pruned)?), percent((*retuned)?));
                Some(format!(
                    "With {at} % zeros: {tuned} tuned, {pruned} right after pruning, {retuned} retuned."
                ))
            })
            .collect();
        (!lines.is_empty()).then(|| lines.join(" "))
    }

    fn write(&self) -> Vec<(&'static str, String)> {
        vec![("sparsity", self.sparsity.to_string())]
    }

    fn read(&mut self, key: &str, value: &str) {
        if key == "sparsity"
            && let Some(x) =
                value.parse().ok().filter(|x: &usize| (10..=90).contains(x) && x.is_multiple_of(10))
        {
            self.sparsity = x;
        }
    }

    fn engine_plays(&self, scene: &Scene<'_>) -> Option<bool> {
        let activity = self.run.activity(scene.state);
        Some(matches!(activity, Some(Activity::Starting | Activity::Running)))
    }

    fn drive(&mut self, what: Drive, scene: &mut Scene<'_>) {
        if !self.run.activity(scene.state).is_some_and(Activity::is_under_way) {
            self.running_at = self.sparsity;
        }
        self.run.drive(what, &format!("unstructured:{}", self.sparsity as f64 / 100.0), scene);
    }
}
