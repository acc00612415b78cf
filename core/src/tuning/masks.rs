//! Stage 2: which entries, or which heads, are removed (`dsee-method` 3.2 and 3.3).
//!
//! Entries: two global groups, the adapted matrices and all others, each loses its share of smallest scores; layers
//! compete inside a group. Heads: every layer loses the same number. Both selections are exact: ties go to the
//! lowest layer, then the lowest index. Biases, layer norms, embeddings and the task head are never pruned.

use serde::{Deserialize, Serialize};

use super::criterion::{PruneCriterion, PruneError};
use super::scores::{HeadScores, adapted_sites, check_deltas, entry_keys, find_weight};
use super::state::{Mask, PrunedState, SiteDelta};
use crate::checkpoint::NamedTensors;
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
/// Works on one weight at a time in three passes, so memory is bounded by the largest weight: the larger group of
/// BERT-base has 71 million entries.
///
/// # Errors
/// Every problem found, not just the first.
pub fn unstructured_masks(
    sites: &[Site],
    weights: &NamedTensors,
    deltas: &[SiteDelta],
    plan: Unstructured,
) -> Result<PrunedState, Vec<PruneError>> {
    let (adapted, others) = groups(sites, deltas);
    let mut problems = check_deltas(sites, deltas, plan.criterion);
    for ratio in [plan.adapted_ratio, plan.others_ratio] {
        if !(0.0..1.0).contains(&ratio) {
            problems.push(PruneError::RatioOutOfRange { ratio });
        }
    }
    problems.dedup();
    problems.extend(adapted.iter().chain(&others).filter_map(|site| find_weight(site, weights).err()));
    if !problems.is_empty() {
        return Err(problems);
    }
    let keys = |site: &Site, criterion| {
        let weight = find_weight(site, weights).map_or(&[][..], |weight| &weight.data);
        entry_keys(site, weight, deltas.iter().find(|delta| delta.path == site.path), criterion, plan.seed)
    };
    let mut state = PrunedState::default();
    for (group, ratio, criterion) in
        [(adapted, plan.adapted_ratio, plan.criterion), (others, plan.others_ratio, PruneCriterion::Weight)]
    {
        let size = group.iter().map(|site| site.n_entries()).sum();
        let masks = remove_smallest(group.len(), |i| keys(group[i], criterion), n_removed(ratio, size));
        state.masks.extend(group.iter().map(|site| site.weight_name()).zip(masks));
    }
    Ok(state)
}

/// Masks over `n_parts` lists of keys that together remove the `count` smallest keys; ties go to the earliest entry.
pub(super) fn remove_smallest(n_parts: usize, keys: impl Fn(usize) -> Vec<u32>, count: usize) -> Vec<Mask> {
    // The threshold's upper half first, then its lower half: two histograms of 65,536 counts instead of a sort.
    let (high, n_below_high) = find_bucket(n_parts, &keys, count, |key| Some(key >> 16));
    let (low, n_below_low) =
        find_bucket(n_parts, &keys, count - n_below_high, |key| (key >> 16 == high).then_some(key & 0xffff));
    let threshold = high << 16 | low;
    let mut n_ties = count - n_below_high - n_below_low;
    let masks = (0..n_parts).map(|part| {
        let keys = keys(part);
        let mut mask = Mask::all_kept(keys.len());
        for (i, &key) in keys.iter().enumerate() {
            let is_tie = key == threshold && n_ties > 0;
            n_ties -= usize::from(is_tie);
            if key < threshold || is_tie {
                mask.remove(i);
            }
        }
        mask
    });
    masks.collect()
}

/// The bucket that holds the last of the `count` smallest entries, and how many entries lie below the bucket.
fn find_bucket(
    n_parts: usize,
    keys: &impl Fn(usize) -> Vec<u32>,
    count: usize,
    bucket_of: impl Fn(u32) -> Option<u32>,
) -> (u32, usize) {
    let mut histogram = vec![0usize; 1 << 16];
    for part in 0..n_parts {
        for bucket in keys(part).into_iter().filter_map(&bucket_of) {
            histogram[bucket as usize] += 1;
        }
    }
    let (mut bucket, mut n_below) = (0, 0);
    // Ends because no more entries are asked for than there are.
    while n_below + histogram[bucket] < count {
        n_below += histogram[bucket];
        bucket += 1;
    }
    (bucket as u32, n_below)
}

/// Removes the `n` lowest-scoring heads of every layer; ties go to the lowest head.
///
/// # Errors
/// When a layer would keep no head.
pub fn lowest_heads(scores: &HeadScores, n: usize) -> Result<PrunedState, PruneError> {
    let mut state = PrunedState::default();
    for (&layer, scores) in scores {
        if n >= scores.len() {
            return Err(PruneError::TooManyHeads { n_removed: n, n_heads: scores.len() });
        }
        let mut order: Vec<usize> = (0..scores.len()).collect();
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

    use super::*;
    use crate::checkpoint::HostTensor;
    use crate::random::Random;

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
                let masks = remove_smallest(parts.len(), |i| parts[i].clone(), count);
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
    fn every_layer_loses_its_lowest_heads() {
        let scores: HeadScores = [(0, vec![3.0, 1.0, 2.0, 1.0]), (4, vec![0.0; 4])].into();
        let state = lowest_heads(&scores, 2).unwrap();
        assert_eq!(state.heads, [(0, vec![1, 3]), (4, vec![0, 1])].into());
        assert_eq!(lowest_heads(&scores, 1).unwrap().heads, [(0, vec![1]), (4, vec![0])].into());
        assert!(lowest_heads(&scores, 0).unwrap().heads.is_empty());
        let error = lowest_heads(&scores, 4).unwrap_err();
        assert_eq!(error.to_string(), "4 heads cannot be removed from layers of 4: at most 3");
    }
}
