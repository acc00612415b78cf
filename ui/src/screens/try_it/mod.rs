//! Screen: own sentences, judged by every state of the model; how it does on the validation data. For a model that
//! writes: own prompts, and the texts of every state.

mod decoding;
mod quality;
mod switches;
mod verdicts;
mod writing;

pub use switches::{HeadsOff, toggle};
pub use verdicts::{in_order, variant_name, winner};
pub use writing::texts;

use dsee_core::{
    protocol::{Command, DataCard, DataForm, Event, ModelCard, Predicted, TextInput},
    source::NamedBytes,
};
use egui::{Align, Button, CollapsingHeader, Key, Layout, RichText, TextEdit, Ui, vec2};

use crate::{
    shell::Action,
    state::{AppState, Screen},
    theme::{NARROW, SPACE, TARGET},
    widgets::{card, empty_state, error_line, form, primary},
};

/// Sentences for the built-in data: small words that turn the meaning round.
const EXAMPLES: [&str; 6] = [
    "The soup was anything but bland.",
    "The plot was dull, but the acting saved it.",
    "Nobody could say that the room was not spotless.",
    "The old one was better than this phone.",
    "Neither the bread nor the coffee was stale.",
    "My brother said that the clerk was rude, and that was wrong.",
];

/// What the screen remembers.
#[derive(Default)]
pub struct TryItScreen {
    text: String,
    pair: String,
    heads_off: HeadsOff,
    /// The request under way.
    pending: Option<u64>,
    /// The newest answer, and the heads that were off for it.
    answer: Option<(Predicted, usize)>,
    /// Heads that are off for the request under way.
    n_off: usize,
    /// Whether a judgement is under way.
    judging: bool,
    problem: Option<String>,
    /// What stands here for a model that writes.
    writing: writing::Writing,
}

impl TryItScreen {
    /// Takes what it needs of an event's bytes.
    pub fn event(&mut self, event: &Event, attachments: &[NamedBytes]) {
        self.writing.event(event, attachments);
        match event {
            Event::Predicted(predicted) if Some(predicted.request) == self.pending => {
                self.pending = None;
                self.answer = Some((predicted.clone(), self.n_off));
            }
            Event::Judged { .. } => self.judging = false,
            Event::Rejected { command: Command::Predict { request, .. }, problems }
                if Some(*request) == self.pending =>
            {
                self.pending = None;
                self.problem = problems.first().map(|problem| problem.text.clone());
            }
            Event::Rejected { command: Command::Judge { .. }, problems } => {
                self.judging = false;
                self.problem = problems.first().map(|problem| problem.text.clone());
            }
            Event::Failed(_) => (self.pending, self.judging) = (None, false),
            Event::ModelLoaded(_) => {
                (self.heads_off, self.answer, self.pending) = (HeadsOff::new(), None, None);
            }
            _ => {}
        }
    }

    /// Draws it.
    pub fn show(&mut self, ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        let Some(model) = state.model.clone() else {
            let text = "Load a model first: the built-in one is there at once.";
            if empty_state(ui, "No model yet", text, Some("Choose a model")) {
                state.screen = Screen::Model;
            }
            return;
        };
        if state.engine_gone {
            (self.pending, self.judging) = (None, false);
        }
        let writes = state.writes();
        let lead = if writes {
            "A text by every state of the model, side by side: before the run and after each of its phases."
        } else {
            "Your own sentence, judged by every state of the model: before the run and after each of its phases."
        };
        form::page(ui, "Try it", lead, |ui| {
            if writes {
                self.writing.show(ui, state, actions);
                return;
            }
            if state.data.as_ref().is_some_and(|data| data.form != DataForm::Labelled) {
                let text = "An encoder learns hidden words of plain text: there is no sentence to judge, and it \
                            writes nothing. Export it, or give it labelled data.";
                empty_state(ui, "Nothing to try", text, None);
                return;
            }
            self.ask(ui, &model, state, actions);
            self.verdicts(ui, state);
            self.quality(ui, state, actions);
        });
    }

