//! Moves chosen entries between residual and sparse part, the S-step of GreBsmo (`dsee-method` 2.2) in place.
//!
//! With d = W − S and r = W − U V, an entry joins S by `d ← W − r; r ← 0` and leaves it by `d ← W`.

use crate::gpu::kernel::{read, uint, write};
use crate::gpu::{Extent, Kernel, ReferenceCall, Slice};
use crate::tape::Tape;
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&OMEGA_EXCHANGE];

/// `d[i] = w[i] − r[i]; r[i] = 0`, or with RESTORE `d[i] = w[i]`, at the chosen entries
pub static OMEGA_EXCHANGE: Kernel = Kernel {
    name: "omega_exchange",
    source: wgsl!("omega_exchange", "common/grid"),
    params: &[uint("len")],
    bindings: &[read("indices"), read("w"), write("d"), write("r")],
    reference,
};

/// The matrices of a search, all (d_out, d_in), and the chosen positions.
#[derive(Clone, Debug)]
pub struct Parts {
    /// W.
    pub w: Slice,
    /// W − S.
    pub d: Slice,
    /// W − U V, later W − U V − S.
    pub r: Slice,
    /// Flat positions, (len).
    pub indices: Slice,
    /// Number of positions.
    pub len: usize,
}

/// Takes the chosen entries out of S.
pub fn leave_sparse(tape: &mut Tape, parts: &Parts) {
    exchange(tape, parts, true);
}

/// Puts the chosen entries of the residual into S.
pub fn join_sparse(tape: &mut Tape, parts: &Parts) {
    exchange(tape, parts, false);
}

fn exchange(tape: &mut Tape, parts: &Parts, restore: bool) {
    let buffers = [&parts.indices, &parts.w, &parts.d, &parts.r];
    let grid = super::elementwise(Extent::new(parts.len, 1));
    let constants = [("RESTORE", restore.into())];
    tape.dispatch(&OMEGA_EXCHANGE, &constants, &[("len", parts.len.into())], &buffers, grid);
}

fn reference(call: &mut ReferenceCall<'_>) {
    let (len, restore) = (call.uint("len"), call.flag("RESTORE"));
    let (indices, w, r) = (call.uints("indices"), call.floats("w"), call.floats("r"));
    let chosen = || indices[..len].iter().map(|&i| i as usize);
    call.update("d", |d| chosen().for_each(|i| d[i] = if restore { w[i] } else { w[i] - r[i] }));
    if !restore {
        call.update("r", |r| chosen().for_each(|i| r[i] = 0.0));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::super::testing::replay;
    use super::*;
    use crate::gpu::{Device, Sizes};
    use crate::tape::Mode;

    #[test]
    fn entries_join_and_leave() {
        let gpu = pollster::block_on(Device::open()).unwrap_or_else(|error| panic!("{error}"));
        for device in [Device::reference(), gpu] {
            let run = |record: fn(&mut Tape, &Parts)| {
                pollster::block_on(async {
                    let w = device.upload("w", &[1.0f32, 2.0, 3.0, 4.0, 5.0]).unwrap();
                    let d = device.upload("d", &[-1.0f32; 5]).unwrap();
                    let r = device.upload("r", &[0.5f32; 5]).unwrap();
                    let indices = device.upload("indices", &[1u32, 4]).unwrap();
                    let parts = Parts {
                        w: w.slice(0, 5),
                        d: d.slice(0, 5),
                        r: r.slice(0, 5),
                        indices: indices.slice(0, 2),
                        len: 2,
                    };
                    let mut tape = Tape::new(device.kind(), device.max_slice_len(), Mode::Inference);
                    record(&mut tape, &parts);
                    replay(&device, tape.finish(), &Sizes::default()).await;
                    let (d, r) = (device.read::<f32>(&d, 0, 5).await, device.read::<f32>(&r, 0, 5).await);
                    (d.unwrap(), r.unwrap())
                })
            };
            let (d, r) = run(join_sparse);
            assert_eq!((d, r), (vec![-1.0, 1.5, -1.0, -1.0, 4.5], vec![0.5, 0.0, 0.5, 0.5, 0.0]));
            let (d, r) = run(leave_sparse);
            assert_eq!((d, r), (vec![-1.0, 2.0, -1.0, -1.0, 5.0], vec![0.5; 5]));
        }
    }
}
