//! From a configuration and a weight file to the full-size parameters of a BERT classifier.
//! Both forms of removed heads are read: shrunken tensors (transformers up to 4.57) and full-size ones.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::bert_names::{LAYER_SITES, bert_name_rules, bert_parameters, head_axis, layer_module};
use super::config::BertConfig;
use super::config_fields::{ConfigError, FieldProblem};
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::load::{FoundShapes, Matched, ParamSpec, match_parameters, plan_match};
use crate::checkpoint::{Checkpoint, HostTensor, Shaped};
use crate::nn::head_layout::{HeadAxis, HeadLayout};

/// Parameters of a classifier; `T` says where their values are.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedBert<T = HostTensor> {
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

/// Takes the parameters of a classifier with `n_labels` outputs out of a checkpoint in memory, all in full size.
///
/// # Errors
/// As [`match_bert`].
pub fn load_bert(
    config: &BertConfig,
    config_file: &str,
    checkpoint: Checkpoint,
    n_labels: usize,
) -> Result<LoadedBert, LoadError> {
    let mut loaded = match_bert(config, config_file, checkpoint, n_labels)?;
    for (name, tensor) in &mut loaded.matched.params {
        if let Some(full) = restore_heads(config, &loaded.removed_heads, name, tensor) {
            *tensor = full;
        }
    }
    Ok(loaded)
}

/// Finds the parameters of a classifier with `n_labels` outputs in a checkpoint, wherever their values are. Those in
/// which heads were removed still have the shape of the file: [`restore_heads`] gives them their full size.
///
/// # Errors
/// Every contradiction between `config` (from `config_file`) and the weights, and every bad parameter.
pub fn match_bert<T: Shaped>(
    config: &BertConfig,
    config_file: &str,
    checkpoint: Checkpoint<T>,
    n_labels: usize,
) -> Result<LoadedBert<T>, LoadError> {
    let shapes = checkpoint.shapes();
    let (specs, compact) = expected_parameters(config, &shapes, n_labels);
    let config_error = contradiction(config, config_file, &shapes);
    match match_parameters(&specs, checkpoint, &bert_name_rules()) {
        Ok(matched) if config_error.is_none() => Ok(describe(config, matched, compact)),
        result => Err(LoadError { config: config_error, checkpoint: result.err() }),
    }
}

/// Checks types and shapes alone, as [`load_bert`] would, before any value was read.
///
/// # Errors
/// As [`load_bert`].
pub fn check_shapes(
    config: &BertConfig,
    config_file: &str,
    found: &FoundShapes,
    weights_file: &str,
) -> Result<(), LoadError> {
    // Heads may be absent or of another size, so their number of labels does not matter here.
    let (specs, _) = expected_parameters(config, found, 1);
    let checkpoint = plan_match(&specs, found, &bert_name_rules(), weights_file).err();
    match (contradiction(config, config_file, found), checkpoint) {
        (None, None) => Ok(()),
        (config, checkpoint) => Err(LoadError { config, checkpoint }),
    }
}

/// The parameters as this file should hold them, and whether those of removed heads are left out.
fn expected_parameters(config: &BertConfig, found: &FoundShapes, n_labels: usize) -> (Vec<ParamSpec>, bool) {
    let compact = is_compact(config, found);
    let mut specs = bert_parameters(config, n_labels);
    if compact {
        specs.iter_mut().for_each(|spec| shrink_spec(config, spec));
    }
    (specs, compact)
}

fn contradiction(config: &BertConfig, config_file: &str, found: &FoundShapes) -> Option<ConfigError> {
    let fields = contradictions(config, found);
    (!fields.is_empty()).then(|| ConfigError { file: config_file.to_owned(), fields })
}

/// Fields of the configuration that the shapes of the weights contradict.
#[must_use]
pub fn contradictions(config: &BertConfig, found: &FoundShapes) -> Vec<FieldProblem> {
    let shapes: BTreeMap<&str, &[usize]> = found
        .iter()
        .map(|(name, (_, shape))| (name.strip_prefix("bert.").unwrap_or(name), shape.as_slice()))
        .collect();
    let embedding = |table| format!("embeddings.{table}_embeddings.weight");
    let feed_forward = "encoder.layer.0.intermediate.dense.weight".to_owned();
    let checks = [
        ("vocab_size", config.vocab_size, embedding("word"), 0),
        ("hidden_size", config.hidden_size, embedding("word"), 1),
        ("max_position_embeddings", config.max_position_embeddings, embedding("position"), 0),
        ("type_vocab_size", config.type_vocab_size, embedding("token_type"), 0),
        ("intermediate_size", config.intermediate_size, feed_forward, 0),
    ];
    let mut problems = Vec::new();
    let mut contradict = |field: &str, value: usize, expected: String| {
        problems.push(FieldProblem { field: field.to_owned(), found: value.to_string(), expected });
    };
    for (field, value, name, axis) in checks {
        if let Some(&size) = shapes.get(name.as_str()).and_then(|shape| shape.get(axis))
            && size != value
        {
            contradict(
                field,
                value,
                format!("{size}, which the weights have (`{name}` is {:?})", shapes[name.as_str()]),
            );
        }
    }
    let layers: BTreeSet<usize> = shapes.keys().filter_map(|name| layer_number(name)).collect();
    if let Some(&last) = layers.last()
        && last + 1 != config.num_hidden_layers
    {
        let expected = format!("{}, which the weights have", last + 1);
        contradict("num_hidden_layers", config.num_hidden_layers, expected);
    }
    problems
}

