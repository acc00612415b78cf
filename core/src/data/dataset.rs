//! From the bytes of data files to examples with labels, and to a training and a validation set.

use serde::{Deserialize, Serialize};

use super::check::{DataWarning, check_labels, check_splits};
use super::columns::{ColumnChoice, Columns, find_columns};
use super::error::{DataError, DataErrors, DataProblem, Problems};
use super::labels::{Label, LabelSet, TaskKind, infer_labels};
use super::split::{sample, validation_split};
use super::table::{Cell, Row, Table, read_table};
use super::task_labels::{check_label, task_labels};

/// One example of a classification or regression task.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The text, as it stands in the file.
    pub text: String,
    /// The second text, for tasks over pairs.
    pub text_pair: Option<String>,
    /// What is to be predicted.
    pub label: Label,
}

/// Examples and the labels they use.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The examples, in file order.
    pub examples: Vec<Example>,
    /// The labels of the task; the same for all its data sets.
    pub labels: LabelSet,
}

/// A data file as the user named it.
#[derive(Clone, Copy, Debug)]
pub struct DataFile<'a> {
    /// Its name, for the format and for messages.
    pub name: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
}

/// How training data are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataOptions {
    /// The columns to read; what is None is guessed.
    pub columns: ColumnChoice,
    /// What is predicted, if neither task nor labels are to decide.
    pub kind: Option<TaskKind>,
    /// Names of the classes in the configuration of the model.
    pub model_labels: Option<Vec<String>>,
    /// At most so many training examples, the first of a seeded shuffle.
    pub max_train_samples: Option<usize>,
    /// At most so many validation examples, the first ones.
    pub max_eval_samples: Option<usize>,
    /// The share of the training file that becomes the validation set where no validation file is given.
    pub validation_share: f64,
    /// Seed of what is left to chance.
    pub seed: u64,
}

impl Default for DataOptions {
    fn default() -> Self {
        Self {
            columns: ColumnChoice::default(),
            kind: None,
            model_labels: None,
            max_train_samples: None,
            max_eval_samples: None,
            validation_share: 0.1,
            seed: 42,
        }
    }
}

/// What a run trains on and is judged by.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSplits {
    /// The training set.
    pub train: Dataset,
    /// The validation set.
    pub validation: Dataset,
    /// The second validation set, from other sources than the training set (MNLI's mismatched one).
    pub mismatched: Option<Dataset>,
    /// The columns read from the training file.
    pub columns: Columns,
    /// Whether the validation set was taken out of the training file.
    pub validation_is_split: bool,
    /// What deserves a look but hinders nothing.
    pub warnings: Vec<DataWarning>,
}

impl DataSplits {
    /// Reads a second validation file beside the first.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read_mismatched(&mut self, file: DataFile<'_>, options: &DataOptions) -> Result<(), DataErrors> {
        let (names, labels) = (self.columns.as_choice(), &self.train.labels);
        let pair = Some(self.columns.text_pair.is_some());
        let warnings = &mut self.warnings;
        let (mut dataset, _) = load_one(file, &options.columns, Some(&names), Some(labels), pair, warnings)?;
        if let Some(n) = options.max_eval_samples {
            dataset.examples.truncate(n);
        }
        self.mismatched = Some(dataset);
        Ok(())
    }
}

/// One data set read alone, for evaluation or prediction.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedDataset {
    /// The examples.
    pub dataset: Dataset,
    /// The columns they were read from.
    pub columns: Columns,
    /// What deserves a look but hinders nothing.
    pub warnings: Vec<DataWarning>,
}

/// Reads the training file and, if there is one, the validation file.
///
/// # Errors
/// Everything that is wrong with the files, of both at once.
pub fn load_splits(
    train: DataFile<'_>,
    validation: Option<DataFile<'_>>,
    options: &DataOptions,
) -> Result<DataSplits, DataErrors> {
    let mut warnings = Vec::new();
    let loaded = load_train(train, options, &mut warnings);
    // The validation file is read even if the training file is bad, so that both are mended in one go.
    // Without labels from the training file only its shape can be judged.
    let names = loaded.as_ref().ok().map(|(_, columns)| columns.as_choice());
    let labels = loaded.as_ref().ok().map(|(dataset, _)| &dataset.labels);
    let validation = validation.map(|file| {
        let pair = loaded.as_ref().ok().map(|(_, columns)| columns.text_pair.is_some());
        load_one(file, &options.columns, names.as_ref(), labels, pair, &mut warnings)
    });
    let (mut train, columns) = match (loaded, &validation) {
        (Ok(loaded), None | Some(Ok(_))) => loaded,
        (loaded, validation) => {
            let of_validation = validation.as_ref().and_then(|result| result.as_ref().err().cloned());
            return Err(DataErrors { files: loaded.err().into_iter().chain(of_validation).collect() });
        }
    };
    let validation_is_split = validation.is_none();
    let mut validation = match validation {
        Some(Ok((dataset, _))) => dataset,
        _ => validation_split(&mut train, options.validation_share, options.seed),
    };
    if let Some(n) = options.max_train_samples {
        sample(&mut train, n, options.seed);
    }
    warnings.extend(check_splits(&train, &validation));
    if let Some(n) = options.max_eval_samples {
        validation.examples.truncate(n);
    }
    Ok(DataSplits { train, validation, mismatched: None, columns, validation_is_split, warnings })
}

