//! Layer normalisation over the last axis (Ba et al. 2016, arXiv 1607.06450).
//!
//! `y = (x − mean) · rstd · weight + bias` per row, x and y (rows, cols), weight and bias (cols).
//! Forward saves mean and rstd, (rows, 2). With frozen weight and bias only the input's gradient is computed.

use crate::gpu::kernel::{float, read, uint, write};
use crate::gpu::{Grid, Kernel, Slice};
use crate::tape::{Tape, Tensor};
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD_INPUT, &BACKWARD_WEIGHT];

/// The normalised rows, and their mean and rstd.
pub static FORWARD: Kernel = Kernel {
    name: "layer_norm_forward",
    source: wgsl!("layer_norm_forward", "common/grid", "common/reduce"),
    params: &[uint("rows"), uint("cols"), float("eps")],
    bindings: &[read("x"), read("weight"), read("bias"), write("y"), write("mean_rstd")],
    reference: reference::forward,
};

/// The gradient of x.
pub static BACKWARD_INPUT: Kernel = Kernel {
    name: "layer_norm_backward_input",
    source: wgsl!("layer_norm_backward_input", "common/grid", "common/reduce"),
    params: &[uint("rows"), uint("cols")],
    bindings: &[read("x"), read("weight"), read("mean_rstd"), read("dy"), write("dx")],
    reference: reference::backward_input,
};

/// The gradients of weight and bias.
pub static BACKWARD_WEIGHT: Kernel = Kernel {
    name: "layer_norm_backward_weight",
    source: wgsl!("layer_norm_backward_weight"),
    params: &[uint("rows"), uint("cols")],
    bindings: &[read("x"), read("mean_rstd"), read("dy"), write("d_weight"), write("d_bias")],
    reference: reference::backward_weight,
};

/// Normalises every row of x, (rows, cols).
pub fn layer_norm(tape: &mut Tape, x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f32) -> Tensor {
    let trained = weight.requires_grad || bias.requires_grad;
    let y = tape.output(x.rows, x.cols, x.requires_grad || trained);
    let stats = tape.scratch(x.rows, 2);
    let size = super::reduction_workgroup(tape.kind());
    let params = [("rows", x.rows.into()), ("cols", x.cols.into()), ("eps", eps.into())];
    let buffers = [&x.slice, &weight.slice, &bias.slice, &y.slice, &stats];
    tape.dispatch(&FORWARD, &[("WORKGROUP_SIZE", size.into())], &params, &buffers, Grid::per_item(x.rows));
    let (x, weight, bias, out) = (x.clone(), weight.clone(), bias.clone(), y.clone());
    tape.on_backward(move |tape| {
        let Some(dy) = tape.gradient(&out) else { return };
        backward_weight(tape, &x, &weight, &bias, &stats, &dy);
        backward_input(tape, &x, &weight, &stats, &dy);
    });
    y
}

fn backward_input(tape: &mut Tape, x: &Tensor, weight: &Tensor, stats: &Slice, dy: &Slice) {
    let Some(target) = tape.grad_target(x) else { return };
    let size = super::reduction_workgroup(tape.kind());
    let constants = [("WORKGROUP_SIZE", size.into()), ("ACCUMULATE", target.accumulate.into())];
    let params = [("rows", x.rows.into()), ("cols", x.cols.into())];
    let buffers = [&x.slice, &weight.slice, stats, dy, &target.slice];
    tape.dispatch(&BACKWARD_INPUT, &constants, &params, &buffers, Grid::per_item(x.rows));
}

fn backward_weight(tape: &mut Tape, x: &Tensor, weight: &Tensor, bias: &Tensor, stats: &Slice, dy: &Slice) {
    let (d_weight, d_bias) = (tape.grad_target(weight), tape.grad_target(bias));
    // BitFit trains only the bias: the other half then goes to memory nobody reads.
    let accumulate = match (&d_weight, &d_bias) {
        (None, None) => return,
        (Some(a), Some(b)) => {
            assert_eq!(a.accumulate, b.accumulate, "weight and bias of a layer norm are used together");
            a.accumulate
        }
        (Some(one), None) | (None, Some(one)) => one.accumulate,
    };
    let unwanted = |tape: &mut Tape| {
        let slice = tape.scratch(1, x.cols);
        tape.clear(&slice);
        slice
    };
    let d_weight = d_weight.map_or_else(|| unwanted(tape), |target| target.slice);
    let d_bias = d_bias.map_or_else(|| unwanted(tape), |target| target.slice);
    let params = [("rows", x.rows.into()), ("cols", x.cols.into())];
    let grid = super::elementwise(crate::gpu::Extent::new(x.cols, 1));
    let buffers = [&x.slice, stats, dy, &d_weight, &d_bias];
    tape.dispatch(&BACKWARD_WEIGHT, &[("ACCUMULATE", accumulate.into())], &params, &buffers, grid);
}

mod reference {
    use crate::gpu::ReferenceCall;

