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

use crate::gpu::kernel::{Field, float, read, uint, write};
use crate::gpu::{AdapterKind, Binding, Constant, Dim, Extent, Grid, Kernel, Slice, Value};
use crate::tape::Tape;
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[
    &NT_PLAIN,
    &NN_PLAIN,
    &TN_PLAIN,
    &NT_TILED,
    &NN_TILED,
    &TN_TILED,
    &SKINNY_TILED,
    &NT_UNSTAGED,
    &NN_UNSTAGED,
    &TN_UNSTAGED,
    &SKINNY_UNSTAGED,
    &NT_SUBGROUP,
    &NN_SUBGROUP,
    &TN_SUBGROUP,
    &SKINNY_SUBGROUP,
];

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

const NT_BINDINGS: &[Binding] =
    &[read("x"), read("w"), read("bias"), read("residual"), write("y"), write("pre")];
const NN_BINDINGS: &[Binding] = &[read("dy"), read("w"), read("pre"), write("dx")];
const TN_BINDINGS: &[Binding] = &[read("dy"), read("x"), write("dw")];
const SKINNY_BINDINGS: &[Binding] = &[read("x"), read("f"), write("z")];

/// A product's operands joined with a schedule: the shader files say what each of them does.
macro_rules! kernel {
    ($(#[$doc:meta])* $id:ident, $name:literal, $params:ident, $bindings:ident, $reference:ident, [$($file:literal),+]) => {
        $(#[$doc])*
        pub static $id: Kernel = Kernel {
            name: $name,
            source: wgsl!($($file),+),
            params: $params,
            bindings: $bindings,
            reference: reference::$reference,
        };
    };
}

kernel!(
    /// Any size, one output per invocation.
    NT_PLAIN, "matmul_nt_plain", NT_PARAMS, NT_BINDINGS, nt, ["matmul_nt_plain", "common/activation", "common/random"]
);
kernel!(
    /// Any size, one output per invocation.
    NN_PLAIN, "matmul_nn_plain", NN_PARAMS, NN_BINDINGS, nn, ["matmul_nn_plain", "common/activation"]
);
kernel!(
    /// Any size, one output per invocation.
    TN_PLAIN, "matmul_tn_plain", TN_PARAMS, TN_BINDINGS, tn, ["matmul_tn_plain"]
);
kernel!(
    /// For GPUs: through workgroup memory.
    NT_TILED, "matmul_nt_tiled", NT_PARAMS, NT_BINDINGS, nt, ["matmul_nt", "matmul_tiled", "common/activation", "common/random"]
);
kernel!(
    /// For GPUs: through workgroup memory.
    NN_TILED, "matmul_nn_tiled", NN_PARAMS, NN_BINDINGS, nn, ["matmul_nn", "matmul_tiled", "common/activation"]
);
kernel!(
    /// For GPUs: through workgroup memory.
    TN_TILED, "matmul_tn_tiled", TN_PARAMS, TN_BINDINGS, tn, ["matmul_tn", "matmul_tiled"]
);
kernel!(
    /// For GPUs: through workgroup memory.
    SKINNY_TILED, "matmul_skinny_tiled", NN_PARAMS, SKINNY_BINDINGS, skinny, ["matmul_skinny", "matmul_tiled"]
);
kernel!(
    /// For software adapters: register blocks, no workgroup memory.
    NT_UNSTAGED, "matmul_nt_unstaged", NT_PARAMS, NT_BINDINGS, nt, ["matmul_nt", "matmul_unstaged", "common/activation", "common/random"]
);
kernel!(
    /// For software adapters: register blocks, no workgroup memory.
    NN_UNSTAGED, "matmul_nn_unstaged", NN_PARAMS, NN_BINDINGS, nn, ["matmul_nn", "matmul_unstaged", "common/activation"]
);
kernel!(
    /// For software adapters: register blocks, no workgroup memory.
    TN_UNSTAGED, "matmul_tn_unstaged", TN_PARAMS, TN_BINDINGS, tn, ["matmul_tn", "matmul_unstaged"]
);
kernel!(
    /// For software adapters: register blocks, no workgroup memory.
    SKINNY_UNSTAGED, "matmul_skinny_unstaged", NN_PARAMS, SKINNY_BINDINGS, skinny, ["matmul_skinny", "matmul_unstaged"]
);
kernel!(
    /// For software adapters with subgroups of exactly eight invocations.
    NT_SUBGROUP, "matmul_nt_subgroup", NT_PARAMS, NT_BINDINGS, nt, ["matmul_nt", "matmul_subgroup", "common/activation", "common/random"]
);
kernel!(
    /// For software adapters with subgroups of exactly eight invocations.
    NN_SUBGROUP, "matmul_nn_subgroup", NN_PARAMS, NN_BINDINGS, nn, ["matmul_nn", "matmul_subgroup", "common/activation"]
);
kernel!(
    /// For software adapters with subgroups of exactly eight invocations.
    TN_SUBGROUP, "matmul_tn_subgroup", TN_PARAMS, TN_BINDINGS, tn, ["matmul_tn", "matmul_subgroup"]
);
kernel!(
    /// For software adapters with subgroups of exactly eight invocations.
    SKINNY_SUBGROUP, "matmul_skinny_subgroup", NN_PARAMS, SKINNY_BINDINGS, skinny, ["matmul_skinny", "matmul_subgroup"]
);

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

/// The four forms of a product with their designs.
struct Product {
    plain: Option<&'static Kernel>,
    tiled: &'static Kernel,
    unstaged: &'static Kernel,
    subgroup: &'static Kernel,
}

const NT: Product =
    Product { plain: Some(&NT_PLAIN), tiled: &NT_TILED, unstaged: &NT_UNSTAGED, subgroup: &NT_SUBGROUP };
const NN: Product =
    Product { plain: Some(&NN_PLAIN), tiled: &NN_TILED, unstaged: &NN_UNSTAGED, subgroup: &NN_SUBGROUP };
const TN: Product =
    Product { plain: Some(&TN_PLAIN), tiled: &TN_TILED, unstaged: &TN_UNSTAGED, subgroup: &TN_SUBGROUP };
const SKINNY: Product =
    Product { plain: None, tiled: &SKINNY_TILED, unstaged: &SKINNY_UNSTAGED, subgroup: &SKINNY_SUBGROUP };

/// A kernel with the size of the tile one workgroup computes.
struct Design {
    kernel: &'static Kernel,
    constants: Vec<(&'static str, Constant)>,
    tile_rows: usize,
    tile_cols: usize,
}

/// Chooses how a product of `rows` by `cols` is computed. `by_fours` says whether every size that the designs read in
/// groups of four is a multiple of four.
fn design(kind: AdapterKind, product: &Product, rows: Dim, cols: Dim, by_fours: bool) -> Design {
    let plain = product.plain.filter(|_| !by_fours || kind == AdapterKind::Reference);
    if let Some(kernel) = plain {
        return Design { kernel, constants: Vec::new(), tile_rows: 8, tile_cols: 8 };
    }
    match kind {
        AdapterKind::Hardware => {
            let large = |dim| !matches!(dim, Dim::Fixed(n) if n < 512);
            let side = if large(rows) && large(cols) { 16 } else { 8 };
            Design {
                kernel: product.tiled,
                constants: vec![("SIDE", (side as u32).into())],
                tile_rows: 4 * side,
                tile_cols: 4 * side,
            }
        }
        AdapterKind::SoftwareOctets => {
            // Few rows, as in the factors of an update, leave larger tiles half empty.
            let octets = match rows {
                Dim::Fixed(n) if n <= 8 => 1,
                Dim::Fixed(n) if n <= 16 => 2,
                _ => 4,
            };
            Design {
                kernel: product.subgroup,
                constants: vec![("OCTETS", (octets as u32).into())],
                tile_rows: 8 * octets,
                tile_cols: 32,
            }
        }
        AdapterKind::Software | AdapterKind::Reference => {
            Design { kernel: product.unstaged, constants: Vec::new(), tile_rows: 8, tile_cols: 64 }
        }
    }
}

fn fours(dims: &[Dim]) -> bool {
    dims.iter().all(|dim| matches!(dim, Dim::Fixed(n) if n % 4 == 0))
}

impl Design {
    /// Records the product of `shape`, whose tiles cover `rows` by `cols`.
    fn dispatch(
        &self,
        tape: &mut Tape,
        shape: Shape,
        [rows, cols]: [Dim; 2],
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
            cols: Extent { dim: cols, per: 1 },
            tile_cols: self.tile_cols,
            rows: Extent { dim: rows, per: 1 },
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
    let design = design(tape.kind(), &NT, shape.m, shape.n.into(), fours(&[shape.n.into(), shape.k]));
    let tiles = [shape.m, shape.n.into()];
    design.dispatch(tape, shape, tiles, &constants, &extra, &buffers);
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
    let design = design(tape.kind(), &NN, shape.m, shape.n.into(), fours(&[shape.n.into(), shape.k]));
    let tiles = [shape.m, shape.n.into()];
    design.dispatch(tape, shape, tiles, &constants, &[], &[dy, w, pre, dx]);
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

    pub fn skinny(call: &mut ReferenceCall<'_>) {
        let (m, n, k) = sizes(call);
        let (x, f, k_first) = (call.floats("x"), call.floats("f"), call.flag("FACTOR_K_FIRST"));
        let factor = |col: usize, i: usize| f64::from(if k_first { f[i * n + col] } else { f[col * k + i] });
        call.update("z", |z| {
            for (at, z) in z[..m * n].iter_mut().enumerate() {
                let (row, col) = (at / n, at % n);
                *z = (0..k).map(|i| f64::from(x[row * k + i]) * factor(col, i)).sum::<f64>() as f32;
            }
        });
    }

    pub fn tn(call: &mut ReferenceCall<'_>) {
        let (m, n, k) = sizes(call);
        let (dy, x, scale) = (call.floats("dy"), call.floats("x"), call.float("scale"));
        let (accumulate, turned) = (call.flag("ACCUMULATE"), call.flag("TRANSPOSE_OUT"));
        call.update("dw", |dw| {
            for (at, dw) in dw[..m * n].iter_mut().enumerate() {
                let (row, col) = if turned { (at % m, at / m) } else { (at / n, at % n) };
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

#[cfg(test)]
mod tests {
    use super::super::testing::{check_op, check_op_gpu, frozen, input};
    use super::*;
    use crate::gpu::{Device, Sizes};
    use crate::tape::Tensor;

    fn sizes(tokens: usize) -> Sizes {
        Sizes { tokens, ..Sizes::default() }
    }

    /// Forward with everything that can follow it. The gradient belongs to `nn::linear` and is tested there.
    fn forward(tokens: usize, n: usize, k: usize, kind: u32, dropout: Option<(u32, f32)>) {
        let sizes = sizes(tokens);
        let inputs = vec![
            frozen(Dim::Tokens, k, &sizes, 1),
            frozen(Dim::Fixed(n), k, &sizes, 2),
            frozen(Dim::Fixed(1), n, &sizes, 3),
            frozen(Dim::Tokens, n, &sizes, 4),
        ];
        check_op_gpu(&sizes, inputs, |tape, _, x| {
            let shape = Shape { m: Dim::Tokens, n, k: Dim::Fixed(k) };
            let (y, pre) = (tape.output(Dim::Tokens, n, false), tape.scratch(Dim::Tokens, n));
            let epilogue = Epilogue {
                bias: Some(x[2].slice.clone()),
                activation: kind,
                pre: (kind != activation::NONE).then_some(pre),
                dropout,
                residual: Some(x[3].slice.clone()),
            };
            nt(tape, shape, &x[0].slice, &x[1].slice, &y.slice, &epilogue);
            y
        });
    }

    #[test]
    fn forward_at_tiny_odd_and_bert_sizes() {
        for (tokens, n, k) in
            [(1, 4, 4), (3, 2, 5), (31, 33, 7), (33, 36, 12), (65, 128, 64), (127, 384, 384)]
        {
            forward(tokens, n, k, activation::NONE, None);
            forward(tokens, n, k, activation::GELU, None);
        }
        forward(33, 36, 12, activation::GELU_TANH, Some((7, 0.3)));
        forward(32, 64, 64, activation::TANH, Some((7, 0.1)));
    }

    /// dx and dw of every design against the reference, from a product of two inputs.
    fn backward(tokens: usize, n: usize, k: usize, accumulate: bool) {
        let sizes = sizes(tokens);
        let inputs = || {
            vec![
                frozen(Dim::Tokens, k, &sizes, 1),
                frozen(Dim::Fixed(k), n, &sizes, 2),
                frozen(Dim::Tokens, n, &sizes, 3),
            ]
        };
        check_op_gpu(&sizes, inputs(), |tape, _, x| {
            let shape = Shape { m: Dim::Tokens, n, k: Dim::Fixed(k) };
            let y = tape.output(Dim::Tokens, n, false);
            tape.clear(&y.slice);
            let act = Some((activation::GELU, &x[2].slice));
            nn(tape, shape, &x[0].slice, &x[1].slice, &y.slice, accumulate, act);
            nn(tape, shape, &x[0].slice, &x[1].slice, &y.slice, accumulate, None);
            y
        });
        check_op_gpu(&sizes, inputs(), |tape, _, x| {
            let shape = Shape { m: Dim::Fixed(k), n, k: Dim::Tokens };
            let y = tape.output(Dim::Fixed(k), n, false);
            tape.clear(&y.slice);
            tn(tape, shape, 1.0, &x[0].slice, &x[2].slice, &y.slice, accumulate);
            tn(tape, shape, 0.5, &x[0].slice, &x[2].slice, &y.slice, accumulate);
            y
        });
    }

    #[test]
    fn gradients_at_tiny_odd_and_bert_sizes() {
        for (tokens, n, k) in [(1, 4, 4), (3, 2, 5), (31, 33, 7), (33, 36, 12), (65, 16, 128), (130, 128, 64)]
        {
            backward(tokens, n, k, true);
            backward(tokens, n, k, false);
        }
    }

    #[test]
    fn rank_factors() {
        for (tokens, n, k) in [(1, 4, 8), (37, 8, 64), (65, 16, 36), (33, 3, 10)] {
            for factor in [Factor::Rows, Factor::Columns] {
                let sizes = sizes(tokens);
                let inputs = vec![frozen(Dim::Tokens, k, &sizes, 1), frozen(Dim::Fixed(n), k, &sizes, 2)];
                check_op_gpu(&sizes, inputs, |tape, _, x| {
                    let shape = Shape { m: Dim::Tokens, n, k: Dim::Fixed(k) };
                    let z = tape.output(Dim::Tokens, n, false);
                    skinny(tape, shape, &x[0].slice, &x[1].slice, factor, &z.slice);
                    z
                });
            }
        }
    }

    #[test]
    fn every_design_computes_the_same() {
        for kind in [AdapterKind::Hardware, AdapterKind::Software] {
            let sizes = sizes(45);
            let inputs = vec![frozen(Dim::Tokens, 36, &sizes, 1), frozen(Dim::Fixed(36), 72, &sizes, 2)];
            check_op_gpu(&sizes, inputs, |tape, device: &Device, x: &[Tensor]| {
                let real = device.kind();
                // The reference device keeps its own design: it has only one.
                tape.set_kind(if real == AdapterKind::Reference { real } else { kind });
                let (y, z) = (tape.output(Dim::Tokens, 72, false), tape.scratch(Dim::Tokens, 36));
                let shape = |n, k| Shape { m: Dim::Tokens, n, k: Dim::Fixed(k) };
                nn(tape, shape(72, 36), &x[0].slice, &x[1].slice, &y.slice, false, None);
                // Through the weight and back: both products and the factor form.
                let turned = tape.scratch(36, 72);
                tn(
                    tape,
                    Shape { m: Dim::Fixed(36), n: 72, k: Dim::Tokens },
                    0.1,
                    &x[0].slice,
                    &y.slice,
                    &turned,
                    false,
                );
                nt(tape, shape(36, 72), &y.slice, &turned, &z, &Epilogue::default());
                skinny(tape, shape(72, 36), &z, &x[1].slice, Factor::Columns, &y.slice);
                y
            });
        }
    }

    #[test]
    fn linear_maps_have_the_gradients_of_their_differences() {
        use crate::nn::linear::{After, Linear};
        for kind in [activation::NONE, activation::GELU, activation::GELU_TANH, activation::TANH] {
            let sizes = sizes(5);
            let inputs = vec![
                input(Dim::Tokens, 8, &sizes, 1),
                input(Dim::Fixed(4), 8, &sizes, 2),
                input(Dim::Fixed(1), 4, &sizes, 3),
                input(Dim::Fixed(8), 4, &sizes, 4),
                input(Dim::Fixed(1), 8, &sizes, 5),
            ];
            check_op(&sizes, inputs, |tape, _, x| {
                let (up, down) = (Linear::tied("up", &x[1], &x[2]), Linear::tied("down", &x[3], &x[4]));
                let hidden = up.forward(tape, &x[0], After { activation: kind, ..After::default() });
                let onto = After { dropout: 0.25, residual: Some(&x[0]), ..After::default() };
                down.forward(tape, &hidden, onto)
            });
        }
    }
}