/// Reads one file whose labels must be among `labels`, to evaluate a model that has them.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn load_labelled(
    file: DataFile<'_>,
    choice: &ColumnChoice,
    labels: &LabelSet,
) -> Result<LoadedDataset, DataError> {
    let mut warnings = Vec::new();
    let (dataset, columns) = load_one(file, choice, None, Some(labels), None, &mut warnings)?;
    Ok(LoadedDataset { dataset, columns, warnings })
}

/// Reads the texts of one file and leaves labels alone, to make predictions by a model with `labels`.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn load_texts(
    file: DataFile<'_>,
    choice: &ColumnChoice,
    labels: &LabelSet,
) -> Result<LoadedDataset, DataError> {
    let table = read_table(file.name, file.bytes, &choice.header_names())?;
    let mut problems = Problems::new(file.name);
    let mut warnings = Vec::new();
    let columns = find_columns(&table, choice, false, &mut problems);
    let examples = columns.as_ref().map_or_else(Vec::new, |columns| {
        read_examples(&table, columns, |_, _| Label::Unknown, &mut problems, file.name, &mut warnings)
    });
    match columns {
        Some(columns) => {
            let dataset = Dataset { examples, labels: labels.clone() };
            problems.or(LoadedDataset { dataset, columns, warnings })
        }
        None => Err(problems.into_error()),
    }
}

/// The training file: its labels decide what the task is.
fn load_train(
    file: DataFile<'_>,
    options: &DataOptions,
    warnings: &mut Vec<DataWarning>,
) -> Result<(Dataset, Columns), DataError> {
    let kind = options.columns.task.map(|task| task.spec().kind).or(options.kind);
    if let Some(kind @ (TaskKind::Generation | TaskKind::LanguageModeling)) = kind {
        return Err(not_labelled(file.name, kind));
    }
    let table = read_table(file.name, file.bytes, &options.columns.header_names())?;
    let mut problems = Problems::new(file.name);
    if table.rows.len() < 2 {
        let advice = "give more examples, or check that the right file was named";
        problems.push(DataProblem::of_file("one row", "at least two rows to train on", advice));
    }
    let Some(columns) = find_columns(&table, &options.columns, true, &mut problems) else {
        return Err(problems.into_error());
    };
    let cells: Vec<(usize, &str)> = table
        .rows
        .iter()
        .filter_map(|row| Some((row.line, label_cell(row, &columns)?.text()?)))
        .filter(|(_, cell)| !cell.trim().is_empty())
        .collect();
    let mut label_problems = Problems::new(file.name);
    let labels = if cells.len() < 2 {
        None
    } else {
        let model_labels = options.model_labels.as_deref();
        match options.columns.task {
            Some(task) => task_labels(task, &cells, model_labels, &mut label_problems),
            None => infer_labels(&cells, options.kind, model_labels, &mut label_problems),
        }
    };
    problems.extend(label_problems, columns.label.as_deref());
    let label_of = |row: &Row, problems: &mut Problems| read_label(row, &columns, labels.as_ref(), problems);
    let examples = read_examples(&table, &columns, label_of, &mut problems, file.name, warnings);
    let Some(labels) = labels.filter(|_| problems.is_empty()) else { return Err(problems.into_error()) };
    warnings.extend(check_labels(&labels, examples.len()));
    Ok((Dataset { examples, labels }, columns))
}

/// Labels are asked for where the task has none.
fn not_labelled(file: &str, kind: TaskKind) -> DataError {
    let mut problems = Problems::new(file);
    problems.push(DataProblem::of_file(
        format!("the task type {}", kind.name()),
        "classification or regression, because this model predicts labels",
        "choose a decoder such as GPT-2, or another --task",
    ));
    problems.into_error()
}