    pub fn forward(call: &mut ReferenceCall<'_>) {
        let (rows, cols, eps) = (call.uint("rows"), call.uint("cols"), f64::from(call.float("eps")));
        let (x, weight, bias) = (call.floats("x"), call.floats("weight"), call.floats("bias"));
        let mut stats = Vec::with_capacity(rows * 2);
        for row in x.chunks_exact(cols).take(rows) {
            let mean = row.iter().map(|&v| f64::from(v)).sum::<f64>() / cols as f64;
            let variance = row.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / cols as f64;
            stats.extend([mean as f32, (1.0 / (variance + eps).sqrt()) as f32]);
        }
        call.update("y", |y| {
            for i in 0..rows * cols {
                let (row, c) = (i / cols, i % cols);
                y[i] = (x[i] - stats[row * 2]) * stats[row * 2 + 1] * weight[c] + bias[c];
            }
        });
        call.update("mean_rstd", |out| out[..rows * 2].copy_from_slice(&stats));
    }

    pub fn backward_input(call: &mut ReferenceCall<'_>) {
        let (rows, cols, accumulate) = (call.uint("rows"), call.uint("cols"), call.flag("ACCUMULATE"));
        let (x, weight) = (call.floats("x"), call.floats("weight"));
        let (stats, dy) = (call.floats("mean_rstd"), call.floats("dy"));
        call.update("dx", |dx| {
            for row in 0..rows {
                let (mean, rstd) = (f64::from(stats[row * 2]), f64::from(stats[row * 2 + 1]));
                let g = |c: usize| f64::from(dy[row * cols + c]) * f64::from(weight[c]);
                let h = |c: usize| (f64::from(x[row * cols + c]) - mean) * rstd;
                let mean_g = (0..cols).map(g).sum::<f64>() / cols as f64;
                let mean_gh = (0..cols).map(|c| g(c) * h(c)).sum::<f64>() / cols as f64;
                for c in 0..cols {
                    let value = (rstd * (g(c) - mean_g - h(c) * mean_gh)) as f32;
                    let dx = &mut dx[row * cols + c];
                    *dx = if accumulate { *dx + value } else { value };
                }
            }
        });
    }

    pub fn backward_weight(call: &mut ReferenceCall<'_>) {
        let (rows, cols, accumulate) = (call.uint("rows"), call.uint("cols"), call.flag("ACCUMULATE"));
        let (x, stats, dy) = (call.floats("x"), call.floats("mean_rstd"), call.floats("dy"));
        let mut sums = vec![(0f64, 0f64); cols];
        for row in 0..rows {
            for (c, sum) in sums.iter_mut().enumerate() {
                let d = f64::from(dy[row * cols + c]);
                let h = f64::from(x[row * cols + c] - stats[row * 2]) * f64::from(stats[row * 2 + 1]);
                *sum = (sum.0 + d * h, sum.1 + d);
            }
        }
        let add = |old: f32, new: f64| if accumulate { old + new as f32 } else { new as f32 };
        call.update("d_weight", |out| (0..cols).for_each(|c| out[c] = add(out[c], sums[c].0)));
        call.update("d_bias", |out| (0..cols).for_each(|c| out[c] = add(out[c], sums[c].1)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_op, check_op_gpu, frozen, input, run};
    use super::*;
    use crate::gpu::{Device, Dim, Sizes};

    #[test]
    fn known_numbers() {
        // Row (1, 2, 3): mean 2, variance 2/3.
        let sizes = Sizes { tokens: 1, ..Sizes::default() };
        let mut x = input(Dim::Tokens, 3, &sizes, 0);
        x.data = vec![1.0, 2.0, 3.0];
        let (mut weight, mut bias) =
            (frozen(Dim::Fixed(1), 3, &sizes, 1), frozen(Dim::Fixed(1), 3, &sizes, 2));
        weight.data = vec![1.0, 1.0, 2.0];
        bias.data = vec![0.0, 10.0, 0.0];
        let outcome = run(&Device::reference(), &sizes, &[x, weight, bias], &|tape, _, x| {
            layer_norm(tape, &x[0], &x[1], &x[2], 0.0)
        });
        let a = 1.5f32.sqrt();
        super::super::testing::assert_close("y", &outcome.output, &[-a, 10.0, 2.0 * a], 1e-6);
    }

    #[test]
    fn gradients_are_the_differences_and_the_gpu_agrees() {
        for (tokens, cols) in [(1, 1), (3, 5), (17, 33)] {
            let sizes = Sizes { tokens, ..Sizes::default() };
            let inputs = vec![
                input(Dim::Tokens, cols, &sizes, 1),
                input(Dim::Fixed(1), cols, &sizes, 2),
                input(Dim::Fixed(1), cols, &sizes, 3),
            ];
            check_op(&sizes, inputs, |tape, _, x| layer_norm(tape, &x[0], &x[1], &x[2], 1e-5));
        }
    }

    #[test]
    fn gpu_at_bert_size() {
        let sizes = Sizes { tokens: 131, ..Sizes::default() };
        let inputs = vec![
            input(Dim::Tokens, 768, &sizes, 1),
            frozen(Dim::Fixed(1), 768, &sizes, 2),
            input(Dim::Fixed(1), 768, &sizes, 3),
        ];
        check_op_gpu(&sizes, inputs, |tape, _, x| layer_norm(tape, &x[0], &x[1], &x[2], 1e-12));
    }
}
