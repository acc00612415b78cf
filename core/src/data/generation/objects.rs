//! JSON: meanings as triples with their texts (WebNLG, DART), or contexts with completions.

use serde_json::{Map, Value};

use super::super::columns::ColumnChoice;
use super::super::error::{DataProblem, Problems, quoted};
use super::super::json::{json_array, json_lines};
use super::super::table::DataFormat;
use super::forms::{COMPLETION_NAMES, CONTEXT_NAMES, foreign, read_context};
use super::{Pair, Pairs};
use crate::tasks::Task;

/// Names of the triples and of the texts for them.
const TRIPLES: [&str; 4] = ["triples", "tripleset", "modifiedtripleset", "modified_triple_sets"];
const TEXTS: [&str; 4] = ["refs", "annotations", "lexicalisations", "lex"];
/// Where the hub's WebNLG keeps its lists of triples, one list for every way to shape them.
const HUB_TRIPLES: &str = "mtriple_set";
/// Names of several completions in one object.
const LISTS: [&str; 3] = ["completions", "references", "human_references"];
/// The only comment of a WebNLG text that counts.
const GOOD: &str = "good";

/// The categories of WebNLG's training set (Gardent et al. 2017).
const SEEN: [&str; 10] = [
    "Airport",
    "Astronaut",
    "Building",
    "City",
    "ComicsCharacter",
    "Food",
    "Monument",
    "SportsTeam",
    "University",
    "WrittenWork",
];

/// Whether a category of WebNLG is one of the training set's.
pub(super) fn is_seen(category: &str) -> bool {
    SEEN.contains(&category)
}

/// Reads objects in lines or in an array.
pub(super) fn read(
    text: &str,
    format: DataFormat,
    choice: &ColumnChoice,
    mut pairs: Pairs,
    problems: &mut Problems,
) -> Pairs {
    let (objects, n_blank_lines) = match format {
        DataFormat::JsonArray => (json_array(text, problems), 0),
        _ => json_lines(text, problems),
    };
    pairs.n_blank_lines = n_blank_lines;
    for (line, object) in &objects {
        let read = match field(object, &TRIPLES) {
            Some(triples) if choice.task != Some(Task::E2e) => {
                read_triples(*line, object, triples, choice.task, &mut pairs, problems)
            }
            None if !matches!(choice.task, Some(Task::Webnlg | Task::Dart)) => {
                read_plain(*line, object, choice, &mut pairs, problems)
            }
            _ => Err(foreign(choice.task.unwrap_or(Task::E2e), &fields(object))),
        };
        if let Err(problem) = read {
            problems.push(problem.at_line(*line));
        }
    }
    pairs
}

fn field<'a>(object: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| object.get(*name))
}

fn fields(object: &Map<String, Value>) -> String {
    format!("an object with {}", object.keys().cloned().collect::<Vec<_>>().join(", "))
}

/// A meaning of triples and its texts.
fn read_triples(
    line: usize,
    object: &Map<String, Value>,
    triples: &Value,
    task: Option<Task>,
    pairs: &mut Pairs,
    problems: &mut Problems,
) -> Result<(), DataProblem> {
    let category = object.get("category").and_then(Value::as_str);
    // WebNLG tells categories, DART does not.
    let is_foreign = match task {
        Some(Task::Webnlg) => category.is_none(),
        Some(Task::Dart) => category.is_some(),
        _ => false,
    };
    if let Some(task) = task.filter(|_| is_foreign) {
        return Err(foreign(task, &fields(object)));
    }
    let triples = triples.get(HUB_TRIPLES).and_then(|sets| sets.get(0)).unwrap_or(triples);
    let context = joined(triples, category.is_none()).ok_or_else(|| {
        let found = quoted(&triples.to_string());
        DataProblem::of_file(found, "triples of subject, property and object", "mend the entry")
    })?;
    if pairs.contexts_only {
        pairs.push(line, Pair { context, completion: String::new(), seen: category.map(is_seen) }, problems);
        return Ok(());
    }
    let texts = field(object, &TEXTS).and_then(rows).ok_or_else(|| {
        DataProblem::of_file(fields(object), "a list of texts named refs or annotations", "mend the entry")
    })?;
    let mut n_texts = 0;
    for text in texts.iter().filter(|text| is_good(text)) {
        let Some(completion) = text_of(text) else {
            let found = quoted(&text.to_string());
            return Err(DataProblem::of_file(found, "a text, or an object with one", "mend the entry"));
        };
        let pair = Pair {
            context: context.clone(),
            completion: completion.trim().to_owned(),
            seen: category.map(is_seen),
        };
        pairs.push(line, pair, problems);
        n_texts += 1;
    }
    pairs.n_without_text += usize::from(n_texts == 0);
    Ok(())
}

