//! The positions of the c entries of largest magnitude, exactly c of them, ascending.
//!
//! Ties go to the lowest position, as in [`crate::omega::select`], which does the same on the host. The threshold is
//! found by four counting passes over 8-bit digits of the bit patterns, which order as magnitudes do; then every run
//! of entries learns how many come before it, and writes its own. No step depends on the order of invocations.

use crate::gpu::kernel::{read, uint, write};
use crate::gpu::{Extent, Grid, Kernel, Slice};
use crate::tape::Tape;
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] =
    &[&SELECT_HISTOGRAM, &SELECT_DIGIT, &SELECT_COUNT, &SELECT_SCAN, &SELECT_WRITE];

/// Counts the values of one digit among entries that share the prefix.
pub static SELECT_HISTOGRAM: Kernel = Kernel {
    name: "select_histogram",
    source: wgsl!("select_histogram", "common/grid", "common/select"),
    params: &[uint("len"), uint("per_group"), uint("shift")],
    bindings: &[read("x"), read("state"), write("histogram")],
    reference: reference::histogram,
};

/// Appends one digit to the prefix and clears the histogram.
pub static SELECT_DIGIT: Kernel = Kernel {
    name: "select_digit",
    source: wgsl!("select_digit"),
    params: &[uint("count")],
    bindings: &[write("histogram"), write("state")],
    reference: reference::digit,
};

/// Counts entries above and at the threshold, per run.
pub static SELECT_COUNT: Kernel = Kernel {
    name: "select_count",
    source: wgsl!("select_count", "common/grid", "common/select"),
    params: &[uint("len"), uint("n_runs"), uint("per_run")],
    bindings: &[read("x"), read("state"), write("counts")],
    reference: reference::count,
};

/// Turns counts into sums over the runs before.
pub static SELECT_SCAN: Kernel = Kernel {
    name: "select_scan",
    source: wgsl!("select_scan"),
    params: &[uint("n_runs")],
    bindings: &[write("counts")],
    reference: reference::scan,
};

/// Writes the selected positions.
pub static SELECT_WRITE: Kernel = Kernel {
    name: "select_write",
    source: wgsl!("select_write", "common/grid", "common/select"),
    params: &[uint("len"), uint("n_runs"), uint("per_run"), uint("count")],
    bindings: &[read("x"), read("state"), read("counts"), write("indices")],
    reference: reference::write,
};

/// Entries one workgroup of a counting pass handles.
const PER_GROUP: usize = 16_384;
/// Entries one invocation numbers.
const PER_RUN: usize = 256;

/// Records the selection of the `count` largest |x| among `len` entries; `count` is in 1..=`len`.
pub fn largest(tape: &mut Tape, x: &Slice, len: usize, count: usize, indices: &Slice) {
    assert!((1..=len).contains(&count), "{count} of {len} entries cannot be selected");
    let n_runs = len.div_ceil(PER_RUN);
    let (state, histogram, counts) = (tape.scratch(1, 2), tape.scratch(1, 256), tape.scratch(n_runs, 2));
    tape.clear(&state);
    tape.clear(&histogram);
    let size = [("WORKGROUP_SIZE", 64.into())];
    let one_workgroup = Grid::Linear { items: Extent::new(1, 1), per_workgroup: 1 };
    for shift in [24, 16, 8, 0u32] {
        let params = [("len", len.into()), ("per_group", PER_GROUP.into()), ("shift", shift.into())];
        let grid = Grid::Linear { items: Extent::new(len, 1), per_workgroup: PER_GROUP };
        tape.dispatch(&SELECT_HISTOGRAM, &size, &params, &[x, &state, &histogram], grid);
        tape.dispatch(&SELECT_DIGIT, &[], &[("count", count.into())], &[&histogram, &state], one_workgroup);
    }
    let runs = [("len", len.into()), ("n_runs", n_runs.into()), ("per_run", PER_RUN.into())];
    let grid = super::elementwise(Extent::new(n_runs, 1));
    tape.dispatch(&SELECT_COUNT, &[], &runs, &[x, &state, &counts], grid);
    tape.dispatch(&SELECT_SCAN, &size, &[("n_runs", n_runs.into())], &[&counts], one_workgroup);
    let params: Vec<_> = runs.into_iter().chain([("count", count.into())]).collect();
    tape.dispatch(&SELECT_WRITE, &[], &params, &[x, &state, &counts, indices], grid);
}

mod reference {
    use crate::gpu::ReferenceCall;

