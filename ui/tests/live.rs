//! The screens with the engine itself behind them, on a thread: matrices looked into during a run, and the lessons that
//! train. Needs an adapter.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod support;

use dsee_core::{
    engine::service::{Host, Reply, Request, serve},
    protocol::{Command, Event, MatrixView, Phase, RunEvent},
    source::NamedBytes,
};
use dsee_ui::{Action, Notice, state::Activity, state::Screen};
use egui::Theme;
use egui_kittest::{
    Harness,
    kittest::{NodeT as _, Queryable as _},
};
use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use support::{Window, harness};

/// Longest time anything here may take on a software adapter under load.
const PATIENCE: Duration = Duration::from_secs(600);

/// The engine's thread as the engine sees it.
struct ThreadHost {
    commands: Receiver<Command>,
    events: Sender<(Event, Vec<NamedBytes>)>,
}

impl Host for ThreadHost {
    fn try_next(&mut self) -> Option<Request> {
        self.commands.try_recv().ok().map(request)
    }

    async fn next(&mut self) -> Option<Request> {
        self.commands.recv().ok().map(request)
    }

    fn tell(&mut self, reply: Reply) {
        self.events.send((reply.event, reply.attachments)).ok();
    }

    async fn breathe(&mut self) {}
}

fn request(command: Command) -> Request {
    Request { command, attachments: Vec::new() }
}

/// A window over a living engine.
struct Live {
    harness: Harness<'static, Window>,
    /// Gone before the engine is waited for.
    commands: Option<Sender<Command>>,
    engine: Option<JoinHandle<()>>,
    events: Receiver<(Event, Vec<NamedBytes>)>,
    /// Everything the engine has told.
    told: Vec<Event>,
}

impl Live {
    /// Opened by a link, with model and data read.
    fn open(link: &str) -> Self {
        let (commands, taken) = channel();
        let (tell, events) = channel();
        let engine = thread::spawn(move || {
            pollster::block_on(serve(&mut ThreadHost { commands: taken, events: tell }));
        });
        let mut window = Window::default();
        window.studio.notice(Notice::Link(link.to_owned()));
        let harness = harness(window, [1280.0, 2000.0], Theme::Dark);
        let mut live =
            Self { harness, commands: Some(commands), engine: Some(engine), events, told: Vec::new() };
        live.until("model and data", |live| live.window().studio.state.can_start());
        live
    }

    fn window(&self) -> &Window {
        self.harness.state()
    }

    fn send(&self, command: Command) {
        self.commands.as_ref().unwrap().send(command).unwrap();
    }

    /// One frame, and everything that is on its way.
    fn turn(&mut self) {
        self.harness.step();
        for action in std::mem::take(&mut self.harness.state_mut().actions) {
            if let Action::Send { command, .. } = action {
                self.send(command);
            }
        }
        while let Ok((event, attachments)) = self.events.try_recv() {
            self.harness.state_mut().studio.event(&event, &attachments);
            self.told.push(event);
        }
    }

    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(self) {
            let broken = self.told.iter().find(|e| matches!(e, Event::Failed(_) | Event::Rejected { .. }));
            assert!(broken.is_none(), "waiting for {what}: {broken:?}");
            assert!(Instant::now() < end, "waited too long for {what}");
            self.turn();
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Presses what goes by this name.
    fn press(&mut self, name: &str) {
        self.harness.get_by_label(name).click();
        self.turn();
        self.turn();
    }

    /// Everything that can be read in the window.
    fn texts(&self) -> Vec<String> {
        let nodes = self.harness.root().children_recursive();
        let text = |node: egui_kittest::Node<'_>| {
            let node = node.accesskit_node();
            [node.label(), node.value()].into_iter().flatten().collect::<Vec<_>>()
        };
        nodes.flat_map(text).collect()
    }

    fn sees(&self, part: &str) -> bool {
        self.texts().iter().any(|text| text.contains(part))
    }

    fn is_at(&self, activity: Activity) -> bool {
        self.window().studio.state.activity() == Some(activity)
    }

    fn views(&self) -> Vec<&MatrixView> {
        let views = self.told.iter().filter_map(|event| match event {
            Event::Inspected(view) => Some(view),
            _ => None,
        });
        views.collect()
    }

    /// Accuracy at the end of a phase.
    fn accuracy(&self, phase: Phase) -> f64 {
        let row = self.told.iter().find_map(|event| match event {
            Event::Run { event: RunEvent::PhaseFinished(row), .. } if row.phase == phase => Some(row),
            _ => None,
        });
        row.and_then(|row| row.metric).unwrap()
    }
}

impl Drop for Live {
    /// The engine gives its device back before the program ends.
    fn drop(&mut self) {
        self.commands = None;
        self.engine.take().unwrap().join().ok();
    }
}

