//! The columns of a named task in a file: which spelling of them the file has, or which it lacks.

use super::columns::ColumnChoice;
use super::error::{DataProblem, Problems};
use super::guess::normalised;
use super::table::Table;
use crate::tasks::{Task, TaskColumns};

/// Fills what the user did not choose with the columns of the task. None if the file does not have them: then a
/// problem says what is missing.
pub(crate) fn with_task_columns(
    table: &Table,
    choice: &ColumnChoice,
    task: Task,
    with_label: bool,
    problems: &mut Problems,
) -> Option<ColumnChoice> {
    let spec = task.spec();
    let headerless = spec.headerless.filter(|(n, _)| !table.has_header && *n == table.columns.len());
    let headerless = headerless.map(|(_, columns)| columns);
    let fewest = |all: &[TaskColumns]| {
        all.iter().copied().min_by_key(|columns| missing(table, choice, columns, with_label).len())
    };
    let columns = headerless.or_else(|| fewest(spec.columns))?;
    let missing = missing(table, choice, &columns, with_label);
    if !missing.is_empty() {
        problems.push(absent(table, task, &columns, &missing));
        return None;
    }
    let given = |chosen: &Option<String>, name: &str| chosen.clone().or_else(|| Some(name.to_owned()));
    Some(ColumnChoice {
        text: given(&choice.text, columns.text),
        text_pair: columns.text_pair.and_then(|name| given(&choice.text_pair, name)),
        label: given(&choice.label, columns.label),
        task: Some(task),
    })
}

/// The columns that neither the user names nor the file has.
fn missing(
    table: &Table,
    choice: &ColumnChoice,
    columns: &TaskColumns,
    with_label: bool,
) -> Vec<&'static str> {
    let is_there = |name: &str| {
        let is_number = !table.has_header && name.parse::<usize>().is_ok();
        is_number || table.columns.iter().any(|column| normalised(column) == normalised(name))
    };
    let wanted = [
        (&choice.text, Some(columns.text)),
        (&choice.text_pair, columns.text_pair),
        (&choice.label, Some(columns.label).filter(|_| with_label)),
    ];
    let unnamed = wanted.into_iter().filter(|(chosen, _)| chosen.is_none()).filter_map(|(_, name)| name);
    unnamed.filter(|name| !is_there(name)).collect()
}

fn absent(table: &Table, task: Task, columns: &TaskColumns, missing: &[&str]) -> DataProblem {
    let there = if table.has_header {
        format!("the columns {}", table.columns.join(", "))
    } else {
        format!("{} columns without a header", table.columns.len())
    };
    let all: Vec<&str> =
        [Some(columns.text), columns.text_pair, Some(columns.label)].into_iter().flatten().collect();
    DataProblem::of_file(
        format!("{there}, but not {}", missing.join(", ")),
        format!("the columns of the task {task}, {}", all.join(", ")),
        "give a file of this task, or name its columns by --text-column, --text-pair-column and --label-column",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::super::table::read_table;
    use super::*;

    fn columns(task: Task, text: &str, with_label: bool) -> Result<[Option<String>; 3], String> {
        let choice = ColumnChoice { task: Some(task), ..ColumnChoice::default() };
        chosen(&choice, text, with_label)
    }

    fn chosen(choice: &ColumnChoice, text: &str, with_label: bool) -> Result<[Option<String>; 3], String> {
        let table = read_table("data.tsv", text.as_bytes(), &choice.header_names()).unwrap();
        let mut problems = Problems::new("data.tsv");
        match with_task_columns(&table, choice, choice.task.unwrap(), with_label, &mut problems) {
            Some(found) => Ok([found.text, found.text_pair, found.label]),
            None => Err(problems.into_error().to_string()),
        }
    }

    fn names(text: &str, pair: Option<&str>, label: &str) -> Result<[Option<String>; 3], String> {
        Ok([Some(text.to_owned()), pair.map(str::to_owned), Some(label.to_owned())])
    }

    #[test]
    fn both_spellings_are_known() {
        let glue = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t2\t3\ta\tb\n";
        assert_eq!(columns(Task::Mrpc, glue, true), names("#1 String", Some("#2 String"), "Quality"));
        let hub = "sentence1\tsentence2\tlabel\tidx\na\tb\t1\t0\n";
        assert_eq!(columns(Task::Mrpc, hub, true), names("sentence1", Some("sentence2"), "label"));
        let premises = "premise\thypothesis\tlabel\na\tb\t1\n";
        assert_eq!(columns(Task::Mnli, premises, true), names("premise", Some("hypothesis"), "label"));
    }

    #[test]
    fn cola_has_a_form_without_header() {
        let text = "gj04\t1\t\tIt left.\ngj04\t0\t*\tLeft it.\n";
        assert_eq!(columns(Task::Cola, text, true), names("4", None, "2"));
        let hub = "sentence\tlabel\tidx\nIt left.\t1\t0\n";
        assert_eq!(columns(Task::Cola, hub, true), names("sentence", None, "label"));
        let error = columns(Task::Sst2, "a b\t1\nc d\t0\n", true).unwrap_err();
        assert!(error.contains("2 columns without a header, but not sentence, label"), "{error}");
    }

    #[test]
    fn missing_columns_are_named_beside_those_there_are() {
        let error = columns(Task::Rte, "sentence\tlabel\na\t1\nb\t0\n", true).unwrap_err();
        for part in [
            "the columns sentence, label, but not sentence1, sentence2",
            "task rte, sentence1",
            "--text-column",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(columns(Task::Rte, "sentence1\tsentence2\na\tb\n", true).unwrap_err().contains("not label"));
        assert!(columns(Task::Rte, "sentence1\tsentence2\na\tb\n", false).is_ok());
    }

    #[test]
    fn the_users_columns_win() {
        let choice =
            ColumnChoice { task: Some(Task::Sst2), label: Some("mood".to_owned()), ..Default::default() };
        let found = chosen(&choice, "sentence\tmood\nfine\t1\nbad\t0\n", true);
        assert_eq!(found, names("sentence", None, "mood"));
    }
}
