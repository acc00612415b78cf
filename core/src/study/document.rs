//! The written forms of a study: the table of the paper with mean ± standard deviation over seeds, the verdicts, and
//! the curves of its runs laid over each other; and the same as JSON.

use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::claim::{Judgement, Verdict};
use super::results::{Outcome, Results};
use super::statistics::{Spread, points};
use super::{Arm, Study, charts, places, task_title};
use crate::report::{ClaimLine, ComparisonReport, ResultTable, RunReport, Setting, count};

/// What is known when the document is written.
#[derive(Clone, Copy, Debug)]
pub struct Findings<'a> {
    /// The study.
    pub study: &'a Study,
    /// The runs that are done.
    pub results: &'a Results,
    /// How many runs the plan has.
    pub n_planned: usize,
    /// Model, data, seeds: name and value.
    pub facts: &'a [(String, String)],
    /// Sentences the reader must see.
    pub notes: &'a [String],
    /// Settings that all runs share.
    pub settings: &'a [Setting],
}

impl<'s> Findings<'s> {
    /// The document. `reports` are those of the runs by name, for the curves.
    #[must_use]
    pub fn report(&self, reports: &BTreeMap<String, RunReport>) -> ComparisonReport {
        let missing = self.n_planned.saturating_sub(self.results.outcomes.len());
        let mut notes = self.notes.to_vec();
        if missing > 0 {
            notes.insert(0, format!("{missing} of {} runs are not done", self.n_planned));
        }
        ComparisonReport {
            title: format!("{}: {}", self.study.name, self.study.title),
            facts: self.facts.to_vec(),
            notes,
            tables: [Some(self.table()), self.others(), places::table(self.study, self.results, reports)]
                .into_iter()
                .flatten()
                .collect(),
            claims: self.judgements().iter().map(claim_line).collect(),
            charts: charts::all(self.study, self.results, reports),
            settings: self.settings.to_vec(),
        }
    }

