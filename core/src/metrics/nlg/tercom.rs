//! TER (Snover et al. 2006) in the form of sacrebleu 2, `TER()`, which follows tercom: lower case, words between white
//! space, punctuation kept.
//!
//! Edits of the reference with the fewest, summed over the set, divided by the sum of the mean reference lengths. A
//! shift moves a block of up to ten words that are wrong where they stand, to a place next to where they belong; the
//! best shift is made as long as one lowers the edit distance. The edit distance looks at a band around the diagonal.

use std::cmp::Reverse;

use super::{corpus::Corpus, ngrams::Vocabulary, registry::Undefined, tokenize::words};

/// The longest block that is moved.
const MAX_SHIFT_SIZE: usize = 10;
/// How far its place in the reference may be away.
const MAX_SHIFT_DISTANCE: usize = 50;
/// Half the width of the band around the diagonal.
const BEAM_WIDTH: f64 = 25.0;
/// After so many tried shifts of one pair of texts none is made any more.
const MAX_CANDIDATES: usize = 1000;
/// The cost of what lies outside the band.
const UNREACHED: usize = usize::MAX / 2;

/// TER in percent, 0 upwards.
pub fn score(corpus: &Corpus) -> Result<f64, Undefined> {
    let mut vocabulary = Vocabulary::default();
    let mut ids = |text: &str| vocabulary.ids(&words(&text.to_lowercase()));
    let (mut n_edits, mut length) = (0.0, 0.0);
    for (hypothesis, references) in corpus.segments() {
        let hypothesis = ids(hypothesis);
        let references: Vec<Vec<u32>> = references.iter().map(|reference| ids(reference)).collect();
        let edits = references.iter().map(|reference| edits(&hypothesis, reference));
        n_edits += edits.min().unwrap_or(0) as f64;
        let sum: usize = references.iter().map(Vec::len).sum();
        length += sum as f64 / references.len() as f64;
    }
    // References of separator characters only have no words.
    Ok(if length > 0.0 {
        100.0 * n_edits / length
    } else if n_edits > 0.0 {
        100.0
    } else {
        0.0
    })
}

/// Shifts plus edits that make the hypothesis the reference.
fn edits(hypothesis: &[u32], reference: &[u32]) -> usize {
    let mut words = hypothesis.to_vec();
    let (mut n_shifts, mut n_candidates) = (0, 0);
    while let Some(shifted) = best_shift(&words, reference, &mut n_candidates) {
        words = shifted;
        n_shifts += 1;
    }
    n_shifts + Distance::of(&words, reference).value()
}

/// The words after the best shift, if one lowers the edit distance and not too many have been tried.
fn best_shift(words: &[u32], reference: &[u32], n_candidates: &mut usize) -> Option<Vec<u32>> {
    let distance = Distance::of(words, reference);
    let alignment = distance.alignment();
    let mut best = None;
    for (from, to, length) in equal_blocks(words, reference) {
        if !alignment.is_worth_moving(from, to, length) {
            continue;
        }
        let mut previous = None;
        for target in (0..=length).map(|offset| alignment.target(to + offset)) {
            if previous.replace(target) == Some(target) {
                continue;
            }
            let shifted = shift(words, from, length, target);
            let shorter = Distance::of(&shifted, reference).value();
            // The largest gain first, then the longest block, then the earliest place.
            let candidate = (Reverse(shorter), length, Reverse(from), Reverse(target), shifted);
            *n_candidates += 1;
            if best.as_ref().is_none_or(|best| candidate > *best) {
                best = Some(candidate);
            }
        }
        if *n_candidates >= MAX_CANDIDATES {
            return None;
        }
    }
    let (Reverse(shorter), .., shifted) = best?;
    (shorter < distance.value()).then_some(shifted)
}

/// All blocks of equal words that are not too far apart: start in the words, start in the reference, length.
fn equal_blocks<'a>(
    words: &'a [u32],
    reference: &'a [u32],
) -> impl Iterator<Item = (usize, usize, usize)> + 'a {
    let starts = (0..words.len()).flat_map(|from| (0..reference.len()).map(move |to| (from, to)));
    starts.filter(|(from, to)| from.abs_diff(*to) <= MAX_SHIFT_DISTANCE).flat_map(|(from, to)| {
        let pairs = words[from..].iter().zip(&reference[to..]).take(MAX_SHIFT_SIZE);
        let longest = pairs.take_while(|(a, b)| a == b).count();
        (1..=longest).map(move |length| (from, to, length))
    })
}

/// Moves `length` words from `from` to before the word that now stands at `target`.
fn shift(words: &[u32], from: usize, length: usize, target: usize) -> Vec<u32> {
    let block = &words[from..from + length];
    if target < from {
        [&words[..target], block, &words[target..from], &words[from + length..]].concat()
    } else if target > from + length {
        [&words[..from], &words[from + length..target], block, &words[target..]].concat()
    } else {
        // A place inside the block counts from its end.
        let end = (length + target).min(words.len());
        [&words[..from], &words[from + length..end], block, &words[end..]].concat()
    }
}