/// A file beside the training file. `train_names` are the columns read there: they hold here too, if they
/// exist.
fn load_one(
    file: DataFile<'_>,
    choice: &ColumnChoice,
    train_names: Option<&ColumnChoice>,
    labels: Option<&LabelSet>,
    pair: Option<bool>,
    warnings: &mut Vec<DataWarning>,
) -> Result<(Dataset, Columns), DataError> {
    // The files of a task may differ in the spelling of their columns.
    let names = train_names.filter(|_| choice.task.is_none()).unwrap_or(choice);
    let table = read_table(file.name, file.bytes, &names.header_names())?;
    let mut problems = Problems::new(file.name);
    let has_names = names.names().iter().all(|name| table.columns.iter().any(|column| column == name));
    let choice = if has_names { names } else { choice };
    let Some(columns) = find_columns(&table, choice, true, &mut problems) else {
        return Err(problems.into_error());
    };
    if pair.is_some_and(|pair| pair != columns.text_pair.is_some()) {
        let found = format!("{columns}");
        let expected = "one text in both files, or two in both";
        problems.push(DataProblem::of_file(found, expected, "pass --text-column and --text-pair-column"));
    }
    let label_of = |row: &Row, problems: &mut Problems| read_label(row, &columns, labels, problems);
    let examples = read_examples(&table, &columns, label_of, &mut problems, file.name, warnings);
    // Without labels from a good training file the result is only asked for its problems.
    let labels = labels.cloned().unwrap_or(LabelSet::Scores);
    problems.or((Dataset { examples, labels }, columns))
}

/// The rows as examples. A row without any text is a problem; a pair with one empty side is worth a warning.
fn read_examples(
    table: &Table,
    columns: &Columns,
    label_of: impl Fn(&Row, &mut Problems) -> Label,
    problems: &mut Problems,
    file: &str,
    warnings: &mut Vec<DataWarning>,
) -> Vec<Example> {
    let mut examples = Vec::with_capacity(table.rows.len());
    for row in &table.rows {
        let texts = read_texts(row, columns, problems);
        let label = label_of(row, problems);
        if let Some((text, text_pair)) = texts {
            let text_pair = text_pair.map(str::to_owned);
            examples.push(Example { text: text.to_owned(), text_pair, label });
        }
    }
    if table.n_blank_lines > 0 {
        warnings.push(DataWarning::BlankLines { file: file.to_owned(), n_lines: table.n_blank_lines });
    }
    let is_empty = |text: &str| text.trim().is_empty();
    let half_empty = |e: &&Example| is_empty(&e.text) || e.text_pair.as_deref().is_some_and(is_empty);
    let n_rows = examples.iter().filter(half_empty).count();
    if n_rows > 0 {
        warnings.push(DataWarning::HalfEmptyPairs { file: file.to_owned(), n_rows });
    }
    examples
}

/// The text of a row, or both of a pair; reports what is no text and rows without any.
fn read_texts<'a>(
    row: &'a Row,
    columns: &Columns,
    problems: &mut Problems,
) -> Option<(&'a str, Option<&'a str>)> {
    let (text_at, pair_at, _) = columns.positions;
    let text = read_text(row, text_at, &columns.text, problems);
    let pair_name = columns.text_pair.as_deref().unwrap_or("");
    let pair = pair_at.map(|at| read_text(row, at, pair_name, problems));
    let (text, pair) = (text?, pair.map_or(Some(None), |pair| pair.map(Some))?);
    if text.trim().is_empty() && pair.is_none_or(|pair| pair.trim().is_empty()) {
        let problem = DataProblem::of_file("an empty text", "some text", "remove the row");
        problems.push(problem.at_line(row.line).in_column(columns.text.as_str()));
        return None;
    }
    Some((text, pair))
}

/// The text in a cell; reports JSON values that are none.
fn read_text<'a>(row: &'a Row, position: usize, column: &str, problems: &mut Problems) -> Option<&'a str> {
    let found = match &row.cells[position] {
        Cell::Text(text) => return Some(text),
        Cell::Missing => "no value",
        Cell::Nested => "a JSON array or object",
    };
    let advice = "mend the row, or name another column";
    problems.push(DataProblem::of_file(found, "text", advice).at_line(row.line).in_column(column));
    None
}

fn label_cell<'a>(row: &'a Row, columns: &Columns) -> Option<&'a Cell> {
    columns.positions.2.map(|position| &row.cells[position])
}

/// The label of a row; reports those that are absent or unknown. Without `labels` only absence can be seen.
fn read_label(row: &Row, columns: &Columns, labels: Option<&LabelSet>, problems: &mut Problems) -> Label {
    let cell = label_cell(row, columns).and_then(Cell::text).unwrap_or("");
    let task = columns.task;
    let problem = match labels.map(|labels| (labels, labels.find(cell))) {
        Some((_, Some(label))) => match task.and_then(|task| check_label(task, label)) {
            Some(problem) => problem,
            None => return label,
        },
        _ if cell.trim().is_empty() => {
            DataProblem::of_file("no label", "a label", "add it, or remove the row")
        }
        Some((labels, None)) => match task {
            Some(task) => labels.unknown(cell).advising(format!("the task {task} has no other labels")),
            None => labels.unknown(cell),
        },
        None => return Label::Unknown,
    };
    problems.push(problem.at_line(row.line).in_column(columns.label.as_deref().unwrap_or("")));
    Label::Unknown
}

#[cfg(test)]
#[path = "dataset_tests.rs"]
mod tests;
