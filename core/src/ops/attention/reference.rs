//! The passes of attention in plain loops: heads of any size, sums in f64.

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
    let (key_ranges, d_out, stats) = (call.uints("key_ranges"), call.floats("d_out"), call.floats("stats"));
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
