//! BERT tickets (Chen et al. 2020, arXiv 2007.12223; `dsee-method` 5.4): rounds of full fine-tuning, each of which removes
//! another tenth of the prunable weights by |W| over the whole model and goes back to the pretrained values; at the
//! target, one last fine-tuning under the masks. The task head keeps what it has learned.

use super::criterion::{PruneCriterion, PruneError, PruneFailure};
use super::masks::remove_share;
use super::scores::{WeightSource, check_weight, entry_keys};
use super::state::PrunedState;
use crate::checkpoint::NamedTensors;
use crate::nn::head_layout::LostHeads;
use crate::nn::outline::{Outline, Place};
use crate::nn::site::{Role, Site};

/// Share of the prunable weights that a round removes.
const ROUND_SHARE: f64 = 0.1;

/// Share of the weights that is gone after round `round`, counted from 0, on the way to `target`.
#[must_use]
pub fn share(round: usize, target: f64) -> f64 {
    // Whole tenths come out as they are written.
    let tenths = (round + 1) as f64 / (1.0 / ROUND_SHARE).round();
    tenths.min(target)
}

/// Whether the target is reached after round `round`.
#[must_use]
pub fn is_last(round: usize, target: f64) -> bool {
    share(round, target) >= target
}

/// Rounds until the target is reached.
#[must_use]
pub fn n_rounds(target: f64) -> usize {
    (0..).find(|&round| is_last(round, target)).map_or(1, |last| last + 1)
}

/// Masks that leave out this share of all prunable weights together, the smallest |W|. What earlier rounds removed is
/// zero in `weights` and stays removed.
///
/// # Errors
/// Weights that are missing, have another size, or cannot be read.
pub async fn masks<W: WeightSource>(
    sites: &[Site],
    weights: &W,
    share: f64,
    lost: LostHeads<'_>,
) -> Result<PrunedState, PruneFailure<W::Error>> {
    let group: Vec<&Site> = sites.iter().filter(|site| site.role != Role::Head).collect();
    let problems: Vec<PruneError> = group.iter().filter_map(|site| check_weight(site, weights)).collect();
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let keys = async |i: usize| {
        let weight = weights.values(&group[i].weight_name()).await?;
        Ok(entry_keys(group[i], &weight, None, PruneCriterion::Weight, 0))
    };
    let masks = remove_share(&group, &keys, share, lost).await.map_err(PruneFailure::Source)?;
    Ok(PrunedState { masks, ..PrunedState::default() })
}

/// Forgets what a round has learned, except for the task head.
pub fn rewind(trained: &mut NamedTensors, model: &Outline) {
    let head: Vec<String> = model.names(|place| place == Place::Head).collect();
    trained.retain(|name, _| head.contains(name));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::checkpoint::HostTensor;
    use crate::nn::head_layout::NO_HEADS_LOST;

    #[test]
    fn every_round_removes_a_tenth_up_to_the_target() {
        let shares: Vec<f64> = (0..4).map(|round| share(round, 0.35)).collect();
        assert_eq!(shares, [0.1, 0.2, 0.3, 0.35]);
        assert_eq!((0..4).map(|round| is_last(round, 0.3)).collect::<Vec<_>>(), [false, false, true, true]);
        assert_eq!([0.05, 0.1, 0.35, 0.5, 0.7].map(n_rounds), [1, 1, 4, 5, 7]);
        assert!(is_last(0, 0.05) && is_last(6, 0.7) && !is_last(5, 0.7));
    }

    #[test]
    fn only_the_task_head_keeps_what_it_has_learned() {
        let places = [Place::Embedding, Place::Layer(0), Place::Top, Place::Head];
        let parameters: Vec<_> = places.map(|place| (format!("{place:?}"), place)).into();
        let value = HostTensor { shape: vec![1], data: vec![0.5] };
        let mut trained = parameters.iter().map(|(name, _)| (name.clone(), value.clone())).collect();
        rewind(&mut trained, &Outline { sites: Vec::new(), parameters, n_heads: 1, is_decoder: false });
        assert_eq!(trained, [("Head".to_owned(), value)].into());
    }

    #[test]
    fn all_weights_compete_in_one_group() {
        let site = |path: &str, role| Site { path: path.into(), layer: None, role, d_out: 1, d_in: 10 };
        let sites = [site("q", Role::Query), site("up", Role::FeedForwardUp), site("head", Role::Head)];
        let weight = |first: f32| HostTensor {
            shape: vec![1, 10],
            data: (0..10u8).map(|i| first + f32::from(i)).collect(),
        };
        let weights: NamedTensors =
            [("q.weight", weight(1.0)), ("up.weight", weight(-4.0)), ("head.weight", weight(0.0))]
                .map(|(name, tensor)| (name.to_owned(), tensor))
                .into();
        let pruned = pollster::block_on(masks(&sites, &weights, 0.3, NO_HEADS_LOST)).unwrap();
        let removed = |name: &str| {
            let mask = &pruned.masks[name];
            (0..mask.len).filter(|&i| !mask.get(i)).collect::<Vec<_>>()
        };
        // |W| of `up` is 4 3 2 1 0 1 2 3 4 5, of `q` 1 2 3 …: 0, the three ones and the first two of the three twos go.
        assert_eq!((removed("q.weight"), removed("up.weight")), (vec![0, 1], vec![2, 3, 4, 5]));
        assert!(!pruned.masks.contains_key("head.weight"));
        let PruneFailure::Problems(problems) =
            pollster::block_on(masks(&sites, &NamedTensors::new(), 0.3, NO_HEADS_LOST)).unwrap_err();
        assert_eq!(problems.len(), 2);
    }
}
