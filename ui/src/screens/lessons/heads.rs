//! Lesson 5: switch heads off and see which verdicts turn round.

use std::collections::BTreeMap;

use dsee_core::protocol::{Command, Event, Predicted, RunId, TextInput};
use egui::{RichText, Ui, vec2};

use super::{
    class_run::ClassRun,
    lesson::{Drive, Lesson, Scene, parse},
    switching::{SENTENCES, Verdicts, flips, switched_off},
    texts::{HEADS, Text},
};
use crate::{
    screens::try_it::{in_order, winner},
    shell::Action,
    state::{Activity, AppState},
    theme::{NARROW, SPACE, colours},
    widgets::primary,
};

/// The lesson's state.
#[derive(Default)]
pub struct SwitchHeads {
    /// What is switched off: 0 nothing, then every head, then every whole layer.
    position: usize,
    run: ClassRun,
    /// The run and its steps that the answers are about.
    of: Option<(RunId, usize)>,
    /// Position → verdicts.
    answers: BTreeMap<usize, Verdicts>,
    labels: Vec<String>,
    /// The request under way and its position.
    pending: Option<(u64, usize)>,
    problem: Option<String>,
}

impl SwitchHeads {
    /// Layers and heads of the loaded model.
    fn sizes(state: &AppState) -> (usize, usize) {
        state.model.as_ref().map_or((2, 4), |model| (model.num_hidden_layers, model.num_attention_heads))
    }

    fn last_position(state: &AppState) -> usize {
        let (n_layers, n_heads) = Self::sizes(state);
        n_layers * n_heads + n_layers
    }

    /// The run with the built-in model that has learned something and holds still.
    fn tuned(state: &AppState) -> Option<(RunId, usize)> {
        let (id, run) = (state.current?, state.run()?);
        let holds_still = matches!(run.activity, Activity::Paused | Activity::Finished | Activity::Stopped);
        let is_embedded = state.data.as_ref().is_some_and(|data| data.embedded);
        (holds_still && is_embedded && !run.discarded && !run.steps.is_empty())
            .then_some((id, run.steps.last().map_or(0, |(step, _)| *step)))
    }

    /// Asks for what is missing: first all heads on, then the chosen position.
    fn ask(&mut self, scene: &mut Scene<'_>) {
        let missing = [0, self.position].into_iter().find(|p| !self.answers.contains_key(p));
        let Some(position) = missing.filter(|_| self.pending.is_none() && self.problem.is_none()) else {
            return;
        };
        let (n_layers, n_heads) = Self::sizes(scene.state);
        let request = scene.state.next_number();
        let text = |text: &&str| TextInput { text: (*text).to_owned(), text_pair: None };
        let command = Command::Predict {
            request,
            texts: SENTENCES.iter().map(text).collect(),
            heads_off: switched_off(position, n_layers, n_heads).1,
        };
        self.pending = Some((request, position));
        scene.actions.push(Action::Send { command, files: Vec::new() });
    }

    fn note(&mut self, predicted: &Predicted, position: usize) {
        self.labels.clone_from(&predicted.label_names);
        let verdict = |prediction: &dsee_core::protocol::Prediction| {
            let newest = in_order(prediction).pop()?;
            let class = winner(newest)?;
            Some((class, newest.values[class]))
        };
        self.answers.insert(position, predicted.predictions.iter().filter_map(verdict).collect());
    }

    /// The sentences with their verdicts before and after.
    fn draw_table(&self, ui: &mut Ui) {
        let none = Verdicts::new();
        let before = self.answers.get(&0).unwrap_or(&none);
        let after = self.answers.get(&self.position).unwrap_or(&none);
        if ui.available_width() < NARROW * 0.75 {
            for (i, sentence) in SENTENCES.iter().enumerate() {
                ui.label(*sentence);
                ui.horizontal_wrapped(|ui| {
                    ui.label(RichText::new("before, now:").small().weak());
                    self.verdicts(ui, before.get(i), after.get(i));
                });
                ui.separator();
            }
            return;
        }
        let spacing = vec2(SPACE[3], SPACE[0]);
        egui::Grid::new("verdicts").spacing(spacing).min_col_width(110.0).striped(true).show(ui, |ui| {
            for title in ["sentence", "all heads on", "as chosen"] {
                ui.label(RichText::new(title).small().weak());
            }
            ui.end_row();
            for (i, sentence) in SENTENCES.iter().enumerate() {
                ui.label(*sentence);
                self.verdicts(ui, before.get(i), after.get(i));
                ui.end_row();
            }
        });
    }

    /// One sentence's verdict with all heads on, and with those that are on now.
    fn verdicts(&self, ui: &mut Ui, before: Option<&(usize, f64)>, after: Option<&(usize, f64)>) {
        let turned = matches!((before, after), (Some(a), Some(b)) if a.0 != b.0);
        self.verdict(ui, before, false);
        if self.position > 0 {
            self.verdict(ui, after, turned);
        }
    }

    fn verdict(&self, ui: &mut Ui, verdict: Option<&(usize, f64)>, turned: bool) {
        let Some((class, share)) = verdict else {
            ui.weak("…");
            return;
        };
        let label = self.labels.get(*class).map_or("?", String::as_str);
        let text = format!("{label} {:.0} %", 100.0 * share);
        if turned {
            ui.label(RichText::new(format!("turned: {text}")).strong().color(colours(ui).warning));
        } else {
            ui.label(text);
        }
    }

