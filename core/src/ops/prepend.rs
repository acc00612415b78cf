//! A trained prefix before the keys or the values of a batch (prefix tuning, Li and Liang 2021, arXiv 2101.00190;
//! P-tuning v2, Liu et al. 2022, arXiv 2110.07602): `y = [prefix ; x]`, prefix (P, C), x (T, C) → (P + T, C).
//!
//! [`super::attention`] lets every query row meet the P rows before the keys of its own sequence, so one prefix serves
//! all sequences of the batch.

use crate::gpu::kernel::{read, uint, write};
use crate::gpu::{Dim, Extent, Kernel, Slice};
use crate::tape::{Tape, Tensor};
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&PREPEND, &PREPEND_BACKWARD];

/// `y = [prefix ; x]`
pub static PREPEND: Kernel = Kernel {
    name: "prepend",
    source: wgsl!("prepend", "common/grid"),
    params: &[uint("rows"), uint("cols"), uint("n_prefix")],
    bindings: &[read("prefix"), read("x"), write("y")],
    reference: reference::forward,
};

/// `d_part[i] (+)= dy[start + i]`
pub static PREPEND_BACKWARD: Kernel = Kernel {
    name: "prepend_backward",
    source: wgsl!("prepend_backward", "common/grid"),
    params: &[uint("len"), uint("start")],
    bindings: &[read("dy"), write("d_part")],
    reference: reference::backward,
};

/// Puts `prefix` (P, C) before x (T, C), whose rows are the tokens of the batch: (P + T, C).
///
/// # Panics
/// If x has other rows: only keys and values have a prefix.
pub fn prepend(tape: &mut Tape, prefix: &Tensor, x: &Tensor) -> Tensor {
    assert_eq!((x.rows, x.cols), (Dim::Tokens, prefix.cols), "keys and values of tokens have a prefix");
    let n_prefix = prefix.fixed_rows();
    let y = tape.output(Dim::Keys(n_prefix), x.cols, prefix.requires_grad || x.requires_grad);
    let params = [("rows", x.rows.into()), ("cols", x.cols.into()), ("n_prefix", n_prefix.into())];
    let buffers = [&prefix.slice, &x.slice, &y.slice];
    tape.dispatch(&PREPEND, &[], &params, &buffers, super::elementwise(y.len()));
    let (prefix, x, out) = (prefix.clone(), x.clone(), y.clone());
    tape.on_backward(move |tape| {
        let Some(dy) = tape.gradient(&out) else { return };
        part_gradient(tape, &prefix, &dy, 0);
        part_gradient(tape, &x, &dy, n_prefix * x.cols);
    });
    y
}

fn part_gradient(tape: &mut Tape, part: &Tensor, dy: &Slice, start: usize) {
    let Some(target) = tape.grad_target(part) else { return };
    let len: Extent = part.len();
    let params = [("len", len.into()), ("start", start.into())];
    let constants = [("ACCUMULATE", target.accumulate.into())];
    tape.dispatch(&PREPEND_BACKWARD, &constants, &params, &[dy, &target.slice], super::elementwise(len));
}

mod reference {
    use crate::gpu::ReferenceCall;

    pub fn forward(call: &mut ReferenceCall<'_>) {
        let (rows, cols, n_prefix) = (call.uint("rows"), call.uint("cols"), call.uint("n_prefix"));
        let (prefix, x) = (call.floats("prefix"), call.floats("x"));
        call.update("y", |y| {
            let (head, tail) = y.split_at_mut(n_prefix * cols);
            head.copy_from_slice(&prefix[..n_prefix * cols]);
            tail[..rows * cols].copy_from_slice(&x[..rows * cols]);
        });
    }

    pub fn backward(call: &mut ReferenceCall<'_>) {
        let (len, start, accumulate) = (call.uint("len"), call.uint("start"), call.flag("ACCUMULATE"));
        let dy = call.floats("dy");
        call.update("d_part", |part| {
            for (part, dy) in part[..len].iter_mut().zip(&dy[start..]) {
                *part = dy + if accumulate { *part } else { 0.0 };
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_op, input, run};
    use super::*;
    use crate::gpu::{Device, Sizes};

    #[test]
    fn rows_and_gradients_go_to_their_parts() {
        for (n_prefix, tokens, cols) in [(1, 1, 1), (3, 5, 7), (20, 3, 64)] {
            let sizes = Sizes { tokens, ..Sizes::default() };
            let inputs =
                vec![input(Dim::Fixed(n_prefix), cols, &sizes, 1), input(Dim::Tokens, cols, &sizes, 2)];
            let expected: Vec<f32> = inputs.iter().flat_map(|part| part.data.clone()).collect();
            let outcome =
                run(&Device::reference(), &sizes, &inputs, &|tape, _, x| prepend(tape, &x[0], &x[1]));
            assert_eq!(outcome.output, expected);
            check_op(&sizes, inputs, |tape, _, x| prepend(tape, &x[0], &x[1]));
        }
    }
}
