//! The labeled sentences: train and validation sets that can never share a sentence, whatever their seeds.
//!
//! Every sentence belongs to one side by its content. One sixth of all pairs of construction and deciding word
//! is held out for validation as a whole, and of the other sentences every sixth by a hash of its text.

use std::collections::BTreeSet;

use super::construction::{Construction, draw_construction};
use super::grammar::{Sentence, draw_domain, spell_review, write};
use super::hash::hash;
use crate::random::Random;

/// Sentences in the train set.
pub const N_TRAIN: usize = 2400;
/// Sentences in the validation set.
pub const N_VALIDATION: usize = 400;

const TRAIN_STREAM: u64 = 0x7261_696e;
const VALIDATION_STREAM: u64 = 0x7661_6c69;

/// The train set of `seed`: [`N_TRAIN`] different sentences with label indices, half of each label, in random order.
#[must_use]
pub fn train_examples(seed: u64) -> Vec<(String, u32)> {
    examples(seed, TRAIN_STREAM, N_TRAIN, |_, side| side == Side::Train)
}

/// The validation set of `seed`: [`N_VALIDATION`] different sentences, none of which is in the train set of any seed.
///
/// Of every four, one has a pair of construction and deciding word that no train sentence has.
#[must_use]
pub fn validation_examples(seed: u64) -> Vec<(String, u32)> {
    // Labels alternate, so one of four must fall on either label in turn.
    let wanted = |i: usize| if matches!(i % 8, 0 | 5) { Side::HeldOutPair } else { Side::HeldOutText };
    examples(seed, VALIDATION_STREAM, N_VALIDATION, |i, side| side == wanted(i))
}

/// Which set a sentence may be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Train,
    HeldOutPair,
    HeldOutText,
}

/// The side of a sentence, from its content alone.
pub(super) fn side(construction: Construction, sentence: &Sentence) -> Side {
    if hash(&format!("{construction:?} {}", sentence.key_word)).is_multiple_of(6) {
        Side::HeldOutPair
    } else if hash(&sentence.words).is_multiple_of(6) {
        Side::HeldOutText
    } else {
        Side::Train
    }
}

fn examples(seed: u64, stream: u64, n: usize, is_wanted: impl Fn(usize, Side) -> bool) -> Vec<(String, u32)> {
    let mut random = Random::new(seed, stream);
    let mut seen = BTreeSet::new();
    let mut examples = Vec::with_capacity(n);
    while examples.len() < n {
        let i = examples.len();
        let label = (i % 2) as u32;
        let construction = draw_construction(&mut random);
        // A construction is kept until it yields: redrawing it would favour the ones with much to hold out.
        for _ in 0..1000 {
            let domain = draw_domain(&mut random);
            let sentence = write(&mut random, domain, construction, label == 1);
            if is_wanted(i, side(construction, &sentence)) && seen.insert(sentence.words.clone()) {
                examples.push((spell_review(&mut random, &sentence), label));
                break;
            }
        }
    }
    random.shuffle(&mut examples);
    examples
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::reader;
    use super::*;

    #[test]
    fn sets_are_balanced_distinct_disjoint_and_repeatable() {
        let (train, validation) = (train_examples(1), validation_examples(1));
        assert_eq!((train.len(), validation.len()), (N_TRAIN, N_VALIDATION));
        assert!(train == train_examples(1) && train != train_examples(2));
        let positives = |set: &[(String, u32)]| set.iter().filter(|e| e.1 == 1).count();
        assert_eq!((positives(&train), positives(&validation)), (N_TRAIN / 2, N_VALIDATION / 2));
        let texts = |set: &[(String, u32)]| set.iter().map(|e| e.0.clone()).collect::<BTreeSet<_>>();
        let (a, b) = (texts(&train), texts(&validation));
        assert_eq!((a.len(), b.len()), (N_TRAIN, N_VALIDATION));
        assert!(a.is_disjoint(&b) && texts(&train_examples(9)).is_disjoint(&b));
    }

    #[test]
    fn a_reader_of_the_grammar_is_always_right() {
        for seed in [1, 2, 3] {
            for (text, label) in train_examples(seed).iter().chain(&validation_examples(seed)) {
                assert_eq!(u32::from(reader::is_positive(text)), *label, "{text}");
            }
        }
    }

    #[test]
    fn a_bag_of_words_is_not_enough() {
        for seed in [1, 2, 3] {
            let accuracy = bag_of_words_accuracy(&train_examples(seed), &validation_examples(seed));
            println!("bag of words, seed {seed}: {:.1} % (the rule-based reader: 100 %)", 100.0 * accuracy);
            assert!(accuracy < 0.68, "seed {seed}: {accuracy}");
        }
    }

    /// Logistic regression on word presence, full-batch gradient descent to convergence.
    fn bag_of_words_accuracy(train: &[(String, u32)], validation: &[(String, u32)]) -> f64 {
        let mut vocabulary: BTreeMap<String, usize> = BTreeMap::new();
        for (text, _) in train {
            for word in reader::words(text) {
                let next = vocabulary.len();
                vocabulary.entry(word).or_insert(next);
            }
        }
        let bag = |text: &str| -> BTreeSet<usize> {
            reader::words(text).iter().filter_map(|w| vocabulary.get(w).copied()).collect()
        };
        let bags: Vec<(BTreeSet<usize>, f64)> = train.iter().map(|(t, l)| (bag(t), f64::from(*l))).collect();
        let mut weights = vec![0f64; vocabulary.len()];
        let score = |weights: &[f64], bag: &BTreeSet<usize>| bag.iter().map(|&i| weights[i]).sum::<f64>();
        for _ in 0..300 {
            let mut gradient = vec![0f64; weights.len()];
            for (bag, label) in &bags {
                let error = 1.0 / (1.0 + (-score(&weights, bag)).exp()) - label;
                bag.iter().for_each(|&i| gradient[i] += error);
            }
            // A little decay keeps rare words from being learned by heart.
            weights
                .iter_mut()
                .zip(&gradient)
                .for_each(|(w, g)| *w -= 4.0 * (g / bags.len() as f64 + 1e-4 * *w));
        }
        let right = validation.iter().filter(|(t, l)| (score(&weights, &bag(t)) > 0.0) == (*l == 1)).count();
        right as f64 / validation.len() as f64
    }
}