/// The last step to a cell of the matrix.
#[derive(Clone, Copy)]
enum Edit {
    Keep,
    Substitute,
    Insert,
    Delete,
}

/// The matrix of edit distances between the beginnings of two texts.
struct Distance {
    /// Row by row, one row more than words, one column more than words of the reference.
    cells: Vec<(usize, Edit)>,
    n_words: usize,
    n_columns: usize,
}

impl Distance {
    fn of(words: &[u32], reference: &[u32]) -> Self {
        let n_columns = reference.len() + 1;
        let mut cells = vec![(UNREACHED, Edit::Keep); (words.len() + 1) * n_columns];
        cells[..n_columns].iter_mut().enumerate().for_each(|(j, cell)| *cell = (j, Edit::Insert));
        let ratio = if words.is_empty() { 1.0 } else { reference.len() as f64 / words.len() as f64 };
        let width = if BEAM_WIDTH < ratio / 2.0 { (ratio / 2.0 + BEAM_WIDTH).ceil() } else { BEAM_WIDTH };
        for (i, word) in words.iter().enumerate() {
            let diagonal = ((i + 1) as f64 * ratio).floor();
            let first = (diagonal - width).max(0.0) as usize;
            let last =
                if i + 1 == words.len() { n_columns } else { n_columns.min((diagonal + width) as usize) };
            let above = i * n_columns;
            for j in first..last {
                let here = above + n_columns + j;
                let delete = (cells[above + j].0 + 1, Edit::Delete);
                cells[here] = if j == 0 {
                    delete
                } else {
                    let is_equal = *word == reference[j - 1];
                    let edit = if is_equal { Edit::Keep } else { Edit::Substitute };
                    let replace = (cells[above + j - 1].0 + usize::from(!is_equal), edit);
                    let insert = (cells[here - 1].0 + 1, Edit::Insert);
                    // The first of equally cheap ones.
                    [delete, insert]
                        .into_iter()
                        .fold(replace, |best, edit| if edit.0 < best.0 { edit } else { best })
                };
            }
        }
        Self { cells, n_words: words.len(), n_columns }
    }

    fn value(&self) -> usize {
        self.cells[self.cells.len() - 1].0
    }

    /// Which word belongs to which, along the cheapest path.
    fn alignment(&self) -> Alignment {
        let (mut i, mut j) = (self.n_words, self.n_columns - 1);
        let mut alignment =
            Alignment { after: vec![0; j], wrong_words: vec![false; i], wrong_references: vec![false; j] };
        while i > 0 || j > 0 {
            let edit = self.cells[i * self.n_columns + j].1;
            let is_wrong = !matches!(edit, Edit::Keep);
            // Outside the matrix there is one way only.
            let takes_word = i > 0 && (j == 0 || !matches!(edit, Edit::Insert));
            let takes_reference = j > 0 && (i == 0 || !matches!(edit, Edit::Delete));
            if takes_reference {
                alignment.after[j - 1] = i;
                alignment.wrong_references[j - 1] = is_wrong;
            }
            if takes_word {
                alignment.wrong_words[i - 1] = is_wrong;
            }
            i -= usize::from(takes_word);
            j -= usize::from(takes_reference);
        }
        alignment
    }
}

/// What an edit path says about the words of both texts.
struct Alignment {
    /// For every word of the reference, the number of words up to and including its partner.
    after: Vec<usize>,
    /// Words that are deleted or substituted.
    wrong_words: Vec<bool>,
    /// Words of the reference that are inserted or substituted.
    wrong_references: Vec<bool>,
}

impl Alignment {
    /// Whether a block is wrong on both sides and not aligned with itself.
    fn is_worth_moving(&self, from: usize, to: usize, length: usize) -> bool {
        let is_inside = (from + 1..=from + length).contains(&self.after[to]);
        !is_inside
            && self.wrong_words[from..from + length].contains(&true)
            && self.wrong_references[to..to + length].contains(&true)
    }

    /// The place after the partner of the reference word before `position`, or the beginning.
    fn target(&self, position: usize) -> usize {
        if position == 0 { 0 } else { self.after[position - 1] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_moved_is_one_edit() {
        assert_eq!(edits(&[6, 7, 1, 2, 3, 4, 5], &[1, 2, 3, 4, 5, 6, 7]), 1);
        assert_eq!(edits(&[1, 2], &[1, 2]), 0);
        assert_eq!(edits(&[], &[1, 2]), 2);
        assert_eq!(edits(&[1, 2, 3], &[]), 3);
    }

    #[test]
    fn places_are_counted_in_the_words_before_the_shift() {
        assert_eq!(shift(&[1, 2, 3, 4, 5], 3, 2, 1), [1, 4, 5, 2, 3]);
        assert_eq!(shift(&[1, 2, 3, 4, 5], 0, 2, 4), [3, 4, 1, 2, 5]);
        assert_eq!(shift(&[1, 2, 3, 4, 5], 1, 2, 2), [1, 4, 2, 3, 5]);
    }
}
