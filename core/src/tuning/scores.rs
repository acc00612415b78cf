//! What pruning goes by: a score for every entry of a weight, or for every attention head (`dsee-method` 3.2, 3.3).

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::criterion::{PruneCriterion, PruneError, PruneFailure};
use super::state::SiteDelta;
use crate::checkpoint::NamedTensors;
use crate::nn::site::{Role, Site};
use crate::omega::site_stream;
use crate::random::Random;

/// Where the weights to be pruned are. They are asked for one at a time, so that a model need not be in memory.
#[expect(async_fn_in_trait, reason = "the engine stays on one thread, its futures need not be Send")]
pub trait WeightSource {
    /// Why a read fails.
    type Error;

    /// Shape of the parameter `name`, if there is one.
    fn shape(&self, name: &str) -> Option<&[usize]>;

    /// Values of the parameter `name`, which is there.
    ///
    /// # Errors
    /// If they cannot be read any more.
    async fn values(&self, name: &str) -> Result<Vec<f32>, Self::Error>;
}

impl WeightSource for NamedTensors {
    type Error = Infallible;

    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.get(name).map(|tensor| tensor.shape.as_slice())
    }

    async fn values(&self, name: &str) -> Result<Vec<f32>, Infallible> {
        Ok(self[name].data.clone())
    }
}

/// The sites a run adapts: those that carry an update; without any, the default roles query and value.
///
/// These form the first pruning group and the matrices that head scores are taken from.
#[must_use]
pub fn adapted_sites<'a>(sites: &'a [Site], deltas: &[SiteDelta]) -> Vec<&'a Site> {
    let is_adapted = |site: &&Site| match deltas {
        [] => matches!(site.role, Role::Query | Role::Value),
        _ => deltas.iter().any(|delta| delta.path == site.path),
    };
    sites.iter().filter(is_adapted).collect()
}

/// Sort keys of the scores of one adapted weight, (d_out, d_in) row-major: a smaller key is pruned earlier.
///
/// A key is the bit pattern of the f32 score, which orders non-negative numbers as they are. The reciprocals are
/// never formed: their order is that of the inverted bits, without new ties. Random scores are uniform 32-bit numbers;
/// any independent identical scores select the same way.
#[must_use]
pub fn entry_keys(
    site: &Site,
    weight: &[f32],
    delta: Option<&SiteDelta>,
    criterion: PruneCriterion,
    seed: u64,
) -> Vec<u32> {
    if criterion == PruneCriterion::Random {
        let mut random = Random::new(seed, site_stream(&site.path));
        return (0..site.n_entries()).map(|_| random.next_u32()).collect();
    }
    let flip = if criterion.is_inverse() { u32::MAX } else { 0 };
    signed_scores(weight, delta, criterion).iter().map(|x| x.abs().to_bits() ^ flip).collect()
}

/// The numbers whose absolute values are the scores, before any reciprocal.
fn signed_scores(weight: &[f32], delta: Option<&SiteDelta>, criterion: PruneCriterion) -> Vec<f32> {
    let delta = match delta {
        Some(delta) if criterion != PruneCriterion::Weight => dense(delta, !criterion.is_low_rank()),
        _ => vec![0.0; weight.len()],
    };
    if !criterion.uses_weight() {
        return delta;
    }
    delta.iter().zip(weight).map(|(d, w)| w + d).collect()
}

/// ΔW with or without its sparse part.
fn dense(delta: &SiteDelta, with_sparse: bool) -> Vec<f32> {
    if with_sparse {
        return delta.dense();
    }
    delta.low_rank_part().dense()
}

/// Layer → score of each of its heads.
pub type HeadScores = BTreeMap<usize, Vec<f64>>;

