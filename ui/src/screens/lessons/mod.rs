//! Screen: six lessons. Each asks one question, computes for real, and has one thing to drag.

mod budget;
mod class_run;
mod heads;
mod lesson;
mod low_rank;
mod pictures;
mod prune;
mod sweeps;
mod switching;
mod texts;
mod transport;
mod writing;

pub use lesson::CONTROLS;

use std::collections::BTreeSet;

use dsee_core::{protocol::Event, source::NamedBytes};
use egui::{Align, Button, CollapsingHeader, ComboBox, Layout, RichText, Ui, vec2};

use crate::{
    shell::Action,
    state::AppState,
    theme::{NARROW, SPACE, TARGET, colours},
    widgets::{card, page::page},
};
use lesson::{Lesson, Scene};
use transport::Transport;

/// Width of the list of lessons where it stands beside them.
const LIST: f32 = 230.0;

/// What the screen remembers.
pub struct LessonsScreen {
    lessons: [Box<dyn Lesson>; 6],
    /// The open lesson, from 0.
    open: usize,
    /// The open step of its text, from 0.
    step: usize,
    transport: Transport,
    /// The link that was opened: Reset goes back to it.
    opened: Option<String>,
    /// The link as this screen wrote it last into the window's state.
    written: Option<String>,
}

impl Default for LessonsScreen {
    fn default() -> Self {
        Self {
            lessons: lessons(),
            open: 0,
            step: 0,
            transport: Transport::default(),
            opened: None,
            written: None,
        }
    }
}

/// All lessons, each at its start.
fn lessons() -> [Box<dyn Lesson>; 6] {
    [
        Box::new(low_rank::LowRank::default()),
        Box::new(sweeps::SweepBySweep::default()),
        Box::new(budget::BudgetGame::default()),
        Box::new(prune::PruneAndRetune::default()),
        Box::new(heads::SwitchHeads::default()),
        Box::new(writing::WriteFromMeaning::default()),
    ]
}

impl LessonsScreen {
    /// Takes what it needs of an event's bytes.
    pub fn event(&mut self, event: &Event, _attachments: &[NamedBytes]) {
        self.lessons.iter_mut().for_each(|lesson| lesson.event(event));
    }

    /// The open lesson and how it is set: `lesson=1&step=2&rank=3&entries=8&seed=1`.
    #[must_use]
    pub fn link(&self) -> String {
        let mut parts = vec![("lesson", (self.open + 1).to_string()), ("step", (self.step + 1).to_string())];
        parts.extend(self.lessons[self.open].write());
        if self.transport.slow {
            parts.push(("slow", "1".to_owned()));
        }
        parts.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&")
    }

    /// Goes where [`Self::link`] was written. What makes no sense in it is left out.
    pub fn open_link(&mut self, link: &str) {
        let pairs: Vec<(&str, &str)> = link.split('&').filter_map(|part| part.split_once('=')).collect();
        let value = |key: &str| pairs.iter().find(|pair| pair.0 == key).map(|pair| pair.1);
        let number = |key: &str| value(key).and_then(|text| text.parse::<usize>().ok()).map(|x| x.max(1) - 1);
        self.open = number("lesson").filter(|i| *i < self.lessons.len()).unwrap_or(self.open);
        let n_steps = self.lessons[self.open].text().steps.len();
        self.step = number("step").filter(|i| *i < n_steps).unwrap_or(0);
        self.transport = Transport::default();
        self.transport.slow = value("slow") == Some("1");
        for (key, value) in pairs {
            self.lessons[self.open].read(key, value);
        }
        self.opened = Some(link.to_owned());
    }

    /// Draws it.
    pub fn show(&mut self, ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        if state.lesson != self.written
            && let Some(link) = state.lesson.clone()
        {
            self.open_link(&link);
        }
        let hidden = state.hidden.clone();
        page(ui, "lessons", |ui| {
            let shows_list = !hidden.contains("list");
            if ui.available_width() < NARROW {
                if shows_list {
                    self.menu(ui);
                }
                self.lesson(ui, state, actions, &hidden);
                return;
            }
            ui.horizontal_top(|ui| {
                if shows_list {
                    ui.vertical(|ui| {
                        ui.set_width(LIST);
                        self.list(ui);
                    });
                    ui.add_space(SPACE[1]);
                }
                ui.vertical(|ui| self.lesson(ui, state, actions, &hidden));
            });
        });
        let link = Some(self.link());
        self.written.clone_from(&link);
        state.lesson = link;
    }

    fn list(&mut self, ui: &mut Ui) {
        ui.spacing_mut().item_spacing.y = SPACE[0];
        for i in 0..self.lessons.len() {
            let text = format!("{}   {}", i + 1, self.lessons[i].text().question);
            let button = Button::selectable(self.open == i, text).wrap().min_size(vec2(LIST, TARGET));
            if ui.add(button).clicked() {
                self.go(i);
            }
        }
    }

