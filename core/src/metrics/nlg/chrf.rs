//! chrF (Popović 2015) and chrF++ (2017) in the form of sacrebleu 2: `CHRF()` and `CHRF(word_order=2)`.
//!
//! Character n-grams, n = 1..6, across words and without white space; chrF++ also has word n-grams, n = 1..2. Per
//! segment the reference with the largest figure is taken, its counts summed over the set; P and R are means over
//! those orders that occur on both sides, F = (1 + β²) P R / (β² P + R) with β = 2. Case is kept.

use super::{
    corpus::Corpus,
    ngrams::Vocabulary,
    registry::Undefined,
    tokenize::{is_space, words},
};

/// The largest n of characters.
const CHARACTER_ORDER: usize = 6;
/// β², which weighs recall.
const BETA_SQUARED: f64 = 4.0;

/// chrF in percent.
pub fn chrf(corpus: &Corpus) -> Result<f64, Undefined> {
    Ok(score(corpus, 0))
}

/// chrF++ in percent.
pub fn chrf_plus_plus(corpus: &Corpus) -> Result<f64, Undefined> {
    Ok(score(corpus, 2))
}

fn score(corpus: &Corpus, word_order: usize) -> f64 {
    let mut vocabulary = Vocabulary::default();
    let mut sum = vec![Counts::default(); CHARACTER_ORDER + word_order];
    for (hypothesis, references) in corpus.segments() {
        let hypothesis = Text::new(hypothesis, &mut vocabulary);
        let hypothesis = hypothesis.sorted_ngrams(word_order);
        let mut best: Option<(f64, Vec<Counts>)> = None;
        for reference in references {
            let reference = Text::new(reference, &mut vocabulary);
            let counts = compare(&hypothesis, &reference.sorted_ngrams(word_order));
            let figure = f_measure(&counts);
            if best.as_ref().is_none_or(|(largest, _)| figure > *largest) {
                best = Some((figure, counts));
            }
        }
        for (sum, counts) in sum.iter_mut().zip(best.into_iter().flat_map(|(_, counts)| counts)) {
            sum.hypothesis += counts.hypothesis;
            sum.reference += counts.reference;
            sum.matches += counts.matches;
        }
    }
    100.0 * f_measure(&sum)
}

/// A text's characters and words as numbers.
struct Text {
    characters: Vec<u32>,
    words: Vec<u32>,
}

impl Text {
    fn new(text: &str, vocabulary: &mut Vocabulary) -> Self {
        let characters = text.chars().filter(|&c| !is_space(c)).map(u32::from).collect();
        Self { characters, words: vocabulary.ids(&words_and_punctuation(text)) }
    }

    fn sorted_ngrams(&self, word_order: usize) -> Vec<Vec<&[u32]>> {
        let characters = (1..=CHARACTER_ORDER).map(|n| sorted_ngrams(&self.characters, n));
        characters.chain((1..=word_order).map(|n| sorted_ngrams(&self.words, n))).collect()
    }
}

fn sorted_ngrams(items: &[u32], n: usize) -> Vec<&[u32]> {
    let mut ngrams: Vec<&[u32]> = items.windows(n).collect();
    ngrams.sort_unstable();
    ngrams
}

/// One ASCII punctuation mark is cut off a word of two characters or more: the last one, else the first one.
fn words_and_punctuation(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    for word in words(text) {
        let is_mark = |c: Option<char>| c.is_some_and(|c| c.is_ascii_punctuation());
        if word.chars().count() > 1 && is_mark(word.chars().next_back()) {
            let (head, mark) = word.split_at(word.len() - 1);
            tokens.extend([head.to_owned(), mark.to_owned()]);
        } else if word.chars().count() > 1 && is_mark(word.chars().next()) {
            let (mark, tail) = word.split_at(1);
            tokens.extend([mark.to_owned(), tail.to_owned()]);
        } else {
            tokens.push(word);
        }
    }
    tokens
}

/// N-grams of one order.
#[derive(Clone, Copy, Default)]
struct Counts {
    hypothesis: usize,
    reference: usize,
    matches: usize,
}

fn compare(hypothesis: &[Vec<&[u32]>], reference: &[Vec<&[u32]>]) -> Vec<Counts> {
    let counts = |(hypothesis, reference): (&Vec<&[u32]>, &Vec<&[u32]>)| Counts {
        // An order that the reference does not have is not held against the hypothesis.
        hypothesis: if reference.is_empty() { 0 } else { hypothesis.len() },
        reference: reference.len(),
        matches: n_common(hypothesis, reference),
    };
    hypothesis.iter().zip(reference).map(counts).collect()
}

/// Size of the intersection of two sorted lists, equal items counted singly.
fn n_common(a: &[&[u32]], b: &[&[u32]]) -> usize {
    let (mut i, mut j, mut n) = (0, 0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        let order = x.cmp(y);
        n += usize::from(order.is_eq());
        i += usize::from(order.is_le());
        j += usize::from(order.is_ge());
    }
    n
}

/// 0 to 1.
fn f_measure(counts: &[Counts]) -> f64 {
    let (mut precision, mut recall, mut n_orders) = (0.0, 0.0, 0.0);
    for counts in counts.iter().filter(|counts| counts.hypothesis > 0 && counts.reference > 0) {
        precision += counts.matches as f64 / counts.hypothesis as f64;
        recall += counts.matches as f64 / counts.reference as f64;
        n_orders += 1.0;
    }
    if precision + recall == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (precision / n_orders, recall / n_orders);
    (1.0 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mark_is_cut_off() {
        assert_eq!(words_and_punctuation("(hi) a, . 'x é."), ["(hi", ")", "a", ",", ".", "'", "x", "é", "."]);
    }

    #[test]
    fn equal_items_count_singly() {
        let (a, b): (Vec<&[u32]>, Vec<&[u32]>) = (vec![&[1], &[1], &[2]], vec![&[1], &[2], &[2]]);
        assert_eq!(n_common(&a, &b), 2);
    }
}
