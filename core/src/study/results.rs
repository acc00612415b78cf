//! What the runs of a study came to.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::statistics::{Spread, points};
use crate::report::{MetricPoint, RunReport};
use crate::tasks::{Task, scoring::METEOR_IN_FULL};

/// What an arm costs, as claims compare it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cost {
    /// Trained numbers, without the head.
    Trained,
    /// FLOPs of one sequence in linear layers.
    Flops,
    /// Numbers of the dense model.
    Dense,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Trained => "trained numbers",
            Self::Flops => "FLOPs",
            Self::Dense => "numbers of the dense model",
        })
    }
}

/// The figures of one finished run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Outcome {
    /// The run's place in the plan and its folder below the study's.
    pub run: String,
    /// Arm.
    pub arm: String,
    /// Task.
    pub task: String,
    /// Seed.
    pub seed: u64,
    /// Name of the figure that the table shows.
    pub metric: String,
    /// All figures of the final state.
    pub metrics: BTreeMap<String, f64>,
    /// The figure of the table at the last step of the last tuning phase, whether or not it was the best one.
    pub last: Option<f64>,
    /// Trained numbers, without the head.
    pub trainable_parameters: u64,
    /// Numbers of the model that are not zero.
    pub nonzero_weights: u64,
    /// Numbers of the dense model.
    pub total_weights: u64,
    /// FLOPs of one sequence, linear layers only.
    pub flops_linear: u64,
    /// The same with the attention products.
    pub flops_with_attention: u64,
    /// Wall time of all phases.
    pub seconds: f64,
}

impl Outcome {
    /// Reads a finished run's report. `None` if it has no phase that was evaluated. A figure that is undefined in the final
    /// state (a correlation with constant answers) is not there.
    #[must_use]
    pub fn read(run: &str, arm: &str, task: &str, seed: u64, report: &RunReport) -> Option<Self> {
        let row = report.phase_rows.iter().rev().find(|row| !row.metric_name.is_empty())?;
        let finite = last_evaluation(report).iter().filter(|point| point.value.is_finite());
        let metrics = finite.map(|point| (point.name.clone(), point.value)).collect();
        let last = figure_of_last_step(report, &row.metric_name).filter(|value| value.is_finite());
        Some(Self {
            run: run.to_owned(),
            arm: arm.to_owned(),
            task: task.to_owned(),
            seed,
            metric: row.metric_name.clone(),
            metrics,
            last,
            trainable_parameters: row.trainable_parameters,
            nonzero_weights: row.nonzero_weights,
            total_weights: row.total_weights,
            flops_linear: row.flops_linear,
            flops_with_attention: row.flops_with_attention,
            seconds: report.phase_rows.iter().map(|row| row.seconds).filter(|s| s.is_finite()).sum(),
        })
    }
}

/// The points of the last evaluation: each ends with its loss.
fn last_evaluation(report: &RunReport) -> &[MetricPoint] {
    let points = report.metrics.as_slice();
    let (before, _) = points.split_at(points.len().saturating_sub(1));
    let first = before.iter().rposition(|point| point.name == "loss").map_or(0, |loss| loss + 1);
    &points[first..]
}

/// The figure after the last step of the last tuning phase. At that step the report holds that evaluation first and
/// the final one, of the best state, last.
fn figure_of_last_step(report: &RunReport, metric: &str) -> Option<f64> {
    let phase = report.phases.iter().rev().find(|phase| phase.last_step > phase.first_step)?;
    let at_end = report.metrics.iter().filter(|point| point.name == metric && point.step == phase.last_step);
    let values: Vec<f64> = at_end.map(|point| point.value).collect();
    if values.len() > 1 { values.first().copied() } else { None }
}

impl Outcome {
    /// The same with the figures of the texts that the run's decoder wrote; `main` stands for the task in the table.
    #[must_use]
    pub fn with_texts(mut self, figures: BTreeMap<String, f64>, main: &str) -> Self {
        self.metrics.extend(figures);
        // Texts are written once, in the final state.
        (self.metric, self.last) = (main.to_owned(), None);
        self
    }
}

