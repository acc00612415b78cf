//! The engine as a service, driven by a script as an app would drive it: every command with its answers, bad input
//! included. Needs an adapter; a software adapter is enough.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::rc::Rc;

use dsee_core::builtin;
use dsee_core::config::RunConfigDraft;
use dsee_core::data::{DataFile, load_splits};
use dsee_core::engine::Run;
use dsee_core::engine::service::{Reply, Request};
use dsee_core::gpu::Device;
use dsee_core::protocol::{
    Command, Event, ExportFormat, FailureKind, FailureReport, Predicted, RunEvent, Variant,
};
use dsee_core::source::Attachment;
use dsee_tests::asking::{
    load, losses, predict, predicted, rejected, run_events, saved_state, settings, start, texts, variants,
};
use dsee_tests::script::{play, request, with_files};

/// What the command line's way of driving a run tells.
fn direct_run(changes: &[(&str, &str)]) -> Vec<RunEvent> {
    let mut draft = RunConfigDraft::default();
    settings(changes).iter().for_each(|(name, value)| draft.set(name, value));
    let config = draft.check().unwrap();
    let model = pollster::block_on(builtin::model_files().open(&mut |_| ())).unwrap();
    let files = builtin::data_files();
    let [train, validation] = files.each_ref().map(|(name, bytes)| DataFile { name, bytes });
    let options = config.data_options(model.config.id2label.clone());
    let data = load_splits(train, Some(validation), &options).unwrap();
    pollster::block_on(async {
        let device = Device::open().await.unwrap();
        let mut run = Run::new(&device, config, model, &data.into(), None).await.unwrap();
        let mut events = Vec::new();
        while !run.is_finished() {
            events.extend(run.advance().await.unwrap());
        }
        events
    })
}

#[test]
fn a_whole_run_tells_the_same_losses_as_the_command_line() {
    let changes = [("prune", "heads:1"), ("max_steps", "4")];
    let mut first = load();
    first.push(start(&changes));
    let replies = play(first, |_| Vec::new());
    let direct = direct_run(&changes);
    let served = losses(run_events(&replies));
    assert_eq!(served.len(), 8, "{served:?}");
    assert_eq!(served, losses(&direct));
    assert!(matches!(replies[0].event, Event::Ready { .. }));
    assert!(replies.iter().any(|reply| matches!(reply.event, Event::ModelLoaded(_))));
    assert!(replies.iter().any(|reply| matches!(reply.event, Event::DataLoaded(_))));
    assert!(matches!(run_events(&replies).last(), Some(RunEvent::Finished(_))));
    let saved = replies.iter().filter(|reply| matches!(reply.event, Event::CheckpointSaved { .. }));
    let names =
        saved.map(|reply| reply.attachments.iter().map(|file| file.name.as_str()).collect::<Vec<_>>());
    for names in names {
        assert_eq!(names, ["engine_state.json", "engine_state.safetensors"]);
    }
}

#[test]
fn pause_step_and_resume_act_within_a_step() {
    let mut first = load();
    first.push(request(Command::Start { run: 7, settings: settings(&[]), paused: true }));
    let mut pauses = Vec::new();
    let replies = play(first, |reply| match &reply.event {
        Event::Paused { step, .. } => {
            pauses.push(*step);
            match pauses.len() {
                1..=3 => vec![request(Command::Step { run: 7 })],
                4 => vec![request(Command::Resume { run: 7 })],
                _ => vec![request(Command::Stop { run: 7, keep: true })],
            }
        }
        Event::Run { event: RunEvent::Progress(report), .. } if report.step == 5 => {
            vec![request(Command::Pause { run: 7 })]
        }
        _ => Vec::new(),
    });
    assert_eq!(pauses, [0, 1, 2, 3, 5]);
    let steps: Vec<usize> = losses(run_events(&replies)).iter().map(|(_, step, _)| *step).collect();
    assert_eq!(steps, [1, 2, 3, 4, 5]);
    let last = &replies[replies.len() - 2..];
    assert!(matches!(last[0].event, Event::CheckpointSaved { run: 7, step: 5 }), "{last:?}");
    assert!(matches!(last[1].event, Event::Stopped { run: 7, kept: true, step: 5 }), "{last:?}");
}

#[test]
fn all_that_is_wrong_with_a_start_is_said_at_once() {
    let wrong = [("rnk", "3"), ("learning_rate", "fast"), ("max_length", "2"), ("prune", "heads")];
    let replies = play(vec![start(&wrong)], |_| Vec::new());
    let problems = rejected(&replies);
    let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
    for field in ["rnk", "learning_rate", "max_length", "prune"] {
        assert!(fields.contains(&field), "{fields:?}");
    }
    let texts = texts(problems);
    assert!(texts.contains("no model") && texts.contains("no data") && texts.contains("rank"), "{texts}");
    let mut first = load();
    first.push(start(&[("rank", "4000"), ("prune", "heads:4")]));
    let replies = play(first, |_| Vec::new());
    let fields: Vec<&str> = rejected(&replies).iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["rank", "prune"]);
}

