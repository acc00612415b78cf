//! METEOR's alignment of a hypothesis with a reference: which words match by which matcher, and the best choice of
//! matches that do not overlap.
//!
//! The choice is a beam search over the words of the reference from left to right. Better is: more words covered by
//! exact matches, then fewer chunks (runs that are adjacent in both texts), then smaller distances between matched
//! places. Figures depend on where the beam cuts and how ties fall, so both are as in `Aligner.java` of METEOR 1.5.

use super::{stem::stem, tables::MeteorTables};

/// Paths that are followed at every word.
const BEAM_SIZE: usize = 40;

/// How two words or phrases match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matcher {
    /// The same word.
    Exact,
    /// The same stem.
    Stem,
    /// A common set of synonyms.
    Synonym,
    /// An entry of the paraphrase table.
    Paraphrase,
}

/// Two runs of words that match.
#[derive(Clone, Copy, Debug)]
pub struct Match {
    /// First word in the hypothesis.
    pub start: usize,
    /// Words in the hypothesis.
    pub length: usize,
    /// First word in the reference.
    pub reference_start: usize,
    /// Words in the reference.
    pub reference_length: usize,
    /// What makes them match.
    pub matcher: Matcher,
}

/// The chosen matches, in the order of the reference's words, and the number of chunks they make.
pub struct Alignment {
    /// They do not overlap.
    pub matches: Vec<Match>,
    /// Runs of matches that are adjacent in both texts.
    pub n_chunks: usize,
}

/// A word with what its matchers need.
#[derive(Clone, Debug)]
pub struct Word {
    /// The word.
    pub text: String,
    stem: String,
    synonym_sets: Vec<u32>,
}

impl Word {
    /// Looks a lower-case word up.
    pub fn new(text: &str, tables: Option<&MeteorTables>) -> Self {
        let synonym_sets = tables.map(|tables| tables.synonym_sets(text)).unwrap_or_default();
        Self { text: text.to_owned(), stem: stem(text), synonym_sets }
    }
}

/// Aligns two texts; without tables by exact words and stems only.
pub fn align(hypothesis: &[Word], reference: &[Word], tables: Option<&MeteorTables>) -> Alignment {
    let candidates = Candidates::find(hypothesis, reference, tables);
    let matches = candidates.choose();
    let n_chunks = count_chunks(&matches);
    Alignment { matches, n_chunks }
}

fn count_chunks(matches: &[Match]) -> usize {
    let is_adjacent = |pair: &[Match]| {
        pair[0].start + pair[0].length == pair[1].start
            && pair[0].reference_start + pair[0].reference_length == pair[1].reference_start
    };
    let n_adjacent = matches.windows(2).filter(|pair| is_adjacent(pair)).count();
    matches.len() - n_adjacent
}

/// All matches of two texts.
struct Candidates {
    /// By the first word of the reference.
    by_start: Vec<Vec<Match>>,
    /// How many matches cover each word of the hypothesis.
    coverage: Vec<usize>,
    /// How many cover each word of the reference.
    reference_coverage: Vec<usize>,
}

impl Candidates {
    fn find(hypothesis: &[Word], reference: &[Word], tables: Option<&MeteorTables>) -> Self {
        let mut found = Self {
            by_start: vec![Vec::new(); reference.len()],
            coverage: vec![0; hypothesis.len()],
            reference_coverage: vec![0; reference.len()],
        };
        let differ = |a: &Word, b: &Word| a.text != b.text;
        found.add_words(hypothesis, reference, Matcher::Exact, |a, b| a.text == b.text);
        let are_equal = hypothesis.len() == reference.len()
            && !hypothesis.iter().zip(reference).any(|(a, b)| differ(a, b));
        if are_equal {
            return found;
        }
        found.add_words(hypothesis, reference, Matcher::Stem, |a, b| a.stem == b.stem && differ(a, b));
        if let Some(tables) = tables {
            found.add_words(hypothesis, reference, Matcher::Synonym, |a, b| {
                differ(a, b) && a.synonym_sets.iter().any(|set| b.synonym_sets.binary_search(set).is_ok())
            });
            found.add_paraphrases(hypothesis, reference, tables);
        }
        found
    }

    fn add_words(
        &mut self,
        hypothesis: &[Word],
        reference: &[Word],
        matcher: Matcher,
        is_match: impl Fn(&Word, &Word) -> bool,
    ) {
        for (reference_start, b) in reference.iter().enumerate() {
            for (start, _) in hypothesis.iter().enumerate().filter(|(_, a)| is_match(a, b)) {
                self.add(Match { start, length: 1, reference_start, reference_length: 1, matcher });
            }
        }
    }

    fn add_paraphrases(&mut self, hypothesis: &[Word], reference: &[Word], tables: &MeteorTables) {
        let matcher = Matcher::Paraphrase;
        for reference_start in 0..reference.len() {
            for (reference_length, phrase) in tables.paraphrases(&reference[reference_start..]) {
                for start in occurrences(phrase, hypothesis) {
                    let length = phrase.len();
                    self.add(Match { start, length, reference_start, reference_length, matcher });
                }
            }
        }
        for start in 0..hypothesis.len() {
            for (length, phrase) in tables.paraphrases(&hypothesis[start..]) {
                for reference_start in occurrences(phrase, reference) {
                    let reference_length = phrase.len();
                    self.add(Match { start, length, reference_start, reference_length, matcher });
                }
            }
        }
    }

    fn add(&mut self, found: Match) {
        self.by_start[found.reference_start].push(found);
        self.coverage[found.start..found.start + found.length].iter_mut().for_each(|n| *n += 1);
        let end = found.reference_start + found.reference_length;
        self.reference_coverage[found.reference_start..end].iter_mut().for_each(|n| *n += 1);
    }