/// A list as it is, or one that the hub keeps as columns: `{"comment": [a, b], "text": [c, d]}`.
fn rows(value: &Value) -> Option<Vec<Value>> {
    let columns = match value {
        Value::Array(rows) => return Some(rows.clone()),
        value => value.as_object()?,
    };
    let lists: Option<Vec<(&String, &Vec<Value>)>> =
        columns.iter().map(|(name, list)| Some((name, list.as_array()?))).collect();
    let lists = lists?;
    let n_rows = lists.iter().map(|(_, list)| list.len()).max()?;
    let row = |i: usize| {
        let cells = lists.iter().filter_map(|(name, list)| Some(((*name).clone(), list.get(i)?.clone())));
        Value::Object(cells.collect())
    };
    Some((0..n_rows).map(row).collect())
}

fn is_good(text: &Value) -> bool {
    text.get("comment").and_then(Value::as_str).is_none_or(|comment| comment == GOOD)
}

fn text_of(text: &Value) -> Option<&str> {
    text.as_str().or_else(|| text.get("text")?.as_str()).or_else(|| text.get("lex")?.as_str())
}

/// `s : p : o | s : p : o` of triples that are lists, objects or lines `s | p | o`, with the property in small letters if asked for.
fn joined(triples: &Value, lower_property: bool) -> Option<String> {
    let part = |triple: &Value, index: usize, name: &str| {
        if let Some(line) = triple.as_str() {
            return Some(line.splitn(3, " | ").nth(index)?.trim().to_owned());
        }
        let part = triple.get(index).or_else(|| triple.get(name))?.as_str()?;
        Some(part.trim().to_owned())
    };
    let triples = triples.as_array().filter(|triples| !triples.is_empty())?;
    let written = triples.iter().map(|triple| {
        let property = part(triple, 1, "property")?;
        let property = if lower_property { property.to_lowercase() } else { property };
        Some([part(triple, 0, "subject")?, property, part(triple, 2, "object")?].join(" : "))
    });
    Some(written.collect::<Option<Vec<_>>>()?.join(" | "))
}

/// A context and one completion, or a list of them.
fn read_plain(
    line: usize,
    object: &Map<String, Value>,
    choice: &ColumnChoice,
    pairs: &mut Pairs,
    problems: &mut Problems,
) -> Result<(), DataProblem> {
    let absent = || {
        let advice = "name the fields by --text-column and --label-column";
        DataProblem::of_file(fields(object), "a context and its completion", advice)
    };
    let chosen = |chosen: &Option<String>, names: &[&'static str]| match chosen {
        Some(name) => object.get_key_value(name),
        None => names.iter().find_map(|name| object.get_key_value(*name)),
    };
    let (name, context) = chosen(&choice.text, &CONTEXT_NAMES).ok_or_else(absent)?;
    let is_meaning = ["mr", "meaning_representation"].contains(&name.as_str());
    let context = read_context(context.as_str().ok_or_else(absent)?.trim(), is_meaning)?;
    if pairs.contexts_only {
        pairs.push(line, Pair { context, completion: String::new(), seen: None }, problems);
        return Ok(());
    }
    let several = choice.label.is_none().then(|| field(object, &LISTS).and_then(Value::as_array)).flatten();
    let completions: Vec<&Value> = match several {
        Some(several) => several.iter().collect(),
        None => vec![chosen(&choice.label, &COMPLETION_NAMES).ok_or_else(absent)?.1],
    };
    for completion in completions {
        let completion = text_of(completion).ok_or_else(absent)?.trim().to_owned();
        pairs.push(line, Pair { context: context.clone(), completion, seen: None }, problems);
    }
    Ok(())
}