    fn menu(&mut self, ui: &mut Ui) {
        let name = |i: usize, lesson: &dyn Lesson| format!("{}   {}", i + 1, lesson.text().question);
        let mut chosen = self.open;
        ui.spacing_mut().interact_size.y = TARGET;
        let label = ui.label(RichText::new("Lesson").small().weak());
        let open = name(chosen, self.lessons[chosen].as_ref());
        let width = ui.available_width();
        let shown =
            ComboBox::from_id_salt("lesson").selected_text(open).width(width).truncate().show_ui(ui, |ui| {
                for (i, lesson) in self.lessons.iter().enumerate() {
                    ui.selectable_value(&mut chosen, i, name(i, lesson.as_ref()));
                }
            });
        shown.response.labelled_by(label.id);
        if chosen != self.open {
            self.go(chosen);
        }
    }

    fn go(&mut self, lesson: usize) {
        (self.open, self.step) = (lesson, 0);
        self.transport.playing = false;
    }

    /// The open lesson: question, text, buttons, what it shows, and what was seen.
    fn lesson(
        &mut self,
        ui: &mut Ui,
        state: &mut AppState,
        actions: &mut Vec<Action>,
        hidden: &BTreeSet<String>,
    ) {
        ui.spacing_mut().item_spacing.y = SPACE[1];
        let lesson = &mut self.lessons[self.open];
        let text = lesson.text();
        let mut scene = Scene { state, actions, hidden, step: self.step };
        card(ui, "", |ui| {
            let is_narrow = ui.available_width() < NARROW * 0.75;
            let shows_text = scene.shows("text");
            ui.horizontal(|ui| {
                ui.add(egui::Label::new(RichText::new(text.question).heading()).wrap());
                if shows_text && !is_narrow {
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                        pager(ui, &mut self.step, text.steps.len());
                    });
                }
            });
            if shows_text {
                ui.label(text.steps[self.step.min(text.steps.len() - 1)]);
                if is_narrow {
                    ui.horizontal(|ui| pager(ui, &mut self.step, text.steps.len()));
                }
            }
        });
        card(ui, "", |ui| {
            let was_reset = self.transport.show(ui, lesson.as_mut(), &mut scene);
            if let Some(link) = self.opened.as_ref().filter(|_| was_reset) {
                let is_of_this = link.split('&').any(|part| part == format!("lesson={}", self.open + 1));
                let pairs = link.split('&').filter_map(|part| part.split_once('='));
                pairs.filter(|_| is_of_this).for_each(|(key, value)| lesson.read(key, value));
            }
            ui.add_space(SPACE[0]);
            lesson.draw(ui, &mut scene);
        });
        if let Some(seen) = lesson.seen(&scene) {
            card(ui, "What you saw", |ui| ui.label(seen));
        }
        if scene.shows("link") {
            self.teacher(ui, state);
        }
    }

    /// The link to this lesson, and what it hides.
    fn teacher(&self, ui: &mut Ui, state: &mut AppState) {
        CollapsingHeader::new("For teachers: a link to this").id_salt("teacher").show(ui, |ui| {
            ui.label("The link opens the lesson as it stands here. Choose what the class shall not see:");
            ui.horizontal_wrapped(|ui| {
                for (name, what) in CONTROLS {
                    let mut is_hidden = state.hidden.contains(name);
                    if ui.checkbox(&mut is_hidden, format!("hide {what}")).changed() {
                        if is_hidden {
                            state.hidden.insert(name.to_owned());
                        } else {
                            state.hidden.remove(name);
                        }
                    }
                }
            });
            let link = format!("#{}", crate::link::write(state));
            ui.label(RichText::new(&link).monospace());
            if ui.button("Copy link").clicked() {
                ui.ctx().copy_text(link);
            }
        });
    }
}

/// Back and Next through the text.
fn pager(ui: &mut Ui, step: &mut usize, n_steps: usize) {
    let is_reversed = ui.layout().prefer_right_to_left();
    let order: [usize; 3] = if is_reversed { [2, 1, 0] } else { [0, 1, 2] };
    for part in order {
        match part {
            0 => {
                if ui.add_enabled(*step > 0, Button::new("Back")).clicked() {
                    *step -= 1;
                }
            }
            1 => drop(ui.label(RichText::new(format!("{} of {n_steps}", *step + 1)).weak())),
            _ => {
                let next = Button::new(RichText::new("Next").color(colours(ui).accent));
                if ui.add_enabled(*step + 1 < n_steps, next).clicked() {
                    *step += 1;
                }
            }
        }
    }
}
