//! The adapter's own limits, and the kernels that training spends its time in, at the shapes of real encoders.

use super::Clock;
use super::timing::{Contender, Work};
use crate::gpu::{Device, Dim, Extent, GpuError, Resident, Sizes, Slice};
use crate::ops::adamw::{AdamW, Page, adamw};
use crate::ops::attention::{Heads, Pairing, attention};
use crate::ops::layer_norm::layer_norm;
use crate::ops::matmul::{Epilogue, Factor, Shape, nn, nt, skinny, tn};
use crate::ops::probe;
use crate::tape::{Mode, Tape, Tensor};

/// Name of the probe of arithmetic.
pub const FMA: &str = "probe/multiply-add";
/// Name of the probe of memory.
pub const COPY: &str = "probe/copy 64 MiB";
/// Name of the probe of dispatches.
pub const DISPATCH: &str = "probe/empty dispatch";

/// Invocations and rounds of the probe of arithmetic: 0.54 GFLOP.
const FMA_INVOCATIONS: usize = 16_384;
const FMA_ROUNDS: usize = 128;
/// Numbers the probe of memory copies: 64 MiB.
const COPY_LEN: usize = 16 << 20;
/// Operations that a submission of small products should hold at least.
const FLOP_PER_RUN: f64 = 1e9;
const RANK: usize = 16;

/// Tokens, d_out and d_in of the linear maps measured: all-MiniLM-L6-v2 on a batch of SST-2, BERT-base on 4,096 tokens,
/// and a small encoder.
pub const LINEAR_SHAPES: [[usize; 3]; 5] =
    [[419, 384, 384], [419, 1536, 384], [419, 384, 1536], [4096, 768, 768], [512, 256, 1024]];
/// Sequences, tokens of each, heads and head size of the attentions measured.
const ATTENTION_SHAPES: [[usize; 4]; 3] = [[32, 13, 12, 32], [8, 64, 4, 64], [8, 128, 12, 64]];
/// Rows and columns of the layer norms measured.
const NORM_SHAPES: [[usize; 2]; 2] = [[419, 384], [4096, 768]];
/// Parameters of the optimizer step measured.
const ADAMW_LEN: usize = 1 << 20;

/// Makes contenders of recorded ops, leaving out those whose names do not contain the filter.
pub struct Builder<'a> {
    device: &'a Device,
    clock: &'a dyn Clock,
    filter: &'a str,
    contenders: Vec<Contender>,
}

impl<'a> Builder<'a> {
    /// Nothing yet.
    #[must_use]
    pub fn new(device: &'a Device, clock: &'a dyn Clock, filter: &'a str) -> Self {
        Self { device, clock, filter, contenders: Vec::new() }
    }

    /// Probes first, because everything is compared with them: they are always measured.
    ///
    /// # Errors
    /// Memory errors of the device, or a kernel the driver refuses.
    pub async fn build(mut self) -> Result<Vec<Contender>, GpuError> {
        self.probes().await?;
        for shape in LINEAR_SHAPES {
            self.products(shape).await?;
        }
        self.factors([419, 384, 384]).await?;
        for shape in ATTENTION_SHAPES {
            self.attention(shape).await?;
        }
        for shape in NORM_SHAPES {
            self.layer_norm(shape).await?;
        }
        self.adamw().await?;
        Ok(self.contenders)
    }

    fn memory(&self, len: usize) -> Result<Resident, GpuError> {
        // Small numbers that are not zero: some processors are slow at what is nearly zero.
        let data: Vec<f32> = (0..len).map(|i| ((i % 61) as f32 - 30.0) / 64.0).collect();
        self.device.upload("bench", &data)
    }

    /// Adds what `record` records if it is wanted.
    async fn add(
        &mut self,
        name: String,
        tokens: usize,
        work: Work,
        n_copies: usize,
        record: impl FnOnce(&mut Tape),
    ) -> Result<(), GpuError> {
        if name.contains(self.filter) {
            self.push(name, tokens, work, n_copies, record).await
        } else {
            Ok(())
        }
    }

    async fn push(
        &mut self,
        name: impl Into<String>,
        tokens: usize,
        work: Work,
        n_copies: usize,
        record: impl FnOnce(&mut Tape),
    ) -> Result<(), GpuError> {
        let (device, mode) = (self.device, Mode::Training { accumulate: false });
        let mut tape = Tape::new(device.kind(), device.max_slice_len(), mode);
        record(&mut tape);
        let sizes = Sizes { tokens, ..Sizes::default() };
        let contender =
            Contender::repeat(device, self.clock, name, tape.finish(), sizes, n_copies, work).await?;
        self.contenders.push(contender);
        Ok(())
    }

