//! Column sums: the gradient of a bias, `d_bias[c] = Σ_t dy[t, c]`.

use crate::gpu::kernel::{read, uint, write};
use crate::gpu::{Dim, Extent, Kernel, ReferenceCall, Slice};
use crate::tape::{Tape, Tensor};
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&COLUMN_SUM];

/// `sum[sum_start + c] (+)= Σ_t x[t, c]`
pub static COLUMN_SUM: Kernel = Kernel {
    name: "column_sum",
    source: wgsl!("column_sum"),
    params: &[uint("rows"), uint("cols"), uint("sum_start")],
    bindings: &[read("x"), write("sum")],
    reference,
};

/// Records the gradient of `bias` from the gradient `dy` of the rows it was added to, if it is trained.
pub fn bias_gradient(tape: &mut Tape, bias: &Tensor, dy: &Slice, rows: Dim) {
    let Some(target) = tape.grad_target(bias) else { return };
    column_sum(tape, dy, [rows, bias.cols.into()], &target.slice, 0, target.accumulate);
}

/// Records the sums of the columns of x, (rows, cols), into `sum` from element `sum_start` on.
pub(super) fn column_sum(
    tape: &mut Tape,
    x: &Slice,
    [rows, cols]: [Dim; 2],
    sum: &Slice,
    sum_start: usize,
    accumulate: bool,
) {
    let params = [("rows", rows.into()), ("cols", cols.into()), ("sum_start", sum_start.into())];
    let grid = super::elementwise(Extent::new(cols, 1));
    tape.dispatch(&COLUMN_SUM, &[("ACCUMULATE", accumulate.into())], &params, &[x, sum], grid);
}

fn reference(call: &mut ReferenceCall<'_>) {
    let (rows, cols, accumulate) = (call.uint("rows"), call.uint("cols"), call.flag("ACCUMULATE"));
    let (x, start) = (call.floats("x"), call.uint("sum_start"));
    call.update("sum", |sum| {
        for (c, sum) in sum[start..][..cols].iter_mut().enumerate() {
            let total: f64 = (0..rows).map(|row| f64::from(x[row * cols + c])).sum();
            *sum = total as f32 + if accumulate { *sum } else { 0.0 };
        }
    });
}
