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