    async fn probes(&mut self) -> Result<(), GpuError> {
        let out = self.device.create("probe", FMA_INVOCATIONS * 4)?.whole();
        let flop = (FMA_INVOCATIONS * FMA_ROUNDS * probe::FMA_FLOP) as f64;
        let work = Work { flop, bytes: 0.0 };
        self.push(FMA, 0, work, 4, |tape| probe::fma(tape, FMA_INVOCATIONS, FMA_ROUNDS, &out)).await?;
        let (x, y) = (self.memory(COPY_LEN)?.whole(), self.device.create("probe", COPY_LEN)?.whole());
        let work = Work { flop: 0.0, bytes: COPY_LEN as f64 * 8.0 };
        self.push(COPY, 0, work, 1, |tape| probe::copy(tape, COPY_LEN, &x, &y)).await?;
        let total = self.device.create("probe", 1)?.whole();
        self.push(DISPATCH, 0, Work::default(), 1000, |tape| probe::empty(tape, &total)).await
    }

    /// The three products of a linear map, without anything fused onto them.
    async fn products(&mut self, [tokens, d_out, d_in]: [usize; 3]) -> Result<(), GpuError> {
        let [x, w, y] = [tokens * d_in, d_out * d_in, tokens * d_out].map(|len| self.memory(len));
        let rows = |resident: Resident, cols| resident.slice(0, Extent::new(Dim::Tokens, cols));
        let (x, w, y) = (rows(x?, d_in), w?.slice(0, d_out * d_in), rows(y?, d_out));
        // Results go elsewhere: fed back, numbers would grow without bounds.
        let out = self.device.create("bench", (tokens * d_in.max(d_out)).max(d_out * d_in))?;
        let (dx, dw, y_out) = (
            out.slice(0, Extent::new(Dim::Tokens, d_in)),
            out.slice(0, d_out * d_in),
            out.slice(0, Extent::new(Dim::Tokens, d_out)),
        );
        let work = Work { flop: 2.0 * (tokens * d_out * d_in) as f64, bytes: 0.0 };
        let n_copies = (FLOP_PER_RUN / work.flop).ceil() as usize;
        let forward = Shape { m: Dim::Tokens, n: d_out, k: Dim::Fixed(d_in) };
        let to_input = Shape { m: Dim::Tokens, n: d_in, k: Dim::Fixed(d_out) };
        let to_weight = Shape { m: Dim::Fixed(d_out), n: d_in, k: Dim::Tokens };
        let name = |form: &str| format!("product/{form} {tokens}x{d_out}x{d_in}");
        let record = |tape: &mut Tape| nt(tape, forward, &x, &w, &y_out, &Epilogue::default());
        self.add(name("nt"), tokens, work, n_copies, record).await?;
        let record = |tape: &mut Tape| nn(tape, to_input, &y, &w, &dx, false, None);
        self.add(name("nn"), tokens, work, n_copies, record).await?;
        let record = |tape: &mut Tape| tn(tape, to_weight, 1.0, &y, &x, &dw, false);
        self.add(name("tn"), tokens, work, n_copies, record).await
    }

    /// The products with factors of rank 16 that an update adds to the backward pass.
    async fn factors(&mut self, [tokens, d_out, d_in]: [usize; 3]) -> Result<(), GpuError> {
        let memory = |len| self.memory(len);
        let rows = |resident: Resident, cols| resident.slice(0, Extent::new(Dim::Tokens, cols));
        let (x, d) = (rows(memory(tokens * d_in)?, d_in), rows(memory(tokens * d_out)?, d_out));
        let (z, z_out) = (rows(memory(tokens * RANK)?, RANK), rows(memory(tokens * RANK)?, RANK));
        let [a, da] = [memory(RANK * d_in)?, memory(RANK * d_in)?].map(|a| a.slice(0, RANK * d_in));
        let [b, db] = [memory(d_out * RANK)?, memory(d_out * RANK)?].map(|b| b.slice(0, d_out * RANK));
        let work = |inner: usize| Work { flop: 2.0 * (tokens * inner * RANK) as f64, bytes: 0.0 };
        let to_rank = |k| Shape { m: Dim::Tokens, n: RANK, k: Dim::Fixed(k) };
        let of_factor = |m, n| Shape { m: Dim::Fixed(m), n, k: Dim::Tokens };
        let name = |what: &str, inner| format!("factor/{what} {tokens}x{inner}x{RANK}");
        let record = |tape: &mut Tape| skinny(tape, to_rank(d_in), &x, &a, Factor::Rows, &z_out);
        self.add(name("x At", d_in), tokens, work(d_in), 64, record).await?;
        let record = |tape: &mut Tape| skinny(tape, to_rank(d_out), &d, &b, Factor::Columns, &z_out);
        self.add(name("d B", d_out), tokens, work(d_out), 64, record).await?;
        let record = |tape: &mut Tape| tn(tape, of_factor(d_out, RANK), 1.0, &d, &z, &db, false);
        self.add(name("dB", d_out), tokens, work(d_out), 64, record).await?;
        let record = |tape: &mut Tape| tn(tape, of_factor(RANK, d_in), 1.0, &z, &x, &da, false);
        self.add(name("dA", d_in), tokens, work(d_in), 64, record).await
    }

