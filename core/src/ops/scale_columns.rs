//! Columns times trained coefficients: `y[t, j] = x[t, j] · c[j / group]`, x and y (rows, cols), c (1, cols / group).
//!
//! EarlyBERT (Chen et al. 2021, arXiv 2101.00063) searches for heads and neurons to remove with one coefficient per
//! head (group = D) and per neuron of the feed-forward layer (group = 1). [`l1_penalty`] draws them towards zero.

use crate::gpu::kernel::{float, read, uint, write};
use crate::gpu::{Constant, Grid, Kernel, Slice, Value};
use crate::tape::{Tape, Tensor};
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&SCALE_COLUMNS, &SCALE_COLUMNS_BACKWARD, &L1_PENALTY];

/// `y[t, j] (+)= x[t, j] · c[j / group]`: forward, and the gradient of x from that of y.
pub static SCALE_COLUMNS: Kernel = Kernel {
    name: "scale_columns",
    source: wgsl!("scale_columns", "common/grid"),
    params: &[uint("rows"), uint("cols"), uint("group")],
    bindings: &[read("x"), read("coefficients"), write("y")],
    reference: reference::scale,
};

/// The gradient of the coefficients.
pub static SCALE_COLUMNS_BACKWARD: Kernel = Kernel {
    name: "scale_columns_backward",
    source: wgsl!("scale_columns_backward", "common/grid", "common/reduce"),
    params: &[uint("rows"), uint("cols"), uint("group")],
    bindings: &[read("x"), read("dy"), write("d_coefficients")],
    reference: reference::backward,
};

/// `d_x += weight · sign(x)`
pub static L1_PENALTY: Kernel = Kernel {
    name: "l1_penalty",
    source: wgsl!("l1_penalty", "common/grid"),
    params: &[uint("len"), float("weight")],
    bindings: &[read("x"), write("d_x")],
    reference: reference::penalty,
};

/// Multiplies the columns of x (rows, cols), in groups of neighbours, with `coefficients` (1, cols / group).
pub fn scale_columns(tape: &mut Tape, x: &Tensor, coefficients: &Tensor) -> Tensor {
    let group = x.cols / coefficients.cols;
    assert_eq!(group * coefficients.cols, x.cols, "every coefficient has as many columns");
    let y = tape.output(x.rows, x.cols, x.requires_grad || coefficients.requires_grad);
    let params = [("rows", x.rows.into()), ("cols", x.cols.into()), ("group", group.into())];
    scale(tape, &params, &x.slice, coefficients, &y, &y.slice, false);
    let (x, coefficients, out) = (x.clone(), coefficients.clone(), y.clone());
    tape.on_backward(move |tape| {
        let Some(dy) = tape.gradient(&out) else { return };
        if let Some(target) = tape.grad_target(&coefficients) {
            let size = super::reduction_workgroup(tape.kind());
            let constants = [("WORKGROUP_SIZE", size.into()), ("ACCUMULATE", target.accumulate.into())];
            let buffers = [&x.slice, &dy, &target.slice];
            let grid = Grid::per_item(coefficients.cols);
            tape.dispatch(&SCALE_COLUMNS_BACKWARD, &constants, &params, &buffers, grid);
        }
        if let Some(target) = tape.grad_target(&x) {
            scale(tape, &params, &dy, &coefficients, &x, &target.slice, target.accumulate);
        }
    });
    y
}

