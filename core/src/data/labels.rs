//! From what stands in the label column to class numbers or scores: which of the two the task is, which
//! classes there are and in which order.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::error::{DataProblem, Problems, quoted};

/// What is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// One of N classes, trained with cross-entropy.
    Classification,
    /// One number, trained with mean squared error.
    Regression,
    /// A text for a context, token by token, trained with cross-entropy over the tokens of the text.
    Generation,
    /// The tokens of plain text: the next one by a decoder, hidden ones by an encoder.
    LanguageModeling,
}

impl TaskKind {
    /// The name in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Classification => "classification",
            Self::Regression => "regression",
            Self::Generation => "generation",
            Self::LanguageModeling => "language-modeling",
        }
    }
}

/// The label of one example.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Label {
    /// Number of the class, an index into the names of the [`LabelSet`].
    Class(u32),
    /// The number to predict.
    Score(f32),
    /// The example has no label: only predictions can be made for it.
    Unknown,
}

/// The labels of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelSet {
    /// Names of the classes, in the order of the logits.
    Classes(Vec<String>),
    /// Numbers.
    Scores,
    /// None: the words of the text itself are predicted.
    Words,
}

impl LabelSet {
    /// What is predicted.
    #[must_use]
    pub fn task(&self) -> TaskKind {
        match self {
            Self::Classes(_) => TaskKind::Classification,
            Self::Scores => TaskKind::Regression,
            Self::Words => TaskKind::LanguageModeling,
        }
    }

    /// Names of the classes; none for scores and words.
    #[must_use]
    pub fn names(&self) -> &[String] {
        if let Self::Classes(names) = self { names } else { &[] }
    }

    /// N, the number of outputs of the head: the classes, or 1 for a score.
    #[must_use]
    pub fn n_outputs(&self) -> usize {
        if let Self::Classes(names) = self { names.len() } else { 1 }
    }

    /// The label that a cell of the label column means. Where the classes have words for names, a whole
    /// number from 0 also means the class of that number, as in files made for `id2label`.
    pub(crate) fn find(&self, cell: &str) -> Option<Label> {
        let names = match self {
            Self::Words => return None,
            Self::Scores => return parse_number(cell).map(|score| Label::Score(score as f32)),
            Self::Classes(names) => names,
        };
        let name = class_name(cell);
        let index = names.iter().position(|known| *known == name).or_else(|| {
            let words = names.iter().all(|known| known.parse::<i64>().is_err());
            name.parse::<usize>().ok().filter(|&index| words && index < names.len())
        });
        index.map(|index| Label::Class(index as u32))
    }

    /// Why a cell means no label here, and what would.
    pub(crate) fn unknown(&self, cell: &str) -> DataProblem {
        let Self::Classes(names) = self else {
            return DataProblem::of_file(
                quoted(cell),
                "a number, because the label is a score",
                "mend the row, or pass --label-column",
            );
        };
        let alike = names.iter().find(|name| similar(name, cell));
        let advice = alike.map_or_else(
            || "mend the label, or add the class to the training file".to_owned(),
            |name| format!("write it as {}", quoted(name)),
        );
        let found = format!("the unknown label {}", quoted(cell));
        DataProblem::of_file(found, format!("one of {}", listed(names)), advice)
    }
}

/// Whether two label names differ at most in case and white space.
pub(crate) fn similar(a: &str, b: &str) -> bool {
    let bare = |name: &str| name.split_whitespace().collect::<String>().to_lowercase();
    bare(a) == bare(b)
}

/// A finite decimal number; the words "nan" and "inf" are words.
pub(crate) fn parse_number(text: &str) -> Option<f64> {
    let text = text.trim();
    let starts_like_one = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    text.parse::<f64>().ok().filter(|number| number.is_finite() && starts_like_one)
}

/// The name of a class: the cell as it stands, but whole numbers without white space and decimal point,
/// because the same column is written as 1 by one program and as 1.0 by another.
fn class_name(cell: &str) -> String {
    match parse_number(cell) {
        Some(number) if cell.contains('.') && number.fract() == 0.0 => format!("{number:.0}"),
        Some(_) => cell.trim().to_owned(),
        None => cell.to_owned(),
    }
}

/// Decides from the labels of the training file what the task is and which classes it has.
///
/// `cells` are (line, cell) pairs without empty ones. `model_labels` are the names in the model's
/// configuration: if all labels of the file are among them their order holds, else the file's own order does
/// (whole numbers by value, else alphabetical) and the head has to be a new one.
pub(crate) fn infer_labels(
    cells: &[(usize, &str)],
    kind: Option<TaskKind>,
    model_labels: Option<&[String]>,
    problems: &mut Problems,
) -> Option<LabelSet> {
    let numbers: Vec<Option<f64>> = cells.iter().map(|(_, cell)| parse_number(cell)).collect();
    let n_numbers = numbers.iter().flatten().count();
    let has_fractions = numbers.iter().flatten().any(|number| number.fract() != 0.0);
    let mostly_numbers = has_fractions && 2 * n_numbers > cells.len();
    if kind == Some(TaskKind::Regression) || (kind.is_none() && model_labels.is_none() && mostly_numbers) {
        return Some(LabelSet::Scores); // words among the numbers are found when the rows are read
    }
    if mostly_numbers {
        report_fractions(cells, problems);
        return None;
    }
    if let Some(names) = model_labels {
        let of_model = LabelSet::Classes(names.to_vec());
        if cells.iter().all(|(_, cell)| of_model.find(cell).is_some()) {
            return Some(of_model);
        }
    }
    let names = sorted_names(cells);
    if names.len() < 2 {
        problems.push(DataProblem::of_file(
            format!("only one class, {}", listed(&names)),
            "at least two classes",
            "pass --label-column if the label stands in another column",
        ));
    }
    Some(LabelSet::Classes(names))
}

