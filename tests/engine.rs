//! The engine as a service, driven by a script as an app would drive it: every command with its answers, bad input
//! included. Needs an adapter; a software adapter is enough.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, VecDeque};

use dsee_core::builtin;
use dsee_core::config::RunConfigDraft;
use dsee_core::data::{DataFile, load_splits};
use dsee_core::engine::Run;
use dsee_core::engine::service::{Host, Reply, Request, serve};
use dsee_core::gpu::Device;
use dsee_core::protocol::{Command, Event, RunEvent, Settings};
use dsee_core::source::Attachment;

/// An app that sends what a closure answers to each event, and goes when nothing is left to send.
struct Script<F> {
    queue: VecDeque<Request>,
    answer: F,
    replies: Vec<Reply>,
}

impl<F: FnMut(&Reply) -> Vec<Request>> Host for Script<F> {
    fn try_next(&mut self) -> Option<Request> {
        self.queue.pop_front()
    }

    async fn next(&mut self) -> Option<Request> {
        self.queue.pop_front()
    }

    fn tell(&mut self, reply: Reply) {
        self.queue.extend((self.answer)(&reply));
        self.replies.push(reply);
    }

    async fn breathe(&mut self) {}
}

/// Everything the engine tells when `first` is sent at once and `answer` follows its events.
fn play(first: Vec<Request>, answer: impl FnMut(&Reply) -> Vec<Request>) -> Vec<Reply> {
    let mut script = Script { queue: first.into(), answer, replies: Vec::new() };
    pollster::block_on(serve(&mut script));
    script.replies
}

fn request(command: Command) -> Request {
    Request { command, attachments: Vec::new() }
}

fn with_files(command: Command, files: &[(&str, &[u8])]) -> Request {
    let attachment = |(name, bytes): &(&str, &[u8])| Attachment {
        name: (*name).to_owned(),
        source: std::rc::Rc::new(bytes.to_vec()),
    };
    Request { command, attachments: files.iter().map(attachment).collect() }
}

/// A short run on few examples that evaluates at its end, with the given settings over it.
fn settings(changes: &[(&str, &str)]) -> Settings {
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

fn load() -> Vec<Request> {
    let data = Command::LoadData { settings: settings(&[]) };
    vec![request(Command::LoadModel { name: String::new() }), request(data)]
}

fn start(changes: &[(&str, &str)]) -> Request {
    request(Command::Start { run: 1, settings: settings(changes), paused: false })
}

fn run_events(replies: &[Reply]) -> Vec<&RunEvent> {
    replies
        .iter()
        .filter_map(|reply| match &reply.event {
            Event::Run { event, .. } => Some(event),
            _ => None,
        })
        .collect()
}

/// Phase, step and bits of the loss of every report.
fn losses<'a>(events: impl IntoIterator<Item = &'a RunEvent>) -> Vec<(String, usize, u64)> {
    let report = |event: &RunEvent| match event {
        RunEvent::Progress(report) => Some((report.phase.to_string(), report.step, report.loss.to_bits())),
        _ => None,
    };
    events.into_iter().filter_map(report).collect()
}

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
        let mut run = Run::new(&device, config, model, &data, None).await.unwrap();
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
