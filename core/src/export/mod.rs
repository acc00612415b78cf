//! From what a run has trained to files that other tools read: pure functions from state to bytes.
//!
//! | export | files | read by |
//! |---|---|---|
//! | [`adapter`] | LoRA format, S as extra rank, exact to f32 rounding | peft, transformers |
//! | [`prefix`] | the adapter of runs that trained a prefix | peft |
//! | [`merged`] | a whole model, ΔW added to the weights | everything that reads the base model |
//! | [`compact`] | a whole model without the removed heads | transformers up to 4.57 |
//! | [`dsee_state`] | everything, lossless | this application |
//!
//! [`verify`] reads each of them back from its bytes and compares it with the state in memory.

pub mod adapter;
pub mod compact;
pub mod dsee_state;
mod effective;
mod file_site;
#[cfg(test)]
mod fixture;
pub mod format;
mod head;
mod loading;
pub mod merged;
pub mod model_card;
pub mod prefix;
mod targets;
mod tokenizer_files;
pub mod verify;
mod verify_lora;
mod verify_prefix;
pub mod vertex_cover;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::checkpoint::{HostTensor, NamedTensors};
use crate::models::config::ModelConfig;
use crate::models::family::Head;
use crate::nn::site::Site;
use crate::tuning::state::{PrunedState, SiteDelta};

/// One file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Path in the exported folder, with `/`.
    pub path: String,
    /// Its contents.
    pub bytes: Vec<u8>,
}

impl OutputFile {
    pub(crate) fn new(path: &str, bytes: Vec<u8>) -> Self {
        Self { path: path.to_owned(), bytes }
    }
}

/// Everything an export is made from.
#[derive(Clone, Copy, Debug)]
pub struct ExportInput<'a> {
    /// Settings of the base model.
    pub config: &'a ModelConfig,
    /// All parameters before training, in full size, the head included.
    pub base: &'a NamedTensors,
    /// The low-rank and sparse updates.
    pub sites: &'a [SiteDelta],
    /// What pruning removed.
    pub pruned: &'a PrunedState,
    /// Every parameter that was trained as a whole, by full name: the head, biases, or everything.
    pub trained: &'a NamedTensors,
    /// What follows the last layer.
    pub head: Head,
    /// Label names by class index; empty for regression.
    pub labels: &'a [String],
    /// Hub id of the base model, where it has one. Never a local path.
    pub base_id: Option<&'a str>,
    /// Tokenizer files of the base model, copied byte for byte.
    pub tokenizer_files: &'a [(String, Vec<u8>)],
    /// How the state came about.
    pub facts: &'a RunFacts,
}

/// How a state came about, as far as it is worth telling with the files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Revision of the base model on the hub.
    pub base_revision: Option<String>,
    /// SHA-256 of the base weight file, hexadecimal.
    pub base_sha256: Option<String>,
    /// Settings of the method in the order in which to show them: rank, nnz, alpha, Ω, seed, prune ratio, ….
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Name of the data set.
    pub dataset: Option<String>,
    /// SHA-256 of the training file, hexadecimal.
    pub dataset_sha256: Option<String>,
    /// Name of the metric, for example `accuracy`.
    pub metric: String,
    /// One row for each phase of the run.
    pub phases: Vec<PhaseFacts>,
    /// Sparsity figures: what, and how much.
    pub sparsity: Vec<(String, String)>,
}

