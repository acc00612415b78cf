//! Stage 2: which entries, or which heads, are removed (`dsee-method` 3.2 and 3.3).
//!
//! Entries: two global groups, the adapted matrices and all others, each loses its share of smallest scores; layers
//! compete inside a group. Heads: every layer loses the same number. Both selections are exact: ties go to the
//! lowest layer, then the lowest index. Biases, layer norms, embeddings and the task head are never pruned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::criterion::{PruneCriterion, PruneError, PruneFailure};
use super::scores::{HeadScores, WeightSource, adapted_sites, check_deltas, check_weight, entry_keys};
use super::state::{Mask, PrunedState, SiteDelta};
use crate::nn::head_layout::LostHeads;
use crate::nn::site::{Role, Site};

/// How much is removed, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unstructured {
    /// Share of the adapted matrices that is removed, in [0, 1).
    pub adapted_ratio: f64,
    /// Share of the other matrices that is removed, in [0, 1).
    pub others_ratio: f64,
    /// Score of the adapted matrices; the others go by |W|.
    pub criterion: PruneCriterion,
    /// Seed of random scores.
    pub seed: u64,
}

/// The two pruning groups: (adapted, others), each in the order of `sites`. The task head is in neither.
#[must_use]
pub fn groups<'a>(sites: &'a [Site], deltas: &[SiteDelta]) -> (Vec<&'a Site>, Vec<&'a Site>) {
    let adapted = adapted_sites(sites, deltas);
    let prunable = sites.iter().filter(|site| site.role != Role::Head);
    prunable.partition(|site| adapted.iter().any(|other| other.path == site.path))
}

/// round(ratio · size), the entries that a group of `size` entries loses.
#[must_use]
pub fn n_removed(ratio: f64, size: usize) -> usize {
    (ratio * size as f64).round() as usize
}

/// Chooses the masks of all prunable weights.
///
/// What belongs to lost heads neither competes nor counts.
///
/// Reads one weight at a time in three passes, so memory is bounded by the largest weight: the larger group of
/// BERT-base has 71 million entries.
///
/// # Errors
/// Every problem found, not just the first; or a weight that cannot be read.
pub async fn unstructured_masks<W: WeightSource>(
    sites: &[Site],
    weights: &W,
    deltas: &[SiteDelta],
    plan: Unstructured,
    lost: LostHeads<'_>,
) -> Result<PrunedState, PruneFailure<W::Error>> {
    let (adapted, others) = groups(sites, deltas);
    let mut problems = check_deltas(sites, deltas, plan.criterion);
    for ratio in [plan.adapted_ratio, plan.others_ratio] {
        if !(0.0..1.0).contains(&ratio) {
            problems.push(PruneError::RatioOutOfRange { ratio });
        }
    }
    problems.dedup();
    problems.extend(adapted.iter().chain(&others).filter_map(|site| check_weight(site, weights)));
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let mut state = PrunedState::default();
    for (group, ratio, criterion) in
        [(adapted, plan.adapted_ratio, plan.criterion), (others, plan.others_ratio, PruneCriterion::Weight)]
    {
        let keys = async |i: usize| {
            let weight = weights.values(&group[i].weight_name()).await?;
            let delta = deltas.iter().find(|delta| delta.path == group[i].path);
            Ok(entry_keys(group[i], &weight, delta, criterion, plan.seed))
        };
        state.masks.extend(remove_share(&group, &keys, ratio, lost).await.map_err(PruneFailure::Source)?);
    }
    Ok(state)
}

/// Masks of a group of weights, by name, that remove this share of it, the smallest keys. `keys` are those of whole
/// weights; what belongs to lost heads neither competes nor counts.
pub(super) async fn remove_share<E>(
    group: &[&Site],
    keys: &impl AsyncFn(usize) -> Result<Vec<u32>, E>,
    ratio: f64,
    lost: LostHeads<'_>,
) -> Result<BTreeMap<String, Mask>, E> {
    let size = group.iter().map(|site| lost.n_left(site)).sum();
    let of_left = async |i: usize| {
        let mut keys = keys(i).await?;
        lost.fill(group[i], &mut keys, u32::MAX);
        Ok(keys)
    };
    let masks = remove_smallest(group.len(), &of_left, n_removed(ratio, size)).await?;
    Ok(group.iter().map(|site| site.weight_name()).zip(masks).collect())
}

