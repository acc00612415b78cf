//! How long drawing takes on this machine: `dsee window --frames` starts a run inside the window, watches its frames,
//! prints the figures, and leaves nothing behind.

use dsee_core::protocol::Command;
use dsee_ui::{Action, Studio};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long frames are watched, from the first step on.
const WATCHED: Duration = Duration::from_secs(10);
/// What makes the run long enough for any device.
const ENDLESS: (&str, &str) = ("num_train_epochs", "10000");

/// The measurement as it goes on.
pub struct Measure {
    process_start: Instant,
    as_json: bool,
    stage: Stage,
}

enum Stage {
    /// Nothing is on the screen yet.
    Opening,
    /// The window is there; model and data are being read.
    Waiting,
    /// The run was started.
    Started,
    /// It steps since then.
    Watching(Instant),
    /// The figures are told, and the run is being thrown away.
    Ending,
}

impl Measure {
    /// A measurement of a process that began at `process_start`.
    pub fn new(process_start: Instant, as_json: bool) -> Self {
        Self { process_start, as_json, stage: Stage::Opening }
    }

    /// The first frame is on the screen.
    pub fn note_drawn(&mut self) {
        if matches!(self.stage, Stage::Opening) {
            let seconds = self.process_start.elapsed().as_secs_f64();
            let line = format!("first frame drawn after {seconds:.2} s");
            self.tell(&line, &json!({ "first_frame_seconds": seconds }));
            self.stage = Stage::Waiting;
        }
    }

    /// Looks at the window once a frame and does what comes next. True when the window is to be closed.
    pub fn advance(&mut self, studio: &mut Studio, actions: &mut Vec<Action>) -> bool {
        let state = &mut studio.state;
        let is_under_way = state.activity().is_some_and(|activity| activity.is_under_way());
        match self.stage {
            Stage::Waiting if state.failure.is_some() => return true,
            Stage::Waiting if state.can_start() => {
                let (name, value) = ENDLESS;
                state.settings.insert(name.to_owned(), value.to_owned());
                state.start(actions);
                self.stage = Stage::Started;
            }
            Stage::Started if !is_under_way => return true,
            Stage::Started if state.run().is_some_and(|run| run.newest.is_some()) => {
                self.stage = Stage::Watching(Instant::now());
            }
            Stage::Watching(since) if since.elapsed() > WATCHED || !is_under_way => {
                self.tell_figures(studio);
                studio.state.drive(|run| Command::Stop { run, keep: false }, actions);
                self.stage = Stage::Ending;
            }
            Stage::Ending => return !is_under_way,
            _ => {}
        }
        false
    }

    fn tell_figures(&self, studio: &Studio) {
        let state = &studio.state;
        let Some(figures) = state.frames.figures() else { return };
        let step = state.run().map_or(0, |run| run.step());
        let adapter = state.adapter.as_ref().map_or("no adapter", |adapter| &adapter.name);
        let line = format!(
            "{} frames in {step} steps: half within {:.1} ms, 95 % within {:.1} ms, the longest {:.1} ms; {adapter}",
            figures.n_frames, figures.median_ms, figures.p95_ms, figures.longest_ms
        );
        self.tell(&line, &json!({ "adapter": adapter, "steps": step, "frames": figures }));
    }

    fn tell(&self, line: &str, value: &Value) {
        if self.as_json {
            tell!("{value}");
        } else {
            tell!("{line}");
        }
    }
}
