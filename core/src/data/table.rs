//! A data file as rows of cells, whatever format it came in: names of the columns if the file has them, and
//! each row with the line it stands on.

use super::delimited::{read_csv, read_tsv};
use super::error::{DataError, DataProblem, Problems};
use super::json::{read_json_array, read_json_lines};

/// One value of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// The value as text: numbers and truth values of JSON as they are written.
    Text(String),
    /// JSON null, or a field that this JSON object lacks.
    Missing,
    /// A JSON array or object, which is neither text nor label.
    Nested,
}

impl Cell {
    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// One record of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Line on which the record starts, from 1.
    pub(crate) line: usize,
    /// One cell for each column.
    pub(crate) cells: Vec<Cell>,
}

/// A file as rows and columns. Every row has as many cells as there are columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// Names of the columns; "1", "2" and so on where the file has no header.
    pub(crate) columns: Vec<String>,
    /// Whether the names come from the file.
    pub(crate) has_header: bool,
    /// The records, in file order.
    pub(crate) rows: Vec<Row>,
    /// Blank lines among the records; they are left out.
    pub(crate) n_blank_lines: usize,
}

/// The format of a data file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFormat {
    /// Cells separated by tabs, quotes are ordinary characters (GLUE).
    Tsv,
    /// Cells separated by this character, with quotes (RFC 4180).
    Csv {
        /// Comma, semicolon or tab.
        separator: char,
    },
    /// One JSON object a line.
    JsonLines,
    /// One JSON array of objects.
    JsonArray,
}

impl DataFormat {
    /// The format of a file, by the ending of its name where that decides and else by its first characters.
    #[must_use]
    pub fn detect(file: &str, text: &str) -> Self {
        let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
        let first_line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
        let json = if first_line.trim_start().starts_with('[') { Self::JsonArray } else { Self::JsonLines };
        match ending.as_str() {
            "tsv" | "tab" => Self::Tsv,
            "csv" => Self::Csv { separator: csv_separator(first_line) },
            "json" | "jsonl" | "ndjson" => json,
            _ if first_line.trim_start().starts_with(['{', '[']) => json,
            // A text file without tabs holds one text a line, commas and all.
            "txt" => Self::Tsv,
            _ if first_line.contains('\t') => Self::Tsv,
            _ => Self::Csv { separator: csv_separator(first_line) },
        }
    }
}

/// The separator that the first line of a CSV file uses: spreadsheets also write semicolons and tabs.
fn csv_separator(first_line: &str) -> char {
    let count = |separator: char| first_line.matches(separator).count();
    // The comma comes last because the last of equal maxima is taken.
    [';', '\t', ','].into_iter().max_by_key(|&separator| count(separator)).unwrap_or(',')
}

/// Reads a whole file. `header_names` are column names the user asked for: a first row that holds one of them
/// is a header.
///
/// # Errors
/// Every problem of encoding, quoting and shape in the file.
pub(crate) fn read_table(file: &str, bytes: &[u8], header_names: &[&str]) -> Result<Table, DataError> {
    let text = decode(file, bytes)?;
    let mut problems = Problems::new(file);
    if text.trim().is_empty() {
        problems.push(DataProblem::of_file(
            "an empty file",
            "rows of text and label",
            "check the path, or that the export finished",
        ));
        return Err(problems.into_error());
    }
    let table = match DataFormat::detect(file, text) {
        DataFormat::Tsv => read_tsv(text, header_names, &mut problems),
        DataFormat::Csv { separator } => read_csv(text, separator, header_names, &mut problems),
        DataFormat::JsonLines => read_json_lines(text, &mut problems),
        DataFormat::JsonArray => read_json_array(text, &mut problems),
    };
    if problems.is_empty() && table.rows.is_empty() {
        problems.push(DataProblem::of_file(
            "a header and no rows",
            "rows of text and label",
            "check that the export finished",
        ));
    }
    problems.or(table)
}

