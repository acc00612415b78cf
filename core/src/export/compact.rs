//! A merged model whose removed heads are really gone: smaller tensors and `pruned_heads` in `config.json`.
//! Only transformers up to 4.57 reads it; version 5 fails with a size mismatch (`ecosystem` 2.5).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::effective::{merged_values, removed_heads};
use super::tokenizer_files::side_files;
use super::{ExportError, ExportInput, OutputFile, dsee_state, merged, model_card};
use crate::checkpoint::shards::WEIGHTS_FILE;
use crate::checkpoint::write::write_named;
use crate::checkpoint::{HostTensor, NamedTensors};
use crate::models::parameter::{FileTensor, file_tensors};

/// Whether there is anything to leave out.
///
/// # Errors
/// No removed heads, parts that do not fit, and parameters that a method added.
pub fn check_compact(input: &ExportInput<'_>) -> Result<(), ExportError> {
    input.check_pretrained()?;
    let has_removed = input.pruned.heads.values().any(|heads| !heads.is_empty());
    if has_removed { Ok(()) } else { Err(ExportError::NothingRemoved) }
}

/// The files of a merged model without its removed heads.
///
/// # Errors
/// Those of [`check_compact`].
pub fn export_compact(input: &ExportInput<'_>) -> Result<Vec<OutputFile>, ExportError> {
    check_compact(input)?;
    let mut parameters = input.config.family.parameters(input.config, input.head);
    for parameter in &mut parameters {
        if let Some(layout) = removed_heads(input, &parameter.name) {
            parameter.shape = layout.compact_shape(&parameter.shape);
        }
    }
    let values = |name: &str| compact(input, name, &input.base[name]).data;
    let joined =
        |tensor: &FileTensor<'_>| HostTensor { shape: tensor.shape.clone(), data: tensor.join(values) };
    let tensors: NamedTensors =
        file_tensors(&parameters).iter().map(|tensor| (tensor.name.to_owned(), joined(tensor))).collect();
    let heads: BTreeMap<usize, &Vec<usize>> = input
        .pruned
        .heads
        .iter()
        .filter(|(_, heads)| !heads.is_empty())
        .map(|(&layer, heads)| (layer, heads))
        .collect();
    let mut config = merged::config_json(input);
    let heads: Map<String, Value> =
        heads.into_iter().map(|(layer, heads)| (layer.to_string(), json!(heads))).collect();
    config["pruned_heads"] = Value::Object(heads);
    let mut files = vec![
        OutputFile::new("config.json", merged::pretty(&config)),
        OutputFile::new(WEIGHTS_FILE, write_named(&tensors)),
        OutputFile::new("README.md", model_card::compact_card(input).into_bytes()),
        OutputFile::new(dsee_state::DSEE_CONFIG, dsee_state::config_bytes(input)),
    ];
    files.extend(side_files(input, ""));
    Ok(files)
}

fn compact(input: &ExportInput<'_>, name: &str, tensor: &HostTensor) -> HostTensor {
    let full = HostTensor { shape: tensor.shape.clone(), data: merged_values(input, name) };
    match removed_heads(input, name) {
        Some(layout) => layout.shrink(&full),
        None => full,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::checkpoint::safetensors_read::Header;
    use crate::export::fixture::Fixture;

    #[test]
    fn removed_heads_shrink_four_maps_and_are_listed() {
        assert_eq!(export_compact(&Fixture::tuned().input()).unwrap_err(), ExportError::NothingRemoved);
        let files = export_compact(&Fixture::pruned().input()).unwrap();
        let config: Value = serde_json::from_slice(&files[0].bytes).unwrap();
        assert_eq!(config["pruned_heads"], json!({"1": [0]}));
        let header = Header::parse(WEIGHTS_FILE, &files[1].bytes, files[1].bytes.len() as u64).unwrap();
        let shape = |name: &str| header.entry(&format!("bert.encoder.layer.{name}")).unwrap().shape.clone();
        assert_eq!(shape("1.attention.self.key.weight"), [4, 8]);
        assert_eq!(shape("1.attention.self.key.bias"), [4]);
        assert_eq!(shape("1.attention.output.dense.weight"), [8, 4]);
        assert_eq!(shape("1.attention.output.dense.bias"), [8]);
        assert_eq!(shape("0.attention.self.key.weight"), [8, 8]);
    }
}
