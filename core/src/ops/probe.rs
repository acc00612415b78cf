//! Kernels that measure the adapter itself: arithmetic, memory, and the cost of a dispatch. The bench compares every
//! other kernel with them.

use crate::gpu::kernel::{float, read, uint, write};
use crate::gpu::{Extent, Grid, Kernel, Slice};
use crate::tape::Tape;
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&FMA, &COPY, &EMPTY];

/// Nothing but multiply-adds.
pub static FMA: Kernel = Kernel {
    name: "bench_fma",
    source: wgsl!("bench_fma", "common/grid"),
    params: &[uint("len"), uint("rounds")],
    bindings: &[write("out")],
    reference: reference::fma,
};

/// `y = x`
pub static COPY: Kernel = Kernel {
    name: "bench_copy",
    source: wgsl!("bench_copy", "common/grid"),
    params: &[uint("len")],
    bindings: &[read("x"), write("y")],
    reference: reference::copy,
};

/// Next to nothing.
pub static EMPTY: Kernel = Kernel {
    name: "bench_empty",
    source: wgsl!("bench_empty"),
    params: &[float("amount")],
    bindings: &[write("total")],
    reference: reference::empty,
};

/// Multiply-adds of each chain in a round.
const FMA_DEPTH: usize = 16;

/// Floating-point operations of one round of one invocation of [`fma`]: 8 chains, 2 operations to a multiply-add.
pub const FMA_FLOP: usize = 8 * FMA_DEPTH * 2;

/// `rounds` rounds of multiply-adds by every one of `invocations`; `out` (invocations, 4) keeps the results.
pub fn fma(tape: &mut Tape, invocations: usize, rounds: usize, out: &Slice) {
    let params = [("len", invocations.into()), ("rounds", rounds.into())];
    tape.dispatch(&FMA, &[], &params, &[out], super::elementwise(Extent::new(invocations, 1)));
}

/// Copies `len` numbers, a multiple of four, through a kernel.
pub fn copy(tape: &mut Tape, len: usize, x: &Slice, y: &Slice) {
    assert_eq!(len % 4, 0, "the copy moves four numbers at a time");
    let grid = super::elementwise(Extent::new(len / 4, 1));
    tape.dispatch(&COPY, &[], &[("len", (len / 4).into())], &[x, y], grid);
}

/// Adds 1 to `total` (1).
pub fn empty(tape: &mut Tape, total: &Slice) {
    let grid = Grid::Linear { items: Extent::new(1, 1), per_workgroup: 1 };
    tape.dispatch(&EMPTY, &[], &[("amount", 1.0f32.into())], &[total], grid);
}

mod reference {
    use crate::gpu::ReferenceCall;

    pub fn fma(call: &mut ReferenceCall<'_>) {
        let (len, rounds) = (call.uint("len"), call.uint("rounds"));
        let steps = rounds * super::FMA_DEPTH;
        let chain = |i: usize, c: usize| {
            let start = (i % 64) as f32 / 64.0;
            (0..steps).fold(start + c as f32, |x, _| x.mul_add(0.5 + start / 4.0, 0.25))
        };
        call.update("out", |out| {
            (0..len * 4).for_each(|at| out[at] = chain(at / 4, at % 4) + chain(at / 4, at % 4 + 4));
        });
    }

    pub fn copy(call: &mut ReferenceCall<'_>) {
        let (len, x) = (call.uint("len") * 4, call.floats("x"));
        call.update("y", |y| y[..len].copy_from_slice(&x[..len]));
    }

    pub fn empty(call: &mut ReferenceCall<'_>) {
        let amount = call.float("amount");
        call.update("total", |total| total[0] += amount);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_op_gpu, frozen};
    use super::*;
    use crate::gpu::{Dim, Sizes};

    #[test]
    fn the_gpu_does_the_work_it_is_measured_by() {
        let sizes = Sizes { tokens: 67, ..Sizes::default() };
        let input = || vec![frozen(Dim::Tokens, 4, &sizes, 1)];
        check_op_gpu(&sizes, input(), |tape, _, _| {
            let y = tape.output(Dim::Tokens, 4, false);
            fma(tape, 67, 9, &y.slice);
            y
        });
        check_op_gpu(&sizes, input(), |tape, _, x| {
            let y = tape.output(Dim::Tokens, 4, false);
            copy(tape, 67 * 4, &x[0].slice, &y.slice);
            y
        });
    }

    #[test]
    fn empty_dispatches_are_all_counted() {
        let sizes = Sizes { tokens: 1, ..Sizes::default() };
        check_op_gpu(&sizes, vec![frozen(Dim::Tokens, 1, &sizes, 1)], |tape, _, _| {
            let y = tape.output(Dim::Tokens, 1, false);
            tape.clear(&y.slice);
            (0..1000).for_each(|_| empty(tape, &y.slice));
            y
        });
    }
}
