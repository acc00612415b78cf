//! The screens, one folder each, and what they remember between frames.

pub mod data;
pub mod export;
pub mod inspect;
pub mod lessons;
pub mod method;
pub mod model;
pub mod runs;
pub mod train;
pub mod try_it;

use dsee_core::{protocol::Event, source::NamedBytes};

use crate::{
    shell::Action,
    state::{AppState, Screen},
};

/// What the screens remember for themselves.
#[derive(Default)]
pub struct Screens {
    model: model::ModelScreen,
    data: data::DataScreen,
    method: method::MethodScreen,
    train: train::TrainScreen,
    inspect: inspect::InspectScreen,
    try_it: try_it::TryItScreen,
    runs: runs::RunsScreen,
    export: export::ExportScreen,
    lessons: lessons::LessonsScreen,
}

impl Screens {
    /// Hands an event to the screens that keep something of it.
    pub fn event(&mut self, event: &Event, attachments: &[NamedBytes]) {
        self.model.event(event, attachments);
        self.data.event(event, attachments);
        self.method.event(event, attachments);
        self.train.event(event, attachments);
        self.inspect.event(event, attachments);
        self.try_it.event(event, attachments);
        self.runs.event(event, attachments);
        self.export.event(event, attachments);
        self.lessons.event(event, attachments);
    }

    /// Draws the open screen.
    pub fn show(&mut self, ui: &mut egui::Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        // Files may be dropped on any screen; they open the one they belong to.
        self.model.take_files(state, actions);
        self.data.take_files(state, actions);
        self.method.take_files(state);
        match state.screen {
            Screen::Model => self.model.show(ui, state, actions),
            Screen::Data => self.data.show(ui, state, actions),
            Screen::Method => self.method.show(ui, state, actions),
            Screen::Train => self.train.show(ui, state, actions),
            Screen::Inspect => self.inspect.show(ui, state, actions),
            Screen::TryIt => self.try_it.show(ui, state, actions),
            Screen::Runs => self.runs.show(ui, state, actions),
            Screen::Export => self.export.show(ui, state, actions),
            Screen::Lessons => self.lessons.show(ui, state, actions),
        }
    }
}
