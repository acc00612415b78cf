//! A short run for a lesson: always the model and the sentences inside the program, always the same seed.

use dsee_core::{
    config::RunConfigDraft,
    protocol::{Command, DataForm, RunId, Settings},
};
use egui::Ui;

use super::lesson::{Drive, Scene};
use crate::{
    shell::Action,
    state::{Activity, AppState, RunView},
    widgets::{numbers::duration, progress_line},
};

/// Settings of every run of a lesson; the tiny encoder bears the large rate and learns its sentences in seconds.
const SETTINGS: [(&str, &str); 5] = [
    ("seed", "42"),
    ("num_train_epochs", "2"),
    ("learning_rate", "2e-3"),
    ("retune_epochs", "1"),
    ("logging_steps", "5"),
];

/// The run that a lesson has started.
#[derive(Default)]
pub struct ClassRun {
    run: Option<RunId>,
}

impl ClassRun {
    /// Its name.
    pub fn id(&self) -> Option<RunId> {
        self.run
    }

    /// The run, if there is one.
    pub fn view<'a>(&self, state: &'a AppState) -> Option<&'a RunView> {
        state.runs.get(&self.run?)
    }

    /// What it is doing.
    pub fn activity(&self, state: &AppState) -> Option<Activity> {
        self.view(state).map(|view| view.activity)
    }

    /// Why no run can be started now; `None` if one can.
    pub fn obstacle(&self, state: &AppState) -> Option<&'static str> {
        let is_busy = state.run().is_some_and(|run| run.activity.is_under_way()) && state.current != self.run;
        if state.engine_gone || state.adapter.is_none() {
            Some("The engine is not there, so nothing can be trained now.")
        } else if state.read_only.is_some() {
            Some("Another window holds the run, so this one may only look.")
        } else if is_busy {
            Some("Another run is under way. Let it end, or stop it, before you start this one.")
        } else {
            None
        }
    }

    /// Does what a button says: start, go on, wait, one step, or throw away.
    pub fn drive(&mut self, what: Drive, prune: &str, scene: &mut Scene<'_>) {
        let send = |command| Action::Send { command, files: Vec::new() };
        let under_way = self.activity(scene.state).filter(|activity| activity.is_under_way());
        match (what, self.run.filter(|_| under_way.is_some())) {
            (Drive::Play, Some(run)) => scene.actions.push(send(Command::Resume { run })),
            (Drive::Pause, Some(run)) => scene.actions.push(send(Command::Pause { run })),
            (Drive::Step, Some(run)) => scene.actions.push(send(Command::Step { run })),
            (Drive::Reset, Some(run)) => scene.actions.push(send(Command::Stop { run, keep: false })),
            (Drive::Play, None) => self.start(prune, false, scene),
            (Drive::Step, None) => self.start(prune, true, scene),
            (Drive::Pause | Drive::Reset, None) => {}
        }
        if what == Drive::Reset {
            self.run = None;
        }
    }

    /// Starts anew; loads the model and the sentences inside the program first, if others are loaded.
    fn start(&mut self, prune: &str, paused: bool, scene: &mut Scene<'_>) {
        if self.obstacle(scene.state).is_some() {
            return;
        }
        let mut settings: Settings =
            SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        settings.insert("prune".to_owned(), prune.to_owned());
        let mut draft = RunConfigDraft::default();
        settings.iter().for_each(|(name, value)| draft.set(name, value));
        let Ok(config) = draft.check() else { return };
        let mut send = |command| scene.actions.push(Action::Send { command, files: Vec::new() });
        let is_embedded = scene.state.model.as_ref().is_some_and(|model| model.embedded && !model.is_decoder)
            && scene.state.data.as_ref().is_some_and(|data| data.embedded && data.form == DataForm::Labelled);
        if !is_embedded {
            send(Command::LoadModel { name: String::new() });
            send(Command::LoadData { settings: settings.clone() });
        }
        let run = scene.state.next_number();
        send(Command::Start { run, settings, paused });
        scene.state.runs.insert(run, RunView::begin(&config));
        scene.state.current = Some(run);
        self.run = Some(run);
    }

    /// How far it is, as a bar and in words.
    pub fn show_progress(&self, ui: &mut Ui, state: &AppState) {
        let Some(view) = self.view(state) else { return };
        let progress = view.progress();
        let left = progress.seconds_left.map_or(String::new(), |s| format!(", {} left", duration(s)));
        ui.label(format!("{}: step {} of {}{left}", progress.doing, progress.step, progress.n_steps));
        let width = ui.available_width();
        progress_line(ui, "Progress of the lesson's run", progress.share(), width);
    }
}
