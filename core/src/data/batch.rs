//! Which examples come together and when, and what the engine gets: sequences end to end, without padding.

use super::Chance;
use super::encode::EncodedDataset;
use crate::random::Random;

/// B sequences of T tokens in all, one after the other. Sequence `i` is the tokens
/// `offsets[i]..offsets[i + 1]`.
#[derive(Clone, Debug, PartialEq)]
pub struct PackedBatch {
    /// (T) Token ids.
    pub input_ids: Vec<u32>,
    /// (T) 0 in the first text, 1 in the second.
    pub token_type_ids: Vec<u32>,
    /// (T) Place of the token in its sequence, from 0.
    pub position_ids: Vec<u32>,
    /// (B + 1) Where each sequence starts; the last entry is T.
    pub offsets: Vec<u32>,
    /// (B) Class of each sequence; empty for regression and for data without labels.
    pub classes: Vec<u32>,
    /// (B) Score of each sequence; empty for classification and for data without labels.
    pub targets: Vec<f32>,
    /// (B) Number of each example in its data set.
    pub example_indices: Vec<u32>,
}

impl Default for PackedBatch {
    fn default() -> Self {
        Self {
            input_ids: Vec::new(),
            token_type_ids: Vec::new(),
            position_ids: Vec::new(),
            offsets: vec![0],
            classes: Vec::new(),
            targets: Vec::new(),
            example_indices: Vec::new(),
        }
    }
}

impl PackedBatch {
    /// B, the number of sequences.
    #[must_use]
    pub fn n_sequences(&self) -> usize {
        self.example_indices.len()
    }

    /// T, the number of tokens of all sequences.
    #[must_use]
    pub fn n_tokens(&self) -> usize {
        self.input_ids.len()
    }

    /// Length of the longest sequence.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.offsets.windows(2).map(|pair| (pair[1] - pair[0]) as usize).max().unwrap_or(0)
    }

    /// Adds the tokens of one sequence; its label is the caller's.
    pub(crate) fn push_sequence(&mut self, input_ids: &[u32], token_type_ids: &[u32], example: u32) {
        self.input_ids.extend_from_slice(input_ids);
        self.token_type_ids.extend_from_slice(token_type_ids);
        self.position_ids.extend(0..input_ids.len() as u32);
        self.offsets.push(self.input_ids.len() as u32);
        self.example_indices.push(example);
    }
}

/// A batch in which tokens are to be guessed: hidden ones by an encoder, the next one by a decoder. It has neither
/// classes nor targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenBatch {
    /// What the model sees.
    pub batch: PackedBatch,
    /// (P) Where something is to be guessed, as indices into the T tokens of the batch, ascending.
    pub positions: Vec<u32>,
    /// (P) Ids of the tokens to guess there.
    pub target_ids: Vec<u32>,
}

/// The order of a whole run: a new shuffle each epoch, every example once in each, the last batch possibly
/// smaller. Batch `k` of epoch `e` depends on nothing but these numbers, so a run resumes anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOrder {
    /// Seed of the shuffles.
    pub seed: u64,
    /// N, the number of examples.
    pub n_examples: usize,
    /// B, the examples of a batch.
    pub batch_size: usize,
}

/// Epochs whose orders are all made to find the largest batch.
const EXACT_EPOCHS: u32 = 1000;

impl BatchOrder {
    /// Batches of one epoch.
    #[must_use]
    pub fn n_batches(&self) -> usize {
        self.n_examples.div_ceil(self.batch_size)
    }

    /// The order of one epoch, counted from 0.
    #[must_use]
    pub fn epoch(&self, epoch: u32) -> EpochOrder {
        let order = Random::new(self.seed, Chance::EpochOrder.stream(epoch)).permutation(self.n_examples);
        EpochOrder { order, batch_size: self.batch_size }
    }

    /// T of the largest batch of a run of `n_epochs`, exactly: what its buffers must hold.
    #[must_use]
    pub fn max_tokens(&self, dataset: &EncodedDataset, n_epochs: u32) -> usize {
        self.max_sum(|example| dataset.length(example), n_epochs)
    }