/// Results of one phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PhaseFacts {
    /// Name of the phase, for example `tune`.
    pub phase: String,
    /// The metric on the validation data.
    pub metric: Option<f64>,
    /// Trained numbers.
    pub n_trainable: u64,
    /// Weights that are not zero.
    pub n_nonzero: u64,
    /// Floating-point operations for one sequence.
    pub flops: u64,
    /// Time it took.
    pub seconds: f64,
}

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExportError {
    /// State, base model and configuration do not belong together.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Misfits(Vec<Misfit>),
    /// The method left no low-rank or sparse update.
    #[error("this run trained no low-rank update, so there is no adapter to write: export it merged")]
    NoUpdate,
    /// A parameter beside an update was trained too, which the LoRA format cannot say.
    #[error(
        "`{parameter}` was trained as a whole beside an update of the same module, which a LoRA file cannot hold: export it merged"
    )]
    TrainedBesideUpdate {
        /// The parameter.
        parameter: String,
    },
    /// There are no removed heads to leave out.
    #[error("no heads were removed, so a compact model would be the whole one: export it merged")]
    NothingRemoved,
    /// The method put parameters beside the pretrained ones, for which the form has no place.
    #[error(
        "this run added parameters to the model ({}), for which this form has no place: export our own state, which keeps \
         everything", listed(.names)
    )]
    Added {
        /// Their names.
        names: Vec<String>,
    },
    /// peft puts a prefix before classified texts and before texts to write, and nowhere else.
    #[error(
        "peft has no prefixes in models of hidden words, so there is no adapter to write: export our own state, which keeps \
         everything"
    )]
    PrefixWithoutTask,
    /// Something was trained that peft does not save beside a prefix.
    #[error(
        "`{parameter}` was trained beside a prefix, where peft saves a classifier at most: export our own state, which keeps \
         everything"
    )]
    TrainedBesidePrefix {
        /// The parameter, or its module.
        parameter: String,
    },
    /// A parameter was trained whose module holds others, and peft saves modules with all that is in them.
    #[error(
        "`{parameter}` was trained as a whole, and peft saves `{module}` only with everything in it, weights that are tied \
         to others among them: export it merged"
    )]
    TrainedAroundModules {
        /// The parameter.
        parameter: String,
        /// Its module.
        module: String,
    },
}

/// One thing that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{name}` has {found}, the model has {expected}; was this state trained from another base model?")]
pub struct Misfit {
    /// Parameter or module.
    pub name: String,
    /// What the state says.
    pub found: String,
    /// What the base model says.
    pub expected: String,
}

/// The first names of a list, and how many there are.
fn listed(names: &[String]) -> String {
    match names {
        [first, second, _, ..] => format!("{first}, {second}, … {} in all", names.len()),
        names => names.join(", "),
    }
}

impl<'a> ExportInput<'a> {
    /// Checks that all parts belong together and that the method only changed what was there.
    ///
    /// # Errors
    /// All misfits, or the parameters that were added.
    pub fn check_pretrained(&self) -> Result<(), ExportError> {
        self.check()?;
        let parameters = self.config.family.parameters(self.config, self.head);
        let is_pretrained = |name: &String| parameters.iter().any(|parameter| parameter.name == *name);
        let names: Vec<String> = self.trained.keys().filter(|name| !is_pretrained(name)).cloned().collect();
        if names.is_empty() { Ok(()) } else { Err(ExportError::Added { names }) }
    }

    /// Number of outputs of the head.
    #[must_use]
    pub fn n_labels(&self) -> usize {
        self.labels.len().max(1)
    }

    /// The token that fills up batches: the base model's own, or the end of a text where it has none.
    #[must_use]
    pub fn pad_token_id(&self) -> Option<usize> {
        self.config.pad_token_id.or(self.config.eos_token_id)
    }

    /// Whether the base weights were changed by pruning.
    #[must_use]
    pub fn is_pruned(&self) -> bool {
        !self.pruned.masks.is_empty() || self.pruned.heads.values().any(|heads| !heads.is_empty())
    }

