//! The two tables of METEOR 1.5 that are too large to be part of this program: WordNet's synonyms and the
//! paraphrases. The user points at the files; they are read piece by piece, and only what can match is kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::BufRead,
};

use super::align::Word;

/// Endings that are taken off a word, and what takes their place, where WordNet does not have the word itself.
const ENDINGS: [(&str, &str); 20] = [
    ("s", ""),
    ("ses", "s"),
    ("xes", "x"),
    ("zes", "z"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("men", "man"),
    ("ies", "y"),
    ("s", ""),
    ("ies", "y"),
    ("es", "e"),
    ("es", ""),
    ("ed", "e"),
    ("ed", ""),
    ("ing", "e"),
    ("ing", ""),
    ("er", ""),
    ("est", ""),
    ("er", "e"),
    ("est", "e"),
];

/// Synonyms and paraphrases; empty at first.
#[derive(Debug, Default)]
pub struct MeteorTables {
    /// The sets a word belongs to.
    synsets: BTreeMap<String, Vec<u32>>,
    /// The base forms of irregular words.
    bases: BTreeMap<String, Vec<String>>,
    /// By the first word of the phrase, in the file's order.
    paraphrases: BTreeMap<String, Vec<Paraphrase>>,
    /// A short text may have none, though the table was there.
    paraphrases_are_read: bool,
}

/// What a phrase can also be.
#[derive(Debug)]
struct Paraphrase {
    /// The phrase without its first word.
    rest: Vec<String>,
    paraphrase: Vec<String>,
}

/// Why a table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The bytes do not come.
    #[error("line {line} cannot be read: {error}")]
    Read {
        /// Line, counted from 1.
        line: usize,
        /// The reader's words.
        error: std::io::Error,
    },
    /// The file ends inside an entry, or has a word where a number should be.
    #[error("line {line}: expected {expected}; is this {file} of METEOR 1.5?")]
    Form {
        /// Line, counted from 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
        /// The usual name of the file.
        file: &'static str,
    },
}

impl MeteorTables {
    /// Whether both tables are there.
    #[must_use]
    pub fn are_complete(&self) -> bool {
        !self.synsets.is_empty() && self.paraphrases_are_read
    }

    /// Reads `english.synsets`: a word, then the numbers of its sets, on two lines.
    ///
    /// # Errors
    /// If the file cannot be read or has another form.
    pub fn read_synsets(&mut self, file: impl BufRead) -> Result<(), TableError> {
        let mut entries = Entries::new(file, "english.synsets");
        while let Some([word, sets]) = entries.next()? {
            let numbers: Result<Vec<u32>, _> = sets.split_whitespace().map(str::parse).collect();
            let mut numbers = numbers.map_err(|_| entries.form("numbers"))?;
            numbers.sort_unstable();
            numbers.dedup();
            self.synsets.insert(word, numbers);
        }
        Ok(())
    }

    /// Reads `english.exceptions`: a base form, then its irregular forms, on two lines.
    ///
    /// # Errors
    /// If the file cannot be read or has another form.
    pub fn read_exceptions(&mut self, file: impl BufRead) -> Result<(), TableError> {
        let mut entries = Entries::new(file, "english.exceptions");
        while let Some([base, forms]) = entries.next()? {
            for form in forms.split_whitespace() {
                self.bases.entry(form.to_owned()).or_default().push(base.clone());
            }
        }
        Ok(())
    }

    /// Reads the unpacked `paraphrase-en.gz`: a probability, a phrase and its paraphrase, on three lines. Only entries
    /// are kept whose words are all in `vocabulary`, the words of the texts to be scored.
    ///
    /// # Errors
    /// If the file cannot be read or has another form.
    pub fn read_paraphrases(
        &mut self,
        file: impl BufRead,
        vocabulary: &BTreeSet<String>,
    ) -> Result<(), TableError> {
        let mut entries = Entries::new(file, "paraphrase-en.gz");
        while let Some([probability, phrase, paraphrase]) = entries.next()? {
            if probability.trim().parse::<f64>().is_err() {
                return Err(entries.form("a probability"));
            }
            let is_known = |text: &str| text.split_whitespace().all(|word| vocabulary.contains(word));
            if !is_known(&phrase) || !is_known(&paraphrase) {
                continue;
            }
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let mut phrase = words(&phrase).into_iter();
            let Some(first) = phrase.next() else { continue };
            self.paraphrases
                .entry(first)
                .or_default()
                .push(Paraphrase { rest: phrase.collect(), paraphrase: words(&paraphrase) });
        }
        self.paraphrases_are_read = true;
        Ok(())
    }

    /// The sets of synonyms a word and its base forms belong to, ascending.
    pub(super) fn synonym_sets(&self, word: &str) -> Vec<u32> {
        let of = |word: &str| self.synsets.get(word).map(Vec::as_slice).unwrap_or_default();
        let mut sets = of(word).to_vec();
        match self.bases.get(word) {
            Some(bases) => bases.iter().for_each(|base| sets.extend(of(base))),
            None => sets.extend(of(&self.base_form(word))),
        }
        sets.sort_unstable();
        sets.dedup();
        sets
    }

