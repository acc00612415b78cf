//! Cross-entropy of the words that a language model predicts, without ever holding the logits of a large vocabulary.
//!
//! `logits = hidden · weightᵀ + bias`, hidden (P, C), weight (V, C), bias (V), and the loss of [`super::cross_entropy`]
//! against labels (P). The vocabulary is taken some rows at a time: forward keeps the running maximum, sum of
//! exponentials, sum and label's logit of every row, (P, 4), as softmax is normalised online (Milakov and Gimelshein
//! 2018, arXiv 1805.02867); backward computes the logits of every chunk again.

use crate::gpu::kernel::{float, read, uint, write};
use crate::gpu::recording::SLICE_ALIGNMENT;
use crate::gpu::{Extent, Grid, Kernel, Slice, Value};
use crate::ops::column_sum::column_sum;
use crate::ops::matmul::{Epilogue, Shape, nn, nt, tn};
use crate::tape::{GradTarget, Tape, Tensor};
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD];

/// Takes the logits of a chunk into the statistics and losses of the rows.
pub static FORWARD: Kernel = Kernel {
    name: "linear_cross_entropy_forward",
    source: wgsl!("linear_cross_entropy_forward", "common/grid", "common/reduce"),
    params: &[uint("rows"), uint("cols"), uint("start"), uint("n_vocab"), float("label_smoothing")],
    bindings: &[read("logits"), read("bias"), read("labels"), write("stats"), write("losses")],
    reference: reference::forward,
};

/// Turns the logits of a chunk into their gradient.
pub static BACKWARD: Kernel = Kernel {
    name: "linear_cross_entropy_backward",
    source: wgsl!("linear_cross_entropy_backward", "common/grid"),
    params: &[
        uint("rows"),
        uint("cols"),
        uint("start"),
        uint("n_vocab"),
        float("label_smoothing"),
        float("scale"),
    ],
    bindings: &[read("bias"), read("labels"), read("stats"), write("logits")],
    reference: reference::backward,
};

/// The linear map from hidden states to the logits of a vocabulary.
#[derive(Clone, Debug)]
pub struct LmHead {
    /// The weight (V, C) in parts of consecutive rows; it may be the table of the word embeddings.
    pub weight: Vec<Tensor>,
    /// (1, V)
    pub bias: Option<Tensor>,
    /// Most rows P that a batch predicts: with the vocabulary it decides how large a chunk is.
    pub max_rows: usize,
}

/// Records the mean loss of all rows of `hidden` (P, C) into `loss` (1 element). The gradients of hidden, weight and bias
/// that [`Tape::backward`] records are multiplied by `scale`. `label_smoothing` is ε of [`super::cross_entropy`].
pub fn linear_cross_entropy(
    tape: &mut Tape,
    hidden: &Tensor,
    head: &LmHead,
    labels: &Slice,
    label_smoothing: f32,
    scale: f32,
    loss: &Slice,
) {
    let losses = tape.scratch(hidden.rows, 1);
    let call = Call::new(tape, hidden, head, labels, label_smoothing);
    let logits = call.forward(tape, &losses);
    super::mean::mean(tape, &losses, hidden.rows, loss);
    tape.on_backward(move |tape| call.backward(tape, logits.as_ref(), scale));
}

/// `−log p(label)` of every row of `hidden` (P, C), without gradient: (P, 1). A perplexity is exp of their mean.
pub fn token_losses(tape: &mut Tape, hidden: &Tensor, head: &LmHead, labels: &Slice) -> Tensor {
    let losses = tape.output(hidden.rows, 1, false);
    Call::new(tape, hidden, head, labels, 0.0).forward(tape, &losses.slice);
    losses
}

