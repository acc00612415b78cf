//! What can be wrong with a file of tensors, in words that say what to do.

use thiserror::Error;

/// Everything that is wrong with one weight file (or one set of shards), found in a single pass.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{}", sentences(.problems, .file))]
pub struct CheckpointError {
    /// Name of the file, as the user knows it.
    pub file: String,
    /// Every problem, in the order of discovery; never empty.
    pub problems: Vec<TensorProblem>,
}

impl CheckpointError {
    /// An error with a single problem.
    #[must_use]
    pub fn one(file: &str, problem: TensorProblem) -> Self {
        Self { file: file.to_owned(), problems: vec![problem] }
    }

    /// `Ok(value)` if there are no problems.
    ///
    /// # Errors
    /// All of `problems`, if there are any.
    pub fn check<T>(file: &str, problems: Vec<TensorProblem>, value: T) -> Result<T, Self> {
        if problems.is_empty() { Ok(value) } else { Err(Self { file: file.to_owned(), problems }) }
    }
}

/// One line per problem, the file last.
fn sentences(problems: &[TensorProblem], file: &str) -> String {
    problems.iter().map(|problem| format!("{problem} ({file})")).collect::<Vec<_>>().join("\n")
}

/// One thing wrong with a weight file.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TensorProblem {
    /// The folder offers only pickled weights.
    #[error(
        "pickled PyTorch weights are not read, because unpickling can run any code: \
         save the model again as model.safetensors (save_pretrained does so by default)"
    )]
    Pickle,
    /// The folder holds no weights.
    #[error("no weights: expected model.safetensors, or model.safetensors.index.json with its shards")]
    NoWeights,
    /// Too short to hold even the length of a header.
    #[error(
        "only {n_bytes} bytes: a safetensors file begins with 8 bytes of header length; is the download complete?"
    )]
    TooShort {
        /// Bytes in the file.
        n_bytes: u64,
    },
    /// The header claims to be larger than the format allows.
    #[error(
        "header of {declared} bytes is above the limit of {limit}: this is not a safetensors file, or it is damaged"
    )]
    HeaderTooLarge {
        /// The length in the first eight bytes.
        declared: u64,
        /// The largest length accepted.
        limit: u64,
    },
    /// The header does not fit in the file.
    #[error("header of {declared} bytes, but only {available} bytes follow: the file is cut off or damaged")]
    HeaderBeyondFile {
        /// The length in the first eight bytes.
        declared: u64,
        /// Bytes after the first eight.
        available: u64,
    },
    /// The header is not the JSON object it should be.
    #[error("header is not valid: {reason}")]
    BadHeader {
        /// What the parser says.
        reason: String,
    },
    /// The same name twice in the header.
    #[error("tensor `{name}` appears more than once in the header")]
    DuplicateName {
        /// The tensor.
        name: String,
    },
    /// An entry of the header that is not a tensor description.
    #[error("tensor `{name}` is described wrongly: {reason}")]
    BadEntry {
        /// The tensor.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Offsets that do not fit data type and shape.
    #[error("tensor `{name}`: {dtype} of shape {shape:?} takes {expected} bytes, its offsets span {found}")]
    SizeMismatch {
        /// The tensor.
        name: String,
        /// Its data type.
        dtype: &'static str,
        /// Its shape.
        shape: Vec<usize>,
        /// Bytes that data type and shape need.
        expected: u64,
        /// Bytes between the offsets.
        found: u64,
    },
    /// Offsets past the end of the file.
    #[error(
        "file is cut off: its header describes {needed} bytes of data, {available} are there; \
         {n_tensors} tensors are incomplete, the first is `{first}`"
    )]
    Truncated {
        /// Bytes of data the header describes.
        needed: u64,
        /// Bytes of data in the file.
        available: u64,
        /// How many tensors end beyond the file.
        n_tensors: usize,
        /// The first of them by position.
        first: String,
    },
    /// Two tensors share bytes.
    #[error("tensors `{first}` and `{second}` overlap by {n_bytes} bytes")]
    Overlap {
        /// The earlier tensor.
        first: String,
        /// The later one.
        second: String,
        /// Bytes in common.
        n_bytes: u64,
    },
    /// Bytes that belong to no tensor.
    #[error("bytes {begin} to {end} of the data belong to no tensor")]
    Hole {
        /// First unused byte of the data.
        begin: u64,
        /// The byte after the last unused one.
        end: u64,
    },
    /// A data type whose values cannot be used.
    #[error("tensor `{name}` has data type {found}, expected {expected}")]
    WrongDtype {
        /// The tensor.
        name: String,
        /// Its data type.
        found: String,
        /// The usable ones.
        expected: &'static str,
    },
    /// NaN or infinite weights.
    #[error("tensor `{name}` holds {count} values that are not finite, the first ({value}) at index {first}")]
    NotFinite {
        /// The tensor.
        name: String,
        /// How many values are NaN or infinite.
        count: usize,
        /// Flat index of the first.
        first: usize,
        /// The first value, as text (`NaN`, `inf` or `-inf`).
        value: String,
    },
    /// A parameter the model needs and the file lacks.
    #[error("tensor `{name}` of shape {shape:?} is missing")]
    Missing {
        /// The parameter.
        name: String,
        /// The shape it should have.
        shape: Vec<usize>,
    },
    /// A parameter of another shape than the model needs.
    #[error("tensor `{name}` has shape {found:?}, expected {expected:?}")]
    WrongShape {
        /// The tensor, as the file names it.
        name: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// The shape the model needs.
        expected: Vec<usize>,
    },
    /// Several tensors of the file mean the same parameter.
    #[error("parameter `{name}` is in the file more than once, as {}", .found.join(", "))]
    Ambiguous {
        /// The parameter.
        name: String,
        /// The names in the file.
        found: Vec<String>,
    },
    /// A shard named by the index that was not given.
    #[error("shard `{shard}` is missing: {n_tensors} tensors are in it")]
    MissingShard {
        /// File name of the shard.
        shard: String,
        /// Tensors the index places there.
        n_tensors: usize,
    },
    /// A tensor that is not where the index says.
    #[error("tensor `{name}` is not in shard `{shard}`, where the index places it")]
    NotInShard {
        /// The tensor.
        name: String,
        /// File name of the shard.
        shard: String,
    },
    /// An index that is not valid.
    #[error("shard index is not valid: {reason}")]
    BadIndex {
        /// What is wrong.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_each_problem_with_the_file_last() {
        let error = CheckpointError {
            file: "model.safetensors".into(),
            problems: vec![
                TensorProblem::Missing { name: "a".into(), shape: vec![2, 3] },
                TensorProblem::TooShort { n_bytes: 3 },
            ],
        };
        let text = error.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "tensor `a` of shape [2, 3] is missing (model.safetensors)");
        assert!(lines[1].starts_with("only 3 bytes") && lines[1].ends_with("(model.safetensors)"));
        assert_eq!(lines.len(), 2);
    }
}
