//! Cross-entropy of softmax(logits) against class labels, with label smoothing, mean over rows.
//!
//! logits (rows, N), labels (rows) → loss (1). Smoothing as in torch: `(1 − ε) nll + ε · mean_c(−log p_c)`.

use crate::gpu::kernel::{float, read, uint, write};
use crate::gpu::{Grid, Kernel, Slice};
use crate::tape::{Tape, Tensor};
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&CROSS_ENTROPY];

/// Loss of every row, and the gradient of the mean loss with respect to the logits.
pub static CROSS_ENTROPY: Kernel = Kernel {
    name: "cross_entropy",
    source: wgsl!("cross_entropy", "common/grid", "common/reduce"),
    params: &[uint("rows"), uint("cols"), float("label_smoothing"), float("scale")],
    bindings: &[read("logits"), read("labels"), write("losses"), write("d_logits")],
    reference: reference::forward,
};

/// Records the loss of a batch into `loss` (1 element) and starts the gradient of the logits, multiplied by `scale`.
pub fn cross_entropy(
    tape: &mut Tape,
    logits: &Tensor,
    labels: &Slice,
    label_smoothing: f32,
    scale: f32,
    loss: &Slice,
) {
    let losses = tape.scratch(logits.rows, 1);
    let d_logits = loss_gradient(tape, logits);
    let size = if logits.cols < 64 { 1 } else { super::reduction_workgroup(tape.kind()) };
    let params = [
        ("rows", logits.rows.into()),
        ("cols", logits.cols.into()),
        ("label_smoothing", label_smoothing.into()),
        ("scale", scale.into()),
    ];
    let buffers = [&logits.slice, labels, &losses, &d_logits];
    let constants = [("WORKGROUP_SIZE", size.into())];
    tape.dispatch(&CROSS_ENTROPY, &constants, &params, &buffers, Grid::per_item(logits.rows));
    super::mean::mean(tape, &losses, logits.rows, loss);
}

/// Memory for the gradient that a loss writes while it runs forward.
pub(super) fn loss_gradient(tape: &mut Tape, logits: &Tensor) -> Slice {
    match tape.grad_target(logits) {
        Some(target) => {
            assert!(!target.accumulate, "one loss per recording");
            target.slice
        }
        None => tape.scratch(logits.rows, logits.cols),
    }
}

mod reference {
    use crate::gpu::ReferenceCall;

    pub fn forward(call: &mut ReferenceCall<'_>) {
        let (rows, cols) = (call.uint("rows"), call.uint("cols"));
        let (smoothing, scale) = (f64::from(call.float("label_smoothing")), f64::from(call.float("scale")));
        let (logits, labels) = (call.floats("logits"), call.uints("labels"));
        let (mut losses, mut d_logits) = (vec![0f32; rows], vec![0f32; rows * cols]);
        for (t, row) in logits.chunks_exact(cols).take(rows).enumerate() {
            let label = labels[t] as usize;
            let largest = row.iter().copied().fold(f32::MIN, f32::max);
            let exponentials: Vec<f64> = row.iter().map(|x| f64::from(x - largest).exp()).collect();
            let sum: f64 = exponentials.iter().sum();
            let log_probability = |c: usize| f64::from(row[c] - largest) - sum.ln();
            let mean = (0..cols).map(log_probability).sum::<f64>() / cols as f64;
            losses[t] = (-(1.0 - smoothing) * log_probability(label) - smoothing * mean) as f32;
            for c in 0..cols {
                let target = smoothing / cols as f64 + if c == label { 1.0 - smoothing } else { 0.0 };
                d_logits[t * cols + c] = ((exponentials[c] / sum - target) * scale / rows as f64) as f32;
            }
        }
        call.update("losses", |out| out[..rows].copy_from_slice(&losses));
        call.update("d_logits", |out| out[..rows * cols].copy_from_slice(&d_logits));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check_loss, input};
    use super::*;
    use crate::gpu::{Dim, Sizes};

    #[test]
    fn gradients_and_gpu_at_odd_sizes() {
        for (rows, cols, smoothing) in [(1, 2, 0.0), (5, 3, 0.1), (7, 130, 0.2)] {
            let sizes = Sizes { sequences: rows, ..Sizes::default() };
            let labels: Vec<u32> = (0..rows as u32).map(|i| i * 7 % cols as u32).collect();
            let logits = input(Dim::Sequences, cols, &sizes, 3);
            check_loss(&sizes, logits, move |tape, device, x, loss| {
                let labels = device.upload("labels", &labels).unwrap();
                cross_entropy(tape, x, &labels.slice(0, labels.len()), smoothing, 1.0, loss);
            });
        }
    }

    #[test]
    fn two_equal_logits_cost_ln_2() {
        let sizes = Sizes { sequences: 1, ..Sizes::default() };
        let mut logits = input(Dim::Sequences, 2, &sizes, 0);
        logits.data = vec![3.0, 3.0];
        let (loss, gradient) = check_loss(&sizes, logits, |tape, device, x, loss| {
            let labels = device.upload("labels", &[1u32]).unwrap();
            cross_entropy(tape, x, &labels.slice(0, 1), 0.0, 1.0, loss);
        });
        assert_close("loss", &[loss], &[std::f32::consts::LN_2], 1e-6);
        assert_close("gradient", &gradient, &[0.5, -0.5], 1e-6);
    }
}
