//! Multi-head attention over packed sequences (Vaswani et al. 2017), without padding and without stored scores.
//!
//! `out[i] = Σ_j dropout(softmax_j(q_i · k_j / √D)) v_j` per head, j over the keys of the row's own sequence.
//! q and out are (rows, H·D), k and v (T, H·D). Query rows need not be the keys' rows: the last layer of a
//! classifier asks only for the first token of every sequence. Forward saves the log-sum-exp, (rows, H, 2).

use crate::gpu::kernel::{Field, float, read, uint, write};
use crate::gpu::{Constant, Dim, Extent, Kernel, Slice, Value};
use crate::tape::{Tape, Tensor};
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD_QUERY, &BACKWARD_KEY_VALUE];

const PARAMS: &[Field] = &[
    uint("rows"),
    uint("heads"),
    float("scale"),
    uint("key_stride"),
    uint("dropout_seed"),
    uint("dropout_stream"),
    float("dropout_rate"),
];

/// Output and log-sum-exp.
pub static FORWARD: Kernel = Kernel {
    name: "attention_forward",
    source: wgsl!("attention_forward", "common/grid", "common/random"),
    params: PARAMS,
    bindings: &[read("q"), read("k"), read("v"), read("ranges"), write("out"), write("stats")],
    reference: reference::forward,
};

/// The gradient of q.
pub static BACKWARD_QUERY: Kernel = Kernel {
    name: "attention_backward_query",
    source: wgsl!("attention_backward_query", "common/grid", "common/random"),
    params: PARAMS,
    bindings: &[
        read("q"),
        read("k"),
        read("v"),
        read("ranges"),
        read("out"),
        read("d_out"),
        write("stats"),
        write("dq"),
    ],
    reference: reference::backward_query,
};

/// The gradients of k and v.
pub static BACKWARD_KEY_VALUE: Kernel = Kernel {
    name: "attention_backward_key_value",
    source: wgsl!("attention_backward_key_value", "common/grid", "common/random"),
    params: PARAMS,
    bindings: &[
        read("q"),
        read("k"),
        read("v"),
        read("key_ranges"),
        read("d_out"),
        read("stats"),
        write("dk"),
        write("dv"),
    ],
    reference: reference::backward_key_value,
};

/// Which query rows meet which keys.
#[derive(Clone, Debug)]
pub struct Pairing {
    /// Per query row: first key, one past the last key.
    pub ranges: Slice,
    /// Per key row: first query row, one past the last query row, first key of its sequence, 0.
    pub key_ranges: Slice,
    /// At least as large as the longest sequence; spreads the dropout counters.
    pub key_stride: usize,
}

/// Shape and dropout of the heads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heads {
    /// H
    pub n_heads: usize,
    /// D, a multiple of 4.
    pub head_size: usize,
    /// Share of probabilities dropped in training.
    pub dropout: f32,
}

/// Attention of q (rows, H·D) over k and v (T, H·D): (rows, H·D).
pub fn attention(
    tape: &mut Tape,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    pairing: &Pairing,
    heads: Heads,
) -> Tensor {
    assert_eq!(heads.head_size % 4, 0, "heads are read four numbers at a time");
    let trained = q.requires_grad || k.requires_grad || v.requires_grad;
    let out = tape.output(q.rows, q.cols, trained);
    let stats = tape.scratch(q.rows, heads.n_heads * 2);
    let stream = tape.dropout_stream();
    let call = Call {
        heads,
        stride: pairing.key_stride,
        stream,
        dropout: tape.is_training() && heads.dropout > 0.0,
    };
    let buffers = [&q.slice, &k.slice, &v.slice, &pairing.ranges, &out.slice, &stats];
    call.dispatch(tape, &FORWARD, q.rows, &buffers);
    let (q, k, v, pairing, y) = (q.clone(), k.clone(), v.clone(), pairing.clone(), out.clone());
    tape.on_backward(move |tape| {
        let Some(d_out) = tape.gradient(&y) else { return };
        // The pass over queries also leaves d_i in stats for the other pass, so it always runs.
        let dq = first_gradient(tape, &q);
        let buffers = [&q.slice, &k.slice, &v.slice, &pairing.ranges, &y.slice, &d_out, &stats, &dq];
        call.dispatch(tape, &BACKWARD_QUERY, q.rows, &buffers);
        if k.requires_grad || v.requires_grad {
            let (dk, dv) = (first_gradient(tape, &k), first_gradient(tape, &v));
            let buffers = [&q.slice, &k.slice, &v.slice, &pairing.key_ranges, &d_out, &stats, &dk, &dv];
            call.dispatch(tape, &BACKWARD_KEY_VALUE, k.rows, &buffers);
        }
    });
    out
}

/// Memory for the gradient of an input that only attention uses, or scratch where nobody wants it.
fn first_gradient(tape: &mut Tape, x: &Tensor) -> Slice {
    match tape.grad_target(x) {
        Some(target) => {
            assert!(!target.accumulate, "projections feed attention only");
            target.slice
        }
        None => tape.scratch(x.rows, x.cols),
    }
}

