//! What the window asks of the app around it, and what the app tells the window.

use dsee_core::{
    protocol::{Command, FailureReport, RunId},
    report::RunReport,
    source::NamedBytes,
};

/// Something only the app around the window can do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send a command to the engine, with files.
    Send {
        /// The command.
        command: Command,
        /// What travels beside it, in this order.
        files: Vec<FileInput>,
    },
    /// Let the user choose files, or a folder where the system can. → [`Notice::Files`].
    Pick(Purpose),
    /// Save files under a name: a folder natively, a zip in a browser. → [`Notice::Saved`].
    Save {
        /// Suggested name of the folder or zip; of the file itself if there is only one.
        name: String,
        /// The files.
        files: Vec<NamedBytes>,
    },
    /// Keep the settings and the open screen in the address, where there is one.
    SetLink(String),
    /// Get a model from the hub. → [`Notice::Download`], and [`Notice::Files`] when it is there.
    Download {
        /// `name` or `organisation/name`.
        id: String,
        /// Branch, tag or commit.
        revision: String,
        /// Access token; kept in memory only.
        token: Option<String>,
    },
    /// Stop the download; what has come stays for the next try.
    CancelDownload,
    /// List the models that are kept. → [`Notice::Storage`].
    ListStorage,
    /// Use a model that is kept. → [`Notice::Files`].
    OpenCached(String),
    /// Remove a model that is kept. → [`Notice::Storage`].
    DeleteCached(String),
    /// List saved runs. → [`Notice::Runs`].
    ListRuns,
    /// Remove a saved run. → [`Notice::Runs`].
    DeleteRun(String),
    /// Go on with a saved run: the app loads its model, data and checkpoint into the engine under this id.
    ResumeRun {
        /// Which saved run.
        key: String,
        /// Its name from now on.
        run: RunId,
    },
    /// Open the folder of a run made elsewhere. → [`Notice::Runs`].
    PickRunFolder,
    /// Start a new engine after the old one has crashed or lost its device.
    /// `Ready` comes again then, and before it [`Notice::LastRun`] if there is a run to go on with.
    RestartEngine,
    /// Whether leaving now would lose work.
    SetUnsaved(bool),
    /// Whether to keep the screen awake.
    KeepAwake(bool),
}

/// What files are chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The files of a model folder.
    Model,
    /// Training data.
    TrainData,
    /// Validation data.
    ValidationData,
    /// A `run.toml`.
    Settings,
    /// Dropped on the window: their names tell.
    Dropped,
}

/// A file the app holds for the window, wherever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRef {
    /// The app's number for it.
    pub id: u64,
    /// Its name, with its path inside the folder that was given.
    pub name: String,
    /// Size in bytes.
    pub n_bytes: u64,
    /// The bytes of small text files (settings), read at once.
    pub text: Option<String>,
}

/// A file that travels beside a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileInput {
    /// One the app holds.
    Held(FileRef),
    /// Bytes the window itself has, pasted text for example.
    Bytes(NamedBytes),
}

/// Something the app tells the window.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Files were chosen, dropped or downloaded.
    Files {
        /// What for.
        purpose: Purpose,
        /// Name of the folder or the model.
        name: String,
        /// The files.
        files: Vec<FileRef>,
    },
    /// Something was saved there.
    Saved {
        /// Where, as the user would say it.
        place: String,
    },
    /// How a download stands.
    Download(Box<Download>),
    /// What is kept on this device.
    Storage(Storage),
    /// Saved runs, the newest first.
    Runs(Vec<SavedRun>),
    /// This run of the list was opened by the user: it is to be seen.
    ShowRun(String),
    /// A run that can be gone on with was found at the start.
    LastRun(Option<Box<SavedRun>>),
    /// The address says this, at the start: settings, screen, lesson, hidden controls.
    Link(String),
    /// Something the user should know, an error of the disk for example; the app goes on.
    Problem(String),
    /// The engine ended.
    EngineGone(FailureReport),
    /// Another window holds this run: it is only looked at here.
    ReadOnly(String),
    /// The screen of this device can be kept awake on request.
    CanKeepAwake,
    /// Drawing the last frame took this long, from its first widget until it was handed to the screen.
    Frame {
        /// Seconds, without waiting for the screen.
        seconds: f32,
    },
}

/// How a download stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Download {
    /// Which model.
    pub id: String,
    /// File under way.
    pub file: String,
    /// Bytes of all files that are here.
    pub n_done: u64,
    /// Bytes of all files.
    pub n_total: u64,
    /// Bytes a second.
    pub rate: f64,
    /// What is wrong, and what to do; the download has stopped then.
    pub problem: Option<String>,
    /// Whether all of it is here.
    pub finished: bool,
}

/// What is kept on this device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Storage {
    /// Models: id and bytes.
    pub models: Vec<(String, u64)>,
    /// Bytes used by all of it.
    pub n_used: u64,
    /// Bytes the system would give, if it says.
    pub n_available: Option<u64>,
}

/// A run that was saved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SavedRun {
    /// The app's name for it: a folder's path, a key.
    pub key: String,
    /// When, as text.
    pub when: String,
    /// Minutes since it was saved.
    pub minutes_ago: u64,
    /// Optimizer steps of its newest checkpoint.
    pub step: usize,
    /// Whether it ran to its end.
    pub finished: bool,
    /// Its name in this session, if it ran here.
    pub run: Option<RunId>,
    /// Everything it told.
    pub report: RunReport,
}
