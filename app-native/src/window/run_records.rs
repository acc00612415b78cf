//! Writes the runs of the window into run folders, the same as the command line's: each can go on with the other's.

use anyhow::Context as _;
use dsee_core::{
    config::{RunConfig, RunConfigDraft},
    engine::service::Reply,
    protocol::{Command, Event, RunEvent, RunId, Settings},
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::sources::Sources;
use crate::{
    atomic,
    recorder::RunRecorder,
    resume::ResumePoint,
    run_folder::{RunFolder, new_path},
    run_lock::RunLock,
};

/// The records of this session's runs.
pub struct RunRecords {
    /// Where new run folders go.
    place: PathBuf,
    expected: BTreeMap<RunId, Expected>,
    open: BTreeMap<RunId, Open>,
    /// Where each run of this session was written.
    written: BTreeMap<RunId, PathBuf>,
}

/// A run that was asked for, and may be refused.
enum Expected {
    New { config: Box<RunConfig>, sources: Sources },
    GoesOn { point: Box<ResumePoint>, lock: RunLock },
}

/// A run that is written.
struct Open {
    recorder: RunRecorder,
    /// Whether the folder was made for it in this session.
    is_new: bool,
    _lock: RunLock,
}

impl RunRecords {
    /// No records yet; new ones go into the folder `place`.
    pub fn new(place: PathBuf) -> Self {
        Self { place, expected: BTreeMap::new(), open: BTreeMap::new(), written: BTreeMap::new() }
    }

    /// A run was asked for. Settings that cannot be are the engine's to refuse.
    pub fn expect_new(&mut self, run: RunId, settings: &Settings, sources: Sources) {
        let mut draft = RunConfigDraft::default();
        settings.iter().for_each(|(name, value)| draft.set(name, value));
        if let Ok(config) = draft.check() {
            self.expected.insert(run, Expected::New { config: Box::new(config), sources });
        }
    }

    /// A run that is on the disk is to go on.
    pub fn expect_resumed(&mut self, run: RunId, point: ResumePoint, lock: RunLock) {
        self.expected.insert(run, Expected::GoesOn { point: Box::new(point), lock });
    }

    /// Writes what an answer tells of a run. Returns the run whose state is safe now, if it brought one.
    ///
    /// # Errors
    /// If the disk does not take it. The record ends there, the run goes on; what was written before is still good.
    pub fn note(&mut self, reply: &Reply) -> anyhow::Result<Option<RunId>> {
        let (run, event) = match &reply.event {
            Event::Run { run, event } => (*run, Some(event)),
            Event::CheckpointSaved { run, .. } | Event::Paused { run, .. } | Event::Resumed { run } => {
                (*run, None)
            }
            Event::Rejected {
                command: Command::Start { run, .. } | Command::Restore { run, .. }, ..
            } => {
                self.expected.remove(run);
                return Ok(None);
            }
            Event::Stopped { run, kept, .. } => return self.stop(*run, *kept).map(|()| None),
            _ => return Ok(None),
        };
        let written = self.write(run, event, reply);
        if written.is_err() {
            self.open.remove(&run);
        }
        written
    }

    /// Ends the records of runs that broke off: others may go on with them, and so may this window.
    pub fn close(&mut self) {
        for (run, Open { recorder, .. }) in std::mem::take(&mut self.open) {
            if let Err(error) = recorder.write_record() {
                log::warn!("the record of run {run} is not complete: {error:#}");
            }
        }
    }

    /// The newest run of this session that was written into the folder `path`.
    pub fn run_at(&self, path: &Path) -> Option<RunId> {
        self.written.iter().rev().find(|(_, written)| *written == path).map(|(run, _)| *run)
    }

    /// Ends the record of a run. A run that was begun here and is not to be kept leaves nothing.
    fn stop(&mut self, run: RunId, kept: bool) -> anyhow::Result<()> {
        let Some(Open { recorder, is_new, .. }) = self.open.remove(&run) else { return Ok(()) };
        if kept {
            return recorder.write_record();
        }
        let path = recorder.folder().path();
        if is_new {
            fs::remove_dir_all(path).with_context(|| format!("cannot remove: {}", path.display()))?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        run: RunId,
        event: Option<&RunEvent>,
        reply: &Reply,
    ) -> anyhow::Result<Option<RunId>> {
        if let Some(expected) = self.expected.remove(&run) {
            let open = begin(expected, &self.place)?;
            self.written.insert(run, std::path::absolute(open.recorder.folder().path())?);
            self.open.insert(run, open);
        }
        let Some(Open { recorder, .. }) = self.open.get_mut(&run) else { return Ok(None) };
        if let Some(event) = event {
            recorder.note(event)?;
        }
        match (&reply.event, event) {
            (Event::CheckpointSaved { step, .. }, _) => {
                let files = reply.attachments.iter().map(|file| (file.name.clone(), file.bytes.clone()));
                recorder.save_checkpoint(*step, files.collect())?;
                Ok(Some(run))
            }
            (_, Some(RunEvent::Finished(_))) => {
                recorder.write_record()?;
                // Nothing more will come: others may have the folder.
                self.open.remove(&run);
                Ok(Some(run))
            }
            _ => Ok(None),
        }
    }
}

/// Makes or opens the folder, now that the engine has taken the run.
fn begin(expected: Expected, place: &Path) -> anyhow::Result<Open> {
    match expected {
        Expected::New { mut config, sources } => {
            let path = match &config.output_dir {
                Some(path) => PathBuf::from(path),
                None => new_path(place, config.run_name.as_deref()),
            };
            let pasted = sources.name_in(&mut config, &path);
            config.output_dir = Some(path.display().to_string());
            let folder = RunFolder::create(&mut config)?;
            let lock = RunLock::take_or_fail(folder.path())?;
            for file in pasted {
                atomic::write(&folder.path().join(&file.name), &file.bytes)?;
            }
            Ok(Open { recorder: RunRecorder::silent(folder, &config), is_new: true, _lock: lock })
        }
        Expected::GoesOn { point, lock } => {
            let ResumePoint { folder, config, step, files } = *point;
            let mut recorder = RunRecorder::silent(folder, &config);
            recorder.restore(step, &files)?;
            Ok(Open { recorder, is_new: false, _lock: lock })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::{run_folder::SETTINGS_FILE, run_lock};
    use dsee_core::{
        protocol::{Phase, Problem, StepReport},
        source::NamedBytes,
    };

    fn told(event: Event) -> Reply {
        Reply { event, attachments: Vec::new() }
    }

    fn step(run: RunId, step: usize) -> Reply {
        let report = StepReport {
            phase: Phase::Tune,
            step,
            total_steps: 20,
            epoch: 0.1,
            loss: 0.5,
            learning_rate: 1e-3,
            grad_norm: 1.0,
            tokens_per_second: 10.0,
            gpu_bytes: 1,
            elapsed_seconds: 1.0,
            remaining_seconds: 1.0,
        };
        told(Event::Run { run, event: RunEvent::Progress(report) })
    }

    fn checkpoint(run: RunId, step: usize) -> Reply {
        let file = NamedBytes { name: "engine_state.json".to_owned(), bytes: b"{}".to_vec() };
        Reply { event: Event::CheckpointSaved { run, step }, attachments: vec![file] }
    }

    fn only_folder(place: &Path) -> PathBuf {
        let folders: Vec<_> = std::fs::read_dir(place).unwrap().flatten().map(|entry| entry.path()).collect();
        assert_eq!(folders.len(), 1);
        folders[0].clone()
    }

    #[test]
    fn a_run_of_the_window_can_be_gone_on_with_like_any_other() {
        let place = tempfile::tempdir().unwrap();
        let mut records = RunRecords::new(place.path().to_path_buf());
        let settings: Settings = [("rank".to_owned(), "4".to_owned())].into();
        records.expect_new(1, &settings, Sources::default());
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "the engine may still refuse it");
        assert_eq!(records.note(&step(1, 5)).unwrap(), None);
        assert_eq!(records.note(&checkpoint(1, 5)).unwrap(), Some(1));
        let folder = only_folder(place.path());
        assert!(run_lock::is_held(&folder));
        records.note(&step(1, 9)).unwrap();
        drop(records);
        assert!(!run_lock::is_held(&folder));
        let point = ResumePoint::at(&folder).unwrap();
        assert_eq!((point.step, point.config.rank), (5, 4));
        let mut records = RunRecords::new(place.path().to_path_buf());
        records.expect_resumed(2, point, RunLock::take(&folder).unwrap().unwrap());
        records.note(&told(Event::Resumed { run: 2 })).unwrap();
        records.note(&step(2, 6)).unwrap();
        let log = std::fs::read_to_string(folder.join("trainer_log.jsonl")).unwrap();
        let steps: Vec<bool> =
            ["5", "9", "6"].map(|n| log.contains(&format!("\"current_steps\":{n},"))).into();
        assert_eq!(steps, [true, false, true], "what came after the checkpoint no longer counts");
    }

    #[test]
    fn a_refused_run_leaves_no_folder() {
        let place = tempfile::tempdir().unwrap();
        let mut records = RunRecords::new(place.path().to_path_buf());
        records.expect_new(1, &Settings::new(), Sources::default());
        let command = Command::Start { run: 1, settings: Settings::new(), paused: false };
        records.note(&told(Event::Rejected { command, problems: vec![Problem::default()] })).unwrap();
        records.note(&step(1, 1)).unwrap();
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_disk_that_takes_nothing_ends_the_record_and_not_the_run() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut records = RunRecords::new(file.path().to_path_buf());
        records.expect_new(1, &Settings::new(), Sources::default());
        assert!(records.note(&step(1, 1)).is_err());
        assert!(!records.open.contains_key(&1));
        assert_eq!(records.note(&step(1, 2)).unwrap(), None, "said once");
    }

    #[test]
    fn a_discarded_run_leaves_nothing_but_what_was_there_before() {
        let place = tempfile::tempdir().unwrap();
        let mut records = RunRecords::new(place.path().to_path_buf());
        let stopped = |run, kept| told(Event::Stopped { run, kept, step: 5 });
        records.expect_new(1, &Settings::new(), Sources::default());
        records.note(&checkpoint(1, 5)).unwrap();
        records.note(&stopped(1, true)).unwrap();
        let folder = only_folder(place.path());
        let point = ResumePoint::at(&folder).unwrap();
        records.expect_resumed(2, point, RunLock::take(&folder).unwrap().unwrap());
        records.note(&told(Event::Resumed { run: 2 })).unwrap();
        records.note(&stopped(2, false)).unwrap();
        records.expect_new(3, &Settings::new(), Sources::default());
        records.note(&checkpoint(3, 5)).unwrap();
        records.note(&stopped(3, false)).unwrap();
        assert_eq!(only_folder(place.path()), folder);
    }

    #[test]
    fn pasted_data_are_kept_with_the_run() {
        let place = tempfile::tempdir().unwrap();
        let mut tracker = super::super::sources::SourceTracker::default();
        let pasted = NamedBytes { name: "pasted.csv".to_owned(), bytes: b"text,label\n".to_vec() };
        let order = super::super::engine_thread::Order {
            command: Command::LoadData { settings: Settings::new() },
            files: vec![super::super::engine_thread::EngineFile::Bytes(pasted)],
        };
        tracker.sent(&order, None);
        tracker.told(&Event::DataLoaded(dsee_core::protocol::DataCard::default()));
        let mut records = RunRecords::new(place.path().to_path_buf());
        records.expect_new(1, &Settings::new(), tracker.now());
        records.note(&step(1, 1)).unwrap();
        let folder = only_folder(place.path());
        assert_eq!(std::fs::read(folder.join("data-pasted.csv")).unwrap(), b"text,label\n");
        assert!(std::fs::read_to_string(folder.join(SETTINGS_FILE)).unwrap().contains("data-pasted.csv"));
    }
}