/// The logits of all words for few rows of `hidden` (P, C), such as the last tokens of texts that are being generated:
/// tensors (P, words) whose columns, side by side, are the vocabulary. Gives no gradient.
///
/// # Panics
/// If the head has a bias, as those of masked language models do: these generate no text.
pub fn word_logits(tape: &mut Tape, hidden: &Tensor, head: &LmHead) -> Vec<Tensor> {
    assert!(head.bias.is_none(), "the word head of a model that generates has no bias");
    let mut all = Vec::new();
    for part in &head.weight {
        for (first, rows) in chunks(part.fixed_rows(), head.max_rows) {
            let logits = tape.output(hidden.rows, rows, false);
            let weight = rows_of(&part.slice, hidden.cols, first, rows);
            let shape = Shape { m: hidden.rows, n: rows, k: hidden.cols.into() };
            nt(tape, shape, &hidden.slice, &weight, &logits.slice, &Epilogue::default());
            all.push(logits);
        }
    }
    all
}

/// Rows of a part of the weight, or of its gradient.
fn rows_of(part: &Slice, cols: usize, first: usize, rows: usize) -> Slice {
    let len = Extent::new(rows * cols, 1);
    Slice { base: part.base.clone(), offset: part.offset + first * cols, len }
}

/// Most logits in memory at a time: 64 MiB of them, within every binding limit.
const MAX_LOGITS: usize = 16 << 20;
/// A product of so few columns is quick even where they are no multiple of four.
const FEW_ROWS: usize = 256;

/// How many logits of `n_rows` rows over `n_vocab` words are in memory at a time, at most.
#[must_use]
pub fn n_logits_at_a_time(n_rows: usize, n_vocab: usize) -> usize {
    chunks(n_vocab, n_rows).into_iter().map(|(_, words)| n_rows * words).max().unwrap_or(0)
}

/// Divides `n_rows` rows of a weight into chunks, given as (first row, number of rows), so that `max_rows` times a chunk
/// stays below [`MAX_LOGITS`]. Chunks begin at aligned rows; what is left after the last aligned one has a chunk of its
/// own, so that the others have sizes that the fast products take.
fn chunks(n_rows: usize, max_rows: usize) -> Vec<(usize, usize)> {
    let most = (MAX_LOGITS / max_rows.max(1) / SLICE_ALIGNMENT).max(1) * SLICE_ALIGNMENT;
    if n_rows <= most && (n_rows <= FEW_ROWS || n_rows.is_multiple_of(4)) {
        return vec![(0, n_rows)];
    }
    let aligned = n_rows / SLICE_ALIGNMENT * SLICE_ALIGNMENT;
    let size = aligned.div_ceil(aligned.div_ceil(most).max(1)).next_multiple_of(SLICE_ALIGNMENT);
    let starts = (0..aligned).step_by(size.max(1));
    let rest = (aligned < n_rows).then_some((aligned, n_rows - aligned));
    starts.map(|first| (first, size.min(aligned - first))).chain(rest).collect()
}

/// Consecutive rows of one part of the weight.
struct Chunk {
    part: usize,
    /// First row within the part.
    first: usize,
    /// First row within the vocabulary.
    start: usize,
    rows: usize,
}

struct Call {
    hidden: Tensor,
    head: LmHead,
    labels: Slice,
    label_smoothing: f32,
    n_vocab: usize,
    chunks: Vec<Chunk>,
    /// (P, 4)
    stats: Slice,
}

impl Call {
    fn new(tape: &mut Tape, hidden: &Tensor, head: &LmHead, labels: &Slice, label_smoothing: f32) -> Self {
        let (mut all, mut start) = (Vec::new(), 0);
        for (part, weight) in head.weight.iter().enumerate() {
            let chunk = |(first, rows): (usize, usize)| Chunk { part, first, start: start + first, rows };
            all.extend(chunks(weight.fixed_rows(), head.max_rows).into_iter().map(chunk));
            start += weight.fixed_rows();
        }
        Self {
            hidden: hidden.clone(),
            head: head.clone(),
            labels: labels.clone(),
            label_smoothing,
            n_vocab: start,
            chunks: all,
            stats: tape.scratch(hidden.rows, 4),
        }
    }

