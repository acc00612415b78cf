//! The keys of the window.

use dsee_core::protocol::Command;
use egui::{Key, KeyboardShortcut, Modifiers, Ui};

use super::Window;
use crate::{
    shell::Action,
    state::{Activity, AppState},
};

/// Start, or resume what waits.
pub const START: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::Enter);
/// Stop, and keep what was trained.
pub const STOP: KeyboardShortcut = KeyboardShortcut::new(Modifiers::COMMAND, Key::Period);

/// Does what the pressed keys ask for.
pub fn act(ui: &Ui, window: &mut Window, state: &mut AppState, actions: &mut Vec<Action>) {
    let typing = ui.ctx().text_edit_focused();
    let (start, stop, help, close) = ui.input_mut(|input| {
        let start = input.consume_shortcut(&START);
        let stop = input.consume_shortcut(&STOP);
        let help = !typing && input.key_pressed(Key::Questionmark);
        (start, stop, help, input.key_pressed(Key::Escape))
    });
    if start && state.read_only.is_none() {
        match state.activity() {
            Some(Activity::Paused) => state.drive(|run| Command::Resume { run }, actions),
            _ if state.can_start() => state.start(actions),
            _ => {}
        }
    }
    if stop && state.read_only.is_none() {
        state.drive(|run| Command::Stop { run, keep: true }, actions);
    }
    if help {
        window.help = !window.help;
    } else if close && !window.help && !window.confirm_discard {
        state.rejected = None;
    }
}
