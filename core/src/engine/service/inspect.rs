//! One matrix as it is now: weight, update, mask and spectra.

use super::{Engine, Host, Refusal, say_with};
use crate::engine::BaseModel;
use crate::nn::site::Site;
use crate::omega::linalg::Matrix;
use crate::omega::spectrum::singular_values;
use crate::protocol::{Event, MatrixView};
use crate::train::place::HostState;
use crate::tuning::state::SiteDelta;

impl Engine {
    pub(super) async fn inspect(
        &mut self,
        request: u64,
        path: &str,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let subject = self.subject().await?;
        let (base, state) = (&subject.base, subject.newest());
        let Some(site) = base.sites.iter().find(|site| site.path == path) else {
            return Err(Refusal::because(format!("the model has no matrix {path}")));
        };
        let name = site.weight_name();
        let weight = match state.trained.get(&name) {
            Some(tensor) => tensor.data.clone(),
            None => base.parameters.read(&name).await?.data,
        };
        let delta = state.deltas.iter().find(|delta| delta.path == path);
        let mask = mask(base, state, site);
        let (view, low_rank) = view(request, site, delta, &weight);
        let removed = site.layer.and_then(|layer| state.pruned.heads.get(&layer)).cloned();
        let view = MatrixView {
            n_zeros: mask.iter().filter(|&&keep| keep == 0.0).count(),
            removed_heads: removed.unwrap_or_default(),
            step: subject.step,
            ..view
        };
        let mut files = vec![("weight".to_owned(), little_endian(&weight))];
        files.extend(low_rank.map(|dense| ("low_rank".to_owned(), little_endian(&dense))));
        if view.n_zeros > 0 {
            files.push(("mask".to_owned(), little_endian(&mask)));
        }
        say_with(host, Event::Inspected(view), files);
        Ok(())
    }
}

/// What can be told without masks, and B A times the scale.
fn view(
    request: u64,
    site: &Site,
    delta: Option<&SiteDelta>,
    weight: &[f32],
) -> (MatrixView, Option<Vec<f32>>) {
    let (d_out, d_in) = (site.d_out, site.d_in);
    let spectrum = |data: Vec<f64>| singular_values(&Matrix { rows: d_out, cols: d_in, data });
    let low_rank = delta.filter(|delta| delta.rank > 0).map(|delta| delta.low_rank_part().dense());
    let view = MatrixView {
        request,
        path: site.path.clone(),
        role: site.role,
        layer: site.layer,
        d_out,
        d_in,
        rank: delta.map_or(0, |delta| delta.rank),
        s_indices: delta.map(|delta| delta.s_indices.clone()).unwrap_or_default(),
        s_values: delta
            .map(|delta| delta.s_values.iter().map(|value| value * delta.scale).collect())
            .unwrap_or_default(),
        weight_singular_values: spectrum(weight.iter().map(|&x| f64::from(x)).collect()),
        delta_singular_values: delta.map(|delta| spectrum(delta.dense_f64())).unwrap_or_default(),
        n_zeros: 0,
        removed_heads: Vec::new(),
        step: 0,
    };
    (view, low_rank)
}

/// One for every entry that is kept, zero for what masks or removed heads have taken.
fn mask(base: &BaseModel, state: &HostState, site: &Site) -> Vec<f32> {
    let name = site.weight_name();
    let mut keep = vec![1.0; site.n_entries()];
    if let Some(mask) = state.pruned.masks.get(&name) {
        mask.apply(&mut keep);
    }
    base.lost_heads(state).fill(site, &mut keep, 0.0);
    keep
}

fn little_endian(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
