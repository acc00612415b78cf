//! Prefix tuning (Li and Liang 2021, arXiv 2101.00190; `dsee-method` 5.2): prefixes before keys and values as P-tuning v2
//! has them, but computed while tuning: an embedding of P vectors, a hidden map, tanh, and one map per site. Afterwards
//! only the resulting table is kept, and retuning trains that. First values are those of torch's own layers.

use super::p_tuning::{prefixed, table};
use crate::checkpoint::{HostTensor, NamedTensors};
use crate::nn::added::{PREFIX_DOWN, PREFIX_EMBEDDING, prefix_name, prefix_up};
use crate::nn::outline::Outline;
use crate::nn::plan::{AddedPlan, FirstValues, TuningPlan};
use crate::nn::site::Site;

/// Size of a prefix and of the hidden vectors it is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixSettings {
    /// P, rows.
    pub length: usize,
    /// Size of the hidden vectors.
    pub hidden_size: usize,
}

/// Adds prefixes, besides training `head`: computed ones, or the table that is left of them once `is_folded`.
#[must_use]
pub fn plan(settings: PrefixSettings, is_folded: bool, model: &Outline, head: TuningPlan) -> TuningPlan {
    let PrefixSettings { length, hidden_size } = settings;
    if is_folded {
        return TuningPlan { added: table(length, &model.sites).collect(), ..head };
    }
    let Some(d_in) = prefixed(&model.sites).map(|site| site.d_in).next() else { return head };
    let embedding = AddedPlan { shape: vec![length, d_in], first: FirstValues::Normal(1.0) };
    let mut added = vec![(PREFIX_EMBEDDING.to_owned(), embedding)];
    added.extend(map(PREFIX_DOWN, hidden_size, d_in));
    for site in prefixed(&model.sites) {
        added.extend(map(&prefix_up(&site.path), site.d_out, hidden_size));
    }
    TuningPlan { added: added.into_iter().collect(), ..head }
}

fn map(path: &str, d_out: usize, d_in: usize) -> [(String, AddedPlan); 2] {
    let first = FirstValues::Uniform(1.0 / (d_in as f64).sqrt());
    [("weight", vec![d_out, d_in]), ("bias", vec![d_out])]
        .map(|(kind, shape)| (format!("{path}.{kind}"), AddedPlan { shape, first }))
}

/// Puts the table in the place of what it was computed from. Without a computed prefix, nothing happens.
pub fn fold(trained: &mut NamedTensors, sites: &[Site]) {
    let Some(embedding) = trained.remove(PREFIX_EMBEDDING) else { return };
    let mut hidden = apply(trained, PREFIX_DOWN, &embedding);
    hidden.data.iter_mut().for_each(|x| *x = x.tanh());
    for site in prefixed(sites) {
        let rows = apply(trained, &prefix_up(&site.path), &hidden);
        trained.insert(prefix_name(&site.path), rows);
    }
}

/// x (P, d_in) → (P, d_out) through the map at `path`, which is used up.
fn apply(trained: &mut NamedTensors, path: &str, x: &HostTensor) -> HostTensor {
    let [weight, bias] = ["weight", "bias"].map(|kind| {
        let name = format!("{path}.{kind}");
        trained.remove(&name).unwrap_or_else(|| unreachable!("{name} is added with the embedding"))
    });
    let (d_in, d_out) = (x.shape[1], bias.data.len());
    let row = |row: &[f32]| {
        let dot = |weight: &[f32]| -> f64 {
            weight.iter().zip(row).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum()
        };
        let outputs = weight.data.chunks_exact(d_in).zip(&bias.data);
        outputs.map(|(weight, bias)| (dot(weight) + f64::from(*bias)) as f32).collect::<Vec<_>>()
    };
    let data = x.data.chunks_exact(d_in).flat_map(row).collect();
    HostTensor { shape: vec![x.shape[0], d_out], data }
}
