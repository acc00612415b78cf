//! Named tensors as files: reading with every size checked, and writing. Knows no model.

pub mod dtype;
pub mod error;
pub mod hash;
pub mod load;
pub mod safetensors_read;
pub mod shards;
pub mod weights;
pub mod write;

use std::collections::BTreeMap;

use dtype::Dtype;

/// One tensor on the host, row-major, as f32 whatever the file held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostTensor {
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// The values; their number is the product of `shape`.
    pub data: Vec<f32>,
}

/// Tensors by name, in a fixed order.
pub type NamedTensors = BTreeMap<String, HostTensor>;

/// Something with a shape: a tensor, wherever its values are.
pub trait Shaped {
    /// Sizes, outermost first.
    fn shape(&self) -> &[usize];
}

impl Shaped for HostTensor {
    fn shape(&self) -> &[usize] {
        &self.shape
    }
}

/// A tensor of a file of which a block can be taken.
pub trait Blocks: Shaped + Clone {
    /// The block of a `Conv1D` as a parameter: of a matrix (d_in, n_blocks · d_out) its (d_out, d_in), of a vector its part.
    #[must_use]
    fn block(&self, block: usize, n_blocks: usize) -> Self;
}

impl Blocks for HostTensor {
    fn block(&self, block: usize, n_blocks: usize) -> Self {
        let n_columns = self.shape.last().copied().unwrap_or(1);
        let (width, start) = (n_columns / n_blocks, block * (n_columns / n_blocks));
        let data = (start..start + width)
            .flat_map(|column| self.data.iter().skip(column).step_by(n_columns).copied())
            .collect();
        let shape = match self.shape.as_slice() {
            [d_in, _] => vec![width, *d_in],
            _ => vec![width],
        };
        Self { shape, data }
    }
}

/// The contents of a weight file; `T` says where the values are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint<T = HostTensor> {
    /// Name of the file, for messages.
    pub file: String,
    /// All tensors that can hold weights.
    pub tensors: BTreeMap<String, T>,
    /// Tensors of other types, whose values were not read.
    pub skipped: BTreeMap<String, Dtype>,
    /// The file's own metadata.
    pub metadata: BTreeMap<String, String>,
}

impl<T: Shaped> Checkpoint<T> {
    /// Types and shapes by name. Values are f32 here, whatever the file held; skipped tensors have no shape.
    #[must_use]
    pub fn shapes(&self) -> load::FoundShapes {
        let read =
            self.tensors.iter().map(|(name, tensor)| (name.clone(), (Dtype::F32, tensor.shape().to_vec())));
        let skipped = self.skipped.iter().map(|(name, &dtype)| (name.clone(), (dtype, Vec::new())));
        read.chain(skipped).collect()
    }
}
