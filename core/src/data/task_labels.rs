//! The labels of a named task in a file: its own names or their numbers, or a clear word that the file is of
//! another task.

use super::error::{DataProblem, Problems, quoted};
use super::labels::{Label, LabelSet, TaskKind, listed, parse_number};
use crate::tasks::{Task, TaskSpec};

/// The labels of the task, unless there is a problem with them. `cells` are (line, cell) pairs without empty ones. Names in the model's configuration
/// decide the order if they are those of the task.
pub(crate) fn task_labels(
    task: Task,
    cells: &[(usize, &str)],
    model_labels: Option<&[String]>,
    problems: &mut Problems,
) -> Option<LabelSet> {
    let spec = task.spec();
    match spec.kind {
        TaskKind::Regression => report_classes(task, spec, cells, problems),
        _ => report_scores(task, spec, cells, problems),
    }
    let labels = match spec.kind {
        TaskKind::Regression => LabelSet::Scores,
        _ => LabelSet::Classes(ordered(spec.labels, model_labels)),
    };
    problems.is_empty().then_some(labels)
}

/// The task's names, in the model's order and spelling if the model has the same ones.
fn ordered(labels: &[&str], model_labels: Option<&[String]>) -> Vec<String> {
    let own = || labels.iter().map(ToString::to_string).collect();
    let Some(model) = model_labels.filter(|model| model.len() == labels.len()) else { return own() };
    let is_known = |name: &&str| model.iter().any(|other| other.eq_ignore_ascii_case(name));
    if labels.iter().all(is_known) { model.to_vec() } else { own() }
}

/// One problem if scores stand where classes should.
fn report_scores(task: Task, spec: &TaskSpec, cells: &[(usize, &str)], problems: &mut Problems) {
    let is_fraction = |cell: &str| parse_number(cell).is_some_and(|number| number.fract() != 0.0);
    let mut scores = cells.iter().filter(|(_, cell)| is_fraction(cell));
    if let Some((line, first)) = scores.next() {
        let names: Vec<String> = spec.labels.iter().map(ToString::to_string).collect();
        let found = format!("scores in {} rows, the first {}", 1 + scores.count(), first.trim());
        let expected = format!("one of {}, because the task {task} is classification", listed(&names));
        let advice = "give a file of this task, or leave --task out and choose --task-type regression";
        problems.push(DataProblem::of_file(found, expected, advice).at_line(*line));
    }
}

/// One problem if classes stand where scores should: words, or only two different whole numbers.
fn report_classes(task: Task, spec: &TaskSpec, cells: &[(usize, &str)], problems: &mut Problems) {
    let (low, high) = spec.score_range.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
    let expected = format!("a score from {low} to {high}, because the task {task} is regression");
    let advice = "give a file of this task, or leave --task out";
    let mut words = cells.iter().filter(|(_, cell)| parse_number(cell).is_none());
    if let Some((line, first)) = words.next() {
        let found =
            format!("labels that are no numbers in {} rows, the first {}", 1 + words.count(), quoted(first));
        problems.push(DataProblem::of_file(found, expected, advice).at_line(*line));
        return;
    }
    let mut values: Vec<&str> = cells.iter().map(|(_, cell)| cell.trim()).collect();
    values.sort_unstable();
    values.dedup();
    let are_classes = values.iter().all(|value| value.parse::<i64>().is_ok());
    if values.len() <= 2 && cells.len() > 4 && are_classes {
        let found = format!("only the labels {}, which look like classes", values.join(" and "));
        problems.push(DataProblem::of_file(found, expected, advice));
    }
}

/// What is wrong with the label of a row of a task, if it could be read: a score out of range.
pub(crate) fn check_label(task: Task, label: Label) -> Option<DataProblem> {
    let (low, high) = task.spec().score_range?;
    let Label::Score(score) = label else { return None };
    let is_in = (low..=high).contains(&f64::from(score));
    let expected = format!("a score from {low} to {high}, as the task {task} has them");
    (!is_in).then(|| DataProblem::of_file(format!("the score {score}"), expected, "mend the row"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn labels(task: Task, cells: &[&str], model: Option<&[&str]>) -> Result<LabelSet, String> {
        let cells: Vec<(usize, &str)> = cells.iter().enumerate().map(|(i, cell)| (i + 2, *cell)).collect();
        let model: Option<Vec<String>> = model.map(|names| names.iter().map(ToString::to_string).collect());
        let mut problems = Problems::new("train.tsv");
        let found = task_labels(task, &cells, model.as_deref(), &mut problems);
        problems.or(found).map(Option::unwrap).map_err(|error| error.to_string())
    }

    #[test]
    fn classes_have_the_names_of_the_task_and_the_order_of_the_model() {
        let names = |set: LabelSet| set.names().join(" ");
        assert_eq!(names(labels(Task::Cola, &["1", "0"], None).unwrap()), "unacceptable acceptable");
        assert_eq!(labels(Task::Cola, &["1", "0"], None).unwrap().find("1"), Some(Label::Class(1)));
        let model = ["contradiction", "entailment", "neutral"];
        let found = labels(Task::Mnli, &["neutral"], Some(&model)).unwrap();
        assert_eq!(names(found), "contradiction entailment neutral");
        let found = labels(Task::Mnli, &["neutral"], Some(&["LABEL_0", "LABEL_1", "LABEL_2"])).unwrap();
        assert_eq!(names(found), "entailment neutral contradiction");
    }

    #[test]
    fn scores_for_a_classification_task_are_named_once() {
        let message = labels(Task::Sst2, &["0", "3.8", "0.5"], None).unwrap_err();
        for part in
            ["1 problem", "line 3", "scores in 2 rows, the first 3.8", "\"negative\", \"positive\"", "sst2"]
        {
            assert!(message.contains(part), "{part}: {message}");
        }
    }

    #[test]
    fn classes_for_a_regression_task_are_named_once() {
        let message = labels(Task::Stsb, &["entailment", "neutral", "1"], None).unwrap_err();
        assert!(message.contains("in 2 rows, the first \"entailment\""), "{message}");
        assert!(message.contains("score from 0 to 5"), "{message}");
        let message = labels(Task::Stsb, &["1", "0", "1", "1", "0"], None).unwrap_err();
        assert!(message.contains("only the labels 0 and 1"), "{message}");
        assert_eq!(labels(Task::Stsb, &["5.000", "3.8"], None), Ok(LabelSet::Scores));
    }

    #[test]
    fn scores_have_a_range() {
        assert!(check_label(Task::Stsb, Label::Score(5.0)).is_none());
        assert!(check_label(Task::Stsb, Label::Score(5.5)).unwrap().to_string().contains("the score 5.5"));
        assert!(check_label(Task::Rte, Label::Class(1)).is_none());
    }
}
