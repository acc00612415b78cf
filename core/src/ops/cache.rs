//! Keys and values that are kept from token to token while text is generated; inference only.
//!
//! They lie in pools of rows, one of keys and one of values for each layer, and a table names the rows of every
//! sequence in order (as pages do in Kwon et al. 2023, arXiv 2309.06180, here one row to a page). Beams that begin alike
//! name the same rows, so that going on from another beam rewrites the table and moves no key. Reading a prompt and
//! adding a token to every beam are the same two ops: the new rows go to the pools, then every query row meets the keys
//! of its sequence up to its own. [`crate::generate::cache_rows`] keeps the table.

use crate::gpu::kernel::{float, read, uint, write};
use crate::gpu::{Extent, Kernel, Slice};
use crate::ops::attention::{Forms, Heads, forms};
use crate::tape::{Tape, Tensor};
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&STORE_ROWS, ATTENTION_CACHED.fours, ATTENTION_CACHED.singles];

/// `pool[ids[t], :] = x[t, :]`
pub static STORE_ROWS: Kernel = Kernel {
    name: "store_rows",
    source: wgsl!("store_rows", "common/grid"),
    params: &[uint("rows"), uint("cols")],
    bindings: &[read("x"), read("ids"), write("pool")],
    reference: reference::store,
};

/// Attention over the rows of a pool that a table names.
const ATTENTION_CACHED: Forms = forms!(
    "attention_cached",
    ["common/grid"],
    &[uint("rows"), uint("heads"), float("scale"), uint("max_keys")],
    &[read("q"), read("keys"), read("values"), read("key_rows"), read("places"), write("out")],
    reference::attend
);

/// Who meets which cached rows; the same for all layers.
#[derive(Clone, Debug)]
pub struct CachedPairing {
    /// (sequences, max_keys) rows of the pool, those of each sequence in the order of its tokens.
    pub key_rows: Slice,
    /// Columns of `key_rows`.
    pub max_keys: usize,
    /// (rows, 2) sequence of every query row, and how many of its keys the row meets.
    pub places: Slice,
}

/// Copies the rows of x (rows, C) into `pool`, (pool rows, C), at the row numbers `ids` (rows), all different.
pub fn store_rows(tape: &mut Tape, x: &Tensor, ids: &Slice, pool: &Slice) {
    let params = [("rows", x.rows.into()), ("cols", x.cols.into())];
    tape.dispatch(&STORE_ROWS, &[], &params, &[&x.slice, ids, pool], super::elementwise(x.len()));
}

/// Attention of q (rows, H·D) over pools of keys and values, (pool rows, H·D) each: (rows, H·D). Dropout is off.
pub fn attention_cached(
    tape: &mut Tape,
    q: &Tensor,
    [keys, values]: [&Slice; 2],
    pairing: &CachedPairing,
    heads: Heads,
) -> Tensor {
    let out = tape.output(q.rows, q.cols, false);
    let constants = [("HEAD_SIZE", (heads.head_size as u32).into())];
    let params = [
        ("rows", q.rows.into()),
        ("heads", heads.n_heads.into()),
        ("scale", (1.0 / (heads.head_size as f32).sqrt()).into()),
        ("max_keys", pairing.max_keys.into()),
    ];
    let buffers = [&q.slice, keys, values, &pairing.key_rows, &pairing.places, &out.slice];
    let grid = super::elementwise(Extent { dim: q.rows, per: heads.n_heads });
    tape.dispatch(ATTENTION_CACHED.of(heads.head_size), &constants, &params, &buffers, grid);
    out
}

mod reference {
    use crate::gpu::ReferenceCall;

    pub fn store(call: &mut ReferenceCall<'_>) {
        let (rows, cols) = (call.uint("rows"), call.uint("cols"));
        let (x, ids) = (call.floats("x"), call.uints("ids"));
        call.update("pool", |pool| {
            for (row, &id) in x.chunks_exact(cols).zip(&ids).take(rows) {
                pool[id as usize * cols..][..cols].copy_from_slice(row);
            }
        });
    }

