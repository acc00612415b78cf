//! Screen: saved runs, compared.

use dsee_core::{protocol::Event, source::NamedBytes};

use crate::{shell::Action, state::AppState};

/// What the screen remembers.
#[derive(Default)]
pub struct RunsScreen {}

impl RunsScreen {
    /// Takes what it needs of an event's bytes.
    pub fn event(&mut self, _event: &Event, _attachments: &[NamedBytes]) {}

    /// Draws it.
    pub fn show(&mut self, ui: &mut egui::Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        let _ = (ui, state, actions);
    }
}
