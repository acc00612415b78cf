//! Where the loaded model and data came from, so that a new engine can be given the same.

use dsee_core::builtin::DECODER_NAME;
use dsee_core::protocol::{Command, Settings};

use crate::shell::{Action, FileInput};

/// What was given to the engine last; empty for what is inside the program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sources {
    model: (String, Vec<FileInput>),
    data: (Settings, Vec<FileInput>),
    /// Whether the app around the window is loading a saved run: model and data come from there.
    is_resuming: bool,
}

impl Sources {
    /// Remembers what goes to the engine.
    pub fn note(&mut self, action: &Action) {
        match action {
            Action::Send { command: Command::LoadModel { name }, files } => {
                self.model = (name.clone(), files.clone());
                self.is_resuming = false;
            }
            Action::Send { command: Command::LoadData { settings }, files } => {
                self.data = (settings.clone(), files.clone());
            }
            Action::ResumeRun { .. } => self.is_resuming = true,
            _ => {}
        }
    }

    /// Whether the model that was just read belongs to a saved run, whose data follow by themselves. Asked once.
    pub fn take_resuming(&mut self) -> bool {
        std::mem::take(&mut self.is_resuming)
    }

    /// Goes back to the data inside the program.
    pub fn forget_data(&mut self) {
        self.data = (Settings::new(), Vec::new());
    }

    /// Whether the data are those inside the program.
    #[must_use]
    pub fn data_is_built_in(&self) -> bool {
        self.data.1.is_empty()
    }

    /// Gives the engine the model it had. Before any was chosen it is the one inside the program that `settings`, of a
    /// link perhaps, are for.
    #[must_use]
    pub fn load_model(&self, settings: &Settings) -> Action {
        let (mut name, files) = self.model.clone();
        let is_text = settings.get("task_type").is_some_and(|kind| kind == "generation");
        if name.is_empty() && is_text {
            name = DECODER_NAME.to_owned();
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_a_saved_run_are_not_replaced_by_those_of_the_window() {
        let mut sources = Sources::default();
        assert!(!sources.take_resuming());
        sources.note(&Action::ResumeRun { key: "run".to_owned(), run: 1 });
        assert!(sources.take_resuming());
        assert!(!sources.take_resuming(), "only once");
        sources.note(&Action::ResumeRun { key: "run".to_owned(), run: 2 });
        sources.note(&sources.load_model(&Settings::new()));
        assert!(!sources.take_resuming(), "the user has chosen another model meanwhile");
    }
}
