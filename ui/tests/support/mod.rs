//! A window with something in it, and hands to press its buttons with. Shared by the tests of all screens.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "every test file uses a part; tests fail by panicking"
)]

pub mod answers;
pub mod example;
pub mod stage;

use dsee_core::protocol::{Command, Event, RunEvent, RunId};
use dsee_ui::{Action, Studio, state::Screen};
use egui::{Theme, Vec2};
use egui_kittest::{Harness, HarnessBuilder};

pub use example::*;

/// The window under test: what it asked for gathers in `actions`.
#[derive(Default)]
pub struct Window {
    pub studio: Studio,
    pub actions: Vec<Action>,
}

impl Window {
    /// A window that has been told `events`.
    pub fn told(events: &[Event]) -> Self {
        let mut window = Self::default();
        events.iter().for_each(|event| window.studio.event(event, &[]));
        window
    }

    /// A window whose engine has read the model and the data inside the program.
    pub fn ready() -> Self {
        Self::told(&[ready(), Event::ModelLoaded(model_card()), Event::DataLoaded(data_card())])
    }

    /// A window whose decoder has gone through all phases.
    pub fn finished_writing() -> Self {
        let mut window = Self::finished();
        window.studio.event(&Event::ModelLoaded(decoder_card()), &[]);
        window.studio.event(&Event::DataLoaded(meanings_card()), &[]);
        window
    }

    /// A window in the middle of its first run, at `step` of tuning.
    pub fn running(step: usize) -> Self {
        let mut window = Self::ready();
        let run = window.start();
        tuning_until(step).into_iter().for_each(|event| window.tell_run(run, event));
        window
    }

    /// A window whose run has gone through all phases.
    pub fn finished() -> Self {
        let mut window = Self::running(TUNE_STEPS);
        let run = window.studio.state.current.unwrap();
        after_tuning().into_iter().for_each(|event| window.tell_run(run, event));
        window
    }

    /// Starts a run as the button does and gives back its name.
    pub fn start(&mut self) -> RunId {
        self.studio.state.start(&mut self.actions);
        self.studio.state.current.unwrap()
    }

    /// What a run tells.
    pub fn tell_run(&mut self, run: RunId, event: RunEvent) {
        self.studio.event(&Event::Run { run, event }, &[]);
    }

    /// A window that has something for every screen to show, and `screen` open.
    pub fn at(screen: Screen) -> Self {
        let mut window = Self::finished();
        window.studio.state.screen = screen;
        window
    }

    /// The commands that were sent, without those that load.
    pub fn commands(&self) -> Vec<&Command> {
        let commands = self.actions.iter().filter_map(|action| match action {
            Action::Send { command, .. } => Some(command),
            _ => None,
        });
        commands.filter(|c| !matches!(c, Command::LoadModel { .. } | Command::LoadData { .. })).collect()
    }
}

/// Draws `window` and lets it settle.
pub fn harness<'a>(window: Window, size: impl Into<Vec2>, theme: Theme) -> Harness<'a, Window> {
    build(window, size, theme, HarnessBuilder::default())
}

/// [`harness`] for one that draws pictures.
pub fn build<'a>(
    window: Window,
    size: impl Into<Vec2>,
    theme: Theme,
    builder: HarnessBuilder<Window>,
) -> Harness<'a, Window> {
    let builder = builder.with_size(size).with_theme(theme).with_max_steps(16);
    builder
        .with_context_setup(move |ctx| {
            Studio::install(ctx);
            ctx.set_theme(theme);
        })
        .build_ui_state(
            |ui, window: &mut Window| {
                let actions = window.studio.show(ui);
                window.actions.extend(actions);
            },
            window,
        )
}
