//! Reads exported files back from their bytes alone and compares what they mean with the state in memory.

use serde_json::Value;
use thiserror::Error;

use super::adapter::{ADAPTER_CONFIG, ADAPTER_WEIGHTS, PREFIX};
use super::dsee_state::{DSEE_CONFIG, DSEE_STATE, DseeStateError, read_dsee_state};
use super::effective::{merged_values_f64, pruned_base_values};
use super::prefix::{OUTER, PROMPT_EMBEDDINGS, has_prefix};
use super::verify_lora::verify_updates;
use super::verify_prefix::verify_prefix;
use super::{ExportInput, OutputFile};
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::safetensors_read::read_safetensors;
use crate::checkpoint::shards::WEIGHTS_FILE;
use crate::checkpoint::{Checkpoint, NamedTensors};
use crate::models::config::ModelConfig;
use crate::models::config_fields::ConfigError;
use crate::models::family::Head;
use crate::models::load::{LoadError, load_model};
use crate::models::parameter::{FileTensor, file_tensors};

/// Largest difference allowed for f32 rounding, relative to the largest value of the tensor.
pub(super) const TOLERANCE: f64 = 1e-6;

/// The proof that files say what the state says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Verified {
    /// Tensors or updates compared.
    pub tensors: usize,
    /// Largest absolute difference found.
    pub max_difference: f64,
}