    /// A regular base form that WordNet has; empty if there is none.
    fn base_form(&self, word: &str) -> String {
        if word.ends_with("ss") || word.chars().count() <= 2 {
            return word.to_owned();
        }
        let mut forms = ENDINGS
            .iter()
            .filter_map(|(ending, instead)| Some(word.strip_suffix(ending)?.to_owned() + instead));
        let found = forms.find(|form| self.synsets.contains_key(form)).unwrap_or_default();
        // The program looks "spoonful" up as "spoonfulful", which is nowhere.
        if word.ends_with("ful") && !found.is_empty() { found + "ful" } else { found }
    }

    /// The phrases a text begins with that have paraphrases: their numbers of words, and the paraphrases.
    pub(super) fn paraphrases<'a>(&'a self, text: &[Word]) -> Vec<(usize, &'a [String])> {
        let entries = text.first().and_then(|first| self.paraphrases.get(&first.text));
        let stands = |rest: &[String]| {
            rest.len() < text.len() && rest.iter().eq(text[1..=rest.len()].iter().map(|word| &word.text))
        };
        let mut found: BTreeMap<usize, Vec<&'a [String]>> = BTreeMap::new();
        for Paraphrase { rest, paraphrase } in
            entries.into_iter().flatten().filter(|entry| stands(&entry.rest))
        {
            found.entry(rest.len() + 1).or_default().push(paraphrase);
        }
        // Shorter phrases first, then as in the file.
        found.into_iter().flat_map(|(length, all)| all.into_iter().map(move |one| (length, one))).collect()
    }
}

/// The entries of a table, each of N lines.
struct Entries<R, const N: usize> {
    lines: std::io::Lines<R>,
    n_lines: usize,
    file: &'static str,
}

impl<R: BufRead, const N: usize> Entries<R, N> {
    fn new(file: R, name: &'static str) -> Self {
        Self { lines: file.lines(), n_lines: 0, file: name }
    }

    fn next(&mut self) -> Result<Option<[String; N]>, TableError> {
        let mut entry = [const { String::new() }; N];
        for (index, line) in entry.iter_mut().enumerate() {
            self.n_lines += 1;
            *line = match self.lines.next() {
                Some(text) => text.map_err(|error| TableError::Read { line: self.n_lines, error })?,
                None if index == 0 => return Ok(None),
                None => return Err(self.form("the rest of the entry")),
            };
        }
        Ok(Some(entry))
    }

    fn form(&self, expected: &'static str) -> TableError {
        TableError::Form { line: self.n_lines, expected, file: self.file }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn tables() -> MeteorTables {
        let mut tables = MeteorTables::default();
        tables.read_synsets(&b"cup\n7 3 3\nmug\n3\ngoose\n9\n"[..]).unwrap();
        tables.read_exceptions(&b"goose\ngeese\n"[..]).unwrap();
        let vocabulary = ["a", "lot", "of", "many"].map(str::to_owned).into();
        let paraphrases = &b"0.5\na lot of\nmany\n0.2\na lot\nmany\n0.1\nunknown\nmany\n"[..];
        tables.read_paraphrases(paraphrases, &vocabulary).unwrap();
        tables
    }

    #[test]
    fn words_have_the_sets_of_their_base_forms() {
        let tables = tables();
        assert!(tables.are_complete());
        assert_eq!(tables.synonym_sets("cups"), [3, 7]);
        assert_eq!(tables.synonym_sets("geese"), [9]);
        assert!(tables.synonym_sets("cupsful").is_empty());
        assert!(tables.synonym_sets("é").is_empty());
    }

    #[test]
    fn phrases_are_found_where_a_text_begins_with_them() {
        let tables = tables();
        let text: Vec<Word> = ["a", "lot", "of", "tea"].iter().map(|word| Word::new(word, None)).collect();
        let found: Vec<usize> = tables.paraphrases(&text).iter().map(|(length, _)| *length).collect();
        assert_eq!(found, [2, 3]);
        assert!(tables.paraphrases(&text[1..]).is_empty() && tables.paraphrases(&[]).is_empty());
    }

    #[test]
    fn another_file_is_refused() {
        let mut tables = MeteorTables::default();
        let error = tables.read_synsets(&b"cup\nseven\n"[..]).unwrap_err();
        assert_eq!(error.to_string(), "line 2: expected numbers; is this english.synsets of METEOR 1.5?");
        let error = tables.read_paraphrases(&b"0.5\na\n"[..], &BTreeSet::new()).unwrap_err();
        assert!(error.to_string().starts_with("line 3: expected the rest of the entry"), "{error}");
        assert!(
            tables
                .read_exceptions(&b"\xff\n"[..])
                .unwrap_err()
                .to_string()
                .starts_with("line 1 cannot be read")
        );
    }
}