/// Masks over `n_parts` lists of keys that together remove the `count` smallest keys; ties go to the earliest entry.
async fn remove_smallest<E>(
    n_parts: usize,
    keys: &impl AsyncFn(usize) -> Result<Vec<u32>, E>,
    count: usize,
) -> Result<Vec<Mask>, E> {
    // The threshold's upper half first, then its lower half: two histograms of 65,536 counts instead of a sort.
    let (high, n_below_high) = find_bucket(n_parts, keys, count, |key| Some(key >> 16)).await?;
    let low_half = |key| (key >> 16 == high).then_some(key & 0xffff);
    let (low, n_below_low) = find_bucket(n_parts, keys, count - n_below_high, low_half).await?;
    let threshold = high << 16 | low;
    let mut n_ties = count - n_below_high - n_below_low;
    let mut masks = Vec::with_capacity(n_parts);
    for part in 0..n_parts {
        let keys = keys(part).await?;
        let mut mask = Mask::all_kept(keys.len());
        for (i, &key) in keys.iter().enumerate() {
            let is_tie = key == threshold && n_ties > 0;
            n_ties -= usize::from(is_tie);
            if key < threshold || is_tie {
                mask.remove(i);
            }
        }
        masks.push(mask);
    }
    Ok(masks)
}

/// The bucket that holds the last of the `count` smallest entries, and how many entries lie below the bucket.
async fn find_bucket<E>(
    n_parts: usize,
    keys: &impl AsyncFn(usize) -> Result<Vec<u32>, E>,
    count: usize,
    bucket_of: impl Fn(u32) -> Option<u32>,
) -> Result<(u32, usize), E> {
    let mut histogram = vec![0usize; 1 << 16];
    for part in 0..n_parts {
        for bucket in keys(part).await?.into_iter().filter_map(&bucket_of) {
            histogram[bucket as usize] += 1;
        }
    }
    let (mut bucket, mut n_below) = (0, 0);
    // Ends because no more entries are asked for than there are.
    while n_below + histogram[bucket] < count {
        n_below += histogram[bucket];
        bucket += 1;
    }
    Ok((bucket as u32, n_below))
}

