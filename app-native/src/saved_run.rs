//! A finished run, read back from its folder: the base model, and what the run trained and removed.

use anyhow::{Context as _, bail};
use dsee_core::{
    checkpoint::{NamedTensors, hash::sha256_hex, weights::StoredTensor},
    config::RunConfig,
    data::{LabelSet, TaskKind},
    engine::{BaseModel, corpus::head_for},
    export::{
        ExportInput,
        dsee_state::{DSEE_CONFIG, DSEE_STATE, DseeConfig, DseeState, read_dsee_state},
    },
    tokenizer::Tokenizer,
    train::place::HostState,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    failure::Failure,
    run_folder::{RunFolder, SETTINGS_FILE},
    run_inputs::load_model,
    settings_args::read_draft,
};

/// Folders of a run that hold its state, the first one present is read.
const STATE_FOLDERS: [&str; 2] = ["adapter", "dsee"];

/// Which run, and where its base model is. Flags of every verb that begins with a finished run.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// The run folder.
    #[arg(long, value_name = "FOLDER")]
    run: PathBuf,
    /// The base model, if it is not where it was when the run began.
    #[arg(long, value_name = "FOLDER")]
    model: Option<PathBuf>,
}

impl RunArgs {
    /// Reads the run.
    ///
    /// # Errors
    /// See [`SavedRun::open`].
    pub fn open(&self) -> Result<SavedRun, Failure> {
        SavedRun::open(&self.run, self.model.as_deref())
    }
}

/// Everything that evaluation, prediction, pruning and exports start from.
pub struct SavedRun {
    /// Its folder.
    pub folder: RunFolder,
    /// Its settings.
    pub config: RunConfig,
    /// The base model in full size, the head included.
    pub base: BaseModel,
    /// What was trained and removed.
    pub state: HostState,
    /// Labels and origin of the state.
    pub description: DseeConfig,
    /// The base model's tokenizer.
    pub tokenizer: Tokenizer,
    tokenizer_files: Vec<(String, Vec<u8>)>,
}

impl SavedRun {
    /// Reads the run in the folder `path`. `model` replaces the base model's place, if it was moved.
    ///
    /// # Errors
    /// If the folder is no run, its run has not finished, or the base model is not the one it was trained from.
    pub fn open(path: &Path, model: Option<&Path>) -> Result<Self, Failure> {
        let folder = RunFolder::open(path)?;
        let mut config = read_draft(&path.join(SETTINGS_FILE))?.check().map_err(Failure::Settings)?;
        let is_told = model.is_some();
        if let Some(model) = model {
            config.model = Some(model.display().to_string());
        }
        let DseeState { config: description, sites, pruned, trained } = read_state(path)?;
        let model = load_model(&config).with_context(|| match is_told {
            true => "this is not the base model of the run",
            false => "the base model is not where it was when the run began; name its place with --model",
        })?;
        let expected = description.facts.base_sha256.as_ref();
        if let Some(sha256) = expected.filter(|sha256| **sha256 != model.weights_sha256) {
            let found = &model.weights_sha256;
            return Err(anyhow::anyhow!(
                "{} is not the model this run was trained from: its weights have SHA-256 {found}, expected {sha256}; \
                 name the right one with --model",
                model.name
            )
            .into());
        }
        let (tokenizer, tokenizer_files) = (model.tokenizer.clone(), model.tokenizer_files.clone());
        let labels = labels_of(&config, &description.labels);
        let kind = config.task_type.kind().unwrap_or(labels.task());
        let head = head_for(kind, &labels, &model.config);
        let mut base = pollster::block_on(BaseModel::new(model, head, config.seed))?;
        // What the file lacks was random when the run began. The values kept with the state are the ones that count.
        for name in &base.fresh {
            let kept = trained.get(name);
            let kept =
                kept.with_context(|| format!("neither the base model nor the saved state has `{name}`"))?;
            base.parameters.0.insert(name.clone(), StoredTensor::Memory(kept.clone()));
        }
        let state = HostState { deltas: sites, trained, pruned };
        Ok(Self { folder, config, base, state, description, tokenizer, tokenizer_files })
    }

    /// The labels it was trained with.
    pub fn labels(&self) -> LabelSet {
        labels_of(&self.config, &self.description.labels)
    }

    /// SHA-256 of the file with what was trained, to know it again by.
    ///
    /// # Errors
    /// If it cannot be read any more.
    pub fn state_sha256(&self) -> anyhow::Result<String> {
        let path = state_folder(self.folder.path())?.join(DSEE_STATE);
        let bytes = fs::read(&path).with_context(|| format!("cannot read: {}", path.display()))?;
        Ok(sha256_hex(&bytes))
    }

    /// All weights of the base model.
    ///
    /// # Errors
    /// If its file cannot be read any more.
    pub fn weights(&self) -> anyhow::Result<NamedTensors> {
        Ok(pollster::block_on(self.base.parameters.read_where(|_| true))?)
    }

    /// The same, as exports take it; `weights` are those of the base model.
    pub fn export_input<'a>(&'a self, weights: &'a NamedTensors) -> ExportInput<'a> {
        ExportInput {
            config: &self.base.config,
            head: self.base.head,
            base: weights,
            sites: &self.state.deltas,
            pruned: &self.state.pruned,
            trained: &self.state.trained,
            labels: &self.description.labels,
            base_id: self.description.base_id.as_deref(),
            tokenizer_files: &self.tokenizer_files,
            facts: &self.description.facts,
        }
    }
}

/// The labels of a run from its settings and the names it kept.
fn labels_of(config: &RunConfig, names: &[String]) -> LabelSet {
    match (config.task_type.kind(), names) {
        (Some(TaskKind::Generation | TaskKind::LanguageModeling), _) => LabelSet::Words,
        (_, []) => LabelSet::Scores,
        (_, names) => LabelSet::Classes(names.to_vec()),
    }
}

fn state_folder(run: &Path) -> anyhow::Result<PathBuf> {
    let mut folders = STATE_FOLDERS.map(|name| run.join(name)).into_iter();
    let Some(folder) = folders.find(|folder| folder.join(DSEE_STATE).exists()) else {
        bail!(
            "the run has not finished, it has no {DSEE_STATE}; go on with it by --resume-from-checkpoint: {}",
            run.display()
        );
    };
    Ok(folder)
}

fn read_state(run: &Path) -> anyhow::Result<DseeState> {
    let folder = state_folder(run)?;
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).with_context(|| format!("cannot read: {}", path.display()))
    };
    let state = read_dsee_state(&read(DSEE_CONFIG)?, &read(DSEE_STATE)?);
    state.with_context(|| format!("the saved state cannot be used: {}", folder.display()))
}
