//! The gradient of an activation that no linear map follows: `d_pre = dy · act'(pre)`.
//! (Forward is part of the product before it, see [`super::matmul`].)

use crate::gpu::kernel::{read, uint, write};
use crate::gpu::{Extent, Kernel, ReferenceCall, Slice};
use crate::tape::Tape;
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&ACTIVATION_BACKWARD];

/// `d_pre (+)= dy · act'(pre)`
pub static ACTIVATION_BACKWARD: Kernel = Kernel {
    name: "activation_backward",
    source: wgsl!("activation_backward", "common/grid", "common/activation"),
    params: &[uint("len")],
    bindings: &[read("pre"), read("dy"), write("d_pre")],
    reference,
};

/// Records the gradient before activation number `kind`.
pub fn activation_backward(
    tape: &mut Tape,
    kind: u32,
    pre: &Slice,
    dy: &Slice,
    d_pre: &Slice,
    len: Extent,
    accumulate: bool,
) {
    let constants = [("ACTIVATION", kind.into()), ("ACCUMULATE", accumulate.into())];
    let params = [("len", len.into())];
    tape.dispatch(&ACTIVATION_BACKWARD, &constants, &params, &[pre, dy, d_pre], super::by_fours(len));
}

fn reference(call: &mut ReferenceCall<'_>) {
    let (len, kind, accumulate) = (call.uint("len"), call.constant("ACTIVATION"), call.flag("ACCUMULATE"));
    let (pre, dy) = (call.floats("pre"), call.floats("dy"));
    call.update("d_pre", |d_pre| {
        for i in 0..len {
            let derivative = super::matmul::activate(kind, f64::from(pre[i])).1 as f32;
            d_pre[i] = dy[i] * derivative + if accumulate { d_pre[i] } else { 0.0 };
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::matmul::activation;
    use super::super::testing::{check_op_gpu, frozen};
    use super::*;
    use crate::gpu::{Dim, Sizes};

    #[test]
    fn gpu_equals_reference_far_from_zero_too() {
        let sizes = Sizes { tokens: 21, ..Sizes::default() };
        for kind in activation::NONE..=activation::RELU {
            let mut pre = frozen(Dim::Tokens, 7, &sizes, 1);
            pre.data.iter_mut().for_each(|x| *x *= 30.0);
            let inputs = vec![pre, frozen(Dim::Tokens, 7, &sizes, 2)];
            check_op_gpu(&sizes, inputs, |tape, _, x| {
                let d_pre = tape.output(Dim::Tokens, 7, false);
                let len = d_pre.len();
                activation_backward(tape, kind, &x[0].slice, &x[1].slice, &d_pre.slice, len, false);
                activation_backward(tape, kind, &x[0].slice, &x[1].slice, &d_pre.slice, len, true);
                d_pre
            });
        }
    }
}
