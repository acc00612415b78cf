//! ROUGE-L (Lin 2004) in the form of the E2E challenge: `rouge.py` of the COCO caption evaluation, on PTB tokens without
//! punctuation.
//!
//! With the longest common subsequence of hypothesis and each reference: P the largest share of the hypothesis's words,
//! R the largest share of a reference's words (each over all references, not necessarily the same one),
//! F = (1 + β²) P R / (R + β² P) with β = 1.2; the mean over segments.

use super::{corpus::Corpus, ngrams::numbered, registry::Undefined};

const BETA: f64 = 1.2;

/// ROUGE-L, 0 to 1.
pub fn score(corpus: &Corpus) -> Result<f64, Undefined> {
    let segments = numbered(corpus.ptb());
    let sum = segments.iter().map(|segment| f_measure(&segment.hypothesis, &segment.references)).sum::<f64>();
    Ok(sum / segments.len() as f64)
}

fn f_measure(hypothesis: &[u32], references: &[Vec<u32>]) -> f64 {
    let (mut precision, mut recall) = (0f64, 0f64);
    for reference in references {
        // A text without words counts as one empty word, as where Python splits the empty string.
        let (lcs, hypothesis_length, reference_length) = match (hypothesis.len(), reference.len()) {
            (0, 0) => (1, 1, 1),
            (h, r) => (common_subsequence(hypothesis, reference), h.max(1), r.max(1)),
        };
        precision = precision.max(lcs as f64 / hypothesis_length as f64);
        recall = recall.max(lcs as f64 / reference_length as f64);
    }
    if precision == 0.0 || recall == 0.0 {
        return 0.0;
    }
    (1.0 + BETA * BETA) * precision * recall / (recall + BETA * BETA * precision)
}

/// Length of the longest common subsequence.
fn common_subsequence(a: &[u32], b: &[u32]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsequences_by_hand() {
        assert_eq!(common_subsequence(&[1, 2, 3, 4], &[2, 9, 4, 1]), 2);
        assert_eq!(common_subsequence(&[], &[1]), 0);
        // P = 2/4, R = 2/3 with the only reference.
        let (p, r) = (0.5, 2.0 / 3.0);
        let expected = 2.44 * p * r / (r + 1.44 * p);
        assert!((f_measure(&[1, 2, 3, 4], &[vec![2, 4, 9]]) - expected).abs() < 1e-12);
    }
}
