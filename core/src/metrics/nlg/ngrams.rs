//! Words as numbers, and the n-grams of a sentence of numbers.

use std::collections::BTreeMap;

/// Numbers for words, in the order in which they are met.
#[derive(Debug, Default)]
pub struct Vocabulary {
    ids: BTreeMap<String, u32>,
}

impl Vocabulary {
    /// The numbers of the words of a sentence.
    pub fn ids<S: AsRef<str>>(&mut self, words: &[S]) -> Vec<u32> {
        words.iter().map(|word| self.id(word.as_ref())).collect()
    }

    fn id(&mut self, word: &str) -> u32 {
        if let Some(&id) = self.ids.get(word) {
            return id;
        }
        let id = u32::try_from(self.ids.len()).expect("a text has fewer than four billion different words");
        self.ids.insert(word.to_owned(), id);
        id
    }
}

/// A sentence and its references, cut into words.
#[derive(Debug)]
pub struct Segment<T> {
    /// The words of the hypothesis.
    pub hypothesis: Vec<T>,
    /// The words of each reference.
    pub references: Vec<Vec<T>>,
}

/// The same segments with numbers for words.
pub fn numbered(segments: &[Segment<String>]) -> Vec<Segment<u32>> {
    let mut vocabulary = Vocabulary::default();
    let number = |segment: &Segment<String>| Segment {
        hypothesis: vocabulary.ids(&segment.hypothesis),
        references: segment.references.iter().map(|words| vocabulary.ids(words)).collect(),
    };
    segments.iter().map(number).collect()
}

/// How often every n-gram stands in a sentence, in the order of the numbers.
pub fn counts(words: &[u32], n: usize) -> BTreeMap<&[u32], usize> {
    let mut counts = BTreeMap::new();
    words.windows(n).for_each(|ngram| *counts.entry(ngram).or_default() += 1);
    counts
}

/// How often every n-gram stands in that reference which has it most often.
pub fn largest_counts(references: &[Vec<u32>], n: usize) -> BTreeMap<&[u32], usize> {
    let mut largest = BTreeMap::new();
    for reference in references {
        for (ngram, count) in counts(reference, n) {
            let entry: &mut usize = largest.entry(ngram).or_default();
            *entry = count.max(*entry);
        }
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_clipped_by_the_best_reference() {
        let mut vocabulary = Vocabulary::default();
        let one = vocabulary.ids(&["the", "cat", "the"]);
        let two = vocabulary.ids(&["the", "dog"]);
        assert_eq!((one.as_slice(), two.as_slice()), ([0, 1, 0].as_slice(), [0, 2].as_slice()));
        assert_eq!(counts(&one, 1)[[0].as_slice()], 2);
        assert!(counts(&two, 3).is_empty());
        let references = [two, one];
        let largest = largest_counts(&references, 1);
        assert_eq!(
            largest.into_iter().map(|(ngram, count)| (ngram[0], count)).collect::<Vec<_>>(),
            [(0, 2), (1, 1), (2, 1)]
        );
    }
}