    /// A trained matrix of one row per token, so that gradients reach it.
    fn trained(&self, tokens: usize, cols: usize) -> Result<Tensor, GpuError> {
        let [value, gradient] = [self.memory(tokens * cols)?, self.device.create("gradient", tokens * cols)?];
        let rows = |resident: &Resident| resident.slice(0, Extent::new(Dim::Tokens, cols));
        let mut tensor = Tensor::parameter(rows(&value), rows(&gradient), tokens, cols);
        tensor.rows = Dim::Tokens;
        Ok(tensor)
    }

    /// Forward and all three gradients, with dropout as in training.
    async fn attention(
        &mut self,
        [sequences, length, n_heads, head_size]: [usize; 4],
    ) -> Result<(), GpuError> {
        let name = format!("attention/there and back {sequences}x{length} {n_heads}x{head_size}");
        let (tokens, cols) = (sequences * length, n_heads * head_size);
        let (q, k, v) =
            (self.trained(tokens, cols)?, self.trained(tokens, cols)?, self.trained(tokens, cols)?);
        let pairing = self.pairing(sequences, length)?;
        let heads = Heads { n_heads, head_size, dropout: 0.1 };
        // Two products forward and five backward, each of T² C multiply-adds.
        let work = Work { flop: 14.0 * (sequences * length * length * cols) as f64, bytes: 0.0 };
        self.add(name, tokens, work, 4, |tape| {
            let y = attention(tape, &q, &k, &v, &pairing, heads);
            back(tape, &y);
        })
        .await
    }

    fn pairing(&self, sequences: usize, length: usize) -> Result<Pairing, GpuError> {
        let range = |token: usize| {
            let start = token / length * length;
            [start as u32, (start + length) as u32]
        };
        let tokens = sequences * length;
        let ranges: Vec<u32> = (0..tokens).flat_map(range).collect();
        let key_ranges: Vec<u32> =
            (0..tokens).flat_map(|token| [range(token)[0], range(token)[1], range(token)[0], 0]).collect();
        let upload = |numbers: &[u32], per| -> Result<Slice, GpuError> {
            Ok(self.device.upload("ranges", numbers)?.slice(0, Extent::new(Dim::Tokens, per)))
        };
        Ok(Pairing { ranges: upload(&ranges, 2)?, key_ranges: upload(&key_ranges, 4)?, key_stride: length })
    }

    /// Forward and the gradient of the input, weight and bias frozen.
    async fn layer_norm(&mut self, [tokens, cols]: [usize; 2]) -> Result<(), GpuError> {
        let name = format!("layer norm/there and back {tokens}x{cols}");
        let x = self.trained(tokens, cols)?;
        let frozen = |resident: Resident| Tensor::constant(resident.slice(0, cols), 1, cols);
        let (weight, bias) = (frozen(self.memory(cols)?), frozen(self.memory(cols)?));
        // Reads x and writes y, then reads x and dy and writes dx.
        let work = Work { flop: 0.0, bytes: 5.0 * 4.0 * (tokens * cols) as f64 };
        self.add(name, tokens, work, 4, |tape| {
            let y = layer_norm(tape, &x, &weight, &bias, 1e-12);
            back(tape, &y);
        })
        .await
    }

    async fn adamw(&mut self) -> Result<(), GpuError> {
        let name = format!("adamw/{ADAMW_LEN} parameters");
        let memory = || self.memory(ADAMW_LEN).map(|memory| memory.slice(0, ADAMW_LEN));
        let (value, gradient, m) = (memory()?, memory()?, memory()?);
        let v = self.device.create("v", ADAMW_LEN)?.slice(0, ADAMW_LEN);
        let page = Page { value, gradient, m, v, len: ADAMW_LEN, decay_end: ADAMW_LEN };
        // Norm, factor of clipping, and that all is finite.
        let norm = self.device.upload("norm", &[1.0f32, 1.0, 1.0])?.slice(0, 3);
        let settings = AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 };
        // Reads the gradient, reads and writes value and both moments.
        let work = Work { flop: 0.0, bytes: 7.0 * 4.0 * ADAMW_LEN as f64 };
        self.add(name, 0, work, 4, |tape| adamw(tape, settings, &page, &norm)).await
    }
}

/// Records the way back from an output whose gradient is whatever stands in its memory: only its cost is of interest.
fn back(tape: &mut Tape, y: &Tensor) {
    let target = tape.grad_target(y);
    assert!(target.is_some(), "the inputs are trained");
    tape.backward();
}
