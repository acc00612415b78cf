//! The three products of a linear layer with its weight stored (out, in), and what is fused onto them.
//!
//! | name | product | use |
//! |---|---|---|
//! | nt | y (M, N) = x (M, K) · w (N, K)ᵀ | forward, with bias, activation, dropout, residual |
//! | nn | dx (M, N) = dy (M, K) · w (K, N) | gradient of the input, times the derivative of an activation |
//! | tn | dw (M, N) = dy (K, M)ᵀ · x (K, N) | gradient of the weight; K is the number of tokens |
//! | skinny | z (M, N) = x (M, K) · f, N small | tokens through a rank-N factor |
//!
//! [`design`] is the one place that chooses between the designs of a product.

mod design;
mod epilogue;
mod reference;
#[cfg(test)]
mod tests;

use crate::gpu::{AdapterKind, Constant, Dim, Slice};
use crate::ops::activation::activation_backward;
use crate::ops::add::add_in_place;
use crate::tape::Tape;

pub use design::KERNELS;
use design::{NN, NT, SKINNY, TN, design, fours};
pub(super) use reference::activate;

/// Activations by the number the shaders know them by.
pub mod activation {
    /// The identity.
    pub const NONE: u32 = 0;
    /// `x · Φ(x)` with the exact normal distribution: BERT's GELU.
    pub const GELU: u32 = 1;
    /// GELU with Φ approximated through tanh: GPT-2's.
    pub const GELU_TANH: u32 = 2;
    /// tanh: BERT's pooler.
    pub const TANH: u32 = 3;
    /// `x · σ(x)`, also called swish: bottleneck adapters'.
    pub const SILU: u32 = 4;
    /// `max(x, 0)`, with derivative 0 at 0.
    pub const RELU: u32 = 5;
}

/// What the forward product does with its result, in this order.
#[derive(Clone, Debug, Default)]
pub struct Epilogue {
    /// Added to every row, (N).
    pub bias: Option<Slice>,
    /// Applied after the bias; see [`activation`].
    pub activation: u32,
    /// Where the value before the activation is kept, (M, N).
    pub pre: Option<Slice>,
    /// Stream and rate of dropout.
    pub dropout: Option<(u32, f32)>,
    /// Added last, (M, N).
    pub residual: Option<Slice>,
}

/// M, N and K of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows of the result.
    pub m: Dim,
    /// Columns of the result.
    pub n: usize,
    /// Summed over.
    pub k: Dim,
}

