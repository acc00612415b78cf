//! Rows picked from a table by number: embeddings, and single rows of activations.
//!
//! `out[t, :] = table[ids[t], :]`. A table larger than a binding is given as several parts of consecutive rows.
//! Backward adds the rows back: `d_table[ids[t], :] += d_out[t, :]`, following links between equal numbers
//! ([`links`]) because WGSL has no floating-point atomics.

use crate::gpu::kernel::{read, uint, write};
use crate::gpu::{Dim, Kernel, ReferenceCall, Slice, Value};
use crate::tape::{Tape, Tensor};
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[&GATHER_ROWS, &SCATTER_ROWS];

/// `out[t, :] (+)= table[ids[t] − table_start, :]`
pub static GATHER_ROWS: Kernel = Kernel {
    name: "gather_rows",
    source: wgsl!("gather_rows", "common/grid"),
    params: &[uint("rows"), uint("cols"), uint("table_start"), uint("table_rows")],
    bindings: &[read("table"), read("ids"), write("out")],
    reference: reference::gather,
};

/// `d_table[ids[t] − table_start, :] += d_out[t, :]`
pub static SCATTER_ROWS: Kernel = Kernel {
    name: "scatter_rows",
    source: wgsl!("scatter_rows", "common/grid"),
    params: &[uint("rows"), uint("cols"), uint("table_start"), uint("table_rows")],
    bindings: &[read("d_out"), read("ids"), read("links"), write("d_table")],
    reference: reference::scatter,
};

/// Row numbers on the device, with the links that backward follows.
#[derive(Clone, Debug)]
pub struct RowNumbers {
    /// (rows) numbers.
    pub ids: Slice,
    /// (rows, 2) links, see [`links`].
    pub links: Slice,
    /// How many there are.
    pub rows: Dim,
}

/// For every position: 1 if it is the first with its number else 0, and the next position with the same number or
/// `u32::MAX`.
#[must_use]
pub fn links(ids: &[u32]) -> Vec<u32> {
    let mut last = std::collections::BTreeMap::new();
    let mut links = vec![0; ids.len() * 2];
    for (position, id) in ids.iter().enumerate() {
        links[position * 2 + 1] = u32::MAX;
        match last.insert(*id, position) {
            None => links[position * 2] = 1,
            Some(previous) => links[previous * 2 + 1] = position as u32,
        }
    }
    links
}

/// Sum of the picked rows of several tables, each with its own numbers, (rows, cols).
///
/// Each table is a list of parts with consecutive rows. The first table must consist of one part.
pub fn gather_sum(tape: &mut Tape, tables: &[(&[Tensor], RowNumbers)]) -> Tensor {
    let Some(((first, _), numbers)) = tables.first().map(|table| (table.0.split_at(1), &table.1)) else {
        unreachable!("a sum has at least one table")
    };
    let (rows, cols) = (numbers.rows, first[0].cols);
    let requires_grad = tables.iter().any(|(parts, _)| parts.iter().any(|part| part.requires_grad));
    let out = tape.output(rows, cols, requires_grad);
    for (i, (parts, numbers)) in tables.iter().enumerate() {
        let mut start = 0;
        for (j, part) in parts.iter().enumerate() {
            let accumulate = i + j > 0;
            let buffers = [&part.slice, &numbers.ids, &out.slice];
            let constants = [("ACCUMULATE", accumulate.into())];
            let params = table_params(rows, cols, start, part);
            tape.dispatch(&GATHER_ROWS, &constants, &params, &buffers, super::elementwise(out.len()));
            start += row_count(part);
        }
    }
    let tables: Vec<(Vec<Tensor>, RowNumbers)> =
        tables.iter().map(|(parts, numbers)| (parts.to_vec(), numbers.clone())).collect();
    let y = out.clone();
    tape.on_backward(move |tape| {
        let Some(d_out) = tape.gradient(&y) else { return };
        for (parts, numbers) in &tables {
            let mut start = 0;
            for part in parts {
                scatter(tape, &d_out, numbers, part, start, y.len());
                start += row_count(part);
            }
        }
    });
    out
}

/// Rows of an activation, for example the first token of every sequence: (numbers.rows, cols).
pub fn gather_rows(tape: &mut Tape, x: &Tensor, numbers: &RowNumbers) -> Tensor {
    gather_sum(tape, &[(std::slice::from_ref(x), numbers.clone())])
}

