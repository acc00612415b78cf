//! A whole model in the form of its base class: ΔW added to the pruned weights, removed heads as zeros.
//! Full size loads in every version of transformers, unlike shrunken tensors (`ecosystem` 2.5).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::effective::{merged_values, pruned_base_values};
use super::tokenizer_files::side_files;
use super::{ExportError, ExportInput, OutputFile, dsee_state, model_card};
use crate::checkpoint::shards::WEIGHTS_FILE;
use crate::checkpoint::write::{write_f32, write_f32_with};
use crate::models::family::Head;
use crate::models::parameter::{FileTensor, file_tensors};

/// The files of a merged model: everything in one, dense where an update is dense.
///
/// # Errors
/// Parts that do not fit, and parameters that a method added.
pub fn export_merged(input: &ExportInput<'_>) -> Result<Vec<OutputFile>, ExportError> {
    input.check_pretrained()?;
    let mut files = model_files(input, "", |name| Cow::Owned(merged_values(input, name)));
    files.push(OutputFile::new("README.md", model_card::merged_card(input).into_bytes()));
    files.push(OutputFile::new(dsee_state::DSEE_CONFIG, dsee_state::config_bytes(input)));
    Ok(files)
}

/// The files of the pruned base alone: W ⊙ M with exact zeros, removed heads as zeros, no update, the head as it
/// was before training. The form in which sparsity is counted.
///
/// # Errors
/// Parts that do not fit, and parameters that a method added.
pub fn export_pruned_base(input: &ExportInput<'_>) -> Result<Vec<OutputFile>, ExportError> {
    input.check_pretrained()?;
    Ok(pruned_base_files(input, ""))
}

/// The same below a folder, without the check.
pub(super) fn pruned_base_files(input: &ExportInput<'_>, folder: &str) -> Vec<OutputFile> {
    model_files(input, folder, |name| pruned_base_values(input, name))
}

fn model_files<'a>(
    input: &ExportInput<'_>,
    folder: &str,
    values: impl Fn(&str) -> Cow<'a, [f32]>,
) -> Vec<OutputFile> {
    let parameters = input.config.family.parameters(input.config, input.head);
    let tensors: BTreeMap<&str, FileTensor<'_>> =
        file_tensors(&parameters).into_iter().map(|tensor| (tensor.name, tensor)).collect();
    let shapes: Vec<(&str, &[usize])> =
        tensors.values().map(|tensor| (tensor.name, tensor.shape.as_slice())).collect();
    let weights = write_f32_with(&shapes, &BTreeMap::new(), |name, bytes| {
        write_f32(bytes, &tensors[name].join(|part| values(part).into_owned()));
    });
    let mut files = vec![
        OutputFile::new(&format!("{folder}config.json"), pretty(&config_json(input))),
        OutputFile::new(&format!("{folder}{WEIGHTS_FILE}"), weights),
    ];
    files.extend(side_files(input, folder));
    files
}

/// The base's `config.json` with what this run decides.
pub(super) fn config_json(input: &ExportInput<'_>) -> Value {
    let mut config = input.config.raw.clone();
    // A path on the machine of training is nobody's business, and removed heads are zeros here.
    for field in ["_name_or_path", "pruned_heads"] {
        config.shift_remove(field);
    }
    for (field, value) in [
        ("architectures", json!([input.config.family.class(input.head)])),
        ("model_type", json!(input.config.family.model_type())),
        // One name is for version 5 of transformers, the other for version 4.
        ("dtype", json!("float32")),
        ("torch_dtype", json!("float32")),
    ] {
        config.insert(field.to_owned(), value);
    }
    if let Head::SequenceClassification { .. } = input.head {
        config.extend(label_fields(input));
    }
    Value::Object(config)
}

