//! Places of sparse entries that are searched once and used by all runs of a study that would find the same: they depend
//! on model, selector, number of entries, seed and, for one selector, on the rank; not on the task (`dsee-method` 2.4).

use dsee_core::{
    config::{Method, RunConfig},
    protocol::OmegaReport,
    report::OmegaMatrix,
    study::plan::PlannedRun,
};
use std::path::Path;

use super::findings::finished_report;

/// What a finished run below `root` has found that `run` would find again; nothing if none has.
pub fn found(run: &PlannedRun, runs: &[&PlannedRun], root: &Path) -> Vec<OmegaReport> {
    if run.config.method != Method::Dsee || run.config.nnz == 0 {
        return Vec::new();
    }
    let others = runs.iter().filter(|other| other.id != run.id && finds_the_same(&other.config, &run.config));
    let report = others.into_iter().find_map(|other| finished_report(&root.join(&other.id)));
    report.map_or_else(Vec::new, |report| report.omega.into_iter().filter_map(as_found).collect())
}

fn finds_the_same(one: &RunConfig, other: &RunConfig) -> bool {
    let what = |config: &RunConfig| {
        let rank = config.omega.uses_rank().then_some(config.rank);
        (config.method, config.omega, config.nnz, config.seed, rank)
    };
    what(one) == what(other) && one.target_modules == other.target_modules
}

fn as_found(matrix: OmegaMatrix) -> Option<OmegaReport> {
    Some(OmegaReport {
        overlap_with_magnitude: matrix.overlap_with_magnitude?,
        path: matrix.path,
        d_out: matrix.d_out,
        d_in: matrix.d_in,
        indices: matrix.indices,
        seconds: 0.0,
        n_done: 0,
        n_total: 0,
    })
}
