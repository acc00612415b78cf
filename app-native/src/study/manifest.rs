//! `study.json`: what a study's folder holds runs of. It says the same on every machine, so that shards can be joined,
//! and keeps runs of different settings out of one table.

use anyhow::{Context as _, bail};
use dsee_core::{
    checkpoint::hash::sha256_hex,
    config::PATHS,
    data::{RunData, generation::GenerationExample},
    models::files::PretrainedModel,
    study::{
        Settings, Study,
        plan::{Plan, PlannedRun},
    },
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, path::Path};

use super::StudyArgs;
use crate::{atomic, run_folder::SETTINGS_FILE};

/// Name of the file.
pub const MANIFEST_FILE: &str = "study.json";
/// Changes when older files no longer say everything.
const FORMAT: u32 = 1;
/// The content of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// The study.
    pub study: Study,
    /// Whether `--quick` shortened it.
    pub quick: bool,
    /// Steps of every run in all, where that was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_steps: Option<u32>,
    /// Name of the model.
    pub model: String,
    model_sha256: String,
    /// Task → its data.
    pub data: BTreeMap<String, DataFacts>,
    /// All runs, whichever shard does them.
    pub runs: Vec<ManifestRun>,
    /// Arms that this version cannot run, with the reason.
    pub left_out: Vec<(String, String)>,
}

/// What is known of a task's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFacts {
    /// Training examples.
    pub n_train: usize,
    /// Validation examples.
    pub n_validation: usize,
    sha256: String,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestRun {
    /// Its folder.
    pub id: String,
    /// Arm.
    pub arm: String,
    /// Task.
    pub task: String,
    /// Seed.
    pub seed: u64,
    /// Its settings, without places.
    pub settings: Settings,
}

impl Manifest {
    /// Of a planned study.
    pub fn new(
        study: Study,
        plan: &Plan,
        model: &PretrainedModel,
        data: &BTreeMap<String, RunData>,
        args: &StudyArgs,
    ) -> Self {
        Self {
            format: FORMAT,
            study,
            quick: args.quick,
            total_steps: args.total_steps,
            model: model.name.clone(),
            model_sha256: model.weights_sha256.clone(),
            data: data.iter().map(|(task, data)| (task.clone(), facts(data))).collect(),
            runs: plan.runs.iter().map(described).collect(),
            left_out: plan.left_out.clone(),
        }
    }

    /// Writes the file, or finds that the one in the folder says the same.
    ///
    /// # Errors
    /// If the folder cannot be written, or holds another study; the message says what differs.
    pub fn settle_in(&self, root: &Path) -> anyhow::Result<()> {
        if root.join(MANIFEST_FILE).exists() {
            let differences = Self::read(root)?.differences(self);
            if !differences.is_empty() {
                bail!(
                    "the folder holds another study, so choose another --output-dir: {}\n  {}",
                    root.display(),
                    differences.join("\n  ")
                );
            }
            return Ok(());
        }
        if root.join(SETTINGS_FILE).exists() {
            bail!("the folder holds a run, so choose another --output-dir: {}", root.display());
        }
        fs::create_dir_all(root).with_context(|| {
            format!("cannot make the folder; choose another --output-dir: {}", root.display())
        })?;
        Ok(atomic::write(
            &root.join(MANIFEST_FILE),
            format!("{:#}\n", serde_json::to_value(self)?).as_bytes(),
        )?)
    }

    /// Reads the file of a folder.
    ///
    /// # Errors
    /// If there is none, or it is damaged.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let path = root.join(MANIFEST_FILE);
        let text = fs::read_to_string(&path).with_context(|| {
            format!("not the folder of a study, it has no {MANIFEST_FILE}: {}", root.display())
        })?;
        let manifest: Self =
            serde_json::from_str(&text).with_context(|| format!("damaged: {}", path.display()))?;
        if manifest.format != FORMAT {
            bail!("written by another version, in format {}: {}", manifest.format, path.display());
        }
        Ok(manifest)
    }

    /// What the other one says differently, in words; empty if both are of the same study.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut differ = |what: &str, one: &dyn std::fmt::Display, two: &dyn std::fmt::Display| {
            found.push(format!("{what}: {one} there, {two} here"));
        };
        if self.study.name != other.study.name {
            differ("study", &self.study.name, &other.study.name);
        } else if self.study != other.study {
            differ("study", &"other rows, tasks or claims", &"those of this command and version");
        }
        if self.model_sha256 != other.model_sha256 {
            differ(
                "model",
                &short(&self.model, &self.model_sha256),
                &short(&other.model, &other.model_sha256),
            );
        }
        for (task, data) in &self.data {
            if let Some(here) = other.data.get(task).filter(|here| *here != data) {
                differ(
                    &format!("data of {task}"),
                    &short("SHA-256", &data.sha256),
                    &short("SHA-256", &here.sha256),
                );
            }
        }
        let ids = |manifest: &Self| manifest.runs.iter().map(|run| run.id.clone()).collect::<Vec<_>>();
        if ids(self) != ids(other) {
            differ("runs", &self.runs.len(), &other.runs.len());
            return found;
        }
        // A setting that differs, differs in every run: it is named once.
        let mut named = Vec::new();
        for (there, here) in self.runs.iter().zip(&other.runs) {
            let names = there.settings.iter().chain(&here.settings).map(|(name, _)| name);
            for name in names {
                let (one, two) = (value(there, name), value(here, name));
                if one != two && !named.contains(name) {
                    named.push(name.clone());
                    differ(name, &one, &two);
                }
            }
        }
        found
    }
}

fn value<'a>(run: &'a ManifestRun, name: &str) -> &'a str {
    run.settings.iter().find(|(other, _)| other == name).map_or("nothing", |(_, value)| value)
}

fn short(name: &str, sha256: &str) -> String {
    format!("{name} {}…", &sha256[..sha256.len().min(12)])
}

fn described(run: &PlannedRun) -> ManifestRun {
    let pairs = run.config.to_pairs().into_iter();
    ManifestRun {
        id: run.id.clone(),
        arm: run.arm.clone(),
        task: run.task.clone(),
        seed: run.config.seed,
        settings: pairs.filter(|(name, _)| !PATHS.contains(&name.as_str())).collect(),
    }
}

/// Examples to train on and to validate on.
pub fn sizes(data: &RunData) -> (usize, usize) {
    let texts = |examples: &[GenerationExample]| examples.iter().map(|one| one.completions.len()).sum();
    match data {
        RunData::Labelled(splits) => (splits.train.examples.len(), splits.validation.examples.len()),
        RunData::Generation(splits) => (texts(&splits.train), texts(&splits.validation)),
        RunData::Plain(splits) => (splits.train.len(), splits.validation.len()),
    }
}

/// The texts and labels as they are read, whatever file they came from.
fn facts(data: &RunData) -> DataFacts {
    let content = match data {
        RunData::Labelled(splits) => {
            format!("{:?}{:?}{:?}", splits.train, splits.validation, splits.mismatched)
        }
        RunData::Generation(splits) => format!("{:?}{:?}", splits.train, splits.validation),
        RunData::Plain(splits) => format!("{:?}{:?}", splits.train, splits.validation),
    };
    let (n_train, n_validation) = sizes(data);
    DataFacts { n_train, n_validation, sha256: sha256_hex(content.as_bytes()) }
}
