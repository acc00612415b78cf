//! Everything that reads and writes runs, in order, on a thread of its own, so that the window never waits for a disk.

use dsee_core::{
    engine::service::Reply,
    protocol::{RunId, Settings},
    source::NamedBytes,
};
use dsee_ui::Notice;
use std::path::{Path, PathBuf};

use super::{
    engine_thread::Order,
    run_records::RunRecords,
    saved_runs::{SavedRuns, orders_of},
    sources::Sources,
};
use crate::{
    atomic::{self, WriteError},
    hub::Cache,
    resume::ResumePoint,
    run_lock::RunLock,
};

/// Something to be done.
pub enum Job {
    /// A run was asked for.
    Expect {
        /// Its name.
        run: RunId,
        /// Its settings.
        settings: Settings,
        /// What it works on.
        sources: Sources,
    },
    /// The engine has told something of a run.
    Note(Box<Reply>),
    /// List the runs.
    List,
    /// Tell of a run that can be gone on with.
    FindLast,
    /// Add a run folder from elsewhere to the list.
    Open(PathBuf),
    /// Remove a run.
    Delete(String),
    /// Go on with a run.
    Resume {
        /// Its folder.
        key: String,
        /// Its name from now on.
        run: RunId,
    },
    /// Write files the user wants, in the folder or as the file that was chosen.
    Save {
        /// What was chosen: the file itself, or the folder to make a new one in.
        place: PathBuf,
        /// Name of the new folder.
        name: String,
        /// What to write.
        files: Vec<NamedBytes>,
    },
}

/// What came of it.
pub enum FromDisk {
    /// For the window.
    Notice(Notice),
    /// For the engine.
    Order(Order),
    /// The state of this run is safe.
    Kept(RunId),
}

/// Carries the jobs out.
pub struct Disk {
    records: RunRecords,
    runs: SavedRuns,
    cache: Option<Cache>,
}

impl Disk {
    /// Runs are in the folder `place`, models in `cache`.
    pub fn new(place: &Path, cache: Option<Cache>) -> Self {
        Self {
            records: RunRecords::new(place.to_path_buf()),
            runs: SavedRuns::new(place.to_path_buf()),
            cache,
        }
    }

    /// Does one job. What cannot be done is said in a notice.
    pub fn carry_out(&mut self, job: Job) -> Vec<FromDisk> {
        match job {
            Job::Expect { run, settings, sources } => {
                self.records.expect_new(run, &settings, sources);
                Vec::new()
            }
            Job::Note(reply) => match self.records.note(&reply) {
                Ok(kept) => kept.map(FromDisk::Kept).into_iter().collect(),
                Err(error) => vec![problem(format!(
                    "This run can no longer be saved, but it goes on, and you can export its result: {error:#}"
                ))],
            },
            Job::List => vec![self.list()],
            Job::FindLast => {
                // The engine has no run any more, so that none of them is being written.
                self.records.close();
                vec![FromDisk::Notice(Notice::LastRun(self.runs.last_unfinished().map(Box::new)))]
            }
            Job::Open(path) => match self.runs.open(&path) {
                Ok(key) => vec![self.list(), FromDisk::Notice(Notice::ShowRun(key))],
                Err(error) => vec![problem(format!("{error:#}")), self.list()],
            },
            Job::Delete(key) => {
                let deleted = self.runs.delete(&key).err();
                deleted.map(|error| problem(format!("{error:#}"))).into_iter().chain([self.list()]).collect()
            }
            Job::Resume { key, run } => self.resume(&key, run),
            Job::Save { place, name, files } => vec![FromDisk::Notice(match save(&place, &name, &files) {
                Ok(path) => Notice::Saved { place: path.display().to_string() },
                Err(error) => Notice::Problem(error.to_string()),
            })],
        }
    }

    fn list(&self) -> FromDisk {
        let mut runs = self.runs.list();
        runs.iter_mut().for_each(|run| run.run = self.records.run_at(Path::new(&run.key)));
        FromDisk::Notice(Notice::Runs(runs))
    }