/// Why files are not what they should be.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum VerifyError {
    /// A file is missing.
    #[error("`{path}` was not written")]
    NoFile {
        /// Its path.
        path: String,
    },
    /// Weights cannot be read back.
    #[error(transparent)]
    Weights(#[from] CheckpointError),
    /// A configuration cannot be read back.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A model cannot be loaded back.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A state cannot be read back.
    #[error(transparent)]
    State(#[from] DseeStateError),
    /// Settings say something else than the state.
    #[error("`{what}` is {found} in the files and {expected} in memory")]
    Differs {
        /// What differs.
        what: String,
        /// In the files.
        found: String,
        /// In memory.
        expected: String,
    },
    /// Numbers differ by more than rounding.
    #[error("`{name}` differs by {difference:e}, allowed is {allowed:e}")]
    TooFar {
        /// Parameter or module.
        name: String,
        /// Largest absolute difference.
        difference: f64,
        /// The largest allowed.
        allowed: f64,
    },
}

/// Checks an adapter folder: every update rebuilt from its factors as peft would and the modules it applies to, or the
/// prefix of every layer; the whole tensors, our own two files, and the pruned base where there is one.
///
/// # Errors
/// The first thing that does not agree.
pub fn verify_adapter(input: &ExportInput<'_>, files: &[OutputFile]) -> Result<Verified, VerifyError> {
    let config = json(files, ADAPTER_CONFIG)?;
    let weights = weights(files, ADAPTER_WEIGHTS)?;
    let (mut verified, outer) = if has_prefix(input) {
        (verify_prefix(input, &config, &weights)?, OUTER)
    } else {
        (verify_updates(input, &config, &weights)?, PREFIX)
    };
    verified.add(verify_whole(input, &weights, outer)?);
    verified.add(verify_dsee_state(input, files)?);
    if input.is_pruned() {
        verified.add(verify_pruned_base(input, files, "base/")?);
    }
    Ok(verified)
}

/// Checks the tensors of an adapter that are no part of updates or prefixes: what was trained whole is there, and everything
/// is as in memory. `outer` is what stands before their names.
fn verify_whole(input: &ExportInput<'_>, weights: &Checkpoint, outer: &str) -> Result<Verified, VerifyError> {
    let parameters = input.config.family.parameters(input.config, input.head);
    let tensors = file_tensors(&parameters);
    let mut verified = Verified::default();
    let is_whole = |name: &str| !name.contains(".lora_") && name != PROMPT_EMBEDDINGS;
    for (name, found) in weights.tensors.iter().filter(|(name, _)| is_whole(name)) {
        let name = name.strip_prefix(outer).unwrap_or(name);
        let Some(tensor) = tensors.iter().find(|tensor| tensor.name == name) else {
            return Err(differs(name, "a tensor".to_owned(), "nothing".to_owned()));
        };
        let value = |part: &str| input.tensor(part).map(|tensor| tensor.data.clone()).unwrap_or_default();
        verified.compare(name, widen(&found.data), widen(&tensor.join(value)).collect(), 0.0)?;
    }
    let is_trained =
        |tensor: &&FileTensor<'_>| tensor.parts.iter().any(|part| input.trained.contains_key(&part.name));
    let in_file = |tensor: &FileTensor<'_>| weights.tensors.contains_key(&format!("{outer}{}", tensor.name));
    match tensors.iter().filter(is_trained).find(|tensor| !in_file(tensor)) {
        Some(tensor) => Err(differs(tensor.name, "absent".to_owned(), "trained".to_owned())),
        None => Ok(verified),
    }
}

/// Checks a merged model, with its removed heads as zeros or left out: labels and every parameter. It is loaded
/// as any other model is, which restores the full size.
///
/// # Errors
/// The first thing that does not agree.
pub fn verify_merged(input: &ExportInput<'_>, files: &[OutputFile]) -> Result<Verified, VerifyError> {
    let (config, loaded) = load(input, files, "")?;
    let labels = config.id2label.unwrap_or_default();
    if !input.labels.is_empty() && labels != input.labels {
        return Err(differs("id2label", format!("{labels:?}"), format!("{:?}", input.labels)));
    }
    if matches!(input.head, Head::SequenceClassification { .. })
        && config.pad_token_id != input.pad_token_id()
    {
        let (found, expected) = (config.pad_token_id, input.pad_token_id());
        return Err(differs("pad_token_id", format!("{found:?}"), format!("{expected:?}")));
    }
    let mut verified = Verified::default();
    for name in input.base.keys() {
        verified.compare(name, parameter(&loaded, name)?, merged_values_f64(input, name), TOLERANCE)?;
    }
    Ok(verified)
}

/// Checks a pruned base below `folder` (empty, or ending in `/`): exact, zeros included.
///
/// # Errors
/// The first thing that does not agree.
pub fn verify_pruned_base(
    input: &ExportInput<'_>,
    files: &[OutputFile],
    folder: &str,
) -> Result<Verified, VerifyError> {
    let (_, loaded) = load(input, files, folder)?;
    let mut verified = Verified::default();
    for name in input.base.keys() {
        let expected = widen(&pruned_base_values(input, name)).collect();
        verified.compare(name, parameter(&loaded, name)?, expected, 0.0)?;
    }
    Ok(verified)
}

/// Checks our own state: equal in every bit.
///
/// # Errors
/// The first thing that does not agree.
pub fn verify_dsee_state(input: &ExportInput<'_>, files: &[OutputFile]) -> Result<Verified, VerifyError> {
    let state = read_dsee_state(bytes(files, DSEE_CONFIG)?, bytes(files, DSEE_STATE)?)?;
    let equal = [
        ("updates", state.sites == input.sites),
        ("masks and heads", state.pruned == *input.pruned),
        ("trained parameters", state.trained == *input.trained),
        ("labels", state.config.labels == input.labels),
        ("head", state.config.head == Some(input.head)),
    ];
    if let Some((what, _)) = equal.iter().find(|(_, equal)| !equal) {
        return Err(differs(what, "another value".to_owned(), "the value written".to_owned()));
    }
    let tensors = 4 * state.sites.len() + state.pruned.masks.len() + state.trained.len();
    Ok(Verified { tensors, max_difference: 0.0 })
}

impl Verified {
    pub(super) fn add(&mut self, other: Self) {
        self.tensors += other.tensors;
        self.max_difference = self.max_difference.max(other.max_difference);
    }

    pub(super) fn compare(
        &mut self,
        name: &str,
        found: impl Iterator<Item = f64>,
        expected: Vec<f64>,
        tolerance: f64,
    ) -> Result<(), VerifyError> {
        let largest = expected.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let (mut difference, mut n_found) = (0f64, 0);
        for (found, expected) in found.zip(&expected) {
            difference = difference.max((found - expected).abs());
            n_found += 1;
        }
        let allowed = tolerance * largest;
        if n_found != expected.len() {
            return Err(differs(name, format!("{n_found} values"), format!("{} values", expected.len())));
        }
        // Written so that NaN fails too.
        if difference.is_nan() || difference > allowed {
            return Err(VerifyError::TooFar { name: name.to_owned(), difference, allowed });
        }
        self.add(Self { tensors: 1, max_difference: difference });
        Ok(())
    }
}

/// Loads a model through the same door as any other.
fn load(
    input: &ExportInput<'_>,
    files: &[OutputFile],
    folder: &str,
) -> Result<(ModelConfig, NamedTensors), VerifyError> {
    let config_file = format!("{folder}config.json");
    let config = ModelConfig::parse(&config_file, bytes(files, &config_file)?)?;
    let checkpoint = weights(files, &format!("{folder}{WEIGHTS_FILE}"))?;
    let loaded = load_model(&config, &config_file, checkpoint, input.head)?;
    Ok((config, loaded.matched.params))
}

fn parameter<'a>(
    loaded: &'a NamedTensors,
    name: &str,
) -> Result<impl Iterator<Item = f64> + use<'a>, VerifyError> {
    let absent = || differs(name, "absent".to_owned(), "a parameter".to_owned());
    loaded.get(name).map(|tensor| widen(&tensor.data)).ok_or_else(absent)
}

