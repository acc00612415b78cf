//! Stage 0: where the sparse entries of every adapted matrix go, and the updates before training.

use std::ops::ControlFlow;

use super::Run;
use crate::engine::checkpoint::Stage;
use crate::engine::error::EngineError;
use crate::engine::phase_row::n_trainable;
use crate::nn::plan::TuningPlan;
use crate::nn::site::Site;
use crate::omega::{OmegaMethod, overlap, select_omega, site_stream};
use crate::protocol::{OmegaReport, Phase, RunEvent};
use crate::tuning::initial::{initial_added, initial_delta};

impl Run {
    /// Takes over places that another run has found: of the same model, selector, rank, number of entries and seed, on
    /// which alone they depend. A matrix whose places do not fit is searched.
    pub fn reuse_omega(&mut self, found: Vec<OmegaReport>) {
        self.found_omega = found;
    }

    /// Numbers that `plan` trains, in updates that do not exist yet as well.
    pub(super) fn n_planned(&self, plan: &TuningPlan) -> usize {
        let size = |site: &Site| plan.deltas.get(&site.path).map_or(0, |delta| delta.n_values(site));
        let is_begun = !self.state.deltas.is_empty();
        let updates: usize = if is_begun { 0 } else { self.base.sites.iter().map(size).sum() };
        n_trainable(&self.base, &self.state, plan) + updates
    }

    /// What the method adds, before training.
    pub(super) fn create_deltas(&mut self, omegas: &[OmegaReport]) {
        for site in &self.base.sites {
            let Some(plan) = self.plan.deltas.get(&site.path) else { continue };
            let omega = omegas.iter().find(|omega| omega.path == site.path);
            let indices = omega.map(|omega| omega.indices.clone()).unwrap_or_default();
            self.state.deltas.push(initial_delta(site, *plan, indices, self.config.seed));
        }
        for (name, plan) in &self.plan.added {
            self.state.trained.insert(name.clone(), initial_added(name, plan, self.config.seed));
        }
    }

    pub(super) async fn advance_omega(&mut self) -> Result<Vec<RunEvent>, EngineError> {
        let adapted: Vec<&Site> =
            self.base.sites.iter().filter(|site| self.plan.deltas.contains_key(&site.path)).collect();
        let (n_done, n_total) = (self.position.omegas.len(), adapted.len());
        if let Some(site) = adapted.get(n_done).map(|&site| site.clone()) {
            let mut report = match self.found_at(&site) {
                Some(found) => found,
                None => self.select_omega(&site).await?,
            };
            (report.n_done, report.n_total) = (n_done + 1, n_total);
            self.position.omegas.push(report.clone());
            return Ok(vec![RunEvent::OmegaSelected(report)]);
        }
        let omegas = std::mem::take(&mut self.position.omegas);
        self.create_deltas(&omegas);
        let seconds = omegas.iter().map(|omega| omega.seconds).sum();
        self.position.stage = Stage::Tune;
        Ok(vec![self.finish_row(Phase::SelectOmega, None, seconds)])
    }

    fn found_at(&self, site: &Site) -> Option<OmegaReport> {
        let n = self.plan.deltas.get(&site.path)?.n_nonzero;
        let fits = |found: &&OmegaReport| {
            let is_ascending = found.indices.is_sorted_by(|a, b| a < b);
            let is_inside = found.indices.last().is_none_or(|&last| (last as usize) < site.d_out * site.d_in);
            found.path == site.path && found.indices.len() == n && is_ascending && is_inside
        };
        let found = self.found_omega.iter().find(fits)?.clone();
        Some(OmegaReport { d_out: site.d_out, d_in: site.d_in, seconds: 0.0, ..found })
    }

    pub(super) async fn select_omega(&mut self, site: &Site) -> Result<OmegaReport, EngineError> {
        let start = crate::clock::now();
        let weight = self.base.parameters.read(&site.weight_name()).await?.data;
        let (size, n) = ((site.d_out, site.d_in), self.plan.deltas[&site.path].n_nonzero);
        let key = (self.config.seed, site_stream(&site.path));
        let failed = |source| EngineError::Omega { path: site.path.clone(), source };
        let (rank, method) = (self.config.rank, self.config.omega);
        // On a software adapter the double precision search on the host is the quicker twin.
        let omega = if self.device.kind() == crate::gpu::AdapterKind::Hardware {
            self.finder
                .find(&weight, size, n, rank, method, key, &mut |_| ControlFlow::Continue(()))
                .await
                .map_err(failed)?
        } else {
            select_omega(&weight, size, n, rank, method, key, &mut |_| ControlFlow::Continue(()))
                .map_err(failed)?
        };
        let largest = select_omega(&weight, size, n, rank, OmegaMethod::Magnitude, key, &mut |_| {
            ControlFlow::Continue(())
        })
        .map_err(failed)?;
        Ok(OmegaReport {
            path: site.path.clone(),
            d_out: site.d_out,
            d_in: site.d_in,
            overlap_with_magnitude: overlap(&omega.indices, &largest.indices),
            indices: omega.indices,
            seconds: start.elapsed().as_secs_f64(),
            n_done: 0,
            n_total: 0,
        })
    }
}
