//! The screens, one folder or file each, and what they remember between frames.

use dsee_core::{protocol::Event, source::NamedBytes};

use crate::{shell::Action, state::AppState};

/// What the screens remember for themselves.
#[derive(Default)]
pub struct Screens {}

impl Screens {
    /// Hands an event to the screens that keep bytes of it.
    pub fn event(&mut self, _event: &Event, _attachments: &[NamedBytes]) {}

    /// Draws the open screen with everything around it.
    pub fn show(&mut self, ui: &mut egui::Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        let _ = (ui, state, actions);
    }
}
