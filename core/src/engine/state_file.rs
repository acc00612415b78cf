//! A trained state among the tensors of a checkpoint: `delta.…`, `trained.…` and `mask.…`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::checkpoint::STATE_TENSORS;
use super::error::EngineError;
use crate::checkpoint::{HostTensor, NamedTensors};
use crate::nn::linear::{delta_names, sparse_name};
use crate::train::place::HostState;
use crate::tuning::state::{Mask, SiteDelta};

/// Before the names of parameters that are trained themselves.
const TRAINED: &str = "trained.";

/// The part of a state that is not tensors.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct StateManifest {
    sites: Vec<SiteShape>,
    heads: BTreeMap<usize, Vec<usize>>,
    masks: BTreeMap<String, usize>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SiteShape {
    path: String,
    d_out: usize,
    d_in: usize,
    rank: usize,
    scale: f32,
    omega: Vec<u32>,
}

impl StateManifest {
    /// Says what `state` is beside its tensors.
    pub fn of(state: &HostState) -> Self {
        let sites = state.deltas.iter().map(|delta| SiteShape {
            path: delta.path.clone(),
            d_out: delta.d_out,
            d_in: delta.d_in,
            rank: delta.rank,
            scale: delta.scale,
            omega: delta.s_indices.clone(),
        });
        let masks = state.pruned.masks.iter().map(|(name, mask)| (name.clone(), mask.len));
        Self { sites: sites.collect(), heads: state.pruned.heads.clone(), masks: masks.collect() }
    }

    /// Takes the tensors of the state out of `tensors`, with all parameters that `trained` names.
    ///
    /// # Errors
    /// If one is missing, or has another length.
    pub fn read(self, trained: &[String], tensors: &mut Tensors<'_>) -> Result<HostState, EngineError> {
        let mut state = HostState::default();
        for site in self.sites {
            state.deltas.push(site.delta(tensors)?);
        }
        for name in trained {
            let tensor = tensors.take(&format!("{TRAINED}{name}"))?;
            state.trained.insert(name.clone(), tensor);
        }
        for (name, len) in self.masks {
            let halves = tensors.values(&format!("mask.{name}"), len.div_ceil(64) * 4)?;
            let word = |part: &[f32]| part.iter().rev().fold(0u64, |word, &half| word << 16 | half as u64);
            let keep = halves.chunks_exact(4).map(word).collect();
            state.pruned.masks.insert(name, Mask { keep, len });
        }
        state.pruned.heads = self.heads;
        Ok(state)
    }
}

/// The tensors of `state` by their names in a checkpoint.
pub fn state_tensors(state: &HostState) -> NamedTensors {
    let mut all = NamedTensors::new();
    let vector = |data: &[f32]| HostTensor { shape: vec![data.len()], data: data.to_vec() };
    for delta in &state.deltas {
        let [_, _, a, b] = delta_names(&delta.path);
        all.insert(format!("delta.{a}"), vector(&delta.a));
        all.insert(format!("delta.{b}"), vector(&delta.b));
        all.insert(format!("delta.{}", sparse_name(&delta.path)), vector(&delta.s_values));
    }
    for (name, tensor) in &state.trained {
        all.insert(format!("{TRAINED}{name}"), tensor.clone());
    }
    for (name, mask) in &state.pruned.masks {
        // Sixteen bits to a number: every one of them is exact in f32.
        let halves = mask.keep.iter().flat_map(|word| (0..4).map(move |i| (word >> (16 * i)) as u16));
        all.insert(format!("mask.{name}"), vector(&halves.map(f32::from).collect::<Vec<_>>()));
    }
    all
}

/// The parameters whose trained values are among `tensors`.
pub fn trained_names(tensors: &NamedTensors) -> Vec<String> {
    tensors.keys().filter_map(|name| name.strip_prefix(TRAINED)).map(str::to_owned).collect()
}

/// The tensors of one state in a file that may hold several.
pub struct Tensors<'a> {
    /// All tensors of the file; what is read is taken out.
    pub all: &'a mut NamedTensors,
    /// Before every name of this state. What is not there under such a name is as in the state without a prefix.
    pub prefix: &'static str,
}

impl Tensors<'_> {
    fn take(&mut self, name: &str) -> Result<HostTensor, EngineError> {
        let own = self.all.remove(&format!("{}{name}", self.prefix));
        let missing = || EngineError::Checkpoint(format!("{STATE_TENSORS} has no tensor {name}"));
        own.or_else(|| self.all.get(name).cloned()).ok_or_else(missing)
    }

    fn values(&mut self, name: &str, len: usize) -> Result<Vec<f32>, EngineError> {
        let HostTensor { data, .. } = self.take(name)?;
        if data.len() != len {
            let found = data.len();
            return Err(EngineError::Checkpoint(format!("{name} has {found} values, expected {len}")));
        }
        Ok(data)
    }
}

impl SiteShape {
    fn delta(self, tensors: &mut Tensors<'_>) -> Result<SiteDelta, EngineError> {
        let [_, _, a, b] = delta_names(&self.path);
        let mut take = |name: String, len: usize| tensors.values(&format!("delta.{name}"), len);
        Ok(SiteDelta {
            a: take(a, self.rank * self.d_in)?,
            b: take(b, self.d_out * self.rank)?,
            s_values: take(sparse_name(&self.path), self.omega.len())?,
            path: self.path,
            d_out: self.d_out,
            d_in: self.d_in,
            rank: self.rank,
            scale: self.scale,
            s_indices: self.omega,
        })
    }
}