#[derive(Clone, Copy)]
struct Call {
    heads: Heads,
    stride: usize,
    stream: u32,
    dropout: bool,
}

impl Call {
    fn dispatch(&self, tape: &mut Tape, kernel: &'static Kernel, rows: Dim, buffers: &[&Slice]) {
        let heads = self.heads;
        let constants = [
            ("HEAD_SIZE", Constant::U32(heads.head_size as u32)),
            ("HAS_DROPOUT", Constant::Bool(self.dropout)),
        ];
        let params: [(&str, Value); 7] = [
            ("rows", rows.into()),
            ("heads", heads.n_heads.into()),
            ("scale", (1.0 / (heads.head_size as f32).sqrt()).into()),
            ("key_stride", self.stride.into()),
            ("dropout_seed", tape.dropout_seed()),
            ("dropout_stream", self.stream.into()),
            ("dropout_rate", heads.dropout.into()),
        ];
        let grid = super::elementwise(Extent { dim: rows, per: heads.n_heads });
        tape.dispatch(kernel, &constants, &params, buffers, grid);
    }
}

mod reference {
    use crate::gpu::ReferenceCall;
    use crate::random::random_uniform;

    struct Shape {
        rows: usize,
        heads: usize,
        size: usize,
        scale: f64,
        stride: usize,
        dropout: Option<(u32, u32, f32)>,
    }

    impl Shape {
        fn of(call: &ReferenceCall<'_>) -> Self {
            let dropout = call.flag("HAS_DROPOUT").then(|| {
                let (seed, stream) = (call.uint("dropout_seed"), call.uint("dropout_stream"));
                (seed as u32, stream as u32, call.float("dropout_rate"))
            });
            Self {
                rows: call.uint("rows"),
                heads: call.uint("heads"),
                size: call.constant("HEAD_SIZE") as usize,
                scale: f64::from(call.float("scale")),
                stride: call.uint("key_stride"),
                dropout,
            }
        }

        /// What dropout multiplies the probability of (query row, head, key of the sequence) with.
        fn kept(&self, item: usize, key: usize) -> f64 {
            let Some((seed, stream, rate)) = self.dropout else { return 1.0 };
            let draw = random_uniform(seed, stream, (item * self.stride + key) as u32);
            if draw < rate { 0.0 } else { 1.0 / (1.0 - f64::from(rate)) }
        }

        fn dot(&self, a: &[f32], i: usize, b: &[f32], j: usize) -> f64 {
            let (a, b) = (&a[i * self.size..][..self.size], &b[j * self.size..][..self.size]);
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        }
    }

    fn add(sum: &mut [f64], factor: f64, x: &[f32]) {
        sum.iter_mut().zip(x).for_each(|(s, x)| *s += factor * f64::from(*x));
    }

    fn store(out: &mut [f32], sum: &[f64], factor: f64) {
        out.iter_mut().zip(sum).for_each(|(o, s)| *o = (s * factor) as f32);
    }

    pub fn forward(call: &mut ReferenceCall<'_>) {
        let s = Shape::of(call);
        let (q, k, v) = (call.floats("q"), call.floats("k"), call.floats("v"));
        let ranges = call.uints("ranges");
        let (mut out, mut stats) = (vec![0f32; s.rows * s.heads * s.size], vec![0f32; s.rows * s.heads * 2]);
        for item in 0..s.rows * s.heads {
            let (row, head) = (item / s.heads, item % s.heads);
            let keys = ranges[row * 2] as usize..ranges[row * 2 + 1] as usize;
            let scores: Vec<f64> =
                keys.clone().map(|j| s.scale * s.dot(&q, item, &k, j * s.heads + head)).collect();
            let largest = scores.iter().copied().fold(f64::MIN, f64::max);
            let total: f64 = scores.iter().map(|x| (x - largest).exp()).sum();
            let mut sum = vec![0f64; s.size];
            for (local, (j, score)) in keys.zip(&scores).enumerate() {
                let weight = (score - largest).exp() / total * s.kept(item, local);
                add(&mut sum, weight, &v[(j * s.heads + head) * s.size..][..s.size]);
            }
            store(&mut out[item * s.size..][..s.size], &sum, 1.0);
            stats[item * 2] = (largest + total.ln()) as f32;
        }
        call.update("out", |y| y[..out.len()].copy_from_slice(&out));
        call.update("stats", |y| y[..stats.len()].copy_from_slice(&stats));
    }

