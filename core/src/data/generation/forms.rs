//! Which form a file has, and the forms made of lines and columns.

use super::super::columns::ColumnChoice;
use super::super::error::{DataProblem, Problems, quoted};
use super::super::guess::normalised;
use super::super::table::{Cell, DataFormat, read_table};
use super::attributes::as_context;
use super::{Pair, Pairs, objects, xml};
use crate::data::TaskKind;
use crate::tasks::Task;

/// Names of the context and of what completes it, as published sets have them.
pub(super) const CONTEXT_NAMES: [&str; 9] = [
    "context",
    "mr",
    "meaning_representation",
    "prompt",
    "instruction",
    "source",
    "input",
    "question",
    "linearized_input",
];
pub(super) const COMPLETION_NAMES: [&str; 9] =
    ["completion", "ref", "human_reference", "response", "target", "output", "answer", "text", "reference"];

/// Separates context and completion on a line.
const SEPARATOR: &str = "||";

/// Whether a text file has lines `context||completion`, going by its first one.
#[must_use]
pub fn is_lines(text: &str) -> bool {
    first_line(text).contains(SEPARATOR)
}

fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or("")
}

/// Reads a file in whatever form it is.
pub(super) fn read(
    file: &str,
    text: &str,
    choice: &ColumnChoice,
    pairs: Pairs,
    problems: &mut Problems,
) -> Pairs {
    if let Some(task) = choice.task.filter(|task| task.spec().kind != TaskKind::Generation) {
        let found = format!("the task {task}, which is {}", task.spec().kind.name());
        problems.push(DataProblem::of_file(found, "a task of generation", "use e2e, webnlg or dart"));
        return pairs;
    }
    if text.trim().is_empty() {
        return pairs;
    }
    let is_triples = matches!(choice.task, Some(Task::Webnlg | Task::Dart));
    if first_line(text).trim_start().starts_with('<') {
        if choice.task == Some(Task::E2e) {
            problems.push(foreign(Task::E2e, "XML"));
            return pairs;
        }
        return xml::read(text, pairs, problems);
    }
    match DataFormat::detect(file, text) {
        format @ (DataFormat::JsonLines | DataFormat::JsonArray) => {
            objects::read(text, format, choice, pairs, problems)
        }
        _ if is_lines(text) => lines(text, pairs, problems),
        _ if is_triples => {
            let task = choice.task.unwrap_or(Task::Webnlg);
            problems.push(foreign(task, "a table"));
            pairs
        }
        _ => table(file, text, choice, pairs, problems),
    }
}

/// A form that the task does not come in.
pub(super) fn foreign(task: Task, found: &str) -> DataProblem {
    let (expected, advice) = match task {
        Task::E2e => ("columns mr and ref, or lines context||completion", "give a file of the E2E challenge"),
        Task::Webnlg => (
            "the challenge's XML, or JSON objects with category, triples and refs",
            "give a file of WebNLG 2017",
        ),
        _ => ("JSON objects with tripleset and annotations, or triples and refs", "give a file of DART"),
    };
    DataProblem::of_file(found, format!("{expected}, because the task is {task}"), advice)
}

/// `context||completion`, one a line.
fn lines(text: &str, mut pairs: Pairs, problems: &mut Problems) -> Pairs {
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            pairs.n_blank_lines += 1;
            continue;
        }
        match line.split_once(SEPARATOR) {
            Some((context, completion)) => {
                let (context, completion) = (context.trim().to_owned(), completion.trim().to_owned());
                pairs.push(index + 1, Pair { context, completion, seen: None }, problems);
            }
            None => {
                let advice = "mend the line";
                let problem = DataProblem::of_file(quoted(line), "context||completion", advice);
                problems.push(problem.at_line(index + 1));
            }
        }
    }
    pairs
}

/// A table with a column for the context and one for the completion.
fn table(file: &str, text: &str, choice: &ColumnChoice, mut pairs: Pairs, problems: &mut Problems) -> Pairs {
    let table = match read_table(file, text.as_bytes(), &[&CONTEXT_NAMES[..], &COMPLETION_NAMES].concat()) {
        Ok(table) => table,
        Err(error) => {
            error.problems.into_iter().for_each(|problem| problems.push(problem));
            return pairs;
        }
    };
    let find = |chosen: &Option<String>, names: &[&str]| match chosen {
        Some(name) => table.columns.iter().position(|column| normalised(column) == normalised(name)),
        None => {
            names.iter().find_map(|name| table.columns.iter().position(|column| normalised(column) == *name))
        }
    };
    let (context, completion) = (find(&choice.text, &CONTEXT_NAMES), find(&choice.label, &COMPLETION_NAMES));
    let is_enough = completion.is_some() || pairs.contexts_only;
    let (Some(context), true) = (context, is_enough) else {
        problems.push(absent_columns(&table.columns, choice, context.is_some(), is_enough));
        return pairs;
    };
    pairs.n_blank_lines = table.n_blank_lines;
    let is_meaning = ["mr", "meaning_representation"].contains(&normalised(&table.columns[context]).as_str());
    for row in &table.rows {
        let cell = |at: usize| row.cells.get(at).and_then(Cell::text).unwrap_or("").trim();
        match read_context(cell(context), is_meaning) {
            Ok(context) => {
                let pair = Pair { context, completion: completion.map_or("", cell).to_owned(), seen: None };
                pairs.push(row.line, pair, problems);
            }
            Err(problem) => problems.push(problem.at_line(row.line)),
        }
    }
    pairs
}

/// A context as the model reads it; those of E2E's own form are rewritten.
pub(super) fn read_context(context: &str, is_meaning: bool) -> Result<String, DataProblem> {
    if !is_meaning {
        return Ok(context.to_owned());
    }
    as_context(context).map_err(|part| {
        DataProblem::of_file(quoted(part), "attributes such as name[The Mill], food[French]", "mend the row")
    })
}

fn absent_columns(there: &[String], choice: &ColumnChoice, context: bool, completion: bool) -> DataProblem {
    let wanted = |is_there: bool, chosen: &Option<String>, usual: &str| {
        (!is_there).then(|| chosen.clone().unwrap_or_else(|| usual.to_owned()))
    };
    let of_task = choice.task == Some(Task::E2e);
    let missing: Vec<String> = [
        wanted(context, &choice.text, if of_task { "mr" } else { "context" }),
        wanted(completion, &choice.label, if of_task { "ref" } else { "completion" }),
    ]
    .into_iter()
    .flatten()
    .collect();
    let task = choice.task.map_or_else(String::new, |task| format!(" of the task {task}"));
    DataProblem::of_file(
        format!("the columns {}, but not {}", there.join(", "), missing.join(", ")),
        format!("a context and its completion{task}"),
        "name them by --text-column and --label-column, or write lines context||completion",
    )
}
