//! Which column holds the text, which the second text, which the label: as the user says, else as guessed.

use super::error::{DataProblem, Problems};
use super::guess::{guess_label, guess_texts, normalised};
use super::table::Table;
use super::task_columns::with_task_columns;
use crate::tasks::Task;

/// Columns as the user names them: by the name in the header, or by number from 1. What is None is the task's, and
/// guessed where there is no task either.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColumnChoice {
    /// The column of the (first) text.
    pub text: Option<String>,
    /// The column of the second text, for tasks over pairs.
    pub text_pair: Option<String>,
    /// The column of the label.
    pub label: Option<String>,
    /// The task whose files these are.
    pub task: Option<Task>,
}

impl ColumnChoice {
    /// The names that tell a header from a first example: those asked for and those of the task.
    pub(crate) fn header_names(&self) -> Vec<&str> {
        let of_task = self.task.map_or(&[][..], |task| task.spec().columns);
        let of_task =
            of_task.iter().flat_map(|columns| [Some(columns.text), columns.text_pair, Some(columns.label)]);
        self.names().into_iter().chain(of_task.flatten()).collect()
    }

    /// The names asked for; numbers are none.
    pub(crate) fn names(&self) -> Vec<&str> {
        let chosen = [&self.text, &self.text_pair, &self.label].into_iter().flatten();
        chosen.map(String::as_str).filter(|name| name.parse::<usize>().is_err()).collect()
    }
}

/// The columns that are read. `Display` says so in words: `columns: text = sentence, label = label`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Name of the text column, or its number from 1 where the file has no header.
    pub text: String,
    /// The same of the second text, if there is one.
    pub text_pair: Option<String>,
    /// The same of the label; None where labels are not asked for.
    pub label: Option<String>,
    /// Whether the names come from a header in the file.
    pub has_header: bool,
    /// The names of all columns of the file.
    pub all: Vec<String>,
    /// The task whose columns they are.
    pub task: Option<Task>,
    /// Positions of the three in a row, from 0.
    pub(crate) positions: (usize, Option<usize>, Option<usize>),
}

impl Columns {
    /// The choice that names these columns, to read another file in the same way.
    #[must_use]
    pub fn as_choice(&self) -> ColumnChoice {
        ColumnChoice {
            text: Some(self.text.clone()),
            text_pair: self.text_pair.clone(),
            label: self.label.clone(),
            task: self.task,
        }
    }
}

impl std::fmt::Display for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "columns: text = {}", self.text)?;
        for (role, name) in [("text pair", &self.text_pair), ("label", &self.label)] {
            if let Some(name) = name {
                write!(f, ", {role} = {name}")?;
            }
        }
        if self.has_header { Ok(()) } else { f.write_str(" (numbers: the file has no header)") }
    }
}

/// Finds the columns of a table, or says for each that is not to be found which there are.
pub(crate) fn find_columns(
    table: &Table,
    choice: &ColumnChoice,
    with_label: bool,
    problems: &mut Problems,
) -> Option<Columns> {
    // Texts alone, to be judged, have no columns that a task could name.
    let is_alone = !with_label && table.columns.len() == 1;
    let of_task = match choice.task.filter(|_| !is_alone) {
        Some(task) => Some(with_task_columns(table, choice, task, with_label, problems)?),
        None => None,
    };
    let choice = of_task.as_ref().unwrap_or(choice);
    let mut text = chosen(table, choice.text.as_deref(), "--text-column", problems);
    let mut pair = chosen(table, choice.text_pair.as_deref(), "--text-pair-column", problems);
    let label_name = choice.label.as_deref().filter(|_| with_label);
    let mut label = chosen(table, label_name, "--label-column", problems);
    if with_label && choice.label.is_none() {
        label = guess_label(table, &[text, pair]);
        report_unguessed(table, label, "a label", "--label-column", problems);
    }
    if choice.text.is_none() {
        let guessed = guess_texts(table, pair, label);
        text = guessed.map(|(text, _)| text);
        // A pair is guessed only together with its first text: a user who names one text means one text.
        pair = pair.or(guessed.and_then(|(_, pair)| pair));
        report_unguessed(table, text, "text", "--text-column", problems);
    }
    report_shared_columns(table, &[text, pair, label], problems);
    let name = |position: usize| table.columns[position].clone();
    let is_complete = (label.is_some() || !with_label) && (pair.is_some() || choice.text_pair.is_none());
    let text = text.filter(|_| is_complete)?;
    Some(Columns {
        text: name(text),
        text_pair: pair.map(name),
        label: label.map(name),
        has_header: table.has_header,
        all: table.columns.clone(),
        task: choice.task,
        positions: (text, pair, label),
    })
}

/// The position of the column the user named, if any; reports a name that the table does not have.
fn chosen(table: &Table, name: Option<&str>, option: &str, problems: &mut Problems) -> Option<usize> {
    let name = name?;
    let position = position_of(table, name);
    if position.is_none() {
        let advice = format!("pass {option} with one of them, or its number from 1");
        problems.push(DataProblem::of_file(format!("no column {name:?}"), one_of(table), advice));
    }
    position
}

