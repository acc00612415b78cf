//! Products at tiny, odd and BERT sizes: every design against the reference, gradients against differences.

use super::*;
use crate::gpu::{Device, Sizes};
use crate::ops::testing::{check_op, check_op_gpu, frozen, input};
use crate::tape::Tensor;

fn sizes(tokens: usize) -> Sizes {
    Sizes { tokens, ..Sizes::default() }
}

/// Records as for a GPU, where what follows a product is part of its kernel, or as for the machine itself. The reference
/// device keeps its own design: it has only one.
fn choose_kind(tape: &mut Tape, device: &Device, as_gpu: bool) {
    if as_gpu && device.kind() != AdapterKind::Reference {
        tape.set_kind(AdapterKind::Hardware);
    }
}

/// Forward with everything that can follow it. The gradient belongs to `nn::linear` and is tested there.
fn forward(tokens: usize, n: usize, k: usize, kind: u32, dropout: Option<(u32, f32)>) {
    for as_gpu in [false, true] {
        forward_as(as_gpu, tokens, n, k, kind, dropout);
    }
}

fn forward_as(as_gpu: bool, tokens: usize, n: usize, k: usize, kind: u32, dropout: Option<(u32, f32)>) {
    let sizes = sizes(tokens);
    let inputs = vec![
        frozen(Dim::Tokens, k, &sizes, 1),
        frozen(Dim::Fixed(n), k, &sizes, 2),
        frozen(Dim::Fixed(1), n, &sizes, 3),
        frozen(Dim::Tokens, n, &sizes, 4),
    ];
    check_op_gpu(&sizes, inputs, |tape, device, x| {
        choose_kind(tape, device, as_gpu);
        let shape = Shape { m: Dim::Tokens, n, k: Dim::Fixed(k) };
        let (y, pre) = (tape.output(Dim::Tokens, n, false), tape.scratch(Dim::Tokens, n));
        let epilogue = Epilogue {
            bias: Some(x[2].slice.clone()),
            activation: kind,
            pre: (kind != activation::NONE).then_some(pre),
            dropout,
            residual: Some(x[3].slice.clone()),
        };
        nt(tape, shape, &x[0].slice, &x[1].slice, &y.slice, &epilogue);
        y
    });
}

#[test]
fn forward_at_tiny_odd_and_bert_sizes() {
    for (tokens, n, k) in [(1, 4, 4), (3, 2, 5), (31, 33, 7), (33, 36, 12), (65, 128, 64), (127, 384, 384)] {
        forward(tokens, n, k, activation::NONE, None);
        forward(tokens, n, k, activation::GELU, None);
    }
    forward(33, 36, 12, activation::GELU_TANH, Some((7, 0.3)));
    forward(32, 64, 64, activation::TANH, Some((7, 0.1)));
    forward(17, 8, 36, activation::SILU, None);
    forward(17, 8, 36, activation::RELU, None);
}

/// dx and dw of every design against the reference, from a product of two inputs.
fn backward(as_gpu: bool, tokens: usize, n: usize, k: usize, accumulate: bool) {
    let sizes = sizes(tokens);
    let inputs = || {
        vec![
            frozen(Dim::Tokens, k, &sizes, 1),
            frozen(Dim::Fixed(k), n, &sizes, 2),
            frozen(Dim::Tokens, n, &sizes, 3),
        ]
    };
    check_op_gpu(&sizes, inputs(), |tape, device, x| {
        choose_kind(tape, device, as_gpu);
        let shape = Shape { m: Dim::Tokens, n, k: Dim::Fixed(k) };
        let y = tape.output(Dim::Tokens, n, false);
        tape.clear(&y.slice);
        let act = Some((activation::GELU, &x[2].slice));
        nn(tape, shape, &x[0].slice, &x[1].slice, &y.slice, accumulate, act);
        nn(tape, shape, &x[0].slice, &x[1].slice, &y.slice, accumulate, None);
        y
    });
    check_op_gpu(&sizes, inputs(), |tape, device, x| {
        choose_kind(tape, device, as_gpu);
        let shape = Shape { m: Dim::Fixed(k), n, k: Dim::Tokens };
        let y = tape.output(Dim::Fixed(k), n, false);
        tape.clear(&y.slice);
        tn(tape, shape, 1.0, &x[0].slice, &x[2].slice, &y.slice, accumulate);
        tn(tape, shape, 0.5, &x[0].slice, &x[2].slice, &y.slice, accumulate);
        y
    });
}

