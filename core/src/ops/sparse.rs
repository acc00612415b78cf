//! The sparse part P_Ω(S) of an update applied to activations, and the gradient of its values (`dsee-method` 1.5).
//!
//! Forward `y[:, i] += s v x[:, j]` for every entry (i, j, v); `dx[:, j] += s v dy[:, i]`;
//! `dv = s Σ_t dy[t, i] x[t, j]`. With 16 entries to a matrix this is negligible work.

use crate::gpu::kernel::{float, read, uint, write};
use crate::gpu::{Dim, Extent, Grid, Kernel, Slice};
use crate::ops::delta::Sparse;
use crate::tape::{Tape, Tensor};
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&SPARSE_GATHER, &SPARSE_GRADIENT];

/// `y += scale · x P_Ω(S)ᵀ`, or with TRANSPOSED `y += scale · x P_Ω(S)`
pub static SPARSE_GATHER: Kernel = Kernel {
    name: "sparse_gather",
    source: wgsl!("sparse_gather", "common/grid"),
    params: &[uint("rows"), uint("len"), uint("d_in"), uint("x_cols"), uint("y_cols"), float("scale")],
    bindings: &[read("indices"), read("values"), read("x"), write("y")],
    reference: reference::gather,
};

/// `d_values[k] (+)= scale · Σ_t dy[t, i_k] x[t, j_k]`
pub static SPARSE_GRADIENT: Kernel = Kernel {
    name: "sparse_gradient",
    source: wgsl!("sparse_gradient", "common/grid", "common/reduce"),
    params: &[uint("len"), uint("rows"), uint("d_out"), uint("d_in"), float("scale")],
    bindings: &[read("indices"), read("dy"), read("x"), write("d_values")],
    reference: reference::gradient,
};

/// Adds `scale · x P_Ω(S)ᵀ` to y in place: x (rows, d_in), y (rows, d_out). With `transposed`, x is (rows, d_out),
/// y is (rows, d_in) and the transpose of the matrix acts.
pub fn add_sparse_product(
    tape: &mut Tape,
    sparse: &Sparse,
    shape: [usize; 2],
    scale: f32,
    x: &Slice,
    y: &Slice,
    rows: Dim,
    transposed: bool,
) {
    let [d_out, d_in] = shape;
    let (x_cols, y_cols) = if transposed { (d_out, d_in) } else { (d_in, d_out) };
    let params = [
        ("rows", rows.into()),
        ("len", sparse.values.fixed_rows().into()),
        ("d_in", d_in.into()),
        ("x_cols", x_cols.into()),
        ("y_cols", y_cols.into()),
        ("scale", scale.into()),
    ];
    let buffers = [&sparse.indices, &sparse.values.slice, x, y];
    let grid = super::elementwise(Extent { dim: rows, per: 1 });
    tape.dispatch(&SPARSE_GATHER, &[("TRANSPOSED", transposed.into())], &params, &buffers, grid);
}

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

mod reference {
    use crate::gpu::ReferenceCall;

    pub fn gather(call: &mut ReferenceCall<'_>) {
        let (rows, len, d_in) = (call.uint("rows"), call.uint("len"), call.uint("d_in"));
        let (x_cols, y_cols, scale) = (call.uint("x_cols"), call.uint("y_cols"), call.float("scale"));
        let (indices, values, x) = (call.uints("indices"), call.floats("values"), call.floats("x"));
        let transposed = call.flag("TRANSPOSED");
        call.update("y", |y| {
            for t in 0..rows {
                for k in 0..len {
                    let (i, j) = (indices[k] as usize / d_in, indices[k] as usize % d_in);
                    let (source, sink) = if transposed { (i, j) } else { (j, i) };
                    y[t * y_cols + sink] += scale * values[k] * x[t * x_cols + source];
                }
            }
        });
    }

    pub fn gradient(call: &mut ReferenceCall<'_>) {
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
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_op, check_op_gpu, input};
    use super::*;
    use crate::gpu::{Device, Resident, Sizes};

    /// Entries that share a row and a column.
    const INDICES: [u32; 4] = [1, 3, 8, 13];

    fn indices(device: &Device) -> Resident {
        device.upload("indices", &INDICES).unwrap()
    }

