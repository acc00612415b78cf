//! The effective weight of an adapted layer, `W⊙M + s (B A + P_Ω(S))`, kept resident and refreshed after each
//! optimizer step, so that forward and the gradient of the input cost what a frozen layer costs (`dsee-method` 1.1).

use crate::gpu::kernel::{float, read, uint, write};
use crate::gpu::{Dim, Extent, Kernel, ReferenceCall, Slice};
use crate::ops::matmul::{Shape, nn_onto};
use crate::tape::{Tape, Tensor};
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&SPARSE_ADD];

/// `weight[indices[k]] += scale · values[k]`
pub static SPARSE_ADD: Kernel = Kernel {
    name: "sparse_add",
    source: wgsl!("sparse_add", "common/grid"),
    params: &[uint("len"), float("scale")],
    bindings: &[read("indices"), read("values"), write("weight")],
    reference,
};

/// The low-rank part of an update: A (R, d_in) and B (d_out, R).
#[derive(Clone, Debug)]
pub struct LowRank {
    /// A, (R, d_in).
    pub a: Tensor,
    /// B, (d_out, R).
    pub b: Tensor,
}

/// The sparse part of an update: K positions and their values.
#[derive(Clone, Debug)]
pub struct Sparse {
    /// Flat row-major positions, distinct.
    pub indices: Slice,
    /// (K, 1)
    pub values: Tensor,
}

/// Writes `base + scale · (B A + P_Ω(S))` to `out`, both (d_out, d_in).
pub fn refresh(
    tape: &mut Tape,
    base: &Tensor,
    low_rank: &LowRank,
    sparse: Option<&Sparse>,
    scale: f32,
    out: &Slice,
) {
    let (a, b) = (&low_rank.a, &low_rank.b);
    let shape = Shape { m: Dim::Fixed(base.fixed_rows()), n: base.cols, k: Dim::Fixed(b.cols) };
    nn_onto(tape, shape, &b.slice, &a.slice, &base.slice, scale, out);
    if let Some(sparse) = sparse {
        let n = sparse.values.fixed_rows();
        let params = [("len", n.into()), ("scale", scale.into())];
        let buffers = [&sparse.indices, &sparse.values.slice, out];
        tape.dispatch(&SPARSE_ADD, &[], &params, &buffers, super::elementwise(Extent::new(n, 1)));
    }
}

fn reference(call: &mut ReferenceCall<'_>) {
    let (len, scale) = (call.uint("len"), call.float("scale"));
    let (indices, values) = (call.uints("indices"), call.floats("values"));
    call.update("weight", |weight| {
        (0..len).for_each(|k| weight[indices[k] as usize] += scale * values[k]);
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, check_op_gpu, frozen, run};
    use super::*;
    use crate::gpu::{Device, Sizes};
    use crate::tuning::state::SiteDelta;

    #[test]
    fn equals_the_host_side_update() {
        for (rows, cols, rank, indices) in
            [(2, 3, 1, vec![5u32]), (33, 65, 4, vec![0, 7, 64, 65, 2144]), (64, 64, 16, vec![1, 2, 3])]
        {
            let sizes = Sizes::default();
            let inputs = vec![
                frozen(Dim::Fixed(rows), cols, &sizes, 1),
                frozen(Dim::Fixed(rank), cols, &sizes, 2),
                frozen(Dim::Fixed(rows), rank, &sizes, 3),
                frozen(Dim::Fixed(indices.len()), 1, &sizes, 4),
            ];
            let site = SiteDelta {
                path: String::new(),
                d_out: rows,
                d_in: cols,
                rank,
                scale: 2.0,
                a: inputs[1].data.clone(),
                b: inputs[2].data.clone(),
                s_indices: indices.clone(),
                s_values: inputs[3].data.clone(),
            };
            let expected: Vec<f32> =
                inputs[0].data.iter().zip(site.dense()).map(|(w, delta)| w + delta).collect();
            let op = move |tape: &mut Tape, device: &Device, x: &[Tensor]| {
                let out = tape.output(Dim::Fixed(rows), cols, false);
                let indices = device.upload("indices", &indices).unwrap();
                let sparse = Sparse { indices: indices.whole(), values: x[3].clone() };
                let low_rank = LowRank { a: x[1].clone(), b: x[2].clone() };
                refresh(tape, &x[0], &low_rank, Some(&sparse), 2.0, &out.slice);
                out
            };
            let reference = run(&Device::reference(), &sizes, &inputs, &op);
            assert_close("effective weight", &reference.output, &expected, 1e-5);
            check_op_gpu(&sizes, inputs, op);
        }
    }
}
