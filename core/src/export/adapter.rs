//! A LoRA adapter in peft's format, with the sparse residual as extra rank. A run that trained a prefix has it written in
//! peft's format of prefixes instead (`prefix.rs`).
//!
//! S is a sum of (one-hot column) × (sparse row) and (sparse column) × (one-hot row) terms, one for each line of a
//! minimum cover of Ω. So `[B | selectors and columns] · [A ; rows and selectors]` is exactly BA + P_Ω(S).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::file_site::{FileSite, LowRank, file_modules, file_rank, file_sites};
use super::targets::target_modules;
use super::{ExportError, ExportInput, OutputFile, dsee_state, merged, model_card, prefix, tokenizer_files};
use crate::checkpoint::write::{TensorToWrite, Values, write_safetensors};
use crate::models::family::Head;
use crate::models::parameter::file_tensors;

/// What peft puts before every name.
pub(super) const PREFIX: &str = "base_model.model.";
/// Weights of an adapter.
pub const ADAPTER_WEIGHTS: &str = "adapter_model.safetensors";
/// Settings of an adapter.
pub const ADAPTER_CONFIG: &str = "adapter_config.json";
/// What peft saves whole in every classifier, whatever its family calls its head.
const CLASSIFIERS: [&str; 2] = ["classifier", "score"];

/// How large an adapter would be, to be shown before writing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdapterSize {
    /// Largest rank of any module, the extra rank of S included.
    pub max_rank: usize,
    /// Numbers in the low-rank factors.
    pub n_values: usize,
    /// Numbers in dense updates of the same modules; where this is less, a merged export is smaller.
    pub n_dense_values: usize,
}

/// The size of the adapter of these updates.
#[must_use]
pub fn adapter_size(input: &ExportInput<'_>) -> AdapterSize {
    let mut size = AdapterSize { max_rank: 0, n_values: 0, n_dense_values: 0 };
    for site in file_sites(input) {
        let rank = site.expanded_rank();
        size.max_rank = size.max_rank.max(rank);
        size.n_values += rank * (site.d_out + site.d_in);
        size.n_dense_values += site.d_out * site.d_in;
    }
    size
}

/// Whether peft can read this as an adapter.
///
/// # Errors
/// Parts that do not fit, and runs that neither a LoRA file nor a prefix can express.
pub fn check_adapter(input: &ExportInput<'_>) -> Result<(), ExportError> {
    if prefix::has_prefix(input) { prefix::check_prefix(input) } else { check_lora(input).map(drop) }
}

/// Gives the modules that a LoRA file stores whole.
fn check_lora(input: &ExportInput<'_>) -> Result<BTreeSet<String>, ExportError> {
    input.check_pretrained()?;
    if input.sites.is_empty() {
        return Err(ExportError::NoUpdate);
    }
    modules_to_save(input, &file_sites(input))
}

