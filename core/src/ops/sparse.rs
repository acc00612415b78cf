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