#[test]
fn gradients_at_tiny_odd_and_bert_sizes() {
    for (tokens, n, k) in [(1, 4, 4), (3, 2, 5), (31, 33, 7), (33, 36, 12), (65, 16, 128), (130, 128, 64)] {
        for (as_gpu, accumulate) in [(false, false), (false, true), (true, false), (true, true)] {
            backward(as_gpu, tokens, n, k, accumulate);
        }
    }
}

#[test]
fn an_effective_weight_is_written_onto_its_base() {
    for (as_gpu, n) in [(false, 12), (true, 12), (false, 5)] {
        let inputs = vec![
            frozen(Dim::Fixed(9), 4, &sizes(0), 1),
            frozen(Dim::Fixed(4), n, &sizes(0), 2),
            frozen(Dim::Fixed(9), n, &sizes(0), 3),
        ];
        check_op_gpu(&sizes(0), inputs, |tape, device, x| {
            choose_kind(tape, device, as_gpu);
            let out = tape.output(Dim::Fixed(9), n, false);
            let shape = Shape { m: Dim::Fixed(9), n, k: Dim::Fixed(4) };
            nn_onto(tape, shape, &x[0].slice, &x[1].slice, &x[2].slice, 0.5, &out.slice);
            out
        });
    }
}

#[test]
fn rank_factors() {
    for (tokens, n, k) in [(1, 4, 8), (37, 8, 64), (65, 16, 36), (33, 3, 10)] {
        for factor in [Factor::Rows, Factor::Columns] {
            let sizes = sizes(tokens);
            let inputs = vec![frozen(Dim::Tokens, k, &sizes, 1), frozen(Dim::Fixed(n), k, &sizes, 2)];
            check_op_gpu(&sizes, inputs, |tape, _, x| {
                let shape = Shape { m: Dim::Tokens, n, k: Dim::Fixed(k) };
                let z = tape.output(Dim::Tokens, n, false);
                skinny(tape, shape, &x[0].slice, &x[1].slice, factor, &z.slice);
                z
            });
        }
    }
}

#[test]
fn every_design_computes_the_same() {
    for kind in [AdapterKind::Hardware, AdapterKind::Software] {
        let sizes = sizes(45);
        let inputs = vec![frozen(Dim::Tokens, 36, &sizes, 1), frozen(Dim::Fixed(36), 72, &sizes, 2)];
        check_op_gpu(&sizes, inputs, |tape, device: &Device, x: &[Tensor]| {
            if device.kind() != AdapterKind::Reference {
                tape.set_kind(kind);
            }
            let (y, z) = (tape.output(Dim::Tokens, 72, false), tape.scratch(Dim::Tokens, 36));
            let shape = |n, k| Shape { m: Dim::Tokens, n, k: Dim::Fixed(k) };
            nn(tape, shape(72, 36), &x[0].slice, &x[1].slice, &y.slice, false, None);
            // Through the weight and back: both products and the factor form.
            let turned = tape.scratch(36, 72);
            tn(
                tape,
                Shape { m: Dim::Fixed(36), n: 72, k: Dim::Tokens },
                0.1,
                &x[0].slice,
                &y.slice,
                &turned,
                false,
            );
            nt(tape, shape(36, 72), &y.slice, &turned, &z, &Epilogue::default());
            skinny(tape, shape(72, 36), &z, &x[1].slice, Factor::Columns, &y.slice);
            y
        });
    }
}

#[test]
fn linear_maps_have_the_gradients_of_their_differences() {
    use crate::nn::linear::{After, Linear};
    for kind in activation::NONE..=activation::RELU {
        let sizes = sizes(5);
        let inputs = vec![
            input(Dim::Tokens, 8, &sizes, 1),
            input(Dim::Fixed(4), 8, &sizes, 2),
            input(Dim::Fixed(1), 4, &sizes, 3),
            input(Dim::Fixed(8), 4, &sizes, 4),
            input(Dim::Fixed(1), 8, &sizes, 5),
        ];
        check_op(&sizes, inputs, |tape, _, x| {
            let (up, down) =
                (Linear::tied("up", &x[1], Some(&x[2])), Linear::tied("down", &x[3], Some(&x[4])));
            let hidden = up.forward(tape, &x[0], After { activation: kind, ..After::default() });
            let onto = After { dropout: 0.25, residual: Some(&x[0]), ..After::default() };
            down.forward(tape, &hidden, onto)
        });
    }
}
