//! Carries out what the window asks for, without ever waiting: the engine, the disk, downloads and dialogs each have
//! their thread, and what they tell is picked up by [`Shell::next`]. Knows nothing of drawing.

use dsee_core::{
    engine::service::{Reply, serve},
    protocol::{Command, Event, RunEvent, RunId},
};
use dsee_ui::{Action, FileInput, Notice, Purpose};
use std::{
    io,
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
};

use super::{
    dialogs,
    disk::{Disk, FromDisk, Job},
    engine_thread::{EngineFile, EngineThread, FromEngine, NativeHost, Order, Wake},
    held_files::{HeldFiles, name_of},
    model_store::{ModelStore, Tell},
    sources::SourceTracker,
};
use crate::{hub::Cache, run_folder::SETTINGS_FILE};

/// What the window is told.
pub enum Told {
    /// The engine says something.
    Reply(Box<Reply>),
    /// The app says something.
    Notice(Notice),
}

/// Where things are kept.
pub struct Places {
    /// Run folders.
    pub runs: PathBuf,
    /// Models from the hub; nowhere if the system does not say where.
    pub cache: Option<Cache>,
}

/// Everything around the window.
pub struct Shell {
    wake: Wake,
    engine: EngineThread,
    engine_body: fn(&mut NativeHost),
    jobs: Option<async_channel::Sender<Job>>,
    disk: Option<JoinHandle<()>>,
    from_disk: async_channel::Receiver<FromDisk>,
    notices: async_channel::Receiver<Notice>,
    tell: Tell,
    held: HeldFiles,
    models: ModelStore,
    cache: Option<Cache>,
    sources: SourceTracker,
    /// The run under way, if its state is worth saving before the window closes.
    active: Option<RunId>,
    /// The run whose newest state is on the disk.
    kept: Option<RunId>,
}

/// The engine itself.
fn run_engine(host: &mut NativeHost) {
    pollster::block_on(serve(host));
}

impl Shell {
    /// Starts all threads. `wake` is called whenever [`Self::next`] has something.
    ///
    /// # Errors
    /// If the system gives no threads.
    pub fn start(places: Places, wake: Wake) -> io::Result<Self> {
        Self::start_with(places, wake, run_engine)
    }

    /// The same with another engine.
    fn start_with(places: Places, wake: Wake, engine_body: fn(&mut NativeHost)) -> io::Result<Self> {
        let (told, notices) = async_channel::unbounded();
        let woken = Arc::clone(&wake);
        let tell: Tell = Arc::new(move |notice| {
            told.try_send(notice).ok();
            woken();
        });
        let (jobs, disk, from_disk) = start_disk(&places, Arc::clone(&wake))?;
        let held = HeldFiles::default();
        let models = ModelStore::new(places.cache.clone(), held.clone(), Arc::clone(&tell));
        let engine = EngineThread::start(Arc::clone(&wake), engine_body)?;
        Ok(Self {
            wake,
            engine,
            engine_body,
            jobs: Some(jobs),
            disk: Some(disk),
            from_disk,
            notices,
            tell,
            held,
            models,
            cache: places.cache,
            sources: SourceTracker::default(),
            active: None,
            kept: None,
        })
    }

    /// Carries an action out, or begins to.
    pub fn carry_out(&mut self, action: Action) {
        match action {
            Action::Send { command, files } => self.order(command, files),
            Action::Pick(purpose) => self.pick(purpose),
            Action::Save { name, files } => self.save(name, files),
            Action::Download { id, revision, token } => self.models.fetch(&id, &revision, token.as_deref()),
            Action::CancelDownload => self.models.stop(),
            Action::ListStorage => self.models.list(),
            Action::OpenCached(id) => self.models.open(&id),
            Action::DeleteCached(id) => self.models.delete(&id),
            Action::ListRuns => self.job(Job::List),
            Action::DeleteRun(key) => self.job(Job::Delete(key)),
            Action::ResumeRun { key, run } => self.job(Job::Resume { key, run }),
            Action::PickRunFolder => {
                let jobs = self.jobs.clone();
                dialogs::pick_folder("A run folder", move |path| send(jobs.as_ref(), Job::Open(path)));
            }
            Action::RestartEngine => self.restart_engine(),
            // A window has no address; what is unsaved is known from the run itself; and a desktop that sleeps while
            // something computes is told so in its own settings.
            Action::SetLink(_) | Action::SetUnsaved(_) | Action::KeepAwake(_) => {}
        }
    }

    /// Lists the saved runs, opens a run folder, and looks for a run to go on with.
    pub fn look_around(&self, run: Option<PathBuf>) {
        self.job(run.map_or(Job::List, Job::Open));
        self.job(Job::FindLast);
    }

    /// Hands dropped files to the window; the folder of a run goes to the others of its kind.
    pub fn dropped(&self, paths: &[PathBuf]) {
        if let [path] = paths
            && path.join(SETTINGS_FILE).is_file()
        {
            return self.job(Job::Open(path.clone()));
        }
        let (name, files) = self.held.hold_dropped(paths);
        (self.tell)(Notice::Files { purpose: Purpose::Dropped, name, files });
    }

