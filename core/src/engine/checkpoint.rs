//! The state of a run as files: what `checkpoint-N/` holds of the engine.
//!
//! `engine_state.json` says where the run stands, `engine_state.safetensors` holds its tensors: the state after the last
//! finished phase (`delta.…`, `trained.…`, `mask.…`), what was different before pruning (`tuned.…`), and, inside a phase, the
//! arena (`phase.<kind>.…`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::EngineError;
use super::state_file::{StateManifest, Tensors, state_tensors, trained_names};
use super::tuning_phase::PhaseProgress;
use crate::checkpoint::safetensors_read::read_safetensors;
use crate::checkpoint::write::write_named;
use crate::checkpoint::{HostTensor, NamedTensors};
use crate::protocol::{OmegaReport, PhaseRow};
use crate::train::place::HostState;

/// Name of the file that says where the run stands.
pub const STATE_JSON: &str = "engine_state.json";
/// Name of the file with its tensors.
pub const STATE_TENSORS: &str = "engine_state.safetensors";

/// What the run does next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Says what was loaded.
    #[default]
    Begin,
    /// Stage 0.
    SelectOmega,
    /// Stage 1.
    Tune,
    /// Stage 2.
    Prune,
    /// Stage 3.
    Retune,
    /// The last evaluation.
    Evaluate,
    /// Nothing.
    Done,
}

/// Everything needed to go on with a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunCheckpoint {
    pub(super) position: Position,
    pub(super) state: HostState,
    /// The state before pruning, where it is to be compared with what came of it.
    pub(super) tuned: Option<HostState>,
    pub(super) phase: BTreeMap<String, NamedTensors>,
}

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// What comes next.
    pub stage: Stage,
    /// Rounds of tuning and pruning before this one, where a method has several.
    #[serde(default)]
    pub round: usize,
    /// Optimizer steps of finished phases.
    pub steps_before: usize,
    /// Matrices of stage 0 that are done.
    pub omegas: Vec<OmegaReport>,
    /// Rows of finished phases.
    pub rows: Vec<PhaseRow>,
    /// SHA-256 of the encoded training and validation data; empty in checkpoints that do not say.
    #[serde(default)]
    pub data_sha256: [String; 2],
    /// Where a run that begins with a tuned state goes on after it has said what was loaded.
    #[serde(default)]
    pub begin_at: Option<Stage>,
    /// Progress of the phase under way.
    pub phase: Option<PhaseProgress>,
    /// Seconds of the run before the last start of the program.
    pub seconds_before: f64,
}

/// The part of the state that is not tensors.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    position: Position,
    /// Read apart: what is flattened goes through a form that has no numbers as keys.
    #[serde(flatten, skip_deserializing)]
    state: StateManifest,
    #[serde(default)]
    tuned: Option<StateManifest>,
}

const FORMAT: u32 = 1;
/// Before the names of the tensors of the state before pruning.
const TUNED: &str = "tuned.";

impl RunCheckpoint {
    /// The start of a run that prunes what another run has tuned.
    #[must_use]
    pub fn tuned(state: HostState) -> Self {
        let position = Position { begin_at: Some(Stage::Prune), ..Position::default() };
        Self { position, state, ..Self::default() }
    }

    /// Optimizer steps of the whole run so far.
    #[must_use]
    pub fn step(&self) -> usize {
        self.position.steps_before + self.position.phase.as_ref().map_or(0, |phase| phase.step)
    }

    /// Refuses data other than those the run began with: what was trained so far would be continued on something else.
    pub(super) fn check_data(&self, now: &[String; 2]) -> Result<(), EngineError> {
        let then = self.position.data_sha256.iter();
        for ((what, then), now) in ["training", "validation"].into_iter().zip(then).zip(now) {
            if !then.is_empty() && then != now {
                return Err(EngineError::Checkpoint(format!(
                    "the {what} examples are not those the run began with (SHA-256 {}…, now {}…); put the file back as \
                     it was, or start a new run",
                    &then[..12.min(then.len())],
                    &now[..12]
                )));
            }
        }
        Ok(())
    }

    /// The files of a checkpoint folder, name and bytes.
    #[must_use]
    pub fn to_files(&self) -> Vec<(String, Vec<u8>)> {
        let manifest = Manifest {
            format: FORMAT,
            position: self.position.clone(),
            state: StateManifest::of(&self.state),
            tuned: self.tuned.as_ref().map(StateManifest::of),
        };
        let json = serde_json::to_vec_pretty(&manifest).expect("plain data is always written");
        let tensors = write_named(&self.tensors());
        vec![(STATE_JSON.to_owned(), json), (STATE_TENSORS.to_owned(), tensors)]
    }

    fn tensors(&self) -> NamedTensors {
        let mut all = state_tensors(&self.state);
        let tuned = self.tuned.as_ref().map(state_tensors).unwrap_or_default();
        for (name, tensor) in tuned {
            if !all.get(&name).is_some_and(|newest| is_same(newest, &tensor)) {
                all.insert(format!("{TUNED}{name}"), tensor);
            }
        }
        for (kind, tensors) in &self.phase {
            for (name, tensor) in tensors {
                all.insert(format!("phase.{kind}.{name}"), tensor.clone());
            }
        }
        all
    }

