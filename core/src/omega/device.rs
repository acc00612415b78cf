//! GreBsmo as kernels: the search of [`super::grebsmo`] in f32 on a device, tested against the host's.
//!
//! All factors have room for the full rank; rows that are not in use yet are zero and stay zero, so one plan serves
//! every rank level, and every matrix of the same shape. Bases come from shifted Cholesky-QR in three passes, V is
//! made orthonormal before it is used, and new rows come from the residual (`dsee-method` 2.4, rules b to d).

use super::linalg::Matrix;
use super::schedule::{Next, Schedule};
use super::{Omega, OmegaError, OmegaMethod, Progress, ProgressFn, check, select_omega};
use crate::gpu::{Device, Dim, GpuError, Plan, Resident, Sizes, Slice, StepScalars};
use crate::ops::matmul::{self, Epilogue, Shape};
use crate::ops::omega_exchange::{Parts, join_sparse, leave_sparse};
use crate::ops::{add, cholesky, gradient_norm, select};
use crate::random::Random;
use crate::tape::{Mode, Tape};

/// Chooses Ω for the matrices of a model, one after the other, keeping plans and memory between equal shapes.
#[derive(Debug)]
pub struct OmegaFinder {
    device: Device,
    search: Option<Search>,
}

impl OmegaFinder {
    /// A finder on `device`.
    #[must_use]
    pub fn new(device: &Device) -> Self {
        Self { device: device.clone(), search: None }
    }