#[test]
fn questions_about_nothing_are_rejected() {
    let questions = [
        Command::LoadData { settings: settings(&[]) },
        Command::Pause { run: 3 },
        Command::Stop { run: 3, keep: true },
        Command::Judge { run: 3 },
        Command::Export { run: 3, format: ExportFormat::Merged },
        Command::Predict { request: 1, texts: Vec::new(), heads_off: BTreeMap::new() },
        Command::Inspect { request: 1, path: "x".to_owned() },
    ];
    for question in questions {
        let replies = play(vec![request(question.clone())], |_| Vec::new());
        assert!(!rejected(&replies).is_empty());
        let Some(Event::Rejected { command, .. }) = replies.last().map(|reply| &reply.event) else {
            panic!("{replies:?}");
        };
        assert_eq!(*command, question);
    }
}

fn model_files(folder: &str) -> Vec<Attachment> {
    let files = builtin::model_files().files.into_iter();
    files.map(|(name, source)| Attachment { name: format!("{folder}{name}"), source }).collect()
}

#[test]
fn a_model_folder_is_read_whole_or_named_by_what_it_lacks() {
    let load = |attachments: Vec<Attachment>| {
        let command = Command::LoadModel { name: "mine".to_owned() };
        play(vec![Request { command, attachments }], |_| Vec::new())
    };
    let mut whole = model_files("mine/");
    // The files of an inner folder are those of another model.
    let inner: Rc<Vec<u8>> = Rc::new(b"{}".to_vec());
    whole.insert(0, Attachment { name: "mine/pooling/config.json".to_owned(), source: inner });
    let replies = load(whole);
    let Some(Event::ModelLoaded(card)) = replies.last().map(|reply| &reply.event) else {
        panic!("{:?}", replies.last());
    };
    assert_eq!((card.name.as_str(), card.embedded, card.family.as_str()), ("mine", false, "bert"));
    assert!(card.n_parameters > 100_000 && card.n_biases > 0 && !card.sites.is_empty());
    let half = model_files("").into_iter().filter(|file| file.name == "config.json").collect();
    let lacking = texts(rejected(&load(half)));
    assert!(lacking.contains("model.safetensors") && lacking.contains("tokenizer.json"), "{lacking}");
    let command = Command::LoadModel { name: "notes".to_owned() };
    let wrong = play(vec![with_files(command, &[("a/notes.txt", b"hello"), ("b.png", b"")])], |_| Vec::new());
    let named = texts(rejected(&wrong));
    assert!(
        named.contains("notes.txt") && named.contains("b.png") && named.contains("config.json"),
        "{named}"
    );
}