fn bytes<'a>(files: &'a [OutputFile], path: &str) -> Result<&'a [u8], VerifyError> {
    let file = files.iter().find(|file| file.path == path);
    file.map(|file| file.bytes.as_slice()).ok_or_else(|| VerifyError::NoFile { path: path.to_owned() })
}

fn weights(files: &[OutputFile], path: &str) -> Result<Checkpoint, VerifyError> {
    let checkpoint = read_safetensors(path, bytes(files, path)?)?;
    if checkpoint.metadata.get("format").is_none_or(|format| format != "pt") {
        return Err(differs(
            &format!("{path} format"),
            format!("{:?}", checkpoint.metadata),
            "pt".to_owned(),
        ));
    }
    Ok(checkpoint)
}

fn json(files: &[OutputFile], path: &str) -> Result<Value, VerifyError> {
    let invalid = |error: serde_json::Error| differs(path, error.to_string(), "valid JSON".to_owned());
    serde_json::from_slice(bytes(files, path)?).map_err(invalid)
}

pub(super) fn widen(values: &[f32]) -> impl Iterator<Item = f64> {
    values.iter().map(|&value| f64::from(value))
}

pub(super) fn differs(what: &str, found: String, expected: String) -> VerifyError {
    VerifyError::Differs { what: what.to_owned(), found, expected }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::export::adapter::export_adapter;
    use crate::export::compact::export_compact;
    use crate::export::fixture::Fixture;
    use crate::export::merged::{export_merged, export_pruned_base};

    #[test]
    fn every_export_of_a_tuned_and_of_a_pruned_model_verifies() {
        for fixture in Fixture::all() {
            let input = fixture.input();
            let adapter = verify_adapter(&input, &export_adapter(&input).unwrap()).unwrap();
            assert!(adapter.tensors >= 6 && adapter.max_difference < 1e-6, "{adapter:?}");
            let merged = verify_merged(&input, &export_merged(&input).unwrap()).unwrap();
            assert_eq!(merged.tensors, fixture.base.len());
            assert!(merged.max_difference < 1e-6, "{merged:?}");
            if let Ok(files) = export_compact(&input) {
                assert_eq!(verify_merged(&input, &files).unwrap().tensors, fixture.base.len());
            }
            let base = verify_pruned_base(&input, &export_pruned_base(&input).unwrap(), "").unwrap();
            assert_eq!(base.max_difference, 0.0);
        }
    }

    #[test]
    fn a_changed_number_is_noticed() {
        let fixture = Fixture::tuned();
        let input = fixture.input();
        for (export, path) in [
            (export_adapter(&input).unwrap(), ADAPTER_WEIGHTS),
            (export_merged(&input).unwrap(), WEIGHTS_FILE),
            (export_adapter(&input).unwrap(), DSEE_STATE),
        ] {
            let mut files = export;
            let file = files.iter_mut().find(|file| file.path == path).unwrap();
            // The exponent of the last value of the file.
            *file.bytes.last_mut().unwrap() ^= 1;
            let result = if path == WEIGHTS_FILE {
                verify_merged(&input, &files)
            } else {
                verify_adapter(&input, &files)
            };
            assert!(result.is_err(), "{path}");
        }
    }

    #[test]
    fn a_changed_scale_or_target_is_noticed() {
        let fixture = Fixture::tuned();
        let input = fixture.input();
        let files = export_adapter(&input).unwrap();
        let text = String::from_utf8(files[0].bytes.clone()).unwrap();
        for (from, to) in [
            ("\"query\"", "\"key\""),
            ("alpha_pattern", "alpha_forgotten"),
            ("\"fan_in_fan_out\": false", "\"fan_in_fan_out\": true"),
            ("{", ""),
        ] {
            let mut changed = files.clone();
            changed[0].bytes = text.replacen(from, to, 1).into_bytes();
            assert!(verify_adapter(&input, &changed).is_err(), "{from}");
        }
        assert!(matches!(verify_adapter(&input, &files[1..]), Err(VerifyError::NoFile { .. })));
    }
}
