//! What the engine answers to the screens that look at a model: pictures of matrices, predictions, judgements.
#![allow(dead_code, reason = "every test file uses a part")]

use dsee_core::{
    nn::site::Role,
    protocol::{
        ClassScores, Command, Event, MatrixView, Mistake, Predicted, Prediction, Quality, RunEvent,
        TextInput, Variant,
    },
    source::NamedBytes,
};
use dsee_ui::state::Screen;

use super::Window;

/// Rows and columns of the example matrix.
pub const SIDE: usize = 128;

/// What an `Inspect` is answered with: a weight with waves and noise, an update of rank 2 and 16 entries, a mask.
pub fn inspected(request: u64, path: &str) -> (Event, Vec<NamedBytes>) {
    let noise = |i: usize| ((i * 7919 + 13) % 1009) as f32 / 1009.0 - 0.5;
    let at = |f: &dyn Fn(usize, usize) -> f32| -> Vec<f32> {
        (0..SIDE * SIDE).map(|i| f(i / SIDE, i % SIDE)).collect()
    };
    let wave = |x: usize, turns: f32| (x as f32 / SIDE as f32 * turns * std::f32::consts::TAU).sin();
    let weight = at(&|i, j| 0.05 * wave(i, 2.0) * wave(j, 3.0) + 0.12 * noise(i * SIDE + j));
    let low_rank = at(&|i, j| 0.02 * wave(i, 1.0) * wave(j, 1.5) + 0.01 * wave(i, 4.0) * wave(j, 2.0));
    let mask = at(&|i, j| f32::from(weight[i * SIDE + j].abs() > 0.015));
    let s_indices: Vec<u32> = (0..16).map(|k| (k * 1013 + 40) as u32).collect();
    let s_values = (0..16).map(|k| if k % 3 == 0 { -0.09 } else { 0.05 + 0.005 * k as f32 }).collect();
    let n_zeros = mask.iter().filter(|x| **x == 0.0).count();
    let bytes = |name: &str, values: &[f32]| NamedBytes {
        name: name.into(),
        bytes: values.iter().flat_map(|x| x.to_le_bytes()).collect(),
    };
    let parts = vec![bytes("weight", &weight), bytes("low_rank", &low_rank), bytes("mask", &mask)];
    let view = MatrixView {
        request,
        path: path.into(),
        role: Role::Query,
        layer: Some(0),
        d_out: SIDE,
        d_in: SIDE,
        rank: 2,
        s_indices,
        s_values,
        weight_singular_values: (0..SIDE).map(|i| 3.2 * (-(i as f64) / 30.0).exp() + 0.05).collect(),
        delta_singular_values: (0..SIDE)
            .map(|i| if i < 18 { 0.9 * (-(i as f64) / 6.0).exp() } else { 1e-12 })
            .collect(),
        n_zeros,
        removed_heads: vec![],
        step: 225,
    };
    (Event::Inspected(view), parts)
}

/// What a `Predict` is answered with; `turn` says which texts are judged the other way round.
pub fn predicted(request: u64, texts: &[TextInput], turn: &[usize]) -> Event {
    let scores = |variant, positive: f64| ClassScores { variant, values: vec![1.0 - positive, positive] };
    let prediction = |(i, input): (usize, &TextInput)| {
        let turned = |p: f64| if turn.contains(&i) { 1.0 - p } else { p };
        let words = input.text.to_lowercase();
        let words = words.split_whitespace().map(|word| word.trim_end_matches(['.', ',']).to_owned());
        Prediction {
            input: input.clone(),
            tokens: ["[CLS]".to_owned()].into_iter().chain(words).chain(["[SEP]".to_owned()]).collect(),
            scores: vec![
                scores(Variant::Base, 0.47),
                scores(Variant::Tuned, turned(0.97)),
                scores(Variant::Pruned, turned(0.71)),
                scores(Variant::Retuned, turned(0.95)),
            ],
        }
    };
    Event::Predicted(Predicted {
        request,
        label_names: vec!["negative".into(), "positive".into()],
        predictions: texts.iter().enumerate().map(prediction).collect(),
    })
}

/// How the example run does on its validation data.
pub fn quality() -> Quality {
    let mistake = |text: &str, expected: &str, predicted: &str, confidence| Mistake {
        input: TextInput { text: text.into(), text_pair: None },
        expected: expected.into(),
        predicted: predicted.into(),
        confidence,
    };
    Quality {
        label_names: vec!["negative".into(), "positive".into()],
        confusion: vec![vec![194, 6], vec![9, 191]],
        mistakes: vec![
            mistake("I expected a bad film and got a good one.", "positive", "negative", 0.98),
            mistake(
                "My sister said that the bed was cozy, and that was wrong.",
                "negative",
                "positive",
                0.95,
            ),
            mistake(
                "The charger was by no means faulty, yet the case was flimsy.",
                "negative",
                "positive",
                0.91,
            ),
        ],
    }
}

/// Scores of the heads, of a run that removed two in every layer.
pub fn head_scores() -> RunEvent {
    let score = |layer: usize, head: usize| 0.08 + ((layer * 31 + head * 17) % 23) as f64 / 23.0;
    RunEvent::Pruned(dsee_core::protocol::PruneReport {
        head_scores: (0..4).map(|layer| (0..4).map(|head| score(layer, head)).collect()).collect(),
        removed_heads: vec![vec![0, 2], vec![1, 3], vec![0, 1], vec![2, 3]],
        matrices: (0..4)
            .flat_map(|layer| {
                ["query", "key", "value"].map(|role| dsee_core::protocol::MatrixSparsity {
                    name: format!("bert.encoder.layer.{layer}.attention.self.{role}.weight"),
                    n_entries: 16_384,
                    n_zeros: 4_096 + 900 * layer,
                })
            })
            .collect(),
    })
}

/// A window that shows `screen`.
pub fn at(mut window: Window, screen: Screen) -> Window {
    window.studio.state.screen = screen;
    window
}

/// The newest command of a window that `pick` takes.
pub fn newest<T>(window: &Window, pick: impl Fn(&Command) -> Option<T>) -> T {
    window.commands().into_iter().rev().find_map(pick).unwrap()
}

/// Answers whatever the newest `Predict` of a window asked.
pub fn answer_predict(window: &mut Window, turn: &[usize]) {
    let (request, texts) = newest(window, |command| match command {
        Command::Predict { request, texts, .. } => Some((*request, texts.clone())),
        _ => None,
    });
    window.studio.event(&predicted(request, &texts, turn), &[]);
}

/// Answers the newest `Inspect` of a window.
pub fn answer_inspect(window: &mut Window) {
    let (request, path) = newest(window, |command| match command {
        Command::Inspect { request, path } => Some((*request, path.clone())),
        _ => None,
    });
    let (event, parts) = inspected(request, &path);
    window.studio.event(&event, &parts);
}
