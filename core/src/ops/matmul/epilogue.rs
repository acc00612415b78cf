//! What follows a product, in a dispatch of its own: bias, activation, dropout, residual.
//!
//! On GPUs it is part of the product's kernel, which saves reading the result again. A software adapter finds the result
//! in its cache, but takes a quarter of a second to compile a product: there, one pipeline of a product serves all.

use super::{Epilogue, activate};
use crate::gpu::kernel::{Field, float, read, uint, write};
use crate::gpu::{AdapterKind, Dim, Extent, Grid, Kernel, ReferenceCall, Slice, Value};
use crate::ops::dropout::factor;
use crate::tape::Tape;
use crate::wgsl;

const PARAMS: &[Field] = &[
    uint("m"),
    uint("n"),
    float("scale"),
    uint("dropout_seed"),
    uint("dropout_stream"),
    float("dropout_rate"),
];

/// `y = epilogue(scale · y)` for y (M, N), N a multiple of four.
pub static EPILOGUE: Kernel = Kernel {
    name: "matmul_epilogue",
    source: wgsl!("matmul_epilogue", "common/activation", "common/random"),
    params: PARAMS,
    bindings: &[read("bias"), read("residual"), write("y"), write("pre")],
    reference,
};

/// Rows of the grid's tiles and their columns.
const TILE: [usize; 2] = [16, 32];

/// Whether the kernel of a product computes what follows it. The kernels for sizes that are no multiples of four are
/// small, so they always do.
pub(super) fn is_fused(kind: AdapterKind, by_fours: bool) -> bool {
    !by_fours || !matches!(kind, AdapterKind::Software | AdapterKind::SoftwareOctets)
}

impl Epilogue {
    /// Whether it changes nothing.
    fn is_empty(&self) -> bool {
        let Self { bias, activation, pre, dropout, residual } = self;
        bias.is_none() && *activation == 0 && pre.is_none() && dropout.is_none() && residual.is_none()
    }
}

/// Records `y = epilogue(scale · y)`, y (rows, n); nothing where that is y. `unused` is some memory for inputs that are
/// switched off.
pub(super) fn record(
    tape: &mut Tape,
    rows: Dim,
    n: usize,
    scale: f32,
    y: &Slice,
    epilogue: &Epilogue,
    unused: &Slice,
) {
    if epilogue.is_empty() && scale == 1.0 {
        return;
    }
    let (stream, rate) = epilogue.dropout.unwrap_or((0, 0.0));
    let params: [(&'static str, Value); 6] = [
        ("m", rows.into()),
        ("n", n.into()),
        ("scale", scale.into()),
        ("dropout_seed", tape.dropout_seed()),
        ("dropout_stream", stream.into()),
        ("dropout_rate", rate.into()),
    ];
    let scratch = tape.scratch(1, 4);
    let [bias, residual] = [&epilogue.bias, &epilogue.residual].map(|x| x.as_ref().unwrap_or(unused));
    let buffers = [bias, residual, y, epilogue.pre.as_ref().unwrap_or(&scratch)];
    let [tile_rows, tile_cols] = TILE;
    let grid = Grid::Tiles { cols: Extent::new(n, 1), tile_cols, rows: Extent::new(rows, 1), tile_rows };
    tape.dispatch(&EPILOGUE, &epilogue.constants(), &params, &buffers, grid);
}

fn reference(call: &mut ReferenceCall<'_>) {
    let (m, n, scale) = (call.uint("m"), call.uint("n"), call.float("scale"));
    let (bias, residual) = (call.floats("bias"), call.floats("residual"));
    let (kind, rate) = (call.constant("ACTIVATION"), call.float("dropout_rate"));
    let (seed, stream) = (call.uint("dropout_seed") as u32, call.uint("dropout_stream") as u32);
    let [has_bias, has_residual, has_dropout] =
        ["HAS_BIAS", "HAS_RESIDUAL", "HAS_DROPOUT"].map(|name| call.flag(name));
    let mut pre = Vec::with_capacity(m * n);
    call.update("y", |y| {
        for (at, y) in y[..m * n].iter_mut().enumerate() {
            let value = scale * *y + if has_bias { bias[at % n] } else { 0.0 };
            pre.push(value);
            let mut value = activate(kind, f64::from(value)).0 as f32;
            if has_dropout {
                value *= factor(seed, stream, at as u32, rate);
            }
            *y = value + if has_residual { residual[at] } else { 0.0 };
        }
    });
    if call.flag("STORE_PRE") {
        call.update("pre", |out| out[..m * n].copy_from_slice(&pre));
    }
}

#[cfg(test)]
mod tests {
    use super::super::activation;
    use super::*;
    use crate::gpu::{Device, Sizes};
    use crate::ops::add::add_in_place;
    use crate::ops::testing::{check_op_gpu, frozen};
    use crate::tape::Tensor;

    #[test]
    fn gpu_equals_reference_at_odd_sizes() {
        for (tokens, n, kind) in [(1, 4, activation::TANH), (17, 68, activation::GELU), (33, 384, 0)] {
            let sizes = Sizes { tokens, ..Sizes::default() };
            let inputs = vec![
                frozen(Dim::Tokens, n, &sizes, 1),
                frozen(Dim::Fixed(1), n, &sizes, 2),
                frozen(Dim::Tokens, n, &sizes, 3),
            ];
            check_op_gpu(&sizes, inputs, |tape: &mut Tape, _: &Device, x: &[Tensor]| {
                let (y, pre) = (tape.output(Dim::Tokens, n, false), tape.scratch(Dim::Tokens, n));
                tape.clear(&y.slice);
                add_in_place(tape, &x[0].slice, &y.slice, y.len(), 1.0);
                let epilogue = Epilogue {
                    bias: Some(x[1].slice.clone()),
                    activation: kind,
                    pre: Some(pre.clone()),
                    dropout: Some((3, 0.25)),
                    residual: Some(x[2].slice.clone()),
                };
                record(tape, Dim::Tokens, n, 0.5, &y.slice, &epilogue, &x[0].slice);
                // What is kept before the activation shows in the result too.
                add_in_place(tape, &pre, &y.slice, y.len(), 1.0);
                y
            });
        }
    }
}