    /// Records all chunks. Gives the logits where one chunk is all, because they need not be computed again.
    fn forward(&self, tape: &mut Tape, losses: &Slice) -> Option<Slice> {
        let mut last = None;
        for (i, chunk) in self.chunks.iter().enumerate() {
            let logits = self.logits(tape, chunk);
            let size = if chunk.rows < 64 { 1 } else { super::reduction_workgroup(tape.kind()) };
            let constants = [
                ("WORKGROUP_SIZE", size.into()),
                ("FIRST", (i == 0).into()),
                ("HAS_BIAS", self.head.bias.is_some().into()),
            ];
            let bias = self.head.bias.as_ref().map_or(&logits, |bias| &bias.slice);
            let buffers = [&logits, bias, &self.labels, &self.stats, losses];
            let grid = Grid::per_item(self.hidden.rows);
            tape.dispatch(&FORWARD, &constants, &self.params(chunk), &buffers, grid);
            last = (self.chunks.len() == 1).then_some(logits);
        }
        last
    }

    fn params(&self, chunk: &Chunk) -> [(&'static str, Value); 5] {
        [
            ("rows", self.hidden.rows.into()),
            ("cols", chunk.rows.into()),
            ("start", chunk.start.into()),
            ("n_vocab", self.n_vocab.into()),
            ("label_smoothing", self.label_smoothing.into()),
        ]
    }

    /// hidden · weightᵀ over the rows of a chunk, (P, chunk.rows).
    fn logits(&self, tape: &mut Tape, chunk: &Chunk) -> Slice {
        let logits = tape.scratch(self.hidden.rows, chunk.rows);
        let shape = Shape { m: self.hidden.rows, n: chunk.rows, k: self.hidden.cols.into() };
        let weight = self.rows_of(&self.head.weight[chunk.part].slice, chunk);
        nt(tape, shape, &self.hidden.slice, &weight, &logits, &Epilogue::default());
        logits
    }

    /// The rows of a chunk in a part of the weight or of its gradient.
    fn rows_of(&self, part: &Slice, chunk: &Chunk) -> Slice {
        rows_of(part, self.hidden.cols, chunk.first, chunk.rows)
    }

    fn backward(&self, tape: &mut Tape, kept: Option<&Slice>, scale: f32) {
        // Asked for once each: that a parameter's gradient is new holds for all its chunks.
        let d_weight: Vec<Option<GradTarget>> =
            self.head.weight.iter().map(|part| tape.grad_target(part)).collect();
        let d_bias = self.head.bias.as_ref().and_then(|bias| tape.grad_target(bias));
        let mut d_hidden = tape.grad_target(&self.hidden);
        for chunk in &self.chunks {
            let d_logits = kept.cloned().unwrap_or_else(|| self.logits(tape, chunk));
            self.logit_gradient(tape, chunk, &d_logits, scale);
            if let Some(target) = &d_weight[chunk.part] {
                let shape = Shape { m: chunk.rows.into(), n: self.hidden.cols, k: self.hidden.rows };
                let rows = self.rows_of(&target.slice, chunk);
                tn(tape, shape, 1.0, &d_logits, &self.hidden.slice, &rows, target.accumulate);
            }
            if let Some(target) = &d_bias {
                let size = [self.hidden.rows, chunk.rows.into()];
                column_sum(tape, &d_logits, size, &target.slice, chunk.start, target.accumulate);
            }
            if let Some(target) = &mut d_hidden {
                let shape = Shape { m: self.hidden.rows, n: self.hidden.cols, k: chunk.rows.into() };
                let weight = self.rows_of(&self.head.weight[chunk.part].slice, chunk);
                nn(tape, shape, &d_logits, &weight, &target.slice, target.accumulate, None);
                target.accumulate = true;
            }
        }
    }

    fn logit_gradient(&self, tape: &mut Tape, chunk: &Chunk, logits: &Slice, scale: f32) {
        let [rows, cols, start, n_vocab, smoothing] = self.params(chunk);
        let params = [rows, cols, start, n_vocab, smoothing, ("scale", scale.into())];
        let bias = self.head.bias.as_ref().map_or(&self.stats, |bias| &bias.slice);
        let buffers = [bias, &self.labels, &self.stats, logits];
        let grid = super::elementwise(Extent { dim: self.hidden.rows, per: chunk.rows });
        let constants = [("HAS_BIAS", self.head.bias.is_some().into())];
        tape.dispatch(&BACKWARD, &constants, &params, &buffers, grid);
    }
}

mod reference {
    use crate::gpu::ReferenceCall;

