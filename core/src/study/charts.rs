//! The curves of a study's runs laid over each other, and its own figure where it is one.

use std::collections::BTreeMap;

use super::results::Results;
use super::statistics::points;
use super::{Arm, Study, task_title};
use crate::report::{Over, Overlay, RunReport, Series, smooth};

/// For a study that is a figure, that figure. Then two charts a task: the smoothed loss and the figure on validation,
/// one curve an arm.
pub(super) fn all(study: &Study, results: &Results, reports: &BTreeMap<String, RunReport>) -> Vec<Overlay> {
    let axis = study.axis.iter();
    let mut charts: Vec<Overlay> =
        axis.flat_map(|axis| study.tasks.iter().map(|task| figure(study, results, axis, task))).collect();
    for task in &study.tasks {
        // Texts are written once, at the end: their curve is that of the loss.
        let is_text = study.text_tasks().contains(&task.as_str());
        let metric = if is_text { "loss".to_owned() } else { results.metric_of(task) };
        let overlay = |title: String, points: &dyn Fn(&RunReport) -> Vec<(f64, f64)>| {
            let series = study.arms.iter().filter_map(|arm| {
                let own = results.of(&arm.id, Some(task)).filter_map(|one| reports.get(&one.run));
                let points = mean_curve(&own.map(points).collect::<Vec<_>>());
                let label = format!("{} {}", arm.row, arm.variant).trim().to_owned();
                (!points.is_empty()).then_some(Series { label, points })
            });
            Overlay { title, over: Over::Steps, series: series.collect() }
        };
        let title = task_title(task);
        charts.push(overlay(format!("{title}: training loss, smoothed"), &loss_points));
        let of_metric = |report: &RunReport| metric_points(report, &metric);
        charts.push(overlay(format!("{title}: validation {}", metric.replace('_', " ")), &of_metric));
    }
    charts.retain(|chart| !chart.series.is_empty());
    charts
}

/// A task's figure over the values of a setting, one curve a variant.
fn figure(study: &Study, results: &Results, axis: &str, task: &str) -> Overlay {
    let value = |arm: &Arm| arm.settings.iter().find(|(name, _)| name == axis)?.1.parse::<f64>().ok();
    let curve = |variant: &str| {
        let own = study.arms.iter().filter(|arm| arm.variant == variant);
        let point = |arm: &Arm| Some((value(arm)?, results.spread(&arm.id, task, None)?.mean));
        let mut points: Vec<(f64, f64)> = own.filter_map(point).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Series { label: variant.to_owned(), points }
    };
    let series = study.variants().into_iter().map(curve).filter(|series| !series.points.is_empty());
    let title = format!("{}: {} over {axis}", task_title(task), results.metric_of(task).replace('_', " "));
    Overlay { title, over: Over::Setting(axis.to_owned()), series: series.collect() }
}

fn loss_points(report: &RunReport) -> Vec<(f64, f64)> {
    let means = smooth(&report.losses, &report.phases);
    report.losses.iter().zip(means).map(|(point, mean)| (point.step as f64, mean)).collect()
}

fn metric_points(report: &RunReport, metric: &str) -> Vec<(f64, f64)> {
    let own = report.metrics.iter().filter(|point| point.name == metric);
    own.map(|point| (point.step as f64, points(metric) * point.value)).collect()
}

/// The mean of several curves, over the steps that all of them have. Of steps that come twice, in two phases, the later
/// value counts.
fn mean_curve(curves: &[Vec<(f64, f64)>]) -> Vec<(f64, f64)> {
    let by_step = |curve: &Vec<(f64, f64)>| -> BTreeMap<u64, f64> {
        curve.iter().map(|&(step, value)| (step as u64, value)).collect()
    };
    let curves: Vec<BTreeMap<u64, f64>> = curves.iter().map(by_step).collect();
    let Some((first, others)) = curves.split_first() else { return Vec::new() };
    let mean = |(step, value): (&u64, &f64)| {
        let values: Option<Vec<f64>> = others.iter().map(|curve| curve.get(step).copied()).collect();
        Some((*step as f64, (value + values?.iter().sum::<f64>()) / curves.len() as f64))
    };
    first.iter().filter_map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::super::results::example;
    use super::*;
    use crate::report::{LossPoint, MetricPoint};

    #[test]
    fn a_figure_is_drawn_over_its_setting() {
        let (mut study, results) = example();
        study.axis = Some("nnz".into());
        for (arm, (variant, nnz)) in study.arms.iter_mut().zip([("x", "16"), ("x", "8"), ("y", "8")]) {
            (arm.variant, arm.settings) = (variant.into(), vec![("nnz".into(), nnz.into())]);
        }
        let charts = all(&study, &results, &BTreeMap::new());
        assert_eq!((charts.len(), charts[0].title.as_str()), (1, "SST-2: accuracy over nnz"));
        assert_eq!(charts[0].over, Over::Setting("nnz".into()));
        assert_eq!(charts[0].series, [Series { label: "x".into(), points: vec![(8.0, 82.5), (16.0, 80.5)] }]);
    }

    #[test]
    fn curves_are_means_over_seeds() {
        let (study, results) = example();
        let report = |loss: f64| RunReport {
            losses: vec![LossPoint { step: 1, loss }, LossPoint { step: 2, loss }],
            metrics: vec![MetricPoint { step: 2, name: "accuracy".into(), value: loss, best: true }],
            ..RunReport::default()
        };
        let reports = [("sst2-lora-seed1", 0.2), ("sst2-lora-seed2", 0.4), ("sst2-dsee-seed1", 0.5)];
        let reports = reports.map(|(run, loss)| (run.to_owned(), report(loss))).into();
        let charts = all(&study, &results, &reports);
        assert_eq!(charts.len(), 2);
        let labels: Vec<&str> = charts[0].series.iter().map(|series| series.label.as_str()).collect();
        assert_eq!(labels, ["LoRA", "DSEE"]);
        let lora = &charts[0].series[0].points;
        assert!(lora.len() == 2 && (lora[1].1 - 0.3).abs() < 1e-9, "{lora:?}");
        assert!((charts[1].series[0].points[0].1 - 30.0).abs() < 1e-9, "in points");
    }
}