    pub fn attend(call: &mut ReferenceCall<'_>) {
        let (rows, heads) = (call.uint("rows"), call.uint("heads"));
        let (scale, max_keys) = (f64::from(call.float("scale")), call.uint("max_keys"));
        let size = call.constant("HEAD_SIZE") as usize;
        let (q, keys, values) = (call.floats("q"), call.floats("keys"), call.floats("values"));
        let (key_rows, places) = (call.uints("key_rows"), call.uints("places"));
        let mut out = vec![0f32; rows * heads * size];
        for (item, out) in out.chunks_exact_mut(size).enumerate() {
            let (row, head) = (item / heads, item % heads);
            let [sequence, n_keys] = [0, 1].map(|i| places[row * 2 + i] as usize);
            let rows = &key_rows[sequence * max_keys..][..n_keys];
            let at = |row: u32| (row as usize * heads + head) * size;
            let score = |row: u32| -> f64 {
                let products = q[item * size..][..size].iter().zip(&keys[at(row)..]);
                scale * products.map(|(q, k)| f64::from(*q) * f64::from(*k)).sum::<f64>()
            };
            let scores: Vec<f64> = rows.iter().map(|&row| score(row)).collect();
            let largest = scores.iter().copied().fold(f64::MIN, f64::max);
            let total: f64 = scores.iter().map(|x| (x - largest).exp()).sum();
            for (d, out) in out.iter_mut().enumerate() {
                let terms = rows.iter().zip(&scores);
                let sum = terms.map(|(&row, x)| (x - largest).exp() * f64::from(values[at(row) + d]));
                *out = (sum.sum::<f64>() / total) as f32;
            }
        }
        call.update("out", |y| y[..out.len()].copy_from_slice(&out));
    }
}

#[cfg(test)]
mod tests {
    use super::super::attention::{Pairing, attention};
    use super::super::testing::{Input, assert_close, check_op_gpu, frozen, run};
    use super::*;
    use crate::gpu::{Device, Dim, Sizes};

    const HEADS: Heads = Heads { n_heads: 3, head_size: 8, dropout: 0.0 };
    /// The same columns in heads that are read one number at a time.
    const ODD_HEADS: Heads = Heads { n_heads: 8, head_size: 3, dropout: 0.0 };
    const COLS: usize = 24;
    /// Row of the pool that holds each of five tokens: sequence 0 has tokens 0–2, sequence 1 tokens 3 and 4.
    const IDS: [u32; 5] = [6, 1, 4, 7, 2];

    fn words(device: &Device, words: &[u32]) -> Slice {
        device.upload("words", words).unwrap().slice(0, words.len())
    }

    fn inputs(sizes: &Sizes) -> Vec<Input> {
        (1..4).map(|seed| frozen(Dim::Tokens, COLS, sizes, seed)).collect()
    }

    /// Stores keys x[1] and values x[2] and lets x[0] ask.
    fn cached(
        (tape, device): (&mut Tape, &Device),
        x: &[Tensor],
        heads: Heads,
        key_rows: &[u32],
        places: &[u32],
    ) -> Tensor {
        let pools = [0; 2].map(|_| tape.scratch(8, COLS));
        for (x, pool) in x[1..].iter().zip(&pools) {
            tape.clear(pool);
            store_rows(tape, x, &words(device, &IDS), pool);
        }
        let pairing =
            CachedPairing { key_rows: words(device, key_rows), max_keys: 4, places: words(device, places) };
        attention_cached(tape, &x[0], [&pools[0], &pools[1]], &pairing, heads)
    }

    #[test]
    fn reading_a_prompt_is_causal_attention() {
        let sizes = Sizes { tokens: 5, ..Sizes::default() };
        let key_rows = [6, 1, 4, 0, 7, 2, 0, 0];
        let places = [0, 1, 0, 2, 0, 3, 1, 1, 1, 2];
        for heads in [HEADS, ODD_HEADS] {
            let op = |tape: &mut Tape, device: &Device, x: &[Tensor]| {
                cached((tape, device), x, heads, &key_rows, &places)
            };
            check_op_gpu(&sizes, inputs(&sizes), op);
            let found = run(&Device::reference(), &sizes, &inputs(&sizes), &op);
            let expected = run(&Device::reference(), &sizes, &inputs(&sizes), &|tape, device, x| {
                let pairing = Pairing {
                    ranges: words(device, &[0, 1, 0, 2, 0, 3, 3, 4, 3, 5]),
                    key_ranges: words(device, &[0; 20]),
                    key_stride: 8,
                };
                attention(tape, &x[0], &x[1], &x[2], &pairing, heads)
            });
            assert_close("output", &found.output, &expected.output, 1e-6);
        }
    }

    #[test]
    fn beams_name_the_rows_they_share() {
        // Five beams that begin alike, with rows 6 and 1, and each ask one key of their own.
        let sizes = Sizes { tokens: 5, ..Sizes::default() };
        let key_rows: Vec<u32> = IDS.iter().flat_map(|&own| [6, 1, own, 0]).collect();
        let places: Vec<u32> = (0..5).flat_map(|beam| [beam, 3]).collect();
        check_op_gpu(&sizes, inputs(&sizes), |tape, device, x| {
            cached((tape, device), x, HEADS, &key_rows, &places)
        });
    }
}
