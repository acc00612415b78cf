//! Reads safetensors with every size checked, whole or tensor by tensor.
//!
//! The format: 8 bytes of header length (little endian), a JSON object `{name: {dtype, shape, data_offsets}}`
//! with an optional `__metadata__` map of strings, then the data without gaps.
//! A large file need never be in memory at once: [`Header::n_bytes`] tells from the first eight bytes how many to
//! fetch for [`Header::parse`], and each tensor is decoded from its own slice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;

use super::dtype::Dtype;
use super::error::{CheckpointError, TensorProblem};
use super::{Checkpoint, HostTensor};

/// Largest header accepted, in bytes; the same limit as in the reference implementation.
pub const HEADER_LIMIT: u64 = 100_000_000;

/// Where one tensor lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name in the file.
    pub name: String,
    /// Data type in the file.
    pub dtype: Dtype,
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// First byte, counted from the start of the data.
    pub begin: u64,
    /// The byte after the last, counted from the start of the data.
    pub end: u64,
}

/// The checked header of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Name of the file, for messages.
    pub file: String,
    /// Tensors in the order of their data.
    pub entries: Vec<Entry>,
    /// The `__metadata__` map.
    pub metadata: BTreeMap<String, String>,
    /// Position of the data in the file, in bytes.
    pub data_start: u64,
}

/// Reads a whole file. Tensors whose type cannot hold weights are listed as skipped.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn read_safetensors(file: &str, bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
    let header = Header::parse(file, bytes, bytes.len() as u64)?;
    let mut checkpoint =
        Checkpoint { file: file.to_owned(), metadata: header.metadata.clone(), ..Checkpoint::default() };
    let mut problems = Vec::new();
    for entry in &header.entries {
        if !entry.dtype.holds_weights() {
            checkpoint.skipped.insert(entry.name.clone(), entry.dtype);
            continue;
        }
        match entry.decode(header.slice(entry, bytes)) {
            Ok(tensor) => drop(checkpoint.tensors.insert(entry.name.clone(), tensor)),
            Err(problem) => problems.push(problem),
        }
    }
    CheckpointError::check(file, problems, checkpoint)
}

impl Header {
    /// Bytes from the start of the file to the end of its header, from the first eight bytes of the file.
    ///
    /// # Errors
    /// If the file is too short, pickled, or its header is larger than [`HEADER_LIMIT`] or than the file.
    pub fn n_bytes(file: &str, first: &[u8], file_len: u64) -> Result<u64, CheckpointError> {
        let fail = |problem| Err(CheckpointError::one(file, problem));
        // Zip archives and raw pickles are what `torch.save` writes.
        if first.starts_with(b"PK\x03\x04") || first.starts_with(b"\x80\x02") {
            return fail(TensorProblem::Pickle);
        }
        let Some(length) = first.first_chunk::<8>() else {
            return fail(TensorProblem::TooShort { n_bytes: file_len });
        };
        let declared = u64::from_le_bytes(*length);
        if declared > HEADER_LIMIT {
            return fail(TensorProblem::HeaderTooLarge { declared, limit: HEADER_LIMIT });
        }
        let available = file_len.saturating_sub(8);
        if declared > available {
            return fail(TensorProblem::HeaderBeyondFile { declared, available });
        }
        Ok(8 + declared)
    }

    /// Parses the header from the first bytes of a file that is `file_len` bytes long.
    /// `first` must reach at least to the end of the header ([`Header::n_bytes`]).
    ///
    /// # Errors
    /// Everything that is wrong with the header.
    pub fn parse(file: &str, first: &[u8], file_len: u64) -> Result<Self, CheckpointError> {
        let data_start = Self::n_bytes(file, first, file_len)?;
        let Some(json) = first.get(8..data_start as usize) else {
            let available = (first.len() as u64).saturating_sub(8);
            let problem = TensorProblem::HeaderBeyondFile { declared: data_start - 8, available };
            return Err(CheckpointError::one(file, problem));
        };
        let mut problems = Vec::new();
        let (mut entries, metadata) = parse_object(json, &mut problems);
        entries.sort_by(|a, b| (a.begin, a.end, &a.name).cmp(&(b.begin, b.end, &b.name)));
        // Positions mean little while some of the entries could not be read.
        if problems.is_empty() {
            check_sizes(&entries, &mut problems);
            check_cover(&entries, file_len - data_start, &mut problems);
        }
        let header = Self { file: file.to_owned(), entries, metadata, data_start };
        CheckpointError::check(file, problems, header)
    }