    fn keys(call: &ReferenceCall<'_>) -> Vec<u32> {
        let mut keys = call.uints("x");
        keys.truncate(call.uint("len"));
        keys.iter_mut().for_each(|key| *key &= 0x7fff_ffff);
        keys
    }

    pub fn histogram(call: &mut ReferenceCall<'_>) {
        let (shift, prefix) = (call.uint("shift"), call.uints("state")[0]);
        let keys = keys(call);
        call.update_uints("histogram", |histogram| {
            for key in keys.iter().map(|key| key >> shift).filter(|key| key >> 8 == prefix) {
                histogram[key as usize & 255] += 1;
            }
        });
    }

    pub fn digit(call: &mut ReferenceCall<'_>) {
        let count = call.uint("count") as u32;
        let histogram = call.uints("histogram");
        call.update_uints("state", |state| {
            let mut digit = 255;
            while state[1] + histogram[digit] < count {
                state[1] += histogram[digit];
                digit -= 1;
            }
            state[0] = state[0] << 8 | digit as u32;
        });
        call.update_uints("histogram", |histogram| histogram.fill(0));
    }

    pub fn count(call: &mut ReferenceCall<'_>) {
        let (per_run, threshold) = (call.uint("per_run"), call.uints("state")[0]);
        let keys = keys(call);
        call.update_uints("counts", |counts| {
            for (counts, run) in counts.chunks_exact_mut(2).zip(keys.chunks(per_run)) {
                counts[0] = run.iter().filter(|&&key| key > threshold).count() as u32;
                counts[1] = run.iter().filter(|&&key| key == threshold).count() as u32;
            }
        });
    }

    pub fn scan(call: &mut ReferenceCall<'_>) {
        let n_runs = call.uint("n_runs");
        call.update_uints("counts", |counts| {
            let mut before = [0, 0];
            for counts in counts.chunks_exact_mut(2).take(n_runs) {
                for (count, before) in counts.iter_mut().zip(&mut before) {
                    *before += std::mem::replace(count, *before);
                }
            }
        });
    }

    pub fn write(call: &mut ReferenceCall<'_>) {
        let (count, per_run, state) = (call.uint("count"), call.uint("per_run"), call.uints("state"));
        let (keys, counts) = (keys(call), call.uints("counts"));
        let n_ties = count - state[1] as usize;
        call.update_uints("indices", |indices| {
            for (run, keys) in keys.chunks(per_run).enumerate() {
                let (mut n_above, mut n_equal) = (counts[2 * run] as usize, counts[2 * run + 1] as usize);
                for (i, key) in keys.iter().enumerate() {
                    let position = n_above + n_equal.min(n_ties);
                    if *key > state[0] || *key == state[0] && n_equal < n_ties {
                        indices[position] = (run * per_run + i) as u32;
                    }
                    n_above += usize::from(*key > state[0]);
                    n_equal += usize::from(*key == state[0]);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::super::testing::replay;
    use super::*;
    use crate::gpu::{Device, Sizes};
    use crate::omega::select;
    use crate::random::Random;
    use crate::tape::Mode;

    fn check(device: &Device, x: &[f32], count: usize) {
        let found: Vec<u32> = pollster::block_on(async {
            let values = device.upload("x", x).unwrap();
            let indices = device.create("indices", count).unwrap();
            let mut tape = Tape::new(device.kind(), device.max_slice_len(), Mode::Inference);
            largest(&mut tape, &values.slice(0, x.len()), x.len(), count, &indices.slice(0, count));
            replay(device, tape.finish(), &Sizes::default()).await;
            device.read(&indices, 0, count).await.unwrap()
        });
        assert!(found == select::largest(x, count), "{count} of {} on {:?}", x.len(), device.kind());
    }

    #[test]
    fn same_positions_as_on_the_host() {
        let mut random = Random::new(8, 0);
        let gpu = pollster::block_on(Device::open()).unwrap_or_else(|error| panic!("{error}"));
        for device in [Device::reference(), gpu] {
            for (len, count) in [(1, 1), (7, 3), (257, 256), (1000, 16), (40_000, 1), (70_001, 900)] {
                let x: Vec<f32> = (0..len).map(|_| random.normal() as f32).collect();
                check(&device, &x, count);
                // Few distinct magnitudes of both signs: the cut falls into a long run of ties.
                let ties: Vec<f32> = x.iter().map(|x| (2.0 * x).round()).collect();
                check(&device, &ties, count);
            }
            check(&device, &[0.0; 300], 10);
            check(&device, &[1e-40, -2e-40, 0.0, f32::MAX, -f32::MIN_POSITIVE], 4);
        }
    }
}
