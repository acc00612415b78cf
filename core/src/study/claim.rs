//! What the paper says of its tables, in a form that results can be held against.

use serde::{Deserialize, Serialize};

use super::results::Results;
use super::statistics::{Spread, less_is_better, points};
use super::{Study, task_title};

/// One sentence of the paper, and the comparisons it comes down to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The sentence, with its figures.
    pub text: String,
    /// How it is judged here, where the sentence leaves that open; empty where it does not.
    pub judged: String,
    /// All of these must be so.
    pub tests: Vec<Test>,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "test", rename_all = "snake_case")]
pub enum Test {
    /// Arm `a` is better than arm `b` by more than so many points; below 0, worse by less than that.
    Better {
        /// One arm.
        a: String,
        /// The other.
        b: String,
        /// On this task.
        task: String,
        /// By this figure; `None` is the task's own.
        metric: Option<String>,
        /// In points of that figure.
        by_more_than: f64,
    },
    /// An arm reaches a figure.
    Reaches {
        /// The arm.
        arm: String,
        /// On this task.
        task: String,
        /// By this figure.
        metric: String,
        /// At least this, in points.
        at_least: f64,
    },
    /// Arm `a` trains fewer numbers than arm `b`.
    TrainsLess {
        /// One arm.
        a: String,
        /// The other.
        b: String,
    },
}

/// What becomes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every comparison is as the paper says.
    Holds,
    /// At least one is not.
    DoesNotHold,
    /// None speaks against it, but not all were made.
    NotMeasured,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Holds => "holds",
            Self::DoesNotHold => "does not hold",
            Self::NotMeasured => "not measured",
        })
    }
}

/// A claim with its verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// The sentence.
    pub text: String,
    /// How it is judged.
    pub judged: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The comparisons.
    pub evidence: Vec<Evidence>,
}

/// One comparison with its figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Whether it is as the paper says; `None` if it was not measured.
    pub is_so: Option<bool>,
    /// The figures in words.
    pub numbers: String,
}

impl Claim {
    /// Holds the claim against results.
    #[must_use]
    pub fn judge(&self, study: &Study, results: &Results) -> Judgement {
        let evidence: Vec<Evidence> = self.tests.iter().map(|test| test.evidence(study, results)).collect();
        let verdict = if evidence.iter().any(|one| one.is_so == Some(false)) {
            Verdict::DoesNotHold
        } else if !evidence.is_empty() && evidence.iter().all(|one| one.is_so == Some(true)) {
            Verdict::Holds
        } else {
            Verdict::NotMeasured
        };
        Judgement { text: self.text.clone(), judged: self.judged.clone(), verdict, evidence }
    }
}

impl Test {
    fn evidence(&self, study: &Study, results: &Results) -> Evidence {
        match self {
            Self::Better { a, b, task, metric, by_more_than } => {
                let arms = [a.as_str(), b.as_str()];
                better(study, results, arms, task, metric.as_deref(), *by_more_than)
            }
            Self::Reaches { arm, task, metric, at_least } => {
                reaches(study, results, arm, task, metric, *at_least)
            }
            Self::TrainsLess { a, b } => trains_less(study, results, a, b),
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
    by_more_than: f64,
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
    let asked =
        if by_more_than == 0.0 { "above".to_owned() } else { format!("by more than {by_more_than:+}") };
    let metric = metric.map_or_else(String::new, |metric| format!(" {metric}"));
    Evidence {
        is_so: Some(gain > by_more_than),
        numbers: format!(
            "{title}{metric}: {name_a} {}, {name_b} {}: difference {}{noise} (asked: {asked})",
            mean(&figures_a),
            mean(&figures_b),
            difference.signed_text()
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

fn trains_less(study: &Study, results: &Results, a: &str, b: &str) -> Evidence {
    let text = format!("trained numbers of {} and {}", name(study, a), name(study, b));
    match (results.trainable(a), results.trainable(b)) {
        (Some(fewer), Some(more)) => {
            Evidence { is_so: Some(fewer < more), numbers: format!("{text}: {fewer} and {more}") }
        }
        _ => missing(text),
    }
}

/// A figure in the unit that claims are made in.
pub(super) fn in_points(metric: &str, value: f64) -> f64 {
    points(metric) * value
}

#[cfg(test)]
mod tests {
    use super::super::results::example;
    use super::*;

    fn claim(tests: Vec<Test>) -> Claim {
        Claim { text: "so".into(), judged: String::new(), tests }
    }

    fn test(a: &str, b: &str, by_more_than: f64) -> Test {
        Test::Better { a: a.into(), b: b.into(), task: "sst2".into(), metric: None, by_more_than }
    }

    #[test]
    fn verdicts_follow_the_differences() {
        let (study, results) = example();
        let judge = |tests| claim(tests).judge(&study, &results).verdict;
        // In the example dsee is 2 points above lora in both seeds.
        assert_eq!(judge(vec![test("dsee", "lora", 0.0)]), Verdict::Holds);
        assert_eq!(judge(vec![test("dsee", "lora", 2.5)]), Verdict::DoesNotHold);
        assert_eq!(judge(vec![test("lora", "dsee", -2.5)]), Verdict::Holds);
        assert_eq!(judge(vec![test("dsee", "lora", 0.0), test("dsee", "full", 0.0)]), Verdict::NotMeasured);
        assert_eq!(judge(vec![test("lora", "dsee", 0.0), test("dsee", "full", 0.0)]), Verdict::DoesNotHold);
        assert_eq!(judge(vec![]), Verdict::NotMeasured);
    }

    #[test]
    fn the_numbers_stand_behind_the_verdict() {
        let (study, results) = example();
        let judgement =
            claim(vec![test("dsee", "lora", 0.0), test("dsee", "full", 0.0)]).judge(&study, &results);
        let numbers: Vec<&str> = judgement.evidence.iter().map(|one| one.numbers.as_str()).collect();
        assert_eq!(
            numbers,
            [
                "SST-2: DSEE 82.50 ± 0.71, LoRA 80.50 ± 0.71: difference +2.00 ± 0.00 (asked: above)",
                "SST-2: DSEE against full: not measured"
            ]
        );
    }

    #[test]
    fn other_figures_and_counts_are_compared() {
        let (study, results) = example();
        let reaches = |at_least| Test::Reaches {
            arm: "dsee".into(),
            task: "sst2".into(),
            metric: "f1".into(),
            at_least,
        };
        let judge = |test| claim(vec![test]).judge(&study, &results).verdict;
        assert_eq!(judge(reaches(50.0)), Verdict::Holds);
        assert_eq!(judge(reaches(51.0)), Verdict::DoesNotHold);
        assert_eq!(judge(Test::TrainsLess { a: "lora".into(), b: "dsee".into() }), Verdict::Holds);
        assert_eq!(judge(Test::TrainsLess { a: "dsee".into(), b: "lora".into() }), Verdict::DoesNotHold);
    }

    #[test]
    fn less_loss_is_better() {
        let (study, results) = example();
        let loss = Test::Better {
            a: "dsee".into(),
            b: "lora".into(),
            task: "sst2".into(),
            metric: Some("loss".into()),
            by_more_than: 0.0,
        };
        // The example's loss is one minus the accuracy.
        assert_eq!(claim(vec![loss]).judge(&study, &results).verdict, Verdict::Holds);
    }
}