    /// Reads a checkpoint folder's files.
    ///
    /// # Errors
    /// If a file is missing or damaged, or comes from another version.
    pub fn from_files(files: &[(String, Vec<u8>)]) -> Result<Self, EngineError> {
        let find = |name: &str| {
            let file = files.iter().find(|(file, _)| file == name);
            file.map(|(_, bytes)| bytes).ok_or_else(|| EngineError::Checkpoint(format!("it has no {name}")))
        };
        let damaged = |error: serde_json::Error| EngineError::Checkpoint(format!("{STATE_JSON}: {error}"));
        let manifest: Manifest = serde_json::from_slice(find(STATE_JSON)?).map_err(damaged)?;
        let state: StateManifest = serde_json::from_slice(find(STATE_JSON)?).map_err(damaged)?;
        if manifest.format != FORMAT {
            let found = manifest.format;
            return Err(EngineError::Checkpoint(format!(
                "it has format {found}, this program reads {FORMAT}"
            )));
        }
        let mut tensors = read_safetensors(STATE_TENSORS, find(STATE_TENSORS)?)?.tensors;
        let trained = trained_names(&tensors);
        let mut read =
            |state: StateManifest, prefix| state.read(&trained, &mut Tensors { all: &mut tensors, prefix });
        // The tuned state first: what it has in common with the newest is taken from there.
        let tuned = manifest.tuned.map(|tuned| read(tuned, TUNED)).transpose()?;
        let state = read(state, "")?;
        let mut phase: BTreeMap<String, NamedTensors> = BTreeMap::new();
        for (name, tensor) in tensors {
            if let Some((kind, parameter)) = name.strip_prefix("phase.").and_then(|rest| rest.split_once('.'))
            {
                phase.entry(kind.to_owned()).or_default().insert(parameter.to_owned(), tensor);
            }
        }
        Ok(Self { position: manifest.position, state, tuned, phase })
    }
}

/// Whether two tensors have the same bits.
fn is_same(a: &HostTensor, b: &HostTensor) -> bool {
    let bits = |tensor: &HostTensor| tensor.data.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    a.shape == b.shape && bits(a) == bits(b)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::nn::linear::delta_names;
    use crate::tuning::state::{Mask, SiteDelta};

    fn checkpoint() -> RunCheckpoint {
        let delta = SiteDelta {
            path: "layer.query".into(),
            d_out: 3,
            d_in: 2,
            rank: 1,
            scale: 2.0,
            a: vec![0.1, f32::MIN_POSITIVE],
            b: vec![1.0, -0.0, 3.0],
            s_indices: vec![1, 5],
            s_values: vec![0.5, -0.25],
        };
        let mut mask = Mask::all_kept(70);
        [0, 15, 16, 63, 69].into_iter().for_each(|i| mask.remove(i));
        let mut state = HostState { deltas: vec![delta], ..HostState::default() };
        state.pruned.masks.insert("layer.query.weight".into(), mask);
        state.pruned.heads.insert(1, vec![0, 2]);
        let tensor = HostTensor { shape: vec![2, 1], data: vec![1.5, 2.5] };
        state.trained.insert("classifier.weight".into(), tensor.clone());
        let phase = [("value".to_owned(), [("x.y".to_owned(), tensor)].into())].into();
        let progress = PhaseProgress {
            step: 7,
            unreported: vec![(0.1, 1.0 / 3.0)],
            seconds_before: 0.1 + 0.2,
            ..PhaseProgress::default()
        };
        let position =
            Position { stage: Stage::Retune, steps_before: 10, phase: Some(progress), ..Position::default() };
        RunCheckpoint { position, state, phase, tuned: None }
    }

    #[test]
    fn what_pruning_left_as_it_was_is_kept_once() {
        let mut checkpoint = checkpoint();
        let mut tuned = checkpoint.state.clone();
        tuned.pruned = Default::default();
        // Zero and minus zero are equal, but not the same.
        tuned.deltas[0].b[1] = 0.0;
        checkpoint.tuned = Some(tuned);
        let files = checkpoint.to_files();
        let read = RunCheckpoint::from_files(&files).unwrap();
        assert_eq!(read, checkpoint);
        let b = |state: &HostState| state.deltas[0].b[1].to_bits();
        assert_eq!((b(read.tuned.as_ref().unwrap()), b(&read.state)), (0, 1 << 31));
        let names = read_safetensors(STATE_TENSORS, &files[1].1).unwrap().tensors.into_keys();
        let twice: Vec<String> = names.filter(|name| name.starts_with(TUNED)).collect();
        let [_, _, _, b] = delta_names("layer.query");
        assert_eq!(twice, [format!("tuned.delta.{b}")]);
    }

    #[test]
    fn files_give_back_every_bit() {
        let checkpoint = checkpoint();
        let read = RunCheckpoint::from_files(&checkpoint.to_files()).unwrap();
        assert_eq!(read, checkpoint);
        assert_eq!(read.step(), 17);
    }

    #[test]
    fn what_is_missing_or_damaged_is_named() {
        let files = checkpoint().to_files();
        let error = RunCheckpoint::from_files(&files[..1]).unwrap_err().to_string();
        assert!(error.contains(STATE_TENSORS), "{error}");
        let mut damaged = files.clone();
        damaged[0].1.truncate(40);
        let error = RunCheckpoint::from_files(&damaged).unwrap_err().to_string();
        assert!(error.contains(STATE_JSON), "{error}");
        let mut short = files;
        let n = short[1].1.len();
        short[1].1.truncate(n - 3);
        assert!(RunCheckpoint::from_files(&short).is_err());
    }
}
