//! What no app can bring about: losing the device in the middle of a run.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::*;
use crate::protocol::{FailureKind, RunEvent, Settings};

/// A place that only listens.
#[derive(Default)]
struct Listener(Vec<Event>);

impl Host for Listener {
    fn try_next(&mut self) -> Option<Request> {
        None
    }

    async fn next(&mut self) -> Option<Request> {
        None
    }

    fn tell(&mut self, reply: Reply) {
        self.0.push(reply.event);
    }

    async fn breathe(&mut self) {}
}

fn settings() -> Settings {
    let pairs =
        [("max_train_samples", "32"), ("max_eval_samples", "8"), ("max_length", "64"), ("max_steps", "40")];
    let more =
        [("logging_steps", "1"), ("method", "bitfit"), ("eval_strategy", "no"), ("save_strategy", "no")];
    pairs.iter().chain(&more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_lost_device_leaves_a_checkpoint_and_is_replaced() {
    pollster::block_on(async {
        let (mut engine, mut host) = (Engine::default(), Listener::default());
        let load = [
            Command::LoadModel { name: String::new() },
            Command::LoadData { settings: settings() },
            Command::Start { run: 1, settings: settings(), paused: false },
        ];
        for command in load {
            engine.answer(Request { command, attachments: Vec::new() }, &mut host).await;
        }
        let is_third = |event: &Event| matches!(event, Event::Run { event: RunEvent::Progress(report), .. } if report.step == 3);
        while !host.0.iter().any(is_third) {
            engine.advance(&mut host).await;
        }
        engine.device.as_ref().unwrap().destroy();
        while engine.current.as_ref().unwrap().is_busy() {
            engine.advance(&mut host).await;
        }
        let [.., Event::CheckpointSaved { run: 1, step }, Event::Failed(report)] = host.0.as_slice() else {
            panic!("{:?}", host.0.last());
        };
        assert_eq!((report.kind, report.run), (FailureKind::DeviceLost, Some(1)));
        assert_eq!(report.last_good_step, Some(*step));
        let command = Command::SetGpuTarget { target_ms: 12.5 };
        engine.answer(Request { command, attachments: Vec::new() }, &mut host).await;
        assert_eq!(host.0.last(), Some(&Event::GpuTargetSet { target_ms: 12.5 }));
        let command = Command::Start { run: 2, settings: settings(), paused: true };
        engine.answer(Request { command, attachments: Vec::new() }, &mut host).await;
        let [.., Event::Ready { .. }, Event::Paused { run: 2, step: 0 }] = host.0.as_slice() else {
            panic!("{:?}", host.0.last());
        };
        assert_eq!(
            engine.device.as_ref().unwrap().target_ms(),
            Some(12.5),
            "the new device works in shorter pieces"
        );
    });
}
