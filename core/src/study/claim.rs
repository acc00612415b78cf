//! What the paper says of its tables, in a form that results can be held against.

use serde::{Deserialize, Serialize};

use super::Study;
use super::results::{Cost, Results};

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
        /// No more than so many points better; `None` has no upper end.
        by_at_most: Option<f64>,
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
    /// What arm `a` costs, as a share of what arm `b` does.
    Ratio {
        /// The cost.
        cost: Cost,
        /// One arm.
        a: String,
        /// The other; `None` is the dense model, counted in numbers.
        b: Option<String>,
        /// The least share that is meant.
        at_least: f64,
        /// The largest.
        at_most: f64,
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
    /// None of those that were made speaks against it, but not all were made.
    HoldsWhereMeasured,
    /// None was made.
    NotMeasured,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Holds => "holds",
            Self::DoesNotHold => "does not hold",
            Self::HoldsWhereMeasured => "holds where measured",
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
        let n = |is_so| evidence.iter().filter(|one| one.is_so == is_so).count();
        let verdict = match (n(Some(true)), n(Some(false)), n(None)) {
            (_, 1.., _) => Verdict::DoesNotHold,
            (0, ..) => Verdict::NotMeasured,
            (_, _, 0) => Verdict::Holds,
            _ => Verdict::HoldsWhereMeasured,
        };
        Judgement { text: self.text.clone(), judged: self.judged.clone(), verdict, evidence }
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::example;
    use super::*;

    fn claim(tests: Vec<Test>) -> Claim {
        Claim { text: "so".into(), judged: String::new(), tests }
    }

    fn test(a: &str, b: &str, by_more_than: f64) -> Test {
        Test::Better {
            a: a.into(),
            b: b.into(),
            task: "sst2".into(),
            metric: None,
            by_more_than,
            by_at_most: None,
        }
    }

    #[test]
    fn verdicts_follow_the_differences() {
        let (study, results) = example();
        let judge = |tests| claim(tests).judge(&study, &results).verdict;
        // In the example dsee is 2 points above lora in both seeds.
        assert_eq!(judge(vec![test("dsee", "lora", 0.0)]), Verdict::Holds);
        assert_eq!(judge(vec![test("dsee", "lora", 2.5)]), Verdict::DoesNotHold);
        assert_eq!(judge(vec![test("lora", "dsee", -2.5)]), Verdict::Holds);
        let partly = vec![test("dsee", "lora", 0.0), test("dsee", "full", 0.0)];
        assert_eq!(judge(partly), Verdict::HoldsWhereMeasured);
        assert_eq!(judge(vec![test("dsee", "full", 0.0)]), Verdict::NotMeasured);
        assert_eq!(judge(vec![test("lora", "dsee", 0.0), test("dsee", "full", 0.0)]), Verdict::DoesNotHold);
        assert_eq!(judge(vec![]), Verdict::NotMeasured);
        let within = |by_at_most| match test("dsee", "lora", 0.5) {
            Test::Better { a, b, task, metric, by_more_than, .. } => {
                Test::Better { a, b, task, metric, by_more_than, by_at_most: Some(by_at_most) }
            }
            other => other,
        };
        assert_eq!(judge(vec![within(2.5)]), Verdict::Holds);
        assert_eq!(judge(vec![within(1.5)]), Verdict::DoesNotHold);
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
        let ratio = |b: Option<&str>, at_most| {
            let (a, b) = ("dsee".into(), b.map(str::to_owned));
            judge(Test::Ratio { cost: Cost::Trained, a, b, at_least: 0.0, at_most })
        };
        // 116 trained numbers against LoRA's 100, and against 100 of the dense model.
        assert_eq!(
            (ratio(Some("lora"), 1.2), ratio(Some("lora"), 1.1)),
            (Verdict::Holds, Verdict::DoesNotHold)
        );
        assert_eq!((ratio(None, 1.2), ratio(Some("full"), 9.0)), (Verdict::Holds, Verdict::NotMeasured));
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
            by_at_most: None,
        };
        // The example's loss is one minus the accuracy.
        assert_eq!(claim(vec![loss]).judge(&study, &results).verdict, Verdict::Holds);
    }
}
