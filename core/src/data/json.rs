//! JSON records: one object a line, or one array of objects.

use serde_json::{Map, Value};

use super::error::{DataProblem, Problems, quoted};
use super::table::{Cell, Row, Table};

/// Objects with the line on which each starts.
pub(crate) type Objects = Vec<(usize, Map<String, Value>)>;

/// Reads one JSON object a line; blank lines are counted and left out.
pub(crate) fn read_json_lines(text: &str, problems: &mut Problems) -> Table {
    let (objects, n_blank_lines) = json_lines(text, problems);
    to_table(objects, n_blank_lines)
}

/// Reads an array of objects.
pub(crate) fn read_json_array(text: &str, problems: &mut Problems) -> Table {
    to_table(json_array(text, problems), 0)
}

/// The objects of a file with one a line, and the number of blank lines.
pub(crate) fn json_lines(text: &str, problems: &mut Problems) -> (Objects, usize) {
    let mut objects = Vec::new();
    let mut n_blank_lines = 0;
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            n_blank_lines += 1;
            continue;
        }
        match serde_json::from_str(line) {
            Ok(value) => take_object(value, index + 1, &mut objects, problems),
            Err(error) => problems.push(
                DataProblem::of_file(quoted(line), "one JSON object", error.to_string()).at_line(index + 1),
            ),
        }
    }
    (objects, n_blank_lines)
}

/// The objects of an array.
pub(crate) fn json_array(text: &str, problems: &mut Problems) -> Objects {
    let mut objects = Vec::new();
    match serde_json::from_str::<Vec<Value>>(text) {
        Ok(values) => {
            if values.is_empty() {
                problems.push(DataProblem::of_file("an empty JSON array", "an array of objects", ""));
            }
            for (value, line) in values.into_iter().zip(element_lines(text)) {
                take_object(value, line, &mut objects, problems);
            }
        }
        Err(error) => problems.push(
            DataProblem::of_file("text that is no JSON array", "an array of objects", error.to_string())
                .at_line(error.line()),
        ),
    }
    objects
}

/// The line on which each element of a valid JSON array starts: the parser forgets them.
fn element_lines(text: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    let (mut line, mut depth, mut in_string, mut escaped, mut awaits_element) = (1, 0, false, false, false);
    for c in text.chars() {
        if awaits_element && depth == 1 && !c.is_ascii_whitespace() && c != ']' {
            lines.push(line);
            awaits_element = false;
        }
        match c {
            '\n' => line += 1,
            _ if in_string => {
                in_string = escaped || c != '"';
                escaped = c == '\\' && !escaped;
            }
            '"' => in_string = true,
            '[' | '{' => {
                depth += 1;
                awaits_element |= depth == 1;
            }
            ']' | '}' => depth -= 1,
            ',' => awaits_element |= depth == 1,
            _ => {}
        }
    }
    lines
}

fn take_object(value: Value, line: usize, objects: &mut Objects, problems: &mut Problems) {
    match value {
        Value::Object(object) => objects.push((line, object)),
        other => problems.push(
            DataProblem::of_file(
                quoted(&other.to_string()),
                "a JSON object with text and label",
                "write each example as {\"text\": …, \"label\": …}",
            )
            .at_line(line),
        ),
    }
}

/// Columns are all the fields that occur, in the order of their first occurrence.
fn to_table(objects: Objects, n_blank_lines: usize) -> Table {
    let mut columns: Vec<String> = Vec::new();
    for (_, object) in &objects {
        for name in object.keys() {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
    }
    let rows = objects
        .into_iter()
        .map(|(line, mut object)| Row {
            line,
            cells: columns.iter().map(|name| object.remove(name).map_or(Cell::Missing, to_cell)).collect(),
        })
        .collect();
    Table { columns, has_header: true, rows, n_blank_lines }
}

fn to_cell(value: Value) -> Cell {
    match value {
        Value::Null => Cell::Missing,
        Value::String(text) => Cell::Text(text),
        Value::Bool(_) | Value::Number(_) => Cell::Text(value.to_string()),
        Value::Array(_) | Value::Object(_) => Cell::Nested,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_become_rows_with_all_fields() {
        let lines = "{\"text\":\"a\\nb\",\"label\":1}\n\n{\"label\":true,\"more\":[1],\"text\":null}\n";
        let array = "[{\"text\":\"a\\nb\",\"label\":1},\n\n{\"label\":true,\"more\":[1],\"text\":null}]";
        let mut problems = Problems::new("a.json");
        let from_lines = read_json_lines(lines, &mut problems);
        let from_array = read_json_array(array, &mut problems);
        assert!(problems.is_empty());
        let text = |text: &str| Cell::Text(text.to_owned());
        assert_eq!(from_lines.columns, ["text", "label", "more"]);
        assert_eq!(from_lines.rows[0].cells, [text("a\nb"), text("1"), Cell::Missing]);
        assert_eq!(from_lines.rows[1].cells, [Cell::Missing, text("true"), Cell::Nested]);
        assert_eq!(from_lines.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(from_array.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 3]);
        assert!(from_lines.rows.iter().zip(&from_array.rows).all(|(a, b)| a.cells == b.cells));
        assert_eq!((from_lines.n_blank_lines, from_array.n_blank_lines), (1, 0));
    }

    #[test]
    fn elements_of_an_array_have_lines() {
        let text = "\n[\n  {\"a\": \"x, \\\"]\\\\\"},\n\n  {\"a\": [1,\n 2]}, 3]";
        assert_eq!(element_lines(text), [3, 5, 6]);
        assert_eq!(element_lines("[ ]"), [0usize; 0]);
    }

    #[test]
    fn every_line_that_is_no_object_is_reported() {
        let mut problems = Problems::new("a.jsonl");
        read_json_lines("{\"text\":\"a\"}\n{\"text\":\n[1]\n{\"text\":\"b\"}\n", &mut problems);
        let error = problems.into_error();
        assert_eq!(error.problems.iter().map(|p| p.line).collect::<Vec<_>>(), [Some(2), Some(3)], "{error}");
        let mut problems = Problems::new("a.json");
        read_json_array("[{\"text\":\"a\"},\n{]", &mut problems);
        assert_eq!(problems.into_error().problems[0].line, Some(2));
    }
}