    fn resume(&mut self, key: &str, run: RunId) -> Vec<FromDisk> {
        let path = Path::new(key);
        let lock = match RunLock::take(path) {
            Ok(Some(lock)) => lock,
            Ok(None) => {
                let why =
                    format!("Another window or command is writing this run; here it is only shown: {key}");
                return vec![FromDisk::Notice(Notice::ReadOnly(why))];
            }
            Err(error) => return vec![problem(format!("{error:#}"))],
        };
        let found = ResumePoint::at(path).map_err(|error| error.to_string()).and_then(|point| {
            let orders = orders_of(&point, run, self.cache.as_ref()).map_err(|error| format!("{error:#}"))?;
            Ok((point, orders))
        });
        match found {
            Ok((point, orders)) => {
                self.records.expect_resumed(run, point, lock);
                orders.map(FromDisk::Order).into()
            }
            Err(text) => vec![problem(text)],
        }
    }
}

fn problem(text: String) -> FromDisk {
    FromDisk::Notice(Notice::Problem(text))
}

/// Writes one file to `place`, or several into a new folder there; never into one that is there already.
fn save(place: &Path, name: &str, files: &[NamedBytes]) -> Result<PathBuf, WriteError> {
    if let [file] = files {
        atomic::write(place, &file.bytes)?;
        return Ok(place.to_path_buf());
    }
    let numbered = (2..).map(|number| place.join(format!("{name}-{number}")));
    let mut free = std::iter::once(place.join(name)).chain(numbered).filter(|path| !path.exists());
    let path = free.next().expect("some number is free");
    let files: Vec<_> = files.iter().map(|file| (file.name.clone(), file.bytes.clone())).collect();
    atomic::write_folder(&path, &files)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::run_folder::RunFolder;
    use dsee_core::{config::RunConfigDraft, protocol::Command};

    fn file(name: &str) -> NamedBytes {
        NamedBytes { name: name.to_owned(), bytes: name.as_bytes().to_vec() }
    }

    #[test]
    fn saving_never_replaces_a_folder() {
        let place = tempfile::tempdir().unwrap();
        let mut disk = Disk::new(place.path(), None);
        let mut save = || {
            let files = vec![file("a"), file("sub/b")];
            let job = Job::Save { place: place.path().to_path_buf(), name: "adapter".to_owned(), files };
            match disk.carry_out(job).remove(0) {
                FromDisk::Notice(Notice::Saved { place }) => place,
                _ => panic!("not saved"),
            }
        };
        assert!(save().ends_with("adapter"));
        assert!(save().ends_with("adapter-2"));
        assert_eq!(std::fs::read(place.path().join("adapter/sub/b")).unwrap(), b"sub/b");
        let one = place.path().join("run.toml");
        let saved = super::save(&one, "", &[file("x")]).unwrap();
        assert_eq!(std::fs::read(saved).unwrap(), b"x");
    }

    #[test]
    fn a_run_that_another_process_writes_is_only_shown() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("first").display().to_string();
        let mut config = RunConfigDraft::default().with("output_dir", &path).check().unwrap();
        let folder = RunFolder::create(&mut config).unwrap();
        folder.save_checkpoint(3, &[("engine_state.json".to_owned(), b"{}".to_vec())], None, 3).unwrap();
        let mut disk = Disk::new(place.path(), None);
        let lock = RunLock::take(folder.path()).unwrap().unwrap();
        let told = disk.carry_out(Job::Resume { key: path.clone(), run: 1 });
        assert!(matches!(&told[..], [FromDisk::Notice(Notice::ReadOnly(why))] if why.contains("first")));
        drop(lock);
        let told = disk.carry_out(Job::Resume { key: path.clone(), run: 1 });
        assert_eq!(told.len(), 3);
        assert!(
            matches!(&told[2], FromDisk::Order(order) if matches!(order.command, Command::Restore { .. }))
        );
        let told = disk.carry_out(Job::Delete(path));
        assert!(
            matches!(&told[..], [FromDisk::Notice(Notice::Problem(_)), FromDisk::Notice(Notice::Runs(runs))] if runs.len() == 1)
        );
    }

    #[test]
    fn what_cannot_be_opened_is_said() {
        let place = tempfile::tempdir().unwrap();
        let mut disk = Disk::new(place.path(), None);
        let told = disk.carry_out(Job::Open(place.path().to_path_buf()));
        assert!(matches!(&told[0], FromDisk::Notice(Notice::Problem(text)) if text.contains("run.toml")));
        let told = disk.carry_out(Job::FindLast);
        assert!(matches!(&told[..], [FromDisk::Notice(Notice::LastRun(None))]));
    }
}