    /// The bytes of one tensor, from the bytes of the whole file.
    #[must_use]
    pub fn slice<'a>(&self, entry: &Entry, bytes: &'a [u8]) -> &'a [u8] {
        // The header was checked against the length of the file.
        &bytes[(self.data_start + entry.begin) as usize..(self.data_start + entry.end) as usize]
    }

    /// The entry of this name.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

impl Entry {
    /// The tensor as f32, from its own bytes.
    ///
    /// # Errors
    /// A type that holds no weights, the wrong number of bytes, or values that are not finite.
    pub fn decode(&self, bytes: &[u8]) -> Result<HostTensor, TensorProblem> {
        self.check_length(bytes)?;
        let data = self.dtype.decode(bytes).ok_or_else(|| self.wrong_dtype("F32, F16 or BF16"))?;
        let mut bad = data.iter().enumerate().filter(|(_, value)| !value.is_finite());
        if let Some((first, value)) = bad.next() {
            let (name, value) = (self.name.clone(), value.to_string());
            return Err(TensorProblem::NotFinite { name, count: 1 + bad.count(), first, value });
        }
        Ok(HostTensor { shape: self.shape.clone(), data })
    }

    /// The values of an I32 tensor, from its own bytes.
    ///
    /// # Errors
    /// Another type, or the wrong number of bytes.
    pub fn decode_i32(&self, bytes: &[u8]) -> Result<Vec<i32>, TensorProblem> {
        self.check_length(bytes)?;
        if self.dtype != Dtype::I32 {
            return Err(self.wrong_dtype("I32"));
        }
        Ok(bytes.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    /// The values of a U8 tensor, from its own bytes.
    ///
    /// # Errors
    /// Another type, or the wrong number of bytes.
    pub fn decode_u8(&self, bytes: &[u8]) -> Result<Vec<u8>, TensorProblem> {
        self.check_length(bytes)?;
        if self.dtype == Dtype::U8 { Ok(bytes.to_vec()) } else { Err(self.wrong_dtype("U8")) }
    }

    fn wrong_dtype(&self, expected: &'static str) -> TensorProblem {
        TensorProblem::WrongDtype { name: self.name.clone(), found: self.dtype.name().to_owned(), expected }
    }

    fn check_length(&self, bytes: &[u8]) -> Result<(), TensorProblem> {
        let (expected, found) = (self.end - self.begin, bytes.len() as u64);
        if expected == found { Ok(()) } else { Err(self.size_mismatch(expected, found)) }
    }

    fn size_mismatch(&self, expected: u64, found: u64) -> TensorProblem {
        let (name, shape) = (self.name.clone(), self.shape.clone());
        TensorProblem::SizeMismatch { name, dtype: self.dtype.name(), shape, expected, found }
    }
}

/// A JSON object as pairs in file order, so that a name given twice is noticed.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON object of tensors")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Pairs, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor)
    }
}

/// The description of a tensor as the header spells it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

/// Parses the JSON of a header; what cannot be parsed goes to `problems`.
fn parse_object(json: &[u8], problems: &mut Vec<TensorProblem>) -> (Vec<Entry>, BTreeMap<String, String>) {
    let mut entries = Vec::new();
    let mut metadata = BTreeMap::new();
    // The format asks for `{` as the first byte, which also keeps text files from passing.
    let parsed = if json.first() == Some(&b'{') {
        serde_json::from_slice::<Pairs>(json).map_err(|error| error.to_string())
    } else {
        Err("it does not begin with `{`".to_owned())
    };
    let pairs = match parsed {
        Ok(Pairs(pairs)) => pairs,
        Err(reason) => {
            problems.push(TensorProblem::BadHeader { reason });
            return (entries, metadata);
        }
    };
    let mut names = BTreeSet::new();
    for (name, value) in pairs {
        if !names.insert(name.clone()) {
            problems.push(TensorProblem::DuplicateName { name });
        } else if name == "__metadata__" {
            match serde_json::from_value(value) {
                Ok(map) => metadata = map,
                Err(error) => {
                    problems.push(TensorProblem::BadHeader { reason: format!("__metadata__: {error}") })
                }
            }
        } else {
            match parse_entry(&name, value) {
                Ok(entry) => entries.push(entry),
                Err(reason) => problems.push(TensorProblem::BadEntry { name, reason }),
            }
        }
    }
    (entries, metadata)
}