#[test]
fn matrices_are_looked_into_while_the_run_goes_on() {
    let mut live = Live::open("rank=4&nnz=16&max_steps=400&eval_strategy=no&save_strategy=no");
    live.harness.state_mut().studio.state.screen = Screen::Inspect;
    live.until("the untrained matrix", |live| live.views().len() == 1);
    assert!(live.views()[0].delta_singular_values.is_empty() || live.views()[0].step == 0);
    live.harness.state_mut().start();
    live.harness.state_mut().studio.state.screen = Screen::Inspect;
    live.until("a matrix in training", |live| live.views().iter().any(|view| view.step > 3));
    let view = (*live.views().last().unwrap()).clone();
    assert_eq!((view.rank, view.s_indices.len()), (4, 16));
    let n_updated = view.delta_singular_values.iter().filter(|value| **value > 1e-6).count();
    assert!((1..=4 + 16).contains(&n_updated), "rank 4 and 16 entries: {n_updated} singular values");
    let size = format!("ΔW, {} rows, {} columns", view.d_out, view.d_in);
    live.until("its picture", |live| live.sees(&size));
    assert!(live.sees("s·Σ B["), "the formula of an entry has its numbers");
    live.until("a later look", |live| live.views().last().unwrap().step > view.step);
    assert!(live.is_at(Activity::Running));
    let run = live.window().studio.state.current.unwrap();
    live.send(Command::Stop { run, keep: false });
    live.until("the end", |live| live.is_at(Activity::Stopped));
}

#[test]
fn the_lesson_about_pruning_trains_and_shows_what_it_cost() {
    let mut live = Live::open("lesson=lesson%3D4%26sparsity%3D70");
    live.press("Play");
    live.until("the end", |live| live.is_at(Activity::Finished));
    let [tuned, pruned, retuned] =
        [Phase::Tune, Phase::Prune, Phase::Retune].map(|phase| live.accuracy(phase));
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let sentence = format!(
        "With 70 % zeros: {} tuned, {} right after pruning, {} retuned.",
        percent(tuned),
        percent(pruned),
        percent(retuned)
    );
    live.until("the three figures", |live| live.sees(&sentence));
    assert!(tuned > 0.8 && pruned < tuned && retuned > pruned, "{sentence}");
}

#[test]
fn the_lesson_about_writing_teaches_the_decoder_and_compares_temperatures() {
    let mut live = Live::open("lesson=lesson%3D6");
    live.press("Teach it to write");
    live.until("the end", |live| live.is_at(Activity::Finished));
    let texts = |live: &Live| -> Vec<Vec<String>> {
        let answers = live.told.iter().filter_map(|event| match event {
            Event::Written(written) => Some(written.texts.iter().map(|text| text.text.clone()).collect()),
            _ => None,
        });
        answers.collect()
    };
    live.until("the first texts", |live| texts(live).len() == 1);
    let [base, tuned] = texts(&live)[0].clone().try_into().unwrap();
    assert!(tuned.contains("Oak Mill") && base != tuned, "{base} / {tuned}");
    live.until("the tuned text on the screen", |live| live.sees(&tuned));
    live.press("Step");
    live.until("the second texts", |live| texts(live).len() == 2);
    live.until("the first temperature", |live| live.sees("temperature 0.1"));
    live.harness.state_mut().studio.state.screen = Screen::TryIt;
    live.until("the meanings", |live| live.sees("From the validation data"));
    live.harness.state_mut().studio.state.screen = Screen::Data;
    live.until("their texts", |live| live.sees("First meanings and their texts"));
}

#[test]
fn the_lesson_about_heads_judges_with_heads_off() {
    let mut live = Live::open("lesson=lesson%3D5");
    live.press("Start a short run");
    live.until("the end", |live| live.is_at(Activity::Finished));
    live.until("verdicts with all heads on", |live| live.sees("all heads on") && live.sees("positive "));
    let n_asked = |live: &Live| live.told.iter().filter(|e| matches!(e, Event::Predicted(_))).count();
    let before = n_asked(&live);
    live.press("Step");
    live.until("verdicts without a head", |live| n_asked(live) > before);
    live.until("what was switched off", |live| live.sees("layer 0, head 0 off"));
    // Without all heads of a layer, what the engine says must change, or nothing was switched off.
    let scores = |live: &Live, i: usize| {
        let answers = live.told.iter().filter_map(|event| match event {
            Event::Predicted(predicted) => Some(predicted.predictions.clone()),
            _ => None,
        });
        answers.collect::<Vec<_>>()[i].clone()
    };
    assert_ne!(scores(&live, 0), scores(&live, before));
}
