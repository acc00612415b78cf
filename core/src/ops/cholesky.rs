//! Orthonormal rows by shifted Cholesky-QR: `L Lᵀ = A Aᵀ`, then `A ← L⁻¹ A`, three times.
//!
//! Only the first pass adds 1e-6 · trace to the diagonal; in f32 a single pass is never enough, and without the
//! shift the factorisation breaks down from condition numbers of about 3e3 on (`dsee-method` 2.4, rule b).
//! [`crate::omega::basis`] holds the same method in loops, and Householder's, which it is tested against.

use crate::gpu::kernel::{float, read, uint, write};
use crate::gpu::{Dim, Extent, Grid, Kernel, Slice};
use crate::ops::matmul::{self, Epilogue, Shape};
use crate::tape::Tape;
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&CHOLESKY_FACTOR, &CHOLESKY_SOLVE];

/// `gram + shift · trace · I = L Lᵀ`, in place.
pub static CHOLESKY_FACTOR: Kernel = Kernel {
    name: "cholesky_factor",
    source: wgsl!("cholesky_factor"),
    params: &[float("shift")],
    bindings: &[write("gram")],
    reference: reference::factor,
};

/// `rows = L⁻¹ rows`, in place.
pub static CHOLESKY_SOLVE: Kernel = Kernel {
    name: "cholesky_solve",
    source: wgsl!("cholesky_solve", "common/grid"),
    params: &[uint("cols")],
    bindings: &[read("factor"), write("rows")],
    reference: reference::solve,
};

/// Shift of each pass, as a share of the trace.
const SHIFTS: [f32; 3] = [1e-6, 0.0, 0.0];

/// Makes the rows of `a`, (size, cols), orthonormal in place, keeping what they span.
///
/// Rows of zeros stay zero; so a matrix may have fewer rows in use than it has room for.
pub fn orthonormalise_rows(tape: &mut Tape, a: &Slice, size: usize, cols: usize) {
    let gram = tape.scratch(size, size);
    let shape = Shape { m: Dim::Fixed(size), n: size, k: Dim::Fixed(cols) };
    let one_workgroup = Grid::Linear { items: Extent::new(1, 1), per_workgroup: 1 };
    for shift in SHIFTS {
        matmul::nt(tape, shape, a, a, &gram, &Epilogue::default());
        let rows = ("SIZE", (size as u32).into());
        let constants = [("WORKGROUP_SIZE", super::reduction_workgroup(tape.kind()).into()), rows];
        tape.dispatch(&CHOLESKY_FACTOR, &constants, &[("shift", shift.into())], &[&gram], one_workgroup);
        let grid = super::elementwise(Extent::new(cols, 1));
        tape.dispatch(&CHOLESKY_SOLVE, &[rows], &[("cols", cols.into())], &[&gram, a], grid);
    }
}

mod reference {
    use crate::gpu::ReferenceCall;

    pub fn factor(call: &mut ReferenceCall<'_>) {
        let (size, shift) = (call.constant("SIZE") as usize, call.float("shift"));
        call.update("gram", |gram| {
            let trace: f32 = (0..size).map(|i| gram[i * size + i]).sum();
            for j in 0..size {
                let product = |gram: &[f32], i: usize| {
                    (0..j).map(|p| gram[i * size + p] * gram[j * size + p]).sum::<f32>()
                };
                let pivot = gram[j * size + j] + shift * trace - product(gram, j);
                let diagonal = pivot.max(0.0).sqrt();
                for i in j + 1..size {
                    let value = gram[i * size + j] - product(gram, i);
                    gram[i * size + j] = if pivot > 0.0 { value / diagonal } else { 0.0 };
                }
                gram[j * size + j] = if pivot > 0.0 { diagonal } else { 1.0 };
            }
        });
    }

    pub fn solve(call: &mut ReferenceCall<'_>) {
        let (size, cols) = (call.constant("SIZE") as usize, call.uint("cols"));
        let factor = call.floats("factor");
        call.update("rows", |rows| {
            for col in 0..cols {
                for i in 0..size {
                    let known: f32 = (0..i).map(|p| factor[i * size + p] * rows[p * cols + col]).sum();
                    rows[i * cols + col] = (rows[i * cols + col] - known) / factor[i * size + i];
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::super::testing::{assert_close, replay};
    use super::*;
    use crate::gpu::{Device, Sizes};
    use crate::omega::basis::orthonormal_rows;
    use crate::omega::linalg::{Matrix, matmul, matmul_transposed};
    use crate::random::Random;
    use crate::tape::Mode;

    fn devices() -> [Device; 2] {
        [Device::reference(), pollster::block_on(Device::open()).unwrap_or_else(|error| panic!("{error}"))]
    }

    fn on_device(device: &Device, a: &Matrix<f32>) -> Matrix<f32> {
        pollster::block_on(async {
            let rows = device.upload("rows", &a.data).unwrap();
            let mut tape = Tape::new(device.kind(), device.max_slice_len(), Mode::Inference);
            orthonormalise_rows(&mut tape, &rows.slice(0, a.data.len()), a.rows, a.cols);
            replay(device, tape.finish(), &Sizes::default()).await;
            let data = device.read(&rows, 0, a.data.len()).await.unwrap();
            Matrix { rows: a.rows, cols: a.cols, data }
        })
    }

    /// Rows whose singular values fall geometrically from 1 to 1/cond.
    fn conditioned(rows: usize, cols: usize, cond: f64, random: &mut Random) -> Matrix<f32> {
        let mut left = orthonormal_rows(&Matrix::<f64>::normal(rows, rows, random));
        for (i, x) in left.data.iter_mut().enumerate() {
            *x *= cond.powf(-((i % rows) as f64) / rows.max(2) as f64);
        }
        let product = matmul(&left, &orthonormal_rows(&Matrix::normal(rows, cols, random)));
        Matrix { rows, cols, data: product.data.iter().map(|&x| x as f32).collect() }
    }

    #[test]
    fn rows_become_orthonormal_and_span_the_same() {
        let mut random = Random::new(6, 0);
        for device in devices() {
            for (rows, cols, cond) in [(1, 1, 1.0), (3, 5, 2.0), (16, 131, 3e3), (70, 301, 3e4)] {
                let a = conditioned(rows, cols, cond, &mut random);
                let q = on_device(&device, &a);
                let mut identity = vec![0.0; rows * rows];
                (0..rows).for_each(|i| identity[i * rows + i] = 1.0);
                let what = format!("({rows}, {cols}) on {:?}", device.kind());
                assert_close(&what, &matmul_transposed(&q, &q).data, &identity, 2e-6);
                let back = matmul(&matmul_transposed(&a, &q), &q);
                assert_close(&what, &back.data, &a.data, 5e-6);
            }
        }
    }

    #[test]
    fn zero_and_dependent_rows_do_no_harm() {
        for device in devices() {
            let a = Matrix { rows: 4, cols: 3, data: vec![0., 0., 0., 3., 0., 4., 0., 0., 0., 0., 2., 0.] };
            let q = on_device(&device, &a).data;
            assert_close("zero rows", &q, &[0., 0., 0., 0.6, 0., 0.8, 0., 0., 0., 0., 1., 0.], 1e-6);
            let twice = Matrix { rows: 2, cols: 2, data: vec![1., 1., 2., 2.] };
            let q = on_device(&device, &twice).data;
            assert_close("first row", &q[..2], &[0.5f32.sqrt(); 2], 1e-6);
            assert!(q[2].is_finite() && q[2].hypot(q[3]) < 1.0 + 1e-5, "{q:?}");
        }
    }
}
