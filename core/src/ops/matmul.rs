//! The three products of a linear layer with its weight stored (out, in), and what is fused onto them.
//!
//! | name | product | use |
//! |---|---|---|
//! | nt | y (M, N) = x (M, K) · w (N, K)ᵀ | forward, with bias, activation, dropout, residual |
//! | nn | dx (M, N) = dy (M, K) · w (K, N) | gradient of the input, times the derivative of an activation |
//! | tn | dw (M, N) = dy (K, M)ᵀ · x (K, N) | gradient of the weight; K is the number of tokens |
//!
//! [`design`] is the one place that chooses between the designs of a product.

use crate::gpu::kernel::{Field, float, read, uint, write};
use crate::gpu::{AdapterKind, Constant, Dim, Extent, Grid, Kernel, Slice, Value};
use crate::tape::Tape;
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&NT_PLAIN, &NN_PLAIN, &TN_PLAIN];

const NT_PARAMS: &[Field] = &[
    uint("m"),
    uint("n"),
    uint("k"),
    uint("row_start"),
    uint("dropout_seed"),
    uint("dropout_stream"),
    float("dropout_rate"),
];
const NN_PARAMS: &[Field] = &[uint("m"), uint("n"), uint("k"), uint("row_start")];
const TN_PARAMS: &[Field] = &[uint("m"), uint("n"), uint("k"), uint("row_start"), float("scale")];

const NT_BINDINGS: &[crate::gpu::Binding] =
    &[read("x"), read("w"), read("bias"), read("residual"), write("y"), write("pre")];
const NN_BINDINGS: &[crate::gpu::Binding] = &[read("dy"), read("w"), read("pre"), write("dx")];
const TN_BINDINGS: &[crate::gpu::Binding] = &[read("dy"), read("x"), write("dw")];

/// Any size, one output per invocation.
pub static NT_PLAIN: Kernel = Kernel {
    name: "matmul_nt_plain",
    source: wgsl!("matmul_nt_plain", "common/activation", "common/random"),
    params: NT_PARAMS,
    bindings: NT_BINDINGS,
    reference: reference::nt,
};

/// Any size, one output per invocation.
pub static NN_PLAIN: Kernel = Kernel {
    name: "matmul_nn_plain",
    source: wgsl!("matmul_nn_plain", "common/activation"),
    params: NN_PARAMS,
    bindings: NN_BINDINGS,
    reference: reference::nn,
};

/// Any size, one output per invocation.
pub static TN_PLAIN: Kernel = Kernel {
    name: "matmul_tn_plain",
    source: wgsl!("matmul_tn_plain"),
    params: TN_PARAMS,
    bindings: TN_BINDINGS,
    reference: reference::tn,
};

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Product {
    Nt,
    Nn,
    Tn,
}

