//! The window of DSEE Studio, the same on the desktop and in the browser.
//!
//! [`Studio`] is all there is to it: [`Studio::notice`] and [`Studio::event`] tell it what happened, [`Studio::show`]
//! draws it and gives back what the user asked for as [`Action`]s. It holds no tensor, no device and no file, and it
//! never waits: the app around it (a native window, a page) carries the actions out.

pub mod screens;
pub mod shell;
pub mod state;
pub mod theme;
pub mod widgets;

pub use shell::{Action, FileInput, FileRef, Notice, Purpose};
pub use state::AppState;

use dsee_core::{protocol::Event, source::NamedBytes};

/// The window: its state, and what each screen remembers for itself.
#[derive(Default)]
pub struct Studio {
    /// What is known.
    pub state: AppState,
    /// What the screens remember.
    pub screens: screens::Screens,
}

impl Studio {
    /// Takes note of an event of the engine, with the bytes that came beside it.
    pub fn event(&mut self, event: &Event, attachments: &[NamedBytes]) {
        self.state.apply(event);
        self.screens.event(event, attachments);
    }

    /// Takes note of what the app around the window tells.
    pub fn notice(&mut self, notice: Notice) {
        self.state.notice(notice);
    }

    /// stub
    pub fn status_line(&self) -> String { "Ready".to_owned() }

    /// Draws the window into `ui` and returns what the user asked for.
    pub fn show(&mut self, ui: &mut egui::Ui) -> Vec<Action> {
        let mut actions = Vec::new();
        self.screens.show(ui, &mut self.state, &mut actions);
        actions
    }
}