    /// The only match of all the words it covers is taken before the search.
    fn is_alone(&self, found: &Match) -> bool {
        let end = found.reference_start + found.reference_length;
        self.coverage[found.start..found.start + found.length].iter().all(|&n| n == 1)
            && self.reference_coverage[found.reference_start..end].iter().all(|&n| n == 1)
    }

    fn choose(&self) -> Vec<Match> {
        let mut paths = vec![self.first_path()];
        for current in 0..self.by_start.len() {
            paths = self.step(paths, current);
        }
        paths.sort_by_key(Path::rank);
        paths.truncate(BEAM_SIZE);
        paths.iter_mut().for_each(Path::end_chunk);
        paths.sort_by_key(Path::rank);
        let best = paths.into_iter().next();
        best.map(|path| path.chosen.into_iter().flatten().collect()).unwrap_or_default()
    }

    fn first_path(&self) -> Path {
        let mut path = Path::new(self.coverage.len(), self.by_start.len());
        for matches in &self.by_start {
            if let [found] = matches.as_slice()
                && self.is_alone(found)
            {
                path.cover(found);
            }
        }
        path
    }

    /// Follows the best paths over one word of the reference.
    fn step(&self, mut paths: Vec<Path>, current: usize) -> Vec<Path> {
        paths.sort_by_key(Path::rank);
        paths.truncate(BEAM_SIZE);
        let mut next = Vec::new();
        for mut path in paths {
            if path.covered_reference[current] {
                if current >= path.position
                    && let Some(found) = path.chosen[current]
                {
                    path.count(&found);
                    path.distance += found.start.abs_diff(found.reference_start);
                }
                next.push(path);
                continue;
            }
            for found in &self.by_start[current] {
                if path.is_free(found) {
                    let mut taken = path.clone();
                    taken.cover(found);
                    taken.count(found);
                    // METEOR 1.5 adds the distance to the path that does not take the match.
                    path.distance += found.start.abs_diff(found.reference_start);
                    next.push(taken);
                }
            }
            path.end_chunk();
            path.position += 1;
            next.push(path);
        }
        next
    }
}

/// Where a phrase stands in a text.
fn occurrences(phrase: &[String], text: &[Word]) -> Vec<usize> {
    let windows = text.windows(phrase.len().max(1)).enumerate();
    let is_phrase = |window: &[Word]| window.iter().map(|word| &word.text).eq(phrase);
    windows.filter(|(_, window)| is_phrase(window)).map(|(start, _)| start).collect()
}

/// A choice of matches up to some word of the reference.
#[derive(Clone)]
struct Path {
    /// By the first word of the reference.
    chosen: Vec<Option<Match>>,
    covered: Vec<bool>,
    covered_reference: Vec<bool>,
    /// Words covered by exact matches on both sides; a match of another kind counts half its words, rounded down.
    n_covered: usize,
    n_chunks: usize,
    distance: usize,
    /// The next word of the reference.
    position: usize,
    /// Where the hypothesis would have to go on for the chunk to go on.
    chunk_end: Option<usize>,
}

impl Path {
    fn new(n_words: usize, n_reference_words: usize) -> Self {
        Self {
            chosen: vec![None; n_reference_words],
            covered: vec![false; n_words],
            covered_reference: vec![false; n_reference_words],
            n_covered: 0,
            n_chunks: 0,
            distance: 0,
            position: 0,
            chunk_end: None,
        }
    }

    /// Smaller is better.
    fn rank(&self) -> (std::cmp::Reverse<usize>, usize, usize) {
        (std::cmp::Reverse(self.n_covered), self.n_chunks, self.distance)
    }

    fn is_free(&self, found: &Match) -> bool {
        let end = found.reference_start + found.reference_length;
        !self.covered[found.start..found.start + found.length].contains(&true)
            && !self.covered_reference[found.reference_start..end].contains(&true)
    }

    fn cover(&mut self, found: &Match) {
        let end = found.reference_start + found.reference_length;
        self.covered[found.start..found.start + found.length].fill(true);
        self.covered_reference[found.reference_start..end].fill(true);
        self.chosen[found.reference_start] = Some(*found);
    }

    /// Goes on behind a match.
    fn count(&mut self, found: &Match) {
        let counted = |length: usize| if found.matcher == Matcher::Exact { length } else { length / 2 };
        self.n_covered += counted(found.length) + counted(found.reference_length);
        if self.chunk_end.is_some_and(|end| end != found.start) {
            self.n_chunks += 1;
        }
        self.position = found.reference_start + found.reference_length;
        self.chunk_end = Some(found.start + found.length);
    }

    fn end_chunk(&mut self) {
        self.n_chunks += usize::from(self.chunk_end.take().is_some());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Word> {
        text.split(' ').map(|word| Word::new(word, None)).collect()
    }

    fn aligned(hypothesis: &str, reference: &str) -> (usize, usize) {
        let found = align(&words(hypothesis), &words(reference), None);
        (found.matches.len(), found.n_chunks)
    }

    #[test]
    fn matches_and_chunks_by_hand() {
        assert_eq!(aligned("the cat sat", "the cat sat"), (3, 1));
        assert_eq!(aligned("on the mat sat the cat", "the cat sat on the mat"), (6, 3));
        assert_eq!(aligned("cats sit", "a cat sits here"), (2, 1));
        assert_eq!(aligned("one", "two"), (0, 0));
    }

    #[test]
    fn fewer_chunks_win() {
        // Both words "a" match either place; the pair that keeps "a b" together is taken.
        let found = align(&words("a b"), &words("a c a b"), None);
        let places: Vec<usize> = found.matches.iter().map(|found| found.reference_start).collect();
        assert_eq!((places.as_slice(), found.n_chunks), ([2, 3].as_slice(), 1));
    }
}
