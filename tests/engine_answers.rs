//! Answers of the engine that take longer, and what a run that goes on still knows of itself. Needs an adapter; a software
//! adapter is enough.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use dsee_core::engine::service::Reply;
use dsee_core::protocol::{Command, Event, ExportFormat, Predicted, RunEvent, Variant};
use dsee_tests::asking::{
    load, losses, predict, predicted, rejected, run_events, saved_state, settings, start, texts, variants,
};
use dsee_tests::script::{play, request, with_files};

#[test]
fn shorter_gpu_work_gives_the_same_bits() {
    let mut first = load();
    first.push(start(&[]));
    let usual = play(first, |_| Vec::new());
    let mut first = load();
    first.insert(0, request(Command::SetGpuTarget { target_ms: 0.5 }));
    first.push(start(&[]));
    let paced = play(first, |_| Vec::new());
    assert!(paced.iter().any(|reply| reply.event == Event::GpuTargetSet { target_ms: 0.5 }));
    assert_eq!(losses(run_events(&paced)), losses(run_events(&usual)));
    for target_ms in [0.0, -1.0, f64::NAN, 1e9] {
        let replies = play(vec![request(Command::SetGpuTarget { target_ms })], |_| Vec::new());
        assert!(texts(rejected(&replies)).contains("ms at a stretch"));
    }
}

/// What each state makes of the texts, bit for bit; the present one is always another.
fn judgements(predicted: &Predicted) -> Vec<(Variant, Vec<u64>)> {
    let scores = predicted.predictions.iter().flat_map(|prediction| &prediction.scores);
    let finished = scores.filter(|scores| scores.variant != Variant::Present);
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect();
    finished.map(|scores| (scores.variant, bits(&scores.values))).collect()
}

#[test]
fn a_restored_run_still_has_the_states_behind_it() {
    use Variant::{Base, Present, Pruned, Retuned, Tuned};
    for prune in ["heads:1", "unstructured:0.4"] {
        let changes = [("prune", prune), ("max_steps", "4"), ("learning_rate", "5e-3")];
        let is_retuning = |reply: &Reply, at: usize| match &reply.event {
            Event::Run { event: RunEvent::Progress(report), .. } => {
                report.phase.to_string() == "retune" && report.step == at
            }
            _ => false,
        };
        let is_over = |reply: &Reply| matches!(&reply.event, Event::Run { event: RunEvent::Finished(_), .. });
        let mut first = load();
        first.push(start(&changes));
        let unbroken = play(first, |reply| {
            if is_retuning(reply, 2) {
                vec![request(Command::SaveCheckpoint { run: 1 }), predict(1, &[])]
            } else if is_over(reply) {
                vec![predict(2, &[])]
            } else {
                Vec::new()
            }
        });
        assert_eq!(variants(predicted(&unbroken, 1)), [Base, Present, Tuned, Pruned]);
        assert_eq!(variants(predicted(&unbroken, 2)), [Base, Tuned, Pruned, Retuned]);
        let saved: Vec<&Reply> =
            unbroken.iter().filter(|reply| matches!(reply.event, Event::CheckpointSaved { .. })).collect();
        let in_retuning =
            saved.iter().find(|reply| matches!(reply.event, Event::CheckpointSaved { step: 6, .. })).unwrap();
        for state in [in_retuning, saved.last().unwrap()] {
            let files = saved_state(state);
            let files: Vec<_> =
                files.iter().map(|file| (file.name.as_str(), file.bytes.as_slice())).collect();
            let mut second = load();
            let restore = Command::Restore { run: 2, settings: settings(&changes), paused: false };
            second.push(with_files(restore, &files));
            let restored = play(second, |reply| {
                if is_retuning(reply, 3) {
                    vec![predict(1, &[])]
                } else if is_over(reply) {
                    vec![predict(2, &[])]
                } else {
                    Vec::new()
                }
            });
            let was_retuning = restored.iter().any(|reply| is_retuning(reply, 3));
            let requests: &[u64] = if was_retuning { &[1, 2] } else { &[2] };
            for &id in requests {
                let (now, then) = (predicted(&restored, id), predicted(&unbroken, id));
                assert_eq!(judgements(now), judgements(then), "{prune}, request {id}");
            }
        }
    }
}

/// Position of the first reply that `is` right.
fn position(replies: &[Reply], is: impl Fn(&Event) -> bool) -> usize {
    let found = replies.iter().position(|reply| is(&reply.event));
    found.unwrap_or_else(|| panic!("no such event: {replies:?}"))
}

#[test]
fn commands_are_read_between_the_pieces_of_long_answers() {
    let small = [("per_device_eval_batch_size", "4"), ("max_steps", "3")];
    let mut first = load();
    first.push(start(&small));
    let replies = play(first, |reply| match &reply.event {
        Event::Run { event: RunEvent::Finished(_), .. } => {
            let save = || request(Command::SaveCheckpoint { run: 1 });
            vec![request(Command::Judge { run: 1 }), predict(7, &[]), save()]
        }
        Event::Predicted(_) => {
            let export = Command::Export { run: 1, format: ExportFormat::Merged };
            vec![request(export), request(Command::Stop { run: 1, keep: true })]
        }
        _ => Vec::new(),
    });
    let finished =
        position(&replies, |event| matches!(event, Event::Run { event: RunEvent::Finished(_), .. }));
    let order = [
        finished + position(&replies[finished..], |event| matches!(event, Event::CheckpointSaved { .. })),
        position(&replies, |event| matches!(event, Event::Judged { run: 1, .. })),
        position(&replies, |event| matches!(event, Event::Predicted(_))),
        position(&replies, |event| matches!(event, Event::Stopped { kept: true, .. })),
        position(&replies, |event| matches!(event, Event::Exported { run: 1, .. })),
    ];
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn a_run_is_paused_while_it_is_judged_and_discarding_it_answers_for_the_judgement() {
    let mut first = load();
    first.push(start(&[("per_device_eval_batch_size", "4"), ("max_steps", "500")]));
    let mut has_paused = false;
    let replies = play(first, |reply| match &reply.event {
        Event::Run { event: RunEvent::Progress(report), .. } if report.step == 2 => {
            vec![request(Command::Judge { run: 1 }), predict(7, &[])]
        }
        Event::Working { what, share: Some(_) } if what.contains("Judging") && !has_paused => {
            has_paused = true;
            vec![request(Command::Pause { run: 1 })]
        }
        Event::Paused { .. } => vec![request(Command::Stop { run: 1, keep: false })],
        _ => Vec::new(),
    });
    let paused = position(&replies, |event| matches!(event, Event::Paused { run: 1, step: 2 }));
    let answers: Vec<&Event> = replies[paused + 1..].iter().map(|reply| &reply.event).collect();
    let judge = Command::Judge { run: 1 };
    assert!(
        matches!(answers[..], [Event::Rejected { command, problems }, Event::Stopped { kept: false, .. }, ..]
            if *command == judge && texts(problems).contains("discarded")),
        "{answers:?}"
    );
    // A sentence is judged by the states as they were when it was asked.
    assert_eq!(variants(predicted(&replies, 7)), [Variant::Base, Variant::Present]);
    assert!(!replies.iter().any(|reply| matches!(reply.event, Event::Judged { .. })));
}
