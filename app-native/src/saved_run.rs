//! A finished run, read back from its folder: the base model, and what the run trained and removed.

use anyhow::{Context as _, bail};
use dsee_core::{
    checkpoint::NamedTensors,
    config::RunConfig,
    export::{
        ExportInput,
        dsee_state::{DSEE_CONFIG, DSEE_STATE, DseeState, read_dsee_state},
    },
    models::{
        bert_load::load_bert,
        files::{CONFIG_FILE, PretrainedModel},
    },
};
use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    failure::Failure,
    model_folder,
    run_folder::{RunFolder, SETTINGS_FILE},
    settings_args::read_draft,
};

/// Folders of a run that hold its state, the first one present is read.
const STATE_FOLDERS: [&str; 2] = ["adapter", "dsee"];

/// Everything that evaluation, prediction, pruning and exports start from.
pub struct SavedRun {
    /// Its folder.
    pub folder: RunFolder,
    /// Its settings.
    pub config: RunConfig,
    /// The base model's files; its weights have moved to `base`.
    pub model: PretrainedModel,
    /// Parameters of the base model in full size, the head included.
    pub base: NamedTensors,
    /// What was trained and removed.
    pub state: DseeState,
}

impl SavedRun {
    /// Reads the run in the folder `path`. `model` replaces the base model's place, if it was moved.
    ///
    /// # Errors
    /// If the folder is no run, its run has not finished, or the base model is not the one it was trained from.
    pub fn open(path: &Path, model: Option<&Path>) -> Result<Self, Failure> {
        let folder = RunFolder::open(path)?;
        let config = read_draft(&path.join(SETTINGS_FILE))?.check().map_err(Failure::Settings)?;
        let state = read_state(path)?;
        let place = model.map(Path::to_path_buf).or(config.model.as_ref().map(PathBuf::from));
        let mut model =
            model_folder::read(&place.context("the base model is needed: name it with --model")?)?.parse()?;
        if let Some(sha256) =
            state.config.facts.base_sha256.as_ref().filter(|sha256| **sha256 != model.weights_sha256)
        {
            let found = &model.weights_sha256;
            return Err(anyhow::anyhow!(
                "{} is not the model this run was trained from: its weights have SHA-256 {found}, expected {sha256}",
                model.name
            )
            .into());
        }
        let base = base_parameters(&mut model, &state)?;
        Ok(Self { folder, config, model, base, state })
    }

    /// The same, as exports take it.
    pub fn export_input(&self) -> ExportInput<'_> {
        ExportInput {
            config: &self.model.config,
            base: &self.base,
            sites: &self.state.sites,
            pruned: &self.state.pruned,
            trained: &self.state.trained,
            labels: &self.state.config.labels,
            base_id: self.state.config.base_id.as_deref(),
            tokenizer_files: &self.model.tokenizer_files,
            facts: &self.state.config.facts,
        }
    }
}

fn read_state(run: &Path) -> anyhow::Result<DseeState> {
    let Some(folder) =
        STATE_FOLDERS.map(|name| run.join(name)).into_iter().find(|folder| folder.join(DSEE_STATE).exists())
    else {
        bail!(
            "the run has not finished, it has no {DSEE_STATE}; go on with it by --resume-from-checkpoint: {}",
            run.display()
        );
    };
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).with_context(|| format!("cannot read: {}", path.display()))
    };
    let state = read_dsee_state(&read(DSEE_CONFIG)?, &read(DSEE_STATE)?);
    state.with_context(|| format!("the saved state cannot be used: {}", folder.display()))
}

/// All parameters of the base model. What its file lacks was fresh when the run began; the trained values stand
/// for it, which no export tells from the fresh ones.
fn base_parameters(model: &mut PretrainedModel, state: &DseeState) -> anyhow::Result<NamedTensors> {
    let n_labels = state.config.labels.len().max(1);
    let checkpoint = std::mem::take(&mut model.checkpoint);
    let matched = load_bert(&model.config, CONFIG_FILE, checkpoint, n_labels)?.matched;
    let mut base = matched.params;
    for name in matched.fresh {
        let Some(trained) = state.trained.get(&name) else {
            bail!("neither the base model nor the saved state has `{name}`");
        };
        base.insert(name, trained.clone());
    }
    Ok(base)
}
