//! Weights that stay where they are until they are needed: in a file, read row by row, or in memory.
//!
//! A model is so never held twice: what the device needs goes there piece by piece, and only what a calculation on the
//! host asks for (one matrix for Ω, an export) is read as a whole, for as long as it is used.

use std::{collections::BTreeMap, convert::Infallible, fmt, ops::Range, rc::Rc};

use sha2::{Digest, Sha256};

use super::error::TensorProblem;
use super::hash::hexadecimal;
use super::safetensors_read::{Entry, Header};
use super::{Blocks, Checkpoint, HostTensor, NamedTensors, Shaped};
use crate::nn::parameters::matrix_shape;
use crate::source::{ByteSource, SourceError};

/// Bytes read at once.
const PIECE: u64 = 4 << 20;

/// One tensor in a file.
#[derive(Clone)]
pub struct FileTensor {
    source: Rc<dyn ByteSource>,
    entry: Entry,
    /// Position of its first byte in the file.
    start: u64,
}

/// One tensor, wherever it is.
#[derive(Clone, Debug)]
pub enum StoredTensor {
    /// In memory.
    Memory(HostTensor),
    /// In a file.
    File(FileTensor),
    /// A block of another tensor, with the axes of a matrix exchanged; its rows lie scattered, so it is read as a whole.
    Block {
        /// The other tensor.
        of: Rc<StoredTensor>,
        /// Which block along its last axis.
        block: usize,
        /// Of how many.
        n_blocks: usize,
        /// The shape of the block.
        shape: Vec<usize>,
    },
}

impl fmt::Debug for FileTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileTensor").field("entry", &self.entry).finish_non_exhaustive()
    }
}

impl Shaped for StoredTensor {
    fn shape(&self) -> &[usize] {
        match self {
            Self::Memory(tensor) => &tensor.shape,
            Self::File(tensor) => &tensor.entry.shape,
            Self::Block { shape, .. } => shape,
        }
    }
}

impl Blocks for StoredTensor {
    fn block(&self, block: usize, n_blocks: usize) -> Self {
        if let Self::Memory(tensor) = self {
            return Self::Memory(tensor.block(block, n_blocks));
        }
        let shape = match *self.shape() {
            [d_in, columns] => vec![columns / n_blocks, d_in],
            ref vector => vec![vector.iter().product::<usize>() / n_blocks],
        };
        Self::Block { of: Rc::new(self.clone()), block, n_blocks, shape }
    }
}

impl StoredTensor {
    /// Values in all.
    #[must_use]
    pub fn n_values(&self) -> usize {
        self.shape().iter().product()
    }

    /// Consecutive rows as f32, a vector being one row.
    ///
    /// # Errors
    /// If the file cannot be read any more.
    pub async fn rows(&self, rows: Range<usize>) -> Result<Vec<f32>, SourceError> {
        let cols = matrix_shape(self.shape()).1;
        match self {
            Self::Memory(tensor) => Ok(tensor.data[rows.start * cols..rows.end * cols].to_vec()),
            Self::File(tensor) => tensor.values((rows.start * cols) as u64..(rows.end * cols) as u64).await,
            Self::Block { .. } => {
                let whole = Box::pin(self.read()).await?;
                Ok(whole.data[rows.start * cols..rows.end * cols].to_vec())
            }
        }
    }

    /// Whether consecutive rows can be read without reading the rest.
    #[must_use]
    pub fn has_rows(&self) -> bool {
        !matches!(self, Self::Block { .. })
    }

    /// The whole tensor.
    ///
    /// # Errors
    /// If the file cannot be read any more.
    pub async fn read(&self) -> Result<HostTensor, SourceError> {
        if let Self::Block { of, block, n_blocks, .. } = self {
            return Ok(Box::pin(of.read()).await?.block(*block, *n_blocks));
        }
        let (n_rows, cols) = matrix_shape(self.shape());
        let mut data = Vec::with_capacity(n_rows * cols);
        for rows in pieces(n_rows, cols) {
            data.extend(self.rows(rows).await?);
        }
        Ok(HostTensor { shape: self.shape().to_vec(), data })
    }
}

impl FileTensor {
    async fn values(&self, values: Range<u64>) -> Result<Vec<f32>, SourceError> {
        let size = self.entry.dtype.n_bytes();
        let range = self.start + values.start * size..self.start + values.end * size;
        let bytes = self.source.read(range).await?;
        let decoded = self.entry.dtype.decode(&bytes);
        decoded.ok_or_else(|| SourceError(format!("`{}` holds no weights", self.entry.name)))
    }
}