    /// Everything as data for machines.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let cell = |arm: &str, task: &str, metric: String| {
            let spread = self.results.spread(arm, task, Some(&metric));
            json!({ "task": task, "metric": metric, "points": points(&metric), "value": spread })
        };
        let columns: Vec<(&String, String)> = self.columns();
        let arms = self.study.arms.iter().map(|arm| {
            let cells = columns.iter().map(|(task, metric)| cell(&arm.id, task, metric.clone()));
            let cells: Vec<Value> = cells.collect();
            let own: Vec<&Outcome> = self.results.of(&arm.id, None).collect();
            let seconds: Vec<f64> = own.iter().map(|one| one.seconds).collect();
            json!({
                "arm": arm.id, "row": arm.row, "variant": arm.variant, "settings": arm.settings, "cells": cells,
                "trainable_parameters": own.first().map(|one| one.trainable_parameters),
                "nonzero_weights": own.first().map(|one| one.nonzero_weights),
                "total_weights": own.first().map(|one| one.total_weights),
                "flops_linear": own.first().map(|one| one.flops_linear),
                "flops_with_attention": own.first().map(|one| one.flops_with_attention),
                "seconds": Spread::of(&seconds),
            })
        });
        json!({
            "study": self.study.name, "title": self.study.title, "paper_model": self.study.paper_model,
            "n_planned": self.n_planned, "n_done": self.results.outcomes.len(),
            "facts": self.facts, "notes": self.notes, "settings": self.settings,
            "arms": arms.collect::<Vec<Value>>(), "claims": self.judgements(), "runs": self.results,
        })
    }

    fn judgements(&self) -> Vec<Judgement> {
        self.study.claims.iter().map(|claim| claim.judge(self.study, self.results)).collect()
    }

    /// Task and figure of every column, variants aside.
    fn columns(&self) -> Vec<(&'s String, String)> {
        let of_task =
            |task: &'s String| self.results.metrics_of(task).into_iter().map(move |metric| (task, metric));
        self.study.tasks.iter().flat_map(of_task).collect()
    }

    fn table(&self) -> ResultTable {
        let variants = self.study.variants();
        let mut head: Vec<String> = vec!["method".into(), "trainable".into(), "non-zero".into()];
        for (task, metric) in self.columns() {
            let metric = metric.replace('_', " ");
            for variant in &variants {
                let parts = [task_title(task), variant, metric.as_str()];
                let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                head.push(parts.join(" "));
            }
        }
        head.extend(["GFLOP".into(), "seconds".into()]);
        let rows = self.study.rows().into_iter().map(|row| self.row(row, &variants));
        ResultTable {
            title: "Results".into(),
            caption: "Mean ± standard deviation over seeds, in points of each task's own figure (NIST, CIDEr and TER as \
                      they are); the state that was best on validation. Trained numbers are counted without the head, \
                      FLOPs for one sequence of 128 tokens in linear layers, seconds per run."
                .into(),
            head,
            rows: rows.collect(),
        }
    }

    /// Figures beside those of the table: the state after the last step, and what else a task is judged by.
    fn others(&self) -> Option<ResultTable> {
        let mut head: Vec<String> = vec!["method".into()];
        for task in &self.study.tasks {
            let names = std::iter::once("last step".to_owned()).chain(self.results.also_of(task));
            head.extend(names.map(|name| format!("{} {}", task_title(task), name.replace('_', " "))));
        }
        let text = |spread: Option<Spread>| spread.map_or_else(|| "–".to_owned(), |spread| spread.text());
        let row = |arm: &Arm| {
            let mut cells = vec![format!("{} {}", arm.row, arm.variant).trim().to_owned()];
            for task in &self.study.tasks {
                cells.push(text(self.results.spread_of_last(&arm.id, task)));
                let also = self.results.also_of(task).into_iter();
                cells.extend(also.map(|name| text(self.results.spread(&arm.id, task, Some(&name)))));
            }
            cells
        };
        let rows: Vec<Vec<String>> = self.study.arms.iter().map(row).collect();
        let differs = |one: &Outcome| {
            one.last.is_some_and(|last| one.metrics.get(&one.metric).is_some_and(|best| *best != last))
        };
        let says_more = head.len() > 1 + self.study.tasks.len() || self.results.outcomes.iter().any(differs);
        says_more.then(|| ResultTable {
            title: "Beside them".into(),
            caption: "The same figure after the last step, best or not, and the other figures of each task in the best \
                      state."
                .into(),
            head,
            rows,
        })
    }

    fn row(&self, row: &str, variants: &[&str]) -> Vec<String> {
        let own = self.study.arms.iter().filter(|arm| arm.row == row);
        let outcomes: Vec<&Outcome> = own.flat_map(|arm| self.results.of(&arm.id, None)).collect();
        // Variants may cost differently; a range says so.
        let range = |figure: &dyn Fn(&Outcome) -> f64, show: &dyn Fn(f64) -> String| {
            let figures: Vec<f64> = outcomes.iter().map(|one| figure(one)).collect();
            let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
            let most = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            match (figures.is_empty(), show(least), show(most)) {
                (true, ..) => "–".to_owned(),
                (_, least, most) if least == most => most,
                (_, least, most) => format!("{least}–{most}"),
            }
        };
        let share = |one: &Outcome| 100.0 * one.nonzero_weights as f64 / one.total_weights.max(1) as f64;
        let seconds: Vec<f64> = outcomes.iter().map(|one| one.seconds).collect();
        let mut cells = vec![
            row.to_owned(),
            range(&|one| one.trainable_parameters as f64, &|n| count(n as u64)),
            range(&share, &|x| format!("{x:.1} %")),
        ];
        for (task, metric) in self.columns() {
            for variant in variants {
                let arm = self.study.arms.iter().find(|arm| arm.row == row && arm.variant == *variant);
                let spread = arm.and_then(|arm| self.results.spread(&arm.id, task, Some(&metric)));
                cells.push(spread.map_or_else(|| "–".to_owned(), |spread| spread.text()));
            }
        }
        cells.push(range(&|one| one.flops_linear as f64 / 1e9, &|x| format!("{x:.3}")));
        cells.push(Spread::of(&seconds).map_or_else(|| "–".to_owned(), |all| format!("{:.1}", all.mean)));
        cells
    }
}