fn layer_number(name: &str) -> Option<usize> {
    name.strip_prefix("encoder.layer.")?.split_once('.')?.0.parse().ok()
}

/// Whether a layer with removed heads has shrunken tensors.
fn is_compact(config: &BertConfig, found: &FoundShapes) -> bool {
    config.pruned_heads.iter().any(|(&layer, removed)| {
        let name = format!("{}.weight", layer_module(layer, LAYER_SITES[0].0));
        let bare = name.strip_prefix("bert.").unwrap_or(&name);
        let shape = found.get(&name).or_else(|| found.get(bare)).map(|(_, shape)| shape.as_slice());
        let kept = (config.num_attention_heads - removed.len()) * config.head_size();
        !removed.is_empty() && shape == Some(&[kept, config.hidden_size])
    })
}

/// The layout of a parameter in which heads of the file were removed.
fn removed_layout<'a>(config: &'a BertConfig, parameter: &str) -> Option<HeadLayout<'a>> {
    let (layer, axis) = head_axis(parameter)?;
    let removed = config.pruned_heads.get(&layer)?;
    let (n_heads, head_size) = (config.num_attention_heads, config.head_size());
    Some(HeadLayout { axis, n_heads, head_size, removed })
}

fn shrink_spec(config: &BertConfig, spec: &mut ParamSpec) {
    if let Some(layout) = removed_layout(config, &spec.name) {
        spec.shape = layout.compact_shape(&spec.shape);
    }
}

/// The full-size form of a parameter in which the file has only the rows or columns of the heads that stayed; `None`
/// where all of it is in the file.
#[must_use]
pub fn restore_heads(
    config: &BertConfig,
    removed_heads: &BTreeMap<usize, Vec<usize>>,
    name: &str,
    tensor: &HostTensor,
) -> Option<HostTensor> {
    let layout = removed_layout(config, name).filter(|_| !removed_heads.is_empty())?;
    let mut shape = tensor.shape.clone();
    shape[usize::from(layout.axis == HeadAxis::Columns)] = config.hidden_size;
    Some(layout.expand(tensor, &shape))
}

/// Says which form was found.
fn describe<T>(config: &BertConfig, mut matched: Matched<T>, compact: bool) -> LoadedBert<T> {
    if !compact {
        if !config.pruned_heads.is_empty() {
            matched.notes.push(
                "pruned_heads is ignored: the weights have full size and are used as stored".to_owned(),
            );
        }
        return LoadedBert { matched, removed_heads: BTreeMap::new() };
    }
    let n_heads: usize = config.pruned_heads.values().map(Vec::len).sum();
    matched
        .notes
        .push(format!("{n_heads} heads were removed from this file (pruned_heads); they stay removed"));
    LoadedBert { matched, removed_heads: config.pruned_heads.clone() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::checkpoint::NamedTensors;
    use crate::checkpoint::error::TensorProblem;
    use crate::models::config::tests::tiny;
    use crate::random::Random;

    fn weights(specs: &[ParamSpec]) -> NamedTensors {
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
        let tensors = weights(&bert_parameters(&config, 2));
        let mut other = config.clone();
        (other.vocab_size, other.num_hidden_layers, other.intermediate_size) = (12, 1, 16);
        let error = load_bert(&other, "config.json", checkpoint(tensors), 2).unwrap_err();
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
        let tensors = weights(&bert_parameters(&config, 2));
        let bare = tensors
            .iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix("bert.")?.to_owned(), tensor.clone())));
        let loaded = load_bert(&config, "config.json", checkpoint(bare.collect()), 2).unwrap();
        assert_eq!(loaded.matched.fresh, ["classifier.weight", "classifier.bias"]);
        assert_eq!(loaded.matched.params.len(), tensors.len() - 2);
        assert!(loaded.matched.notes.is_empty());
    }

    #[test]
    fn both_forms_of_removed_heads_are_read() {
        let mut config = tiny();
        config.pruned_heads = BTreeMap::from([(1, vec![0])]);
        let specs = bert_parameters(&config, 2);
        let full = weights(&specs);
        let loaded = load_bert(&config, "config.json", checkpoint(full.clone()), 2).unwrap();
        assert_eq!(loaded.matched.params, full);
        assert!(loaded.removed_heads.is_empty() && loaded.matched.notes[0].contains("full size"));

        let mut compact = specs;
        compact.iter_mut().for_each(|spec| shrink_spec(&config, spec));
        let loaded = load_bert(&config, "config.json", checkpoint(weights(&compact)), 2).unwrap();
        let query = &loaded.matched.params["bert.encoder.layer.1.attention.self.query.weight"];
        assert_eq!(query.shape, [8, 8]);
        assert!(query.data[..32].iter().all(|&w| w == 0.0) && query.data[32..].iter().all(|&w| w != 0.0));
        let join = &loaded.matched.params["bert.encoder.layer.1.attention.output.dense.weight"];
        assert!(join.data.chunks(8).all(|row| row[..4] == [0.0; 4] && row[4] != 0.0));
        assert_eq!(loaded.removed_heads, config.pruned_heads);
        let untouched = &loaded.matched.params["bert.encoder.layer.0.attention.self.query.weight"];
        assert!(untouched.data.iter().all(|&w| w != 0.0));
    }
}