    /// The next thing the window should know, if there is one.
    pub fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(told) = self.engine.next() {
                return Some(match told {
                    FromEngine::Reply(reply) => Told::Reply(self.note(reply)),
                    FromEngine::Gone(report) => {
                        self.active = None;
                        Told::Notice(Notice::EngineGone(report))
                    }
                });
            }
            match self.from_disk.try_recv() {
                Ok(FromDisk::Notice(notice)) => return Some(Told::Notice(notice)),
                Ok(FromDisk::Order(order)) => self.send(order),
                Ok(FromDisk::Kept(run)) => self.kept = Some(run),
                Err(_) => return self.notices.try_recv().ok().map(Told::Notice),
            }
        }
    }

    /// The run that would lose its last steps if the window closed now.
    pub fn active(&self) -> Option<RunId> {
        self.active
    }

    /// Stops a run after its step and has its state saved; [`Self::is_kept`] tells when that is done.
    pub fn pause_and_save(&mut self, run: RunId) {
        self.kept = None;
        self.order(Command::Pause { run }, Vec::new());
        self.order(Command::SaveCheckpoint { run }, Vec::new());
    }

    /// Whether the newest state of a run is on the disk.
    pub fn is_kept(&self, run: RunId) -> bool {
        self.kept == Some(run)
    }

    /// Waits until everything that was to be written is written.
    pub fn finish(&mut self) {
        self.jobs = None;
        if let Some(disk) = self.disk.take() {
            disk.join().ok();
        }
    }

    fn order(&mut self, command: Command, files: Vec<FileInput>) {
        let files = files.into_iter().filter_map(|file| match file {
            FileInput::Bytes(bytes) => Some(EngineFile::Bytes(bytes)),
            FileInput::Held(file) => {
                let path = self.held.path(file.id)?;
                Some(EngineFile::Path { name: file.name, path })
            }
        });
        let files = files.collect();
        self.send(Order { command, files });
    }

    fn send(&mut self, order: Order) {
        self.sources.sent(&order, self.cache.as_ref());
        if let Command::Start { run, settings, .. } = &order.command {
            let (run, settings, sources) = (*run, settings.clone(), self.sources.now());
            self.job(Job::Expect { run, settings, sources });
        }
        self.engine.send(order);
    }

    /// Takes note of what the engine told, and passes on what the disk should have.
    fn note(&mut self, reply: Box<Reply>) -> Box<Reply> {
        self.sources.told(&reply.event);
        match &reply.event {
            Event::Run { run, event: RunEvent::Finished(_) } | Event::Stopped { run, .. } => self.end(*run),
            Event::Failed(report) => report.run.into_iter().for_each(|run| self.end(run)),
            Event::Run { run, .. } | Event::Resumed { run } => self.active = Some(*run),
            _ => {}
        }
        let is_about_a_run = matches!(
            reply.event,
            Event::Run { .. }
                | Event::CheckpointSaved { .. }
                | Event::Paused { .. }
                | Event::Resumed { .. }
                | Event::Stopped { .. }
                | Event::Rejected { command: Command::Start { .. } | Command::Restore { .. }, .. }
        );
        if is_about_a_run {
            self.job(Job::Note(reply.clone()));
        }
        if matches!(&reply.event, Event::Failed(report) if report.last_good_step.is_some()) {
            self.job(Job::FindLast);
        }
        reply
    }

    fn end(&mut self, run: RunId) {
        if self.active == Some(run) {
            self.active = None;
        }
    }

    fn job(&self, job: Job) {
        send(self.jobs.as_ref(), job);
    }

    fn pick(&self, purpose: Purpose) {
        let (held, tell) = (self.held.clone(), Arc::clone(&self.tell));
        dialogs::pick(purpose, move |path| {
            let files =
                if path.is_dir() { held.hold_folder(&path) } else { held.hold(&path).into_iter().collect() };
            tell(Notice::Files { purpose, name: name_of(&path), files });
        });
    }

    fn save(&self, name: String, files: Vec<dsee_core::source::NamedBytes>) {
        let jobs = self.jobs.clone();
        let suggested = name.clone();
        let is_one = files.len() == 1;
        let chosen = move |place| send(jobs.as_ref(), Job::Save { place, name, files });
        if is_one {
            dialogs::save_file(suggested, chosen);
        } else {
            dialogs::pick_folder("A folder to save in", chosen);
        }
    }

    fn restart_engine(&mut self) {
        self.active = None;
        self.sources = SourceTracker::default();
        match EngineThread::start(Arc::clone(&self.wake), self.engine_body) {
            Ok(engine) => {
                let old = std::mem::replace(&mut self.engine, engine);
                // It may hang in a driver, which is why there is a new one: the window does not wait for it.
                thread::spawn(move || drop(old));
            }
            Err(error) => (self.tell)(Notice::Problem(format!("No new engine can be started: {error}"))),
        }
        self.job(Job::FindLast);
    }
}

fn send(jobs: Option<&async_channel::Sender<Job>>, job: Job) {
    if let Some(jobs) = jobs {
        jobs.try_send(job).ok();
    }
}

type DiskThread = (async_channel::Sender<Job>, JoinHandle<()>, async_channel::Receiver<FromDisk>);

fn start_disk(places: &Places, wake: Wake) -> io::Result<DiskThread> {
    let (jobs, taken) = async_channel::unbounded();
    let (told, from_disk) = async_channel::unbounded();
    let mut disk = Disk::new(&places.runs, places.cache.clone());
    let body = move || {
        while let Ok(job) = taken.recv_blocking() {
            for result in disk.carry_out(job) {
                told.try_send(result).ok();
            }
            wake();
        }
    };
    let thread = thread::Builder::new().name("disk".to_owned()).spawn(body)?;
    Ok((jobs, thread, from_disk))
}

#[cfg(test)]
#[path = "shell_tests.rs"]
mod tests;
