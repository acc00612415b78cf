//! From a configuration and a weight file to the full-size parameters of a model with a head.
//! Both forms of removed heads are read: shrunken tensors (transformers up to 4.57) and full-size ones.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::config::ModelConfig;
use super::config_fields::{ConfigError, FieldProblem};
use super::family::Head;
use super::parameter::{Parameter, Stored, file_tensors};
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::load::{FoundShapes, Matched, ParamSpec, match_parameters, plan_match};
use crate::checkpoint::{Blocks, Checkpoint, HostTensor};
use crate::nn::head_layout::{HeadAxis, HeadLayout, LostHeads};
use crate::nn::site::{Role, Site};

/// Parameters of a model; `T` says where their values are.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded<T = HostTensor> {
    /// All parameters found, with what to tell the user.
    pub matched: Matched<T>,
    /// Layer → heads that were already removed in the file; their parameters are zero in full size.
    pub removed_heads: BTreeMap<usize, Vec<usize>>,
}

/// Why a model could not be loaded: a configuration that contradicts the weights, bad weights, or both.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{}", [.config.as_ref().map(ToString::to_string), .checkpoint.as_ref().map(ToString::to_string)]
    .into_iter().flatten().collect::<Vec<_>>().join("\n"))]
pub struct LoadError {
    /// Fields that the weights contradict.
    pub config: Option<ConfigError>,
    /// What is wrong with the weights.
    pub checkpoint: Option<CheckpointError>,
}

/// Takes the parameters of a model with a head out of a checkpoint in memory, all in full size.
///
/// # Errors
/// As [`match_model`].
pub fn load_model(
    config: &ModelConfig,
    config_file: &str,
    checkpoint: Checkpoint,
    head: Head,
) -> Result<Loaded, LoadError> {
    let mut loaded = match_model(config, config_file, checkpoint, head)?;
    let sites = config.family.sites(config, head);
    for (name, tensor) in &mut loaded.matched.params {
        if let Some(full) = restore_heads(config, &sites, &loaded.removed_heads, name, tensor) {
            *tensor = full;
        }
    }
    Ok(loaded)
}

/// Finds the parameters of a model with a head in a checkpoint, wherever their values are. Those in which heads were
/// removed still have the shape of the file: [`restore_heads`] gives them their full size.
///
/// # Errors
/// Every contradiction between `config` (from `config_file`) and the weights, and every bad parameter.
pub fn match_model<T: Blocks>(
    config: &ModelConfig,
    config_file: &str,
    checkpoint: Checkpoint<T>,
    head: Head,
) -> Result<Loaded<T>, LoadError> {
    let shapes = checkpoint.shapes();
    let (parameters, compact) = expected_parameters(config, &shapes, head);
    let config_error = contradiction(config, config_file, &shapes);
    match match_parameters(&specs(&parameters), checkpoint, &config.family.name_rules()) {
        Ok(matched) if config_error.is_none() => {
            Ok(describe(config, take_blocks(&parameters, matched), compact))
        }
        result => Err(LoadError { config: config_error, checkpoint: result.err() }),
    }
}

/// Checks types and shapes alone, as [`load_model`] would, before any value was read.
///
/// # Errors
/// As [`load_model`].
pub fn check_shapes(
    config: &ModelConfig,
    config_file: &str,
    found: &FoundShapes,
    weights_file: &str,
) -> Result<(), LoadError> {
    // Heads may be absent or of another size, so which one it is does not matter here.
    let (parameters, _) = expected_parameters(config, found, Head::SequenceClassification { n_labels: 1 });
    let plan = plan_match(&specs(&parameters), found, &config.family.name_rules(), weights_file);
    match (contradiction(config, config_file, found), plan.err()) {
        (None, None) => Ok(()),
        (config, checkpoint) => Err(LoadError { config, checkpoint }),
    }
}

fn specs(parameters: &[Parameter]) -> Vec<ParamSpec> {
    file_tensors(parameters).iter().map(super::parameter::FileTensor::spec).collect()
}

