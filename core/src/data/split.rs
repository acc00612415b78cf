//! Choosing examples by chance, the same ones for the same seed.

use super::Chance;
use super::dataset::Dataset;
use crate::random::Random;

/// Takes `share` of the examples (at least one, but leaves one) out of `train` as a validation set. Both keep
/// the file's order.
///
/// # Panics
/// If there are fewer than two examples: the reader has refused such files.
#[must_use]
pub fn validation_split(train: &mut Dataset, share: f64, seed: u64) -> Dataset {
    Dataset { examples: take_share(&mut train.examples, share, seed), labels: train.labels.clone() }
}

/// Keeps the first `n` examples of a seeded shuffle, in the file's order.
pub fn sample(dataset: &mut Dataset, n: usize, seed: u64) {
    keep_some(&mut dataset.examples, n, seed);
}

/// [`validation_split`] of examples of any kind.
pub(super) fn take_share<T>(examples: &mut Vec<T>, share: f64, seed: u64) -> Vec<T> {
    let n = examples.len();
    assert!(n >= 2, "a split needs at least two examples, there are {n}");
    let n_taken = ((n as f64 * share).round() as usize).clamp(1, n - 1);
    let chosen = choose(n, n_taken, Random::new(seed, Chance::ValidationSplit.stream(0)));
    let mut taken = Vec::with_capacity(n_taken);
    let mut rest = Vec::with_capacity(n - n_taken);
    for (example, is_chosen) in examples.drain(..).zip(chosen) {
        if is_chosen { taken.push(example) } else { rest.push(example) }
    }
    *examples = rest;
    taken
}

/// [`sample`] of examples of any kind.
pub(super) fn keep_some<T>(examples: &mut Vec<T>, n: usize, seed: u64) {
    if n >= examples.len() {
        return;
    }
    let chosen = choose(examples.len(), n, Random::new(seed, Chance::TrainSample.stream(0)));
    let mut is_chosen = chosen.into_iter();
    examples.retain(|_| is_chosen.next().unwrap_or(false));
}

/// For each of `n` whether it is one of the `n_chosen` drawn.
fn choose(n: usize, n_chosen: usize, mut random: Random) -> Vec<bool> {
    let mut chosen = vec![false; n];
    for &index in &random.permutation(n)[..n_chosen] {
        chosen[index as usize] = true;
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::super::dataset::Example;
    use super::super::labels::{Label, LabelSet};
    use super::*;

    fn numbered(n: usize) -> Dataset {
        let example =
            |i: usize| Example { text: i.to_string(), text_pair: None, label: Label::Score(i as f32) };
        Dataset { examples: (0..n).map(example).collect(), labels: LabelSet::Scores }
    }

    #[test]
    fn a_split_loses_nothing_and_repeats_for_a_seed() {
        let mut train = numbered(101);
        let validation = validation_split(&mut train, 0.1, 5);
        assert_eq!((train.examples.len(), validation.examples.len()), (91, 10));
        let mut all: Vec<_> = train.examples.iter().chain(&validation.examples).cloned().collect();
        all.sort_by_key(|example| example.text.parse::<usize>().unwrap_or(0));
        assert_eq!(all, numbered(101).examples);
        assert_eq!(validation_split(&mut numbered(101), 0.1, 5), validation);
        assert_ne!(validation_split(&mut numbered(101), 0.1, 6), validation);
    }

    #[test]
    fn a_split_leaves_something_on_both_sides() {
        for (n, share, expected) in [(2, 0.1, 1), (2, 0.9, 1), (5, 0.0, 1), (5, 1.0, 4)] {
            let mut train = numbered(n);
            assert_eq!(validation_split(&mut train, share, 1).examples.len(), expected);
            assert_eq!(train.examples.len(), n - expected);
        }
    }

    #[test]
    fn a_sample_is_the_start_of_one_shuffle() {
        let sampled = |n| {
            let mut dataset = numbered(50);
            sample(&mut dataset, n, 3);
            dataset.examples
        };
        assert_eq!(sampled(50), numbered(50).examples);
        assert_eq!(sampled(80), numbered(50).examples);
        let (small, large) = (sampled(10), sampled(20));
        assert_eq!((small.len(), large.len()), (10, 20));
        assert!(small.iter().all(|example| large.contains(example)));
        assert_ne!(small, numbered(10).examples);
    }
}