fn claim_line(judgement: &Judgement) -> ClaimLine {
    ClaimLine {
        text: judgement.text.clone(),
        judged: judgement.judged.clone(),
        verdict: judgement.verdict.to_string(),
        evidence: judgement.evidence.iter().map(|one| one.numbers.clone()).collect(),
    }
}

/// How many claims have each verdict, in one line.
#[must_use]
pub fn verdict_line(study: &Study, results: &Results) -> String {
    let all: Vec<Verdict> = study.claims.iter().map(|claim| claim.judge(study, results).verdict).collect();
    let n = |verdict| all.iter().filter(|one| **one == verdict).count();
    let kinds = [Verdict::Holds, Verdict::HoldsWhereMeasured, Verdict::DoesNotHold, Verdict::NotMeasured];
    let parts: Vec<String> = kinds.iter().map(|&kind| format!("{} {kind}", n(kind))).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::results::example;
    use super::*;

    fn findings<'a>(study: &'a Study, results: &'a Results) -> Findings<'a> {
        Findings { study, results, n_planned: 6, facts: &[], notes: &[], settings: &[] }
    }

    #[test]
    fn the_table_has_a_row_for_every_arm() {
        let (study, results) = example();
        let report = findings(&study, &results).report(&BTreeMap::new());
        let table = &report.tables[0];
        assert_eq!(table.head, ["method", "trainable", "non-zero", "SST-2 accuracy", "GFLOP", "seconds"]);
        assert_eq!(table.rows[1], ["DSEE", "116", "75.0 %", "82.50 ± 0.71", "0.002", "2.0"]);
        assert_eq!(table.rows[2], ["full", "–", "–", "–", "–", "–"]);
        assert_eq!(report.tables.len(), 1, "nothing is known beside it");
        assert_eq!(report.notes, ["2 of 6 runs are not done"]);
    }

    #[test]
    fn variants_are_columns_of_one_row() {
        let (mut study, results) = example();
        for arm in &mut study.arms[..2] {
            (arm.variant, arm.row) = (arm.row.clone(), "c = 8".into());
        }
        study.arms.truncate(2);
        let report = findings(&study, &results).report(&BTreeMap::new());
        assert_eq!(
            report.tables[0].rows,
            [["c = 8", "100–116", "75.0 %", "80.50 ± 0.71", "82.50 ± 0.71", "0.002", "2.0"]]
        );
    }

    #[test]
    fn the_last_step_and_other_figures_stand_beside() {
        let (mut study, mut results) = example();
        study.tasks = vec!["mrpc".into()];
        for one in &mut results.outcomes {
            (one.task, one.last) = ("mrpc".into(), Some(one.metrics["accuracy"] - 0.1));
        }
        let report = findings(&study, &results).report(&BTreeMap::new());
        assert_eq!(report.tables[1].head, ["method", "MRPC last step", "MRPC f1"]);
        assert_eq!(report.tables[1].rows[1], ["DSEE", "72.50 ± 0.71", "50.00 ± 0.00"]);
        assert_eq!(report.tables[1].rows[2], ["full", "–", "–"]);
    }

    #[test]
    fn json_carries_every_run() {
        let (study, results) = example();
        let json = findings(&study, &results).to_json();
        assert_eq!((&json["n_done"], &json["n_planned"]), (&json!(4), &json!(6)));
        assert_eq!(json["runs"][3]["metrics"]["accuracy"], json!(0.83));
        assert_eq!(json["arms"][1]["cells"][0]["value"]["n"], json!(2));
        assert_eq!(
            verdict_line(&study, &results),
            "0 holds, 0 holds where measured, 0 does not hold, 0 not measured"
        );
    }
}