/// From tensors of the file to parameters.
fn take_blocks<T: Blocks>(parameters: &[Parameter], matched: Matched<T>) -> Matched<T> {
    let Matched { params: found, fresh: fresh_tensors, ignored, notes } = matched;
    let (mut params, mut fresh) = (BTreeMap::new(), Vec::new());
    for parameter in parameters {
        let file_name = parameter.file_name();
        let Some(tensor) = found.get(file_name) else {
            if fresh_tensors.iter().any(|name| name == file_name) {
                fresh.push(parameter.name.clone());
            }
            continue;
        };
        let value = match parameter.stored {
            Stored::Same => tensor.clone(),
            Stored::Conv1d { block, n_blocks, .. } => tensor.block(block, n_blocks),
        };
        params.insert(parameter.name.clone(), value);
    }
    Matched { params, fresh, ignored, notes }
}

/// The parameters as this file should hold them, and whether those of removed heads are left out.
fn expected_parameters(config: &ModelConfig, found: &FoundShapes, head: Head) -> (Vec<Parameter>, bool) {
    let mut parameters = config.family.parameters(config, head);
    let sites = config.family.sites(config, head);
    let compact = is_compact(config, &parameters, &sites, found);
    if compact {
        parameters.iter_mut().for_each(|parameter| shrink(config, &sites, parameter));
    }
    (parameters, compact)
}

fn contradiction(config: &ModelConfig, config_file: &str, found: &FoundShapes) -> Option<ConfigError> {
    let fields = contradictions(config, found);
    (!fields.is_empty()).then(|| ConfigError { file: config_file.to_owned(), fields })
}

/// Fields of the configuration that the shapes of the weights contradict.
#[must_use]
pub fn contradictions(config: &ModelConfig, found: &FoundShapes) -> Vec<FieldProblem> {
    let prefix = config.family.name_rules().prefix;
    let shapes: BTreeMap<&str, &[usize]> = found
        .iter()
        .map(|(name, (_, shape))| (name.strip_prefix(&prefix).unwrap_or(name), shape.as_slice()))
        .collect();
    let mut problems = Vec::new();
    let mut contradict = |field: &str, value: usize, expected: String| {
        problems.push(FieldProblem { field: field.to_owned(), found: value.to_string(), expected });
    };
    for check in config.family.size_checks(config) {
        let Some(shape) = shapes.get(check.tensor.as_str()) else { continue };
        if let Some(&size) = shape.get(check.axis).filter(|&&size| size != check.value) {
            let expected = format!("{size}, which the weights have (`{}` is {shape:?})", check.tensor);
            contradict(check.field, check.value, expected);
        }
    }
    let layer_prefix = config.family.layer_prefix();
    let layers: BTreeSet<usize> = shapes.keys().filter_map(|name| layer_number(layer_prefix, name)).collect();
    if let Some(&last) = layers.last()
        && last + 1 != config.num_hidden_layers
    {
        let expected = format!("{}, which the weights have", last + 1);
        contradict("num_hidden_layers", config.num_hidden_layers, expected);
    }
    problems
}

fn layer_number(prefix: &str, name: &str) -> Option<usize> {
    name.strip_prefix(prefix)?.split_once('.')?.0.parse().ok()
}

/// Whether a layer with removed heads has shrunken tensors.
fn is_compact(config: &ModelConfig, parameters: &[Parameter], sites: &[Site], found: &FoundShapes) -> bool {
    let prefix = config.family.name_rules().prefix;
    config.pruned_heads.iter().any(|(&layer, removed)| {
        let is_query = |site: &&Site| site.layer == Some(layer) && site.role == Role::Query;
        let Some(site) = sites.iter().find(is_query) else { return false };
        let weight = site.weight_name();
        let Some(parameter) = parameters.iter().find(|parameter| parameter.name == weight) else {
            return false;
        };
        let mut small = parameter.clone();
        shrink(config, sites, &mut small);
        let name = parameter.file_name();
        let bare = name.strip_prefix(&prefix).unwrap_or(name);
        let shape = found.get(name).or_else(|| found.get(bare)).map(|(_, shape)| shape);
        !removed.is_empty() && shape == Some(&small.file_shape())
    })
}

