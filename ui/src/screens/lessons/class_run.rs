//! A short run for a lesson: always the model and the sentences inside the program, always the same seed.

use dsee_core::{
    builtin::DECODER_NAME,
    config::RunConfigDraft,
    protocol::{Command, DataForm, RunId, Settings},
};
use egui::Ui;

use super::lesson::{Drive, Scene};
use crate::{
    shell::Action,
    state::{Activity, AppState, RunView, presets},
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

/// Settings of runs that teach the tiny decoder to write.
const TEXT_SETTINGS: [(&str, &str); 7] = [
    ("seed", "42"),
    ("task_type", "generation"),
    ("max_steps", "80"),
    ("per_device_train_batch_size", "16"),
    ("learning_rate", "5e-3"),
    ("max_eval_samples", "20"),
    ("logging_steps", "5"),
];

/// What is learned in a lesson.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Learned {
    /// Verdicts on sentences, by the encoder inside the program.
    #[default]
    Classes,
    /// Texts for meanings, by the decoder.
    Texts,
}

/// The run that a lesson has started.
#[derive(Default)]
pub struct ClassRun {
    run: Option<RunId>,
    learned: Learned,
}

impl ClassRun {
    /// No run yet.
    pub fn new(learned: Learned) -> Self {
        Self { run: None, learned }
    }

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
        let writes = self.learned == Learned::Texts;
        let chosen: &[(&str, &str)] = if writes { &TEXT_SETTINGS } else { &SETTINGS };
        let mut settings: Settings =
            chosen.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        settings.insert("prune".to_owned(), prune.to_owned());
        let mut draft = RunConfigDraft::default();
        settings.iter().for_each(|(name, value)| draft.set(name, value));
        let Ok(config) = draft.check() else { return };
        if !self.is_loaded(scene.state) {
            self.load(&settings, scene);
        }
        let run = scene.state.next_number();
        let command = Command::Start { run, settings, paused };
        scene.actions.push(Action::Send { command, files: Vec::new() });
        scene.state.runs.insert(run, RunView::begin(&config));
        scene.state.current = Some(run);
        self.run = Some(run);
    }

    /// Whether model and data are those of the lesson.
    fn is_loaded(&self, state: &AppState) -> bool {
        let writes = self.learned == Learned::Texts;
        let form = if writes { DataForm::Generation } else { DataForm::Labelled };
        state.model.as_ref().is_some_and(|model| model.embedded && model.is_decoder == writes)
            && state.data.as_ref().is_some_and(|data| data.embedded && data.form == form)
    }

    /// Asks for model and data. The window reads its own data anew with every model: its settings must fit, too.
    fn load(&self, settings: &Settings, scene: &mut Scene<'_>) {
        let writes = self.learned == Learned::Texts;
        let is_text = scene.state.settings.contains_key("task_type");
        if writes || is_text {
            scene.state.settings = if writes { presets::first_text() } else { presets::first_run() };
            scene.state.sources.forget_data();
        }
        let name = if writes { DECODER_NAME } else { "" }.to_owned();
        let load_data = Command::LoadData { settings: settings.clone() };
        for command in [Command::LoadModel { name }, load_data] {
            scene.actions.push(Action::Send { command, files: Vec::new() });
        }
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