    /// The largest sum of `length` over the examples of one batch, exactly; over very many epochs what no batch exceeds,
    /// which one of them nearly reaches.
    #[must_use]
    pub fn max_sum(&self, length: impl Fn(usize) -> usize, n_epochs: u32) -> usize {
        if n_epochs > EXACT_EPOCHS {
            return sum_of_longest((0..self.n_examples).map(length), self.batch_size);
        }
        let sum = |batch: &[u32]| batch.iter().map(|&example| length(example as usize)).sum();
        let of_epoch = |epoch| {
            let order = self.epoch(epoch);
            (0..order.n_batches()).map(|k| sum(order.batch(k))).max()
        };
        (0..n_epochs).filter_map(of_epoch).max().unwrap_or(0)
    }
}

/// The order of one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochOrder {
    order: Vec<u32>,
    batch_size: usize,
}

impl EpochOrder {
    /// Batches of the epoch.
    #[must_use]
    pub fn n_batches(&self) -> usize {
        self.order.len().div_ceil(self.batch_size)
    }

    /// The examples of batch `k`.
    ///
    /// # Panics
    /// If the epoch has no batch `k`.
    #[must_use]
    pub fn batch(&self, k: usize) -> &[u32] {
        let start = k * self.batch_size;
        assert!(start < self.order.len(), "the epoch has {} batches, not {k}", self.n_batches());
        &self.order[start..(start + self.batch_size).min(self.order.len())]
    }
}

impl EncodedDataset {
    /// T that no batch of `batch_size` examples exceeds, in whatever order: the sum of the longest.
    #[must_use]
    pub fn max_tokens_bound(&self, batch_size: usize) -> usize {
        sum_of_longest((0..self.len()).map(|i| self.length(i)), batch_size)
    }

    /// Batches for evaluation: file order, as many examples as fit in `token_budget` tokens and in
    /// `max_sequences`, at least one.
    #[must_use]
    pub fn evaluation_batches(&self, token_budget: usize, max_sequences: usize) -> Vec<Vec<u32>> {
        batches_in_order((0..self.len()).map(|i| self.length(i)), token_budget, max_sequences)
    }
}

/// The sum of the `n` largest lengths.
pub(super) fn sum_of_longest(lengths: impl Iterator<Item = usize>, n: usize) -> usize {
    let mut lengths: Vec<usize> = lengths.collect();
    lengths.sort_unstable_by(|a, b| b.cmp(a));
    lengths.iter().take(n).sum()
}