    /// y = 2 · x P_Ω(S)ᵀ with its gradients: what a layer adds that keeps its update apart from its weight.
    fn product(tape: &mut Tape, device: &Device, x: &Tensor, values: &Tensor) -> Tensor {
        let (d_out, d_in) = (3, 5);
        let y = tape.output(x.rows, d_out, true);
        let sparse = Sparse { indices: indices(device).whole(), values: values.clone() };
        tape.clear(&y.slice);
        add_sparse_product(tape, &sparse, [d_out, d_in], 2.0, &x.slice, &y.slice, x.rows, false);
        let (x, out) = (x.clone(), y.clone());
        tape.on_backward(move |tape| {
            let Some(dy) = tape.gradient(&out) else { return };
            value_gradient(tape, &sparse, 2.0, &dy, d_out, &x);
            if let Some(target) = tape.grad_target_cleared(&x) {
                add_sparse_product(tape, &sparse, [d_out, d_in], 2.0, &dy, &target.slice, x.rows, true);
            }
        });
        y
    }

    #[test]
    fn product_and_gradients_are_the_differences_and_the_gpu_agrees() {
        for tokens in [1, 7, 67] {
            let sizes = Sizes { tokens, ..Sizes::default() };
            let inputs = vec![input(Dim::Tokens, 5, &sizes, 1), input(Dim::Fixed(4), 1, &sizes, 2)];
            let op = |tape: &mut Tape, device: &Device, x: &[Tensor]| product(tape, device, &x[0], &x[1]);
            if tokens < 10 { check_op(&sizes, inputs, op) } else { check_op_gpu(&sizes, inputs, op) }
        }
    }

    #[test]
    fn an_update_beside_the_weight_equals_the_effective_weight() {
        use crate::ops::delta::{LowRank, refresh};
        use crate::ops::matmul::{Epilogue, Factor, Shape, nt, skinny};
        let sizes = Sizes { tokens: 9, ..Sizes::default() };
        let (d_out, d_in, rank) = (8, 12, 4);
        let frozen = |rows: Dim, cols, seed| super::super::testing::frozen(rows, cols, &sizes, seed);
        let inputs = || {
            vec![
                frozen(Dim::Tokens, d_in, 1),
                frozen(Dim::Fixed(d_out), d_in, 2),
                frozen(Dim::Fixed(rank), d_in, 3),
                frozen(Dim::Fixed(d_out), rank, 4),
                frozen(Dim::Fixed(INDICES.len()), 1, 5),
            ]
        };
        let product = |n, k| Shape { m: Dim::Tokens, n, k: Dim::Fixed(k) };
        let merged = |tape: &mut Tape, device: &Device, x: &[Tensor]| {
            let (y, weight) = (tape.output(Dim::Tokens, d_out, false), tape.scratch(d_out, d_in));
            let sparse = Sparse { indices: indices(device).whole(), values: x[4].clone() };
            let low_rank = LowRank { a: x[2].clone(), b: x[3].clone() };
            refresh(tape, &x[1], &low_rank, Some(&sparse), 2.0, &weight);
            nt(tape, product(d_out, d_in), &x[0].slice, &weight, &y.slice, &Epilogue::default());
            y
        };
        let beside = |tape: &mut Tape, device: &Device, x: &[Tensor]| {
            let (y, z) = (tape.output(Dim::Tokens, d_out, false), tape.scratch(Dim::Tokens, rank));
            let branch = tape.scratch(Dim::Tokens, d_out);
            let sparse = Sparse { indices: indices(device).whole(), values: x[4].clone() };
            nt(tape, product(d_out, d_in), &x[0].slice, &x[1].slice, &y.slice, &Epilogue::default());
            skinny(tape, product(rank, d_in), &x[0].slice, &x[2].slice, Factor::Rows, &z);
            nt(tape, product(d_out, rank), &z, &x[3].slice, &branch, &Epilogue::default());
            super::super::add::add_in_place(tape, &branch, &y.slice, y.len(), 2.0);
            add_sparse_product(tape, &sparse, [d_out, d_in], 2.0, &x[0].slice, &y.slice, Dim::Tokens, false);
            y
        };
        for device in [Device::reference(), pollster::block_on(Device::open()).unwrap()] {
            let expected = super::super::testing::run(&device, &sizes, &inputs(), &beside).output;
            let got = super::super::testing::run(&device, &sizes, &inputs(), &merged).output;
            super::super::testing::assert_close("merged", &got, &expected, 1e-5);
        }
    }
}
