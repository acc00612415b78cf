//! The folder a run writes: where everything lies, which checkpoints stay, and how it is found again.
//!
//! ```text
//! run.toml  trainer_log.jsonl  trainer_state.json  report.html  report.md  report.json
//! checkpoint-N/  adapter/  merged/
//! ```

use anyhow::{Context as _, bail};
use dsee_core::config::{RunConfig, quoted};
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use crate::{
    atomic::{self, NamedBytes, WriteError},
    hub,
};

/// Settings of the run, checked and complete.
pub const SETTINGS_FILE: &str = "run.toml";
/// What the run told, one line each.
pub const LOG_FILE: &str = "trainer_log.jsonl";
/// The log in transformers' form.
pub const STATE_FILE: &str = "trainer_state.json";
/// Where runs go that are given no folder.
pub const RUNS_FOLDER: &str = "runs";
const CHECKPOINT_PREFIX: &str = "checkpoint-";

/// A run folder on disk.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder of a new run and writes its settings.
    ///
    /// # Errors
    /// If there is a run already, or the folder cannot be written.
    pub fn create(config: &mut RunConfig) -> anyhow::Result<Self> {
        let path = match &config.output_dir {
            Some(path) => PathBuf::from(path),
            None => new_path(Path::new(RUNS_FOLDER), config.run_name.as_deref()),
        };
        if path.join(SETTINGS_FILE).exists() {
            bail!(
                "there is a run already; go on with it by --resume-from-checkpoint latest, or choose another \
                 --output-dir: {}",
                path.display()
            );
        }
        fs::create_dir_all(&path).with_context(|| {
            format!("cannot make the run folder; choose another --output-dir: {}", path.display())
        })?;
        config.output_dir = Some(path.display().to_string());
        // The run may be used again from another working folder. A model of the hub or
        // in the program is the same from everywhere.
        let is_folder = |model: &String| hub::id_of(model).is_none() && hub::embedded(model).is_none();
        let model = config.model.as_mut().filter(|model| is_folder(model));
        let files =
            [&mut config.train_file, &mut config.validation_file, &mut config.validation_mismatched_file];
        for place in model.into_iter().chain(files.into_iter().flatten()) {
            *place = std::path::absolute(&*place)
                .with_context(|| format!("cannot use {place}"))?
                .display()
                .to_string();
        }
        let folder = Self { path };
        folder.write(SETTINGS_FILE, config.to_toml().as_bytes())?;
        Ok(folder)
    }

    /// Opens the folder of an earlier run.
    ///
    /// # Errors
    /// If it is none.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        if !path.join(SETTINGS_FILE).is_file() {
            bail!("not a run folder, it has no {SETTINGS_FILE}: {}", path.display());
        }
        Ok(Self { path: path.to_path_buf() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces one file of the folder.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
        atomic::write(&self.path.join(name), bytes)
    }

    /// Replaces one subfolder, `adapter` for example.
    pub fn write_folder(&self, name: &str, files: &[NamedBytes]) -> Result<(), WriteError> {
        atomic::replace_folder(&self.path.join(name), files)
    }

    /// Replaces `trainer_state.json`.
    pub fn write_state(&self, state: &serde_json::Value) -> Result<(), WriteError> {
        self.write(STATE_FILE, format!("{state:#}\n").as_bytes())
    }

    /// Cuts the log of a resumed run back to its first `n_lines` lines; the others no longer count.
    ///
    /// # Errors
    /// If the log is there and cannot be read or written.
    pub fn cut_log(&self, n_lines: usize) -> anyhow::Result<()> {
        let path = self.path.join(LOG_FILE);
        if !path.exists() {
            return Ok(());
        }
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read the log: {}", path.display()))?;
        let kept: String = text.lines().take(n_lines).flat_map(|line| [line, "\n"]).collect();
        Ok(self.write(LOG_FILE, kept.as_bytes())?)
    }

    /// Appends one line to `trainer_log.jsonl`, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn append_log(&self, entry: &serde_json::Value) -> anyhow::Result<()> {
        let path = self.path.join(LOG_FILE);
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot write the log: {}", path.display()))?;
        let before = file.metadata().map(|metadata| metadata.len());
        let line = format!("{entry}\n");
        file.write_all(line.as_bytes()).map_err(|error| {
            // Half a line would make the whole log unreadable. The first error is the one to report.
            before.and_then(|len| file.set_len(len)).ok();
            WriteError::new(&path, line.len(), error).into()
        })
    }

    /// Writes the checkpoint of `step`, then removes the oldest ones over `limit`, but never the best.
    ///
    /// # Errors
    /// If it cannot be written; then older ones are still there.
    pub fn save_checkpoint(
        &self,
        step: usize,
        files: &[NamedBytes],
        best_step: Option<usize>,
        limit: usize,
    ) -> Result<(), WriteError> {
        self.write_folder(&checkpoint_name(step), files)?;
        for step in superfluous(&self.checkpoints(), best_step, limit) {
            // A checkpoint that cannot be removed takes room, but does no harm.
            if let Err(error) = fs::remove_dir_all(self.checkpoint_path(step)) {
                log::warn!("checkpoint {step} could not be removed: {error}");
            }
        }
        Ok(())
    }

    /// Removes what only matters for going on and for other tools: the checkpoints, and the merged weights, which
    /// `dsee export` makes again.
    pub fn slim(&self) {
        let checkpoints = self.checkpoints().into_iter().map(|step| self.checkpoint_path(step));
        for path in checkpoints.chain([self.path.join("merged")]) {
            if let Err(error) = fs::remove_dir_all(&path) {
                log::warn!("not removed: {}: {error}", path.display());
            }
        }
    }

    /// Steps of the checkpoints in the folder, ascending.
    pub fn checkpoints(&self) -> Vec<usize> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let mut steps: Vec<usize> = entries.filter_map(|entry| step_of(&entry.path())).collect();
        steps.sort_unstable();
        steps
    }

    /// The folder of the checkpoint of `step`.
    pub fn checkpoint_path(&self, step: usize) -> PathBuf {
        self.path.join(checkpoint_name(step))
    }

    /// The command that goes on from the newest checkpoint, if there is one.
    pub fn newest_resume_command(&self) -> Option<String> {
        self.checkpoints().last().map(|&step| self.resume_command(step))
    }

    /// The command that goes on from the checkpoint of `step`.
    pub fn resume_command(&self, step: usize) -> String {
        let path = self.checkpoint_path(step).display().to_string();
        format!("dsee train --resume-from-checkpoint {}", quoted(&path))
    }
}