/// `into (+)= x · coefficients`; `into` has the shape of `like`.
fn scale(
    tape: &mut Tape,
    params: &[(&'static str, Value)],
    x: &Slice,
    coefficients: &Tensor,
    like: &Tensor,
    into: &Slice,
    accumulate: bool,
) {
    let constants: [(&'static str, Constant); 1] = [("ACCUMULATE", accumulate.into())];
    let grid = super::elementwise(like.len());
    tape.dispatch(&SCALE_COLUMNS, &constants, params, &[x, &coefficients.slice, into], grid);
}

/// Records that the backward pass adds the gradient of `weight · Σ|x|` to that of x. The penalty is not part of the
/// reported loss. Where gradients add up over several runs, `weight` is the share of one of them.
pub fn l1_penalty(tape: &mut Tape, x: &Tensor, weight: f32) {
    let x = x.clone();
    tape.on_backward(move |tape| {
        let Some(target) = tape.grad_target_cleared(&x) else { return };
        let params = [("len", x.len().into()), ("weight", weight.into())];
        let grid = super::elementwise(x.len());
        tape.dispatch(&L1_PENALTY, &[], &params, &[&x.slice, &target.slice], grid);
    });
}

mod reference {
    use crate::gpu::ReferenceCall;

    pub fn scale(call: &mut ReferenceCall<'_>) {
        let (rows, cols, group) = (call.uint("rows"), call.uint("cols"), call.uint("group"));
        let (x, coefficients) = (call.floats("x"), call.floats("coefficients"));
        let accumulate = call.flag("ACCUMULATE");
        call.update("y", |y| {
            for (i, y) in y[..rows * cols].iter_mut().enumerate() {
                *y = x[i] * coefficients[i % cols / group] + if accumulate { *y } else { 0.0 };
            }
        });
    }

    pub fn backward(call: &mut ReferenceCall<'_>) {
        let (rows, cols, group) = (call.uint("rows"), call.uint("cols"), call.uint("group"));
        let (x, dy, accumulate) = (call.floats("x"), call.floats("dy"), call.flag("ACCUMULATE"));
        let mut sums = vec![0f64; cols / group];
        for i in 0..rows * cols {
            sums[i % cols / group] += f64::from(x[i]) * f64::from(dy[i]);
        }
        call.update("d_coefficients", |out| {
            for (out, sum) in out.iter_mut().zip(&sums) {
                *out = *sum as f32 + if accumulate { *out } else { 0.0 };
            }
        });
    }

    pub fn penalty(call: &mut ReferenceCall<'_>) {
        let (len, weight, x) = (call.uint("len"), call.float("weight"), call.floats("x"));
        call.update("d_x", |d_x| {
            for (d_x, x) in d_x[..len].iter_mut().zip(&x) {
                *d_x += if *x == 0.0 { 0.0 } else { weight * x.signum() };
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_op, check_op_gpu, input, run};
    use super::*;
    use crate::gpu::{Device, Dim, Sizes};

    #[test]
    fn gradients_are_the_differences_and_the_gpu_agrees() {
        for (tokens, n_coefficients, group) in [(1, 1, 1), (5, 7, 1), (6, 3, 8), (3, 1, 65)] {
            let sizes = Sizes { tokens, ..Sizes::default() };
            let inputs = vec![
                input(Dim::Tokens, n_coefficients * group, &sizes, 1),
                input(Dim::Fixed(1), n_coefficients, &sizes, 2),
            ];
            check_op(&sizes, inputs, |tape, _, x| scale_columns(tape, &x[0], &x[1]));
        }
    }

    #[test]
    fn gpu_at_bert_size() {
        let sizes = Sizes { tokens: 131, ..Sizes::default() };
        for n_coefficients in [12, 768] {
            let inputs =
                vec![input(Dim::Tokens, 768, &sizes, 1), input(Dim::Fixed(1), n_coefficients, &sizes, 2)];
            check_op_gpu(&sizes, inputs, |tape, _, x| scale_columns(tape, &x[0], &x[1]));
        }
    }

    #[test]
    fn a_penalty_adds_its_sign_to_the_gradient() {
        let sizes = Sizes { tokens: 1, ..Sizes::default() };
        for device in [Device::reference(), pollster::block_on(Device::open()).unwrap()] {
            let mut inputs = vec![input(Dim::Tokens, 3, &sizes, 1), input(Dim::Fixed(1), 3, &sizes, 2)];
            inputs[1].data = vec![2.0, 0.0, -0.5];
            let plain = run(&device, &sizes, &inputs, &|tape, _, x| scale_columns(tape, &x[0], &x[1]));
            let drawn = run(&device, &sizes, &inputs, &|tape, _, x| {
                l1_penalty(tape, &x[1], 0.25);
                scale_columns(tape, &x[0], &x[1])
            });
            let added: Vec<f32> =
                drawn.gradients[1].iter().zip(&plain.gradients[1]).map(|(d, p)| d - p).collect();
            super::super::testing::assert_close("penalty", &added, &[0.25, 0.0, -0.25], 1e-6);
            assert_eq!(drawn.gradients[0], plain.gradients[0]);
        }
    }
}
