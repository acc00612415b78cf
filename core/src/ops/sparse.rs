//! The gradient of the trained entries P_Ω(S) of an update, `dv = s Σ_t dy[t, i] x[t, j]` (`dsee-method` 1.5).
//!
//! Their product with activations is part of the effective weight, see [`super::delta`]. With 16 entries to a matrix this
//! is negligible work.

use crate::gpu::kernel::{float, read, uint, write};
use crate::gpu::{Grid, Kernel, ReferenceCall, Slice};
use crate::ops::delta::Sparse;
use crate::tape::{Tape, Tensor};
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&SPARSE_GRADIENT];

/// `d_values[k] (+)= scale · Σ_t dy[t, i_k] x[t, j_k]`
pub static SPARSE_GRADIENT: Kernel = Kernel {
    name: "sparse_gradient",
    source: wgsl!("sparse_gradient", "common/grid", "common/reduce"),
    params: &[uint("len"), uint("rows"), uint("d_out"), uint("d_in"), float("scale")],
    bindings: &[read("indices"), read("dy"), read("x"), write("d_values")],
    reference,
};

/// Records the gradient of the values from dy (rows, d_out) and x (rows, d_in), if they are trained.
pub fn value_gradient(tape: &mut Tape, sparse: &Sparse, scale: f32, dy: &Slice, d_out: usize, x: &Tensor) {
    let Some(target) = tape.grad_target(&sparse.values) else { return };
    let n = sparse.values.fixed_rows();
    let size = super::reduction_workgroup(tape.kind());
    let constants = [("WORKGROUP_SIZE", size.into()), ("ACCUMULATE", target.accumulate.into())];
    let params = [
        ("len", n.into()),
        ("rows", x.rows.into()),
        ("d_out", d_out.into()),
        ("d_in", x.cols.into()),
        ("scale", scale.into()),
    ];
    let buffers = [&sparse.indices, dy, &x.slice, &target.slice];
    tape.dispatch(&SPARSE_GRADIENT, &constants, &params, &buffers, Grid::per_item(n));
}

fn reference(call: &mut ReferenceCall<'_>) {
    let (len, rows) = (call.uint("len"), call.uint("rows"));
    let (d_out, d_in, scale) = (call.uint("d_out"), call.uint("d_in"), call.float("scale"));
    let (indices, dy, x) = (call.uints("indices"), call.floats("dy"), call.floats("x"));
    let accumulate = call.flag("ACCUMULATE");
    call.update("d_values", |d_values| {
        for (k, d) in d_values[..len].iter_mut().enumerate() {
            let (i, j) = (indices[k] as usize / d_in, indices[k] as usize % d_in);
            let product = |t: usize| f64::from(dy[t * d_out + i]) * f64::from(x[t * d_in + j]);
            let sum = scale * (0..rows).map(product).sum::<f64>() as f32;
            *d = if accumulate { *d + sum } else { sum };
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_op, check_op_gpu, frozen, input};
    use super::*;
    use crate::gpu::{Device, Dim, Sizes};
    use crate::ops::delta::{LowRank, refresh};
    use crate::ops::matmul::{Epilogue, Shape, nt};

    const D_OUT: usize = 3;
    const D_IN: usize = 5;
    /// Entries that share a row and a column.
    const INDICES: [u32; 4] = [1, 3, 8, 13];

    /// y = x (W + 2 (B A + P_Ω(S)))ᵀ with the gradient of S.
    fn product(tape: &mut Tape, device: &Device, x: &[Tensor]) -> Tensor {
        let indices = device.upload("indices", &INDICES).unwrap().whole();
        let sparse = Sparse { indices, values: x[4].clone() };
        let low_rank = LowRank { a: x[2].clone(), b: x[3].clone() };
        let weight = tape.scratch(D_OUT, D_IN);
        refresh(tape, &x[1], &low_rank, Some(&sparse), 2.0, &weight);
        let y = tape.output(Dim::Tokens, D_OUT, true);
        let shape = Shape { m: Dim::Tokens, n: D_OUT, k: Dim::Fixed(D_IN) };
        nt(tape, shape, &x[0].slice, &weight, &y.slice, &Epilogue::default());
        let (x, out) = (x[0].clone(), y.clone());
        tape.on_backward(move |tape| {
            let Some(dy) = tape.gradient(&out) else { return };
            value_gradient(tape, &sparse, 2.0, &dy, D_OUT, &x);
        });
        y
    }

    #[test]
    fn gradients_are_the_differences_and_the_gpu_agrees() {
        for tokens in [1, 7, 67] {
            let sizes = Sizes { tokens, ..Sizes::default() };
            let inputs = vec![
                frozen(Dim::Tokens, D_IN, &sizes, 1),
                frozen(Dim::Fixed(D_OUT), D_IN, &sizes, 2),
                frozen(Dim::Fixed(1), D_IN, &sizes, 3),
                frozen(Dim::Fixed(D_OUT), 1, &sizes, 4),
                input(Dim::Fixed(INDICES.len()), 1, &sizes, 5),
            ];
            if tokens < 10 {
                check_op(&sizes, inputs, product);
            } else {
                check_op_gpu(&sizes, inputs, product);
            }
        }
    }
}