/// Name of the subfolder of one checkpoint, as in transformers.
pub fn checkpoint_name(step: usize) -> String {
    format!("{CHECKPOINT_PREFIX}{step}")
}

/// The step of a checkpoint folder, going by its name.
pub fn step_of(path: &Path) -> Option<usize> {
    path.file_name()?.to_str()?.strip_prefix(CHECKPOINT_PREFIX)?.parse().ok()
}

/// Reads every file of a folder and of its subfolders, by path below it, with `/`.
///
/// # Errors
/// If one of them cannot be read.
pub fn read_folder(path: &Path) -> anyhow::Result<Vec<NamedBytes>> {
    let explain = || format!("cannot read the folder: {}", path.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(path).with_context(explain)? {
        let entry = entry.with_context(explain)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().with_context(explain)?.is_dir() {
            let below = read_folder(&entry.path())?;
            files.extend(below.into_iter().map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else {
            let bytes =
                fs::read(entry.path()).with_context(|| format!("cannot read: {}", entry.path().display()))?;
            files.push((name, bytes));
        }
    }
    files.sort();
    Ok(files)
}

/// The checkpoints to remove so that `limit` stay. The best one always stays; so does the newest, to resume from.
fn superfluous(steps: &[usize], best: Option<usize>, limit: usize) -> Vec<usize> {
    let newest = steps.last().copied();
    let removable = steps.iter().copied().filter(|&step| Some(step) != best && Some(step) != newest);
    removable.take(steps.len().saturating_sub(limit)).collect()
}

/// `<runs>/2026-11-23-154501-name`, with a number behind it if that is taken.
pub fn new_path(runs: &Path, name: Option<&str>) -> PathBuf {
    let time = jiff::Zoned::now().strftime("%Y-%m-%d-%H%M%S").to_string();
    // Only what every file system takes.
    let safe = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = name.unwrap_or("dsee").chars().map(safe).collect();
    let path = |suffix: &str| runs.join(format!("{time}-{name}{suffix}"));
    let numbered = (2..).map(|number| path(&format!("-{number}")));
    std::iter::once(path("")).chain(numbered).find(|path| !path.exists()).expect("some number is free")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use dsee_core::config::RunConfigDraft;

    fn folder(place: &Path) -> RunFolder {
        let mut config =
            RunConfigDraft::default().with("output_dir", place.to_str().unwrap()).check().unwrap();
        RunFolder::create(&mut config).unwrap()
    }

    #[test]
    fn the_limit_spares_the_best_and_the_newest() {
        assert_eq!(superfluous(&[10, 20, 30, 40], Some(10), 2), [20, 30]);
        assert_eq!(superfluous(&[10, 20, 30], Some(30), 1), [10, 20]);
        assert!(superfluous(&[10, 20], Some(10), 1).is_empty());
        assert!(superfluous(&[10, 20], None, 5).is_empty());
    }

    #[test]
    fn checkpoints_come_and_go() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(&place.path().join("run"));
        for step in [5, 10, 15, 100] {
            let files = [("state".to_owned(), step.to_string().into_bytes())];
            folder.save_checkpoint(step, &files, Some(10), 2).unwrap();
        }
        assert_eq!(folder.checkpoints(), [10, 100]);
        assert_eq!(
            read_folder(&folder.checkpoint_path(100)).unwrap(),
            [("state".to_owned(), b"100".to_vec())]
        );
    }

    #[test]
    fn an_earlier_run_is_not_overwritten() {
        let place = tempfile::tempdir().unwrap();
        let first = folder(place.path());
        let mut config =
            RunConfigDraft::default().with("output_dir", place.path().to_str().unwrap()).check().unwrap();
        let error = RunFolder::create(&mut config).unwrap_err().to_string();
        assert!(error.contains("--resume-from-checkpoint"), "{error}");
        assert!(RunFolder::open(first.path()).is_ok());
        assert!(RunFolder::open(&place.path().join("elsewhere")).is_err());
    }

    #[test]
    fn the_log_is_cut_back_to_the_checkpoint() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        for step in [10, 20, 30] {
            folder.append_log(&serde_json::json!({ "current_steps": step })).unwrap();
        }
        folder.cut_log(2).unwrap();
        let text = fs::read_to_string(place.path().join(LOG_FILE)).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
    }

    #[test]
    fn the_resume_command_survives_spaces() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(&place.path().join("my run"));
        assert!(folder.resume_command(7).ends_with("my run/checkpoint-7'"));
    }
}
