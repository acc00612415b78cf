//! A trained prefix in peft's format: one row for each virtual token, in it the key and the value of every layer side by
//! side. P-tuning v2 and prefix tuning leave the same table; what it was computed from while tuning is not kept
//! (`dsee-method` 5.2). peft gives it to the model as a past, so the text stands behind it, as it does here.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::adapter::{
    ADAPTER_CONFIG, ADAPTER_WEIGHTS, companions, modules_to_save, saved_names, whole_tensors,
};
use super::{ExportError, ExportInput, Misfit, OutputFile, merged, model_card};
use crate::checkpoint::write::{TensorToWrite, Values, write_safetensors};
use crate::checkpoint::{HostTensor, NamedTensors};
use crate::models::family::Head;
use crate::nn::added::{prefix_length, prefix_name};
use crate::nn::site::Role;

/// What peft calls the table.
pub const PROMPT_EMBEDDINGS: &str = "prompt_embeddings";
/// What peft puts before the names of modules that it saves beside a prefix.
pub(super) const OUTER: &str = "base_model.";
/// What peft calls this kind of adapter.
pub(super) const PEFT_TYPE: &str = "PREFIX_TUNING";

/// Whether the run trained a prefix.
#[must_use]
pub fn has_prefix(input: &ExportInput<'_>) -> bool {
    prefix_length(input.trained) > 0
}

/// Whether peft can read this as a prefix.
///
/// # Errors
/// Parts that do not fit, a prefix that is still being computed, and what peft does not save beside one.
pub fn check_prefix(input: &ExportInput<'_>) -> Result<(), ExportError> {
    input.check()?;
    if input.head == Head::MaskedLm {
        return Err(ExportError::PrefixWithoutTask);
    }
    if let Some(site) = input.sites.first() {
        return Err(ExportError::TrainedBesidePrefix { parameter: format!("{}.weight", site.path) });
    }
    let classifier = input.config.family.classifier_module();
    match modules_to_save(input, &[])?.into_iter().find(|module| module != classifier) {
        Some(module) => Err(ExportError::TrainedBesidePrefix { parameter: module }),
        None => prefix_table(input).map(drop),
    }
}

/// The files of an adapter folder; on a pruned base, that base among them.
///
/// # Errors
/// As [`check_prefix`].
pub fn export_prefix(input: &ExportInput<'_>) -> Result<Vec<OutputFile>, ExportError> {
    check_prefix(input)?;
    let table = prefix_table(input)?;
    let whole = whole_tensors(input, &modules_to_save(input, &[])?);
    let mut tensors = vec![TensorToWrite {
        name: PROMPT_EMBEDDINGS.to_owned(),
        shape: table.shape.clone(),
        values: Values::F32(&table.data),
    }];
    for (name, shape, values) in &whole {
        let name = format!("{OUTER}{name}");
        tensors.push(TensorToWrite { name, shape: shape.clone(), values: Values::F32(values) });
    }
    let config = merged::pretty(&config_json(input, table.shape[0])?);
    let mut files = vec![
        OutputFile::new(ADAPTER_CONFIG, config),
        OutputFile::new(ADAPTER_WEIGHTS, write_safetensors(&tensors, &BTreeMap::new())),
        OutputFile::new("README.md", model_card::prefix_card(input, table.shape[0]).into_bytes()),
    ];
    files.extend(companions(input));
    Ok(files)
}

/// peft's settings of a prefix of `length` rows.
pub(super) fn config_json(input: &ExportInput<'_>, length: usize) -> Result<Value, ExportError> {
    let config = input.config;
    let saved = modules_to_save(input, &[])?;
    // On a pruned base the original id would silently give another model, so none is named.
    let base = if input.is_pruned() { None } else { input.base_id };
    Ok(json!({
        "peft_type": PEFT_TYPE, "task_type": input.head.task_type(), "base_model_name_or_path": base,
        "revision": base.and(input.facts.base_revision.as_ref()), "inference_mode": true,
        "num_virtual_tokens": length, "token_dim": config.hidden_size, "num_transformer_submodules": 1,
        "num_attention_heads": config.num_attention_heads, "num_layers": config.num_hidden_layers,
        "encoder_hidden_size": config.hidden_size, "prefix_projection": false,
        "modules_to_save": saved_names(input.head, &saved),
    }))
}