/// Row ranges of a matrix, each small enough to be read at once.
pub fn pieces(n_rows: usize, cols: usize) -> impl Iterator<Item = Range<usize>> {
    let per_piece = (PIECE as usize / 4 / cols.max(1)).max(1);
    (0..n_rows).step_by(per_piece).map(move |start| start..(start + per_piece).min(n_rows))
}

/// Where a placement takes its pretrained parameters from.
#[expect(async_fn_in_trait, reason = "the engine stays on one thread, its futures need not be Send")]
pub trait TensorSource {
    /// Why a read fails.
    type Error;

    /// Names and shapes.
    fn shapes(&self) -> Vec<(String, Vec<usize>)>;

    /// Whether consecutive rows of a tensor can be read without reading the rest.
    fn has_rows(&self, name: &str) -> bool;

    /// Consecutive rows of a tensor, a vector being one row.
    ///
    /// # Errors
    /// If the file cannot be read any more.
    async fn rows(&self, name: &str, rows: Range<usize>) -> Result<Vec<f32>, Self::Error>;
}

impl TensorSource for NamedTensors {
    type Error = Infallible;

    fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone())).collect()
    }

    fn has_rows(&self, _: &str) -> bool {
        true
    }

    async fn rows(&self, name: &str, rows: Range<usize>) -> Result<Vec<f32>, Infallible> {
        let tensor = &self[name];
        let cols = matrix_shape(&tensor.shape).1;
        Ok(tensor.data[rows.start * cols..rows.end * cols].to_vec())
    }
}

/// Tensors by name, wherever they are.
#[derive(Clone, Debug, Default)]
pub struct Weights(pub BTreeMap<String, StoredTensor>);

impl TensorSource for Weights {
    type Error = SourceError;

    fn shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.0.iter().map(|(name, tensor)| (name.clone(), tensor.shape().to_vec())).collect()
    }

    fn has_rows(&self, name: &str) -> bool {
        self.0[name].has_rows()
    }

    async fn rows(&self, name: &str, rows: Range<usize>) -> Result<Vec<f32>, SourceError> {
        self.0[name].rows(rows).await
    }
}

impl Weights {
    /// One tensor as a whole.
    ///
    /// # Errors
    /// If the file cannot be read any more.
    pub async fn read(&self, name: &str) -> Result<HostTensor, SourceError> {
        self.0[name].read().await
    }

    /// All tensors whose names are wanted, as a whole.
    ///
    /// # Errors
    /// If the file cannot be read any more.
    pub async fn read_where(&self, wanted: impl Fn(&str) -> bool) -> Result<NamedTensors, SourceError> {
        let mut tensors = NamedTensors::new();
        for (name, tensor) in self.0.iter().filter(|(name, _)| wanted(name)) {
            tensors.insert(name.clone(), tensor.read().await?);
        }
        Ok(tensors)
    }
}