/// Head scores of every layer: the sum over a head's rows of |ΔW|, |W + ΔW| or |W| in the adapted projections of its
/// layer, query and value by default; over its columns for an adapted attention output. Random: normal numbers.
///
/// With `delta` the sum leaves out s, as in the released code; the order of the heads is the same.
///
/// # Errors
/// Every problem found, not just the first; or a weight that cannot be read.
pub async fn head_scores<W: WeightSource>(
    sites: &[Site],
    weights: &W,
    deltas: &[SiteDelta],
    n_heads: usize,
    criterion: PruneCriterion,
    seed: u64,
) -> Result<HeadScores, PruneFailure<W::Error>> {
    let adapted: Vec<_> =
        adapted_sites(sites, deltas).into_iter().filter(|site| site.role.is_attention()).collect();
    let mut problems = check_deltas(sites, deltas, criterion);
    if !criterion.scores_heads() {
        problems.push(PruneError::NotForHeads { criterion });
    }
    if adapted.is_empty() && problems.is_empty() && criterion != PruneCriterion::Random {
        problems.push(PruneError::NoDelta { criterion });
    }
    problems.extend(adapted.iter().filter_map(|site| check_heads(site, n_heads)));
    problems.extend(adapted.iter().filter_map(|site| check_weight(site, weights)));
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let layers = sites.iter().filter(|site| site.role.is_attention()).filter_map(|site| site.layer);
    let mut scores: HeadScores = layers.map(|layer| (layer, vec![0.0; n_heads])).collect();
    if criterion == PruneCriterion::Random {
        scores.iter_mut().for_each(|(&layer, scores)| randomise(layer, scores, seed));
        return Ok(scores);
    }
    for site in adapted {
        let delta = deltas.iter().find(|delta| delta.path == site.path);
        if let Some(scores) = site.layer.and_then(|layer| scores.get_mut(&layer)) {
            let weight = weights.values(&site.weight_name()).await.map_err(PruneFailure::Source)?;
            add_head_sums(site, &head_values(&weight, delta, criterion), scores);
        }
    }
    Ok(scores)
}

fn randomise(layer: usize, scores: &mut [f64], seed: u64) {
    let mut random = Random::new(seed, layer as u64);
    scores.iter_mut().for_each(|score| *score = random.normal());
}

/// The matrix whose absolute values are summed per head.
fn head_values(weight: &[f32], delta: Option<&SiteDelta>, criterion: PruneCriterion) -> Vec<f32> {
    if criterion != PruneCriterion::Delta {
        return signed_scores(weight, delta, criterion);
    }
    let unscaled = delta.map(|delta| SiteDelta { scale: 1.0, ..delta.clone() });
    signed_scores(weight, unscaled.as_ref(), criterion)
}

/// Adds Σ |x| over each head's rows (columns for the attention output) to its score.
fn add_head_sums(site: &Site, values: &[f32], scores: &mut [f64]) {
    let n_heads = scores.len();
    for (row, values) in values.chunks_exact(site.d_in).enumerate() {
        if site.role == Role::AttentionOutput {
            let parts = values.chunks_exact(site.d_in / n_heads);
            scores.iter_mut().zip(parts).for_each(|(score, part)| *score += absolute_sum(part));
        } else {
            scores[row / (site.d_out / n_heads)] += absolute_sum(values);
        }
    }
}

fn absolute_sum(values: &[f32]) -> f64 {
    values.iter().map(|x| f64::from(x.abs())).sum()
}

/// What is wrong with the weight of a site, if it is not there in the right shape.
pub(super) fn check_weight(site: &Site, weights: &impl WeightSource) -> Option<PruneError> {
    let name = site.weight_name();
    let expected = vec![site.d_out, site.d_in];
    match weights.shape(&name) {
        None => Some(PruneError::MissingWeight { name }),
        Some(found) if found != expected => {
            Some(PruneError::WrongShape { found: found.to_vec(), name, expected })
        }
        Some(_) => None,
    }
}