/// The bytes as text, without byte order mark. Reports the first bad byte of every bad line.
pub(crate) fn decode<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, DataError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut problems = Problems::new(file);
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        problems.push(DataProblem::of_file("UTF-16 text", "UTF-8 text", "save the file as UTF-8"));
        return Err(problems.into_error());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(text);
    }
    if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
        problems.push(DataProblem::of_file(
            format!("binary data (byte {} is zero)", at + 1),
            "UTF-8 text",
            "name a table: .tsv, .csv, .json, .jsonl or .parquet; unpack archives first",
        ));
        return Err(problems.into_error());
    }
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let Err(error) = std::str::from_utf8(line) else { continue };
        let valid = String::from_utf8_lossy(&line[..error.valid_up_to()]);
        problems.push(
            DataProblem::of_file(
                format!("the byte 0x{:02x}, which is not UTF-8", line[error.valid_up_to()]),
                "UTF-8 text",
                "save the file as UTF-8 (it may be Latin-1 or Windows-1252)",
            )
            .at_line(index + 1)
            .in_column((valid.chars().count() + 1).to_string()),
        );
    }
    Err(problems.into_error())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn format_by_name_and_by_content() {
        let csv = |separator| DataFormat::Csv { separator };
        assert_eq!(DataFormat::detect("a.tsv", "x,y"), DataFormat::Tsv);
        assert_eq!(DataFormat::detect("a.CSV", "x,y\n"), csv(','));
        assert_eq!(DataFormat::detect("a.csv", "x;y\n"), csv(';'));
        assert_eq!(DataFormat::detect("a.csv", "x\n"), csv(','));
        assert_eq!(DataFormat::detect("a.json", " [{}]"), DataFormat::JsonArray);
        assert_eq!(DataFormat::detect("a.jsonl", "{}\n{}"), DataFormat::JsonLines);
        assert_eq!(DataFormat::detect("a.txt", "\n{\"a\":1}"), DataFormat::JsonLines);
        assert_eq!(DataFormat::detect("train", "a\tb"), DataFormat::Tsv);
        assert_eq!(DataFormat::detect("train.txt", "a, b"), DataFormat::Tsv);
        assert_eq!(DataFormat::detect("train", "a,b"), csv(','));
    }

    #[test]
    fn invalid_utf8_is_located_on_every_line() {
        let bytes = b"text\tlabel\ngood\t1\ncaf\xe9\t0\r\n\xc3\xa9\xff\t1\n";
        let error = read_table("train.tsv", bytes, &[]).unwrap_err();
        assert_eq!(error.n_problems, 2);
        assert_eq!((error.problems[0].line, error.problems[0].column.as_deref()), (Some(3), Some("4")));
        assert_eq!((error.problems[1].line, error.problems[1].column.as_deref()), (Some(4), Some("2")));
        assert!(error.to_string().contains("0xe9"));
        let error = read_table("train.tsv", b"\xff\xfea\0\t\0", &[]).unwrap_err();
        assert!(error.to_string().contains("UTF-16"));
    }

    #[test]
    fn a_binary_file_is_one_problem() {
        let error = read_table("train.tsv", b"PK\x03\x04\0\xff\n\xfe\n\xfd\n", &[]).unwrap_err();
        assert_eq!(error.n_problems, 1);
        assert!(error.to_string().contains("binary data (byte 5 is zero)"), "{error}");
    }

    #[test]
    fn empty_files_and_headers_alone_are_refused() {
        for bytes in [&b""[..], b"\n\r\n", b"\xef\xbb\xbf"] {
            let error = read_table("train.csv", bytes, &[]).unwrap_err();
            assert!(error.to_string().contains("found an empty file"), "{error}");
        }
        let error = read_table("train.csv", b"text,label\n", &[]).unwrap_err();
        assert!(error.to_string().contains("a header and no rows"), "{error}");
        let error = read_table("train.json", b"[]", &[]).unwrap_err();
        assert!(error.to_string().contains("an empty JSON array"), "{error}");
    }

    #[test]
    fn windows_line_ends_and_byte_order_mark_change_nothing() {
        let unix = read_table("a.tsv", b"text\tlabel\ngood \t1\nbad\t0\n", &[]).unwrap();
        let windows = read_table("a.tsv", b"\xef\xbb\xbftext\tlabel\r\ngood \t1\r\nbad\t0\r\n", &[]).unwrap();
        assert_eq!(unix, windows);
        let unix = read_table("a.csv", b"text,label\ngood,1\nbad,0\n", &[]).unwrap();
        let windows = read_table("a.csv", b"\xef\xbb\xbftext,label\r\ngood,1\r\nbad,0", &[]).unwrap();
        assert_eq!(unix, windows);
        let unix = read_table("a.jsonl", b"{\"text\":\"a\"}\n{\"text\":\"b\"}\n", &[]).unwrap();
        let windows =
            read_table("a.jsonl", b"\xef\xbb\xbf{\"text\":\"a\"}\r\n{\"text\":\"b\"}\r\n", &[]).unwrap();
        assert_eq!(unix, windows);
    }
}