/// The layout of a parameter in which some of `removed` heads lie.
#[must_use]
pub fn head_layout<'a>(
    config: &ModelConfig,
    sites: &[Site],
    removed: &'a BTreeMap<usize, Vec<usize>>,
    parameter: &str,
) -> Option<HeadLayout<'a>> {
    let lost = LostHeads { n_heads: config.num_attention_heads, head_size: config.head_size(), removed };
    lost.of_parameter(sites, parameter).map(|(layout, _)| layout)
}

fn shrink(config: &ModelConfig, sites: &[Site], parameter: &mut Parameter) {
    if let Some(layout) = head_layout(config, sites, &config.pruned_heads, &parameter.name) {
        parameter.shape = layout.compact_shape(&parameter.shape);
    }
}

/// The full-size form of a parameter in which the file has only the rows or columns of the heads that stayed; `None`
/// where all of it is in the file.
#[must_use]
pub fn restore_heads(
    config: &ModelConfig,
    sites: &[Site],
    removed_heads: &BTreeMap<usize, Vec<usize>>,
    name: &str,
    tensor: &HostTensor,
) -> Option<HostTensor> {
    let layout = head_layout(config, sites, removed_heads, name)?;
    let mut shape = tensor.shape.clone();
    shape[usize::from(layout.axis == HeadAxis::Columns)] = config.hidden_size;
    Some(layout.expand(tensor, &shape))
}

