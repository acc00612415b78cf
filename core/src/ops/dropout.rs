//! Dropout (Srivastava et al. 2014) with a mask that is a function of (seed, step, place) and is never stored.

use crate::gpu::kernel::{float, read, uint, write};
use crate::gpu::{Extent, Kernel, ReferenceCall, Slice};
use crate::random::random_uniform;
use crate::tape::{Tape, Tensor};
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&DROPOUT];

/// `y[i] (+)= x[i] / (1 − rate)` where the draw of element i is at least `rate`, else 0.
pub static DROPOUT: Kernel = Kernel {
    name: "dropout",
    source: wgsl!("dropout", "common/grid", "common/random"),
    params: &[uint("len"), uint("seed"), uint("stream"), float("rate")],
    bindings: &[read("x"), write("y")],
    reference,
};

/// Drops elements of x while training; gives x itself otherwise.
pub fn dropout(tape: &mut Tape, x: &Tensor, rate: f32) -> Tensor {
    if !tape.is_training() || rate == 0.0 {
        return x.clone();
    }
    let stream = tape.dropout_stream();
    let y = tape.output(x.rows, x.cols, x.requires_grad);
    apply(tape, &x.slice, &y.slice, x.len(), stream, rate, false);
    let (x, out) = (x.clone(), y.clone());
    tape.on_backward(move |tape| {
        let (Some(dy), Some(target)) = (tape.gradient(&out), tape.grad_target(&x)) else { return };
        apply(tape, &dy, &target.slice, x.len(), stream, rate, target.accumulate);
    });
    y
}

/// Applies the mask of `stream` to x: on the way back, the mask of the way there.
pub fn apply(tape: &mut Tape, x: &Slice, y: &Slice, len: Extent, stream: u32, rate: f32, accumulate: bool) {
    let params = [
        ("len", len.into()),
        ("seed", tape.dropout_seed()),
        ("stream", stream.into()),
        ("rate", rate.into()),
    ];
    let constants = [("ACCUMULATE", accumulate.into())];
    tape.dispatch(&DROPOUT, &constants, &params, &[x, y], super::elementwise(len));
}

/// What dropout multiplies element `index` with.
#[must_use]
pub fn factor(seed: u32, stream: u32, index: u32, rate: f32) -> f32 {
    if random_uniform(seed, stream, index) < rate { 0.0 } else { 1.0 / (1.0 - rate) }
}

fn reference(call: &mut ReferenceCall<'_>) {
    let (len, rate, accumulate) = (call.uint("len"), call.float("rate"), call.flag("ACCUMULATE"));
    let (seed, stream) = (call.uint("seed") as u32, call.uint("stream") as u32);
    let x = call.floats("x");
    call.update("y", |y| {
        for (i, y) in y[..len].iter_mut().enumerate() {
            let value = x[i] * factor(seed, stream, i as u32, rate);
            *y = if accumulate { *y + value } else { value };
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_op, input, run};
    use super::*;
    use crate::gpu::{Device, Dim, Sizes};

    #[test]
    fn gradients_and_gpu() {
        for tokens in [1, 13, 67] {
            let sizes = Sizes { tokens, ..Sizes::default() };
            check_op(&sizes, vec![input(Dim::Tokens, 3, &sizes, 1)], |tape, _, x| dropout(tape, &x[0], 0.4));
        }
    }

    #[test]
    fn keeps_the_right_share_and_the_mean() {
        let sizes = Sizes { tokens: 5000, ..Sizes::default() };
        let mut ones = input(Dim::Tokens, 4, &sizes, 1);
        ones.data.fill(1.0);
        let outcome = run(&Device::reference(), &sizes, &[ones], &|tape, _, x| dropout(tape, &x[0], 0.1));
        let kept = outcome.output.iter().filter(|&&y| y != 0.0).count() as f64 / 20_000.0;
        assert!((kept - 0.9).abs() < 0.01, "kept {kept}");
        let mean = outcome.output.iter().map(|&y| f64::from(y)).sum::<f64>() / 20_000.0;
        assert!((mean - 1.0).abs() < 0.01, "mean {mean}");
    }
}