/// The prefixes of all layers side by side, (P, 2 · L · C): key and value of the first layer, of the second, and so on.
///
/// # Errors
/// If one is missing or has another shape, or the method added something else.
pub(super) fn prefix_table(input: &ExportInput<'_>) -> Result<HostTensor, ExportError> {
    let length = prefix_length(input.trained);
    let parameters = input.config.family.parameters(input.config, input.head);
    let is_added = |name: &String| !parameters.iter().any(|parameter| parameter.name == *name);
    let mut added: BTreeMap<&String, &HostTensor> =
        input.trained.iter().filter(|(name, _)| is_added(name)).collect();
    let mut columns = Vec::new();
    let mut misfits = Vec::new();
    for (name, width) in prefix_names(input) {
        match added.remove(&name) {
            Some(tensor) if tensor.shape == [length, width] => columns.push((tensor, width)),
            other => {
                let found =
                    other.map_or("no prefix".to_owned(), |tensor| format!("shape {:?}", tensor.shape));
                misfits.push(Misfit::new(&name, found, format!("shape {:?}", [length, width])));
            }
        }
    }
    if !added.is_empty() {
        return Err(ExportError::Added { names: added.into_keys().cloned().collect() });
    }
    if !misfits.is_empty() {
        return Err(ExportError::Misfits(misfits));
    }
    let row = |row: usize| columns.iter().flat_map(move |(part, width)| &part.data[row * width..][..*width]);
    let data: Vec<f32> = (0..length).flat_map(row).copied().collect();
    Ok(HostTensor { shape: vec![length, data.len() / length.max(1)], data })
}

/// The same taken apart again: the prefix of every site, by name.
pub(super) fn split_table(input: &ExportInput<'_>, table: &HostTensor) -> NamedTensors {
    let (length, width) = (table.shape[0], table.shape[1]);
    let mut first = 0;
    let mut part = |(name, columns): (String, usize)| {
        let from = first;
        first += columns;
        let data =
            (0..length).flat_map(|row| &table.data[row * width + from..][..columns]).copied().collect();
        (name, HostTensor { shape: vec![length, columns], data })
    };
    prefix_names(input).into_iter().map(&mut part).collect()
}

