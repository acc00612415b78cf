//! What all lessons have in common: one thing to drag, a clock that may drive it, a state that fits a link.

use std::collections::BTreeSet;

use egui::{Slider, Ui};

use super::texts::Text;
use crate::{shell::Action, state::AppState};

/// Names of the controls that a link can hide, and what they are.
pub const CONTROLS: [(&str, &str); 15] = [
    ("nav", "the other screens"),
    ("transport", "the bar that drives the run"),
    ("list", "the list of lessons"),
    ("text", "the text of the steps"),
    ("play", "Play and Pause"),
    ("step", "Step"),
    ("reset", "Reset"),
    ("slow", "Slow motion"),
    ("rank", "the rank"),
    ("entries", "the entries"),
    ("sweep", "the sweep"),
    ("matrix", "the choice of a matrix"),
    ("sparsity", "the share of zeros"),
    ("head", "the choice of a head"),
    ("temperature", "the temperature"),
];

/// What a lesson sees of the rest of the window while it is drawn.
pub struct Scene<'a> {
    /// What the window knows.
    pub state: &'a mut AppState,
    /// What is asked of the engine.
    pub actions: &'a mut Vec<Action>,
    /// Controls that are not drawn.
    pub hidden: &'a BTreeSet<String>,
    /// The step of the text that is open, from 0.
    pub step: usize,
}

impl Scene<'_> {
    /// Whether a control is drawn.
    pub fn shows(&self, control: &str) -> bool {
        !self.hidden.contains(control)
    }

    /// A wide slider for a whole number, with its name; nothing if it is hidden. True when it was moved.
    pub fn slider(&self, ui: &mut Ui, control: &str, value: &mut usize, max: usize, name: &str) -> bool {
        if !self.shows(control) {
            return false;
        }
        ui.scope(|ui| {
            ui.spacing_mut().slider_width = (ui.available_width() - 160.0).clamp(120.0, 420.0);
            ui.add(Slider::new(value, 0..=max).text(name)).changed()
        })
        .inner
    }
}

/// What the buttons of a lesson do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drive {
    /// Go on by yourself.
    Play,
    /// Stop there.
    Pause,
    /// One notch further.
    Step,
    /// Back to the start.
    Reset,
}

/// One lesson.
pub trait Lesson {
    /// Its words.
    fn text(&self) -> Text;

    /// Draws what can be dragged, beside the buttons where there is room.
    fn control(&mut self, ui: &mut Ui, scene: &mut Scene<'_>);

    /// Draws what it does.
    fn draw(&mut self, ui: &mut Ui, scene: &mut Scene<'_>);

    /// One notch further; false at the end.
    fn advance(&mut self, scene: &mut Scene<'_>) -> bool;

    /// Back to the start.
    fn reset(&mut self, scene: &mut Scene<'_>);

    /// What was to be seen, with the numbers of this time; `None` while there is nothing yet.
    fn seen(&self, scene: &Scene<'_>) -> Option<String>;

    /// Its state as keys and values of a link.
    fn write(&self) -> Vec<(&'static str, String)>;

    /// Takes one value from a link. Values that make no sense are left out.
    fn read(&mut self, key: &str, value: &str);

    /// Whether the engine drives it and not a clock: then this says if it goes on, and [`Lesson::drive`] is called.
    fn engine_plays(&self, _scene: &Scene<'_>) -> Option<bool> {
        None
    }

    /// What a button does to a lesson that the engine drives.
    fn drive(&mut self, _what: Drive, _scene: &mut Scene<'_>) {}

    /// Takes what it needs of an event.
    fn event(&mut self, _event: &dsee_core::protocol::Event) {}
}

/// A number of a link that is at most `max`.
pub fn parse(value: &str, max: usize) -> Option<usize> {
    value.parse().ok().filter(|x| *x <= max)
}
