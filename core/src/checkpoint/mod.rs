//! Named tensors as files: reading with every size checked, and writing. Knows no model.

use std::collections::BTreeMap;

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
