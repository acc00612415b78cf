//! The curves of a run, thinned to what a screen can show, and made anew only when the run has told more.

use dsee_core::{
    protocol::RunId,
    report::{RunReport, smooth},
};
use egui_plot::PlotPoint;

use crate::state::RunView;

/// More points than this no screen shows.
const DRAWN_POINTS: usize = 2000;

/// A phase as it is drawn: a band, or a line where no step was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// Its name.
    pub name: String,
    /// First step.
    pub from: f64,
    /// Last step.
    pub to: f64,
}

/// The curves of one run.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// What they were made from: the run, and how much it had told.
    made_from: (Option<RunId>, [usize; 4]),
    /// Loss of every logged step.
    pub loss: Vec<PlotPoint>,
    /// Its smoothed form, a piece for every phase.
    pub smoothed: Vec<Vec<PlotPoint>>,
    /// Name of the validation metric.
    pub metric_name: String,
    /// Validation metric.
    pub metric: Vec<PlotPoint>,
    /// The best of each phase.
    pub best: Vec<PlotPoint>,
    /// Learning rate.
    pub learning_rate: Vec<PlotPoint>,
    /// Gradient norm.
    pub grad_norm: Vec<PlotPoint>,
    /// Phases.
    pub bands: Vec<Band>,
    /// Last step of the axis.
    pub last_step: f64,
    /// Largest loss that the axis must show.
    pub top_loss: f64,
}

impl Series {
    /// Makes the curves anew if `run` has told more since.
    pub fn update(&mut self, id: RunId, run: &RunView) {
        let report = &run.report;
        let told = [report.losses.len(), report.metrics.len(), report.phases.len(), run.progress().n_steps];
        if self.made_from != (Some(id), told) {
            *self = Self::of(run);
            self.made_from = (Some(id), told);
        }
    }

    fn of(run: &RunView) -> Self {
        let report = &run.report;
        let points =
            |all: Vec<(u64, f64)>| thin(all.into_iter().map(|(x, y)| PlotPoint::new(x as f64, y)).collect());
        let metric_name = shown_metric(report);
        let metrics: Vec<_> = report.metrics.iter().filter(|m| m.name == metric_name).collect();
        let best = metrics.iter().filter(|m| m.best).map(|m| (m.step, m.value)).collect();
        let norms = run.steps.iter().map(|(step, report)| (*step as u64, report.grad_norm)).collect();
        let losses = report.losses.iter().map(|p| p.loss).filter(|loss| loss.is_finite());
        Self {
            made_from: Default::default(),
            loss: points(report.losses.iter().map(|p| (p.step, p.loss)).collect()),
            smoothed: smoothed(report),
            metric: points(metrics.iter().map(|m| (m.step, m.value)).collect()),
            best: last_of_each_phase(best, report),
            metric_name,
            learning_rate: points(report.learning_rates.iter().map(|p| (p.step, p.rate)).collect()),
            grad_norm: points(norms),
            bands: bands(report),
            last_step: run.progress().n_steps.max(1) as f64,
            top_loss: losses.fold(0.0, f64::max),
        }
    }
}

/// The first metric besides the loss; the loss where there is no other.
fn shown_metric(report: &RunReport) -> String {
    let names = report.metric_names();
    names
        .iter()
        .find(|name| **name != "loss")
        .or(names.first())
        .map_or(String::new(), |name| (*name).to_owned())
}

/// Every evaluation that was the best so far is marked in the record; the last of a phase is the one that was kept.
fn last_of_each_phase(best: Vec<(u64, f64)>, report: &RunReport) -> Vec<PlotPoint> {
    let phases = report.phases.iter().filter(|phase| phase.last_step > phase.first_step);
    let last = |first: u64, last: u64| best.iter().rev().find(|(step, _)| (first + 1..=last).contains(step));
    phases
        .filter_map(|phase| last(phase.first_step, phase.last_step))
        .map(|&(x, y)| PlotPoint::new(x as f64, y))
        .collect()
}

fn smoothed(report: &RunReport) -> Vec<Vec<PlotPoint>> {
    let means = smooth(&report.losses, &report.phases);
    let points: Vec<PlotPoint> = report
        .losses
        .iter()
        .zip(&means)
        .map(|(point, &mean)| PlotPoint::new(point.step as f64, mean))
        .collect();
    let phases = report.phases.iter().filter(|phase| phase.last_step > phase.first_step);
    let within = |first: u64, last: u64| {
        let piece = points.iter().filter(|p| p.x > first as f64 && p.x <= last as f64 && p.y.is_finite());
        thin(piece.copied().collect())
    };
    phases.map(|phase| within(phase.first_step, phase.last_step)).collect()
}

fn bands(report: &RunReport) -> Vec<Band> {
    let mut bands: Vec<Band> = Vec::new();
    for phase in &report.phases {
        let (from, to) = (phase.first_step as f64, phase.last_step as f64);
        // Choosing Ω before the first step and the evaluation at the end have no place of their own on this axis.
        if to > from || phase.name == "prune" {
            bands.push(Band { name: phase.name.clone(), from, to });
        }
    }
    bands
}

/// Keeps the lowest and the highest value of each bucket in their order, so that no spike is lost. Points that are
/// not finite are left out: a plot cannot place them.
fn thin(mut points: Vec<PlotPoint>) -> Vec<PlotPoint> {
    points.retain(|point| point.y.is_finite());
    if points.len() <= DRAWN_POINTS {
        return points;
    }
    let size = (2 * points.len()).div_ceil(DRAWN_POINTS);
    let mut out = Vec::with_capacity(DRAWN_POINTS + 1);
    for bucket in points.chunks(size) {
        let by_value = |a: &&PlotPoint, b: &&PlotPoint| a.y.total_cmp(&b.y);
        if let (Some(&low), Some(&high)) = (bucket.iter().min_by(by_value), bucket.iter().max_by(by_value)) {
            out.extend(if low.x <= high.x { [low, high] } else { [high, low] });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_spike_and_drops_what_is_no_number() {
        let mut points: Vec<PlotPoint> = (0..50_000).map(|i| PlotPoint::new(f64::from(i), 1.0)).collect();
        points[7_777].y = 9.0;
        points[9].y = f64::NAN;
        let thinned = thin(points);
        assert!(thinned.len() <= DRAWN_POINTS + 2 && thinned.iter().any(|p| p.y == 9.0));
        assert!(thinned.iter().all(|p| p.y.is_finite()) && thinned.windows(2).all(|w| w[0].x <= w[1].x));
    }
}
