//! TSV as GLUE has it (a tab separates, a line ends the row, quotes mean nothing) and CSV (RFC 4180).

use super::error::{DataProblem, Problems, quoted};
use super::header::first_row_is_header;
use super::table::{Cell, Row, Table};

/// Reads tab-separated text. Spaces at the ends of cells are kept: GLUE's sentences have them.
pub(crate) fn read_tsv(text: &str, header_names: &[&str], problems: &mut Problems) -> Table {
    let mut rows = Vec::new();
    let mut n_blank_lines = 0;
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            n_blank_lines += 1;
            continue;
        }
        let cells = line.split('\t').map(|cell| Cell::Text(cell.to_owned())).collect();
        rows.push(Row { line: index + 1, cells });
    }
    with_header(rows, n_blank_lines, header_names, problems)
}

/// Reads text with quotes. Quoted cells may hold separators, doubled quotes and line ends.
pub(crate) fn read_csv(text: &str, separator: char, header_names: &[&str], problems: &mut Problems) -> Table {
    for (line, found) in broken_quotes(text, separator) {
        problems.push(
            DataProblem::of_file(
                found,
                "each quoted cell closed, and quotes inside it doubled (\"\")",
                "mend the quotes, or save as TSV where quotes mean nothing",
            )
            .at_line(line),
        );
    }
    let mut rows = Vec::new();
    if problems.is_empty() {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator as u8)
            .has_headers(false)
            .flexible(true) // the shape is checked below, for all rows at once
            .from_reader(text.as_bytes());
        let (mut line, mut counted) = (1, 0);
        for record in reader.records() {
            match record {
                Ok(record) => {
                    // The reader's own line number stands before the line ends that it skips.
                    let start = record.position().map_or(0, |position| position.byte() as usize);
                    let n_skipped = text[start..].bytes().take_while(|byte| b"\r\n".contains(byte)).count();
                    line += text[counted..start + n_skipped].matches('\n').count();
                    counted = start + n_skipped;
                    rows.push(Row { line, cells: record.iter().map(|c| Cell::Text(c.to_owned())).collect() });
                }
                Err(error) => problems.push(DataProblem::of_file(error.to_string(), "a row of CSV", "")),
            }
        }
    }
    // The reader itself skips lines without any character; lines of spaces arrive as one empty cell.
    let n_rows = rows.len();
    rows.retain(|row| row.cells.iter().any(|cell| cell.text().is_some_and(|text| !text.trim().is_empty())));
    let n_blank_lines = n_rows - rows.len();
    with_header(rows, n_blank_lines, header_names, problems)
}

/// Lines with a quote that is never closed, or closed in the middle of a cell. One report a line.
fn broken_quotes(text: &str, separator: char) -> Vec<(usize, &'static str)> {
    #[derive(PartialEq)]
    enum At {
        CellStart,
        Plain,
        Quoted,
        AfterQuote,
    }
    let mut broken = Vec::new();
    let (mut at, mut line, mut opened) = (At::CellStart, 1, 0);
    for c in text.chars() {
        at = match (at, c) {
            (At::CellStart, '"') => {
                opened = line;
                At::Quoted
            }
            (At::Quoted, '"') => At::AfterQuote,
            (At::AfterQuote, '"') | (At::Quoted, _) => At::Quoted,
            (_, '\n') => At::CellStart,
            (_, c) if c == separator => At::CellStart,
            (At::AfterQuote, '\r') => At::AfterQuote,
            (At::AfterQuote, _) => {
                if broken.last().is_none_or(|&(last, _)| last != opened) {
                    broken.push((opened, "a quoted cell with text after its closing quote"));
                }
                At::Plain
            }
            (At::CellStart | At::Plain, _) => At::Plain,
        };
        line += usize::from(c == '\n');
    }
    if at == At::Quoted {
        broken.push((opened, "a quote that is never closed"));
    }
    broken
}

/// Takes the header off, if there is one, and checks that all rows have the same number of cells.
fn with_header(
    mut rows: Vec<Row>,
    n_blank_lines: usize,
    header_names: &[&str],
    problems: &mut Problems,
) -> Table {
    let has_header = first_row_is_header(&rows, header_names);
    let n_columns = rows.first().map_or(0, |row| row.cells.len());
    for row in &rows {
        if row.cells.len() != n_columns {
            let first = row.cells.first().and_then(Cell::text).unwrap_or("");
            problems.push(
                DataProblem::of_file(
                    format!("{} cells in the row that starts with {}", row.cells.len(), quoted(first)),
                    format!("{n_columns}, as in the first row"),
                    "mend the row, or remove separators inside its text",
                )
                .at_line(row.line),
            );
        }
    }
    let columns = if has_header {
        let header = rows.remove(0);
        header.cells.iter().map(|cell| cell.text().unwrap_or("").trim().to_owned()).collect()
    } else {
        (1..=n_columns).map(|number| number.to_string()).collect()
    };
    Table { columns, has_header, rows, n_blank_lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(row: &Row) -> Vec<&str> {
        row.cells.iter().filter_map(Cell::text).collect()
    }

    #[test]
    fn tsv_keeps_quotes_and_spaces() {
        let mut problems = Problems::new("a.tsv");
        let table = read_tsv("sentence\tlabel\nthe \" film ' \t1\n\n\"bad\t0\n", &[], &mut problems);
        assert!(problems.is_empty());
        assert_eq!(table.columns, ["sentence", "label"]);
        assert_eq!(cells(&table.rows[0]), ["the \" film ' ", "1"]);
        assert_eq!((table.rows[1].line, cells(&table.rows[1])), (4, vec!["\"bad", "0"]));
        assert_eq!(table.n_blank_lines, 1);
    }

    #[test]
    fn csv_reads_quoted_separators_and_line_ends() {
        let mut problems = Problems::new("a.csv");
        let text = "text,label\r\n\"one, \"\"two\"\"\nthree\",pos\n\n5\" disk,neg\n";
        let table = read_csv(text, ',', &[], &mut problems);
        assert!(problems.is_empty());
        assert_eq!(cells(&table.rows[0]), ["one, \"two\"\nthree", "pos"]);
        assert_eq!((table.rows[1].line, cells(&table.rows[1])), (5, vec!["5\" disk", "neg"]));
    }

    #[test]
    fn unbalanced_quotes_are_reported_with_the_line_where_they_open() {
        let mut problems = Problems::new("a.csv");
        read_csv("text,label\n\"good,1\n\"bad\",0\nfine,1\n\"open,0\n", ',', &[], &mut problems);
        let error = problems.into_error();
        let lines: Vec<_> = error.problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [Some(2), Some(5)], "{error}");
        assert!(error.to_string().contains("text after its closing quote"));
        assert!(error.to_string().contains("never closed"));
    }

    #[test]
    fn every_ragged_row_is_reported() {
        for (name, separator) in [("a.tsv", "\t"), ("a.csv", ",")] {
            let text = "text,label\na,1\nb\nc,1,x\nd,0\n".replace(',', separator);
            let mut problems = Problems::new(name);
            match separator {
                "\t" => read_tsv(&text, &[], &mut problems),
                _ => read_csv(&text, ',', &[], &mut problems),
            };
            let error = problems.into_error();
            let lines: Vec<_> = error.problems.iter().map(|problem| problem.line).collect();
            assert_eq!(lines, [Some(3), Some(4)], "{error}");
            assert!(error.to_string().contains("found 3 cells in the row that starts with \"c\""));
        }
    }
}
