//! A batch on the device: memory for the largest one, filled anew for every step.

use crate::data::PackedBatch;
use crate::gpu::{Device, Dim, GpuError, Resident, Sizes, Slice};
use crate::ops::attention::Pairing;
use crate::ops::gather::{RowNumbers, links};

/// What a model wants of its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputLayout {
    /// Tokens of the longest sequence it takes.
    pub max_length: usize,
    /// Row of the position embedding that the first token of a sequence uses.
    pub first_position: u32,
    /// Whether tokens see only what stands before them.
    pub is_causal: bool,
}

impl From<usize> for InputLayout {
    /// Positions from 0, every token seeing all.
    fn from(max_length: usize) -> Self {
        Self { max_length, first_position: 0, is_causal: false }
    }
}

/// The arrays of a packed batch of up to T tokens in B sequences, with up to P predicted positions.
#[derive(Debug)]
pub struct BatchInputs {
    device: Device,
    capacity: Sizes,
    layout: InputLayout,
    words: Numbers,
    segments: Numbers,
    positions: Numbers,
    first: Numbers,
    last: Numbers,
    targets: Numbers,
    all_ranges: Resident,
    all_key_ranges: Resident,
    single_ranges: Resident,
    single_key_ranges: Resident,
    causal: Option<CausalRanges>,
    labels: Resident,
    scores: Resident,
}

/// Who asks whom where no token sees a later one.
#[derive(Debug)]
struct CausalRanges {
    ranges: Resident,
    key_ranges: Resident,
}

/// Row numbers on the device, with room for so many.
#[derive(Debug)]
pub(super) struct Numbers {
    ids: Resident,
    links: Resident,
}

impl Numbers {
    pub(super) fn new(device: &Device, label: &str, len: usize) -> Result<Self, GpuError> {
        let links = device.create(&format!("{label} links"), len * 2)?;
        Ok(Self { ids: device.create(label, len)?, links })
    }

    pub(super) fn write(&self, device: &Device, ids: &[u32]) {
        device.write(&self.ids, 0, ids);
        device.write(&self.links, 0, &links(ids));
    }

    pub(super) fn rows(&self, rows: Dim) -> RowNumbers {
        use crate::gpu::Extent;
        let (ids, links) = (Extent::new(rows, 1), Extent::new(rows, 2));
        RowNumbers { ids: self.ids.slice(0, ids), links: self.links.slice(0, links), rows }
    }
}

impl CausalRanges {
    fn new(device: &Device, tokens: usize) -> Result<Self, GpuError> {
        let ranges = device.create("causal ranges", tokens * 2)?;
        Ok(Self { ranges, key_ranges: device.create("causal key ranges", tokens * 4)? })
    }
}

impl BatchInputs {
    /// Memory for batches up to `capacity` whose sequences have at most `layout.max_length` tokens.
    ///
    /// # Errors
    /// Memory errors of the device.
    pub fn new(device: &Device, capacity: Sizes, layout: InputLayout) -> Result<Self, GpuError> {
        let Sizes { tokens, sequences, targets } = capacity;
        Ok(Self {
            words: Numbers::new(device, "input_ids", tokens)?,
            segments: Numbers::new(device, "token_type_ids", tokens)?,
            positions: Numbers::new(device, "position_ids", tokens)?,
            first: Numbers::new(device, "first tokens", sequences)?,
            last: Numbers::new(device, "last tokens", sequences)?,
            targets: Numbers::new(device, "predicted positions", targets)?,
            all_ranges: device.create("ranges", tokens * 2)?,
            all_key_ranges: device.create("key ranges", tokens * 4)?,
            single_ranges: device.create("single ranges", sequences * 2)?,
            single_key_ranges: device.create("single key ranges", tokens * 4)?,
            causal: layout.is_causal.then(|| CausalRanges::new(device, tokens)).transpose()?,
            labels: device.create("labels", sequences.max(targets))?,
            scores: device.create("scores", sequences)?,
            device: device.clone(),
            capacity,
            layout,
        })
    }

    /// The largest batch it holds.
    #[must_use]
    pub fn capacity(&self) -> Sizes {
        self.capacity
    }

    /// Fills the arrays from a batch; gives its sizes. `masked` are predicted positions and their true tokens.
    ///
    /// # Panics
    /// If the batch exceeds the capacity.
    pub fn write(&self, batch: &PackedBatch, masked: Option<(&[u32], &[u32])>) -> Sizes {
        let (targets, tokens) = masked.unwrap_or_default();
        let sizes =
            Sizes { tokens: batch.n_tokens(), sequences: batch.n_sequences(), targets: targets.len() };
        assert!(sizes.fit(&self.capacity), "a batch of {sizes:?} exceeds {:?}", self.capacity);
        self.words.write(&self.device, &batch.input_ids);
        self.segments.write(&self.device, &batch.token_type_ids);
        let first = self.layout.first_position;
        let positions: Vec<u32> = batch.position_ids.iter().map(|position| position + first).collect();
        self.positions.write(&self.device, &positions);
        self.first.write(&self.device, &batch.offsets[..sizes.sequences]);
        let last: Vec<u32> = batch.offsets[1..].iter().map(|end| end - 1).collect();
        self.last.write(&self.device, &last);
        self.write_ranges(&batch.offsets);
        if masked.is_some() {
            self.targets.write(&self.device, targets);
            self.device.write(&self.labels, 0, tokens);
        } else {
            self.device.write(&self.labels, 0, &batch.classes);
            self.device.write(&self.scores, 0, &batch.targets);
        }
        sizes
    }