    /// As [`select_omega`], with [`OmegaMethod::Grebsmo`] on the device; the other methods run on the host.
    ///
    /// # Errors
    /// As [`select_omega`], and whatever goes wrong on the device.
    pub async fn find(
        &mut self,
        w: &[f32],
        size: (usize, usize),
        n_nonzero: usize,
        rank: usize,
        method: OmegaMethod,
        (seed, stream): (u64, u64),
        progress: ProgressFn<'_>,
    ) -> Result<Omega, OmegaError> {
        if method != OmegaMethod::Grebsmo || n_nonzero == 0 {
            return select_omega(w, size, n_nonzero, rank, method, (seed, stream), progress);
        }
        check(w, size, n_nonzero, rank, method)?;
        let shape = SearchShape { d_out: size.0, d_in: size.1, rank, n_nonzero };
        let search = match self.search.take().filter(|search| search.shape == shape) {
            Some(search) => search,
            None => Search::new(&self.device, shape).await?,
        };
        let omega = search.run(&self.device, w, &mut Random::new(seed, stream), progress).await;
        self.search = Some(search);
        omega
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SearchShape {
    d_out: usize,
    d_in: usize,
    rank: usize,
    n_nonzero: usize,
}

/// Memory and plans for one shape. W, D = W − S and R are (d_out, d_in).
#[derive(Debug)]
struct Search {
    shape: SearchShape,
    w: Resident,
    d: Resident,
    /// W − U V − S after an alternation.
    r: Resident,
    /// V, (rank, d_in).
    v: Resident,
    /// Gaussian rows for the range finder, (rank, d_out), zero but for the rows to be found.
    g: Resident,
    /// The norm of R, and from [`SUPPORT`] on the positions of S.
    result: Resident,
    grow: Plan,
    alternate: Plan,
}

/// Where the positions begin in the result.
const SUPPORT: usize = 64;

impl Search {
    async fn new(device: &Device, shape: SearchShape) -> Result<Self, GpuError> {
        let SearchShape { d_out, d_in, rank, n_nonzero } = shape;
        let matrix = |name| device.create(name, d_out * d_in);
        let (w, d, r) = (matrix("omega.w")?, matrix("omega.d")?, matrix("omega.r")?);
        let (v, g) = (device.create("omega.v", rank * d_in)?, device.create("omega.g", rank * d_out)?);
        let result = device.create("omega.result", SUPPORT + n_nonzero)?;
        let part = |matrix: &Resident| matrix.slice(0, d_out * d_in);
        let (v_all, g_all) = (v.slice(0, rank * d_in), g.slice(0, rank * d_out));
        let indices = result.slice(SUPPORT, n_nonzero);
        let parts = Parts { w: part(&w), d: part(&d), r: part(&r), indices, len: n_nonzero };
        let tape = || Tape::new(device.kind(), device.max_slice_len(), Mode::Inference);
        let grow = record_growth(tape(), shape, &parts.r, &g_all, &v_all);
        let alternate = record_alternation(tape(), shape, &parts, &v_all, &result.slice(0, 3));
        let grow = device.compile(grow.finish(), Sizes::default()).await?;
        let alternate = device.compile(alternate.finish(), Sizes::default()).await?;
        Ok(Self { shape, w, d, r, v, g, result, grow, alternate })
    }

    async fn run(
        &self,
        device: &Device,
        w: &[f32],
        random: &mut Random,
        progress: ProgressFn<'_>,
    ) -> Result<Omega, OmegaError> {
        let SearchShape { d_out, d_in, rank, n_nonzero } = self.shape;
        let norm = Matrix::<f32>::from_weight(d_out, d_in, w).norm();
        for memory in [&self.w, &self.d, &self.r] {
            device.write(memory, 0, w);
        }
        device.write(&self.v, 0, &vec![0f32; rank * d_in]);
        let mut schedule = Schedule::new(rank);
        self.grow(device, 0, schedule.rank, random)?;
        loop {
            let rank = schedule.rank;
            device.run(&self.alternate, &Sizes::default(), &StepScalars::default())?;
            let result: Vec<u32> = device.read(&self.result, 0, SUPPORT + n_nonzero).await?;
            let error = f64::from(f32::from_bits(result[0]));
            let next = schedule.after(error);
            let (iterations, support) = (schedule.iterations, &result[SUPPORT..]);
            let relative_error = super::grebsmo::relative(error, norm);
            if progress(&Progress { iterations, rank, relative_error, support }).is_break() {
                return Err(OmegaError::Interrupted);
            }
            match next {
                Next::Alternate => {}
                Next::Grow(more) => self.grow(device, rank, more, random)?,
                Next::Done => {
                    let relative_error = Some(relative_error);
                    return Ok(Omega { indices: support.to_vec(), iterations, relative_error });
                }
            }
        }
    }

    /// Appends `more` rows to the `rank` rows of V that are in use, from the range of R.
    fn grow(&self, device: &Device, rank: usize, more: usize, random: &mut Random) -> Result<(), GpuError> {
        let mut g = Matrix::<f32>::zeros(self.shape.rank, self.shape.d_out);
        let rows = Matrix::<f32>::normal(more, self.shape.d_out, random);
        g.data[rank * self.shape.d_out..][..rows.data.len()].copy_from_slice(&rows.data);
        device.write(&self.g, 0, &g.data);
        device.run(&self.grow, &Sizes::default(), &StepScalars::default())
    }
}

/// V += basis of (G R Rᵀ) R, one power iteration with a basis taken in between. Rows of zeros in G add nothing.
fn record_growth(mut tape: Tape, shape: SearchShape, r: &Slice, g: &Slice, v: &Slice) -> Tape {
    let SearchShape { d_out, d_in, rank, .. } = shape;
    let product = |n, k| Shape { m: Dim::Fixed(rank), n, k: Dim::Fixed(k) };
    let (sketch, image) = (tape.scratch(rank, d_in), tape.scratch(rank, d_out));
    tape.set_scope("omega.grow");
    matmul::nn(&mut tape, product(d_in, d_out), g, r, &sketch, false, None);
    cholesky::orthonormalise_rows(&mut tape, &sketch, rank, d_in);
    matmul::nt(&mut tape, product(d_out, d_in), &sketch, r, &image, &Epilogue::default());
    matmul::nn(&mut tape, product(d_in, d_out), &image, r, &sketch, false, None);
    cholesky::orthonormalise_rows(&mut tape, &sketch, rank, d_in);
    add::add_in_place(&mut tape, &sketch, v, v.len, 1.0);
    tape
}

/// U ← basis of D Vᵀ, kept as rows; V ← Uᵀ D; S ← the largest entries of W − U V; and the norm of what is left.
fn record_alternation(mut tape: Tape, shape: SearchShape, parts: &Parts, v: &Slice, norm: &Slice) -> Tape {
    let SearchShape { d_out, d_in, rank, n_nonzero } = shape;
    let Parts { w, d, r, indices, .. } = parts;
    let product = |n, k| Shape { m: Dim::Fixed(rank), n, k: Dim::Fixed(k) };
    let u = tape.scratch(rank, d_out);
    tape.set_scope("omega.alternate");
    cholesky::orthonormalise_rows(&mut tape, v, rank, d_in);
    matmul::nt(&mut tape, product(d_out, d_in), v, d, &u, &Epilogue::default());
    cholesky::orthonormalise_rows(&mut tape, &u, rank, d_out);
    matmul::nn(&mut tape, product(d_in, d_out), &u, d, v, false, None);
    let outer = Shape { m: Dim::Fixed(d_out), n: d_in, k: Dim::Fixed(rank) };
    matmul::tn(&mut tape, outer, -1.0, &u, v, r, false);
    add::add_in_place(&mut tape, w, r, r.len, 1.0);
    leave_sparse(&mut tape, parts);
    select::largest(&mut tape, r, d_out * d_in, n_nonzero, indices);
    join_sparse(&mut tape, parts);
    gradient_norm::gradient_norm(&mut tape, std::slice::from_ref(r), 0.0, norm);
    tape
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use std::ops::ControlFlow;

    use super::*;
    use crate::omega::synthetic::{self, hits};

    fn gpu() -> Device {
        pollster::block_on(Device::open()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The device's Ω and the host's, from the same weight and the same random numbers.
    fn both(
        finder: &mut OmegaFinder,
        w: &[f32],
        size: (usize, usize),
        c: usize,
        rank: usize,
    ) -> (Omega, Omega) {
        let go_on: ProgressFn<'_> = &mut |_| ControlFlow::Continue(());
        let host = select_omega(w, size, c, rank, OmegaMethod::Grebsmo, (0, 0), go_on).unwrap();
        let device = finder.find(w, size, c, rank, OmegaMethod::Grebsmo, (0, 0), go_on);
        (pollster::block_on(device).unwrap(), host)
    }

    fn weight(w: &Matrix<f64>) -> Vec<f32> {
        w.data.iter().map(|&x| x as f32).collect()
    }

    fn check_twins(finder: &mut OmegaFinder, cases: &[synthetic::Case]) {
        for case in cases {
            let side = case.w.rows;
            let (device, host) = both(finder, &weight(&case.w), (side, side), 16, 16);
            assert_eq!(device.indices, host.indices, "{}", case.name);
            let least = if case.spikes_are_small { 15 } else { 16 };
            assert!(hits(&device.indices, &case.spikes) >= least, "{}", case.name);
            let (a, b) = (device.relative_error.unwrap(), host.relative_error.unwrap());
            assert!((a - b).abs() < 1e-4 * b, "{}: errors {a} and {b}", case.name);
        }
    }

    /// Acceptance check 3 of `dsee-method` on the device; the hardest matrix at the size of its table.
    #[test]
    fn the_device_finds_the_same_spikes_as_the_host() {
        let mut finder = OmegaFinder::new(&gpu());
        check_twins(&mut finder, &synthetic::five(256));
        check_twins(&mut finder, &synthetic::five(768)[4..]);
    }

    #[test]
    fn the_references_find_them_too() {
        check_twins(&mut OmegaFinder::new(&Device::reference()), &synthetic::five(192));
    }

    #[test]
    fn odd_shapes_and_one_finder_for_several() {
        let mut finder = OmegaFinder::new(&gpu());
        let mut random = Random::new(11, 0);
        for (m, n, rank, c) in
            [(1, 1, 1, 1), (7, 3, 3, 2), (65, 130, 21, 5), (65, 130, 21, 5), (33, 20, 6, 660)]
        {
            let mut w = Matrix::<f32>::normal(m, n, &mut random).data;
            // Spikes so large that both precisions must agree on them.
            w.iter_mut().step_by(97).take(c).for_each(|x| *x += 40.0);
            let (device, host) = both(&mut finder, &w, (m, n), c, rank);
            assert_eq!(device.indices.len(), c);
            assert!(device.indices.windows(2).all(|pair| pair[0] < pair[1]));
            let (a, b) = (device.relative_error.unwrap(), host.relative_error.unwrap());
            assert!((a - b).abs() < 1e-3, "({m}, {n}): errors {a} and {b}");
        }
        let (device, host) = both(&mut finder, &[0.0; 64], (8, 8), 3, 4);
        assert_eq!(device, host);
    }

    #[test]
    fn other_methods_run_on_the_host_and_errors_arrive() {
        let mut finder = OmegaFinder::new(&Device::reference());
        let mut find = |w: &[f32], c, method, progress: ProgressFn<'_>| {
            pollster::block_on(finder.find(w, (2, 2), c, 1, method, (0, 0), progress))
        };
        let w = [0.1, -5.0, 2.0, 3.0];
        let go_on: ProgressFn<'_> = &mut |_| ControlFlow::Continue(());
        assert_eq!(find(&w, 2, OmegaMethod::Magnitude, go_on).unwrap().indices, [1, 3]);
        assert!(find(&w, 0, OmegaMethod::Grebsmo, go_on).unwrap().indices.is_empty());
        assert!(matches!(find(&w, 5, OmegaMethod::Grebsmo, go_on), Err(OmegaError::TooManyEntries { .. })));
        let stopped = find(&w, 1, OmegaMethod::Grebsmo, &mut |_| ControlFlow::Break(()));
        assert_eq!(stopped, Err(OmegaError::Interrupted));
    }
}
