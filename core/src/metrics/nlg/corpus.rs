//! What is scored: one hypothesis per segment with its references, checked once, and read from the two layouts in use.

use std::{cell::OnceCell, fmt};

use super::{ngrams::Segment, ptb};
use crate::data::DataFile;

/// Hypotheses with their references: at least one segment, and at least one reference for each, none of them blank. A
/// hypothesis may be empty, since a model may say nothing.
#[derive(Debug)]
pub struct Corpus {
    hypotheses: Vec<String>,
    references: Vec<Vec<String>>,
    /// Several metrics need them.
    ptb: OnceCell<Vec<Segment<String>>>,
}

impl Corpus {
    /// One list of references for every hypothesis.
    ///
    /// # Errors
    /// If there is no segment, the numbers differ, or a segment has no reference or a blank one. Files are called
    /// "hypotheses" and "references" in the messages, and lines are segments.
    pub fn new(hypotheses: Vec<String>, references: Vec<Vec<String>>) -> Result<Self, CorpusError> {
        let mut problems = Vec::new();
        if hypotheses.is_empty() {
            problems.push(CorpusProblem::NoSegments { file: "hypotheses".to_owned() });
        } else if hypotheses.len() != references.len() {
            problems.push(CorpusProblem::CountsDiffer {
                hypotheses_file: "hypotheses".to_owned(),
                n_hypotheses: hypotheses.len(),
                references_file: "references".to_owned(),
                n_references: references.len(),
                unit: "lists",
            });
        }
        for (segment, references) in references.iter().enumerate() {
            if references.is_empty() || references.iter().any(|reference| reference.trim().is_empty()) {
                problems.push(CorpusProblem::EmptyReference {
                    file: "references".to_owned(),
                    line: segment + 1,
                    segment: segment + 1,
                });
            }
        }
        Self::unless(problems, || (hypotheses, references))
    }

    /// Reads a file of hypotheses, one a line, and its references:
    ///
    /// - one file with one reference a line, or
    /// - one file with several references a segment, one a line, segments separated by a blank line, or
    /// - several files with one reference a line; a blank line means that a segment has fewer references.
    ///
    /// A byte-order mark, Windows line ends and white space at both ends of a line are left out.
    ///
    /// # Errors
    /// All problems at once: a file that is not UTF-8, no hypotheses, numbers of segments that differ, a segment
    /// without a reference.
    pub fn read(hypotheses: DataFile<'_>, references: &[DataFile<'_>]) -> Result<Self, CorpusError> {
        let mut problems = Vec::new();
        let hypothesis_lines = lines(hypotheses, &mut problems);
        let reference_lines: Vec<Vec<&str>> =
            references.iter().map(|file| lines(*file, &mut problems)).collect();
        if !problems.is_empty() {
            return Err(CorpusError { problems });
        }
        for (file, lines) in
            [hypotheses].iter().chain(references).zip([&hypothesis_lines].into_iter().chain(&reference_lines))
        {
            if lines.iter().all(|line| line.is_empty()) {
                problems.push(CorpusProblem::NoSegments { file: file.name.to_owned() });
            }
        }
        if !problems.is_empty() {
            return Err(CorpusError { problems });
        }
        let reader = Reader { hypotheses, n_segments: hypothesis_lines.len(), problems };
        let (grouped, problems) = match (references, reference_lines.as_slice()) {
            ([file], [lines]) => reader.one_file(*file, lines),
            _ => reader.several_files(references, &reference_lines),
        };
        let owned = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<String>>();
        Self::unless(problems, || {
            (owned(&hypothesis_lines), grouped.iter().map(|references| owned(references)).collect())
        })
    }

    /// Number of segments, at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a corpus is never empty")]
    pub fn len(&self) -> usize {
        self.hypotheses.len()
    }

    /// Number of references of all segments.
    #[must_use]
    pub fn n_references(&self) -> usize {
        self.references.iter().map(Vec::len).sum()
    }

    /// Number and words of the first segment of which a text has more than `most` words.
    pub(super) fn longer_than(&self, most: usize) -> Option<(usize, usize)> {
        let n_words = |text: &str| text.split_whitespace().count();
        let longest = |(hypothesis, references): (&str, &[String])| {
            references.iter().map(|text| n_words(text)).chain([n_words(hypothesis)]).max().unwrap_or(0)
        };
        self.segments().map(longest).zip(1..).find(|&(n, _)| n > most).map(|(n, segment)| (segment, n))
    }

    /// Every hypothesis with its references.
    pub fn segments(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.hypotheses.iter().map(String::as_str).zip(self.references.iter().map(Vec::as_slice))
    }

    /// PTB tokens without punctuation, cut as if all hypotheses were one file, and all references.
    pub(super) fn ptb(&self) -> &[Segment<String>] {
        self.ptb.get_or_init(|| {
            let lines = |texts: &[String]| {
                let lines: Vec<&str> = texts.iter().map(String::as_str).collect();
                ptb::words_of_lines(&lines).into_iter()
            };
            let mut references = lines(&self.references.concat());
            let segment = |(hypothesis, own): (Vec<String>, &Vec<String>)| Segment {
                hypothesis,
                references: references.by_ref().take(own.len()).collect(),
            };
            lines(&self.hypotheses).zip(&self.references).map(segment).collect()
        })
    }

    fn unless(
        problems: Vec<CorpusProblem>,
        parts: impl FnOnce() -> (Vec<String>, Vec<Vec<String>>),
    ) -> Result<Self, CorpusError> {
        if !problems.is_empty() {
            return Err(CorpusError { problems });
        }
        let (hypotheses, references) = parts();
        Ok(Self { hypotheses, references, ptb: OnceCell::new() })
    }
}

