//! Texts by a decoder: a prompt, how to write, and a column for every state that the words run into.

use dsee_core::{
    protocol::{Command, DataCard, DataForm, Event, PreviewRow, Variant, WrittenText},
    source::NamedBytes,
};
use egui::{Button, RichText, TextEdit, Ui, vec2};

use super::decoding::Decoding;
use super::verdicts::{ORDER, variant_name};
use crate::{
    shell::Action,
    state::AppState,
    theme::{NARROW, SPACE, TARGET, colours},
    widgets::{card, error_line, form, primary},
};

/// Prompts that are offered.
const N_EXAMPLES: usize = 4;
/// Words of plain text that a prompt begins with.
const N_WORDS: usize = 4;

/// What the part of the screen remembers.
#[derive(Default)]
pub struct Writing {
    prompt: String,
    decoding: Decoding,
    /// The request under way.
    pending: Option<u64>,
    /// The prompt of the texts below.
    of: String,
    texts: Vec<WrittenText>,
    problem: Option<String>,
}

impl Writing {
    /// Takes what it needs of an event.
    pub fn event(&mut self, event: &Event, _attachments: &[NamedBytes]) {
        match event {
            Event::Writing { request, text } if Some(*request) == self.pending => {
                match self.texts.iter_mut().find(|known| known.variant == text.variant) {
                    Some(known) => known.clone_from(text),
                    None => self.texts.push(text.clone()),
                }
            }
            Event::Written(written) if Some(written.request) == self.pending => {
                self.pending = None;
                self.texts.clone_from(&written.texts);
            }
            Event::Rejected { command: Command::Write { request, .. }, problems }
                if Some(*request) == self.pending =>
            {
                self.pending = None;
                self.problem = problems.first().map(|problem| problem.text.clone());
            }
            Event::Failed(_) => self.pending = None,
            Event::ModelLoaded(_) => {
                self.pending = None;
                self.texts.clear();
            }
            _ => {}
        }
    }

    /// Draws it.
    pub fn show(&mut self, ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        if state.engine_gone {
            self.pending = None;
        }
        self.decoding.follow(state);
        self.ask(ui, state, actions);
        self.columns(ui, state);
    }

    fn ask(&mut self, ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        let is_plain = state.goes_on();
        let (title, name) =
            if is_plain { ("Your own beginning", "Beginning") } else { ("Your own meaning", "Meaning") };
        card(ui, title, |ui| {
            let label = ui.label(RichText::new(name).small().weak());
            let hint = if is_plain { "The cafe is" } else { "name : Oak Mill | type : cafe | pets : no" };
            let field = TextEdit::multiline(&mut self.prompt).hint_text(hint).desired_rows(2);
            ui.add(field.desired_width(f32::INFINITY)).labelled_by(label.id);
            let mut go = self.examples(ui, state.data.as_ref());
            ui.add_space(SPACE[1]);
            self.decoding.show(ui);
            ui.add_space(SPACE[1]);
            let can = self.pending.is_none() && !self.prompt.trim().is_empty() && !state.engine_gone;
            ui.horizontal(|ui| {
                go |= ui.add_enabled_ui(can, |ui| primary(ui, "Write").clicked()).inner;
                let stop = Button::new("Stop writing").min_size(vec2(0.0, TARGET));
                if ui.add_enabled(self.pending.is_some(), stop).clicked()
                    && let Some(request) = self.pending
                {
                    actions
                        .push(Action::Send { command: Command::StopWriting { request }, files: Vec::new() });
                }
                if self.pending.is_some() {
                    ui.add(egui::Spinner::new().size(16.0));
                }
            });
            if let Some(problem) = &self.problem {
                error_line(ui, problem);
            }
            if go && can {
                self.write(state, actions);
            }
        });
    }