    /// The logits of a chunk with their bias, in f64.
    fn logits(call: &ReferenceCall<'_>) -> Vec<f64> {
        let (rows, cols, start) = (call.uint("rows"), call.uint("cols"), call.uint("start"));
        let (products, bias) = (call.floats("logits"), call.floats("bias"));
        let has_bias = call.flag("HAS_BIAS");
        let logit = |i: usize| {
            f64::from(products[i]) + if has_bias { f64::from(bias[start + i % cols]) } else { 0.0 }
        };
        (0..rows * cols).map(logit).collect()
    }

    pub fn forward(call: &mut ReferenceCall<'_>) {
        let (rows, cols, start) = (call.uint("rows"), call.uint("cols"), call.uint("start"));
        let (n_vocab, smoothing) = (call.uint("n_vocab") as f64, f64::from(call.float("label_smoothing")));
        let (logits, labels, mut stats) = (logits(call), call.uints("labels"), call.floats("stats"));
        let mut losses = vec![0f32; rows];
        for (t, row) in logits.chunks_exact(cols).enumerate() {
            let before = if call.flag("FIRST") { [f64::MIN, 0.0, 0.0, 0.0] } else { load(&stats[t * 4..]) };
            let largest = row.iter().copied().fold(before[0], f64::max);
            let exponentials: f64 = row.iter().map(|x| (x - largest).exp()).sum();
            let sum = before[1] * (before[0] - largest).exp() + exponentials;
            let total = before[2] + row.iter().sum::<f64>();
            let label = (labels[t] as usize).wrapping_sub(start);
            let of_label = row.get(label).copied().unwrap_or(before[3]);
            let loss = largest + sum.ln() - (1.0 - smoothing) * of_label - smoothing / n_vocab * total;
            losses[t] = loss as f32;
            let all = [largest, sum, total, of_label].map(|x| x as f32);
            stats[t * 4..][..4].copy_from_slice(&all);
        }
        call.update("stats", |out| out.copy_from_slice(&stats));
        call.update("losses", |out| out[..rows].copy_from_slice(&losses));
    }

    fn load(stats: &[f32]) -> [f64; 4] {
        [0, 1, 2, 3].map(|i| f64::from(stats[i]))
    }

