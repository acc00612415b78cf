//! What the buttons that drive a run do: each asks the engine and notes what was asked.

use dsee_core::{
    builtin::DECODER_NAME,
    config::{FieldError, RunConfig, RunConfigDraft},
    gpu::pacing,
    protocol::{Command, FailureKind, ModelCard, Problem, RunId, Settings},
};

use super::{Activity, AppState, RunView, Screen};
use crate::shell::{Action, SavedRun};

/// What a failed run can be tried again with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A third of the learning rate.
    SmallerRate,
    /// Half the examples per pass, which need less memory.
    SmallerBatch,
    /// Work for the GPU in pieces a quarter as long, from the last saved state on if there is one.
    ShorterWork,
}

impl AppState {
    /// The changed settings, with the names of the model and the data that are loaded.
    #[must_use]
    pub fn all_settings(&self) -> Settings {
        let mut all = self.settings.clone();
        let mut name = |field: &str, value: Option<&String>| {
            if let Some(value) = value {
                all.insert(field.to_owned(), value.clone());
            }
        };
        // The encoder inside the program is what there is without a name.
        let has_name = |model: &&ModelCard| !model.embedded || model.name == DECODER_NAME;
        name("model", self.model.as_ref().filter(has_name).map(|model| &model.name));
        let data = self.data.as_ref().filter(|data| !data.embedded);
        name("train_file", data.map(|data| &data.name));
        name("validation_file", data.and_then(|data| data.validation_name.as_ref()));
        all
    }

    /// The checked settings of the next run.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn run_config(&self) -> Result<RunConfig, Vec<FieldError>> {
        let mut draft = RunConfigDraft::default();
        self.all_settings().iter().for_each(|(name, value)| draft.set(name, value));
        self.checked(&draft)
    }

    /// `draft`, checked as a run of the loaded model.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn checked(&self, draft: &RunConfigDraft) -> Result<RunConfig, Vec<FieldError>> {
        self.model.as_ref().map_or_else(|| draft.check(), |model| draft.check_for(&model.facts()))
    }

    /// Whether a run can be started now.
    #[must_use]
    pub fn can_start(&self) -> bool {
        let busy = self.run().is_some_and(|run| run.activity.is_under_way());
        self.model.is_some()
            && self.data.is_some()
            && !busy
            && !self.engine_gone
            && self.read_only.is_none()
            && self.working.is_none()
    }

    /// Starts a run with the settings, or shows what is wrong with them.
    pub fn start(&mut self, actions: &mut Vec<Action>) {
        let run = self.next_number();
        let command = Command::Start { run, settings: self.all_settings(), paused: false };
        match self.run_config() {
            Ok(config) => {
                self.begin(run, RunView::begin(&config));
                actions.push(send(command));
            }
            Err(errors) => {
                let problem = |error: FieldError| Problem { text: error.to_string(), field: error.field };
                self.rejected = Some((command, errors.into_iter().map(problem).collect()));
            }
        }
    }

    /// Goes on with a run of earlier.
    pub fn resume_saved(&mut self, saved: &SavedRun, actions: &mut Vec<Action>) {
        let run = self.next_number();
        self.begin(run, RunView::resume(saved));
        actions.push(Action::ResumeRun { key: saved.key.clone(), run });
    }

    fn begin(&mut self, run: RunId, view: RunView) {
        self.runs.insert(run, view);
        self.current = Some(run);
        self.screen = Screen::Train;
        (self.rejected, self.failure, self.last_run) = (None, None, None);
    }

    /// Starts the failed run again with one setting changed.
    pub fn try_again(&mut self, remedy: Remedy, actions: &mut Vec<Action>) {
        let Ok(config) = self.run_config() else { return self.start(actions) };
        match remedy {
            Remedy::SmallerRate => {
                let rates = [
                    ("learning_rate", config.learning_rate),
                    ("retune_learning_rate", config.retune_learning_rate),
                ];
                for (name, rate) in rates {
                    self.settings.insert(name.to_owned(), format!("{:.1e}", rate / 3.0));
                }
            }
            Remedy::ShorterWork => {
                self.ask_shorter_work();
                actions.extend(self.gpu_target());
                if let Some(saved) = self.last_run.clone() {
                    return self.resume_saved(&saved, actions);
                }
            }
            Remedy::SmallerBatch => {
                let n = (config.per_device_train_batch_size / 2).max(1);
                self.settings.insert("per_device_train_batch_size".to_owned(), n.to_string());
            }
        }
        self.start(actions);
    }

    /// From now on the GPU is to work a quarter as long at a stretch as before.
    pub fn ask_shorter_work(&mut self) {
        self.gpu_target_ms = Some(pacing::shorter(self.gpu_target_ms.unwrap_or(pacing::TARGET_MS)));
    }

    /// Tells the engine how long the GPU may work at a stretch, if that is not the usual time.
    #[must_use]
    pub fn gpu_target(&self) -> Option<Action> {
        self.gpu_target_ms.map(|target_ms| send(Command::SetGpuTarget { target_ms }))
    }

    /// The change that is likely to help against a failure of this kind.
    #[must_use]
    pub fn remedy(kind: FailureKind) -> Option<Remedy> {
        match kind {
            FailureKind::NotFinite => Some(Remedy::SmallerRate),
            FailureKind::OutOfMemory => Some(Remedy::SmallerBatch),
            FailureKind::DeviceLost => Some(Remedy::ShorterWork),
            FailureKind::NoDevice | FailureKind::Crashed | FailureKind::Other => None,
        }
    }

    /// What the shown run is doing.
    #[must_use]
    pub fn activity(&self) -> Option<Activity> {
        self.run().map(|run| run.activity)
    }

    /// Sends a command about the shown run, if it is under way.
    pub fn drive(&self, command: impl FnOnce(RunId) -> Command, actions: &mut Vec<Action>) {
        if let Some(run) = self.current.filter(|_| self.activity().is_some_and(Activity::is_under_way)) {
            actions.push(send(command(run)));
        }
    }

    /// Whether closing the window now would lose something that was trained.
    #[must_use]
    pub fn has_unsaved_work(&self) -> bool {
        self.runs.values().any(RunView::is_unsaved)
    }
}

/// Sends a command without files.
fn send(command: Command) -> Action {
    Action::Send { command, files: Vec::new() }
}