fn report_fractions(cells: &[(usize, &str)], problems: &mut Problems) {
    let is_fraction = |cell: &str| parse_number(cell).is_some_and(|number| number.fract() != 0.0);
    for (line, cell) in cells.iter().filter(|(_, cell)| is_fraction(cell)) {
        problems.push(
            DataProblem::of_file(
                format!("the number {} as a label", cell.trim()),
                "a word or a whole number, because the task is classification",
                "choose --task-type regression, or pass --label-column",
            )
            .at_line(*line),
        );
    }
}

/// The different names: by value if all are whole numbers, else alphabetical.
fn sorted_names(cells: &[(usize, &str)]) -> Vec<String> {
    let names: BTreeSet<String> = cells.iter().map(|(_, cell)| class_name(cell)).collect();
    let mut names: Vec<String> = names.into_iter().collect();
    if names.iter().all(|name| name.parse::<i64>().is_ok()) {
        names.sort_by_key(|name| name.parse::<i64>().unwrap_or(i64::MAX));
    }
    names
}

/// The first few names in words.
pub(crate) fn listed(names: &[String]) -> String {
    const MAX_NAMES: usize = 10;
    let mut words = names.iter().take(MAX_NAMES).map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    if names.len() > MAX_NAMES {
        words.push_str(&format!(" and {} more", names.len() - MAX_NAMES));
    }
    words
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn infer(
        cells: &[&str],
        task: Option<TaskKind>,
        model_labels: Option<&[&str]>,
    ) -> Result<LabelSet, String> {
        let cells: Vec<(usize, &str)> = cells.iter().enumerate().map(|(i, cell)| (i + 2, *cell)).collect();
        let names: Option<Vec<String>> = model_labels.map(|n| n.iter().map(|n| (*n).to_owned()).collect());
        let mut problems = Problems::new("train.tsv");
        let labels = infer_labels(&cells, task, names.as_deref(), &mut problems);
        problems.or(labels).map(Option::unwrap).map_err(|error| error.to_string())
    }

    fn classes(names: &[&str]) -> LabelSet {
        LabelSet::Classes(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn the_kind_of_task_shows_in_the_labels() {
        assert_eq!(infer(&["10", "9", "-1", " 9"], None, None), Ok(classes(&["-1", "9", "10"])));
        assert_eq!(infer(&["1.0", "0.0", "1"], None, None), Ok(classes(&["0", "1"])));
        assert_eq!(infer(&["pos", "neg", "nan"], None, None), Ok(classes(&["nan", "neg", "pos"])));
        assert_eq!(infer(&["5.000", "3.8"], None, None), Ok(LabelSet::Scores));
        assert_eq!(infer(&["5", "3"], Some(TaskKind::Regression), None), Ok(LabelSet::Scores));
        assert_eq!(LabelSet::Scores.find("3.5"), Some(Label::Score(3.5)));
        assert_eq!((LabelSet::Scores.n_outputs(), classes(&["a", "b", "c"]).n_outputs()), (1, 3));
    }

    #[test]
    fn floats_are_no_classes_and_words_are_no_scores() {
        let message = infer(&["0.5", "1.0", "0.25"], Some(TaskKind::Classification), None).unwrap_err();
        assert!(
            message.contains("2 problems") && message.contains("line 2: found the number 0.5"),
            "{message}"
        );
        assert!(infer(&["0.5", "0.1"], None, Some(&["neg", "pos"])).is_err());
        assert_eq!(infer(&["0.5", "1.5", "high", "2.5"], None, None), Ok(LabelSet::Scores));
        assert_eq!(LabelSet::Scores.find("high"), None);
        assert!(LabelSet::Scores.unknown("high").to_string().contains("found \"high\"; expected a number"));
    }

    #[test]
    fn one_class_is_no_task() {
        assert!(infer(&["pos", "pos"], None, None).unwrap_err().contains("only one class, \"pos\""));
    }

    #[test]
    fn the_model_decides_the_order_if_it_knows_all_names() {
        assert_eq!(infer(&["a", "b"], None, Some(&["b", "a", "c"])), Ok(classes(&["b", "a", "c"])));
        assert_eq!(infer(&["a", "d"], None, Some(&["b", "a", "c"])), Ok(classes(&["a", "d"])));
        assert_eq!(
            infer(&["0", "1"], None, Some(&["LABEL_0", "LABEL_1"])),
            Ok(classes(&["LABEL_0", "LABEL_1"]))
        );
        assert_eq!(classes(&["neg", "pos"]).find("1"), Some(Label::Class(1)));
        assert_eq!(classes(&["1", "2"]).find("0"), None);
    }

    #[test]
    fn an_unknown_label_gets_the_nearest_name() {
        let labels = classes(&["Negative", "Positive"]);
        assert_eq!(labels.find("positive "), None);
        let message = labels.unknown("positive ").to_string();
        assert!(message.contains("write it as \"Positive\""), "{message}");
        assert!(labels.unknown("mixed").to_string().contains("one of \"Negative\", \"Positive\""));
    }
}
