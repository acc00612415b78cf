//! Keeps pruned entries of a trained weight at zero: `W ← W ⊙ M` when it is loaded, `dW ← dW ⊙ M` before every update.
//! Frozen weights are masked once, when they are uploaded, and never again.

use crate::gpu::kernel::{read, uint, write};
use crate::gpu::{Extent, Kernel, ReferenceCall, Slice};
use crate::tape::Tape;
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&MASK];

/// `values[i] = 0` where bit i is not set.
pub static MASK: Kernel = Kernel {
    name: "mask",
    source: wgsl!("mask", "common/grid"),
    params: &[uint("len")],
    bindings: &[read("keep"), write("values")],
    reference,
};

/// Records the mask over a weight or its gradient, `len` numbers; `keep` holds one bit for each.
pub fn mask(tape: &mut Tape, keep: &Slice, values: &Slice, len: Extent) {
    tape.dispatch(&MASK, &[], &[("len", len.into())], &[keep, values], super::elementwise(len));
}

/// One bit per number, set where it is not zero.
#[must_use]
pub fn pack_bits(values: &[f32]) -> Vec<u32> {
    let word = |part: &[f32]| {
        part.iter().enumerate().fold(0, |word, (i, &value)| word | u32::from(value != 0.0) << i)
    };
    values.chunks(32).map(word).collect()
}

fn reference(call: &mut ReferenceCall<'_>) {
    let (len, keep) = (call.uint("len"), call.uints("keep"));
    call.update("values", |values| {
        for (i, value) in values[..len].iter_mut().enumerate() {
            if keep[i / 32] >> (i % 32) & 1 == 0 {
                *value = 0.0;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_op_gpu, frozen, run};
    use super::*;
    use crate::gpu::{Device, Dim, Sizes};
    use crate::tape::Tensor;

    #[test]
    fn zeroes_exactly_what_the_bits_say() {
        for len in [1, 33, 130] {
            let pattern: Vec<f32> = (0..len).map(|i| if i % 3 == 0 { 0.0 } else { 1.0 }).collect();
            let keep = pack_bits(&pattern);
            let inputs = vec![frozen(Dim::Fixed(1), len, &Sizes::default(), 1)];
            let op = move |tape: &mut Tape, device: &Device, x: &[Tensor]| {
                let keep = device.upload("keep", &keep).unwrap();
                mask(tape, &keep.whole(), &x[0].slice, x[0].len());
                x[0].clone()
            };
            let outcome = run(&Device::reference(), &Sizes::default(), &inputs, &op);
            for (i, (got, before)) in outcome.output.iter().zip(&inputs[0].data).enumerate() {
                assert_eq!(*got, if i % 3 == 0 { 0.0 } else { *before }, "entry {i}");
            }
            check_op_gpu(&Sizes::default(), inputs, op);
        }
    }
}