    pub fn backward(call: &mut ReferenceCall<'_>) {
        let (rows, cols, start) = (call.uint("rows"), call.uint("cols"), call.uint("start"));
        let (n_vocab, smoothing) = (call.uint("n_vocab") as f64, f64::from(call.float("label_smoothing")));
        let factor = f64::from(call.float("scale")) / rows as f64;
        let (logits, labels, stats) = (logits(call), call.uints("labels"), call.floats("stats"));
        call.update("logits", |out| {
            for (i, logit) in logits.iter().enumerate() {
                let [largest, sum, ..] = load(&stats[i / cols * 4..]);
                let is_label = labels[i / cols] as usize == start + i % cols;
                let target = smoothing / n_vocab + if is_label { 1.0 - smoothing } else { 0.0 };
                out[i] = (((logit - largest).exp() / sum - target) * factor) as f32;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::cross_entropy::cross_entropy;
    use super::super::testing::{Input, assert_close, check_op, check_op_gpu, frozen, input, run};
    use super::*;
    use crate::gpu::{Device, Dim, Sizes};

    /// So many rows that every chunk has its least size.
    const MANY: usize = usize::MAX;

    fn labels(device: &Device, rows: usize, n_vocab: usize) -> Slice {
        let labels: Vec<u32> = (0..rows).map(|i| (i * 67 % n_vocab) as u32).collect();
        device.upload("labels", &labels).unwrap().slice(0, Extent::new(Dim::Targets, 1))
    }

    /// hidden, the weight in parts of these rows, the bias.
    fn inputs(rows: usize, parts: &[usize], cols: usize) -> (Sizes, Vec<Input>) {
        let sizes = Sizes { targets: rows, ..Sizes::default() };
        let mut inputs = vec![input(Dim::Targets, cols, &sizes, 1)];
        inputs.extend((2..).zip(parts).map(|(seed, &part)| input(Dim::Fixed(part), cols, &sizes, seed)));
        inputs.push(input(Dim::Fixed(1), parts.iter().sum(), &sizes, 9));
        (sizes, inputs)
    }

    /// The loss of hidden x[0], weight x[1..n−1], bias x[n−1].
    fn loss(
        tape: &mut Tape,
        device: &Device,
        x: &[Tensor],
        rows: usize,
        max_rows: usize,
        has_bias: bool,
    ) -> Tensor {
        let (bias, weight) = x[1..].split_last().unwrap();
        let head = LmHead { weight: weight.to_vec(), bias: has_bias.then(|| bias.clone()), max_rows };
        let labels = labels(device, rows, bias.cols);
        let loss = tape.output(Dim::Fixed(1), 1, false);
        linear_cross_entropy(tape, &x[0], &head, &labels, 0.1, 0.5, &loss.slice);
        // The loss as it is reported is not scaled, its gradients are.
        let halved = tape.output(Dim::Fixed(1), 1, false);
        tape.clear(&halved.slice);
        crate::ops::add::add_in_place(tape, &loss.slice, &halved.slice, halved.len(), 0.5);
        halved
    }

    #[test]
    fn gradients_are_the_differences_and_the_gpu_agrees() {
        for (rows, parts, cols, max_rows) in [
            (1, &[3][..], 2, 1),
            // Two parts, the first with a rest of its own; chunks of 64.
            (5, &[150, 70], 8, MANY),
            (3, &[128], 64, MANY),
        ] {
            let (sizes, inputs) = inputs(rows, parts, cols);
            check_op(&sizes, inputs, |tape, device, x| loss(tape, device, x, rows, max_rows, true));
        }
    }

    #[test]
    fn a_head_without_bias_and_frozen_weights() {
        let (sizes, mut inputs) = inputs(6, &[77], 4);
        inputs[1].trained = false;
        inputs.pop();
        inputs.push(frozen(Dim::Fixed(1), 77, &sizes, 9));
        check_op(&sizes, inputs, |tape, device, x| loss(tape, device, x, 6, MANY, false));
    }

    #[test]
    fn a_tied_weight_adds_up_both_gradients() {
        use crate::ops::gather::{RowNumbers, gather_rows, links};
        let sizes = Sizes { targets: 4, ..Sizes::default() };
        check_op(&sizes, vec![input(Dim::Fixed(70), 4, &sizes, 1)], |tape, device, x| {
            let ids = [3, 69, 3, 0];
            let words = RowNumbers {
                ids: device.upload("ids", &ids).unwrap().slice(0, 4),
                links: device.upload("links", &links(&ids)).unwrap().slice(0, 8),
                rows: Dim::Targets,
            };
            let hidden = gather_rows(tape, &x[0], &words);
            let head = LmHead { weight: vec![x[0].clone()], bias: None, max_rows: MANY };
            let loss = tape.output(Dim::Fixed(1), 1, false);
            linear_cross_entropy(tape, &hidden, &head, &labels(device, 4, 70), 0.0, 1.0, &loss.slice);
            loss
        });
    }

    #[test]
    fn gpu_at_a_language_models_shape() {
        let (sizes, inputs) = inputs(37, &[1000, 501], 192);
        check_op_gpu(&sizes, inputs, |tape, device, x| loss(tape, device, x, 37, MAX_LOGITS / 512, true));
    }

    #[test]
    fn the_mean_of_the_token_losses_is_the_loss_over_whole_logits() {
        let (sizes, inputs) = inputs(5, &[200], 8);
        for device in [Device::reference(), pollster::block_on(Device::open()).unwrap()] {
            let chunked = run(&device, &sizes, &inputs, &|tape, device, x| {
                let head = LmHead { weight: vec![x[1].clone()], bias: Some(x[2].clone()), max_rows: MANY };
                token_losses(tape, &x[0], &head, &labels(device, 5, 200))
            });
            let whole = run(&device, &sizes, &inputs, &|tape, device, x| {
                let logits = tape.output(Dim::Targets, 200, false);
                let shape = Shape { m: Dim::Targets, n: 200, k: Dim::Fixed(8) };
                let epilogue = Epilogue { bias: Some(x[2].slice.clone()), ..Epilogue::default() };
                nt(tape, shape, &x[0].slice, &x[1].slice, &logits.slice, &epilogue);
                let loss = tape.output(Dim::Fixed(1), 1, false);
                cross_entropy(tape, &logits, &labels(device, 5, 200), 0.0, 1.0, &loss.slice);
                loss
            });
            let mean = chunked.output.iter().sum::<f32>() / 5.0;
            assert_close("loss", &[mean], &whole.output, 1e-5);
        }
    }

    #[test]
    fn word_logits_lie_side_by_side() {
        let (sizes, inputs) = inputs(3, &[70, 66], 8);
        let pieces = |which: usize| {
            run(&Device::reference(), &sizes, &inputs, &|tape, _, x| {
                let head = LmHead { weight: x[1..3].to_vec(), bias: None, max_rows: MANY };
                word_logits(tape, &x[0], &head).swap_remove(which)
            })
            .output
        };
        let dot = |row: usize, part: usize, word: usize| {
            let (x, w) = (&inputs[0].data[row * 8..][..8], &inputs[part].data[word * 8..][..8]);
            x.iter().zip(w).map(|(x, w)| x * w).sum::<f32>()
        };
        // Each part has a chunk of 64 words and the rest.
        for (which, (part, first, n)) in
            [(1, 0, 64), (1, 64, 6), (2, 0, 64), (2, 64, 2)].into_iter().enumerate()
        {
            let expected: Vec<f32> = (0..3 * n).map(|i| dot(i / n, part, first + i % n)).collect();
            assert_close("logits", &pieces(which), &expected, 1e-5);
        }
    }

    #[test]
    fn chunks_cover_the_vocabulary_and_fit() {
        assert_eq!(chunks(99, 4096), [(0, 99)]);
        assert_eq!(chunks(8000, 2000), [(0, 8000)]);
        for (n_rows, max_rows) in [(50_257, 2048), (50_265, 1 << 14), (30_522, 7), (43_690, MANY), (65, 0)] {
            let chunks = chunks(n_rows, max_rows);
            let mut end = 0;
            for &(first, rows) in &chunks {
                assert_eq!((first, first % SLICE_ALIGNMENT), (end, 0));
                assert!(rows <= SLICE_ALIGNMENT || rows * max_rows <= MAX_LOGITS, "{rows} of {n_rows}");
                assert!(rows % 4 == 0 || rows <= FEW_ROWS, "{rows} of {n_rows}");
                end += rows;
            }
            assert_eq!(end, n_rows);
        }
    }
}
