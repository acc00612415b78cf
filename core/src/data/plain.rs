//! Plain text for language modelling: one text a line, or a column of texts.

use super::check::DataWarning;
use super::columns::{ColumnChoice, find_columns};
use super::dataset::{DataFile, DataOptions};
use super::error::{DataError, DataErrors, DataProblem, Problems};
use super::split::{keep_some, take_share};
use super::table::{Cell, DataFormat, decode, read_table};

/// What a run trains on and is judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainSplits {
    /// Texts to train on.
    pub train: Vec<String>,
    /// Texts to validate on.
    pub validation: Vec<String>,
    /// Whether these were taken out of the training file.
    pub validation_is_split: bool,
    /// What deserves a look but hinders nothing.
    pub warnings: Vec<DataWarning>,
}

/// Reads the training file and, if there is one, the validation file.
///
/// # Errors
/// Everything that is wrong with the files, of both at once.
pub fn load_plain_splits(
    train: DataFile<'_>,
    validation: Option<DataFile<'_>>,
    options: &DataOptions,
) -> Result<PlainSplits, DataErrors> {
    let of_train = load_plain(train, &options.columns);
    let of_validation = validation.map(|file| load_plain(file, &options.columns)).transpose();
    let (mut train_texts, validation) = match (of_train, of_validation) {
        (Ok(train), Ok(validation)) => (train, validation),
        (train, validation) => {
            return Err(DataErrors { files: train.err().into_iter().chain(validation.err()).collect() });
        }
    };
    let validation_is_split = validation.is_none();
    if validation_is_split && train_texts.len() < 2 {
        let mut problems = Problems::new(train.name);
        let advice = "give more text, or a validation file";
        problems.push(DataProblem::of_file("one text", "at least two, of which one is held out", advice));
        return Err(problems.into_error().into());
    }
    let mut validation =
        validation.unwrap_or_else(|| take_share(&mut train_texts, options.validation_share, options.seed));
    if let Some(n) = options.max_train_samples {
        keep_some(&mut train_texts, n, options.seed);
    }
    validation.truncate(options.max_eval_samples.unwrap_or(usize::MAX));
    let warnings = (validation.len() == 1).then_some(DataWarning::OneValidationExample).into_iter().collect();
    Ok(PlainSplits { train: train_texts, validation, validation_is_split, warnings })
}

/// The texts of one file: the lines of a text file that are not blank, or a column of TSV, CSV or JSON.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn load_plain(file: DataFile<'_>, choice: &ColumnChoice) -> Result<Vec<String>, DataError> {
    let text = decode(file.name, file.bytes)?;
    let is_table = match DataFormat::detect(file.name, text) {
        DataFormat::JsonLines | DataFormat::JsonArray => true,
        DataFormat::Tsv | DataFormat::Csv { .. } => {
            [".tsv", ".tab", ".csv"].iter().any(|ending| file.name.to_ascii_lowercase().ends_with(ending))
        }
    };
    let mut problems = Problems::new(file.name);
    let texts = if is_table {
        column(file, choice, &mut problems)?
    } else {
        text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    };
    if problems.is_empty() && texts.is_empty() {
        problems.push(DataProblem::of_file("no text", "one text a line", "check the path"));
    }
    problems.or(texts)
}

fn column(
    file: DataFile<'_>,
    choice: &ColumnChoice,
    problems: &mut Problems,
) -> Result<Vec<String>, DataError> {
    let table = read_table(file.name, file.bytes, &choice.header_names())?;
    let Some(columns) = find_columns(&table, choice, false, problems) else { return Ok(Vec::new()) };
    let mut texts = Vec::with_capacity(table.rows.len());
    for row in &table.rows {
        match &row.cells[columns.positions.0] {
            Cell::Text(text) if text.trim().is_empty() => {}
            Cell::Text(text) => texts.push(text.clone()),
            Cell::Missing | Cell::Nested => {
                let problem = DataProblem::of_file("no text", "text", "mend the row, or name another column");
                problems.push(problem.at_line(row.line).in_column(columns.text.as_str()));
            }
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn load(name: &str, text: &str) -> Result<Vec<String>, String> {
        let file = DataFile { name, bytes: text.as_bytes() };
        load_plain(file, &ColumnChoice::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_and_columns_are_texts() {
        assert_eq!(load("a.txt", "one, two\r\n\n  three\tfour \n").unwrap(), ["one, two", "  three\tfour"]);
        assert_eq!(load("a.jsonl", "{\"text\":\"one\"}\n{\"text\":\"two\"}\n").unwrap(), ["one", "two"]);
        assert_eq!(load("a.csv", "id,text\n1,one\n2,\"two, three\"\n").unwrap(), ["one", "two, three"]);
    }

    #[test]
    fn files_without_text_are_refused() {
        assert!(load("a.txt", "\n \n").unwrap_err().contains("no text"));
        assert!(load("a.jsonl", "{\"text\":[1]}\n").unwrap_err().contains("line 1, column text"));
    }

    #[test]
    fn a_share_is_held_out() {
        let text: String = (0..20).map(|i| format!("text {i}\n")).collect();
        let file = DataFile { name: "a.txt", bytes: text.as_bytes() };
        let options = DataOptions { max_eval_samples: Some(1), ..DataOptions::default() };
        let splits = load_plain_splits(file, None, &options).unwrap();
        assert_eq!((splits.train.len(), splits.validation.len(), splits.validation_is_split), (18, 1, true));
        assert_eq!(splits.warnings, [DataWarning::OneValidationExample]);
        let one = DataFile { name: "b.txt", bytes: b"one" };
        assert!(load_plain_splits(one, None, &options).unwrap_err().to_string().contains("b.txt"));
    }
}
