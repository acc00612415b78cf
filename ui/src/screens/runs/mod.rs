//! Screen: saved runs, compared.

mod compare;
mod entries;

use std::collections::BTreeSet;

use dsee_core::{
    protocol::{Event, RunEvent},
    source::NamedBytes,
};
use egui::{Frame, Grid, RichText, ScrollArea, Stroke, Ui};

use crate::{
    shell::Action,
    state::AppState,
    theme::{ROUND, SPACE, colours},
    widgets::{
        self, form,
        numbers::{duration, thousands},
    },
};
use entries::{Entry, Figures, Key};

/// What the screen remembers.
#[derive(Default)]
pub struct RunsScreen {
    asked: bool,
    chosen: BTreeSet<Key>,
    /// The run whose deletion waits for a second press.
    doomed: Option<String>,
}

/// What was pressed in the list.
enum Press {
    Choose(Key),
    Resume(String),
    Delete(String),
    Doom(Option<String>),
}

impl RunsScreen {
    /// Takes what it needs of an event's bytes.
    pub fn event(&mut self, event: &Event, _attachments: &[NamedBytes]) {
        // A run that was saved just now is in the list the next time.
        let saved = matches!(event, Event::CheckpointSaved { .. })
            || matches!(event, Event::Run { event: RunEvent::Finished(_), .. });
        if saved {
            self.asked = false;
        }
    }

    /// Draws it.
    pub fn show(&mut self, ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        if !std::mem::replace(&mut self.asked, true) {
            actions.push(Action::ListRuns);
        }
        let lead = "Every run with its settings and curves. Tick several to compare them.";
        form::page(ui, "Runs", lead, |ui| {
            self.chosen.extend(state.shown_run.take().map(Key::Saved));
            let all = entries::all(state);
            self.chosen.retain(|key| all.iter().any(|(other, _)| other == key));
            let pressed = self.all(ui, &all);
            let open =
                form::button(ui, "Open a run folder…").on_hover_text("one that dsee train has written");
            if open.clicked() {
                actions.push(Action::PickRunFolder);
            }
            let chosen: Vec<Entry<'_>> =
                all.iter().filter(|(key, _)| self.chosen.contains(key)).map(|(_, entry)| *entry).collect();
            compare::show(ui, &chosen);
            if let Some(press) = pressed {
                self.act(press, state, actions);
            }
        });
    }