/// The figures of all runs that are done, in the order of the plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Results {
    /// One a run.
    pub outcomes: Vec<Outcome>,
}

impl Results {
    /// Outcomes of one arm, on one task or on all.
    pub fn of<'a>(&'a self, arm: &'a str, task: Option<&'a str>) -> impl Iterator<Item = &'a Outcome> {
        let is_it = move |one: &&Outcome| one.arm == arm && task.is_none_or(|task| one.task == task);
        self.outcomes.iter().filter(is_it)
    }

    /// Seed and figure, in points, of one arm and task; `metric` is the task's own unless named.
    #[must_use]
    pub fn figures(&self, arm: &str, task: &str, metric: Option<&str>) -> Vec<(u64, f64)> {
        let figure = |one: &Outcome| {
            let name = metric.unwrap_or(&one.metric);
            Some((one.seed, points(name) * *one.metrics.get(name)?))
        };
        self.of(arm, Some(task)).filter_map(figure).collect()
    }

    /// Mean and deviation of the same.
    #[must_use]
    pub fn spread(&self, arm: &str, task: &str, metric: Option<&str>) -> Option<Spread> {
        let values: Vec<f64> = self.figures(arm, task, metric).into_iter().map(|(_, value)| value).collect();
        Spread::of(&values)
    }

    /// Name of the figure a task is judged by; empty before its first run is done.
    #[must_use]
    pub fn metric_of(&self, task: &str) -> String {
        let one = self.outcomes.iter().find(|one| one.task == task);
        one.map_or_else(String::new, |one| one.metric.clone())
    }

    /// Names of figures that belong beside those of the table, where runs have them.
    #[must_use]
    pub fn also_of(&self, task: &str) -> Vec<String> {
        let also = Task::from_name(task).map_or(&[][..], |task| task.spec().also);
        let own = || self.outcomes.iter().filter(|one| one.task == task);
        let is_known = |name: &String| own().any(|one| one.metrics.contains_key(name));
        also.iter().map(|metric| metric.name().to_owned()).filter(is_known).collect()
    }

    /// Mean and deviation of the figure after the last step, in points.
    #[must_use]
    pub fn spread_of_last(&self, arm: &str, task: &str) -> Option<Spread> {
        let last = |one: &Outcome| Some(points(&one.metric) * one.last?);
        Spread::of(&self.of(arm, Some(task)).filter_map(last).collect::<Vec<f64>>())
    }

    /// Names of all figures that the table shows of a task: of texts several, else the one it is judged by.
    #[must_use]
    pub fn metrics_of(&self, task: &str) -> Vec<String> {
        let of_texts = Task::from_name(task).map_or(&[][..], |task| task.spec().text_metrics);
        match of_texts {
            [] => vec![self.metric_of(task)],
            names => {
                let is_known = |one: &Outcome| one.task == task && one.metrics.contains_key(METEOR_IN_FULL);
                let full = self.outcomes.iter().any(is_known).then_some(METEOR_IN_FULL);
                names.iter().copied().chain(full).map(str::to_owned).collect()
            }
        }
    }

    /// What an arm costs, which is the same on every task and seed.
    #[must_use]
    pub fn cost(&self, arm: &str, cost: Cost) -> Option<u64> {
        let one = self.of(arm, None).next()?;
        Some(match cost {
            Cost::Trained => one.trainable_parameters,
            Cost::Flops => one.flops_linear,
            Cost::Dense => one.total_weights,
        })
    }
}

