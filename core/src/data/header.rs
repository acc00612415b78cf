//! Does the first row of a delimited file name the columns, or is it the first example? CoLA has no header,
//! the other GLUE tasks have one.

use super::guess::is_known_name;
use super::labels::parse_number;
use super::table::{Cell, Row};

/// Decides from the rows alone, in this order: a name the user asked for, a well-known name that does not
/// come again in its column, a column of numbers, a column of few values of which the first row's is none.
pub(crate) fn first_row_is_header(rows: &[Row], header_names: &[&str]) -> bool {
    let Some((first, rest)) = rows.split_first() else { return false };
    let first: Vec<&str> = first.cells.iter().map(|cell| cell.text().unwrap_or("").trim()).collect();
    let repeats = |column: usize| rest.iter().any(|row| cell(row, column) == first[column]);
    if first.iter().any(|name| header_names.contains(name)) {
        return true;
    }
    if (0..first.len()).any(|column| is_known_name(first[column]) && !repeats(column)) {
        return true;
    }
    // A number in the first row of a column of numbers is a value; a word there is a name.
    let of_numbers = |column: &usize| {
        !rest.is_empty() && rest.iter().all(|row| parse_number(cell(row, *column)).is_some())
    };
    let numbers: Vec<usize> = (0..first.len()).filter(of_numbers).collect();
    if !numbers.is_empty() {
        return numbers.iter().all(|&column| parse_number(first[column]).is_none());
    }
    (0..first.len()).any(|column| is_class_like(rest, column) && !repeats(column))
}

/// The cell as trimmed text; rows may be ragged here.
fn cell(row: &Row, column: usize) -> &str {
    row.cells.get(column).and_then(Cell::text).unwrap_or("").trim()
}

/// Whether the column holds few different values, each at least twice: what labels look like.
fn is_class_like(rows: &[Row], column: usize) -> bool {
    let mut values: Vec<&str> = rows.iter().map(|row| cell(row, column)).collect();
    values.sort_unstable();
    !values.is_empty() && values.chunk_by(|a, b| a == b).all(|same| same.len() >= 2 && !same[0].is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(text: &str, header_names: &[&str]) -> bool {
        let cells = |line: &str| line.split('|').map(|c| Cell::Text(c.to_owned())).collect();
        let rows: Vec<Row> =
            text.lines().enumerate().map(|(i, line)| Row { line: i + 1, cells: cells(line) }).collect();
        first_row_is_header(&rows, header_names)
    }

    #[test]
    fn known_names_make_a_header() {
        assert!(decide("sentence|label\nfine|1", &[]));
        assert!(decide("Quality|#1 ID|#2 ID|#1 String|#2 String\n1|2|3|a|b", &[]));
        assert!(decide("mine|yours\nfine|a", &["yours"]));
        assert!(!decide("mine|yours\nfine|a", &[]));
    }

    #[test]
    fn cola_has_none() {
        assert!(!decide("gj04|1||The cat sat.\ngj04|0|*|Cat the sat.\nbc01|1||He left.", &[]));
    }

    #[test]
    fn a_label_that_is_also_a_usual_name_is_no_header() {
        assert!(!decide("who came?|question\nhe left|statement\nwhy?|question\nso|statement", &[]));
    }

    #[test]
    fn unknown_names_show_by_numbers_and_by_classes() {
        assert!(decide("utterances|mark\nhello|1\nbye|0", &[]));
        assert!(decide("utterances|mood\nhello|pos\nbye|neg\nwell|pos\nno|neg", &[]));
        assert!(!decide("hi|neg\nhello|pos\nbye|neg\nwell|pos\nno|neg", &[]));
        assert!(!decide("", &[]));
        assert!(!decide("alone|pos", &[]));
    }
}
