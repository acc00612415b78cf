//! Mean of a vector by one workgroup: the loss of a batch from the losses of its rows.

use crate::gpu::kernel::{read, uint, write};
use crate::gpu::{Dim, Extent, Grid, Kernel, ReferenceCall, Slice};
use crate::tape::Tape;
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&MEAN];

/// `mean[0] = Σ x / len`
pub static MEAN: Kernel = Kernel {
    name: "mean",
    source: wgsl!("mean", "common/reduce"),
    params: &[uint("len")],
    bindings: &[read("x"), write("mean")],
    reference,
};

/// Writes the mean of the `rows` elements of x to `mean`, one element.
pub fn mean(tape: &mut Tape, x: &Slice, rows: Dim, mean: &Slice) {
    let size = super::reduction_workgroup(tape.kind());
    let grid = Grid::Linear { items: Extent::new(1, 1), per_workgroup: 1 };
    let constants = [("WORKGROUP_SIZE", size.into())];
    tape.dispatch(&MEAN, &constants, &[("len", rows.into())], &[x, mean], grid);
}

fn reference(call: &mut ReferenceCall<'_>) {
    let (len, x) = (call.uint("len"), call.floats("x"));
    let sum: f64 = x[..len].iter().map(|&x| f64::from(x)).sum();
    call.update("mean", |mean| mean[0] = (sum / len as f64) as f32);
}
