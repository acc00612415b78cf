//! What the page's scripts tell the window, as JSON: the [`Notice`]s that come from files, storage and tabs, and what
//! a saved run goes on from.

use dsee_core::{
    protocol::{Command, RunId},
    report::RunReport,
};
use dsee_ui::{
    Action, FileInput, FileRef, Notice, Purpose,
    shell::{SavedRun, Storage},
};
use serde::Deserialize;

/// One notice as `www/host.js` writes it.
#[derive(Debug, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum PageNotice {
    Files { purpose: PagePurpose, name: String, files: Vec<PageFile> },
    Saved { place: String },
    Storage(PageStorage),
    Runs { runs: Vec<serde_json::Value> },
    LastRun { run: Option<PageRun> },
    ShowRun { key: String },
    CanKeepAwake,
    Link { text: String },
    Problem { text: String },
    ReadOnly { why: String },
}

/// What files are for.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PagePurpose {
    Model,
    TrainData,
    ValidationData,
    Settings,
    Dropped,
}

/// A file the page holds.
#[derive(Debug, Deserialize)]
pub struct PageFile {
    id: u64,
    name: String,
    n_bytes: u64,
    text: Option<String>,
}

/// What is kept.
#[derive(Debug, Deserialize)]
pub struct PageStorage {
    models: Vec<(String, u64)>,
    n_used: u64,
    n_available: Option<u64>,
}

/// A saved run.
#[derive(Debug, Deserialize)]
pub struct PageRun {
    key: String,
    when: String,
    minutes_ago: u64,
    step: usize,
    finished: bool,
    run: Option<RunId>,
    report: RunReport,
}

/// What gives the engine back a saved run.
#[derive(Debug, Deserialize)]
pub struct SavedInputs {
    model: PageCommand,
    data: PageCommand,
    state: PageCommand,
}

/// A command with files the page holds.
#[derive(Debug, Deserialize)]
struct PageCommand {
    command: Command,
    files: Vec<PageFile>,
}

impl SavedInputs {
    /// The commands, in their order.
    pub fn into_actions(self) -> [Action; 3] {
        [self.model, self.data, self.state].map(|PageCommand { command, files }| Action::Send {
            command,
            files: files.into_iter().map(|file| FileInput::Held(file.into())).collect(),
        })
    }
}

/// The name of a purpose, as `www/host.js` knows it.
pub fn purpose_name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Model => "model",
        Purpose::TrainData => "train_data",
        Purpose::ValidationData => "validation_data",
        Purpose::Settings => "settings",
        Purpose::Dropped => "dropped",
    }
}

impl From<PageNotice> for Notice {
    fn from(notice: PageNotice) -> Self {
        match notice {
            PageNotice::Files { purpose, name, files } => Self::Files {
                purpose: purpose.into(),
                name,
                files: files.into_iter().map(FileRef::from).collect(),
            },
            PageNotice::Saved { place } => Self::Saved { place },
            PageNotice::Storage(PageStorage { models, n_used, n_available }) => {
                Self::Storage(Storage { models, n_used, n_available })
            }
            PageNotice::Runs { runs } => Self::Runs(runs.into_iter().filter_map(readable).collect()),
            PageNotice::LastRun { run } => Self::LastRun(run.map(|run| Box::new(run.into()))),
            PageNotice::ShowRun { key } => Self::ShowRun(key),
            PageNotice::CanKeepAwake => Self::CanKeepAwake,
            PageNotice::Link { text } => Self::Link(text),
            PageNotice::Problem { text } => Self::Problem(text),
            PageNotice::ReadOnly { why } => Self::ReadOnly(why),
        }
    }
}

/// A run of the list. One that another version of the app has written must not hide the others.
fn readable(run: serde_json::Value) -> Option<SavedRun> {
    match serde_json::from_value::<PageRun>(run) {
        Ok(run) => Some(run.into()),
        Err(error) => {
            log::warn!("a saved run cannot be read: {error}");
            None
        }
    }
}

impl From<PagePurpose> for Purpose {
    fn from(purpose: PagePurpose) -> Self {
        match purpose {
            PagePurpose::Model => Self::Model,
            PagePurpose::TrainData => Self::TrainData,
            PagePurpose::ValidationData => Self::ValidationData,
            PagePurpose::Settings => Self::Settings,
            PagePurpose::Dropped => Self::Dropped,
        }
    }
}

impl From<PageFile> for FileRef {
    fn from(PageFile { id, name, n_bytes, text }: PageFile) -> Self {
        Self { id, name, n_bytes, text }
    }
}

impl From<PageRun> for SavedRun {
    fn from(run: PageRun) -> Self {
        let PageRun { key, when, minutes_ago, step, finished, run, report } = run;
        Self { key, when, minutes_ago, step, finished, run, report }
    }
}
