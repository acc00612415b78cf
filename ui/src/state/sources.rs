//! Where the loaded model and data came from, so that a new engine can be given the same.

use dsee_core::protocol::{Command, Settings};

use crate::shell::{Action, FileInput};

/// What was given to the engine last; empty for what is inside the program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sources {
    model: (String, Vec<FileInput>),
    data: (Settings, Vec<FileInput>),
}

impl Sources {
    /// Remembers what goes to the engine.
    pub fn note(&mut self, action: &Action) {
        match action {
            Action::Send { command: Command::LoadModel { name }, files } => {
                self.model = (name.clone(), files.clone());
            }
            Action::Send { command: Command::LoadData { settings }, files } => {
                self.data = (settings.clone(), files.clone());
            }
            _ => {}
        }
    }

    /// Gives the engine the model it had.
    #[must_use]
    pub fn load_model(&self) -> Action {
        let (name, files) = self.model.clone();
        Action::Send { command: Command::LoadModel { name }, files }
    }

    /// Gives the engine the data it had: they must be read anew for every model, with its tokenizer. The sentences
    /// inside the program are read as `settings` say.
    #[must_use]
    pub fn load_data(&self, settings: &Settings) -> Action {
        let (given, files) = self.data.clone();
        let settings = if files.is_empty() { settings.clone() } else { given };
        Action::Send { command: Command::LoadData { settings }, files }
    }
}
