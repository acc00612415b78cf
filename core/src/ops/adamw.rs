//! One AdamW step over flat arenas (Loshchilov and Hutter 2019), and the ring that keeps loss and norm of every step.

use crate::gpu::kernel::{float, read, uint, write};
use crate::gpu::recording::StepScalar;
use crate::gpu::{Extent, Grid, Kernel, Slice};
use crate::tape::Tape;
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&ADAMW, &RECORD_METRICS];

/// The update. Parameters whose index is at or past `decay_end` do not decay.
pub static ADAMW: Kernel = Kernel {
    name: "adamw",
    source: wgsl!("adamw", "common/grid"),
    params: &[
        uint("len"),
        uint("decay_end"),
        float("learning_rate"),
        float("beta1"),
        float("beta2"),
        float("eps"),
        float("weight_decay"),
        float("bias_correction1"),
        float("bias_correction2"),
    ],
    bindings: &[read("grad"), read("norm"), write("value"), write("m"), write("v")],
    reference: reference::adamw,
};

/// `ring[slot] = (loss, norm)`
pub static RECORD_METRICS: Kernel = Kernel {
    name: "record_metrics",
    source: wgsl!("record_metrics"),
    params: &[uint("slot")],
    bindings: &[read("loss"), read("norm"), write("ring")],
    reference: reference::record_metrics,
};

/// What stays the same over a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Decoupled weight decay.
    pub weight_decay: f32,
}

/// One flat piece of parameters with its gradient and moments, all of the same length.
#[derive(Clone, Debug)]
pub struct Page {
    /// Parameters.
    pub value: Slice,
    /// Gradients.
    pub gradient: Slice,
    /// First moments.
    pub m: Slice,
    /// Second moments.
    pub v: Slice,
    /// Number of elements.
    pub len: usize,
    /// Elements before this one decay.
    pub decay_end: usize,
}

/// Records the update of one page; `norm` comes from [`super::gradient_norm`].
pub fn adamw(tape: &mut Tape, settings: AdamW, page: &Page, norm: &Slice) {
    let params = [
        ("len", page.len.into()),
        ("decay_end", page.decay_end.into()),
        ("learning_rate", StepScalar::LearningRate.into()),
        ("beta1", settings.beta1.into()),
        ("beta2", settings.beta2.into()),
        ("eps", settings.eps.into()),
        ("weight_decay", settings.weight_decay.into()),
        ("bias_correction1", StepScalar::BiasCorrection1.into()),
        ("bias_correction2", StepScalar::BiasCorrection2.into()),
    ];
    let buffers = [&page.gradient, norm, &page.value, &page.m, &page.v];
    tape.dispatch(&ADAMW, &[], &params, &buffers, super::elementwise(Extent::new(page.len, 1)));
}

/// Records loss and norm of this step into the ring.
pub fn record_metrics(tape: &mut Tape, loss: &Slice, norm: &Slice, ring: &Slice) {
    let grid = Grid::Linear { items: Extent::new(1, 1), per_workgroup: 1 };
    let params = [("slot", StepScalar::RingSlot.into())];
    tape.dispatch(&RECORD_METRICS, &[], &params, &[loss, norm, ring], grid);
}

mod reference {
    use crate::gpu::ReferenceCall;

    pub fn adamw(call: &mut ReferenceCall<'_>) {
        let (len, decay_end) = (call.uint("len"), call.uint("decay_end"));
        let (grad, norm) = (call.floats("grad"), call.floats("norm"));
        if norm[2] == 0.0 {
            return;
        }
        let [lr, beta1, beta2, eps, decay, c1, c2] = [
            "learning_rate",
            "beta1",
            "beta2",
            "eps",
            "weight_decay",
            "bias_correction1",
            "bias_correction2",
        ]
        .map(|name| call.float(name));
        let (mut m, mut v) = (call.floats("m"), call.floats("v"));
        call.update("value", |value| {
            for i in 0..len {
                let g = grad[i] * norm[1];
                m[i] = beta1 * m[i] + (1.0 - beta1) * g;
                v[i] = beta2 * v[i] + (1.0 - beta2) * g * g;
                if i < decay_end {
                    value[i] *= 1.0 - lr * decay;
                }
                value[i] -= lr / c1 * m[i] / (v[i].sqrt() / c2.sqrt() + eps);
            }
        });
        call.update("m", |out| out.copy_from_slice(&m));
        call.update("v", |out| out.copy_from_slice(&v));
    }

    pub fn record_metrics(call: &mut ReferenceCall<'_>) {
        let (slot, loss, norm) = (call.uint("slot"), call.floats("loss")[0], call.floats("norm")[0]);
        call.update("ring", |ring| ring[slot * 2..slot * 2 + 2].copy_from_slice(&[loss, norm]));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check_op_gpu, frozen, run, scalars};
    use super::*;
    use crate::gpu::{Device, Dim, Sizes};
    use crate::tape::Tensor;

    const SETTINGS: AdamW = AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.1 };

    fn op(tape: &mut Tape, _: &Device, x: &[Tensor]) -> Tensor {
        let len = x[0].cols;
        let page = Page {
            value: x[0].slice.clone(),
            gradient: x[1].slice.clone(),
            m: x[2].slice.clone(),
            v: x[3].slice.clone(),
            len,
            decay_end: len / 2,
        };
        adamw(tape, SETTINGS, &page, &x[4].slice);
        Tensor::constant(page.value, Dim::Fixed(1), len)
    }

    fn inputs(len: usize, finite: f32) -> Vec<super::super::testing::Input> {
        let sizes = Sizes::default();
        let mut inputs: Vec<_> = (0..4).map(|i| frozen(Dim::Fixed(1), len, &sizes, i)).collect();
        inputs[3].data.iter_mut().for_each(|v| *v = v.abs());
        let mut norm = frozen(Dim::Fixed(1), 3, &sizes, 9);
        norm.data = vec![2.0, 0.5, finite];
        inputs.push(norm);
        inputs
    }

    #[test]
    fn first_step_moves_by_the_learning_rate() {
        // From zero moments the corrected step is lr · sign(g), here with the corrections of step 1.
        let mut inputs = inputs(2, 1.0);
        inputs[0].data = vec![1.0, 1.0];
        inputs[1].data = vec![3.0, -3.0];
        inputs[2].data = vec![0.0; 2];
        inputs[3].data = vec![0.0; 2];
        let outcome = run(&Device::reference(), &Sizes::default(), &inputs, &op);
        let lr = scalars().learning_rate;
        assert_close("value", &outcome.output, &[1.0 - lr * 0.1 - lr, 1.0 + lr], 1e-6);
    }

    #[test]
    fn gpu_equals_reference() {
        for len in [1, 63, 1025] {
            check_op_gpu(&Sizes::default(), inputs(len, 1.0), op);
        }
    }

    #[test]
    fn a_step_that_is_not_finite_changes_nothing() {
        let inputs = inputs(5, 0.0);
        for device in [Device::reference(), pollster::block_on(Device::open()).unwrap()] {
            let outcome = run(&device, &Sizes::default(), &inputs, &op);
            assert_eq!(outcome.output, inputs[0].data);
        }
    }
}
