//! NIST-5 (Doddington 2002) in the form of the E2E challenge: `pymteval.py` of tuetschek/e2e-metrics, option `-p`.
//!
//! Σ over n = 1..5 of (the information of all matched n-grams) / (number of n-grams of the hypotheses), times a factor
//! for texts shorter than their references. An n-gram's information is log2(count of its first n - 1 words / its own
//! count), counted over all references; the empty n-gram counts as often as there are words.

use std::collections::BTreeMap;

use super::{
    bleu::e2e_segments,
    corpus::Corpus,
    ngrams::{Segment, counts, largest_counts},
    registry::Undefined,
};

/// The largest n.
const ORDER: usize = 5;

/// NIST-5, 0 upwards. Undefined where the hypotheses' lengths leave some n without n-grams: the program divides by
/// their number, which it takes as the sum of (length - n + 1), a short segment counting negatively.
pub fn score(corpus: &Corpus) -> Result<f64, Undefined> {
    let segments = e2e_segments(corpus);
    let information = Information::of(&segments);
    let mut sum = 0.0;
    for n in 1..=ORDER {
        let total: i64 = segments.iter().map(|segment| segment.hypothesis.len() as i64 - n as i64 + 1).sum();
        if total == 0 {
            return Err(Undefined::NoNgrams { n });
        }
        let matched = segments.iter().map(|segment| information.matched(segment, n)).sum::<f64>();
        sum += matched / total as f64;
    }
    Ok(length_factor(&segments) * sum)
}

/// exp(-β ln²(ratio)) for hypotheses shorter than their references are on average; β makes it 1/2 at two thirds.
fn length_factor(segments: &[Segment<u32>]) -> f64 {
    let length: usize = segments.iter().map(|segment| segment.hypothesis.len()).sum();
    let mean_length = |segment: &Segment<u32>| {
        let sum: usize = segment.references.iter().map(Vec::len).sum();
        sum as f64 / segment.references.len() as f64
    };
    let ratio = length as f64 / segments.iter().map(mean_length).sum::<f64>();
    let beta = 2f64.ln() / 1.5f64.ln().powi(2);
    if ratio >= 1.0 { 1.0 } else { (-beta * ratio.ln().powi(2)).exp() }
}

/// How often every n-gram stands in the references of the whole set.
struct Information<'a> {
    counts: BTreeMap<&'a [u32], usize>,
    n_words: usize,
}

impl<'a> Information<'a> {
    fn of(segments: &'a [Segment<u32>]) -> Self {
        let references = || segments.iter().flat_map(|segment| &segment.references);
        let mut counts = BTreeMap::new();
        for reference in references() {
            for n in 1..=ORDER {
                reference.windows(n).for_each(|ngram| *counts.entry(ngram).or_default() += 1);
            }
        }
        Self { counts, n_words: references().map(Vec::len).sum() }
    }

    /// The information of a segment's n-grams that stand in its references, in bits.
    fn matched(&self, segment: &Segment<u32>, n: usize) -> f64 {
        let largest = largest_counts(&segment.references, n);
        let clipped = counts(&segment.hypothesis, n).into_iter().filter_map(|(ngram, count)| {
            largest.get(ngram).map(|&in_references| count.min(in_references) as f64 * self.bits(ngram))
        });
        clipped.sum()
    }

    fn bits(&self, ngram: &[u32]) -> f64 {
        let count = |ngram: &[u32]| self.counts.get(ngram).copied().unwrap_or(0) as f64;
        let shorter = &ngram[..ngram.len() - 1];
        let before = if shorter.is_empty() { self.n_words as f64 } else { count(shorter) };
        (before / count(ngram)).log2()
    }
}