/// Brings the lines of reference files to lists, one for every segment.
struct Reader<'a> {
    hypotheses: DataFile<'a>,
    n_segments: usize,
    problems: Vec<CorpusProblem>,
}

impl Reader<'_> {
    fn one_file<'l>(
        mut self,
        file: DataFile<'_>,
        lines: &[&'l str],
    ) -> (Vec<Vec<&'l str>>, Vec<CorpusProblem>) {
        // Blank lines at the end separate nothing.
        let n_lines = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
        let lines = &lines[..n_lines];
        let has_groups = lines.iter().any(|line| line.is_empty());
        if !has_groups && self.n_segments > 1 {
            self.check_count(file, n_lines, "lines");
            return (lines.iter().map(|&line| vec![line]).collect(), self.problems);
        }
        let mut groups: Vec<Vec<&str>> = vec![Vec::new()];
        for (number, &line) in lines.iter().enumerate() {
            if !line.is_empty() {
                groups.last_mut().into_iter().for_each(|group| group.push(line));
                continue;
            }
            if groups.last().is_some_and(Vec::is_empty) {
                self.empty(file, number + 1, groups.len());
            }
            groups.push(Vec::new());
        }
        // As many lines as hypotheses: a blank one is a reference left out, not a separator.
        if groups.len() != self.n_segments && n_lines == self.n_segments {
            let blank = lines.iter().enumerate().filter(|(_, line)| line.is_empty());
            self.problems.clear();
            blank.for_each(|(number, _)| self.empty(file, number + 1, number + 1));
        } else {
            self.check_count(file, groups.len(), "groups of lines");
        }
        (groups, self.problems)
    }

    fn several_files<'l>(
        mut self,
        files: &[DataFile<'_>],
        lines: &[Vec<&'l str>],
    ) -> (Vec<Vec<&'l str>>, Vec<CorpusProblem>) {
        for (file, lines) in files.iter().zip(lines) {
            self.check_count(*file, lines.len(), "lines");
        }
        let mut groups = vec![Vec::new(); self.n_segments];
        for lines in lines {
            for (group, &line) in groups.iter_mut().zip(lines).filter(|(_, line)| !line.is_empty()) {
                group.push(line);
            }
        }
        if self.problems.is_empty() {
            let without = groups.iter().enumerate().filter(|(_, group)| group.is_empty());
            let numbers: Vec<usize> = without.map(|(index, _)| index + 1).collect();
            numbers.into_iter().for_each(|number| self.empty(files[0], number, number));
        }
        (groups, self.problems)
    }

    fn check_count(&mut self, file: DataFile<'_>, n_references: usize, unit: &'static str) {
        if n_references != self.n_segments {
            self.problems.push(CorpusProblem::CountsDiffer {
                hypotheses_file: self.hypotheses.name.to_owned(),
                n_hypotheses: self.n_segments,
                references_file: file.name.to_owned(),
                n_references,
                unit,
            });
        }
    }

    fn empty(&mut self, file: DataFile<'_>, line: usize, segment: usize) {
        self.problems.push(CorpusProblem::EmptyReference { file: file.name.to_owned(), line, segment });
    }
}

/// The lines of a file, without what stands at their ends; none if it is not UTF-8.
fn lines<'a>(file: DataFile<'a>, problems: &mut Vec<CorpusProblem>) -> Vec<&'a str> {
    match std::str::from_utf8(file.bytes) {
        Ok(text) => text.trim_start_matches('\u{feff}').lines().map(str::trim).collect(),
        Err(error) => {
            let before = &file.bytes[..error.valid_up_to()];
            let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
            problems.push(CorpusProblem::NotUtf8 { file: file.name.to_owned(), line });
            Vec::new()
        }
    }
}

/// Why texts cannot be scored: every problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorpusError {
    /// At least one.
    pub problems: Vec<CorpusProblem>,
}

/// How many problems are written out; the rest is counted.
const MAX_LISTED: usize = 10;

impl fmt::Display for CorpusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().take(MAX_LISTED).enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        match self.problems.len().saturating_sub(MAX_LISTED) {
            0 => Ok(()),
            n_more => write!(f, "\nand {n_more} more"),
        }
    }
}

impl std::error::Error for CorpusError {}