/// Numbers sequences in order and begins a new batch where the next one would exceed the budget or the count.
pub(super) fn batches_in_order(
    lengths: impl Iterator<Item = usize>,
    token_budget: usize,
    max_sequences: usize,
) -> Vec<Vec<u32>> {
    let mut batches: Vec<Vec<u32>> = Vec::new();
    let mut tokens_in_last = 0;
    for (i, length) in (0u32..).zip(lengths) {
        match batches.last_mut() {
            Some(last) if tokens_in_last + length <= token_budget && last.len() < max_sequences => {
                last.push(i);
                tokens_in_last += length;
            }
            _ => {
                batches.push(vec![i]);
                tokens_in_last = length;
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::labels::Label;
    use super::*;
    use crate::tokenizer::Encoding;

    fn n_tokens(dataset: &EncodedDataset, examples: &[u32]) -> usize {
        examples.iter().map(|&example| dataset.length(example as usize)).sum()
    }

    /// Example i has the ids i*100, i*100+1, … and the class i.
    fn encoded(lengths: &[usize]) -> EncodedDataset {
        let mut dataset = EncodedDataset::default();
        for (i, &length) in lengths.iter().enumerate() {
            let encoding = Encoding {
                input_ids: (0..length as u32).map(|t| i as u32 * 100 + t).collect(),
                token_type_ids: (0..length as u32).map(|t| u32::from(t > 2)).collect(),
                truncated: false,
                length_before: length,
            };
            dataset.push(&encoding, Label::Class(i as u32));
        }
        dataset
    }

    #[test]
    fn sequences_are_joined_end_to_end() {
        let batch = encoded(&[2, 4, 1]).pack(&[1, 2]);
        assert_eq!(batch.input_ids, [100, 101, 102, 103, 200]);
        assert_eq!(batch.token_type_ids, [0, 0, 0, 1, 0]);
        assert_eq!(batch.position_ids, [0, 1, 2, 3, 0]);
        assert_eq!(batch.offsets, [0, 4, 5]);
        assert_eq!((batch.classes.as_slice(), batch.targets.len()), (&[1, 2][..], 0));
        assert_eq!((batch.n_sequences(), batch.n_tokens(), batch.longest()), (2, 5, 4));
    }

    #[test]
    fn scores_go_to_targets() {
        let mut dataset = encoded(&[1]);
        let encoding =
            Encoding { input_ids: vec![5], token_type_ids: vec![0], truncated: false, length_before: 1 };
        dataset.push(&encoding, Label::Score(2.5));
        dataset.push(&encoding, Label::Unknown);
        let batch = dataset.pack(&[1]);
        assert_eq!((batch.classes.len(), batch.targets.as_slice()), (0, &[2.5][..]));
        assert_eq!(dataset.pack(&[2]).targets.len(), 0);
    }

    proptest! {
        #[test]
        fn packing_keeps_every_token(lengths in prop::collection::vec(1usize..20, 1..40), seed: u64) {
            let dataset = encoded(&lengths);
            let order = Random::new(seed, 0).permutation(lengths.len());
            let batch = dataset.pack(&order);
            prop_assert_eq!(batch.n_tokens(), dataset.n_tokens());
            for (i, &example) in order.iter().enumerate() {
                let range = batch.offsets[i] as usize..batch.offsets[i + 1] as usize;
                prop_assert_eq!(&batch.input_ids[range.clone()], dataset.input_ids(example as usize));
                let positions: Vec<u32> = (0..range.len() as u32).collect();
                prop_assert_eq!(&batch.position_ids[range], &positions);
                prop_assert_eq!(Label::Class(batch.classes[i]), dataset.label(example as usize));
            }
        }

        #[test]
        fn an_epoch_holds_every_example_once(n_examples in 1usize..200, batch_size in 1usize..50, seed: u64) {
            let run = BatchOrder { seed, n_examples, batch_size };
            let order = run.epoch(3);
            prop_assert_eq!(order.n_batches(), run.n_batches());
            let mut all: Vec<u32> = (0..order.n_batches()).flat_map(|k| order.batch(k).to_vec()).collect();
            prop_assert!((0..order.n_batches() - 1).all(|k| order.batch(k).len() == batch_size));
            all.sort_unstable();
            prop_assert_eq!(all, (0..n_examples as u32).collect::<Vec<_>>());
            prop_assert_eq!(run.epoch(3), order);
        }

        #[test]
        fn no_batch_exceeds_the_most_tokens(
            lengths in prop::collection::vec(1usize..30, 1..60),
            batch_size in 1usize..9,
            seed: u64,
        ) {
            let dataset = encoded(&lengths);
            let run = BatchOrder { seed, n_examples: lengths.len(), batch_size };
            let most = run.max_tokens(&dataset, 2);
            prop_assert!(most <= dataset.max_tokens_bound(batch_size));
            // Nobody waits for the orders of four billion epochs.
            prop_assert_eq!(run.max_tokens(&dataset, u32::MAX), dataset.max_tokens_bound(batch_size));
            let mut seen = 0;
            for epoch in 0..2 {
                let order = run.epoch(epoch);
                for k in 0..order.n_batches() {
                    seen = seen.max(dataset.pack(order.batch(k)).n_tokens());
                }
            }
            prop_assert_eq!(seen, most);
        }

        #[test]
        fn evaluation_keeps_order_and_budget(
            lengths in prop::collection::vec(1usize..30, 0..60),
            budget in 1usize..80,
        ) {
            let dataset = encoded(&lengths);
            let batches = dataset.evaluation_batches(budget, 4);
            prop_assert_eq!(batches.concat(), (0..lengths.len() as u32).collect::<Vec<_>>());
            for batch in batches {
                prop_assert!(batch.len() == 1 || (n_tokens(&dataset, &batch) <= budget && batch.len() <= 4));
            }
        }
    }

    #[test]
    fn epochs_and_seeds_differ() {
        let run = BatchOrder { seed: 1, n_examples: 50, batch_size: 8 };
        assert_ne!(run.epoch(0), run.epoch(1));
        assert_ne!(run.epoch(0), BatchOrder { seed: 2, ..run }.epoch(0));
    }
}