fn scatter(
    tape: &mut Tape,
    d_out: &Slice,
    numbers: &RowNumbers,
    part: &Tensor,
    start: usize,
    len: crate::gpu::Extent,
) {
    let Some(target) = tape.grad_target_cleared(part) else { return };
    let buffers = [d_out, &numbers.ids, &numbers.links, &target.slice];
    let params = table_params(numbers.rows, part.cols, start, part);
    tape.dispatch(&SCATTER_ROWS, &[], &params, &buffers, super::elementwise(len));
}

fn row_count(part: &Tensor) -> usize {
    match part.rows {
        Dim::Fixed(rows) => rows,
        // Only the last part may follow the batch; nothing starts after it.
        _ => 0,
    }
}

fn table_params(rows: Dim, cols: usize, start: usize, part: &Tensor) -> [(&'static str, Value); 4] {
    [
        ("rows", rows.into()),
        ("cols", cols.into()),
        ("table_start", start.into()),
        ("table_rows", part.rows.into()),
    ]
}

mod reference {
    use super::ReferenceCall;

    pub fn gather(call: &mut ReferenceCall<'_>) {
        let (rows, cols) = (call.uint("rows"), call.uint("cols"));
        let (start, table_rows) = (call.uint("table_start"), call.uint("table_rows"));
        let (table, ids, accumulate) = (call.floats("table"), call.uints("ids"), call.flag("ACCUMULATE"));
        call.update("out", |out| {
            for t in 0..rows {
                let id = (ids[t] as usize).wrapping_sub(start);
                for c in 0..cols {
                    let value = if id < table_rows { table[id * cols + c] } else { 0.0 };
                    let out = &mut out[t * cols + c];
                    *out = if accumulate { *out + value } else { value };
                }
            }
        });
    }

    pub fn scatter(call: &mut ReferenceCall<'_>) {
        let (rows, cols) = (call.uint("rows"), call.uint("cols"));
        let (start, table_rows) = (call.uint("table_start"), call.uint("table_rows"));
        let (d_out, ids) = (call.floats("d_out"), call.uints("ids"));
        call.update("d_table", |d_table| {
            for t in 0..rows {
                let id = (ids[t] as usize).wrapping_sub(start);
                if id < table_rows {
                    for c in 0..cols {
                        d_table[id * cols + c] += d_out[t * cols + c];
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_op, input};
    use super::*;
    use crate::gpu::{Device, Sizes};

    fn numbers(device: &Device, ids: &[u32], rows: Dim) -> RowNumbers {
        RowNumbers {
            ids: device.upload("ids", ids).unwrap().slice(0, ids.len()),
            links: device.upload("links", &links(ids)).unwrap().slice(0, ids.len() * 2),
            rows,
        }
    }

    #[test]
    fn links_chain_equal_numbers() {
        const END: u32 = u32::MAX;
        assert_eq!(links(&[5, 2, 5, 5]), [1, 2, 1, END, 0, 3, 0, END]);
    }

    #[test]
    fn a_split_table_gives_the_same_rows() {
        // Positions (one part) plus words in two parts: 3 + 4 rows.
        let sizes = Sizes { tokens: 9, ..Sizes::default() };
        let inputs = vec![
            input(Dim::Fixed(4), 5, &sizes, 1),
            input(Dim::Fixed(3), 5, &sizes, 2),
            input(Dim::Fixed(4), 5, &sizes, 3),
        ];
        check_op(&sizes, inputs, |tape, device, x| {
            let positions = numbers(device, &[0, 1, 2, 3, 0, 1, 0, 1, 2], Dim::Tokens);
            let words = numbers(device, &[6, 0, 2, 3, 6, 6, 5, 0, 1], Dim::Tokens);
            gather_sum(tape, &[(&x[..1], positions), (&x[1..], words)])
        });
    }

    #[test]
    fn rows_of_an_activation() {
        let sizes = Sizes { tokens: 7, sequences: 3, ..Sizes::default() };
        check_op(&sizes, vec![input(Dim::Tokens, 6, &sizes, 4)], |tape, device, x| {
            let first = numbers(device, &[0, 2, 5], Dim::Sequences);
            gather_rows(tape, &x[0], &first)
        });
    }
}