/// A kernel with the size of the tile one workgroup computes.
struct Design {
    kernel: &'static Kernel,
    constants: Vec<(&'static str, Constant)>,
    tile_rows: usize,
    tile_cols: usize,
}

fn design(_kind: AdapterKind, product: Product, _shape: Shape) -> Design {
    let kernel = match product {
        Product::Nt => &NT_PLAIN,
        Product::Nn => &NN_PLAIN,
        Product::Tn => &TN_PLAIN,
    };
    Design { kernel, constants: Vec::new(), tile_rows: 8, tile_cols: 8 }
}

impl Design {
    fn dispatch(
        &self,
        tape: &mut Tape,
        shape: Shape,
        constants: &[(&'static str, Constant)],
        extra: &[(&'static str, Value)],
        buffers: &[&Slice],
    ) {
        let all: Vec<_> = self.constants.iter().chain(constants).copied().collect();
        let mut params: Vec<(&'static str, Value)> = vec![
            ("m", shape.m.into()),
            ("n", shape.n.into()),
            ("k", shape.k.into()),
            ("row_start", 0u32.into()),
        ];
        params.extend(extra);
        let grid = Grid::Tiles {
            cols: Extent::new(shape.n, 1),
            tile_cols: self.tile_cols,
            rows: Extent { dim: shape.m, per: 1 },
            tile_rows: self.tile_rows,
        };
        tape.dispatch(self.kernel, &all, &params, buffers, grid);
    }
}

/// `y = epilogue(x wᵀ)`: x (M, K), w (N, K), y (M, N).
pub fn nt(tape: &mut Tape, shape: Shape, x: &Slice, w: &Slice, y: &Slice, epilogue: &Epilogue) {
    let unused = tape.scratch(1, 4);
    let (stream, rate) = epilogue.dropout.unwrap_or((0, 0.0));
    let constants = [
        ("HAS_BIAS", epilogue.bias.is_some().into()),
        ("ACTIVATION", epilogue.activation.into()),
        ("STORE_PRE", epilogue.pre.is_some().into()),
        ("HAS_DROPOUT", epilogue.dropout.is_some().into()),
        ("HAS_RESIDUAL", epilogue.residual.is_some().into()),
    ];
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
    design(tape.kind(), Product::Nt, shape).dispatch(tape, shape, &constants, &extra, &buffers);
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
    let (kind, pre) = activation.unwrap_or((activation::NONE, w));
    let constants = [("ACCUMULATE", accumulate.into()), ("ACTIVATION", kind.into())];
    design(tape.kind(), Product::Nn, shape).dispatch(tape, shape, &constants, &[], &[dy, w, pre, dx]);
}

/// `dw (+)= scale · dyᵀ x`: dy (K, M), x (K, N), dw (M, N).
pub fn tn(tape: &mut Tape, shape: Shape, scale: f32, dy: &Slice, x: &Slice, dw: &Slice, accumulate: bool) {
    let constants = [("ACCUMULATE", accumulate.into())];
    let extra = [("scale", scale.into())];
    design(tape.kind(), Product::Tn, shape).dispatch(tape, shape, &constants, &extra, &[dy, x, dw]);
}

pub(super) use reference::activate;

mod reference {
    use super::activation;
    use crate::gpu::ReferenceCall;
    use crate::ops::dropout::factor;

    /// The error function to f64 accuracy: its series below 3, the continued fraction of erfc above.
    fn erf(x: f64) -> f64 {
        let z = x.abs();
        let value = if z < 3.0 {
            let (mut term, mut sum) = (z, z);
            for n in 1..80 {
                term *= -z * z / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            sum * 2.0 / std::f64::consts::PI.sqrt()
        } else {
            let fraction = (1..60).rev().fold(z, |f, n| z + f64::from(n) / 2.0 / f);
            1.0 - (-z * z).exp() / (fraction * std::f64::consts::PI.sqrt())
        };
        value.copysign(x)
    }

    /// The activation number `kind` and its derivative.
    pub fn activate(kind: u32, x: f64) -> (f64, f64) {
        match kind {
            activation::GELU => {
                let cdf = 0.5 * (1.0 + erf(x / std::f64::consts::SQRT_2));
                let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
                (x * cdf, cdf + x * density)
            }
            activation::GELU_TANH => {
                let root = (2.0 / std::f64::consts::PI).sqrt();
                let t = (root * (x + 0.044_715 * x * x * x)).tanh();
                let inner = root * (1.0 + 3.0 * 0.044_715 * x * x);
                (0.5 * x * (1.0 + t), 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner)
            }
            activation::TANH => (x.tanh(), 1.0 - x.tanh().powi(2)),
            _ => (x, 1.0),
        }
    }

    fn sizes(call: &ReferenceCall<'_>) -> (usize, usize, usize) {
        assert_eq!(call.uint("row_start"), 0, "the reference computes whole products");
        (call.uint("m"), call.uint("n"), call.uint("k"))
    }

    pub fn nt(call: &mut ReferenceCall<'_>) {
        let (m, n, k) = sizes(call);
        let (x, w) = (call.floats("x"), call.floats("w"));
        let (bias, residual) = (call.floats("bias"), call.floats("residual"));
        let kind = call.constant("ACTIVATION");
        let dropout = call.flag("HAS_DROPOUT");
        let (seed, stream) = (call.uint("dropout_seed") as u32, call.uint("dropout_stream") as u32);
        let rate = call.float("dropout_rate");
        let (has_bias, has_residual) = (call.flag("HAS_BIAS"), call.flag("HAS_RESIDUAL"));
        let (mut y, mut pre) = (vec![0f32; m * n], vec![0f32; m * n]);
        for at in 0..m * n {
            let (row, col) = (at / n, at % n);
            let products = x[row * k..][..k].iter().zip(&w[col * k..][..k]);
            let mut value: f64 = products.map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
            if has_bias {
                value += f64::from(bias[col]);
            }
            pre[at] = value as f32;
            let mut value = activate(kind, value).0 as f32;
            if dropout {
                value *= factor(seed, stream, at as u32, rate);
            }
            y[at] = value + if has_residual { residual[at] } else { 0.0 };
        }
        call.update("y", |out| out[..m * n].copy_from_slice(&y));
        if call.flag("STORE_PRE") {
            call.update("pre", |out| out[..m * n].copy_from_slice(&pre));
        }
    }

    pub fn nn(call: &mut ReferenceCall<'_>) {
        let (m, n, k) = sizes(call);
        let (dy, w, pre) = (call.floats("dy"), call.floats("w"), call.floats("pre"));
        let (kind, accumulate) = (call.constant("ACTIVATION"), call.flag("ACCUMULATE"));
        call.update("dx", |dx| {
            for (at, dx) in dx[..m * n].iter_mut().enumerate() {
                let (row, col) = (at / n, at % n);
                let mut value: f64 =
                    (0..k).map(|i| f64::from(dy[row * k + i]) * f64::from(w[i * n + col])).sum();
                if kind != activation::NONE {
                    value *= activate(kind, f64::from(pre[at])).1;
                }
                *dx = value as f32 + if accumulate { *dx } else { 0.0 };
            }
        });
    }

    pub fn tn(call: &mut ReferenceCall<'_>) {
        let (m, n, k) = sizes(call);
        let (dy, x, scale) = (call.floats("dy"), call.floats("x"), call.float("scale"));
        let accumulate = call.flag("ACCUMULATE");
        call.update("dw", |dw| {
            for (at, dw) in dw[..m * n].iter_mut().enumerate() {
                let (row, col) = (at / n, at % n);
                let value: f64 = (0..k).map(|t| f64::from(dy[t * m + row]) * f64::from(x[t * n + col])).sum();
                *dw = scale * value as f32 + if accumulate { *dw } else { 0.0 };
            }
        });
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn erf_at_tabulated_points() {
            for (x, y) in [
                (0.5, 0.520_499_877_813_046_5),
                (2.0, 0.995_322_265_018_952_7),
                (3.5, 0.999_999_256_901_627_7),
            ] {
                assert!((erf(x) - y).abs() < 1e-14, "erf({x}) = {}", erf(x));
                assert!((erf(-x) + y).abs() < 1e-14);
            }
        }

        #[test]
        fn derivatives_are_the_differences() {
            for kind in 0..4 {
                for x in [-6.0, -1.3, -0.1, 0.0, 0.7, 2.5, 6.0] {
                    let numeric = (activate(kind, x + 1e-5).0 - activate(kind, x - 1e-5).0) / 2e-5;
                    assert!((activate(kind, x).1 - numeric).abs() < 1e-8, "activation {kind} at {x}");
                }
            }
        }
    }
}
