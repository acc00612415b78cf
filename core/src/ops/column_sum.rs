//! Column sums: the gradient of a bias, `d_bias[c] = Σ_t dy[t, c]`.

use crate::gpu::kernel::{read, uint, write};
use crate::gpu::{Extent, Kernel, ReferenceCall, Slice};
use crate::tape::{Tape, Tensor};
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&COLUMN_SUM];

/// `sum[c] (+)= Σ_t x[t, c]`
pub static COLUMN_SUM: Kernel = Kernel {
    name: "column_sum",
    source: wgsl!("column_sum"),
    params: &[uint("rows"), uint("cols")],
    bindings: &[read("x"), write("sum")],
    reference,
};

/// Records the gradient of `bias` from the gradient `dy` of the rows it was added to, if it is trained.
pub fn bias_gradient(tape: &mut Tape, bias: &Tensor, dy: &Slice, rows: crate::gpu::Dim) {
    let Some(target) = tape.grad_target(bias) else { return };
    let params = [("rows", rows.into()), ("cols", bias.cols.into())];
    let grid = super::elementwise(Extent::new(bias.cols, 1));
    let constants = [("ACCUMULATE", target.accumulate.into())];
    tape.dispatch(&COLUMN_SUM, &constants, &params, &[dy, &target.slice], grid);
}

fn reference(call: &mut ReferenceCall<'_>) {
    let (rows, cols, accumulate) = (call.uint("rows"), call.uint("cols"), call.flag("ACCUMULATE"));
    let x = call.floats("x");
    call.update("sum", |sum| {
        for (c, sum) in sum[..cols].iter_mut().enumerate() {
            let total: f64 = (0..rows).map(|row| f64::from(x[row * cols + c])).sum();
            *sum = total as f32 + if accumulate { *sum } else { 0.0 };
        }
    });
}
