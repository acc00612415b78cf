//! What scripts about the engine send again and again, and how they look into its answers.

use dsee_core::builtin;
use dsee_core::engine::service::{Reply, Request};
use dsee_core::protocol::{Command, Event, Predicted, Problem, RunEvent, Settings, TextInput, Variant};
use dsee_core::source::NamedBytes;

use crate::script::request;

/// A short run on few examples that evaluates at its end, with the given settings over it.
#[must_use]
pub fn settings(changes: &[(&str, &str)]) -> Settings {
    let short = [
        ("max_train_samples", "64"),
        ("max_eval_samples", "32"),
        ("max_length", "64"),
        ("max_steps", "6"),
        ("logging_steps", "1"),
        ("rank", "4"),
        ("eval_strategy", "no"),
        ("save_strategy", "no"),
    ];
    let all = short.iter().chain(changes);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Loads the embedded model and data, read as [`settings`] say.
#[must_use]
pub fn load() -> Vec<Request> {
    let data = Command::LoadData { settings: settings(&[]) };
    vec![request(Command::LoadModel { name: String::new() }), request(data)]
}

/// Settings of runs over the embedded meanings.
pub const MEANINGS: (&str, &str) = ("task_type", "generation");

/// Loads the embedded decoder and the meanings it is for.
#[must_use]
pub fn load_decoder() -> Vec<Request> {
    let data = Command::LoadData { settings: settings(&[MEANINGS]) };
    vec![request(Command::LoadModel { name: builtin::DECODER_NAME.to_owned() }), request(data)]
}

/// Starts run 1.
#[must_use]
pub fn start(changes: &[(&str, &str)]) -> Request {
    request(Command::Start { run: 1, settings: settings(changes), paused: false })
}

/// What runs told, in order.
#[must_use]
pub fn run_events(replies: &[Reply]) -> Vec<&RunEvent> {
    replies
        .iter()
        .filter_map(|reply| match &reply.event {
            Event::Run { event, .. } => Some(event),
            _ => None,
        })
        .collect()
}

/// Phase, step and bits of the loss of every report.
#[must_use]
pub fn losses<'a>(events: impl IntoIterator<Item = &'a RunEvent>) -> Vec<(String, usize, u64)> {
    let report = |event: &RunEvent| match event {
        RunEvent::Progress(report) => Some((report.phase.to_string(), report.step, report.loss.to_bits())),
        _ => None,
    };
    events.into_iter().filter_map(report).collect()
}

/// The problems of the only rejection.
#[must_use]
pub fn rejected(replies: &[Reply]) -> &[Problem] {
    let mut rejections = replies.iter().filter_map(|reply| match &reply.event {
        Event::Rejected { problems, .. } => Some(problems.as_slice()),
        _ => None,
    });
    let problems = rejections.next().unwrap_or_else(|| panic!("nothing was rejected: {replies:?}"));
    assert!(rejections.next().is_none());
    assert!(!problems.is_empty());
    problems
}

/// The sentences of all problems.
#[must_use]
pub fn texts(problems: &[Problem]) -> String {
    problems.iter().map(|problem| problem.text.clone() + "\n").collect()
}

/// The files of a checkpoint that was handed out.
#[must_use]
pub fn saved_state(reply: &Reply) -> Vec<NamedBytes> {
    assert!(matches!(reply.event, Event::CheckpointSaved { .. }), "{:?}", reply.event);
    reply.attachments.clone()
}

/// Has two sentences judged.
#[must_use]
pub fn predict(request_id: u64, heads_off: &[(usize, &[usize])]) -> Request {
    let input = |text: &str| TextInput { text: text.to_owned(), text_pair: None };
    let texts = ["It was not good.", "A warm and friendly place."].map(input).to_vec();
    let heads_off = heads_off.iter().map(|(layer, heads)| (*layer, heads.to_vec())).collect();
    request(Command::Predict { request: request_id, texts, heads_off })
}

/// The answer to request `id`.
#[must_use]
pub fn predicted(replies: &[Reply], id: u64) -> &Predicted {
    let found = replies.iter().find_map(|reply| match &reply.event {
        Event::Predicted(predicted) if predicted.request == id => Some(predicted),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no answer to request {id}"))
}

/// The states that judged, each with probabilities that add up to one.
#[must_use]
pub fn variants(predicted: &Predicted) -> Vec<Variant> {
    for prediction in &predicted.predictions {
        for scores in &prediction.scores {
            assert!((scores.values.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{scores:?}");
        }
    }
    predicted.predictions[0].scores.iter().map(|scores| scores.variant).collect()
}