/// Says which form was found.
fn describe<T>(config: &ModelConfig, mut matched: Matched<T>, compact: bool) -> Loaded<T> {
    if !compact {
        if !config.pruned_heads.is_empty() {
            matched.notes.push(
                "pruned_heads is ignored: the weights have full size and are used as stored".to_owned(),
            );
        }
        return Loaded { matched, removed_heads: BTreeMap::new() };
    }
    let n_heads: usize = config.pruned_heads.values().map(Vec::len).sum();
    matched
        .notes
        .push(format!("{n_heads} heads were removed from this file (pruned_heads); they stay removed"));
    Loaded { matched, removed_heads: config.pruned_heads.clone() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::checkpoint::NamedTensors;
    use crate::checkpoint::error::TensorProblem;
    use crate::models::config::tests::tiny;
    use crate::random::Random;

    const TWO: Head = Head::SequenceClassification { n_labels: 2 };

    fn parameters(config: &ModelConfig) -> Vec<Parameter> {
        config.family.parameters(config, TWO)
    }

    fn weights(specs: &[Parameter]) -> NamedTensors {
        let mut random = Random::new(3, 1);
        let mut tensor = |shape: &[usize]| HostTensor {
            shape: shape.to_vec(),
            data: (0..shape.iter().product()).map(|_| random.uniform() + 0.1).collect(),
        };
        specs.iter().map(|spec| (spec.name.clone(), tensor(&spec.shape))).collect()
    }

    fn checkpoint(tensors: NamedTensors) -> Checkpoint {
        Checkpoint { file: "model.safetensors".into(), tensors, ..Checkpoint::default() }
    }

    #[test]
    fn contradictions_name_the_field_and_the_weights() {
        let config = tiny();
        let tensors = weights(&parameters(&config));
        let mut other = config.clone();
        (other.vocab_size, other.num_hidden_layers, other.intermediate_size) = (12, 1, 16);
        let error = load_model(&other, "config.json", checkpoint(tensors), TWO).unwrap_err();
        let fields: Vec<&str> =
            error.config.as_ref().unwrap().fields.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["vocab_size", "intermediate_size", "num_hidden_layers"]);
        assert!(error.to_string().starts_with("`vocab_size` is 12, expected 11, which the weights have"));
        let shapes = error.checkpoint.unwrap().problems;
        assert!(
            shapes.iter().all(|problem| matches!(problem, TensorProblem::WrongShape { .. })),
            "{shapes:?}"
        );
    }

    #[test]
    fn a_bare_encoder_gets_a_fresh_head() {
        let config = tiny();
        let tensors = weights(&parameters(&config));
        let bare = tensors
            .iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix("bert.")?.to_owned(), tensor.clone())));
        let loaded = load_model(&config, "config.json", checkpoint(bare.collect()), TWO).unwrap();
        assert_eq!(loaded.matched.fresh, ["classifier.weight", "classifier.bias"]);
        assert_eq!(loaded.matched.params.len(), tensors.len() - 2);
        assert!(loaded.matched.notes.is_empty());
    }

    #[test]
    fn both_forms_of_removed_heads_are_read() {
        let mut config = tiny();
        config.pruned_heads = BTreeMap::from([(1, vec![0])]);
        let specs = parameters(&config);
        let full = weights(&specs);
        let loaded = load_model(&config, "config.json", checkpoint(full.clone()), TWO).unwrap();
        assert_eq!(loaded.matched.params, full);
        assert!(loaded.removed_heads.is_empty() && loaded.matched.notes[0].contains("full size"));

        let sites = config.family.sites(&config, TWO);
        let mut compact = specs;
        compact.iter_mut().for_each(|spec| shrink(&config, &sites, spec));
        let loaded = load_model(&config, "config.json", checkpoint(weights(&compact)), TWO).unwrap();
        let query = &loaded.matched.params["bert.encoder.layer.1.attention.self.query.weight"];
        assert_eq!(query.shape, [8, 8]);
        assert!(query.data[..32].iter().all(|&w| w == 0.0) && query.data[32..].iter().all(|&w| w != 0.0));
        let join = &loaded.matched.params["bert.encoder.layer.1.attention.output.dense.weight"];
        assert!(join.data.chunks(8).all(|row| row[..4] == [0.0; 4] && row[4] != 0.0));
        assert_eq!(loaded.removed_heads, config.pruned_heads);
        let untouched = &loaded.matched.params["bert.encoder.layer.0.attention.self.query.weight"];
        assert!(untouched.data.iter().all(|&w| w != 0.0));
    }

    #[test]
    fn a_decoder_is_taken_apart_and_keeps_its_removed_heads() {
        let json =
            br#"{"model_type":"gpt2","n_embd":8,"n_layer":1,"n_head":2,"vocab_size":5,"n_positions":4}"#;
        let mut config = ModelConfig::parse("config.json", json).unwrap();
        let file = |parameters: &[Parameter]| {
            let files = file_tensors(parameters);
            let specs = files.iter().map(|tensor| (tensor.name.to_owned(), tensor.shape.clone()));
            specs
                .map(|(name, shape)| {
                    let n = shape.iter().product();
                    (name, HostTensor { shape, data: (0..n).map(|i| i as f32 + 1.0).collect() })
                })
                .collect::<NamedTensors>()
        };
        let list = config.family.parameters(&config, Head::CausalLm);
        let loaded = load_model(&config, "config.json", checkpoint(file(&list)), Head::CausalLm).unwrap();
        let value = &loaded.matched.params["transformer.h.0.attn.c_attn.value.weight"];
        assert_eq!((value.shape.as_slice(), &value.data[..2]), (&[8, 8][..], &[17.0, 41.0][..]));
        assert_eq!(loaded.matched.params.len(), list.len());

        config.pruned_heads = BTreeMap::from([(0, vec![1])]);
        let sites = config.family.sites(&config, Head::CausalLm);
        let mut small = list;
        small.iter_mut().for_each(|parameter| shrink(&config, &sites, parameter));
        let loaded = load_model(&config, "config.json", checkpoint(file(&small)), Head::CausalLm).unwrap();
        assert_eq!(loaded.removed_heads, config.pruned_heads);
        let value = &loaded.matched.params["transformer.h.0.attn.c_attn.value.weight"];
        assert!(value.data[32..].iter().all(|&w| w == 0.0) && value.data[..32].iter().all(|&w| w != 0.0));
    }
}
