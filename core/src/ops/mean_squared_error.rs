//! Mean squared error of predictions (rows, 1) against targets (rows): regression tasks.

use crate::gpu::kernel::{float, read, uint, write};
use crate::gpu::{Extent, Kernel, ReferenceCall, Slice};
use crate::tape::{Tape, Tensor};
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&MEAN_SQUARED_ERROR];

/// Squared error of every row, and the gradient of the mean.
pub static MEAN_SQUARED_ERROR: Kernel = Kernel {
    name: "mean_squared_error",
    source: wgsl!("mean_squared_error", "common/grid"),
    params: &[uint("rows"), float("scale")],
    bindings: &[read("predictions"), read("targets"), write("losses"), write("d_predictions")],
    reference,
};

/// Records the loss of a batch into `loss` (1 element) and starts the gradient of the predictions,
/// multiplied by `scale`.
pub fn mean_squared_error(tape: &mut Tape, predictions: &Tensor, targets: &Slice, scale: f32, loss: &Slice) {
    assert_eq!(predictions.cols, 1, "regression predicts one number");
    let losses = tape.scratch(predictions.rows, 1);
    let gradient = super::cross_entropy::loss_gradient(tape, predictions);
    let buffers = [&predictions.slice, targets, &losses, &gradient];
    let params = [("rows", predictions.rows.into()), ("scale", scale.into())];
    let grid = super::elementwise(Extent { dim: predictions.rows, per: 1 });
    tape.dispatch(&MEAN_SQUARED_ERROR, &[], &params, &buffers, grid);
    super::mean::mean(tape, &losses, predictions.rows, loss);
}

fn reference(call: &mut ReferenceCall<'_>) {
    let (rows, scale) = (call.uint("rows"), call.float("scale"));
    let (predictions, targets) = (call.floats("predictions"), call.floats("targets"));
    let error = |i: usize| predictions[i] - targets[i];
    call.update("losses", |out| (0..rows).for_each(|i| out[i] = error(i) * error(i)));
    call.update("d_predictions", |out| (0..rows).for_each(|i| out[i] = 2.0 * error(i) * scale / rows as f32));
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check_loss, input};
    use super::*;
    use crate::gpu::{Dim, Sizes};

    #[test]
    fn gradients_gpu_and_known_numbers() {
        let sizes = Sizes { sequences: 2, ..Sizes::default() };
        let mut predictions = input(Dim::Sequences, 1, &sizes, 0);
        predictions.data = vec![3.0, -1.0];
        let (loss, gradient) = check_loss(&sizes, predictions, |tape, device, x, loss| {
            let targets = device.upload("targets", &[1.0f32, 0.0]).unwrap();
            mean_squared_error(tape, x, &targets.slice(0, 2), 1.0, loss);
        });
        assert_close("loss", &[loss], &[2.5], 1e-6);
        assert_close("gradient", &gradient, &[2.0, -1.0], 1e-6);
    }
}