    fn write_ranges(&self, offsets: &[u32]) {
        let tokens = offsets.last().map_or(0, |&end| end as usize);
        let (mut ranges, mut key_ranges) = (Vec::with_capacity(tokens * 2), Vec::with_capacity(tokens * 4));
        let (mut single_ranges, mut single_key_ranges) = (Vec::new(), Vec::with_capacity(tokens * 4));
        for (sequence, pair) in (0u32..).zip(offsets.windows(2)) {
            let &[start, end] = pair else { continue };
            single_ranges.extend([start, end]);
            for _ in start..end {
                ranges.extend([start, end]);
                key_ranges.extend([start, end, start, 0]);
                single_key_ranges.extend([sequence, sequence + 1, start, 0]);
            }
        }
        self.device.write(&self.all_ranges, 0, &ranges);
        self.device.write(&self.all_key_ranges, 0, &key_ranges);
        self.device.write(&self.single_ranges, 0, &single_ranges);
        self.device.write(&self.single_key_ranges, 0, &single_key_ranges);
        if let Some(causal) = &self.causal {
            let [ranges, key_ranges] = causal_ranges(offsets);
            self.device.write(&causal.ranges, 0, &ranges);
            self.device.write(&causal.key_ranges, 0, &key_ranges);
        }
    }

    /// Token ids, (T).
    #[must_use]
    pub fn words(&self) -> RowNumbers {
        self.words.rows(Dim::Tokens)
    }

    /// Segment of every token, (T).
    #[must_use]
    pub fn segments(&self) -> RowNumbers {
        self.segments.rows(Dim::Tokens)
    }

    /// Place of every token in its sequence, (T).
    #[must_use]
    pub fn positions(&self) -> RowNumbers {
        self.positions.rows(Dim::Tokens)
    }

    /// First token of every sequence, (B).
    #[must_use]
    pub fn first(&self) -> RowNumbers {
        self.first.rows(Dim::Sequences)
    }

    /// Last token of every sequence, (B).
    #[must_use]
    pub fn last(&self) -> RowNumbers {
        self.last.rows(Dim::Sequences)
    }

    /// Predicted positions, (P).
    #[must_use]
    pub fn targets(&self) -> RowNumbers {
        self.targets.rows(Dim::Targets)
    }

    /// Every token asks all tokens of its sequence.
    #[must_use]
    pub fn all_pairs(&self) -> Pairing {
        self.pairing(&self.all_ranges, Dim::Tokens, &self.all_key_ranges)
    }

    /// One token of every sequence asks all tokens of its sequence.
    #[must_use]
    pub fn single_pairs(&self) -> Pairing {
        self.pairing(&self.single_ranges, Dim::Sequences, &self.single_key_ranges)
    }

    /// Every token asks the tokens of its sequence up to itself.
    ///
    /// # Panics
    /// If the layout is not causal: whoever makes the inputs knows the model.
    #[must_use]
    pub fn causal_pairs(&self) -> Pairing {
        let Some(causal) = &self.causal else { unreachable!("a causal model has causal inputs") };
        self.pairing(&causal.ranges, Dim::Tokens, &causal.key_ranges)
    }

    fn pairing(&self, ranges: &Resident, rows: Dim, key_ranges: &Resident) -> Pairing {
        use crate::gpu::Extent;
        Pairing {
            ranges: ranges.slice(0, Extent::new(rows, 2)),
            key_ranges: key_ranges.slice(0, Extent::new(Dim::Tokens, 4)),
            key_stride: self.layout.max_length,
        }
    }

    /// Classes of the sequences, (B), or true tokens of the predicted positions, (P).
    #[must_use]
    pub fn labels(&self, rows: Dim) -> Slice {
        self.labels.slice(0, crate::gpu::Extent { dim: rows, per: 1 })
    }

    /// Scores of the sequences, (B).
    #[must_use]
    pub fn scores(&self) -> Slice {
        self.scores.slice(0, crate::gpu::Extent { dim: Dim::Sequences, per: 1 })
    }
}

/// Ranges and key ranges of causal attention over the sequences between `offsets`; see [`Pairing`].
fn causal_ranges(offsets: &[u32]) -> [Vec<u32>; 2] {
    let [mut ranges, mut key_ranges] = [Vec::new(), Vec::new()];
    for pair in offsets.windows(2) {
        let &[start, end] = pair else { continue };
        for token in start..end {
            ranges.extend([start, token + 1]);
            key_ranges.extend([token, end, start, 0]);
        }
    }
    [ranges, key_ranges]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causal_ranges_end_and_begin_at_the_token() {
        let [ranges, key_ranges] = causal_ranges(&[0, 2, 5]);
        assert_eq!(ranges, [0, 1, 0, 2, 2, 3, 2, 4, 2, 5]);
        assert_eq!(
            key_ranges,
            [[0, 2, 0, 0], [1, 2, 0, 0], [2, 5, 2, 0], [3, 5, 2, 0], [4, 5, 2, 0]].concat()
        );
    }
}