/// What a classifier's configuration says of its labels. transformers classifies batches only with a padding id.
fn label_fields(input: &ExportInput<'_>) -> Map<String, Value> {
    let regression = input.labels.is_empty();
    let labels: Vec<&str> =
        if regression { vec!["LABEL_0"] } else { input.labels.iter().map(String::as_str).collect() };
    let id2label: Map<String, Value> =
        labels.iter().enumerate().map(|(id, label)| (id.to_string(), json!(label))).collect();
    let label2id: Map<String, Value> =
        labels.iter().enumerate().map(|(id, label)| ((*label).to_owned(), json!(id))).collect();
    let kind = if regression { "regression" } else { "single_label_classification" };
    let mut fields = Map::from_iter([
        ("num_labels".to_owned(), json!(labels.len())),
        ("id2label".to_owned(), Value::Object(id2label)),
        ("label2id".to_owned(), Value::Object(label2id)),
        ("problem_type".to_owned(), json!(kind)),
    ]);
    if let Some(pad) = input.pad_token_id() {
        fields.insert("pad_token_id".to_owned(), json!(pad));
    }
    fields
}

/// JSON for people, with a line end.
pub(super) fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::checkpoint::NamedTensors;
    use crate::checkpoint::safetensors_read::read_safetensors;
    use crate::export::fixture::Fixture;

    fn tensors(files: &[OutputFile]) -> NamedTensors {
        let file = files.iter().find(|file| file.path == WEIGHTS_FILE).unwrap();
        read_safetensors(WEIGHTS_FILE, &file.bytes).unwrap().tensors
    }

    #[test]
    fn the_configuration_serves_both_major_versions() {
        let mut fixture = Fixture::pruned();
        let config = config_json(&fixture.input());
        assert_eq!(config["architectures"], json!(["BertForSequenceClassification"]));
        assert_eq!((&config["dtype"], &config["torch_dtype"]), (&json!("float32"), &json!("float32")));
        assert_eq!(config["id2label"], json!({"0": "no", "1": "yes", "2": "maybe"}));
        assert_eq!(config["label2id"]["maybe"], 2);
        assert_eq!(config["hidden_size"], 8);
        assert!(config.get("pruned_heads").is_none() && config.get("_name_or_path").is_none());
        fixture.labels.clear();
        let regression = config_json(&fixture.input());
        assert_eq!(
            (&regression["problem_type"], &regression["num_labels"]),
            (&json!("regression"), &json!(1))
        );
    }

    #[test]
    fn merged_is_masked_weight_plus_update_and_heads_are_zero() {
        let fixture = Fixture::pruned();
        let merged = tensors(&export_merged(&fixture.input()).unwrap());
        let name = "bert.encoder.layer.0.attention.self.query.weight";
        let (mask, delta) = (&fixture.pruned.masks[name], fixture.sites[0].dense());
        for (i, &value) in merged[name].data.iter().enumerate() {
            let weight = if mask.get(i) { fixture.base[name].data[i] } else { 0.0 };
            assert!((value - (weight + delta[i])).abs() < 1e-6, "entry {i}");
        }
        let module = "bert.encoder.layer.1.attention";
        for part in ["query.weight", "key.weight", "value.weight", "query.bias", "key.bias", "value.bias"] {
            let tensor = &merged[&format!("{module}.self.{part}")];
            let half = tensor.data.len() / 2;
            assert!(tensor.data[..half].iter().all(|&w| w == 0.0), "{part}");
            assert!(tensor.data[half..].iter().any(|&w| w != 0.0), "{part}");
        }
        let join = &merged[&format!("{module}.output.dense.weight")];
        assert!(join.data.chunks(8).all(|row| row[..4] == [0.0; 4] && row[4..] != [0.0; 4]));
        assert_eq!(merged["classifier.weight"], fixture.trained["classifier.weight"]);
    }

    #[test]
    fn the_pruned_base_has_the_zeros_of_the_masks() {
        let fixture = Fixture::pruned();
        let base = tensors(&export_pruned_base(&fixture.input()).unwrap());
        for (name, mask) in &fixture.pruned.masks {
            let kept = base[name].data.iter().filter(|&&w| w != 0.0).count();
            assert_eq!(kept, mask.count_kept(), "{name}");
        }
        assert_eq!(base["classifier.weight"], fixture.base["classifier.weight"]);
    }
}
