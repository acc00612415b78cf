//! What is wrong with a data file, told all at once: every problem with its line, what stands there, what
//! should stand there and what to do about it.

use std::fmt;

/// How many problems of one file are kept and listed; the rest is only counted.
pub const MAX_LISTED_PROBLEMS: usize = 20;

/// One thing wrong with a data file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataProblem {
    /// Line in the file, counted from 1, where the file has lines of records.
    pub line: Option<usize>,
    /// Name or number of the column, or the character position for problems below the level of columns.
    pub column: Option<String>,
    /// What stands there.
    pub found: String,
    /// What should stand there.
    pub expected: String,
    /// What the user can do.
    pub advice: String,
}

impl DataProblem {
    /// A problem of the file as a whole.
    pub(crate) fn of_file(
        found: impl Into<String>,
        expected: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            line: None,
            column: None,
            found: found.into(),
            expected: expected.into(),
            advice: advice.into(),
        }
    }

    /// The same problem, at a line.
    pub(crate) fn at_line(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }

    /// The same problem, with other advice.
    pub(crate) fn advising(self, advice: impl Into<String>) -> Self {
        Self { advice: advice.into(), ..self }
    }

    /// The same problem, in a column.
    pub(crate) fn in_column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }
}

impl fmt::Display for DataProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, &self.column) {
            (Some(line), Some(column)) => write!(f, "line {line}, column {column}: ")?,
            (Some(line), None) => write!(f, "line {line}: ")?,
            (None, Some(column)) => write!(f, "column {column}: ")?,
            (None, None) => {}
        }
        write!(f, "found {}; expected {}", self.found, self.expected)?;
        if self.advice.is_empty() { Ok(()) } else { write!(f, "; {}", self.advice) }
    }
}

/// Everything wrong with one data file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct DataError {
    /// Name of the file, as the user gave it.
    pub file: String,
    /// The first [`MAX_LISTED_PROBLEMS`] problems, in the order in which they were met.
    pub problems: Vec<DataProblem>,
    /// How many problems there are in all.
    pub n_problems: usize,
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.n_problems == 1 { "problem" } else { "problems" };
        write!(f, "{} {plural} in the data file {}:", self.n_problems, self.file)?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        let n_more = self.n_problems.saturating_sub(self.problems.len());
        if n_more > 0 { write!(f, "\n  and {n_more} more") } else { Ok(()) }
    }
}

/// The problems of all files of a run, so that a user mends them in one go.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .files.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct DataErrors {
    /// One entry for each file with problems.
    pub files: Vec<DataError>,
}

impl From<DataError> for DataErrors {
    fn from(error: DataError) -> Self {
        Self { files: vec![error] }
    }
}

/// Collects the problems of one file while reading goes on.
#[derive(Debug)]
pub(crate) struct Problems {
    file: String,
    listed: Vec<DataProblem>,
    n_problems: usize,
}

impl Problems {
    /// No problems yet in `file`.
    pub(crate) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), listed: Vec::new(), n_problems: 0 }
    }

    /// Counts a problem, and keeps it while the list is short.
    pub(crate) fn push(&mut self, problem: DataProblem) {
        self.n_problems += 1;
        if self.listed.len() < MAX_LISTED_PROBLEMS {
            self.listed.push(problem);
        }
    }

    /// Takes over the problems of a column.
    pub(crate) fn extend(&mut self, others: Self, column: Option<&str>) {
        self.n_problems += others.n_problems - others.listed.len();
        for mut problem in others.listed {
            problem.column = column.map(str::to_owned);
            self.push(problem);
        }
    }

    /// Whether any problem was met.
    pub(crate) fn is_empty(&self) -> bool {
        self.n_problems == 0
    }

    /// `value` if nothing was wrong, else everything that was.
    pub(crate) fn or<T>(self, value: T) -> Result<T, DataError> {
        if self.is_empty() { Ok(value) } else { Err(self.into_error()) }
    }

    /// The error that lists what was met.
    pub(crate) fn into_error(self) -> DataError {
        DataError { file: self.file, problems: self.listed, n_problems: self.n_problems }
    }
}

/// Shows a value from the user in a message: quoted, on one line and cut to a readable length.
pub(crate) fn quoted(value: &str) -> String {
    const MAX_CHARS: usize = 40;
    let mut short: String = value.chars().take(MAX_CHARS).collect();
    if short.len() < value.len() {
        short.push('…');
    }
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_and_the_rest_counted() {
        let mut problems = Problems::new("train.tsv");
        for line in 1..=25 {
            let problem = DataProblem::of_file("2 cells", "3 cells", "mend the row");
            problems.push(problem.at_line(line).in_column("label"));
        }
        let message = problems.into_error().to_string();
        assert!(message.starts_with("25 problems in the data file train.tsv:\n"), "{message}");
        assert!(
            message.contains("\n  line 20, column label: found 2 cells; expected 3 cells; mend the row\n")
        );
        assert!(!message.contains("line 21"));
        assert!(message.ends_with("\n  and 5 more"));
    }

    #[test]
    fn user_values_are_quoted_and_cut() {
        assert_eq!(quoted("a\tb"), "\"a\\tb\"");
        assert_eq!(quoted(&"é".repeat(50)).chars().count(), 43);
    }
}