/// What a first pass over a weight file found out.
pub struct Opened {
    /// Its tensors, still in the file.
    pub checkpoint: Checkpoint<StoredTensor>,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// Why a weight file cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// What is wrong with it.
    #[error(transparent)]
    Contents(#[from] super::error::CheckpointError),
    /// It cannot be read.
    #[error("{file}: {source}")]
    Source {
        /// Its name.
        file: String,
        /// Why not.
        source: SourceError,
    },
}

/// Checks a whole safetensors file in one pass of small pieces: header, every value, hash. `on_read` is told of the
/// bytes read each time.
///
/// # Errors
/// Everything that is wrong with the file.
pub async fn open_safetensors(
    file: &str,
    source: &Rc<dyn ByteSource>,
    on_read: &mut dyn FnMut(u64),
) -> Result<Opened, OpenError> {
    let failed = |source| OpenError::Source { file: file.to_owned(), source };
    let n_bytes = source.len();
    let first = source.read(0..n_bytes.min(8)).await.map_err(failed)?;
    let data_start = Header::n_bytes(file, &first, n_bytes)?;
    let head = source.read(0..data_start).await.map_err(failed)?;
    let header = Header::parse(file, &head, n_bytes)?;
    let mut hash = Sha256::new_with_prefix(&head);
    let mut problems = Vec::new();
    let (file, metadata) = (file.to_owned(), header.metadata.clone());
    let mut checkpoint = Checkpoint { file, metadata, tensors: BTreeMap::new(), skipped: BTreeMap::new() };
    // The header was checked to cover the data without gaps and in this order, so that the hash is that of the file.
    for entry in &header.entries {
        let start = data_start + entry.begin;
        let tensor = FileTensor { source: source.clone(), entry: entry.clone(), start };
        match check_values(&tensor, &mut hash, on_read).await.map_err(failed)? {
            Some(problem) => problems.push(problem),
            None if !entry.dtype.holds_weights() => {
                checkpoint.skipped.insert(entry.name.clone(), entry.dtype);
            }
            None => drop(checkpoint.tensors.insert(entry.name.clone(), StoredTensor::File(tensor))),
        }
    }
    let sha256 = hexadecimal(&hash.finalize());
    let file = checkpoint.file.clone();
    let opened = Opened { checkpoint, sha256 };
    Ok(super::error::CheckpointError::check(&file, problems, opened)?)
}

/// Hashes the bytes of one tensor and looks for values that are not finite.
async fn check_values(
    tensor: &FileTensor,
    hash: &mut Sha256,
    on_read: &mut dyn FnMut(u64),
) -> Result<Option<TensorProblem>, SourceError> {
    let (mut count, mut first) = (0, None);
    let end = tensor.start + tensor.entry.end - tensor.entry.begin;
    for begin in (tensor.start..end).step_by(PIECE as usize) {
        let bytes = tensor.source.read(begin..(begin + PIECE).min(end)).await?;
        hash.update(&bytes);
        on_read(bytes.len() as u64);
        let values = tensor.entry.dtype.decode(&bytes).unwrap_or_default();
        let offset = ((begin - tensor.start) / tensor.entry.dtype.n_bytes()) as usize;
        for (i, value) in values.iter().enumerate().filter(|(_, value)| !value.is_finite()) {
            count += 1;
            first.get_or_insert_with(|| (offset + i, value.to_string()));
        }
    }
    let name = tensor.entry.name.clone();
    Ok(first.map(|(first, value)| TensorProblem::NotFinite { name, count, first, value }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::checkpoint::hash::sha256_hex;
    use crate::checkpoint::write::write_named;
    use crate::source::Reading;
    use std::cell::Cell;

    /// Bytes that remember the largest piece that was asked for.
    struct Watched(Vec<u8>, Cell<u64>);

    impl ByteSource for Watched {
        fn len(&self) -> u64 {
            self.0.len() as u64
        }

        fn read(&self, range: Range<u64>) -> Reading<'_> {
            self.1.set(self.1.get().max(range.end - range.start));
            self.0.read(range)
        }
    }

    fn tensors(rows: usize) -> NamedTensors {
        let data = (0..rows * 1024).map(|i| i as f32 * 0.5 - 7.0).collect();
        let large = HostTensor { shape: vec![rows, 1024], data };
        let small = HostTensor { shape: vec![3], data: vec![1.0, -2.0, 3.0] };
        [("large".to_owned(), large), ("small".to_owned(), small)].into()
    }

    fn open(bytes: Vec<u8>) -> (Result<Opened, OpenError>, Rc<Watched>) {
        let watched = Rc::new(Watched(bytes, Cell::new(0)));
        let source: Rc<dyn ByteSource> = watched.clone();
        (pollster::block_on(open_safetensors("m.safetensors", &source, &mut |_| ())), watched)
    }

    #[test]
    fn a_large_file_is_checked_and_read_in_small_pieces() {
        let expected = tensors(3000);
        let bytes = write_named(&expected);
        let sha256 = sha256_hex(&bytes);
        let (opened, watched) = open(bytes);
        let opened = opened.unwrap();
        assert_eq!(opened.sha256, sha256);
        let weights = Weights(opened.checkpoint.tensors);
        assert_eq!(pollster::block_on(weights.read_where(|_| true)).unwrap(), expected);
        let row = pollster::block_on(TensorSource::rows(&weights, "large", 2999..3000)).unwrap();
        assert_eq!(row, expected["large"].data[2999 * 1024..]);
        assert!(watched.1.get() <= PIECE, "{} bytes at once", watched.1.get());
    }

    #[test]
    fn values_that_are_not_finite_are_counted_over_all_pieces() {
        let mut bad = tensors(2000);
        let data = &mut bad.get_mut("large").unwrap().data;
        (data[5], data[1_500_000]) = (f32::NAN, f32::INFINITY);
        let Err(OpenError::Contents(error)) = open(write_named(&bad)).0 else { panic!("NaN was accepted") };
        let [TensorProblem::NotFinite { name, count, first, .. }] = error.problems.as_slice() else {
            panic!("{error}")
        };
        assert_eq!((name.as_str(), *count, *first), ("large", 2, 5));
    }
}
