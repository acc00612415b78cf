//! Gradients by differences, the GPU against the reference, and a prefix against the same keys written out.

use super::super::testing::{Input, assert_close, check_op, check_op_gpu, input, run};
use super::*;
use crate::gpu::{Device, Sizes};

/// Who asks whom.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asking {
    /// All tokens ask all tokens of their sequence.
    All,
    /// The first token of each sequence asks all tokens of it.
    First,
    /// All tokens ask those up to themselves.
    Causal,
}

fn pairing(device: &Device, lengths: &[u32], asking: Asking) -> Pairing {
    let (mut ranges, mut key_ranges, mut start) = (Vec::new(), Vec::new(), 0);
    for (b, &length) in lengths.iter().enumerate() {
        let end = start + length;
        let first_only = asking == Asking::First;
        let queries = if first_only { b as u32..b as u32 + 1 } else { start..end };
        for query in queries.clone() {
            ranges.extend([start, if asking == Asking::Causal { query + 1 } else { end }]);
        }
        for key in start..end {
            let first = if asking == Asking::Causal { key } else { queries.start };
            key_ranges.extend([first, queries.end, start, 0]);
        }
        start = end;
    }
    Pairing {
        ranges: device.upload("ranges", &ranges).unwrap().slice(0, ranges.len()),
        key_ranges: device.upload("key_ranges", &key_ranges).unwrap().slice(0, key_ranges.len()),
        key_stride: 64,
    }
}

fn case(
    lengths: &'static [u32],
    n_heads: usize,
    head_size: usize,
    dropout: f32,
    asking: Asking,
    n_prefix: usize,
    differences: bool,
) {
    let tokens = lengths.iter().sum::<u32>() as usize;
    let sizes = Sizes { tokens, sequences: lengths.len(), targets: 0 };
    let rows = if asking == Asking::First { Dim::Sequences } else { Dim::Tokens };
    let keys = if n_prefix > 0 { Dim::Keys(n_prefix) } else { Dim::Tokens };
    let inputs = vec![
        input(rows, n_heads * head_size, &sizes, 1),
        input(keys, n_heads * head_size, &sizes, 2),
        input(keys, n_heads * head_size, &sizes, 3),
    ];
    let op = move |tape: &mut Tape, device: &Device, x: &[Tensor]| {
        let pairing = pairing(device, lengths, asking);
        attention(tape, &x[0], &x[1], &x[2], &pairing, Heads { n_heads, head_size, dropout })
    };
    if differences { check_op(&sizes, inputs, op) } else { check_op_gpu(&sizes, inputs, op) }
}

#[test]
fn packed_sequences_of_unequal_length() {
    case(&[3, 1, 5], 2, 4, 0.0, Asking::All, 0, true);
}

#[test]
fn dropout_uses_the_same_mask_on_the_way_back() {
    case(&[4, 2, 3], 2, 4, 0.3, Asking::All, 0, true);
}

#[test]
fn only_first_tokens_ask() {
    case(&[3, 1, 5], 1, 8, 0.2, Asking::First, 0, true);
}

#[test]
fn gpu_at_bert_shape() {
    case(&[17, 64, 2, 33], 12, 64, 0.1, Asking::All, 0, false);
}

#[test]
fn a_token_sees_no_later_one() {
    case(&[3, 1, 5], 2, 4, 0.0, Asking::Causal, 0, true);
    case(&[3, 1, 5], 2, 4, 0.3, Asking::Causal, 0, true);
    case(&[17, 64, 2, 33], 12, 64, 0.1, Asking::Causal, 0, false);
}

#[test]
fn all_rows_meet_the_prefix_before_their_own_keys() {
    for asking in [Asking::All, Asking::First, Asking::Causal] {
        case(&[3, 1, 5], 2, 4, 0.0, asking, 2, true);
        case(&[3, 1, 5], 2, 4, 0.3, asking, 1, true);
    }
    case(&[17, 64, 2, 33], 12, 64, 0.1, Asking::All, 20, false);
}

#[test]
fn a_prefix_is_as_if_every_sequence_began_with_it() {
    const LENGTHS: [u32; 2] = [2, 3];
    let sizes = Sizes { tokens: 5, sequences: 2, targets: 0 };
    let keys = [2, 3].map(|seed| input(Dim::Keys(1), 8, &sizes, seed));
    let queries = || input(Dim::Tokens, 8, &sizes, 1);
    let heads = Heads { n_heads: 2, head_size: 4, dropout: 0.0 };
    let [k, v] = keys.each_ref().map(|x| Input { data: x.data.clone(), ..*x });
    let prefixed = run(&Device::reference(), &sizes, &[queries(), k, v], &|tape, device, x| {
        attention(tape, &x[0], &x[1], &x[2], &pairing(device, &LENGTHS, Asking::All), heads)
    });
    // The same keys written out: the prefix once for each sequence, then its tokens.
    let long = Sizes { tokens: 7, ..sizes };
    let written = keys.map(|x| {
        let row = |i: usize| &x.data[i * 8..][..8];
        let data = [0, 1, 2, 0, 3, 4, 5].map(row).concat();
        Input { data, rows: Dim::Fixed(7), ..x }
    });
    let [k, v] = written;
    let plain = run(
        &Device::reference(),
        &long,
        &[Input { rows: Dim::Fixed(5), ..queries() }, k, v],
        &|tape, device, x| {
            let ranges: Vec<u32> = vec![0, 3, 0, 3, 3, 7, 3, 7, 3, 7];
            let key_ranges = [[0, 2, 0, 0], [2, 5, 3, 0]];
            let key_ranges: Vec<u32> = (0..7).flat_map(|key| key_ranges[usize::from(key >= 3)]).collect();
            let pairing = Pairing {
                ranges: device.upload("ranges", &ranges).unwrap().slice(0, 10),
                key_ranges: device.upload("key_ranges", &key_ranges).unwrap().slice(0, 28),
                key_stride: 64,
            };
            attention(tape, &x[0], &x[1], &x[2], &pairing, heads)
        },
    );
    assert_close("output", &prefixed.output, &plain.output, 1e-6);
}

#[test]
fn heads_of_sizes_that_are_no_multiples_of_four() {
    case(&[3, 1, 5], 2, 1, 0.0, Asking::All, 0, true);
    case(&[4, 2, 3], 2, 3, 0.3, Asking::Causal, 1, true);
    case(&[3, 1, 5], 1, 26, 0.2, Asking::First, 0, true);
    case(&[17, 64, 2, 33], 12, 26, 0.1, Asking::All, 0, false);
}
