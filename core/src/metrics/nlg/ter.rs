//! TER (Snover et al. 2006) in the form of the WebNLG evaluation: the Python package pyter, as `eval.py` of
//! WebNLG/GenerationEval calls it.
//!
//! (insertions + deletions + substitutions + shifts) / words of the reference, the smallest over the references, the
//! plain mean over the segments. Shifts are found greedily: as long as one lowers the edit distance, the one that
//! lowers it most is made; of equally good ones the program takes the result that is last in the order of its words.
//! Lower is better. This is not tercom's algorithm, and its figures differ from sacrebleu's.

use std::collections::BTreeSet;

use super::{corpus::Corpus, registry::Undefined, tokenize::plain_words};

/// TER, 0 upwards.
pub fn score(corpus: &Corpus) -> Result<f64, Undefined> {
    let mut sum = 0.0;
    for (hypothesis, references) in corpus.segments() {
        let hypothesis = plain_words(hypothesis);
        let references: Vec<Vec<String>> =
            references.iter().map(|reference| plain_words(reference)).collect();
        sum += smallest(&hypothesis, &references);
    }
    Ok(sum / corpus.len() as f64)
}

fn smallest(hypothesis: &[String], references: &[Vec<String>]) -> f64 {
    // Numbers in the order of the words, so that lists of numbers compare as lists of words do.
    let sorted: BTreeSet<&String> = hypothesis.iter().chain(references.iter().flatten()).collect();
    let sorted: Vec<&String> = sorted.into_iter().collect();
    let ids = |words: &[String]| -> Vec<u32> {
        words.iter().map(|word| sorted.partition_point(|other| *other < word) as u32).collect()
    };
    let hypothesis = ids(hypothesis);
    let rates = references.iter().map(|reference| edit_rate(&hypothesis, &ids(reference)));
    rates.fold(f64::INFINITY, f64::min)
}

fn edit_rate(hypothesis: &[u32], reference: &[u32]) -> f64 {
    if reference.is_empty() {
        return 1.0;
    }
    let mut words = hypothesis.to_vec();
    let mut row = Vec::new();
    let mut distance = edit_distance(&words, reference, &mut row);
    let mut n_shifts = 0;
    while let Some((shifted, shorter)) = best_shift(&words, reference, distance, &mut row) {
        n_shifts += 1;
        words = shifted;
        distance = shorter;
    }
    (n_shifts + distance) as f64 / reference.len() as f64
}

/// The shift that lowers the edit distance most, with the distance after it.
fn best_shift(
    words: &[u32],
    reference: &[u32],
    distance: usize,
    row: &mut Vec<usize>,
) -> Option<(Vec<u32>, usize)> {
    let mut best: Option<(Vec<u32>, usize)> = None;
    for from in 0..words.len() {
        for to in (0..reference.len()).filter(|&to| to != from && reference[to] == words[from]) {
            let n_equal = words[from..].iter().zip(&reference[to..]).take_while(|(a, b)| a == b).count();
            let shifted = shift(words, from, n_equal, to);
            let shorter = edit_distance(&shifted, reference, row);
            let is_best = best.as_ref().is_none_or(|(other, smallest)| {
                shorter < *smallest || (shorter == *smallest && shifted > *other)
            });
            if is_best {
                best = Some((shifted, shorter));
            }
        }
    }
    best.filter(|(_, shorter)| *shorter < distance)
}

/// Takes `n` words out at `from` and puts them in at `to`, a position in what remains.
fn shift(words: &[u32], from: usize, n: usize, to: usize) -> Vec<u32> {
    let mut shifted = [&words[..from], &words[from + n..]].concat();
    let to = to.min(shifted.len());
    shifted.splice(to..to, words[from..from + n].iter().copied());
    shifted
}

/// Levenshtein's distance; `row` is scratch space.
fn edit_distance(a: &[u32], b: &[u32], row: &mut Vec<usize>) -> usize {
    row.clear();
    row.extend(0..=b.len());
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_and_shifts_by_hand() {
        let mut row = Vec::new();
        assert_eq!(edit_distance(&[1, 2, 3], &[2, 3, 4, 5], &mut row), 3);
        assert_eq!(edit_distance(&[], &[7], &mut row), 1);
        assert_eq!(shift(&[1, 2, 3, 4], 0, 2, 2), [3, 4, 1, 2]);
        assert_eq!(shift(&[1, 2, 3], 2, 1, 9), [1, 2, 3]);
        // One block moved: one edit over four words.
        assert_eq!(edit_rate(&[3, 4, 1, 2], &[1, 2, 3, 4]), 0.25);
        assert_eq!(edit_rate(&[], &[1, 2]), 1.0);
        assert_eq!(edit_rate(&[1], &[]), 1.0);
    }
}
