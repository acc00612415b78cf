//! Guessing columns: by the names that public data sets use, else by what the columns hold.

use super::labels::parse_number;
use super::table::Table;

/// Names of the single text column, best first.
const TEXT_NAMES: [&str; 14] = [
    "text",
    "sentence",
    "sentence1",
    "review",
    "content",
    "comment",
    "tweet",
    "body",
    "question",
    "premise",
    "document",
    "utterance",
    "message",
    "title",
];

/// Names of two texts that belong together (MNLI, RTE, STS-B, QQP, QNLI, MRPC, SNLI, BoolQ).
const PAIR_NAMES: [(&str, &str); 11] = [
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("premise", "hypothesis"),
    ("question", "sentence"),
    ("#1 string", "#2 string"),
    ("text1", "text2"),
    ("text_a", "text_b"),
    ("text", "text_pair"),
    ("sentence_a", "sentence_b"),
    ("query", "passage"),
    ("question", "passage"),
];

/// Names of the label column, best first. MNLI has label1 to label5 beside gold_label.
const LABEL_NAMES: [&str; 14] = [
    "label",
    "gold_label",
    "labels",
    "target",
    "is_duplicate",
    "quality",
    "class",
    "category",
    "sentiment",
    "score",
    "similarity",
    "rating",
    "stars",
    "answer",
];

/// Names that only tell that a row is a header.
const OTHER_NAMES: [&str; 6] = ["index", "id", "idx", "qid1", "genre", "pairid"];

/// Whether a cell is a usual name of a column.
pub(crate) fn is_known_name(cell: &str) -> bool {
    let cell = normalised(cell);
    TEXT_NAMES.contains(&cell.as_str())
        || LABEL_NAMES.contains(&cell.as_str())
        || OTHER_NAMES.contains(&cell.as_str())
        || PAIR_NAMES.iter().any(|&(a, b)| a == cell || b == cell)
}

/// A name as names are compared: without surrounding space and capitals.
pub(crate) fn normalised(name: &str) -> String {
    name.trim().to_lowercase()
}

/// Text columns by name; without a header, or with names that say nothing, the column of the longest texts.
pub(crate) fn guess_texts(
    table: &Table,
    pair: Option<usize>,
    label: Option<usize>,
) -> Option<(usize, Option<usize>)> {
    let find = |name: &str| {
        let position = table.columns.iter().position(|column| normalised(column) == name)?;
        (Some(position) != pair && Some(position) != label).then_some(position)
    };
    if pair.is_none()
        && let Some((a, b)) = PAIR_NAMES.iter().find_map(|&(a, b)| Some((find(a)?, find(b)?)))
    {
        return Some((a, Some(b)));
    }
    if let Some(text) = TEXT_NAMES.iter().find_map(|name| find(name)) {
        return Some((text, None));
    }
    let n_chars = |position: usize| -> usize {
        table.rows.iter().filter_map(|row| row.cells[position].text()).map(|text| text.trim().len()).sum()
    };
    (0..table.columns.len())
        .filter(|&position| Some(position) != pair && Some(position) != label && !is_numeric(table, position))
        .rev() // of equal columns the first is taken
        .max_by_key(|&position| n_chars(position))
        .map(|text| (text, None))
}

/// The label column by name, else by content: no empty cell, values that repeat, integers before words.
pub(crate) fn guess_label(table: &Table, taken: &[Option<usize>; 2]) -> Option<usize> {
    let free = |position: &usize| !taken.contains(&Some(*position));
    let find = |name: &&str| table.columns.iter().position(|column| normalised(column) == **name);
    if let Some(position) = LABEL_NAMES.iter().find_map(|name| find(name).filter(free)) {
        return Some(position);
    }
    if table.columns.iter().any(|column| table.has_header && is_known_name(column)) {
        // Names that we know, and none of them a label: a file without labels.
        return None;
    }
    let n_rows = table.rows.len();
    (0..table.columns.len())
        .filter(free)
        .filter_map(|position| {
            let mut values: Vec<&str> =
                table.rows.iter().map(|row| row.cells[position].text().unwrap_or("").trim()).collect();
            let is_text = values.iter().any(|value| value.is_empty() || value.len() > 40);
            values.sort_unstable();
            values.dedup();
            // A column where hardly a value repeats is a running number or text, unless it is a score.
            let repeats = values.len() <= (n_rows / 2).max(2);
            let is_numeric = is_numeric(table, position);
            let is_score = is_numeric && values.iter().any(|value| value.contains('.'));
            (!is_text && (repeats || is_score)).then_some((!is_numeric, values.len(), position))
        })
        .min()
        .map(|(_, _, position)| position)
}

fn is_numeric(table: &Table, position: usize) -> bool {
    table.rows.iter().all(|row| row.cells[position].text().is_some_and(|text| parse_number(text).is_some()))
}
