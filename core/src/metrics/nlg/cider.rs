//! CIDEr-D (Vedantam et al. 2015) in the form of the E2E challenge: `cider_scorer.py` of the COCO caption evaluation, on
//! PTB tokens without punctuation.
//!
//! For n = 1..4, n-grams weigh (their count) × ln(segments / segments whose references have them). A reference's figure
//! is the cosine of its weights and the hypothesis's, the latter clipped to the former, times
//! exp(-(difference of lengths)² / 2σ²) with σ = 6; mean over n, references and segments, times 10. With one segment
//! all weights, and so the figure, are 0.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    corpus::Corpus,
    ngrams::{Segment, counts, numbered},
    registry::Undefined,
};

/// The largest n.
const ORDER: usize = 4;
/// Standard deviation, in words, of the penalty for a different length.
const SIGMA: f64 = 6.0;

/// CIDEr-D, 0 to 10.
pub fn score(corpus: &Corpus) -> Result<f64, Undefined> {
    let segments = numbered(corpus.ptb());
    let frequencies = document_frequencies(&segments);
    let weigh = Weigh { frequencies: &frequencies, log_segments: (segments.len() as f64).ln() };
    let figure = |segment: &Segment<u32>| {
        let hypothesis = weigh.vector(&segment.hypothesis);
        let sum: f64 = segment
            .references
            .iter()
            .map(|reference| similarity(&hypothesis, &weigh.vector(reference)))
            .sum();
        10.0 * sum / (ORDER * segment.references.len()) as f64
    };
    Ok(segments.iter().map(figure).sum::<f64>() / segments.len() as f64)
}

/// In how many segments an n-gram stands in at least one reference.
fn document_frequencies(segments: &[Segment<u32>]) -> BTreeMap<&[u32], usize> {
    let mut frequencies = BTreeMap::new();
    for segment in segments {
        let ngrams: BTreeSet<&[u32]> = (1..=ORDER)
            .flat_map(|n| segment.references.iter().flat_map(move |reference| reference.windows(n)))
            .collect();
        ngrams.into_iter().for_each(|ngram| *frequencies.entry(ngram).or_default() += 1);
    }
    frequencies
}

struct Weigh<'a> {
    frequencies: &'a BTreeMap<&'a [u32], usize>,
    log_segments: f64,
}

/// A text's weighted n-grams for n = 1..4, with their norms.
struct Vector<'a> {
    weights: [BTreeMap<&'a [u32], f64>; ORDER],
    norms: [f64; ORDER],
    /// Number of word pairs, which the program takes as the length.
    length: f64,
}

impl Weigh<'_> {
    fn vector<'a>(&self, words: &'a [u32]) -> Vector<'a> {
        let weights: [BTreeMap<&[u32], f64>; ORDER] = std::array::from_fn(|n| {
            let weight = |(ngram, count): (&'a [u32], usize)| {
                let frequency = self.frequencies.get(ngram).copied().unwrap_or(1);
                (ngram, count as f64 * (self.log_segments - (frequency as f64).ln()))
            };
            counts(words, n + 1).into_iter().map(weight).collect()
        });
        let norms =
            std::array::from_fn(|n| weights[n].values().map(|weight| weight * weight).sum::<f64>().sqrt());
        Vector { weights, norms, length: words.len().saturating_sub(1) as f64 }
    }
}

/// Sum over n of the clipped cosine, times the penalty for a different length.
fn similarity(hypothesis: &Vector<'_>, reference: &Vector<'_>) -> f64 {
    let penalty = (-(hypothesis.length - reference.length).powi(2) / (2.0 * SIGMA * SIGMA)).exp();
    let cosines = (0..ORDER).map(|n| {
        let product = hypothesis.weights[n].iter().filter_map(|(ngram, &weight)| {
            reference.weights[n].get(ngram).map(|&other| weight.min(other) * other)
        });
        let norms = hypothesis.norms[n] * reference.norms[n];
        if norms == 0.0 { 0.0 } else { product.sum::<f64>() / norms }
    });
    penalty * cosines.sum::<f64>()
}