    /// How many verdicts turned round, for everything that was tried.
    fn draw_tried(&self, ui: &mut Ui, state: &AppState) {
        let Some(before) = self.answers.get(&0).filter(|_| self.answers.len() > 1) else { return };
        let (n_layers, n_heads) = Self::sizes(state);
        ui.add_space(SPACE[0]);
        ui.label(RichText::new("Verdicts that turned round, so far").strong());
        egui::Grid::new("tried").spacing(vec2(SPACE[1], SPACE[0])).striped(true).show(ui, |ui| {
            ui.label("");
            (0..n_heads)
                .for_each(|head| drop(ui.label(RichText::new(format!("head {head}")).small().weak())));
            ui.label(RichText::new("all").small().weak());
            ui.end_row();
            for layer in 0..n_layers {
                ui.label(format!("layer {layer}"));
                let heads = (0..n_heads).map(|head| layer * n_heads + head + 1);
                for position in heads.chain([n_layers * n_heads + layer + 1]) {
                    match self.answers.get(&position) {
                        Some(after) => ui.label(RichText::new(flips(before, after).to_string()).strong()),
                        None => ui.weak("–"),
                    };
                }
                ui.end_row();
            }
        });
    }

    /// What stands here while no run has tuned the model.
    fn offer(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        if self.run.activity(scene.state).is_some_and(Activity::is_under_way) {
            ui.label("The model is being tuned. The sentences are judged as soon as that is done.");
            self.run.show_progress(ui, scene.state);
            return;
        }
        ui.label("The model must learn to tell praise from blame first. A short run is enough.");
        match self.run.obstacle(scene.state) {
            Some(obstacle) => drop(ui.label(obstacle)),
            None => {
                if primary(ui, "Start a short run").clicked() {
                    self.run.drive(Drive::Play, "none", scene);
                }
            }
        }
    }
}

impl Lesson for SwitchHeads {
    fn text(&self) -> Text {
        HEADS
    }

    fn control(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        let last = Self::last_position(scene.state);
        self.position = self.position.min(last);
        if Self::tuned(scene.state).is_some() && scene.slider(ui, "head", &mut self.position, last, "head") {
            self.problem = None;
        }
    }

    fn draw(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        let Some(of) = Self::tuned(scene.state) else {
            self.offer(ui, scene);
            return;
        };
        if self.of != Some(of) {
            self.of = Some(of);
            self.answers.clear();
            self.problem = None;
        }
        let (n_layers, n_heads) = Self::sizes(scene.state);
        ui.label(RichText::new(switched_off(self.position, n_layers, n_heads).0).strong());
        self.ask(scene);
        if let Some(problem) = &self.problem {
            crate::widgets::error_line(ui, problem);
        }
        self.draw_table(ui);
        self.draw_tried(ui, scene.state);
    }

    fn advance(&mut self, scene: &mut Scene<'_>) -> bool {
        let last = Self::last_position(scene.state);
        // The answer that is under way is waited for.
        if self.answers.contains_key(&self.position) && self.position < last {
            self.position += 1;
        }
        Self::tuned(scene.state).is_some() && self.problem.is_none() && self.position < last
    }

    fn reset(&mut self, _scene: &mut Scene<'_>) {
        self.position = 0;
        self.problem = None;
    }

    fn seen(&self, scene: &Scene<'_>) -> Option<String> {
        let before = self.answers.get(&0)?;
        let tried = self.answers.iter().filter(|(position, _)| **position > 0);
        let counts: Vec<(usize, usize)> = tried.map(|(p, after)| (*p, flips(before, after))).collect();
        let (worst, n) = counts.iter().copied().max_by_key(|(p, n)| (*n, usize::MAX - p))?;
        let harmless = counts.iter().filter(|(_, n)| *n == 0).count();
        let (n_layers, n_heads) = Self::sizes(scene.state);
        let name = switched_off(worst, n_layers, n_heads).0;
        Some(format!(
            "{} switches were tried. {harmless} of them turned no verdict round. The most, {n} of {}, turned with {name}.",
            counts.len(),
            SENTENCES.len(),
        ))
    }

    fn write(&self) -> Vec<(&'static str, String)> {
        vec![("head", self.position.to_string())]
    }

    fn read(&mut self, key: &str, value: &str) {
        if key == "head" {
            self.position = parse(value, 10_000).unwrap_or(self.position);
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Predicted(predicted) => {
                if let Some((_, position)) =
                    self.pending.take_if(|(request, _)| *request == predicted.request)
                {
                    self.note(predicted, position);
                }
            }
            Event::Rejected { command: Command::Predict { request, .. }, problems }
                if self.pending.is_some_and(|(pending, _)| pending == *request) =>
            {
                self.pending = None;
                self.problem = problems.first().map(|problem| problem.text.clone());
            }
            Event::Failed(_) => self.pending = None,
            Event::ModelLoaded(_) => (self.pending, self.of) = (None, None),
            _ => {}
        }
    }
}