    /// The update of the module whose weight is `parameter`.
    pub(crate) fn site_of(&self, parameter: &str) -> Option<&'a SiteDelta> {
        let module = parameter.strip_suffix(".weight")?;
        self.sites.iter().find(|site| site.path == module)
    }

    /// A parameter after training, without its update and before pruning.
    pub(crate) fn tensor(&self, name: &str) -> Option<&HostTensor> {
        self.trained.get(name).or_else(|| self.base.get(name))
    }

    /// Checks that all parts belong together; every export relies on it.
    ///
    /// # Errors
    /// All misfits.
    pub fn check(&self) -> Result<(), ExportError> {
        let mut misfits = Vec::new();
        let shapes: BTreeMap<String, Vec<usize>> = self
            .config
            .family
            .parameters(self.config, self.head)
            .into_iter()
            .map(|spec| (spec.name, spec.shape))
            .collect();
        self.check_parameters(&shapes, &mut misfits);
        self.check_updates(&shapes, &mut misfits);
        self.check_pruned(&shapes, &mut misfits);
        if misfits.is_empty() { Ok(()) } else { Err(ExportError::Misfits(misfits)) }
    }

    /// Every parameter is there before and after training, in the right shape, and nothing else was trained.
    fn check_parameters(&self, shapes: &BTreeMap<String, Vec<usize>>, misfits: &mut Vec<Misfit>) {
        for (name, shape) in shapes {
            for tensor in [self.tensor(name), self.base.get(name)] {
                if tensor.is_none_or(|tensor| tensor.shape != *shape) {
                    let found =
                        tensor.map_or("no tensor".to_owned(), |tensor| format!("shape {:?}", tensor.shape));
                    misfits.push(Misfit::new(name, found, format!("shape {shape:?}")));
                }
            }
        }
        let sites = self.config.family.sites(self.config, self.head);
        // What a method adds is named after a site, or is the common origin of prefixes.
        let is_added = |name: &str| {
            let is_at = |site: &Site| name.strip_prefix(&site.path).is_some_and(|rest| rest.starts_with('.'));
            name.starts_with("prefix.") || sites.iter().any(is_at)
        };
        for name in self.trained.keys().filter(|name| !shapes.contains_key(*name) && !is_added(name)) {
            misfits.push(Misfit::new(name, "trained values", "no such parameter"));
        }
    }

    /// Every update fits the weight it is added to, and its parts fit each other.
    fn check_updates(&self, shapes: &BTreeMap<String, Vec<usize>>, misfits: &mut Vec<Misfit>) {
        for site in self.sites {
            let weight = shapes.get(&format!("{}.weight", site.path));
            if weight.is_none_or(|shape| *shape != [site.d_out, site.d_in]) {
                let found = format!("an update of shape {:?}", [site.d_out, site.d_in]);
                let expected =
                    weight.map_or("no such module".to_owned(), |shape| format!("a weight of {shape:?}"));
                misfits.push(Misfit::new(&site.path, found, expected));
            } else if !is_consistent(site) {
                let expected = format!("a weight of {:?}", [site.d_out, site.d_in]);
                misfits.push(Misfit::new(
                    &site.path,
                    "an update whose parts do not fit each other",
                    expected,
                ));
            }
        }
    }

    /// Masks and removed heads exist in the model.
    fn check_pruned(&self, shapes: &BTreeMap<String, Vec<usize>>, misfits: &mut Vec<Misfit>) {
        for (name, mask) in &self.pruned.masks {
            let n = shapes.get(name).map_or(0, |shape| shape.iter().product());
            if mask.len != n {
                misfits.push(Misfit::new(
                    name,
                    format!("a mask of {} entries", mask.len),
                    format!("{n} entries"),
                ));
            }
        }
        let (n_layers, n_heads) = (self.config.num_hidden_layers, self.config.num_attention_heads);
        for (layer, heads) in &self.pruned.heads {
            if *layer >= n_layers || heads.iter().any(|&head| head >= n_heads) {
                let (found, expected) =
                    (format!("removed heads {heads:?}"), format!("{n_layers} layers of {n_heads} heads"));
                misfits.push(Misfit::new(&format!("layer {layer}"), found, expected));
            }
        }
    }
}

impl Misfit {
    fn new(name: &str, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { name: name.to_owned(), found: found.into(), expected: expected.into() }
    }
}

/// Whether the parts of an update fit its own sizes.
fn is_consistent(site: &SiteDelta) -> bool {
    let n_entries = site.d_out * site.d_in;
    site.a.len() == site.rank * site.d_in
        && site.b.len() == site.d_out * site.rank
        && site.s_indices.len() == site.s_values.len()
        && site.s_indices.is_sorted_by(|a, b| a < b)
        && site.s_indices.iter().all(|&index| (index as usize) < n_entries)
}