/// One thing wrong with the texts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CorpusProblem {
    /// A file is in another encoding.
    #[error("line {line} is not UTF-8; save the file in that encoding: {file}")]
    NotUtf8 {
        /// The file.
        file: String,
        /// Line, counted from 1.
        line: usize,
    },
    /// There is nothing in a file.
    #[error("there is no text in the file: {file}")]
    NoSegments {
        /// The file.
        file: String,
    },
    /// Hypotheses and references do not belong together.
    #[error(
        "{n_hypotheses} hypotheses, one a line, but {n_references} {unit} of references; each segment needs both: \
         {hypotheses_file}, {references_file}"
    )]
    CountsDiffer {
        /// The file of hypotheses.
        hypotheses_file: String,
        /// Its lines.
        n_hypotheses: usize,
        /// The file of references.
        references_file: String,
        /// What it has.
        n_references: usize,
        /// Lines, or groups of lines.
        unit: &'static str,
    },
    /// A segment has nothing to be compared with.
    #[error("line {line}: segment {segment} has an empty reference: {file}")]
    EmptyReference {
        /// The file.
        file: String,
        /// Line, counted from 1.
        line: usize,
        /// Segment, counted from 1.
        segment: usize,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn read(hypotheses: &[u8], references: &[&[u8]]) -> Result<Vec<(String, Vec<String>)>, String> {
        let names = ["r0", "r1", "r2"];
        let files: Vec<DataFile<'_>> =
            references.iter().zip(names).map(|(bytes, name)| DataFile { name, bytes }).collect();
        let corpus = Corpus::read(DataFile { name: "h", bytes: hypotheses }, &files);
        let corpus = corpus.map_err(|error| error.to_string())?;
        Ok(corpus
            .segments()
            .map(|(hypothesis, references)| (hypothesis.to_owned(), references.to_vec()))
            .collect())
    }

    fn segment(hypothesis: &str, references: &[&str]) -> (String, Vec<String>) {
        (hypothesis.to_owned(), references.iter().map(|&text| text.to_owned()).collect())
    }

    #[test]
    fn one_reference_a_line() {
        let found = read("\u{feff}a b\r\n\r\nc".as_bytes(), &[b"x\ny\nz\n"]).unwrap();
        assert_eq!(found, [segment("a b", &["x"]), segment("", &["y"]), segment("c", &["z"])]);
    }

    #[test]
    fn groups_between_blank_lines() {
        let found = read(b"a\nb\n", &[b"x\ny\n\nz\n\n\n"]).unwrap();
        assert_eq!(found, [segment("a", &["x", "y"]), segment("b", &["z"])]);
        assert_eq!(read(b"a\n", &[b"x\ny\n"]).unwrap(), [segment("a", &["x", "y"])]);
    }

    #[test]
    fn several_files_may_leave_lines_blank() {
        let found = read(b"a\nb\n", &[b"x\ny\n", b"\nz\n"]).unwrap();
        assert_eq!(found, [segment("a", &["x"]), segment("b", &["y", "z"])]);
    }

    #[test]
    fn every_bad_file_has_its_message() {
        let message = |hypotheses, references: &[&[u8]]| read(hypotheses, references).unwrap_err();
        assert_eq!(message(b"", &[b"x\n"]), "there is no text in the file: h");
        assert_eq!(message(b"a\n", &[b"\n \n"]), "there is no text in the file: r0");
        assert_eq!(
            message(b"a\nb\n", &[b"x\n"]),
            "2 hypotheses, one a line, but 1 lines of references; each segment needs both: h, r0"
        );
        assert_eq!(
            message(b"a\nb\nc\n", &[b"x\ny\n\nz\n"]),
            "3 hypotheses, one a line, but 2 groups of lines of references; each segment needs both: h, r0"
        );
        assert_eq!(message(b"a\nb\nc\n", &[b"x\n\nz\n"]), "line 2: segment 2 has an empty reference: r0");
        assert!(
            message(b"a\nb\nc\n", &[b"x\n\n\nz\n"])
                .starts_with("line 3: segment 2 has an empty reference: r0")
        );
        assert_eq!(message(b"a\nb\n", &[b"x\n\n", b"y\n\n"]), "line 2: segment 2 has an empty reference: r0");
        assert_eq!(
            message(b"a\n\xff\n", &[b"\xfe\n"]),
            "line 2 is not UTF-8; save the file in that encoding: h\n\
             line 1 is not UTF-8; save the file in that encoding: r0"
        );
        let many = CorpusError { problems: vec![CorpusProblem::NoSegments { file: "h".to_owned() }; 12] };
        assert!(many.to_string().ends_with("\nand 2 more"));
    }

    #[test]
    fn lists_are_checked_too() {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        assert_eq!(Corpus::new(vec![], vec![]).unwrap_err().problems.len(), 1);
        let error = Corpus::new(texts(&["a", "b"]), vec![texts(&[" "])]).unwrap_err();
        assert_eq!(error.problems.len(), 2, "{error}");
        let corpus = Corpus::new(texts(&["a"]), vec![texts(&["x", "y"])]).unwrap();
        assert_eq!((corpus.len(), corpus.n_references()), (1, 2));
    }
}
