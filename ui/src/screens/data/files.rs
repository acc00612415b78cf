//! The data files in use, and those that were chosen or dropped.

use dsee_core::{
    protocol::{Command, Settings},
    source::NamedBytes,
};

use crate::{
    screens::model::{is_data_file, is_model_file, is_settings_file},
    shell::{Action, FileInput, FileRef, Purpose},
    state::{AppState, Screen},
};

/// Settings that only make sense for the file they were chosen for.
const COLUMNS: [&str; 3] = ["text_column", "text_pair_column", "label_column"];

/// The data files in use.
#[derive(Default)]
pub(super) struct DataFiles {
    train: Option<FileInput>,
    validation: Option<FileInput>,
    /// What was wrong with files that were dropped last, one sentence each.
    pub(super) problems: Vec<String>,
}

impl DataFiles {
    /// Takes data files out of what was chosen or dropped.
    pub(super) fn take(&mut self, state: &mut AppState, actions: &mut Vec<Action>) {
        // Another screen may have gone back to the data inside the program.
        if state.sources.data_is_built_in() {
            (self.train, self.validation) = (None, None);
        }
        let mut rest = Vec::new();
        for (purpose, name, files) in std::mem::take(&mut state.files) {
            match purpose {
                Purpose::TrainData => self.use_files(files, state, actions),
                Purpose::ValidationData => {
                    self.problems.clear();
                    self.validation = files.into_iter().next().map(FileInput::Held);
                    self.send(state, actions);
                }
                Purpose::Dropped if files.iter().any(|file| is_data_file(&file.name)) => {
                    let (data, others): (Vec<_>, Vec<_>) =
                        files.into_iter().partition(|file| is_data_file(&file.name));
                    self.use_files(data, state, actions);
                    state.screen = Screen::Data;
                    let elsewhere =
                        |file: &FileRef| is_model_file(&file.name) || is_settings_file(&file.name);
                    let (known, unknown): (Vec<_>, Vec<_>) = others.into_iter().partition(elsewhere);
                    self.problems.extend(crate::screens::model::unknown_files(&unknown));
                    if !known.is_empty() {
                        rest.push((purpose, name, known));
                    }
                }
                // The Model screen has said already what is wrong with files that nobody knows.
                Purpose::Dropped if !files.iter().any(|file| is_settings_file(&file.name)) => {}
                _ => rest.push((purpose, name, files)),
            }
        }
        state.files = rest;
    }

    /// The first file is for training; another whose name says so is for validation.
    fn use_files(&mut self, files: Vec<FileRef>, state: &mut AppState, actions: &mut Vec<Action>) {
        self.problems.clear();
        let says_validation = |file: &FileRef| {
            let name = file.name.to_ascii_lowercase();
            ["valid", "dev", "eval", "test"].iter().any(|word| name.contains(word))
        };
        let (mut train, mut validation) = (None, None);
        let several = files.len() > 1;
        for file in files {
            if several && validation.is_none() && says_validation(&file) {
                validation = Some(file);
            } else if train.is_none() {
                train = Some(file);
            } else {
                self.problems.push(format!(
                    "{}: not used; there is one file to train on and one whose name has valid, dev or test",
                    file.name
                ));
            }
        }
        self.train = train.or_else(|| validation.take()).map(FileInput::Held);
        self.validation = validation.map(FileInput::Held);
        self.send_new(state, actions);
    }

    /// Goes back to the sentences inside the program.
    pub(super) fn use_built_in(&mut self, state: &mut AppState, actions: &mut Vec<Action>) {
        (self.train, self.validation) = (None, None);
        self.problems.clear();
        self.send_new(state, actions);
    }

    /// Uses text from the clipboard as the training file.
    pub(super) fn use_pasted(&mut self, text: &str, state: &mut AppState, actions: &mut Vec<Action>) {
        let file = NamedBytes { name: "pasted.csv".to_owned(), bytes: text.as_bytes().to_vec() };
        (self.train, self.validation) = (Some(FileInput::Bytes(file)), None);
        self.problems.clear();
        self.send_new(state, actions);
    }

    /// Stops using the validation file.
    pub(super) fn drop_validation(&mut self, state: &mut AppState, actions: &mut Vec<Action>) {
        self.validation = None;
        self.send(state, actions);
    }

    /// Whether a file to train on was given.
    pub(super) fn has_train(&self) -> bool {
        self.train.is_some()
    }

    /// Whether a file to validate on was given.
    pub(super) fn has_validation(&self) -> bool {
        self.validation.is_some()
    }

    /// Sends another training file: what was chosen for the columns of the last one no longer holds.
    fn send_new(&self, state: &mut AppState, actions: &mut Vec<Action>) {
        COLUMNS.iter().for_each(|name| drop(state.settings.remove(*name)));
        self.send(state, actions);
    }

    fn send(&self, state: &mut AppState, actions: &mut Vec<Action>) {
        let files = self.train.iter().chain(&self.validation).cloned().collect();
        load(state, actions, files);
    }
}

/// Reads the data in use anew, as the present settings say.
pub(super) fn reload(state: &mut AppState, actions: &mut Vec<Action>) {
    if let Action::Send { files, .. } = state.sources.load_data(&state.settings) {
        load(state, actions, files);
    }
}

/// Asks the engine to read data; what was wrong with the last ones is history then.
fn load(state: &mut AppState, actions: &mut Vec<Action>, files: Vec<FileInput>) {
    if matches!(&state.rejected, Some((Command::LoadData { .. }, _))) {
        state.rejected = None;
    }
    let settings: Settings = state.settings.clone();
    actions.push(Action::Send { command: Command::LoadData { settings }, files });
}
