//! One step of generation on the device: the new tokens, and the pools of keys and values that remember the old ones.

use crate::generate::cache_rows::CacheStep;
use crate::gpu::{Device, Dim, Extent, GpuError, Resident, Sizes, Slice};
use crate::nn::inputs::Numbers;
use crate::ops::cache::CachedPairing;
use crate::ops::gather::RowNumbers;

/// How much is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheShape {
    /// Numbers of one key or value, layer by layer: H · D of the heads that are left.
    pub widths: Vec<usize>,
    /// Rows of every pool.
    pub n_rows: usize,
    /// Most keys of a sequence, those of the prefix counted.
    pub max_keys: usize,
    /// Rows of the prefix, the first ones of every pool.
    pub n_prefix: usize,
}

/// The arrays of a step with up to T new tokens in B sequences.
#[derive(Debug)]
pub struct CachedInputs {
    device: Device,
    capacity: Sizes,
    max_keys: usize,
    words: Numbers,
    positions: Numbers,
    last: Numbers,
    rows: Resident,
    places: Resident,
    key_rows: Resident,
    prefix_rows: Resident,
    n_prefix: usize,
    pools: Vec<[Resident; 2]>,
}

impl CachedInputs {
    /// Memory for steps up to `capacity`.
    ///
    /// # Errors
    /// Memory errors of the device.
    pub fn new(device: &Device, capacity: Sizes, shape: &CacheShape) -> Result<Self, GpuError> {
        let Sizes { tokens, sequences, .. } = capacity;
        let pool = |name: &str, width: usize| device.create(name, shape.n_rows * width);
        let pools = shape
            .widths
            .iter()
            .map(|&width| Ok([pool("cached keys", width)?, pool("cached values", width)?]));
        let prefix_rows = device.create("prefix rows", shape.n_prefix.max(1))?;
        let numbers: Vec<u32> = (0..shape.n_prefix as u32).collect();
        device.write(&prefix_rows, 0, &numbers);
        Ok(Self {
            words: Numbers::new(device, "input_ids", tokens)?,
            positions: Numbers::new(device, "position_ids", tokens)?,
            last: Numbers::new(device, "last tokens", sequences)?,
            rows: device.create("cache rows", tokens)?,
            places: device.create("places", tokens * 2)?,
            key_rows: device.create("key rows", sequences * shape.max_keys)?,
            pools: pools.collect::<Result<_, GpuError>>()?,
            prefix_rows,
            n_prefix: shape.n_prefix,
            device: device.clone(),
            capacity,
            max_keys: shape.max_keys,
        })
    }

    /// The largest step it holds.
    #[must_use]
    pub fn capacity(&self) -> Sizes {
        self.capacity
    }

    /// Fills the arrays; gives the sizes of the step.
    ///
    /// # Panics
    /// If the step exceeds the capacity.
    #[must_use]
    pub fn write(&self, step: &CacheStep) -> Sizes {
        let sizes = Sizes { tokens: step.input_ids.len(), sequences: step.last.len(), targets: 0 };
        assert!(sizes.fit(&self.capacity), "a step of {sizes:?} exceeds {:?}", self.capacity);
        self.words.write(&self.device, &step.input_ids);
        self.positions.write(&self.device, &step.position_ids);
        self.last.write(&self.device, &step.last);
        self.device.write(&self.rows, 0, &step.rows);
        self.device.write(&self.places, 0, &step.places);
        self.device.write(&self.key_rows, 0, &step.key_rows);
        sizes
    }

    /// Token ids, (T).
    #[must_use]
    pub fn words(&self) -> RowNumbers {
        self.words.rows(Dim::Tokens)
    }

    /// Position of every token, (T).
    #[must_use]
    pub fn positions(&self) -> RowNumbers {
        self.positions.rows(Dim::Tokens)
    }

    /// Last new token of every sequence, (B).
    #[must_use]
    pub fn last(&self) -> RowNumbers {
        self.last.rows(Dim::Sequences)
    }

    /// Rows of the pools where the new keys and values go, (T).
    #[must_use]
    pub fn rows(&self) -> Slice {
        self.rows.slice(0, Extent::new(Dim::Tokens, 1))
    }

    /// Rows of the pools where the keys and values of the prefix go, (P).
    #[must_use]
    pub fn prefix_rows(&self) -> Slice {
        self.prefix_rows.slice(0, self.n_prefix)
    }

    /// Pools of keys and of values of a layer.
    #[must_use]
    pub fn pools(&self, layer: usize) -> [Slice; 2] {
        self.pools[layer].each_ref().map(Resident::whole)
    }

    /// Who meets which cached rows.
    #[must_use]
    pub fn pairing(&self) -> CachedPairing {
        CachedPairing {
            key_rows: self.key_rows.slice(0, Extent::new(Dim::Sequences, self.max_keys)),
            max_keys: self.max_keys,
            places: self.places.slice(0, Extent::new(Dim::Tokens, 2)),
        }
    }
}