fn parse_entry(name: &str, value: Value) -> Result<Entry, String> {
    let raw: RawEntry = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let dtype = Dtype::from_name(&raw.dtype).ok_or_else(|| format!("unknown data type {}", raw.dtype))?;
    let [begin, end] = raw.data_offsets;
    if begin > end {
        return Err(format!("its data ends at byte {end}, before it begins at {begin}"));
    }
    Ok(Entry { name: name.to_owned(), dtype, shape: raw.shape, begin, end })
}

/// Checks that data type and shape need as many bytes as the offsets span.
fn check_sizes(entries: &[Entry], problems: &mut Vec<TensorProblem>) {
    for entry in entries {
        let needed = entry
            .shape
            .iter()
            .try_fold(entry.dtype.n_bytes(), |product, &size| product.checked_mul(size as u64));
        match needed {
            None => problems.push(TensorProblem::BadEntry {
                name: entry.name.clone(),
                reason: format!("shape {:?} has more values than can be counted", entry.shape),
            }),
            Some(needed) if needed != entry.end - entry.begin => {
                problems.push(entry.size_mismatch(needed, entry.end - entry.begin));
            }
            Some(_) => {}
        }
    }
}

/// Checks that the tensors, sorted by position, cover `available` bytes exactly once.
fn check_cover(entries: &[Entry], available: u64, problems: &mut Vec<TensorProblem>) {
    let mut covered = 0;
    let mut last: Option<&Entry> = None;
    for entry in entries {
        if entry.begin > covered {
            problems.push(TensorProblem::Hole { begin: covered, end: entry.begin });
        }
        let shared = covered.min(entry.end).saturating_sub(entry.begin);
        if let Some(last) = last.filter(|_| shared > 0) {
            let (first, second) = (last.name.clone(), entry.name.clone());
            problems.push(TensorProblem::Overlap { first, second, n_bytes: shared });
        }
        if entry.end > covered {
            covered = entry.end;
            last = Some(entry);
        }
    }
    let mut beyond = entries.iter().filter(|entry| entry.end > available);
    if let Some(first) = beyond.next() {
        let (first, n_tensors) = (first.name.clone(), 1 + beyond.count());
        problems.push(TensorProblem::Truncated { needed: covered, available, n_tensors, first });
    } else if covered < available {
        problems.push(TensorProblem::Hole { begin: covered, end: available });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    /// A file with this header and this much data.
    fn file(header: &str, n_data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.resize(bytes.len() + n_data, 0);
        bytes
    }

    fn problems(bytes: &[u8]) -> Vec<TensorProblem> {
        let error = read_safetensors("model.safetensors", bytes).unwrap_err();
        assert_eq!(error.to_string().lines().count(), error.problems.len());
        error.problems
    }

    const TWO: &str = r#"{"__metadata__":{"format":"pt"},
        "a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
        "b":{"dtype":"BF16","shape":[1,2],"data_offsets":[8,12]},
        "ids":{"dtype":"I64","shape":[1],"data_offsets":[12,20]}}"#;

    #[test]
    fn reads_values_and_skips_other_types() {
        let mut bytes = file(TWO, 20);
        let start = bytes.len() - 20;
        bytes[start..start + 4].copy_from_slice(&1.5f32.to_le_bytes());
        let read = read_safetensors("f", &bytes).unwrap();
        assert_eq!(read.tensors["a"].data, [1.5, 0.0]);
        assert_eq!(read.tensors["b"].shape, [1, 2]);
        assert_eq!(read.skipped["ids"], Dtype::I64);
        assert_eq!(read.metadata["format"], "pt");
    }

    #[test]
    fn streams_from_the_first_bytes_and_single_slices() {
        let bytes = file(TWO, 20);
        let n = Header::n_bytes("f", &bytes[..8], bytes.len() as u64).unwrap();
        let header = Header::parse("f", &bytes[..n as usize], bytes.len() as u64).unwrap();
        assert_eq!(header.data_start, n);
        let entry = header.entry("b").unwrap();
        assert_eq!(entry.decode(&[0, 0, 0x80, 0x3f]).unwrap().data, [0.0, 1.0]);
        assert!(entry.decode(&[0; 3]).is_err());
        assert!(matches!(entry.decode_i32(&[0; 4]), Err(TensorProblem::WrongDtype { .. })));
        let parsed_too_early = Header::parse("f", &bytes[..20], bytes.len() as u64);
        assert!(parsed_too_early.is_err());
    }

    #[test]
    fn short_pickled_and_lying_lengths() {
        assert_eq!(problems(b"abc"), [TensorProblem::TooShort { n_bytes: 3 }]);
        assert_eq!(problems(b"PK\x03\x04 rest of the archive"), [TensorProblem::Pickle]);
        let declared = u64::MAX;
        assert_eq!(
            problems(&declared.to_le_bytes()),
            [TensorProblem::HeaderTooLarge { declared, limit: HEADER_LIMIT }]
        );
        let mut bytes = file(TWO, 0);
        bytes.truncate(100);
        let declared = TWO.len() as u64;
        assert_eq!(problems(&bytes), [TensorProblem::HeaderBeyondFile { declared, available: 92 }]);
        // A web page saved under the name of a weight file.
        let html = b"<!doctype html><html><body>404</body></html>";
        assert!(matches!(problems(html)[..], [TensorProblem::HeaderTooLarge { .. }]));
    }

    #[test]
    fn every_bad_entry_is_named() {
        let header = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
            "a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
            "b":{"dtype":"Q4","shape":[2],"data_offsets":[8,9]},
            "c":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]},
            "d":{"dtype":"F32","shape":[2],"data_offsets":[8,0]},
            "e":7}"#;
        let found = problems(&file(header, 9));
        assert_eq!(found[0], TensorProblem::DuplicateName { name: "a".into() });
        let named: Vec<&str> = found[1..]
            .iter()
            .map(|problem| match problem {
                TensorProblem::BadEntry { name, .. } => name.as_str(),
                other => panic!("unexpected {other}"),
            })
            .collect();
        assert_eq!(named, ["b", "c", "d", "e"]);
        for bad in ["", "[]", "{", "{}{}", "\u{1f600}"] {
            assert!(matches!(problems(&file(bad, 0))[..], [TensorProblem::BadHeader { .. }]), "{bad}");
        }
    }

    #[test]
    fn overlaps_holes_and_wrong_sizes_come_together() {
        let header = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
            "b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},
            "c":{"dtype":"F16","shape":[3],"data_offsets":[16,24]}}"#;
        assert_eq!(
            problems(&file(header, 30)),
            [
                TensorProblem::SizeMismatch {
                    name: "c".into(),
                    dtype: "F16",
                    shape: vec![3],
                    expected: 6,
                    found: 8
                },
                TensorProblem::Overlap { first: "a".into(), second: "b".into(), n_bytes: 4 },
                TensorProblem::Hole { begin: 12, end: 16 },
                TensorProblem::Hole { begin: 24, end: 30 },
            ]
        );
        let huge = format!(
            r#"{{"a":{{"dtype":"F32","shape":[{0},{0}],"data_offsets":[0,8]}}}}"#,
            u64::from(u32::MAX)
        );
        assert!(!problems(&file(&huge, 8)).is_empty());
    }

    #[test]
    fn a_cut_off_file_is_one_problem() {
        let bytes = file(TWO, 10);
        assert_eq!(
            problems(&bytes),
            [TensorProblem::Truncated { needed: 20, available: 10, n_tensors: 2, first: "b".into() }]
        );
    }

    #[test]
    fn values_that_are_not_finite_are_counted() {
        let mut bytes = file(TWO, 20);
        let start = bytes.len() - 20;
        bytes[start + 4..start + 8].copy_from_slice(&f32::NAN.to_le_bytes());
        bytes[start + 8..start + 10].copy_from_slice(&0xff80u16.to_le_bytes());
        let not_finite = |name: &str, first, value: &str| TensorProblem::NotFinite {
            name: name.into(),
            count: 1,
            first,
            value: value.into(),
        };
        assert_eq!(problems(&bytes), [not_finite("a", 1, "NaN"), not_finite("b", 0, "-inf")]);
    }
}
