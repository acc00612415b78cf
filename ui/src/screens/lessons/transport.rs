//! The buttons of a lesson: Play, Pause, Step, Reset, and slow motion.

use std::time::Duration;

use egui::{Button, Ui, vec2};

use super::lesson::{Drive, Lesson, Scene};
use crate::theme::{NARROW, SPACE, TARGET};

/// Seconds between two notches.
const PACE: f64 = 0.6;
/// The same in slow motion.
const SLOW_PACE: f64 = 2.0;

/// What the buttons remember.
#[derive(Default)]
pub struct Transport {
    /// Whether the clock drives the lesson.
    pub playing: bool,
    /// Whether in slow motion.
    pub slow: bool,
    /// Time of the last notch, in seconds of the window's clock.
    pub(super) last: f64,
}

impl Transport {
    /// Draws the buttons and does what they say; true if the lesson was reset.
    pub fn show(&mut self, ui: &mut Ui, lesson: &mut dyn Lesson, scene: &mut Scene<'_>) -> bool {
        self.tick(ui, lesson, scene);
        let mut pressed = None;
        let is_wide = ui.available_width() > NARROW * 0.9;
        let row = |ui: &mut Ui| {
            ui.spacing_mut().item_spacing = vec2(SPACE[1], SPACE[1]);
            let mut button = |ui: &mut Ui, name: &str, drive: Drive| {
                if ui.add(Button::new(name).min_size(vec2(TARGET * 1.5, TARGET))).clicked() {
                    pressed = Some(drive);
                }
            };
            let is_playing = lesson.engine_plays(scene).unwrap_or(self.playing);
            if scene.shows("play") {
                let (name, drive) = if is_playing { ("Pause", Drive::Pause) } else { ("Play", Drive::Play) };
                button(ui, name, drive);
            }
            if scene.shows("step") {
                button(ui, "Step", Drive::Step);
            }
            if scene.shows("reset") {
                button(ui, "Reset", Drive::Reset);
            }
            if scene.shows("slow") && lesson.engine_plays(scene).is_none() {
                ui.checkbox(&mut self.slow, "slow motion");
            }
            if is_wide {
                ui.add_space(SPACE[2]);
                lesson.control(ui, scene);
            }
        };
        if is_wide {
            ui.horizontal(row);
        } else {
            ui.horizontal_wrapped(row);
            lesson.control(ui, scene);
        }
        if let Some(drive) = pressed {
            self.drive(ui, drive, lesson, scene);
        }
        pressed == Some(Drive::Reset)
    }

    fn drive(&mut self, ui: &Ui, drive: Drive, lesson: &mut dyn Lesson, scene: &mut Scene<'_>) {
        if lesson.engine_plays(scene).is_some() && drive != Drive::Reset {
            lesson.drive(drive, scene);
            return;
        }
        self.playing = false;
        match drive {
            Drive::Play => {
                self.playing = lesson.advance(scene);
                self.last = ui.input(|input| input.time);
            }
            Drive::Pause => {}
            Drive::Step => drop(lesson.advance(scene)),
            Drive::Reset => lesson.reset(scene),
        }
    }

    /// Moves on when it is time.
    fn tick(&mut self, ui: &Ui, lesson: &mut dyn Lesson, scene: &mut Scene<'_>) {
        if !self.playing {
            return;
        }
        let pace = if self.slow { SLOW_PACE } else { PACE };
        let now = ui.input(|input| input.time);
        if now - self.last >= pace {
            self.last = now;
            self.playing = lesson.advance(scene);
        }
        ui.ctx()
            .request_repaint_after(Duration::from_secs_f64(pace - (now - self.last).clamp(0.0, pace * 0.95)));
    }
}