/// LoRA and DSEE on SST-2 with seeds 1 and 2, DSEE 2 points better; an arm `full` that was not run.
#[cfg(test)]
pub(super) fn example() -> (super::Study, Results) {
    use super::{Arm, Study};
    let arm = |id: &str, row: &str| Arm {
        id: id.into(),
        row: row.into(),
        variant: String::new(),
        settings: Vec::new(),
    };
    let study = Study {
        name: "t0".into(),
        title: "An example".into(),
        tasks: vec!["sst2".into()],
        arms: vec![arm("lora", "LoRA"), arm("dsee", "DSEE"), arm("full", "full")],
        ..Study::default()
    };
    let outcome = |arm: &str, seed: u64, accuracy: f64, trainable_parameters| Outcome {
        run: format!("sst2-{arm}-seed{seed}"),
        arm: arm.into(),
        task: "sst2".into(),
        seed,
        metric: "accuracy".into(),
        metrics: [("accuracy", accuracy), ("f1", 0.5), ("loss", 1.0 - accuracy)]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        trainable_parameters,
        nonzero_weights: 75,
        total_weights: 100,
        flops_linear: 2_000_000,
        seconds: 2.0,
        ..Outcome::default()
    };
    let outcomes = vec![
        outcome("lora", 1, 0.80, 100),
        outcome("lora", 2, 0.81, 100),
        outcome("dsee", 1, 0.82, 116),
        outcome("dsee", 2, 0.83, 116),
    ];
    (study, Results { outcomes })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::report::{MetricPoint, Phase, PhaseRow};

    #[test]
    fn a_report_gives_the_final_and_the_last_figure() {
        let point = |step, value, name: &str| MetricPoint { step, name: name.into(), value, best: false };
        let row = |metric_value, seconds| PhaseRow {
            metric_name: "accuracy".into(),
            metric_value,
            seconds,
            trainable_parameters: 7,
            ..PhaseRow::default()
        };
        let report = RunReport {
            // Tuned, pruned, retuned in part, retuned to the end, and the best of these again.
            metrics: [(4, 0.7), (4, 0.3), (6, 0.6), (8, 0.5), (8, 0.6)]
                .map(|(step, value)| [point(step, value, "accuracy"), point(step, 1.0 - value, "loss")])
                .concat(),
            phases: [("tune", 0, 4), ("prune", 4, 4), ("retune", 4, 8), ("evaluate", 8, 8)]
                .map(|(name, first_step, last_step)| Phase { name: name.into(), first_step, last_step })
                .into(),
            phase_rows: vec![row(None, 1.0), row(Some(0.6), 2.0)],
            ..RunReport::default()
        };
        let outcome = Outcome::read("r", "a", "t", 3, &report).unwrap();
        assert_eq!((outcome.metrics["accuracy"], outcome.last, outcome.seconds), (0.6, Some(0.5), 3.0));
        assert_eq!((outcome.metrics.len(), outcome.trainable_parameters), (2, 7));
        // Where the figure is undefined in the final state, no earlier state stands for it.
        let collapsed = RunReport {
            metrics: [&report.metrics[..], &[point(8, 0.7, "loss")]].concat(),
            phase_rows: vec![row(Some(0.6), 1.0), PhaseRow { trainable_parameters: 3, ..row(None, 1.0) }],
            ..report.clone()
        };
        let outcome = Outcome::read("r", "a", "t", 3, &collapsed).unwrap();
        assert_eq!((outcome.metrics.get("accuracy"), outcome.trainable_parameters), (None, 3));
        assert_eq!(Outcome::read("r", "a", "t", 3, &RunReport::default()), None);
    }

    #[test]
    fn figures_of_texts_stand_for_their_task() {
        let (_, mut results) = example();
        let one = results.outcomes[0].clone();
        let figures = [("bleu".to_owned(), 0.5), ("nist".to_owned(), 6.0)].into();
        let written = Outcome { task: "e2e".into(), ..one }.with_texts(figures, "bleu");
        assert_eq!((written.metric.as_str(), written.last, written.metrics.len()), ("bleu", None, 5));
        results.outcomes.push(written);
        assert_eq!(results.metrics_of("e2e")[..2], ["bleu", "nist"]);
        assert_eq!(results.metrics_of("sst2"), ["accuracy"]);
        let points = |metric| results.spread("lora", "e2e", metric).unwrap().mean;
        assert_eq!((points(None), points(Some("nist"))), (50.0, 6.0), "BLEU in points, NIST as it is");
    }

    #[test]
    fn spreads_are_in_points() {
        let (_, results) = example();
        assert_eq!(results.spread("dsee", "sst2", None).unwrap().text(), "82.50 ± 0.71");
        assert_eq!(results.spread("full", "sst2", None), None);
    }
}
