//! METEOR 1.5 for English (Denkowski and Lavie 2014) as the E2E challenge runs it: `meteor-1.5.jar` with `-l en -norm`
//! on PTB tokens without punctuation.
//!
//! A matched word weighs w by its matcher (exact 1, stem 0.6, synonym 0.8, paraphrase 0.6), times δ = 0.75 if it is a
//! content word and 1 - δ if it is one of the most frequent words. With P and R the weighted matches over the weighted
//! lengths, F = 1 / ((1 - α) / P + α / R), α = 0.85; the score is (1 - γ (chunks / matches)^β) F, β = 0.2, γ = 0.6. Each
//! segment takes its best reference; the figure of a text comes from the sums of the segments' counts.
//!
//! Synonyms and paraphrases need METEOR's tables. Without them the figure is METEOR's too, of the matchers exact and
//! stem, but it has another name here, since it must not be compared with published ones.

mod align;
mod normalize;
mod stem;
mod tables;

pub use tables::{MeteorTables, TableError};

use std::collections::BTreeSet;

use super::{Corpus, Undefined};
use align::{Alignment, Matcher, Word, align};
use normalize::normalized_words;

const ALPHA: f64 = 0.85;
const BETA: f64 = 0.2;
const GAMMA: f64 = 0.6;
const DELTA: f64 = 0.75;

/// Words of which every thousandth word of English text is at least one (`english.words` of METEOR 1.5).
const FUNCTION_WORDS: &str = "the , . to of and a in that for \" is on 's it with was as said at he by be from have has \
    are his but an this not i will ’ they ) -rrb- ( -lrb- who their had we which were been more or s its would about \
    new one after you : also up when there than $ all out her people she year two - can if last first “ over other ” \
    into some what so -- no time years could ? 't — '";

/// METEOR with its tables, 0 to 1.
pub fn full(corpus: &Corpus, tables: &MeteorTables) -> Result<f64, Undefined> {
    if tables.are_complete() { Ok(score(corpus, Some(tables))) } else { Err(Undefined::NoTables) }
}

/// METEOR by exact words and stems, 0 to 1.
pub fn exact_stem(corpus: &Corpus) -> Result<f64, Undefined> {
    Ok(score(corpus, None))
}

impl Corpus {
    /// All words METEOR meets in this text: those whose entries of the paraphrase table have to be kept.
    #[must_use]
    pub fn meteor_vocabulary(&self) -> BTreeSet<String> {
        let texts =
            self.ptb().iter().flat_map(|segment| segment.references.iter().chain([&segment.hypothesis]));
        texts.flat_map(|words| normalized_words(&words.join(" "))).collect()
    }
}

fn score(corpus: &Corpus, tables: Option<&MeteorTables>) -> f64 {
    let look_up = |words: &[String]| {
        let words = normalized_words(&words.join(" "));
        words.iter().map(|word| Word::new(word, tables)).collect::<Vec<_>>()
    };
    let function_words: BTreeSet<&str> = FUNCTION_WORDS.split_whitespace().collect();
    let mut sum = Counts::default();
    for segment in corpus.ptb() {
        let hypothesis = look_up(&segment.hypothesis);
        let mut best: Option<Counts> = None;
        for reference in &segment.references {
            let reference = look_up(reference);
            let alignment = align(&hypothesis, &reference, tables);
            let counts = Counts::of(&hypothesis, &reference, &alignment, &function_words);
            if best.as_ref().is_none_or(|best| counts.score() > best.score()) {
                best = Some(counts);
            }
        }
        best.iter().for_each(|counts| sum.add(counts));
    }
    sum.score()
}

/// What METEOR counts in one of the two texts.
#[derive(Clone, Debug, Default)]
struct Side {
    n_words: f64,
    n_matched: f64,
    /// Words, weighed by δ.
    length: f64,
    /// Matched words, weighed by δ and matcher.
    matches: f64,
}

/// What METEOR counts, of a segment or of a whole text.
#[derive(Clone, Debug, Default)]
struct Counts {
    hypothesis: Side,
    reference: Side,
    n_chunks: f64,
}

impl Counts {
    fn of(
        hypothesis: &[Word],
        reference: &[Word],
        alignment: &Alignment,
        function_words: &BTreeSet<&str>,
    ) -> Self {
        let delta =
            |word: &Word| if function_words.contains(word.text.as_str()) { 1.0 - DELTA } else { DELTA };
        let side = |words: &[Word]| Side {
            n_words: words.len() as f64,
            length: words.iter().map(delta).sum(),
            ..Side::default()
        };
        let mut counts = Self {
            hypothesis: side(hypothesis),
            reference: side(reference),
            n_chunks: alignment.n_chunks as f64,
        };
        for found in &alignment.matches {
            let weight = match found.matcher {
                Matcher::Exact => 1.0,
                Matcher::Synonym => 0.8,
                Matcher::Stem | Matcher::Paraphrase => 0.6,
            };
            let weigh = |side: &mut Side, words: &[Word]| {
                side.n_matched += words.len() as f64;
                side.matches += words.iter().map(|word| weight * delta(word)).sum::<f64>();
            };
            weigh(&mut counts.hypothesis, &hypothesis[found.start..found.start + found.length]);
            let end = found.reference_start + found.reference_length;
            weigh(&mut counts.reference, &reference[found.reference_start..end]);
        }
        counts
    }

    fn score(&self) -> f64 {
        let precision = self.hypothesis.matches / self.hypothesis.length;
        let recall = self.reference.matches / self.reference.length;
        let mean = 1.0 / ((1.0 - ALPHA) / precision + ALPHA / recall);
        let n_matched = (self.hypothesis.n_matched + self.reference.n_matched) / 2.0;
        let fragmentation = if self.is_perfect() { 0.0 } else { self.n_chunks / n_matched };
        let score = mean * (1.0 - GAMMA * fragmentation.powf(BETA));
        // Texts without words or matches divide zero by zero.
        if score.is_nan() { 0.0 } else { score.max(0.0) }
    }

    /// Whether everything matches in one piece.
    fn is_perfect(&self) -> bool {
        self.hypothesis.n_matched == self.hypothesis.n_words
            && self.reference.n_matched == self.reference.n_words
            && self.n_chunks == 1.0
    }

    fn add(&mut self, segment: &Self) {
        if !segment.is_perfect() {
            self.n_chunks += segment.n_chunks;
        }
        for (sum, side) in
            [(&mut self.hypothesis, &segment.hypothesis), (&mut self.reference, &segment.reference)]
        {
            sum.n_words += side.n_words;
            sum.n_matched += side.n_matched;
            sum.length += side.length;
            sum.matches += side.matches;
        }
    }
}