    /// Prompts from the validation data; true when one was pressed.
    fn examples(&mut self, ui: &mut Ui, data: Option<&DataCard>) -> bool {
        let Some(data) = data.filter(|data| !data.held_out.is_empty()) else { return false };
        let mut pressed = false;
        ui.label(RichText::new("From the validation data, not trained on:").small().weak());
        for row in data.held_out.iter().take(N_EXAMPLES) {
            let prompt = prompt_of(row, data.form);
            let button = Button::new(RichText::new(&prompt).small()).wrap().corner_radius(14.0);
            if ui.add(button).clicked() {
                self.prompt = prompt;
                pressed = true;
            }
        }
        pressed
    }

    fn write(&mut self, state: &mut AppState, actions: &mut Vec<Action>) {
        let request = state.next_number();
        (self.pending, self.problem) = (Some(request), None);
        self.of = self.prompt.trim().to_owned();
        self.texts.clear();
        let (prompt, settings) = (self.of.clone(), self.decoding.settings());
        let command = Command::Write { request, prompt, settings, variants: Vec::new() };
        actions.push(Action::Send { command, files: Vec::new() });
    }

    /// The texts side by side, and what was to be written under them.
    fn columns(&self, ui: &mut Ui, state: &AppState) {
        card(ui, "What each state writes", |ui| {
            if self.of.is_empty() || self.texts.is_empty() && self.pending.is_none() {
                ui.label("Press an example or Write: the text of every state of the model runs in here, word by word.");
                return;
            }
            ui.label(RichText::new(&self.of).italics());
            ui.add_space(SPACE[1]);
            texts(ui, &self.texts);
            let known = state.data.iter().flat_map(|data| data.held_out.iter().chain(&data.preview));
            let references = known.filter(|row| row.text == self.of).map(|row| &row.references).next();
            if let Some(references) = references.filter(|references| !references.is_empty()) {
                ui.add_space(SPACE[1]);
                ui.label(RichText::new("Reference texts").strong());
                references.iter().for_each(|text| drop(ui.label(text)));
            }
            if state.run().is_none() {
                ui.label(RichText::new("Nothing is tuned yet. Start a run and write again.").weak());
            }
        });
    }
}

/// The texts of all states in columns, in the order of a run; below each other where it is narrow.
pub fn texts(ui: &mut Ui, texts: &[WrittenText]) {
    let of = |variant: &Variant| texts.iter().find(|text| text.variant == *variant);
    let texts: Vec<&WrittenText> = ORDER.iter().filter_map(of).collect();
    let n_columns = if ui.available_width() < NARROW { 1 } else { texts.len().max(1) };
    ui.spacing_mut().item_spacing.x = SPACE[4];
    ui.columns(n_columns, |columns| {
        for (i, text) in texts.iter().enumerate() {
            let ui = &mut columns[i % n_columns];
            column(ui, text);
            ui.add_space(SPACE[1]);
        }
    });
}

fn column(ui: &mut Ui, text: &WrittenText) {
    let (name, meaning) = variant_name(text.variant);
    ui.spacing_mut().item_spacing = vec2(SPACE[1], SPACE[0]);
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(name).strong());
        ui.label(RichText::new(meaning).small().weak());
    });
    ui.add(egui::Label::new(RichText::new(&text.text).color(colours(ui).strong)).wrap().selectable(true));
    let end = if text.is_complete { ", ended by itself" } else { "" };
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(format!("{} tokens{end}", text.n_tokens)).small().weak());
        let copy = form::quiet_button(ui, "Copy");
        if form::named(copy, &format!("Copy the text of {name}")).clicked() {
            ui.ctx().copy_text(text.text.clone());
        }
    });
}

/// The whole of a meaning; of plain text its first words.
fn prompt_of(row: &PreviewRow, form: DataForm) -> String {
    match form {
        DataForm::Plain => row.text.split_whitespace().take(N_WORDS).collect::<Vec<_>>().join(" "),
        DataForm::Generation | DataForm::Labelled => row.text.clone(),
    }
}
