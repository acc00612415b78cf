//! Data files from disk: as they are, and Parquet as the lines of JSON that it stands for.

use anyhow::{Context as _, anyhow, bail};
use parquet::{file::reader::FileReader as _, file::serialized_reader::SerializedFileReader, record::Row};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

/// Name and bytes of a data file. A Parquet file is given as `.jsonl`, one row a line.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> anyhow::Result<(String, Vec<u8>)> {
    let name = path.display().to_string();
    let is_parquet = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
    if is_parquet {
        let file = File::open(path).with_context(|| format!("cannot read the data file: {name}"))?;
        return Ok((format!("{name}.jsonl"), json_lines(file).map_err(|error| unreadable(&name, &error))?));
    }
    let bytes = fs::read(path).with_context(|| format!("cannot read the data file: {name}"))?;
    Ok((name, bytes))
}

/// The files of one split as one, with the name of the first.
///
/// # Errors
/// If one cannot be read, or if they cannot follow each other.
pub fn read_all(paths: &[PathBuf]) -> anyhow::Result<(String, Vec<u8>)> {
    let Some((first, others)) = paths.split_first() else { bail!("no data file") };
    let (name, mut bytes) = read(first)?;
    for path in others {
        let (part, more) = read(path)?;
        if !part.ends_with(".jsonl") {
            bail!("a split in several files is read from .jsonl or .parquet only, found {}", path.display());
        }
        if !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        bytes.extend(more);
    }
    Ok((name, bytes))
}

fn unreadable(name: &str, error: &anyhow::Error) -> anyhow::Error {
    anyhow!(
        "{name} cannot be read as Parquet ({error:#}); expected plain columns, uncompressed or compressed by Snappy; \
         otherwise save it as .jsonl or .csv"
    )
}

fn json_lines(file: File) -> anyhow::Result<Vec<u8>> {
    let reader = SerializedFileReader::new(file)?;
    let mut lines = Vec::new();
    for row in reader.get_row_iter(None)? {
        let row: Row = row?;
        serde_json::to_writer(&mut lines, &row.to_json_value())?;
        lines.push(b'\n');
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::atomic;
    use parquet::{
        data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type},
        file::{properties::WriterProperties, writer::SerializedFileWriter},
        schema::parser::parse_message_type,
    };
    use std::sync::Arc;

    /// Two rows: a text, a number of a class, a score; the second text is missing.
    fn write(path: &Path) {
        let schema =
            "message rows { optional binary sentence (UTF8); required int64 label; required double score; }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let properties = WriterProperties::builder().set_compression(parquet::basic::Compression::SNAPPY);
        let file = File::create(path).unwrap();
        let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties.build())).unwrap();
        let mut rows = writer.next_row_group().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        let text = [ByteArray::from("“A” fine\nfilm")];
        column.typed::<ByteArrayType>().write_batch(&text, Some(&[1, 0]), None).unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[1, 0], None, None).unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        column.typed::<DoubleType>().write_batch(&[0.5, 2.0], None, None).unwrap();
        column.close().unwrap();
        rows.close().unwrap();
        writer.close().unwrap();
    }

    #[test]
    fn parquet_is_read_as_lines_of_json_and_its_parts_follow_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.parquet");
        write(&path);
        let (name, bytes) = read_all(&[path.clone(), path]).unwrap();
        assert!(name.ends_with("train.parquet.jsonl"), "{name}");
        let rows: Vec<serde_json::Value> = String::from_utf8(bytes)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(rows.len(), 4);
        assert_eq!(rows[2], serde_json::json!({"sentence": "“A” fine\nfilm", "label": 1, "score": 0.5}));
        assert_eq!(rows[3]["sentence"], serde_json::Value::Null);
    }

    #[test]
    fn what_cannot_be_read_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let [broken, table] = ["broken.parquet", "table.csv"].map(|name| folder.path().join(name));
        atomic::write(&broken, b"sentence,label").unwrap();
        let text = read(&broken).unwrap_err().to_string();
        assert!(text.contains("broken.parquet") && text.contains(".jsonl or .csv"), "{text}");
        atomic::write(&table, b"sentence,label\n").unwrap();
        let text = read_all(&[table.clone(), table]).unwrap_err().to_string();
        assert!(text.contains("several files"), "{text}");
        let text = read(&folder.path().join("none.tsv")).unwrap_err().to_string();
        assert!(text.contains("none.tsv"), "{text}");
    }
}
