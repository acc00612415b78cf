//! The logits of the next word, step by step, with keys and values remembered: what a search drives.

use crate::generate::cache_rows::{CacheError, CacheRows};
use crate::generate::{Decoder, Step};
use crate::gpu::{Device, Dim, GpuError, Plan, Resident, Sizes, StepScalars};
use crate::models::{Model, Words};
use crate::nn::cached_inputs::{CacheShape, CachedInputs};
use crate::ops::linear_cross_entropy::word_logits;
use crate::tape::{Mode, Tape};

/// How much text there may be at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Tokens of the longest prompt.
    pub n_prompt: usize,
    /// Hypotheses kept side by side.
    pub num_beams: usize,
    /// Most tokens after the prompt.
    pub max_new_tokens: usize,
}

/// Why the next word cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The cache is too small.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The model does not write.
    #[error("this model has no head that predicts the next word")]
    NoDecoder,
}

/// A recorded step of a decoder with its cache.
#[derive(Debug)]
pub struct CachedDecoder {
    device: Device,
    inputs: CachedInputs,
    plan: Plan,
    /// Logits (B, words) of every part of the vocabulary, and the number of its words.
    parts: Vec<(Resident, usize)>,
    rows: CacheRows,
    room: Room,
    shape: CacheShape,
}

impl CachedDecoder {
    /// Records the step of a model.
    ///
    /// # Errors
    /// A model that does not write; memory errors of the device, or a kernel the driver refuses.
    pub async fn new(device: &Device, model: &dyn Model, room: Room) -> Result<Self, WriteError> {
        let Room { n_prompt, num_beams, max_new_tokens } = room;
        let n_prefix = model.n_prefix();
        let n_rows = CacheRows::n_rows_for(n_prefix, n_prompt, num_beams, max_new_tokens);
        let max_keys = n_prefix + n_prompt + max_new_tokens;
        let shape = CacheShape { widths: model.cache_widths(), n_rows, max_keys, n_prefix };
        let capacity = Sizes { tokens: n_prompt.max(num_beams), sequences: num_beams, targets: 0 };
        let inputs = CachedInputs::new(device, capacity, &shape)?;
        let mut tape = Tape::new(device.kind(), device.max_slice_len(), Mode::Inference);
        let Some(Words { hidden, head }) = model.next_words(&mut tape, &inputs) else {
            return Err(WriteError::NoDecoder);
        };
        let mut parts = Vec::new();
        for logits in word_logits(&mut tape, &hidden, &head) {
            let kept = device.create("logits", num_beams * logits.cols)?;
            tape.keep(&logits, &kept);
            parts.push((kept, logits.cols));
        }
        let plan = device.compile(tape.finish(), capacity).await?;
        store_prefix(device, model, &inputs, n_prefix).await?;
        let rows = CacheRows::new(shape.n_rows, shape.max_keys, n_prefix);
        Ok(Self { device: device.clone(), inputs, plan, parts, rows, room, shape })
    }

    /// How much text there may be at a time.
    #[must_use]
    pub fn room(&self) -> Room {
        self.room
    }

    /// Forgets all sequences.
    pub fn forget(&mut self) {
        self.rows = CacheRows::new(self.shape.n_rows, self.shape.max_keys, self.shape.n_prefix);
    }
}

/// Puts a trained prefix before all texts, once and for all: no step writes its rows.
async fn store_prefix(
    device: &Device,
    model: &dyn Model,
    inputs: &CachedInputs,
    n_prefix: usize,
) -> Result<(), GpuError> {
    if n_prefix == 0 {
        return Ok(());
    }
    let sizes = Sizes { tokens: 1, sequences: 1, targets: 0 };
    let mut tape = Tape::new(device.kind(), device.max_slice_len(), Mode::Inference);
    model.store_prefix(&mut tape, inputs);
    let plan = device.compile(tape.finish(), sizes).await?;
    device.run(&plan, &sizes, &StepScalars::default())
}

impl Decoder for CachedDecoder {
    type Error = WriteError;

    async fn logits(&mut self, step: &Step) -> Result<Vec<f32>, WriteError> {
        let described = self.rows.advance(step)?;
        let sizes = self.inputs.write(&described);
        self.device.run(&self.plan, &sizes, &StepScalars::default())?;
        self.device.throttle(0).await?;
        let n_sequences = sizes.of(Dim::Sequences);
        let n_vocab: usize = self.parts.iter().map(|(_, n_rows)| n_rows).sum();
        let mut logits = vec![0.0; n_sequences * n_vocab];
        let mut first = 0;
        for (part, n_rows) in &self.parts {
            let values: Vec<f32> = self.device.read(part, 0, n_sequences * n_rows).await?;
            for (row, values) in logits.chunks_exact_mut(n_vocab).zip(values.chunks_exact(*n_rows)) {
                row[first..first + n_rows].copy_from_slice(values);
            }
            first += n_rows;
        }
        Ok(logits)
    }
}