fn report_unguessed(
    table: &Table,
    position: Option<usize>,
    what: &str,
    option: &str,
    problems: &mut Problems,
) {
    if position.is_none() {
        let found = format!("no column that looks like {what}");
        problems.push(DataProblem::of_file(found, one_of(table), format!("pass {option}")));
    }
}

/// The position of a column named exactly, named up to case, or numbered from 1.
fn position_of(table: &Table, name: &str) -> Option<usize> {
    let named = |matches: &dyn Fn(&String) -> bool| table.columns.iter().position(matches);
    named(&|column| column == name)
        .or_else(|| named(&|column| normalised(column) == normalised(name)))
        .or_else(|| name.parse::<usize>().ok()?.checked_sub(1).filter(|&index| index < table.columns.len()))
}

fn one_of(table: &Table) -> String {
    format!("one of the columns {}", table.columns.join(", "))
}

/// Two roles in one column are a slip of the user; a guess never does that.
fn report_shared_columns(table: &Table, positions: &[Option<usize>; 3], problems: &mut Problems) {
    let names = ["text", "text pair", "label"];
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        if let Some(position) = positions[a].filter(|_| positions[a] == positions[b]) {
            problems.push(
                DataProblem::of_file(
                    format!("the same column for {} and {}", names[a], names[b]),
                    "two different columns",
                    "name another column for one of them",
                )
                .in_column(table.columns[position].clone()),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::super::table::read_table;
    use super::*;

    fn columns(text: &str, choice: &ColumnChoice) -> Result<String, String> {
        let table = read_table("data.tsv", text.as_bytes(), &choice.names()).unwrap();
        let mut problems = Problems::new("data.tsv");
        match find_columns(&table, choice, true, &mut problems) {
            Some(columns) => Ok(columns.to_string()),
            None => Err(problems.into_error().to_string()),
        }
    }

    #[test]
    fn glue_headers_need_no_help() {
        let cases = [
            ("sentence\tlabel\nfine \t1\nbad \t0\n", "text = sentence, label = label"),
            (
                "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t12\t13\tHe left .\tHe went .\n",
                "text = #1 String, text pair = #2 String, label = Quality",
            ),
            (
                "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\tentailment\n",
                "text = sentence1, text pair = sentence2, label = label",
            ),
            (
                "index\tquestion\tsentence\tlabel\n0\tWho?\tHe.\tnot_entailment\n",
                "text = question, text pair = sentence, label = label",
            ),
            (
                "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t\t\tWho?\tWhy?\t0\n",
                "text = question1, text pair = question2, label = is_duplicate",
            ),
            (
                "index\tgenre\tsentence1\tsentence2\tlabel1\tgold_label\n0\tf\tA.\tB.\tneutral\tneutral\n",
                "text = sentence1, text pair = sentence2, label = gold_label",
            ),
            (
                "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n\
                 0\tm\tx\t2012\t1\tn\tn\tA.\tB.\t3.800\n",
                "text = sentence1, text pair = sentence2, label = score",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(columns(text, &ColumnChoice::default()).unwrap(), format!("columns: {expected}"));
        }
    }

    #[test]
    fn cola_is_read_by_content() {
        let text = "gj04\t1\t\tThe sailors left early.\ngj04\t0\t*\tLeft sailors the early.\n\
                    bc01\t1\t\tShe knows it.\nbc01\t0\t*\tKnows it she.\n";
        let expected = "columns: text = 4, label = 2 (numbers: the file has no header)";
        assert_eq!(columns(text, &ColumnChoice::default()).unwrap(), expected);
    }

    #[test]
    fn the_user_decides_by_name_or_number() {
        let text = "sentence\tnote\tlabel\tmood\na b\tc d\t0\tx\ne f\tg h\t1\ty\n";
        let choice = |text: &str, pair: Option<&str>, label: &str| ColumnChoice {
            text: Some(text.into()),
            text_pair: pair.map(Into::into),
            label: Some(label.into()),
            task: None,
        };
        assert_eq!(
            columns(text, &choice("note", Some("1"), "Mood")).unwrap(),
            "columns: text = note, text pair = sentence, label = mood"
        );
        let only_text = ColumnChoice { text: Some("note".into()), ..Default::default() };
        assert_eq!(columns(text, &only_text).unwrap(), "columns: text = note, label = label");
    }

    #[test]
    fn every_missing_column_is_named_with_those_there_are() {
        let text = "sentence\tlabel\na\t0\nb\t1\n";
        let choice = ColumnChoice {
            text: Some("review".into()),
            text_pair: Some("7".into()),
            label: Some("stars".into()),
            task: None,
        };
        let message = columns(text, &choice).unwrap_err();
        for part in ["3 problems", "\"review\"", "\"7\"", "\"stars\"", "sentence, label", "--label-column"] {
            assert!(message.contains(part), "{part} is not in {message}");
        }
        let twice = ColumnChoice { text: Some("label".into()), ..Default::default() };
        assert!(columns("label\tx\n0\ta b\n1\tb c\n0\tc\n1\td\n", &twice).is_err());
    }

    #[test]
    fn a_file_without_labels_says_so() {
        let message = columns("index\tsentence\n0\tfine\n1\tbad\n", &ColumnChoice::default()).unwrap_err();
        assert!(message.contains("no column that looks like a label"), "{message}");
    }
}