#[test]
fn a_data_file_is_described() {
    let mut file = String::from("id,review,sentiment\n");
    for i in 0..40 {
        let label = ["Positive", "negative", "positive "][i % 3];
        file += &format!("{i},this is review number {i} of a long list,{label}\n");
    }
    let data = Command::LoadData { settings: settings(&[("max_length", "6")]) };
    let first = vec![
        request(Command::LoadModel { name: String::new() }),
        with_files(data, &[("folder/reviews.csv", file.as_bytes())]),
    ];
    let replies = play(first, |_| Vec::new());
    let Some(Event::DataLoaded(card)) = replies.last().map(|reply| &reply.event) else {
        panic!("{:?}", replies.last());
    };
    assert_eq!((card.text_column.as_str(), card.label_column.as_str()), ("review", "sentiment"));
    assert_eq!(card.columns, ["id", "review", "sentiment"]);
    assert_eq!(
        (card.name.as_str(), card.embedded, card.validation_name.clone()),
        ("reviews.csv", false, None)
    );
    assert!(card.warnings.iter().any(|text| text.contains("Positive") && text.contains("two classes")));
    assert_eq!(card.n_train + card.n_validation, 40);
    assert_eq!(card.class_counts.iter().sum::<usize>(), card.n_train);
    assert_eq!(card.lengths.iter().map(|bin| bin.count).sum::<usize>(), card.n_train);
    assert_eq!(card.tokens.first().map(String::as_str), Some("[CLS]"));
    assert_eq!((card.tokens.len(), card.truncated_share, card.preview.len()), (6, 1.0, 20));
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_after_its_last_good_state() {
    let mut first = load();
    first.push(start(&[("learning_rate", "1e30"), ("warmup_steps", "0")]));
    let replies = play(first, |_| Vec::new());
    let [.., saved, last] = replies.as_slice() else { panic!("{replies:?}") };
    let Event::CheckpointSaved { run: 1, step } = saved.event else { panic!("{saved:?}") };
    let Event::Failed(FailureReport { kind: FailureKind::NotFinite, run, last_good_step, advice, .. }) =
        &last.event
    else {
        panic!("{last:?}");
    };
    assert_eq!((*run, *last_good_step), (Some(1), Some(step)));
    assert!(advice.contains("learning rate"), "{advice}");
}

#[test]
fn what_is_discarded_is_gone_and_what_is_kept_can_be_exported() {
    for keep in [false, true] {
        let mut first = load();
        first.push(start(&[("max_steps", "500")]));
        let replies = play(first, |reply| match &reply.event {
            Event::Run { event: RunEvent::Progress(report), .. } if report.step == 2 => {
                // A second run has to wait for the end of the first.
                vec![start(&[]), request(Command::Stop { run: 1, keep })]
            }
            Event::Stopped { .. } => vec![request(Command::Export { run: 1, format: ExportFormat::Dsee })],
            _ => Vec::new(),
        });
        let stopped = replies.iter().find(|reply| matches!(reply.event, Event::Stopped { .. })).unwrap();
        assert!(matches!(stopped.event, Event::Stopped { kept, step: 2, .. } if kept == keep), "{stopped:?}");
        let exported = matches!(replies.last().unwrap().event, Event::Exported { .. });
        assert_eq!(exported, keep);
        assert!(replies.iter().any(|reply| match &reply.event {
            Event::Rejected { problems, .. } => texts(problems).contains("stop it first"),
            _ => false,
        }));
    }
}

#[test]
fn a_waiting_run_evaluates_and_waits_again_and_pruning_can_come_early() {
    let mut first = load();
    let changes = [("max_steps", "500"), ("prune", "unstructured:0.3"), ("retune_epochs", "0")];
    first.push(request(Command::Start { run: 1, settings: settings(&changes), paused: true }));
    let mut has_evaluated = false;
    let replies = play(first, |reply| match &reply.event {
        Event::Paused { step: 0, .. } => vec![request(Command::Step { run: 1 })],
        Event::Paused { step: 1, .. } => vec![request(Command::Evaluate { run: 1 })],
        Event::Run { event: RunEvent::Evaluated(evaluation), .. } if !has_evaluated => {
            has_evaluated = true;
            assert_eq!(evaluation.step, 1);
            vec![request(Command::PruneNow { run: 1 })]
        }
        Event::Run { event: RunEvent::Pruned(_), .. } => vec![request(Command::Resume { run: 1 })],
        _ => Vec::new(),
    });
    assert!(has_evaluated);
    let events = run_events(&replies);
    assert_eq!(losses(events.iter().copied()).len(), 1);
    assert!(events.iter().any(|event| matches!(event, RunEvent::Pruned(_))));
    assert!(matches!(events.last(), Some(RunEvent::Finished(summary)) if summary.n_steps == 1));
}

#[test]
fn a_restored_run_goes_on_bit_for_bit() {
    let changes = [("prune", "heads:1"), ("max_steps", "4")];
    let mut first = load();
    first.push(start(&changes));
    let unbroken = play(first, |_| Vec::new());
    let unbroken = losses(run_events(&unbroken));
    for (phase, stop_at) in [("tune", 2), ("retune", 3)] {
        let mut first = load();
        first.push(start(&changes));
        let broken = play(first, |reply| match &reply.event {
            Event::Run { event: RunEvent::Progress(report), .. }
                if report.phase.to_string() == phase && report.step == stop_at =>
            {
                vec![
                    request(Command::SaveCheckpoint { run: 1 }),
                    request(Command::Stop { run: 1, keep: false }),
                ]
            }
            _ => Vec::new(),
        });
        let state = saved_state(&broken[broken.len() - 2]);
        let files = state.iter().map(|file| (file.name.as_str(), file.bytes.as_slice())).collect::<Vec<_>>();
        let mut second = load();
        let restore = Command::Restore { run: 2, settings: settings(&changes), paused: false };
        second.push(with_files(restore, &files));
        let resumed = play(second, |_| Vec::new());
        assert!(resumed.iter().any(|reply| matches!(reply.event, Event::Resumed { run: 2 })));
        let mut joined = losses(run_events(&broken));
        joined.extend(losses(run_events(&resumed)));
        assert_eq!(joined, unbroken, "{phase}");
    }
}

/// A matrix of the embedded model that the settings adapt.
const QUERY: &str = "bert.encoder.layer.0.attention.self.query";

fn inspect(id: u64) -> Request {
    request(Command::Inspect { request: id, path: QUERY.to_owned() })
}

#[test]
fn every_state_of_a_run_can_be_asked_inspected_and_exported() {
    let mut first = load();
    first.extend([predict(1, &[]), inspect(1)]);
    first.push(start(&[("prune", "heads:1"), ("max_steps", "3"), ("learning_rate", "5e-3")]));
    let replies = play(first, |reply| match &reply.event {
        Event::Run { event: RunEvent::Progress(report), .. } if report.step == 2 => {
            vec![predict(report.phase as u64 + 10, &[]), inspect(report.phase as u64 + 10)]
        }
        Event::Run { event: RunEvent::Finished(_), .. } => {
            let mut last =
                vec![predict(2, &[]), predict(3, &[(0, &[0])]), predict(4, &[(9, &[0])]), inspect(2)];
            last.push(request(Command::Judge { run: 1 }));
            last.extend(ExportFormat::ALL.map(|format| request(Command::Export { run: 1, format })));
            last
        }
        _ => Vec::new(),
    });
    use Variant::{Base, Present, Pruned, Retuned, Tuned};
    assert_eq!(variants(predicted(&replies, 1)), [Base]);
    assert_eq!(variants(predicted(&replies, 11)), [Base, Present]);
    assert_eq!(variants(predicted(&replies, 13)), [Base, Present, Tuned, Pruned]);
    let last = predicted(&replies, 2);
    assert_eq!(variants(last), [Base, Tuned, Pruned, Retuned]);
    assert_eq!(last.label_names, builtin::LABEL_NAMES);
    assert!(last.predictions[0].tokens.contains(&"good".to_owned()), "{:?}", last.predictions[0].tokens);
    assert_eq!(predicted(&replies, 1).predictions[0].scores[0], last.predictions[0].scores[0]);
    let values = |predicted: &Predicted| predicted.predictions[0].scores[1].values.clone();
    assert_ne!(values(last), values(predicted(&replies, 3)), "a head that is off makes a difference");
    assert!(texts(rejected(&replies)).contains("layers"));
    check_views(&replies);
    check_quality_and_exports(&replies);
}

fn check_views(replies: &[Reply]) {
    let views: BTreeMap<u64, (&dsee_core::protocol::MatrixView, &Reply)> = replies
        .iter()
        .filter_map(|reply| match &reply.event {
            Event::Inspected(view) => Some((view.request, (view, reply))),
            _ => None,
        })
        .collect();
    assert_eq!(views.keys().copied().collect::<Vec<_>>(), [1, 2, 11, 13]);
    for (&id, (view, reply)) in &views {
        let sizes: Vec<(&str, usize)> =
            reply.attachments.iter().map(|part| (part.name.as_str(), part.bytes.len())).collect();
        assert!(sizes.iter().all(|(_, n_bytes)| *n_bytes == 4 * view.d_out * view.d_in), "{sizes:?}");
        let names: Vec<&str> = sizes.iter().map(|(name, _)| *name).collect();
        let expected = match id {
            1 => vec!["weight"],
            11 => vec!["weight", "low_rank"],
            _ => vec!["weight", "low_rank", "mask"],
        };
        assert_eq!(names, expected, "request {id}");
        assert!(view.weight_singular_values.is_sorted_by(|a, b| a >= b));
        assert_eq!(view.weight_singular_values.len(), view.d_out.min(view.d_in));
    }
    let (during, (after, _)) = (views[&11].0, views[&2]);
    assert_eq!((during.rank, during.s_indices.len(), during.step), (4, 16, 2));
    let n_positive = during.delta_singular_values.iter().filter(|&&x| x > 0.0).count();
    assert!((1..=4 + 16).contains(&n_positive), "{n_positive}");
    assert_eq!((after.removed_heads.len(), after.step), (1, 6));
    assert!(after.n_zeros > 0 && after.n_zeros < after.d_out * after.d_in);
}

fn check_quality_and_exports(replies: &[Reply]) {
    let quality = replies.iter().find_map(|reply| match &reply.event {
        Event::Judged { quality, .. } => Some(quality),
        _ => None,
    });
    let quality = quality.unwrap();
    assert_eq!(quality.confusion.iter().flatten().sum::<usize>(), 32);
    let n_wrong = quality.confusion[0][1] + quality.confusion[1][0];
    assert_eq!(quality.mistakes.len(), n_wrong.min(12));
    let exports: Vec<_> = replies
        .iter()
        .filter_map(|reply| match &reply.event {
            Event::Exported { exported, .. } => Some((exported, &reply.attachments)),
            _ => None,
        })
        .collect();
    assert_eq!(exports.len(), ExportFormat::ALL.len());
    for (exported, files) in exports {
        assert!(exported.verified_tensors > 0 && exported.max_difference < 1e-5, "{exported:?}");
        let sizes: Vec<_> = files.iter().map(|file| (file.name.clone(), file.bytes.len() as u64)).collect();
        let told: Vec<_> = exported.files.iter().map(|file| (file.path.clone(), file.n_bytes)).collect();
        assert_eq!(sizes, told);
        assert!(!exported.how_to_load.is_empty());
    }
}
