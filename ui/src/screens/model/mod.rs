//! Screen: where the model comes from.

mod card;
mod files;
mod hub;
mod storage;

pub use files::{is_data_file, is_model_file, is_settings_file, model_files, unknown_files};

use dsee_core::{
    builtin::DECODER_NAME,
    protocol::{Command, Event},
    source::NamedBytes,
};
use egui::Ui;

use crate::{
    shell::{Action, FileInput, Purpose},
    state::{AppState, Screen, presets},
    widgets::{
        self,
        form::{self, Tone},
    },
};

/// What the screen remembers.
#[derive(Default)]
pub struct ModelScreen {
    hub: hub::HubForm,
    storage: storage::StorageList,
    /// What was wrong with files that were dropped last.
    unknown: Vec<String>,
}

impl ModelScreen {
    /// Takes what it needs of an event's bytes.
    pub fn event(&mut self, event: &Event, _attachments: &[NamedBytes]) {
        if matches!(event, Event::ModelLoaded(_)) {
            self.unknown.clear();
            // What was downloaded is kept from now on.
            self.storage.ask_again();
        }
    }

    /// Takes the files of a model out of what was chosen or dropped, whatever screen is open.
    pub fn take_files(&mut self, state: &mut AppState, actions: &mut Vec<Action>) {
        let mut rest = Vec::new();
        for (purpose, name, files) in std::mem::take(&mut state.files) {
            let (folder, model) = model_files(&files);
            let wanted = purpose == Purpose::Model || purpose == Purpose::Dropped && !model.is_empty();
            if !wanted {
                let unknown = unknown_files(&files);
                if purpose == Purpose::Dropped && unknown.len() == files.len() {
                    self.unknown = unknown;
                    state.screen = Screen::Model;
                }
                rest.push((purpose, name, files));
                continue;
            }
            if model.is_empty() {
                self.unknown = files::no_model(&files);
                continue;
            }
            self.unknown.clear();
            // Half a folder is sent all the same: the engine says what is missing.
            let name = [name, folder].into_iter().find(|name| !name.is_empty());
            let name = name.unwrap_or_else(|| "local model".to_owned());
            let inputs = model.into_iter().map(FileInput::Held).collect();
            load(state, actions, name, inputs);
            // A download may end while another screen is looked at; a drop is meant for now.
            if purpose == Purpose::Dropped {
                state.screen = Screen::Model;
            }
            // The same drop may hold data, too.
            let others: Vec<_> = files.into_iter().filter(|file| !is_model_file(&file.name)).collect();
            if purpose == Purpose::Dropped && others.iter().any(|file| is_data_file(&file.name)) {
                rest.push((purpose, String::new(), others));
            }
        }
        state.files = rest;
    }

    /// Draws it.
    pub fn show(&mut self, ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        self.take_files(state, actions);
        self.storage.ask(actions);
        let lead = "A pretrained model to start from. It is read on this device and never leaves it.";
        form::page(ui, "Model", lead, |ui| {
            self.show_problems(ui, state);
            form::columns(ui, 2, |columns| {
                let last = columns.len() - 1;
                card::show(&mut columns[last], state);
                let ui = &mut columns[0];
                show_local(ui, state, actions);
                self.hub.show(ui, state, actions);
                self.storage.show(ui, &state.storage, actions);
            });
        });
    }

    fn show_problems(&self, ui: &mut Ui, state: &AppState) {
        if !self.unknown.is_empty() {
            form::call_out(ui, Tone::Warning, "These files cannot be used", &self.unknown);
        }
        if let Some((Command::LoadModel { name }, problems)) = &state.rejected {
            let title = match name.as_str() {
                "" => "The built-in model cannot be read".to_owned(),
                name => format!("{name} cannot be used as a model"),
            };
            let lines: Vec<String> = problems.iter().map(|problem| format!("• {}", problem.text)).collect();
            form::call_out(ui, Tone::Error, &title, &lines);
        }
    }
}

/// Asks the engine to read a model; what was wrong with the last one is history then.
fn load(state: &mut AppState, actions: &mut Vec<Action>, name: String, files: Vec<FileInput>) {
    if matches!(&state.rejected, Some((Command::LoadModel { .. }, _))) {
        state.rejected = None;
    }
    actions.push(Action::Send { command: Command::LoadModel { name }, files });
}

/// Asks for the decoder inside the program; its data follow it, with settings that it learns from in a minute.
fn use_decoder(state: &mut AppState, actions: &mut Vec<Action>) {
    state.settings = presets::first_text();
    state.sources.forget_data();
    load(state, actions, DECODER_NAME.to_owned(), Vec::new());
}

fn show_local(ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
    widgets::card(ui, "On this device", |ui| {
        form::section(
            ui,
            "Built-in tiny model",
            "Ready at once: trained on simple English, made for trying things out.",
        );
        let used = |decoder: bool| {
            let model = state.model.as_ref();
            model.is_some_and(|model| model.embedded && model.is_decoder == decoder)
        };
        let (reads, writes) = (used(false), used(true));
        if form::button_if(ui, !reads, "Use built-in model").clicked() {
            if writes {
                state.settings = presets::first_run();
                state.sources.forget_data();
            }
            load(state, actions, String::new(), Vec::new());
        }
        form::section(
            ui,
            "Built-in tiny decoder",
            "Writes text: learns to describe invented places from their attributes. Its data come with it.",
        );
        if form::button_if(ui, !writes, "Use tiny decoder").clicked() {
            use_decoder(state, actions);
        }
        form::section(
            ui,
            "A model folder",
            "config.json, model.safetensors and tokenizer.json (or vocab.txt) of BERT, RoBERTa or GPT-2. \
             Choose them here, or drop the folder anywhere on the window.",
        );
        if form::button(ui, "Choose files…").clicked() {
            actions.push(Action::Pick(Purpose::Model));
        }
    });
}
