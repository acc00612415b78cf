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

mod kernels;
mod reference;
#[cfg(test)]
mod tests;

pub use kernels::KERNELS;
use kernels::{BACKWARD_KEY_VALUE, BACKWARD_QUERY, FORWARD};
pub(super) use kernels::{Forms, forms};

use crate::gpu::{Constant, Dim, Extent, Slice, Value};
use crate::tape::{Tape, Tensor};

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
    /// D
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
        pass: &Forms,
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
        tape.dispatch(pass.of(heads.head_size), &constants, &params, buffers, grid);
    }
}
