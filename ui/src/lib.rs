//! The window of DSEE Studio, the same on the desktop and in the browser.
//!
//! [`Studio`] is all there is to it: [`Studio::notice`] and [`Studio::event`] tell it what happened, [`Studio::show`]
//! draws it and gives back what the user asked for as [`Action`]s. It holds no tensor, no device and no file, and it
//! never waits: the app around it (a native window, a page) carries the actions out.

pub mod link;
pub mod screens;
pub mod shell;
pub mod spoken;
pub mod state;
pub mod theme;
pub mod widgets;
mod window;

pub use shell::{Action, FileInput, FileRef, Notice, Purpose};
pub use state::AppState;

use dsee_core::{
    protocol::{Event, RunEvent},
    source::NamedBytes,
};

/// The window: its state, and what each screen remembers for itself.
#[derive(Default)]
pub struct Studio {
    /// What is known.
    pub state: AppState,
    /// What the screens remember.
    pub screens: screens::Screens,
    window: window::Window,
    /// Asked for by events, handed out with the next frame.
    pending: Vec<Action>,
}

impl Studio {
    /// Gives the window its look: fonts, spacing, colours, dark and light. Once, before the first frame.
    pub fn install(ctx: &egui::Context) {
        theme::install(ctx);
    }

    /// Takes note of an event of the engine, with the bytes that came beside it.
    pub fn event(&mut self, event: &Event, attachments: &[NamedBytes]) {
        self.state.apply(event);
        self.screens.event(event, attachments);
        // A new engine knows nothing yet, and data are read with the tokenizer of their model.
        match event {
            Event::Ready { .. } => {
                self.pending.extend(self.state.gpu_target());
                self.pending.push(self.state.sources.load_model(&self.state.settings));
            }
            Event::ModelLoaded(_) if !self.state.sources.take_resuming() => {
                self.pending.push(self.state.sources.load_data(&self.state.settings));
            }
            Event::Rejected { .. } | Event::Failed(_) => drop(self.state.sources.take_resuming()),
            // The app has saved it, or removed it: the list of saved runs is another one now.
            Event::Run { event: RunEvent::Finished(_), .. } | Event::Stopped { .. } => {
                self.pending.push(Action::ListRuns);
            }
            _ => {}
        }
    }

    /// Takes note of what the app around the window tells.
    pub fn notice(&mut self, notice: Notice) {
        self.state.notice(notice);
    }

    /// Draws the window into `ui` and returns what the user asked for.
    pub fn show(&mut self, ui: &mut egui::Ui) -> Vec<Action> {
        let mut actions = std::mem::take(&mut self.pending);
        self.window.show(ui, &mut self.state, &mut self.screens, &mut actions);
        actions.iter().for_each(|action| self.state.sources.note(action));
        actions
    }

    /// What goes on, as one short sentence for screen readers: "Tuning, step 40 of 100, loss 0.41".
    #[must_use]
    pub fn status_line(&self) -> String {
        window::words::status_line(&self.state)
    }

    /// The title of the window: the product, and how far its run is.
    #[must_use]
    pub fn window_title(&self) -> String {
        window::words::title(&self.state)
    }

    /// Whether closing the window now would lose something that was trained.
    #[must_use]
    pub fn has_unsaved_work(&self) -> bool {
        self.state.has_unsaved_work()
    }

    /// The state of the window as a link; [`Notice::Link`] brings it back.
    #[must_use]
    pub fn link(&self) -> String {
        link::write(&self.state)
    }
}