/// Problems with the updates themselves.
pub(super) fn check_deltas(
    sites: &[Site],
    deltas: &[SiteDelta],
    criterion: PruneCriterion,
) -> Vec<PruneError> {
    let mut problems = Vec::new();
    if deltas.is_empty() && criterion.needs_delta() {
        problems.push(PruneError::NoDelta { criterion });
    }
    for delta in deltas {
        match sites.iter().find(|site| site.path == delta.path) {
            None => problems.push(PruneError::UnknownSite { path: delta.path.clone() }),
            Some(site) if (site.d_out, site.d_in) != (delta.d_out, delta.d_in) => {
                problems.push(PruneError::WrongShape {
                    name: delta.path.clone(),
                    found: vec![delta.d_out, delta.d_in],
                    expected: vec![site.d_out, site.d_in],
                });
            }
            Some(_) => {}
        }
    }
    problems
}

fn check_heads(site: &Site, n_heads: usize) -> Option<PruneError> {
    let size = if site.role == Role::AttentionOutput { site.d_in } else { site.d_out };
    let is_even = n_heads > 0 && size.is_multiple_of(n_heads);
    (!is_even).then(|| PruneError::UnevenHeads { path: site.path.clone(), size, n_heads })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::checkpoint::HostTensor;

    fn head_scores(
        sites: &[Site],
        weights: &NamedTensors,
        deltas: &[SiteDelta],
        n_heads: usize,
        criterion: PruneCriterion,
        seed: u64,
    ) -> Result<HeadScores, Vec<PruneError>> {
        pollster::block_on(super::head_scores(sites, weights, deltas, n_heads, criterion, seed))
            .map_err(problems)
    }

    fn problems(failure: PruneFailure<Infallible>) -> Vec<PruneError> {
        match failure {
            PruneFailure::Problems(problems) => problems,
            PruneFailure::Source(never) => match never {},
        }
    }

    fn site(layer: usize, role: Role) -> Site {
        Site { path: format!("layer.{layer}.{role}"), layer: Some(layer), role, d_out: 4, d_in: 4 }
    }

    /// An update whose ΔW is 2 · (rows 0, 1, 2, 3 times ones, plus 5 at the first entry).
    fn delta(site: &Site) -> SiteDelta {
        SiteDelta {
            path: site.path.clone(),
            d_out: 4,
            d_in: 4,
            rank: 1,
            scale: 2.0,
            a: vec![1.0; 4],
            b: vec![0.0, 1.0, 2.0, 3.0],
            s_indices: vec![0],
            s_values: vec![5.0],
        }
    }

    fn weights(sites: &[Site], value: f32) -> NamedTensors {
        let tensor = HostTensor { shape: vec![4, 4], data: vec![value; 16] };
        sites.iter().map(|site| (site.weight_name(), tensor.clone())).collect()
    }

    #[test]
    fn entry_keys_order_as_the_scores_do() {
        let site = site(0, Role::Query);
        let delta = delta(&site);
        let weight = vec![-3.0; 16];
        let score = |criterion| -> Vec<f32> {
            let keys = entry_keys(&site, &weight, Some(&delta), criterion, 0);
            // One entry per row, and the entry of S.
            [0, 1, 4, 8, 12].map(|i: usize| f32::from_bits(keys[i])).to_vec()
        };
        assert_eq!(score(PruneCriterion::Delta), [10.0, 0.0, 2.0, 4.0, 6.0]);
        assert_eq!(score(PruneCriterion::DeltaLowRank), [0.0, 0.0, 2.0, 4.0, 6.0]);
        assert_eq!(score(PruneCriterion::Sum), [7.0, 3.0, 1.0, 1.0, 3.0]);
        assert_eq!(score(PruneCriterion::SumLowRank), [3.0, 3.0, 1.0, 1.0, 3.0]);
        assert_eq!(score(PruneCriterion::Weight), [3.0; 5]);
        let inverse = entry_keys(&site, &weight, Some(&delta), PruneCriterion::InverseDelta, 0);
        assert!(inverse[0] < inverse[12] && inverse[12] < inverse[8] && inverse[8] < inverse[1]);
        let inverse = entry_keys(&site, &weight, Some(&delta), PruneCriterion::InverseDeltaLowRank, 0);
        assert!(inverse[12] < inverse[0] && inverse[0] == inverse[1]);
    }

    #[test]
    fn random_keys_follow_seed_and_site() {
        let keys = |layer, seed| {
            entry_keys(&site(layer, Role::Query), &[0.0; 16], None, PruneCriterion::Random, seed)
        };
        assert_eq!(keys(0, 1), keys(0, 1));
        assert_ne!(keys(0, 1), keys(0, 2));
        assert_ne!(keys(0, 1), keys(1, 1));
    }

    #[test]
    fn adapted_are_the_sites_with_updates_or_query_and_value() {
        let sites = [Role::Query, Role::Key, Role::Value, Role::Head].map(|role| site(0, role));
        let roles =
            |deltas: &[SiteDelta]| adapted_sites(&sites, deltas).iter().map(|s| s.role).collect::<Vec<_>>();
        assert_eq!(roles(&[]), [Role::Query, Role::Value]);
        assert_eq!(roles(&[delta(&sites[1])]), [Role::Key]);
    }

    #[test]
    fn head_scores_sum_rows_of_query_and_value() {
        let sites = [Role::Query, Role::Key, Role::Value].map(|role| site(3, role));
        let deltas = [delta(&sites[0]), delta(&sites[2])];
        let scores = |criterion| {
            head_scores(&sites, &weights(&sites, -3.0), &deltas, 2, criterion, 0).unwrap()[&3].clone()
        };
        // Rows 0 and 1 are head 0; without s a head of one matrix has 5 + 4 · 1 and 4 · 2 + 4 · 3.
        assert_eq!(scores(PruneCriterion::Delta), [2.0 * 9.0, 2.0 * 20.0]);
        // With s: |-3 + 10| + 3 · 3 + 4 · 1 and 4 · 1 + 4 · 3.
        assert_eq!(scores(PruneCriterion::Sum), [2.0 * 20.0, 2.0 * 16.0]);
        assert_eq!(scores(PruneCriterion::Weight), [2.0 * 24.0; 2]);
        assert_ne!(scores(PruneCriterion::Random)[0], scores(PruneCriterion::Random)[1]);
    }

    #[test]
    fn an_adapted_output_scores_by_columns() {
        let sites = [site(0, Role::AttentionOutput)];
        let mut delta = delta(&sites[0]);
        delta.a = vec![1.0, 1.0, 10.0, 10.0];
        let scores =
            head_scores(&sites, &weights(&sites, 0.0), &[delta], 2, PruneCriterion::Delta, 0).unwrap();
        assert_eq!(scores[&0], [5.0 + 2.0 * 6.0, 20.0 * 6.0]);
    }

    #[test]
    fn all_problems_come_at_once() {
        let sites = [Role::Query, Role::Value].map(|role| site(0, role));
        let mut weights = weights(&sites[..1], 1.0);
        weights.insert("layer.0.query.weight".into(), HostTensor { shape: vec![2, 2], data: vec![0.0; 4] });
        let problems = head_scores(&sites, &weights, &[], 3, PruneCriterion::DeltaLowRank, 0).unwrap_err();
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(
            text[0].contains("needs trained updates") && text[1].contains("does not score heads"),
            "{text:?}"
        );
        assert!(
            text[2].contains("do not divide into 3 heads") && text[3] == text[2].replace("query", "value")
        );
        assert!(
            text[4].contains("shape [2, 2], expected [4, 4]") && text[5].contains("value.weight is missing")
        );
        let mut stray = delta(&sites[0]);
        stray.path = "elsewhere".into();
        let problems = head_scores(&sites, &weights, &[stray], 2, PruneCriterion::Random, 0).unwrap_err();
        assert_eq!(problems, [PruneError::UnknownSite { path: "elsewhere".into() }]);
    }
}
