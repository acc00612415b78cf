//! How much work goes to the queue at a stretch.
//!
//! Drivers reset a GPU that is busy with one thing for a second or two, and a screen that is drawn by the same GPU stands
//! still meanwhile. So a dispatch that is predicted to take longer than a target is split by rows, and a submission is
//! closed when its dispatches are predicted to reach the target. Neither changes a bit of the result.

use super::device::AdapterKind;
use super::recording::{Dispatch, Grid, Sizes};

/// Milliseconds a dispatch or a submission should take at most, unless the app says otherwise.
pub const TARGET_MS: f64 = 50.0;

/// What apps may ask for: less would be all overhead, more would freeze the screen.
pub const TARGETS_MS: std::ops::RangeInclusive<f64> = 0.5..=1000.0;

/// The target to try after the driver has taken the device away from work of `target_ms`.
#[must_use]
pub fn shorter(target_ms: f64) -> f64 {
    (target_ms / 4.0).max(*TARGETS_MS.start())
}

/// Operations that one invocation of a kernel other than a product is taken for. Generous: such kernels are limited by
/// memory.
const FLOP_PER_INVOCATION: f64 = 128.0;
/// Invocations of a workgroup of such a kernel.
const INVOCATIONS: f64 = 64.0;

/// Operations that fit into `target_ms`, from a rate that slow machines of the kind reach: an integrated GPU, two cores.
pub(super) fn budget(kind: AdapterKind, target_ms: f64) -> f64 {
    let flop_per_second = match kind {
        AdapterKind::Hardware => 2e11,
        AdapterKind::Software | AdapterKind::SoftwareOctets | AdapterKind::Reference => 1e10,
    };
    flop_per_second * target_ms * 1e-3
}

/// Predicted operations of a dispatch: 2 M N K of a product, a flat figure for each invocation of anything else.
pub(super) fn flop(dispatch: &Dispatch, sizes: &Sizes) -> f64 {
    let size = |name: &str| {
        let position = dispatch.kernel.params.iter().position(|field| field.name == name)?;
        Some(f64::from(dispatch.params[position].bits(sizes, &Default::default())))
    };
    match (size("m"), size("n"), size("k")) {
        (Some(m), Some(n), Some(k)) => 2.0 * m * n * k,
        _ => {
            let [x, y] = dispatch.grid.workgroups(sizes);
            f64::from(x) * f64::from(y) * INVOCATIONS * FLOP_PER_INVOCATION
        }
    }
}

/// Some of the rows of tiles of a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// First row of tiles.
    pub first: u32,
    /// Number of rows of tiles; the last chunk takes all that is left.
    pub len: u32,
    /// What the params field `row_start` holds.
    pub row_start: u32,
}

impl Chunk {
    /// All rows of a dispatch.
    pub const WHOLE: Self = Self { first: 0, len: u32::MAX, row_start: 0 };

    /// Workgroups of this part of `grid` along x and y.
    pub fn workgroups(&self, grid: &Grid, sizes: &Sizes) -> [u32; 2] {
        let [x, y] = grid.workgroups(sizes);
        [x, y.saturating_sub(self.first).min(self.len)]
    }
}

/// Splits a dispatch so that each part of it is predicted to take at most `budget` operations at the sizes of `capacity`.
/// Only kernels with a `row_start` can be split; parts are at least one row of tiles.
pub(super) fn chunks(dispatch: &Dispatch, capacity: &Sizes, budget: f64) -> Vec<Chunk> {
    let Grid::Tiles { tile_rows, .. } = dispatch.grid else { return vec![Chunk::WHOLE] };
    let [_, n_rows] = dispatch.grid.workgroups(capacity);
    let n_wanted = (flop(dispatch, capacity) / budget).ceil().clamp(1.0, f64::from(n_rows.max(1))) as u32;
    if n_wanted == 1 || !dispatch.kernel.params.iter().any(|field| field.name == ROW_START) {
        return vec![Chunk::WHOLE];
    }
    let len = n_rows.div_ceil(n_wanted);
    let chunk = |first: u32| Chunk { first, len, row_start: first * tile_rows as u32 };
    (0..n_rows).step_by(len as usize).map(chunk).collect()
}

