//! BLEU-4 (Papineni et al. 2002): how many n-grams of the hypotheses stand in the references, in three published forms.
//!
//! All three share the clipped counts, the closest reference length (the shorter of two equally close ones) and the
//! geometric mean over n = 1..4, times the brevity penalty exp(1 - R / C) of a text shorter than its references. They
//! differ in case and in what an order without a match counts:
//!
//! | form | program | case | no match |
//! |---|---|---|---|
//! | E2E | `pymteval.py` of tuetschek/e2e-metrics, option `-p` | lower | 1e-15 matches |
//! | Moses | `multi-bleu-detok.perl` of WebNLG/GenerationEval | kept | the figure is 0 |
//! | sacrebleu | sacrebleu 2, `BLEU()` (tokens 13a, smoothing exp) | kept | 1/2, 1/4, … of a match (mteval-v13a's smoothing) |

use super::{
    corpus::Corpus,
    ngrams::{Segment, counts, largest_counts, numbered},
    registry::Undefined,
    tokenize::mteval_13a,
};

/// The largest n.
const ORDER: usize = 4;

/// BLEU of the E2E challenge, 0 to 1. A segment shorter than n words takes from the n-grams of the whole set, and a
/// text of no words counts as one empty word, both as in the program.
pub fn e2e(corpus: &Corpus) -> Result<f64, Undefined> {
    let segments = e2e_segments(corpus);
    let statistics = Statistics::of(&segments);
    let mean_log = (0..ORDER).map(|n| {
        let length = segments.iter().map(|segment| segment.hypothesis.len() as f64 - n as f64).sum::<f64>();
        // The program keeps both sides above zero in this way.
        ((statistics.matches[n] as f64).max(1e-15) / length.max(1e-9)).ln()
    });
    let precision = (mean_log.sum::<f64>() / ORDER as f64).exp();
    Ok(precision * statistics.brevity_penalty())
}

/// BLEU of Moses in percent. Undefined for hypotheses without words, where the program divides by zero.
pub fn moses(corpus: &Corpus) -> Result<f64, Undefined> {
    let statistics = Statistics::of(&cased_segments(corpus));
    if statistics.length == 0 {
        return Err(Undefined::NoWords);
    }
    if (0..ORDER).any(|n| statistics.matches[n] == 0) {
        return Ok(0.0);
    }
    let logs = (0..ORDER).map(|n| (statistics.matches[n] as f64 / statistics.totals[n] as f64).ln());
    Ok(100.0 * statistics.brevity_penalty() * (logs.sum::<f64>() / ORDER as f64).exp())
}

/// BLEU of sacrebleu in percent. 0 without any match, and where the hypotheses have no 4-gram at all.
pub fn sacrebleu(corpus: &Corpus) -> Result<f64, Undefined> {
    let statistics = Statistics::of(&cased_segments(corpus));
    if statistics.matches[0] == 0 || statistics.totals.contains(&0) {
        return Ok(0.0);
    }
    let mut smoothed = 1.0;
    let mut sum = 0.0;
    for (&matches, &total) in statistics.matches.iter().zip(&statistics.totals) {
        let matches = if matches == 0 {
            smoothed /= 2.0;
            smoothed
        } else {
            matches as f64
        };
        sum += (matches / total as f64).ln();
    }
    Ok(100.0 * statistics.brevity_penalty() * (sum / ORDER as f64).exp())
}

/// Lower-case mteval-13a tokens as numbers; BLEU and NIST of the E2E challenge share them.
pub fn e2e_segments(corpus: &Corpus) -> Vec<Segment<u32>> {
    segments(corpus, |text| {
        let mut words = mteval_13a(text);
        words.iter_mut().for_each(|word| *word = word.to_lowercase());
        if words.is_empty() { vec![String::new()] } else { words }
    })
}

fn cased_segments(corpus: &Corpus) -> Vec<Segment<u32>> {
    segments(corpus, mteval_13a)
}

fn segments(corpus: &Corpus, tokenize: impl Fn(&str) -> Vec<String>) -> Vec<Segment<u32>> {
    let cut = |(hypothesis, references): (&str, &[String])| Segment {
        hypothesis: tokenize(hypothesis),
        references: references.iter().map(|reference| tokenize(reference)).collect(),
    };
    numbered(&corpus.segments().map(cut).collect::<Vec<_>>())
}

/// What BLEU counts over the whole set.
struct Statistics {
    /// Clipped n-gram matches, n = 1..4.
    matches: [usize; ORDER],
    /// N-grams of the hypotheses, n = 1..4.
    totals: [usize; ORDER],
    /// Words of the hypotheses.
    length: usize,
    /// Words of the closest references.
    reference_length: usize,
}

impl Statistics {
    fn of(segments: &[Segment<u32>]) -> Self {
        let mut sum = Self { matches: [0; ORDER], totals: [0; ORDER], length: 0, reference_length: 0 };
        for Segment { hypothesis, references } in segments {
            for n in 0..ORDER {
                let largest = largest_counts(references, n + 1);
                let clipped = counts(hypothesis, n + 1)
                    .into_iter()
                    .map(|(ngram, count)| count.min(largest.get(ngram).copied().unwrap_or(0)));
                sum.matches[n] += clipped.sum::<usize>();
                sum.totals[n] += hypothesis.len().saturating_sub(n);
            }
            sum.length += hypothesis.len();
            let lengths = references.iter().map(Vec::len);
            sum.reference_length +=
                lengths.min_by_key(|&length| (length.abs_diff(hypothesis.len()), length)).unwrap_or(0);
        }
        sum
    }

    fn brevity_penalty(&self) -> f64 {
        let (length, reference_length) = (self.length as f64, self.reference_length as f64);
        if length > reference_length {
            1.0
        } else if length == 0.0 {
            0.0
        } else {
            (1.0 - reference_length / length).exp()
        }
    }
}