impl Epilogue {
    fn constants(&self) -> [(&'static str, Constant); 5] {
        [
            ("HAS_BIAS", self.bias.is_some().into()),
            ("ACTIVATION", self.activation.into()),
            ("STORE_PRE", self.pre.is_some().into()),
            ("HAS_DROPOUT", self.dropout.is_some().into()),
            ("HAS_RESIDUAL", self.residual.is_some().into()),
        ]
    }
}

/// `y = epilogue(x wᵀ)`: x (M, K), w (N, K), y (M, N).
pub fn nt(tape: &mut Tape, shape: Shape, x: &Slice, w: &Slice, y: &Slice, epilogue: &Epilogue) {
    let by_fours = fours(&[shape.n.into(), shape.k]);
    if epilogue::is_fused(tape.kind(), by_fours) {
        record_nt(tape, shape, x, w, y, epilogue);
    } else {
        record_nt(tape, shape, x, w, y, &Epilogue::default());
        epilogue::record(tape, shape.m, shape.n, 1.0, y, epilogue, w);
    }
}

fn record_nt(tape: &mut Tape, shape: Shape, x: &Slice, w: &Slice, y: &Slice, epilogue: &Epilogue) {
    let unused = tape.scratch(1, 4);
    let (stream, rate) = epilogue.dropout.unwrap_or((0, 0.0));
    let extra = [
        ("dropout_seed", tape.dropout_seed()),
        ("dropout_stream", stream.into()),
        ("dropout_rate", rate.into()),
    ];
    // Inputs that are switched off are bound to the weight, which every call has.
    let bias = epilogue.bias.as_ref().unwrap_or(w);
    let residual = epilogue.residual.as_ref().unwrap_or(w);
    let pre = epilogue.pre.as_ref().unwrap_or(&unused);
    let buffers = [x, w, bias, residual, y, pre];
    let design = design(tape.kind(), &NT, shape.m, shape.n.into(), fours(&[shape.n.into(), shape.k]));
    let tiles = [shape.m, shape.n.into()];
    design.dispatch(tape, shape, tiles, &epilogue.constants(), &extra, &buffers);
}

/// `dx (+)= (dy w) · act'(pre)`: dy (M, K), w (K, N), dx and pre (M, N).
pub fn nn(
    tape: &mut Tape,
    shape: Shape,
    dy: &Slice,
    w: &Slice,
    dx: &Slice,
    accumulate: bool,
    activation: Option<(u32, &Slice)>,
) {
    let by_fours = fours(&[shape.n.into(), shape.k]);
    if epilogue::is_fused(tape.kind(), by_fours) || (!accumulate && activation.is_none()) {
        let (kind, pre) = activation.unwrap_or((activation::NONE, w));
        record_nn(tape, shape, [accumulate, false], kind, 1.0, [dy, w, pre, dx]);
        return;
    }
    let product = tape.scratch(shape.m, shape.n);
    record_nn(tape, shape, [false; 2], activation::NONE, 1.0, [dy, w, w, &product]);
    let len = product.len;
    match activation {
        Some((kind, pre)) => activation_backward(tape, kind, pre, &product, dx, len, accumulate),
        None => add_in_place(tape, &product, dx, len, 1.0),
    }
}

/// `out = base + scale · x w`: x (M, K), w (K, N), base and out (M, N).
pub fn nn_onto(tape: &mut Tape, shape: Shape, x: &Slice, w: &Slice, base: &Slice, scale: f32, out: &Slice) {
    if epilogue::is_fused(tape.kind(), fours(&[shape.n.into(), shape.k])) {
        record_nn(tape, shape, [false, true], activation::NONE, scale, [x, w, base, out]);
        return;
    }
    record_nn(tape, shape, [false; 2], activation::NONE, 1.0, [x, w, w, out]);
    let onto = Epilogue { residual: Some(base.clone()), ..Epilogue::default() };
    epilogue::record(tape, shape.m, shape.n, scale, out, &onto, w);
}

fn record_nn(
    tape: &mut Tape,
    shape: Shape,
    [accumulate, has_base]: [bool; 2],
    activation: u32,
    scale: f32,
    buffers: [&Slice; 4],
) {
    let constants =
        [("ACCUMULATE", accumulate.into()), ("ACTIVATION", activation.into()), ("HAS_BASE", has_base.into())];
    let design = design(tape.kind(), &NN, shape.m, shape.n.into(), fours(&[shape.n.into(), shape.k]));
    let tiles = [shape.m, shape.n.into()];
    design.dispatch(tape, shape, tiles, &constants, &[("scale", scale.into())], &buffers);
}

/// `dw (+)= scale · dyᵀ x`: dy (K, M), x (K, N), dw (M, N).
pub fn tn(tape: &mut Tape, shape: Shape, scale: f32, dy: &Slice, x: &Slice, dw: &Slice, accumulate: bool) {
    let by_fours = fours(&[shape.m, shape.n.into()]);
    let constants = [("ACCUMULATE", accumulate.into())];
    let extra = [("scale", scale.into())];
    // A thin factor is quicker as the left operand; the result is then written transposed.
    let thin = |n: Dim| matches!(n, Dim::Fixed(n) if n <= 64);
    if by_fours && thin(shape.n.into()) && !thin(shape.m) && tape.kind() != AdapterKind::Reference {
        let (m, n) = (Dim::Fixed(shape.n), fixed(shape.m));
        let turned = [("ACCUMULATE", accumulate.into()), ("TRANSPOSE_OUT", true.into())];
        let design = design(tape.kind(), &TN, m, n.into(), by_fours);
        let shape = Shape { m, n, k: shape.k };
        design.dispatch(tape, shape, [m, n.into()], &turned, &extra, &[x, dy, dw]);
        return;
    }
    let design = design(tape.kind(), &TN, shape.m, shape.n.into(), by_fours);
    design.dispatch(tape, shape, [shape.m, shape.n.into()], &constants, &extra, &[dy, x, dw]);
}

fn fixed(dim: Dim) -> usize {
    match dim {
        Dim::Fixed(n) => n,
        dim => unreachable!("the sizes of a weight are fixed, not {dim:?}"),
    }
}

/// Which way a rank-r factor is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// (N, K): A of an update, (R, d_in).
    Rows,
    /// (K, N): B of an update, (d_out, R).
    Columns,
}

/// `z = x f` with few columns N: x (M, K), z (M, N), and f a factor stored either way.
pub fn skinny(tape: &mut Tape, shape: Shape, x: &Slice, f: &Slice, factor: Factor, z: &Slice) {
    if !fours(&[shape.n.into(), shape.k]) || tape.kind() == AdapterKind::Reference {
        match factor {
            Factor::Rows => nt(tape, shape, x, f, z, &Epilogue::default()),
            Factor::Columns => nn(tape, shape, x, f, z, false, None),
        }
        return;
    }
    // The factor is the left operand: the tiles have N along their rows and M along their columns.
    let design = design(tape.kind(), &SKINNY, shape.n.into(), shape.m, true);
    let constants = [("FACTOR_K_FIRST", (factor == Factor::Columns).into())];
    design.dispatch(tape, shape, [shape.n.into(), shape.m], &constants, &[], &[x, f, z]);
}
