//! EarlyBERT (Chen et al. 2021, arXiv 2101.00063; `dsee-method` 5.3): a short search trains everything, with one
//! coefficient per attention head and per feed-forward neuron; those with the lowest coefficients are removed, and what
//! is left is trained from the pretrained weights.

use super::criterion::PruneError;
use super::full;
use super::masks::{lowest_heads, n_removed};
use super::scores::HeadScores;
use super::state::{Mask, PrunedState};
use crate::checkpoint::NamedTensors;
use crate::nn::added::coefficients_name;
use crate::nn::head_layout::LostHeads;
use crate::nn::outline::Outline;
use crate::nn::plan::{AddedPlan, FirstValues, TuningPlan};
use crate::nn::site::{Role, Site};

/// Weight of the absolute values of the coefficients in the loss.
const PENALTY: f64 = 1e-4;
/// Share of the first epoch after which the coefficients are compared. The released code searches on to the end of the
/// epoch, but uses nothing of what follows.
const DRAW_AFTER: f64 = 0.2;

/// The search: everything is trained, with coefficients on the inputs of the attention and feed-forward outputs of every
/// layer. A head's coefficient is the same there as on its probabilities. `n_passes` make one step.
#[must_use]
pub fn plan(n_passes: usize, model: &Outline) -> TuningPlan {
    let new = |site: &Site, n: usize| {
        (coefficients_name(&site.path), AddedPlan { shape: vec![n], first: FirstValues::Constant(1.0) })
    };
    let added = model.sites.iter().filter_map(|site| match site.role {
        Role::AttentionOutput => Some(new(site, model.n_heads)),
        Role::FeedForwardDown => Some(new(site, site.d_in)),
        _ => None,
    });
    let coefficient_penalty = (PENALTY / n_passes as f64) as f32;
    TuningPlan { added: added.collect(), coefficient_penalty, ..full::plan(model) }
}

/// Optimizer steps of the search where an epoch has `n_batches` passes, of which `n_passes` make a step.
#[must_use]
pub fn search_steps(n_batches: usize, n_passes: usize) -> usize {
    ((DRAW_AFTER * n_batches as f64 / n_passes as f64).ceil() as usize).max(1)
}

/// What was searched for, and the scores of heads it was chosen by.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticket {
    /// The coefficients of the heads.
    pub head_scores: HeadScores,
    /// Heads to remove, and masks over the weights of neurons to remove.
    pub pruned: PrunedState,
}

/// Draws the ticket from the coefficients, which are taken out of `trained`: `n_heads` of every layer go, and this share
/// of all neurons of the model. Coefficients are compared with their signs.
///
/// # Errors
/// When a layer would keep no head.
pub fn draw(
    sites: &[Site],
    trained: &mut NamedTensors,
    n_heads: usize,
    neuron_share: f64,
    lost: LostHeads<'_>,
) -> Result<Ticket, PruneError> {
    let mut take = |site: &Site| trained.remove(&coefficients_name(&site.path)).map(|tensor| tensor.data);
    let (mut head_scores, mut neurons) = (HeadScores::new(), Vec::new());
    for site in sites {
        let (Some(layer), Some(values)) = (site.layer, take(site)) else { continue };
        if site.role == Role::AttentionOutput {
            head_scores.insert(layer, values.into_iter().map(f64::from).collect());
        } else {
            neurons.extend(values.into_iter().enumerate().map(|(neuron, value)| (value, layer, neuron)));
        }
    }
    let mut pruned = lowest_heads(&head_scores, n_heads, lost)?;
    neurons.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    neurons.truncate(n_removed(neuron_share, neurons.len()));
    let is_feed_forward = |site: &&Site| matches!(site.role, Role::FeedForwardUp | Role::FeedForwardDown);
    for site in sites.iter().filter(is_feed_forward).filter(|_| !neurons.is_empty()) {
        let removed = neurons.iter().filter(|(_, layer, _)| Some(*layer) == site.layer);
        let mask = mask(site, removed.map(|(_, _, neuron)| *neuron));
        pruned.masks.insert(site.weight_name(), mask);
    }
    Ok(Ticket { head_scores, pruned })
}

/// A mask without the rows of `neurons` in the map up to them, or without their columns in the map down from them.
fn mask(site: &Site, neurons: impl Iterator<Item = usize>) -> Mask {
    let mut mask = Mask::all_kept(site.n_entries());
    for neuron in neurons {
        if site.role == Role::FeedForwardUp {
            (0..site.d_in).for_each(|column| mask.remove(neuron * site.d_in + column));
        } else {
            (0..site.d_out).for_each(|row| mask.remove(row * site.d_in + neuron));
        }
    }
    mask
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::checkpoint::HostTensor;
    use crate::nn::head_layout::NO_HEADS_LOST;

    fn sites() -> Vec<Site> {
        let site = |layer: usize, role, d_out, d_in| Site {
            path: format!("{layer}.{role}"),
            layer: Some(layer),
            role,
            d_out,
            d_in,
        };
        let layer = |layer| {
            [
                site(layer, Role::AttentionOutput, 4, 4),
                site(layer, Role::FeedForwardUp, 5, 4),
                site(layer, Role::FeedForwardDown, 4, 5),
            ]
        };
        (0..2).flat_map(layer).collect()
    }

    #[test]
    fn the_lowest_coefficients_go_with_their_signs() {
        let vector = |data: &[f32]| HostTensor { shape: vec![data.len()], data: data.to_vec() };
        let mut trained: NamedTensors = [
            ("0.output.coefficients", vector(&[0.9, -1.5])),
            ("1.output.coefficients", vector(&[0.1, 0.2])),
            ("0.feed-forward-down.coefficients", vector(&[1.0, 0.5, 1.0, -2.0, 0.7])),
            ("1.feed-forward-down.coefficients", vector(&[1.0, 0.6, 1.0, 1.0, 1.0])),
            ("classifier.bias", vector(&[0.0])),
        ]
        .map(|(name, tensor)| (name.to_owned(), tensor))
        .into();
        let ticket = draw(&sites(), &mut trained, 1, 0.3, NO_HEADS_LOST).unwrap();
        assert_eq!(ticket.pruned.heads, [(0, vec![1]), (1, vec![0])].into());
        assert_eq!(ticket.head_scores[&1], [f64::from(0.1f32), f64::from(0.2f32)]);
        let removed = |name: &str| {
            let mask = &ticket.pruned.masks[name];
            (0..mask.len).filter(|&i| !mask.get(i)).collect::<Vec<_>>()
        };
        // Three of ten neurons: 3 and 1 of the first layer, 1 of the second.
        assert_eq!(removed("0.feed-forward-up.weight"), [4, 5, 6, 7, 12, 13, 14, 15]);
        assert_eq!(removed("0.feed-forward-down.weight"), [1, 3, 6, 8, 11, 13, 16, 18]);
        assert_eq!(removed("1.feed-forward-down.weight"), [1, 6, 11, 16]);
        assert_eq!(trained.len(), 1, "the coefficients are used up");
    }

    #[test]
    fn a_search_is_a_fifth_of_an_epoch_and_a_step_at_least() {
        assert_eq!(
            [(10, 1), (12, 1), (10, 4), (1, 1)].map(|(n, passes)| search_steps(n, passes)),
            [2, 3, 1, 1]
        );
    }

    #[test]
    fn without_neurons_there_are_no_masks() {
        let ticket = draw(&sites(), &mut NamedTensors::new(), 1, 0.0, NO_HEADS_LOST).unwrap();
        assert!(ticket.pruned.masks.is_empty());
    }
}
