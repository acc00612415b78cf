//! Finding the checkpoint that an interrupted run goes on from.

use anyhow::{Context as _, bail};
use dsee_core::config::{FieldError, RunConfig};
use std::path::{Path, PathBuf};

use crate::{
    atomic::NamedBytes,
    failure::Failure,
    run_folder::{RunFolder, SETTINGS_FILE, read_folder, step_of},
    settings_args::{SettingsArgs, as_flags, given, read_draft},
};

/// What `--resume-from-checkpoint` says to mean the newest checkpoint.
const LATEST: &str = "latest";

/// A checkpoint with the run it belongs to; of a run that was stopped before its first one, the beginning.
pub struct ResumePoint {
    /// The run's folder.
    pub folder: RunFolder,
    /// The settings the run began with.
    pub config: RunConfig,
    /// Optimizer steps of the whole run at the checkpoint.
    pub step: usize,
    /// The checkpoint's files; none at the beginning.
    pub files: Vec<NamedBytes>,
}

impl ResumePoint {
    /// Finds the checkpoint `from`: `latest` of the run folder in the settings, a run folder for its latest, or the
    /// folder of one checkpoint.
    ///
    /// # Errors
    /// If there is none, or settings were given that a run under way cannot change.
    pub fn find(from: &str, settings: &SettingsArgs) -> Result<Self, Failure> {
        let fixed = fixed_settings(settings);
        if !fixed.is_empty() {
            return Err(Failure::Settings(as_flags(fixed)));
        }
        let output_dir = settings.flags.text("output_dir").map(PathBuf::from);
        let path = if from == LATEST {
            output_dir
                .context("name the run folder with --output-dir, or a checkpoint instead of `latest`")?
        } else {
            PathBuf::from(from)
        };
        Self::at(&path)
    }

    /// Finds the checkpoint in the folder `path`: the newest one of a run, or the one whose folder it is.
    ///
    /// # Errors
    /// If it is neither, or the settings of the run cannot be read.
    pub fn at(path: &Path) -> Result<Self, Failure> {
        let (folder, step) = locate(path)?;
        let config = read_draft(&folder.path().join(SETTINGS_FILE))?.check().map_err(Failure::Settings)?;
        let files = step.map_or(Ok(Vec::new()), |step| read_folder(&folder.checkpoint_path(step)))?;
        Ok(Self { folder, config, step: step.unwrap_or(0), files })
    }
}

/// Every setting that was given besides the run folder.
fn fixed_settings(settings: &SettingsArgs) -> Vec<FieldError> {
    let reason = "a resumed run keeps the settings it began with";
    let mut errors = given(&settings.flags, |field| field.name != "output_dir", reason);
    if let Some(path) = &settings.config {
        errors.push(FieldError::new("--config", path.display(), reason, "leave it out"));
    }
    errors
}

/// The run and the step of a checkpoint folder, or of the newest checkpoint of a run folder, if it has one.
fn locate(path: &Path) -> anyhow::Result<(RunFolder, Option<usize>)> {
    if !path.is_dir() {
        bail!("there is no such checkpoint or run folder: {}", path.display());
    }
    if let Some(step) = step_of(path) {
        let run = path.parent().filter(|run| *run != Path::new("")).unwrap_or(Path::new("."));
        return Ok((RunFolder::open(run)?, Some(step)));
    }
    let folder = RunFolder::open(path)?;
    let newest = folder.checkpoints().last().copied();
    Ok((folder, newest))
}