    /// The text and what goes with it.
    fn ask(&mut self, ui: &mut Ui, model: &ModelCard, state: &mut AppState, actions: &mut Vec<Action>) {
        card(ui, "Your own sentence", |ui| {
            let has_pair = state.data.as_ref().is_some_and(|data| data.text_pair_column.is_some());
            let mut go = text_field(ui, &mut self.text, "Type a sentence");
            if has_pair {
                go |= text_field(ui, &mut self.pair, "and the second sentence of the pair");
            }
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = vec2(SPACE[0], SPACE[0]);
                for (text, pair) in examples(state.data.as_ref()) {
                    if ui.add(Button::new(RichText::new(&text).small()).corner_radius(14.0)).clicked() {
                        (self.text, self.pair) = (text, pair.unwrap_or_default());
                        go = true;
                    }
                }
            });
            ui.add_space(SPACE[1]);
            let (n_layers, n_heads) = (model.num_hidden_layers, model.num_attention_heads);
            let n_off: usize = self.heads_off.values().map(Vec::len).sum();
            let title = if n_off == 0 { "Switch heads off".into() } else { format!("Heads off: {n_off}") };
            CollapsingHeader::new(title).id_salt("heads off").show(ui, |ui| {
                let changed = switches::show(ui, n_layers, n_heads, &mut self.heads_off);
                go |= changed && !self.text.trim().is_empty() && self.answer.is_some();
            });
            ui.add_space(SPACE[1]);
            let can = self.pending.is_none() && !self.text.trim().is_empty() && !state.engine_gone;
            ui.horizontal(|ui| {
                go |= ui.add_enabled_ui(can, |ui| primary(ui, "Predict").clicked()).inner;
                if self.pending.is_some() {
                    ui.add(egui::Spinner::new().size(16.0));
                }
            });
            if let Some(problem) = &self.problem {
                error_line(ui, problem);
            }
            if go && can {
                self.predict(state, actions);
            }
        });
    }

    fn predict(&mut self, state: &mut AppState, actions: &mut Vec<Action>) {
        let request = state.next_number();
        let text_pair = (!self.pair.trim().is_empty()).then(|| self.pair.trim().to_owned());
        let texts = vec![TextInput { text: self.text.trim().to_owned(), text_pair }];
        let heads_off = self.heads_off.clone();
        self.n_off = heads_off.values().map(Vec::len).sum();
        (self.pending, self.problem) = (Some(request), None);
        let command = Command::Predict { request, texts, heads_off };
        actions.push(Action::Send { command, files: Vec::new() });
    }

    fn verdicts(&self, ui: &mut Ui, state: &AppState) {
        card(ui, "What the model says", |ui| {
            let Some((answer, n_off)) = &self.answer else {
                ui.label(
                    "Type a sentence or press one of the examples: the probabilities of every state of the \
                          model stand here side by side.",
                );
                return;
            };
            if let Some(prediction) = answer.predictions.first() {
                let heads = match n_off {
                    0 => String::new(),
                    1 => " (1 head off)".to_owned(),
                    n => format!(" ({n} heads off)"),
                };
                ui.label(RichText::new(format!("“{}”{heads}", prediction.input.text)).italics());
                ui.add_space(SPACE[1]);
            }
            verdicts::show(ui, answer);
            if state.run().is_none() {
                ui.label("Before a run the task head is new, so this is a guess. Start a run and try again.");
            }
        });
    }

    fn quality(&mut self, ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        let Some(run) = state.current.filter(|_| state.run().is_some_and(|run| !run.steps.is_empty())) else {
            card(ui, "Validation data", |ui| {
                ui.label(
                    "After the first steps of a run, its confusion matrix and worst mistakes stand here.",
                );
            });
            return;
        };
        let known = state.quality.get(&run).cloned();
        let engine_gone = state.engine_gone;
        let mut judge = |ui: &mut Ui, text: &str| {
            let can = !self.judging && !engine_gone;
            if ui.add_enabled(can, Button::new(text).min_size(vec2(0.0, TARGET))).clicked() {
                self.judging = true;
                let command = Command::Judge { run };
                actions.push(Action::Send { command, files: Vec::new() });
            }
        };
        let Some(quality) = known else {
            card(ui, "Validation data", |ui| {
                ui.label("Which labels are taken for which, and where the model is surely wrong.");
                ui.horizontal(|ui| judge(ui, "Judge the validation data"));
            });
            return;
        };
        let left = |ui: &mut Ui, judge: &mut dyn FnMut(&mut Ui, &str)| {
            card(ui, "Confusion matrix", |ui| {
                quality::confusion(ui, &quality);
                ui.add_space(SPACE[1]);
                ui.horizontal(|ui| judge(ui, "Judge again"));
            });
        };
        let right = |ui: &mut Ui| card(ui, "Worst mistakes", |ui| quality::mistakes(ui, &quality.mistakes));
        let pressed = if ui.available_width() < NARROW {
            left(ui, &mut judge);
            right(ui)
        } else {
            // Columns would stretch every line of text; plain layouts inside them do not.
            let layout = Layout::top_down(Align::Min);
            ui.columns_const(|[a, b]| {
                a.with_layout(layout, |ui| left(ui, &mut judge));
                b.with_layout(layout, right).inner
            })
        };
        if let Some(input) = pressed {
            self.text = input.text;
            self.pair = input.text_pair.unwrap_or_default();
            if self.pending.is_none() && !engine_gone {
                self.predict(state, actions);
            }
        }
    }
}

/// A field for one line; true when Enter was pressed in it.
fn text_field(ui: &mut Ui, text: &mut String, hint: &str) -> bool {
    let field = TextEdit::singleline(text)
        .hint_text(hint)
        .desired_width(f32::INFINITY)
        .min_size(vec2(0.0, TARGET))
        .align(egui::Align2::LEFT_CENTER);
    let response = ui.add(field);
    response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter))
}

/// Sentences to begin with: chosen ones for the built-in data, else the first rows.
fn examples(data: Option<&DataCard>) -> Vec<(String, Option<String>)> {
    match data.filter(|data| !data.embedded) {
        None => EXAMPLES.iter().map(|text| ((*text).to_owned(), None)).collect(),
        Some(data) => {
            let rows = data.preview.iter().filter(|row| row.text.chars().count() <= 120).take(4);
            rows.map(|row| (row.text.clone(), row.text_pair.clone())).collect()
        }
    }
}
