//! Where the sparse entries of a study's runs lie: how many of them a selector shares with magnitude, and with itself
//! under another seed (`dsee-method` 2.5). Ω does not depend on the task.

use std::collections::BTreeMap;

use super::Study;
use super::results::Results;
use super::statistics::Spread;
use crate::omega::overlap;
use crate::report::{OmegaMatrix, ResultTable, RunReport};

/// Matrices of one run.
type Matrices<'a> = &'a [OmegaMatrix];

/// The table; `None` where no run has sparse entries, or all have them by the same selector.
#[must_use]
pub fn table(study: &Study, results: &Results, reports: &BTreeMap<String, RunReport>) -> Option<ResultTable> {
    if !study.compares("omega") {
        return None;
    }
    let rows: Vec<Vec<String>> = study
        .arms
        .iter()
        .filter_map(|arm| {
            let by_seed: BTreeMap<u64, Matrices<'_>> = results
                .of(&arm.id, None)
                .filter_map(|one| Some((one.seed, reports.get(&one.run)?.omega.as_slice())))
                .filter(|(_, matrices)| !matrices.is_empty())
                .collect();
            let seeds: Vec<Matrices<'_>> = by_seed.into_values().collect();
            let size = seeds.first()?.first()?.indices.len();
            let name = format!("{} {}", arm.row, arm.variant).trim().to_owned();
            let text = |spread: Option<Spread>| spread.map_or_else(|| "–".to_owned(), |all| all.text());
            Some(vec![name, size.to_string(), text(with_magnitude(&seeds)), text(between_seeds(&seeds))])
        })
        .collect();
    (!rows.is_empty()).then(|| ResultTable {
        title: "Where the sparse entries lie".into(),
        caption: "Entries of a matrix that a selector shares with the largest entries of the weight, and with itself under \
                  another seed (which needs two seeds): mean ± standard deviation over matrices and seeds."
            .into(),
        head: ["method", "entries", "shared with magnitude", "shared between seeds"].map(str::to_owned).into(),
        rows,
    })
}

fn with_magnitude(seeds: &[Matrices<'_>]) -> Option<Spread> {
    let known = seeds.iter().copied().flatten().filter_map(|matrix| matrix.overlap_with_magnitude);
    Spread::of(&known.map(|n| n as f64).collect::<Vec<f64>>())
}

fn between_seeds(seeds: &[Matrices<'_>]) -> Option<Spread> {
    let mut shared = Vec::new();
    for (i, one) in seeds.iter().enumerate() {
        for other in &seeds[i + 1..] {
            let pairs = one.iter().zip(other.iter()).filter(|(a, b)| a.path == b.path);
            shared.extend(pairs.map(|(a, b)| overlap(&a.indices, &b.indices) as f64));
        }
    }
    Spread::of(&shared)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::super::results::example;
    use super::*;

    fn report(indices: &[u32], with_magnitude: usize) -> RunReport {
        let matrix = OmegaMatrix {
            path: "query".into(),
            d_out: 4,
            d_in: 4,
            indices: indices.to_vec(),
            overlap_with_magnitude: Some(with_magnitude),
        };
        RunReport { omega: vec![matrix], ..RunReport::default() }
    }

    #[test]
    fn both_overlaps_are_counted() {
        let (mut study, results) = example();
        study.arms[1].settings = vec![("omega".into(), "grebsmo".into())];
        let reports =
            [("sst2-dsee-seed1", report(&[1, 5, 9], 2)), ("sst2-dsee-seed2", report(&[5, 9, 11], 1))];
        let mut reports: BTreeMap<_, _> = reports.map(|(run, report)| (run.to_owned(), report)).into();
        let rows = table(&study, &results, &reports).unwrap().rows;
        assert_eq!(rows, [["DSEE", "3", "1.50 ± 0.71", "2.00"]]);
        reports.remove("sst2-dsee-seed2");
        let rows = table(&study, &results, &reports).unwrap().rows;
        assert_eq!(rows, [["DSEE", "3", "2.00", "–"]]);
        assert_eq!(table(&study, &results, &BTreeMap::new()), None);
    }

    #[test]
    fn only_a_study_of_selectors_has_the_table() {
        let (study, results) = example();
        let reports = [("sst2-dsee-seed1".to_owned(), report(&[1], 1))].into();
        assert_eq!(table(&study, &results, &reports), None);
    }
}
