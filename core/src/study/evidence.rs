//! The comparisons behind a claim, made on results.

use std::ops::RangeInclusive;

use super::claim::{Evidence, Test};
use super::results::{Cost, Results};
use super::statistics::{Spread, less_is_better};
use super::{Study, task_title};

impl Test {
    /// Holds one comparison against results.
    pub(super) fn evidence(&self, study: &Study, results: &Results) -> Evidence {
        match self {
            Self::Better { a, b, task, metric, by_more_than, by_at_most } => {
                let range = (*by_more_than, *by_at_most);
                better(study, results, [a, b], task, metric.as_deref(), range)
            }
            Self::Reaches { arm, task, metric, at_least } => {
                reaches(study, results, arm, task, metric, *at_least)
            }
            Self::Ratio { cost, a, b, at_least, at_most } => {
                ratio(study, results, *cost, a, b.as_deref(), *at_least..=*at_most)
            }
        }
    }
}

fn name<'a>(study: &'a Study, id: &'a str) -> String {
    let arm = study.arm(id);
    arm.map_or_else(|| id.to_owned(), |arm| format!("{} {}", arm.row, arm.variant).trim().to_owned())
}

fn missing(text: String) -> Evidence {
    Evidence { is_so: None, numbers: format!("{text}: not measured") }
}

fn better(
    study: &Study,
    results: &Results,
    [a, b]: [&str; 2],
    task: &str,
    metric: Option<&str>,
    range: (f64, Option<f64>),
) -> Evidence {
    let title = task_title(task);
    let (name_a, name_b) = (name(study, a), name(study, b));
    let figures = |arm| results.figures(arm, task, metric);
    let (figures_a, figures_b) = (figures(a), figures(b));
    let differences: Vec<f64> = figures_a
        .iter()
        .filter_map(|(seed, value)| Some(value - figures_b.iter().find(|(other, _)| other == seed)?.1))
        .collect();
    let Some(difference) = Spread::of(&differences) else {
        return missing(format!("{title}: {name_a} against {name_b}"));
    };
    let unit = metric.map_or_else(|| results.metric_of(task), str::to_owned);
    let gain = if less_is_better(&unit) { -difference.mean } else { difference.mean };
    let mean = |figures: &[(u64, f64)]| {
        let values: Vec<f64> = figures.iter().map(|(_, value)| *value).collect();
        Spread::of(&values).map_or_else(String::new, |spread| spread.text())
    };
    let noise = match difference.sd {
        None => ", one seed",
        Some(sd) if difference.mean.abs() <= sd => ", within the spread of the seeds",
        Some(_) => "",
    };
    let metric = metric.map_or_else(String::new, |metric| format!(" {metric}"));
    Evidence {
        is_so: Some(gain > range.0 && range.1.is_none_or(|most| gain <= most)),
        numbers: format!(
            "{title}{metric}: {name_a} {}, {name_b} {}: difference {}{noise} (asked: {})",
            mean(&figures_a),
            mean(&figures_b),
            difference.signed_text(),
            asked(range)
        ),
    }
}

fn reaches(study: &Study, results: &Results, arm: &str, task: &str, metric: &str, at_least: f64) -> Evidence {
    let text = format!("{} {metric}: {}", task_title(task), name(study, arm));
    let values: Vec<f64> = results.figures(arm, task, Some(metric)).iter().map(|(_, v)| *v).collect();
    let Some(spread) = Spread::of(&values) else { return missing(text) };
    let is_so = if less_is_better(metric) { spread.mean <= at_least } else { spread.mean >= at_least };
    Evidence { is_so: Some(is_so), numbers: format!("{text} {} (asked: {at_least})", spread.text()) }
}

fn asked((by_more_than, by_at_most): (f64, Option<f64>)) -> String {
    match by_at_most {
        Some(most) => format!("by more than {by_more_than:+}, at most {most:+}"),
        None if by_more_than == 0.0 => "above".to_owned(),
        None => format!("by more than {by_more_than:+}"),
    }
}

fn ratio(
    study: &Study,
    results: &Results,
    cost: Cost,
    a: &str,
    b: Option<&str>,
    asked: RangeInclusive<f64>,
) -> Evidence {
    let of = b.map_or_else(|| "the dense model's numbers".to_owned(), |b| name(study, b));
    let text = format!("{cost} of {} as a share of {of}", name(study, a));
    let whole = match b {
        Some(b) => results.cost(b, cost),
        None => results.cost(a, Cost::Dense),
    };
    let (Some(part), Some(whole)) = (results.cost(a, cost), whole) else { return missing(text) };
    let share = part as f64 / whole.max(1) as f64;
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let (least, most) = (percent(*asked.start()), percent(*asked.end()));
    Evidence {
        is_so: Some(asked.contains(&share)),
        numbers: format!("{text}: {part} of {whole}, {} (asked: {least} to {most})", percent(share)),
    }
}