/// Names of the prefixes in the order of peft's columns, with how many columns they have.
pub(super) fn prefix_names(input: &ExportInput<'_>) -> Vec<(String, usize)> {
    let sites = input.config.family.sites(input.config, input.head);
    let mut names = Vec::new();
    for layer in 0..input.config.num_hidden_layers {
        for role in [Role::Key, Role::Value] {
            let site = sites.iter().find(|site| site.layer == Some(layer) && site.role == role);
            names.extend(site.map(|site| (prefix_name(&site.path), site.d_out)));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::export::adapter::{check_adapter, export_adapter};
    use crate::export::fixture::Fixture;
    use crate::export::format::ExportFormat;
    use crate::export::verify::{VerifyError, verify_adapter};

    /// Classifiers of all families and a writing decoder, each tuned and pruned.
    fn fixtures() -> impl Iterator<Item = Fixture> {
        let all = Fixture::all().into_iter().filter(|fixture| fixture.head != Head::MaskedLm);
        all.map(|fixture| fixture.with_prefix(3))
    }

    fn config_of(files: &[OutputFile]) -> Value {
        serde_json::from_slice(&files[0].bytes).unwrap()
    }

    #[test]
    fn every_prefix_reads_back_as_it_was() {
        for fixture in fixtures() {
            let input = fixture.input();
            let files = export_adapter(&input).unwrap();
            let verified = verify_adapter(&input, &files).unwrap();
            assert!(verified.tensors >= 4 && verified.max_difference == 0.0, "{verified:?}");
            assert_eq!(split_table(&input, &prefix_table(&input).unwrap()).len(), 4);
            assert_eq!(input.is_pruned(), files.iter().any(|file| file.path == "base/model.safetensors"));
            // There is no way to put a prefix into the weights.
            assert!(matches!(ExportFormat::Merged.check(&input), Err(ExportError::Added { .. })));
        }
    }

    #[test]
    fn settings_are_those_of_peft() {
        let fixture = Fixture::tuned().with_prefix(3);
        let expected = json!({
            "peft_type": "PREFIX_TUNING", "task_type": "SEQ_CLS", "base_model_name_or_path": "org/tiny",
            "revision": null, "inference_mode": true, "num_virtual_tokens": 3, "token_dim": 8,
            "num_transformer_submodules": 1, "num_attention_heads": 2, "num_layers": 2, "encoder_hidden_size": 8,
            "prefix_projection": false, "modules_to_save": ["classifier", "score"],
        });
        let files = export_adapter(&fixture.input()).unwrap();
        assert_eq!(config_of(&files), expected);
        let card = String::from_utf8(files[2].bytes.clone()).unwrap();
        assert!(card.contains("prefix of 3") && card.contains("- \"prefix-tuning\"\n"), "{card}");
        let words = Fixture::decoder_words().with_prefix(2);
        let config = config_of(&export_adapter(&words.input()).unwrap());
        assert_eq!((&config["task_type"], &config["modules_to_save"]), (&json!("CAUSAL_LM"), &Value::Null));
    }

    #[test]
    fn a_changed_number_or_setting_is_noticed() {
        let fixture = Fixture::tuned().with_prefix(3);
        let input = fixture.input();
        let files = export_adapter(&input).unwrap();
        let mut changed = files.clone();
        *changed[1].bytes.last_mut().unwrap() ^= 1;
        assert!(matches!(verify_adapter(&input, &changed), Err(VerifyError::TooFar { .. })));
        let text = String::from_utf8(files[0].bytes.clone()).unwrap();
        for (from, to) in
            [("PREFIX_TUNING", "LORA"), ("\"num_virtual_tokens\": 3", "\"num_virtual_tokens\": 4")]
        {
            let mut changed = files.clone();
            changed[0].bytes = text.replacen(from, to, 1).into_bytes();
            assert!(matches!(verify_adapter(&input, &changed), Err(VerifyError::Differs { .. })), "{from}");
        }
    }

    #[test]
    fn what_peft_cannot_hold_beside_a_prefix_is_refused() {
        let check = |fixture: &Fixture| check_adapter(&fixture.input()).unwrap_err();
        let masked = Fixture::all().into_iter().find(|fixture| fixture.head == Head::MaskedLm).unwrap();
        assert_eq!(check(&masked.with_prefix(2)), ExportError::PrefixWithoutTask);
        let mut fixture = Fixture::tuned().with_prefix(2);
        let pooler = "bert.pooler.dense.bias";
        fixture.trained.insert(pooler.into(), fixture.base[pooler].clone());
        let expected = ExportError::TrainedBesidePrefix { parameter: "bert.pooler.dense".into() };
        assert_eq!(check(&fixture), expected);
        let mut fixture = Fixture::tuned().with_prefix(2);
        fixture.sites = Fixture::tuned().sites;
        assert!(matches!(check(&fixture), ExportError::TrainedBesidePrefix { .. }));
        let mut fixture = Fixture::tuned().with_prefix(2);
        fixture.trained.remove("bert.encoder.layer.1.attention.self.value.prefix");
        let ExportError::Misfits(misfits) = check(&fixture) else { panic!("a prefix is missing") };
        assert_eq!(misfits.len(), 1);
        fixture
            .trained
            .insert("prefix.embedding".into(), HostTensor { shape: vec![2, 8], data: vec![0.0; 16] });
        assert!(matches!(check(&fixture), ExportError::Added { .. }), "it is still being computed");
    }
}