/// Removes the `n` lowest-scoring heads that every layer still has; ties go to the lowest head.
///
/// # Errors
/// When a layer would keep no head.
pub fn lowest_heads(scores: &HeadScores, n: usize, lost: LostHeads<'_>) -> Result<PrunedState, PruneError> {
    let mut state = PrunedState::default();
    for (&layer, scores) in scores {
        let mut order: Vec<usize> = (0..scores.len()).filter(|head| !lost.of(layer).contains(head)).collect();
        if n >= order.len() {
            return Err(PruneError::TooManyHeads { n_removed: n, n_heads: order.len() });
        }
        order.sort_by(|&i, &j| scores[i].total_cmp(&scores[j]));
        order.truncate(n);
        order.sort_unstable();
        if n > 0 {
            state.heads.insert(layer, order);
        }
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::convert::Infallible;

    use super::*;
    use crate::checkpoint::{HostTensor, NamedTensors};
    use crate::nn::head_layout::NO_HEADS_LOST;
    use crate::random::Random;

    fn unstructured_masks(
        sites: &[Site],
        weights: &NamedTensors,
        deltas: &[SiteDelta],
        plan: Unstructured,
    ) -> Result<PrunedState, Vec<PruneError>> {
        let masks =
            pollster::block_on(super::unstructured_masks(sites, weights, deltas, plan, NO_HEADS_LOST));
        masks.map_err(|failure| match failure {
            PruneFailure::Problems(problems) => problems,
            PruneFailure::Source(never) => match never {},
        })
    }

    fn remove_smallest(parts: &[Vec<u32>], count: usize) -> Vec<Mask> {
        let keys = async |i: usize| Ok::<_, Infallible>(parts[i].clone());
        pollster::block_on(super::remove_smallest(parts.len(), &keys, count)).unwrap()
    }

    /// Two layers of query, key, value and feed-forward, a pooler and a head.
    fn model() -> (Vec<Site>, NamedTensors, Vec<SiteDelta>) {
        let mut sites = Vec::new();
        for layer in 0..2 {
            for (role, d_out) in
                [(Role::Query, 6), (Role::Key, 6), (Role::Value, 6), (Role::FeedForwardUp, 11)]
            {
                let path = format!("layer.{layer}.{role}");
                sites.push(Site { path, layer: Some(layer), role, d_out, d_in: 7 });
            }
        }
        sites.push(Site { path: "pooler".into(), layer: None, role: Role::Pooler, d_out: 7, d_in: 7 });
        sites.push(Site { path: "head".into(), layer: None, role: Role::Head, d_out: 2, d_in: 7 });
        let mut random = Random::new(1, 1);
        let mut normals = |n: usize| (0..n).map(|_| random.normal() as f32).collect::<Vec<_>>();
        let weights = sites.iter().map(|site| {
            let tensor = HostTensor { shape: vec![site.d_out, site.d_in], data: normals(site.n_entries()) };
            (site.weight_name(), tensor)
        });
        let weights: NamedTensors = weights.collect();
        let adapted = sites.iter().filter(|site| matches!(site.role, Role::Query | Role::Value));
        let deltas = adapted.map(|site| SiteDelta {
            path: site.path.clone(),
            d_out: 6,
            d_in: 7,
            rank: 2,
            scale: 4.0,
            a: normals(14),
            b: normals(12),
            s_indices: vec![3, 40],
            s_values: normals(2),
        });
        let deltas = deltas.collect();
        (sites, weights, deltas)
    }

    fn plan(adapted_ratio: f64, others_ratio: f64, criterion: PruneCriterion) -> Unstructured {
        Unstructured { adapted_ratio, others_ratio, criterion, seed: 3 }
    }

    /// The same selection by sorting (key, part, index).
    fn by_sorting(parts: &[Vec<u32>], count: usize) -> Vec<(usize, usize)> {
        let mut order: Vec<(u32, usize, usize)> = Vec::new();
        for (part, keys) in parts.iter().enumerate() {
            order.extend(keys.iter().enumerate().map(|(i, &key)| (key, part, i)));
        }
        order.sort_unstable();
        let mut removed: Vec<_> = order[..count].iter().map(|&(_, part, i)| (part, i)).collect();
        removed.sort_unstable();
        removed
    }

    #[test]
    fn selection_agrees_with_sorting_also_among_ties() {
        let mut random = Random::new(2, 2);
        for spread in [1, 3, 70_000, u32::MAX] {
            let parts: Vec<Vec<u32>> =
                [50, 1, 130].map(|n| (0..n).map(|_| random.below(spread)).collect()).into();
            for count in [0, 1, 57, 180, 181] {
                let masks = remove_smallest(&parts, count);
                let removed: Vec<_> = (0..parts.len())
                    .flat_map(|part| (0..parts[part].len()).map(move |i| (part, i)))
                    .filter(|&(part, i)| !masks[part].get(i))
                    .collect();
                assert_eq!(removed, by_sorting(&parts, count), "spread {spread}, {count} removed");
            }
        }
    }

    #[test]
    fn each_group_loses_exactly_its_share_and_the_head_nothing() {
        let (sites, weights, deltas) = model();
        let (adapted_size, others_size) = (4 * 42, 2 * (42 + 77) + 49);
        for criterion in PruneCriterion::ALL {
            let state = unstructured_masks(&sites, &weights, &deltas, plan(0.3, 0.55, criterion)).unwrap();
            let (mut adapted, mut others) = (0, 0);
            for site in &sites {
                let Some(mask) = state.masks.get(&site.weight_name()) else {
                    assert_eq!(site.role, Role::Head);
                    continue;
                };
                let n = mask.len - mask.count_kept();
                let is_adapted = matches!(site.role, Role::Query | Role::Value);
                *(if is_adapted { &mut adapted } else { &mut others }) += n;
            }
            assert_eq!(
                (adapted, others),
                (n_removed(0.3, adapted_size), n_removed(0.55, others_size)),
                "{criterion}"
            );
            assert!(state.heads.is_empty());
        }
    }

    #[test]
    fn layers_compete_inside_a_group() {
        let (sites, mut weights, deltas) = model();
        weights.get_mut("layer.1.key.weight").unwrap().data.iter_mut().for_each(|x| *x *= 1e-3);
        let state =
            unstructured_masks(&sites, &weights, &deltas, plan(0.0, 42.0 / 287.0, PruneCriterion::Delta))
                .unwrap();
        assert_eq!(state.masks["layer.1.key.weight"].count_kept(), 0);
        assert_eq!(state.masks["layer.0.key.weight"].count_kept(), 42);
        assert_eq!(state.masks["layer.0.query.weight"].count_kept(), 42);
    }

    #[test]
    fn smallest_updates_go_first_and_the_inverse_keeps_them() {
        let (sites, weights, deltas) = model();
        let kept = |criterion| {
            let state = unstructured_masks(&sites, &weights, &deltas, plan(0.5, 0.0, criterion)).unwrap();
            let update =
                deltas.iter().flat_map(|d| d.dense().into_iter().enumerate().map(move |(i, x)| (d, i, x)));
            let (mut kept, mut removed) = (Vec::new(), Vec::new());
            for (delta, i, x) in update {
                let is_kept = state.masks[&format!("{}.weight", delta.path)].get(i);
                (if is_kept { &mut kept } else { &mut removed }).push(x.abs());
            }
            (kept.into_iter().fold(f32::INFINITY, f32::min), removed.into_iter().fold(0.0, f32::max))
        };
        let (least_kept, most_removed) = kept(PruneCriterion::Delta);
        assert!(least_kept >= most_removed);
        let (least_kept, most_removed) = kept(PruneCriterion::InverseDelta);
        assert!(least_kept < most_removed);
    }

    #[test]
    fn problems_are_listed_together() {
        let (sites, mut weights, _) = model();
        weights.remove("pooler.weight");
        let problems =
            unstructured_masks(&sites, &weights, &[], plan(1.0, -0.1, PruneCriterion::Delta)).unwrap_err();
        assert_eq!(
            problems,
            [
                PruneError::NoDelta { criterion: PruneCriterion::Delta },
                PruneError::RatioOutOfRange { ratio: 1.0 },
                PruneError::RatioOutOfRange { ratio: -0.1 },
                PruneError::MissingWeight { name: "pooler.weight".into() },
            ]
        );
        assert!(
            unstructured_masks(&sites, &weights, &[], plan(f64::NAN, 0.0, PruneCriterion::Weight)).is_err()
        );
    }

    #[test]
    fn lost_heads_neither_compete_nor_count() {
        let (sites, mut weights, deltas) = model();
        let removed = [(0, vec![1])].into();
        let lost = LostHeads { n_heads: 3, head_size: 2, removed: &removed };
        for site in &sites {
            let tensor = weights.get_mut(&site.weight_name()).unwrap();
            lost.fill(site, &mut tensor.data, 0.0);
        }
        let plan = plan(0.5, 0.5, PruneCriterion::Weight);
        let state = pollster::block_on(super::unstructured_masks(&sites, &weights, &deltas, plan, lost));
        let state = state.unwrap_or_else(|_| panic!("nothing is wrong"));
        let (adapted, others) = groups(&sites, &deltas);
        for group in [adapted, others] {
            let gone = |site: &&Site| {
                state.masks[&site.weight_name()].len - state.masks[&site.weight_name()].count_kept()
            };
            let size = group.iter().map(|site| lost.n_left(site)).sum();
            assert_eq!(group.iter().map(gone).sum::<usize>(), n_removed(0.5, size));
        }
        let query = &state.masks[&sites[0].weight_name()];
        assert!((14..28).all(|i| query.get(i)), "the zeros of the lost head are no entries to remove");
    }

    #[test]
    fn every_layer_loses_its_lowest_heads() {
        let scores: HeadScores = [(0, vec![3.0, 1.0, 2.0, 1.0]), (4, vec![0.0; 4])].into();
        let state = lowest_heads(&scores, 2, NO_HEADS_LOST).unwrap();
        assert_eq!(state.heads, [(0, vec![1, 3]), (4, vec![0, 1])].into());
        assert_eq!(
            lowest_heads(&scores, 1, NO_HEADS_LOST).unwrap().heads,
            [(0, vec![1]), (4, vec![0])].into()
        );
        assert!(lowest_heads(&scores, 0, NO_HEADS_LOST).unwrap().heads.is_empty());
        // Of four heads two are left, whatever the score of those that are not.
        let removed = [(0, vec![1, 3])].into();
        let lost = LostHeads { n_heads: 4, head_size: 1, removed: &removed };
        assert_eq!(lowest_heads(&scores, 1, lost).unwrap().heads[&0], [2]);
        let error = lowest_heads(&scores, 2, lost).unwrap_err();
        assert_eq!(error, PruneError::TooManyHeads { n_removed: 2, n_heads: 2 });
        let error = lowest_heads(&scores, 4, NO_HEADS_LOST).unwrap_err();
        assert_eq!(error.to_string(), "4 heads cannot be removed from layers of 4: at most 3");
    }
}