/// The files of an adapter folder. On a pruned base it also holds that base, in `base/`, because the adapter is
/// wrong on the original one.
///
/// # Errors
/// As [`check_adapter`].
pub fn export_adapter(input: &ExportInput<'_>) -> Result<Vec<OutputFile>, ExportError> {
    if prefix::has_prefix(input) {
        return prefix::export_prefix(input);
    }
    let saved = check_lora(input)?;
    let expanded: Vec<(FileSite<'_>, LowRank)> =
        file_sites(input).into_iter().map(|site| (site.clone(), site.expand())).collect();
    let config = config_json(input, &expanded, &saved);
    let mut files = vec![
        OutputFile::new(ADAPTER_CONFIG, merged::pretty(&config)),
        OutputFile::new(ADAPTER_WEIGHTS, weights(input, &expanded, &saved)),
        OutputFile::new("README.md", model_card::adapter_card(input, &adapter_size(input)).into_bytes()),
    ];
    files.extend(companions(input));
    Ok(files)
}

/// What every adapter folder has beside the adapter: our own state, the tokenizer, and a pruned base.
pub(super) fn companions(input: &ExportInput<'_>) -> Vec<OutputFile> {
    let mut files = dsee_state::state_files(input);
    files.extend(tokenizer_files::tokenizer_files(input, ""));
    if input.is_pruned() {
        files.extend(merged::pruned_base_files(input, "base/"));
    }
    files
}

/// Modules stored whole: the head of a classifier always, because peft fails on its adapter without it, and whatever
/// else was trained.
pub(super) fn modules_to_save(
    input: &ExportInput<'_>,
    sites: &[FileSite<'_>],
) -> Result<BTreeSet<String>, ExportError> {
    let parameters = input.config.family.parameters(input.config, input.head);
    let modules: BTreeSet<&str> =
        parameters.iter().map(|parameter| module_of(parameter.file_name())).collect();
    let mut saved = BTreeSet::new();
    if let Head::SequenceClassification { .. } = input.head {
        saved.insert(input.config.family.classifier_module().to_owned());
    }
    for parameter in parameters.iter().filter(|parameter| input.trained.contains_key(&parameter.name)) {
        let module = module_of(parameter.file_name());
        let parameter = parameter.name.clone();
        if sites.iter().any(|site| site.module == module) {
            return Err(ExportError::TrainedBesideUpdate { parameter });
        }
        if modules.iter().any(|other| is_below(other, module)) {
            return Err(ExportError::TrainedAroundModules { parameter, module: module.to_owned() });
        }
        if !saved.iter().any(|saved| is_inside(module, saved)) {
            saved.insert(module.to_owned());
        }
    }
    let inside = sites.iter().find(|site| saved.iter().any(|saved| is_inside(&site.module, saved)));
    match inside {
        Some(site) => Err(ExportError::TrainedBesideUpdate { parameter: format!("{}.weight", site.module) }),
        None => Ok(saved),
    }
}

/// The module that a parameter belongs to.
fn module_of(parameter: &str) -> &str {
    parameter.rsplit_once('.').map_or(parameter, |(module, _)| module)
}

fn is_inside(module: &str, saved: &str) -> bool {
    module == saved || is_below(module, saved)
}

fn is_below(module: &str, outer: &str) -> bool {
    module.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
}

/// A number as JSON, whole where it is whole.
fn number(value: f64) -> Value {
    let round = value.round();
    if (value - round).abs() < 1e-9 * value.abs().max(1.0) { json!(round as i64) } else { json!(value) }
}

fn config_json(
    input: &ExportInput<'_>,
    expanded: &[(FileSite<'_>, LowRank)],
    saved: &BTreeSet<String>,
) -> Value {
    let r = file_rank(expanded.iter().map(|(site, _)| site.rank()).max().unwrap_or(0));
    let scale = expanded.first().map_or(1.0, |(site, _)| site.scale());
    let (mut rank_pattern, mut alpha_pattern) = (Map::new(), Map::new());
    for (site, low_rank) in expanded {
        if low_rank.rank == r && site.scale() == scale {
            continue;
        }
        let key = pattern_key(&site.module);
        rank_pattern.insert(key.clone(), json!(low_rank.rank));
        alpha_pattern.insert(key, number(site.scale() * low_rank.rank as f64));
    }
    let modules = file_modules(input);
    let modules = modules.iter().map(String::as_str).collect();
    let sites = expanded.iter().map(|(site, _)| site.module.as_str()).collect();
    // On a pruned base the original id would silently give another model, so none is named.
    let base = if input.is_pruned() { None } else { input.base_id };
    json!({
        "peft_type": "LORA", "task_type": input.head.task_type(), "base_model_name_or_path": base,
        "revision": base.and(input.facts.base_revision.as_ref()), "r": r, "lora_alpha": number(scale * r as f64),
        "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": expanded.iter().any(|(site, _)| site.is_transposed),
        "inference_mode": true, "init_lora_weights": true, "use_rslora": false, "use_dora": false,
        "target_modules": target_modules(&sites, &modules), "modules_to_save": saved_names(input.head, saved),
        "rank_pattern": rank_pattern, "alpha_pattern": alpha_pattern,
    })
}

/// The key of a module in the patterns, which is a regular expression.
pub(super) fn pattern_key(module: &str) -> String {
    format!("^{}", module.replace('.', r"\."))
}

/// `modules_to_save` as peft would list it.
pub(super) fn saved_names(head: Head, saved: &BTreeSet<String>) -> Value {
    let usual: &[&str] = if let Head::SequenceClassification { .. } = head { &CLASSIFIERS } else { &[] };
    let others = saved.iter().map(String::as_str).filter(|module| !usual.contains(module));
    let names: Vec<&str> = usual.iter().copied().chain(others).collect();
    if names.is_empty() { Value::Null } else { json!(names) }
}

fn weights(
    input: &ExportInput<'_>,
    expanded: &[(FileSite<'_>, LowRank)],
    saved: &BTreeSet<String>,
) -> Vec<u8> {
    let whole = whole_tensors(input, saved);
    let mut tensors = Vec::new();
    let mut push = |name: &str, shape: Vec<usize>, values| {
        tensors.push(TensorToWrite { name: format!("{PREFIX}{name}"), shape, values: Values::F32(values) });
    };
    for (site, LowRank { rank, a, b }) in expanded {
        push(&format!("{}.lora_A.weight", site.module), vec![*rank, site.d_in], a);
        push(&format!("{}.lora_B.weight", site.module), vec![site.d_out, *rank], b);
    }
    for (name, shape, values) in &whole {
        push(name, shape.clone(), values);
    }
    write_safetensors(&tensors, &BTreeMap::new())
}

/// Name, shape and values of everything in the modules stored whole.
pub(super) fn whole_tensors(
    input: &ExportInput<'_>,
    saved: &BTreeSet<String>,
) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let parameters = input.config.family.parameters(input.config, input.head);
    let value = |name: &str| input.tensor(name).map(|tensor| tensor.data.clone()).unwrap_or_default();
    file_tensors(&parameters)
        .iter()
        .filter(|tensor| saved.iter().any(|saved| is_inside(module_of(tensor.name), saved)))
        .map(|tensor| (tensor.name.to_owned(), tensor.shape.clone(), tensor.join(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::checkpoint::safetensors_read::Header;
    use crate::export::fixture::Fixture;

    fn config_of(files: &[OutputFile]) -> Value {
        serde_json::from_slice(&files[0].bytes).unwrap()
    }

    #[test]
    fn names_shapes_types_and_metadata_are_those_of_peft() {
        let mut fixture = Fixture::tuned();
        // Two entries in one row: one extra rank.
        for site in &mut fixture.sites {
            (site.s_indices, site.s_values) = (vec![9, 12], vec![0.5, -0.25]);
        }
        let files = export_adapter(&fixture.input()).unwrap();
        let bytes = &files[1].bytes;
        let header = Header::parse(ADAPTER_WEIGHTS, bytes, bytes.len() as u64).unwrap();
        let mut listing: Vec<String> = header
            .entries
            .iter()
            .map(|entry| format!("{} {} {:?}", entry.name, entry.dtype.name(), entry.shape))
            .collect();
        listing.sort();
        let mut expected = vec![
            "base_model.model.classifier.bias F32 [3]".to_owned(),
            "base_model.model.classifier.weight F32 [3, 8]".to_owned(),
        ];
        for layer in 0..2 {
            for module in ["query", "value"] {
                let path = format!("base_model.model.bert.encoder.layer.{layer}.attention.self.{module}");
                expected.push(format!("{path}.lora_A.weight F32 [3, 8]"));
                expected.push(format!("{path}.lora_B.weight F32 [8, 3]"));
            }
        }
        expected.sort();
        assert_eq!(listing, expected);
        assert_eq!(header.metadata, BTreeMap::from([("format".to_owned(), "pt".to_owned())]));
    }

    #[test]
    fn settings_are_those_of_peft() {
        let mut fixture = Fixture::tuned();
        for site in &mut fixture.sites[1..] {
            (site.s_indices, site.s_values) = (Vec::new(), Vec::new());
        }
        (fixture.sites[0].s_indices, fixture.sites[0].s_values) = (vec![9], vec![0.5]);
        let files = export_adapter(&fixture.input()).unwrap();
        let key = r"^bert\.encoder\.layer\.0\.attention\.self\.query";
        let expected = json!({
            "peft_type": "LORA", "task_type": "SEQ_CLS", "base_model_name_or_path": "org/tiny", "revision": null,
            "r": 2, "lora_alpha": 4, "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": false,
            "inference_mode": true, "init_lora_weights": true, "use_rslora": false, "use_dora": false,
            "target_modules": ["query", "value"], "modules_to_save": ["classifier", "score"],
            "rank_pattern": {key: 3}, "alpha_pattern": {key: 6},
        });
        assert_eq!(config_of(&files), expected);
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                ADAPTER_CONFIG,
                ADAPTER_WEIGHTS,
                "README.md",
                "dsee_config.json",
                "dsee_state.safetensors",
                "tokenizer.json",
                "tokenizer_config.json"
            ]
        );
    }

    #[test]
    fn on_a_pruned_base_that_base_comes_along_and_no_other_is_named() {
        let fixture = Fixture::pruned();
        let files = export_adapter(&fixture.input()).unwrap();
        assert_eq!(config_of(&files)["base_model_name_or_path"], Value::Null);
        for path in ["base/config.json", "base/model.safetensors", "base/tokenizer.json"] {
            assert!(files.iter().any(|file| file.path == path), "{path}");
        }
    }

    #[test]
    fn whatever_was_trained_whole_is_saved_whole() {
        let mut fixture = Fixture::tuned();
        fixture
            .trained
            .insert("bert.pooler.dense.bias".into(), fixture.base["bert.pooler.dense.bias"].clone());
        let files = export_adapter(&fixture.input()).unwrap();
        assert_eq!(config_of(&files)["modules_to_save"], json!(["classifier", "score", "bert.pooler.dense"]));
        let bytes = &files[1].bytes;
        let header = Header::parse(ADAPTER_WEIGHTS, bytes, bytes.len() as u64).unwrap();
        assert!(header.entry("base_model.model.bert.pooler.dense.weight").is_some());
        let beside = "bert.encoder.layer.0.attention.self.query.bias";
        fixture.trained.insert(beside.into(), fixture.base[beside].clone());
        let error = export_adapter(&fixture.input()).unwrap_err();
        assert_eq!(error, ExportError::TrainedBesideUpdate { parameter: beside.into() });
    }

    #[test]
    fn maps_that_a_file_joins_become_one_update() {
        let words = Fixture::decoder_words();
        let files = export_adapter(&words.input()).unwrap();
        let config = config_of(&files);
        assert_eq!((&config["task_type"], &config["modules_to_save"]), (&json!("CAUSAL_LM"), &Value::Null));
        assert_eq!(
            (&config["target_modules"], &config["fan_in_fan_out"]),
            (&json!(["c_attn"]), &json!(true))
        );
        // Two of rank 2; the sparse entries of both maps come on top.
        assert_eq!((&config["r"], &config["lora_alpha"]), (&json!(4), &json!(8)));
        let header = Header::parse(ADAPTER_WEIGHTS, &files[1].bytes, files[1].bytes.len() as u64).unwrap();
        let rank = config["rank_pattern"][r"^transformer\.h\.1\.attn\.c_attn"].as_u64().unwrap() as usize;
        let shape = |name: &str| {
            header.entry(&format!("{PREFIX}transformer.h.1.attn.c_attn.{name}")).unwrap().shape.clone()
        };
        assert_eq!((shape("lora_A.weight"), shape("lora_B.weight")), (vec![rank, 8], vec![24, rank]));
        assert_eq!(header.entries.len(), 4);
        let classes = Fixture::decoder_classes();
        let files = export_adapter(&classes.input()).unwrap();
        let header = Header::parse(ADAPTER_WEIGHTS, &files[1].bytes, files[1].bytes.len() as u64).unwrap();
        assert_eq!(header.entry("base_model.model.score.weight").unwrap().shape, [3, 8]);
        assert_eq!(config_of(&files)["modules_to_save"], json!(["classifier", "score"]));
    }

    #[test]
    fn a_classifier_of_several_maps_is_one_saved_module() {
        let roberta =
            Fixture::all().into_iter().find(|fixture| fixture.base.contains_key("classifier.out_proj.bias"));
        let files = export_adapter(&roberta.unwrap().input()).unwrap();
        assert_eq!(config_of(&files)["modules_to_save"], json!(["classifier", "score"]));
        let header = Header::parse(ADAPTER_WEIGHTS, &files[1].bytes, files[1].bytes.len() as u64).unwrap();
        for name in ["dense.weight", "dense.bias", "out_proj.weight", "out_proj.bias"] {
            assert!(header.entry(&format!("base_model.model.classifier.{name}")).is_some(), "{name}");
        }
    }

    #[test]
    fn what_peft_cannot_save_is_refused() {
        let mut fixture = Fixture::all().into_iter().find(|fixture| fixture.head == Head::MaskedLm).unwrap();
        assert_eq!(config_of(&export_adapter(&fixture.input()).unwrap())["task_type"], Value::Null);
        let bias = "cls.predictions.bias";
        fixture.trained.insert(bias.into(), fixture.base[bias].clone());
        let expected =
            ExportError::TrainedAroundModules { parameter: bias.into(), module: "cls.predictions".into() };
        assert_eq!(check_adapter(&fixture.input()), Err(expected));
        let mut fixture = Fixture::decoder_words();
        let bias = "transformer.h.0.attn.c_attn.key.bias";
        fixture.trained.insert(bias.into(), fixture.base[bias].clone());
        let expected = ExportError::TrainedBesideUpdate { parameter: bias.into() };
        assert_eq!(
            check_adapter(&fixture.input()),
            Err(expected),
            "the key shares its module with the query"
        );
    }

    #[test]
    fn states_that_do_not_fit_are_refused_with_all_reasons() {
        let mut fixture = Fixture::tuned();
        fixture.sites[0].d_in = 9;
        fixture.sites[1].s_indices[0] = 64;
        fixture.pruned.heads = BTreeMap::from([(2, vec![0]), (0, vec![2])]);
        fixture.labels.pop();
        let ExportError::Misfits(misfits) = export_adapter(&fixture.input()).unwrap_err() else {
            panic!("nothing fits");
        };
        // Two heads entries, two updates, and the head tensors twice each: trained and base.
        assert_eq!(misfits.len(), 8, "{misfits:#?}");
        fixture = Fixture::tuned();
        fixture.sites.clear();
        assert_eq!(export_adapter(&fixture.input()), Err(ExportError::NoUpdate));
    }

    #[test]
    fn size_counts_the_extra_rank() {
        let mut fixture = Fixture::tuned();
        fixture.sites.truncate(1);
        let site = &mut fixture.sites[0];
        (site.s_indices, site.s_values) = (vec![0, 1, 2, 9], vec![1.0, 2.0, 3.0, 0.0]);
        // One row covers three entries; the stored zero needs nothing.
        let expected = AdapterSize { max_rank: 3, n_values: 48, n_dense_values: 64 };
        assert_eq!(adapter_size(&fixture.input()), expected);
    }
}