    pub fn backward_query(call: &mut ReferenceCall<'_>) {
        let s = Shape::of(call);
        let (q, k, v, ranges) = (call.floats("q"), call.floats("k"), call.floats("v"), call.uints("ranges"));
        let (out, d_out, mut stats) = (call.floats("out"), call.floats("d_out"), call.floats("stats"));
        let mut dq = vec![0f32; s.rows * s.heads * s.size];
        for item in 0..s.rows * s.heads {
            let (row, head) = (item / s.heads, item % s.heads);
            let d = s.dot(&d_out, item, &out, item);
            let log_sum = f64::from(stats[item * 2]);
            let mut sum = vec![0f64; s.size];
            let keys = ranges[row * 2] as usize..ranges[row * 2 + 1] as usize;
            for (local, j) in keys.enumerate() {
                let at = j * s.heads + head;
                let probability = (s.scale * s.dot(&q, item, &k, at) - log_sum).exp();
                let g = s.dot(&d_out, item, &v, at) * s.kept(item, local);
                add(&mut sum, probability * (g - d), &k[at * s.size..][..s.size]);
            }
            store(&mut dq[item * s.size..][..s.size], &sum, s.scale);
            stats[item * 2 + 1] = d as f32;
        }
        call.update("dq", |y| y[..dq.len()].copy_from_slice(&dq));
        call.update("stats", |y| y.copy_from_slice(&stats));
    }

    pub fn backward_key_value(call: &mut ReferenceCall<'_>) {
        let s = Shape::of(call);
        let (q, k, v) = (call.floats("q"), call.floats("k"), call.floats("v"));
        let (key_ranges, d_out, stats) =
            (call.uints("key_ranges"), call.floats("d_out"), call.floats("stats"));
        let len = s.rows * s.heads * s.size;
        let (mut dk, mut dv) = (vec![0f32; len], vec![0f32; len]);
        for item in 0..s.rows * s.heads {
            let (row, head) = (item / s.heads, item % s.heads);
            let [first, end, start] = [0, 1, 2].map(|i| key_ranges[row * 4 + i] as usize);
            let (mut sum_k, mut sum_v) = (vec![0f64; s.size], vec![0f64; s.size]);
            for i in first..end {
                let query = i * s.heads + head;
                let log_sum = f64::from(stats[query * 2]);
                let probability = (s.scale * s.dot(&q, query, &k, item) - log_sum).exp();
                let kept = s.kept(query, row - start);
                let g = s.dot(&d_out, query, &v, item) * kept;
                add(&mut sum_v, probability * kept, &d_out[query * s.size..][..s.size]);
                let d_score = probability * (g - f64::from(stats[query * 2 + 1]));
                add(&mut sum_k, d_score, &q[query * s.size..][..s.size]);
            }
            store(&mut dk[item * s.size..][..s.size], &sum_k, s.scale);
            store(&mut dv[item * s.size..][..s.size], &sum_v, 1.0);
        }
        call.update("dk", |y| y[..len].copy_from_slice(&dk));
        call.update("dv", |y| y[..len].copy_from_slice(&dv));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_op, check_op_gpu, input};
    use super::*;
    use crate::gpu::{Device, Sizes};

    /// Query rows are all tokens, or the first token of each sequence.
    fn pairing(device: &Device, lengths: &[u32], first_only: bool) -> Pairing {
        let (mut ranges, mut key_ranges, mut start) = (Vec::new(), Vec::new(), 0);
        for (b, &length) in lengths.iter().enumerate() {
            let queries = if first_only { b as u32..b as u32 + 1 } else { start..start + length };
            for _ in queries.clone() {
                ranges.extend([start, start + length]);
            }
            for _ in 0..length {
                key_ranges.extend([queries.start, queries.end, start, 0]);
            }
            start += length;
        }
        Pairing {
            ranges: device.upload("ranges", &ranges).unwrap().slice(0, ranges.len()),
            key_ranges: device.upload("key_ranges", &key_ranges).unwrap().slice(0, key_ranges.len()),
            key_stride: 64,
        }
    }

    fn case(
        lengths: &'static [u32],
        n_heads: usize,
        head_size: usize,
        dropout: f32,
        first_only: bool,
        differences: bool,
    ) {
        let tokens = lengths.iter().sum::<u32>() as usize;
        let sizes = Sizes { tokens, sequences: lengths.len(), targets: 0 };
        let rows = if first_only { Dim::Sequences } else { Dim::Tokens };
        let inputs = vec![
            input(rows, n_heads * head_size, &sizes, 1),
            input(Dim::Tokens, n_heads * head_size, &sizes, 2),
            input(Dim::Tokens, n_heads * head_size, &sizes, 3),
        ];
        let op = move |tape: &mut Tape, device: &Device, x: &[Tensor]| {
            let pairing = pairing(device, lengths, first_only);
            attention(tape, &x[0], &x[1], &x[2], &pairing, Heads { n_heads, head_size, dropout })
        };
        if differences { check_op(&sizes, inputs, op) } else { check_op_gpu(&sizes, inputs, op) }
    }

    #[test]
    fn packed_sequences_of_unequal_length() {
        case(&[3, 1, 5], 2, 4, 0.0, false, true);
    }

    #[test]
    fn dropout_uses_the_same_mask_on_the_way_back() {
        case(&[4, 2, 3], 2, 4, 0.3, false, true);
    }

    #[test]
    fn only_first_tokens_ask() {
        case(&[3, 1, 5], 1, 8, 0.2, true, true);
    }

    #[test]
    fn gpu_at_bert_shape() {
        case(&[17, 64, 2, 33], 12, 64, 0.1, false, false);
    }
}