/// The params field that holds the first row of a part.
pub(super) const ROW_START: &str = "row_start";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::gpu::recording::Command;
    use crate::gpu::{Device, Dim, Recording};
    use crate::ops::matmul::{Epilogue, Shape, nn, nt, tn};
    use crate::tape::{Mode, Tape};

    const TOKENS: usize = 300;
    const WIDTH: usize = 68;

    /// The three products, one after the other, and what they leave.
    fn products(device: &Device) -> (Recording, crate::gpu::Resident) {
        let data: Vec<f32> = (0..TOKENS * WIDTH).map(|i| ((i % 61) as f32 - 30.0) / 64.0).collect();
        let (x, w) =
            (device.upload("x", &data).unwrap(), device.upload("w", &data[..WIDTH * WIDTH]).unwrap());
        let out = device.create("out", WIDTH * WIDTH).unwrap();
        let mut tape = Tape::new(device.kind(), device.max_slice_len(), Mode::Training { accumulate: false });
        let (y, z) = (tape.scratch(Dim::Tokens, WIDTH), tape.scratch(Dim::Tokens, WIDTH));
        let rows = crate::gpu::Extent::new(Dim::Tokens, WIDTH);
        let shape = Shape { m: Dim::Tokens, n: WIDTH, k: Dim::Fixed(WIDTH) };
        nt(&mut tape, shape, &x.slice(0, rows), &w.whole(), &y, &Epilogue::default());
        nn(&mut tape, shape, &y, &w.whole(), &z, false, None);
        let shape = Shape { m: Dim::Fixed(WIDTH), n: WIDTH, k: Dim::Tokens };
        tn(&mut tape, shape, 0.1, &y, &z, &out.slice(0, WIDTH * WIDTH), false);
        (tape.finish(), out)
    }

    fn run(target_ms: f64, tokens: usize) -> (usize, Vec<u32>) {
        let device = pollster::block_on(Device::open()).unwrap();
        device.set_target_ms(target_ms);
        let (recording, out) = products(&device);
        let capacity = Sizes { tokens: TOKENS, ..Sizes::default() };
        pollster::block_on(async {
            let plan = device.compile(recording, capacity).await.unwrap();
            let sizes = Sizes { tokens, ..Sizes::default() };
            device.run(&plan, &sizes, &Default::default()).unwrap();
            device.throttle(0).await.unwrap();
            (plan.n_dispatches(), device.read(&out, 0, WIDTH * WIDTH).await.unwrap())
        })
    }

    #[test]
    fn split_work_gives_the_same_bits_for_every_length() {
        for tokens in [1, 37, TOKENS] {
            let (n_whole, whole) = run(TARGET_MS, tokens);
            let (n_split, split) = run(1e-6, tokens);
            assert_eq!(n_whole, 3);
            assert!(n_split > 10, "{n_split} dispatches");
            assert_eq!(split, whole, "{tokens} tokens");
        }
    }

    #[test]
    fn shorter_targets_stay_in_range() {
        let targets: Vec<f64> =
            std::iter::successors(Some(TARGET_MS), |&ms| Some(shorter(ms))).take(6).collect();
        assert_eq!(targets[..3], [50.0, 12.5, 3.125]);
        assert!(targets.iter().all(|ms| TARGETS_MS.contains(ms)) && targets[4] == targets[5]);
    }

    #[test]
    fn chunks_cover_all_rows_once() {
        let (recording, _) = products(&Device::reference());
        let Command::Dispatch(dispatch) = &recording.commands[0] else { panic!("a product") };
        let sizes = Sizes { tokens: TOKENS, ..Sizes::default() };
        let all = dispatch.grid.workgroups(&sizes);
        for n in [1.0, 2.0, 7.0, 1e9] {
            let parts = chunks(dispatch, &sizes, flop(dispatch, &sizes) / n);
            let covered: u32 = parts.iter().map(|part| part.workgroups(&dispatch.grid, &sizes)[1]).sum();
            assert_eq!(covered, all[1], "{n} parts");
            assert!(parts.len() as f64 >= n.min(f64::from(all[1])) * 0.5, "{} of {n}", parts.len());
            let few = Sizes { tokens: 20, ..Sizes::default() };
            let covered: u32 = parts.iter().map(|part| part.workgroups(&dispatch.grid, &few)[1]).sum();
            assert_eq!(covered, dispatch.grid.workgroups(&few)[1]);
        }
    }
}
