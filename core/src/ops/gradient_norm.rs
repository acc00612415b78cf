//! Global gradient norm and clipping (Pascanu et al. 2013), on the device: as `torch.nn.utils.clip_grad_norm_`.
//!
//! Result, (3): the norm before clipping, the factor that clips, and 1 if the norm is finite, else 0.

use crate::gpu::kernel::{float, read, uint, write};
use crate::gpu::{Extent, Grid, Kernel, Slice};
use crate::tape::Tape;
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&SUM_SQUARES, &GRADIENT_NORM];

/// Partial sums of squares.
pub static SUM_SQUARES: Kernel = Kernel {
    name: "sum_squares",
    source: wgsl!("sum_squares", "common/grid", "common/reduce"),
    params: &[uint("len"), uint("per_group"), uint("first")],
    bindings: &[read("x"), write("partials")],
    reference: reference::sum_squares,
};

/// Norm, clipping factor and whether the norm is finite.
pub static GRADIENT_NORM: Kernel = Kernel {
    name: "gradient_norm",
    source: wgsl!("gradient_norm", "common/reduce"),
    params: &[uint("len"), float("max_norm")],
    bindings: &[read("partials"), write("norm")],
    reference: reference::gradient_norm,
};

/// Elements one workgroup squares and adds.
const PER_GROUP: usize = 16_384;

/// Records the norm over all `gradients` together into `norm` (3 elements). A `max_norm` of 0 does not clip.
pub fn gradient_norm(tape: &mut Tape, gradients: &[Slice], max_norm: f32, norm: &Slice) {
    let len = |slice: &Slice| slice.len.under(&crate::gpu::Sizes::default());
    let n_partials: usize = gradients.iter().map(|slice| len(slice).div_ceil(PER_GROUP)).sum();
    let partials = tape.scratch(1, n_partials.max(1));
    let size = ("WORKGROUP_SIZE", super::reduction_workgroup(tape.kind()).into());
    let mut first = 0;
    for slice in gradients {
        let params = [("len", len(slice).into()), ("per_group", PER_GROUP.into()), ("first", first.into())];
        let grid = Grid::Linear { items: slice.len, per_workgroup: PER_GROUP };
        tape.dispatch(&SUM_SQUARES, &[size], &params, &[slice, &partials], grid);
        first += len(slice).div_ceil(PER_GROUP);
    }
    let params = [("len", n_partials.into()), ("max_norm", max_norm.into())];
    let grid = Grid::Linear { items: Extent::new(1, 1), per_workgroup: 1 };
    tape.dispatch(&GRADIENT_NORM, &[size], &params, &[&partials, norm], grid);
}

mod reference {
    use crate::gpu::ReferenceCall;

    pub fn sum_squares(call: &mut ReferenceCall<'_>) {
        let (len, per_group, first) = (call.uint("len"), call.uint("per_group"), call.uint("first"));
        let x = call.floats("x");
        call.update("partials", |partials| {
            for (group, part) in x[..len].chunks(per_group).enumerate() {
                partials[first + group] = part.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() as f32;
            }
        });
    }

    pub fn gradient_norm(call: &mut ReferenceCall<'_>) {
        let (len, max_norm) = (call.uint("len"), call.float("max_norm"));
        let sum: f64 = call.floats("partials")[..len].iter().map(|x| f64::from(*x)).sum();
        let norm = sum.sqrt() as f32;
        let scale = if max_norm > 0.0 { (max_norm / (norm + 1e-6)).min(1.0) } else { 1.0 };
        call.update("norm", |out| {
            out[..3].copy_from_slice(&[norm, scale, if (sum as f32).is_finite() { 1.0 } else { 0.0 }]);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check_op_gpu, frozen, run};
    use super::*;
    use crate::gpu::{Device, Dim, Sizes};
    use crate::tape::Tensor;

    fn op(tape: &mut Tape, _: &Device, x: &[Tensor]) -> Tensor {
        let norm = tape.output(Dim::Fixed(1), 3, false);
        let slices: Vec<Slice> = x.iter().map(|x| x.slice.clone()).collect();
        gradient_norm(tape, &slices, 1.0, &norm.slice);
        norm
    }

    #[test]
    fn three_four_five() {
        let sizes = Sizes::default();
        let mut inputs = vec![frozen(Dim::Fixed(1), 1, &sizes, 0), frozen(Dim::Fixed(1), 2, &sizes, 0)];
        inputs[0].data = vec![3.0];
        inputs[1].data = vec![0.0, 4.0];
        let outcome = run(&Device::reference(), &sizes, &inputs, &op);
        assert_close("norm", &outcome.output, &[5.0, 0.2, 1.0], 1e-6);
    }

    #[test]
    fn not_finite_is_noticed() {
        let sizes = Sizes::default();
        for bad in [f32::NAN, f32::INFINITY] {
            let mut x = frozen(Dim::Fixed(1), 3, &sizes, 0);
            x.data[1] = bad;
            for device in [Device::reference(), pollster::block_on(Device::open()).unwrap()] {
                let outcome = run(&device, &sizes, std::slice::from_ref(&x), &op);
                assert_eq!(outcome.output[2], 0.0, "{bad} on {:?}", device.kind());
            }
        }
    }

    #[test]
    fn gpu_over_several_groups() {
        let sizes = Sizes::default();
        let inputs = vec![frozen(Dim::Fixed(1), 40_001, &sizes, 1), frozen(Dim::Fixed(1), 7, &sizes, 2)];
        check_op_gpu(&sizes, inputs, op);
    }
}
