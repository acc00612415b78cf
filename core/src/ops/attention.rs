//! Multi-head attention over packed sequences (Vaswani et al. 2017), without padding and without stored scores.
//!
//! `out[i] = Σ_j dropout(softmax_j(q_i · k_j / √D)) v_j` per head, j over the keys of the row's own sequence.
//! q and out are (rows, H·D), k and v (T, H·D). Query rows need not be the keys' rows: the last layer of a
//! classifier asks only for the first token of every sequence. Forward saves the log-sum-exp, (rows, H, 2).
//! Causal attention is a matter of the pairing: the keys of a row end at the row's own token.
//!
//! Keys and values may begin with a trained prefix ([`super::prepend`]; Li and Liang 2021, arXiv 2101.00190), which
//! every query row meets before the keys of its sequence. Their rows are then [`Dim::Keys`], and the pairing goes on to
//! count rows of tokens.

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
    uint("n_prefix"),
];
/// The same for a pass over keys, with the number of query rows.
const KEY_PARAMS: &[Field] = &[
    uint("rows"),
    uint("heads"),
    float("scale"),
    uint("key_stride"),
    uint("dropout_seed"),
    uint("dropout_stream"),
    float("dropout_rate"),
    uint("n_prefix"),
    uint("query_rows"),
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
    params: KEY_PARAMS,
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

/// Which query rows meet which tokens' keys.
#[derive(Clone, Debug)]
pub struct Pairing {
    /// Per query row: first token, one past the last token.
    pub ranges: Slice,
    /// Per token: first query row, one past the last query row, first token of its sequence, 0.
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

/// Attention of q (rows, H·D) over k and v, (T, H·D) or with a prefix of P rows (P + T, H·D): (rows, H·D).
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
    let n_prefix = match k.rows {
        Dim::Keys(n_prefix) => n_prefix,
        _ => 0,
    };
    assert_eq!(k.rows, v.rows, "a key has a value");
    let call = Call {
        heads,
        n_prefix,
        stride: n_prefix + pairing.key_stride,
        stream,
        dropout: tape.is_training() && heads.dropout > 0.0,
    };
    let buffers = [&q.slice, &k.slice, &v.slice, &pairing.ranges, &out.slice, &stats];
    call.dispatch(tape, &FORWARD, q.rows, &[], &buffers);
    let (q, k, v, pairing, y) = (q.clone(), k.clone(), v.clone(), pairing.clone(), out.clone());
    tape.on_backward(move |tape| {
        let Some(d_out) = tape.gradient(&y) else { return };
        // The pass over queries also leaves d_i in stats for the other pass, so it always runs.
        let dq = first_gradient(tape, &q);
        let buffers = [&q.slice, &k.slice, &v.slice, &pairing.ranges, &y.slice, &d_out, &stats, &dq];
        call.dispatch(tape, &BACKWARD_QUERY, q.rows, &[], &buffers);
        if k.requires_grad || v.requires_grad {
            let (dk, dv) = (first_gradient(tape, &k), first_gradient(tape, &v));
            let buffers = [&q.slice, &k.slice, &v.slice, &pairing.key_ranges, &d_out, &stats, &dk, &dv];
            let query_rows = [("query_rows", q.rows.into())];
            call.dispatch(tape, &BACKWARD_KEY_VALUE, k.rows, &query_rows, &buffers);
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
    n_prefix: usize,
    stride: usize,
    stream: u32,
    dropout: bool,
}

impl Call {
    fn dispatch(
        &self,
        tape: &mut Tape,
        kernel: &'static Kernel,
        rows: Dim,
        extra: &[(&'static str, Value)],
        buffers: &[&Slice],
    ) {
        let heads = self.heads;
        let constants = [
            ("HEAD_SIZE", Constant::U32(heads.head_size as u32)),
            ("HAS_DROPOUT", Constant::Bool(self.dropout)),
        ];
        let mut params: Vec<(&'static str, Value)> = vec![
            ("rows", rows.into()),
            ("heads", heads.n_heads.into()),
            ("scale", (1.0 / (heads.head_size as f32).sqrt()).into()),
            ("key_stride", self.stride.into()),
            ("dropout_seed", tape.dropout_seed()),
            ("dropout_stream", self.stream.into()),
            ("dropout_rate", heads.dropout.into()),
            ("n_prefix", self.n_prefix.into()),
        ];
        params.extend(extra);
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
        n_prefix: usize,
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
                n_prefix: call.uint("n_prefix"),
                dropout,
            }
        }

        /// The rows of the keys that query row `row` meets: the prefix, then those of its sequence.
        fn keys(&self, ranges: &[u32], row: usize) -> Vec<usize> {
            let tokens = ranges[row * 2] as usize..ranges[row * 2 + 1] as usize;
            (0..self.n_prefix).chain(tokens.map(|token| self.n_prefix + token)).collect()
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
            let keys = s.keys(&ranges, row);
            let scores: Vec<f64> =
                keys.iter().map(|j| s.scale * s.dot(&q, item, &k, j * s.heads + head)).collect();
            let largest = scores.iter().copied().fold(f64::MIN, f64::max);
            let total: f64 = scores.iter().map(|x| (x - largest).exp()).sum();
            let mut sum = vec![0f64; s.size];
            for (local, (j, score)) in keys.iter().zip(&scores).enumerate() {
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
            for (local, j) in s.keys(&ranges, row).into_iter().enumerate() {
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
            // All query rows meet the prefix; its keys count from its first, those of tokens from after the prefix.
            let [first, end, start] = match row.checked_sub(s.n_prefix) {
                Some(token) => [0, 1, 2].map(|i| key_ranges[token * 4 + i] as usize),
                None => [0, call.uint("query_rows"), 0],
            };
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
    use super::super::testing::{Input, assert_close, check_op, check_op_gpu, input, run};
    use super::*;
    use crate::gpu::{Device, Sizes};

    /// Who asks whom.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Asking {
        /// All tokens ask all tokens of their sequence.
        All,
        /// The first token of each sequence asks all tokens of it.
        First,
        /// All tokens ask those up to themselves.
        Causal,
    }

    fn pairing(device: &Device, lengths: &[u32], asking: Asking) -> Pairing {
        let (mut ranges, mut key_ranges, mut start) = (Vec::new(), Vec::new(), 0);
        for (b, &length) in lengths.iter().enumerate() {
            let end = start + length;
            let first_only = asking == Asking::First;
            let queries = if first_only { b as u32..b as u32 + 1 } else { start..end };
            for query in queries.clone() {
                ranges.extend([start, if asking == Asking::Causal { query + 1 } else { end }]);
            }
            for key in start..end {
                let first = if asking == Asking::Causal { key } else { queries.start };
                key_ranges.extend([first, queries.end, start, 0]);
            }
            start = end;
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
        asking: Asking,
        n_prefix: usize,
        differences: bool,
    ) {
        let tokens = lengths.iter().sum::<u32>() as usize;
        let sizes = Sizes { tokens, sequences: lengths.len(), targets: 0 };
        let rows = if asking == Asking::First { Dim::Sequences } else { Dim::Tokens };
        let keys = if n_prefix > 0 { Dim::Keys(n_prefix) } else { Dim::Tokens };
        let inputs = vec![
            input(rows, n_heads * head_size, &sizes, 1),
            input(keys, n_heads * head_size, &sizes, 2),
            input(keys, n_heads * head_size, &sizes, 3),
        ];
        let op = move |tape: &mut Tape, device: &Device, x: &[Tensor]| {
            let pairing = pairing(device, lengths, asking);
            attention(tape, &x[0], &x[1], &x[2], &pairing, Heads { n_heads, head_size, dropout })
        };
        if differences { check_op(&sizes, inputs, op) } else { check_op_gpu(&sizes, inputs, op) }
    }

    #[test]
    fn packed_sequences_of_unequal_length() {
        case(&[3, 1, 5], 2, 4, 0.0, Asking::All, 0, true);
    }

    #[test]
    fn dropout_uses_the_same_mask_on_the_way_back() {
        case(&[4, 2, 3], 2, 4, 0.3, Asking::All, 0, true);
    }

    #[test]
    fn only_first_tokens_ask() {
        case(&[3, 1, 5], 1, 8, 0.2, Asking::First, 0, true);
    }

    #[test]
    fn gpu_at_bert_shape() {
        case(&[17, 64, 2, 33], 12, 64, 0.1, Asking::All, 0, false);
    }

    #[test]
    fn a_token_sees_no_later_one() {
        case(&[3, 1, 5], 2, 4, 0.0, Asking::Causal, 0, true);
        case(&[3, 1, 5], 2, 4, 0.3, Asking::Causal, 0, true);
        case(&[17, 64, 2, 33], 12, 64, 0.1, Asking::Causal, 0, false);
    }

    #[test]
    fn all_rows_meet_the_prefix_before_their_own_keys() {
        for asking in [Asking::All, Asking::First, Asking::Causal] {
            case(&[3, 1, 5], 2, 4, 0.0, asking, 2, true);
            case(&[3, 1, 5], 2, 4, 0.3, asking, 1, true);
        }
        case(&[17, 64, 2, 33], 12, 64, 0.1, Asking::All, 20, false);
    }

    #[test]
    fn a_prefix_is_as_if_every_sequence_began_with_it() {
        const LENGTHS: [u32; 2] = [2, 3];
        let sizes = Sizes { tokens: 5, sequences: 2, targets: 0 };
        let keys = [2, 3].map(|seed| input(Dim::Keys(1), 8, &sizes, seed));
        let queries = || input(Dim::Tokens, 8, &sizes, 1);
        let heads = Heads { n_heads: 2, head_size: 4, dropout: 0.0 };
        let [k, v] = keys.each_ref().map(|x| Input { data: x.data.clone(), ..*x });
        let prefixed = run(&Device::reference(), &sizes, &[queries(), k, v], &|tape, device, x| {
            attention(tape, &x[0], &x[1], &x[2], &pairing(device, &LENGTHS, Asking::All), heads)
        });
        // The same keys written out: the prefix once for each sequence, then its tokens.
        let long = Sizes { tokens: 7, ..sizes };
        let written = keys.map(|x| {
            let row = |i: usize| &x.data[i * 8..][..8];
            let data = [0, 1, 2, 0, 3, 4, 5].map(row).concat();
            Input { data, rows: Dim::Fixed(7), ..x }
        });
        let [k, v] = written;
        let plain = run(
            &Device::reference(),
            &long,
            &[Input { rows: Dim::Fixed(5), ..queries() }, k, v],
            &|tape, device, x| {
                let ranges: Vec<u32> = vec![0, 3, 0, 3, 3, 7, 3, 7, 3, 7];
                let key_ranges = [[0, 2, 0, 0], [2, 5, 3, 0]];
                let key_ranges: Vec<u32> = (0..7).flat_map(|key| key_ranges[usize::from(key >= 3)]).collect();
                let pairing = Pairing {
                    ranges: device.upload("ranges", &ranges).unwrap().slice(0, 10),
                    key_ranges: device.upload("key_ranges", &key_ranges).unwrap().slice(0, 28),
                    key_stride: 64,
                };
                attention(tape, &x[0], &x[1], &x[2], &pairing, heads)
            },
        );
        assert_close("output", &prefixed.output, &plain.output, 1e-6);
    }
}