    /// Every run, in the form there is room for.
    fn all(&self, ui: &mut Ui, all: &[(Key, Entry<'_>)]) -> Option<Press> {
        widgets::card(ui, "", |ui| {
            if all.is_empty() {
                let text = "A run appears here when it starts, and stays when the window is closed.";
                widgets::empty_state(ui, "No runs yet", text, None);
                None
            } else if form::is_narrow(ui) {
                self.list(ui, all)
            } else {
                ScrollArea::horizontal().show(ui, |ui| self.table(ui, all)).inner
            }
        })
    }

    fn act(&mut self, press: Press, state: &mut AppState, actions: &mut Vec<Action>) {
        match press {
            Press::Choose(key) => {
                if !self.chosen.remove(&key) {
                    self.chosen.insert(key);
                }
            }
            Press::Doom(key) => self.doomed = key,
            Press::Delete(key) => {
                self.doomed = None;
                actions.push(Action::DeleteRun(key));
            }
            Press::Resume(key) => {
                if let Some(saved) = state.saved_runs.iter().find(|run| run.key == key).cloned() {
                    state.resume_saved(&saved, actions);
                }
            }
        }
    }

    fn table(&self, ui: &mut Ui, all: &[(Key, Entry<'_>)]) -> Option<Press> {
        let mut pressed = None;
        let metric =
            all.iter().map(|(_, entry)| Figures::of(entry.report).metric_name).find(|name| name != "metric");
        let tuned = format!("{}, tuned", metric.as_deref().unwrap_or("metric"));
        Grid::new("runs").num_columns(10).striped(true).spacing([SPACE[3], SPACE[1]]).show(ui, |ui| {
            let names = ["", "Run", "When", "Method", &tuned, "pruned", "retuned", "Trainable", "Time", ""];
            for name in names {
                ui.label(RichText::new(name).small().weak());
            }
            ui.end_row();
            for (key, entry) in all {
                let figures = Figures::of(entry.report);
                pressed = self.tick(ui, key, entry).or(pressed.take());
                cell(ui, RichText::new(&entry.report.title).strong(), 190.0);
                cell(ui, RichText::new(entry.when).weak(), 150.0);
                cell(ui, RichText::new(&figures.method), 170.0);
                for value in &figures.metrics {
                    ui.label(value.as_deref().unwrap_or("–"));
                }
                ui.label(trainable(&figures));
                ui.label(duration(figures.seconds()));
                ui.horizontal(|ui| pressed = self.buttons(ui, key, entry).or(pressed.take()));
                ui.end_row();
            }
        });
        pressed
    }

    fn list(&self, ui: &mut Ui, all: &[(Key, Entry<'_>)]) -> Option<Press> {
        let mut pressed = None;
        for (key, entry) in all {
            let figures = Figures::of(entry.report);
            let border = Stroke::new(1.0, colours(ui).border);
            Frame::new().stroke(border).corner_radius(ROUND).inner_margin(SPACE[2]).show(ui, |ui| {
                ui.set_width(ui.available_width());
                ui.horizontal(|ui| {
                    pressed = self.tick(ui, key, entry).or(pressed.take());
                    ui.add(egui::Label::new(RichText::new(&entry.report.title).strong()).truncate());
                });
                form::tight(ui, |ui| facts(ui, entry, &figures));
                if matches!(key, Key::Saved(_)) {
                    form::row(ui, |ui| pressed = self.buttons(ui, key, entry).or(pressed.take()));
                }
            });
        }
        pressed
    }

    fn tick(&self, ui: &mut Ui, key: &Key, entry: &Entry<'_>) -> Option<Press> {
        let mut ticked = self.chosen.contains(key);
        let name = format!("Compare {}, {}", entry.report.title, entry.when);
        let response = ui.name_inputs(name, |ui| ui.checkbox(&mut ticked, ""));
        response.changed().then(|| Press::Choose(key.clone()))
    }

    fn buttons(&self, ui: &mut Ui, key: &Key, entry: &Entry<'_>) -> Option<Press> {
        let Key::Saved(key) = key else { return None };
        let title = &entry.report.title;
        let named = |response, what: &str| form::named(response, &format!("{what} {title}, {}", entry.when));
        let mut press = None;
        if !entry.finished {
            let text = format!("Resume at {}", entry.step);
            if named(form::button(ui, &text), "Resume").clicked() {
                press = Some(Press::Resume(key.clone()));
            }
        }
        if self.doomed.as_ref() != Some(key) {
            if named(form::quiet_button(ui, "Delete"), "Delete").clicked() {
                press = Some(Press::Doom(Some(key.clone())));
            }
            return press;
        }
        if named(form::button(ui, "Delete for good"), "Really delete").clicked() {
            press = Some(Press::Delete(key.clone()));
        }
        if named(form::quiet_button(ui, "Keep"), "Keep").clicked() {
            press = Some(Press::Doom(None));
        }
        press
    }
}

fn facts(ui: &mut Ui, entry: &Entry<'_>, figures: &Figures) {
    form::fact(ui, "When", entry.when);
    form::fact(ui, "Method", &figures.method);
    for (state, value) in ["tuned", "pruned", "retuned"].iter().zip(&figures.metrics) {
        if let Some(value) = value {
            form::fact(ui, &format!("{}, {state}", figures.metric_name), value);
        }
    }
    form::fact(ui, "Trainable", &trainable(figures));
    form::fact(ui, "Time", &duration(figures.seconds()));
}

fn trainable(figures: &Figures) -> String {
    figures.trainable.map_or_else(|| "–".to_owned(), |n| thousands(n as usize))
}

/// Text that is cut at a width.
fn cell(ui: &mut Ui, text: RichText, width: f32) {
    ui.scope(|ui| {
        ui.set_max_width(width);
        ui.add(egui::Label::new(text).truncate());
    });
}
