//! A LoRA adapter in peft's format, with the sparse residual as extra rank.
//!
//! S is a sum of (one-hot column) × (sparse row) and (sparse column) × (one-hot row) terms, one for each line of a
//! minimum cover of Ω. So `[B | selectors and columns] · [A ; rows and selectors]` is exactly BA + P_Ω(S).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::targets::target_modules;
use super::vertex_cover::minimum_vertex_cover;
use super::{ExportError, ExportInput, OutputFile, dsee_state, merged, model_card};
use crate::checkpoint::write::{TensorToWrite, Values, write_safetensors};
use crate::tuning::state::SiteDelta;

/// What peft puts before every name.
pub(super) const PREFIX: &str = "base_model.model.";
/// Weights of an adapter.
pub const ADAPTER_WEIGHTS: &str = "adapter_model.safetensors";
/// Settings of an adapter.
pub const ADAPTER_CONFIG: &str = "adapter_config.json";

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
pub fn adapter_size(sites: &[SiteDelta]) -> AdapterSize {
    let mut size = AdapterSize { max_rank: 0, n_values: 0, n_dense_values: 0 };
    for site in sites {
        let rank = file_rank(site.rank + minimum_vertex_cover(&entries(site)).len());
        size.max_rank = size.max_rank.max(rank);
        size.n_values += rank * (site.d_out + site.d_in);
        size.n_dense_values += site.d_out * site.d_in;
    }
    size
}

/// The files of an adapter folder. On a pruned base it also holds that base, in `base/`, because the adapter is
/// wrong on the original one.
///
/// # Errors
/// Parts that do not fit, and runs that a LoRA file cannot express.
pub fn export_adapter(input: &ExportInput<'_>) -> Result<Vec<OutputFile>, ExportError> {
    input.check()?;
    if input.sites.is_empty() {
        return Err(ExportError::NoUpdate);
    }
    let saved = modules_to_save(input)?;
    let expanded: Vec<(&SiteDelta, LowRank)> = input.sites.iter().map(|site| (site, expand(site))).collect();
    let config = config_json(input, &expanded, &saved);
    let mut files = vec![
        OutputFile::new(ADAPTER_CONFIG, merged::pretty(&config)),
        OutputFile::new(ADAPTER_WEIGHTS, weights(input, &expanded, &saved)),
        OutputFile::new(
            "README.md",
            model_card::adapter_card(input, &adapter_size(input.sites)).into_bytes(),
        ),
    ];
    files.extend(dsee_state::state_files(input));
    files.extend(merged::tokenizer_files(input, ""));
    if input.is_pruned() {
        files.extend(merged::pruned_base_files(input, "base/"));
    }
    Ok(files)
}

/// Factors of one module as they go to the file.
pub(super) struct LowRank {
    pub rank: usize,
    /// (rank, d_in).
    pub a: Vec<f32>,
    /// (d_out, rank).
    pub b: Vec<f32>,
}

/// BA + P_Ω(S) as a product of two factors.
pub(super) fn expand(site: &SiteDelta) -> LowRank {
    let entries = entries(site);
    let cover = minimum_vertex_cover(&entries);
    let rank = file_rank(site.rank + cover.len());
    let (row_start, column_start) = (site.rank, site.rank + cover.rows.len());
    let mut a = site.a.clone();
    a.resize(rank * site.d_in, 0.0);
    let mut b = vec![0.0; site.d_out * rank];
    for (row, values) in b.chunks_exact_mut(rank).enumerate() {
        values[..site.rank].copy_from_slice(&site.b[row * site.rank..][..site.rank]);
    }
    for (extra, &row) in cover.rows.iter().enumerate() {
        b[row as usize * rank + row_start + extra] = 1.0;
    }
    for (extra, &column) in cover.columns.iter().enumerate() {
        a[(column_start + extra) * site.d_in + column as usize] = 1.0;
    }
    let values = site.s_values.iter().filter(|&&value| value != 0.0);
    for (&(row, column), &value) in entries.iter().zip(values) {
        // An entry in a covering row belongs to that row, even if its column covers too.
        if let Ok(extra) = cover.rows.binary_search(&row) {
            a[(row_start + extra) * site.d_in + column as usize] = value;
        } else if let Ok(extra) = cover.columns.binary_search(&column) {
            b[row as usize * rank + column_start + extra] = value;
        }
    }
    LowRank { rank, a, b }
}

/// Positions of S that are not zero, as (row, column).
fn entries(site: &SiteDelta) -> Vec<(u32, u32)> {
    let d_in = site.d_in as u32;
    let used = site.s_indices.iter().zip(&site.s_values).filter(|(_, value)| **value != 0.0);
    used.map(|(&index, _)| (index / d_in, index % d_in)).collect()
}

/// peft refuses rank 0; one row of zeros says the same.
fn file_rank(rank: usize) -> usize {
    rank.max(1)
}

/// Modules stored whole: the head always, because peft fails on a classification adapter without it, and whatever
/// else was trained.
fn modules_to_save(input: &ExportInput<'_>) -> Result<BTreeSet<String>, ExportError> {
    let mut modules = BTreeSet::from(["classifier".to_owned()]);
    for parameter in input.trained.keys() {
        let module = parameter.rsplit_once('.').map_or(parameter.as_str(), |(module, _)| module);
        if input.sites.iter().any(|site| site.path == module) {
            return Err(ExportError::TrainedBesideUpdate { parameter: parameter.clone() });
        }
        modules.insert(module.to_owned());
    }
    Ok(modules)
}

/// alpha / rank, freed from the rounding of an f32: alpha is a round number in every sensible run.
fn exact_scale(site: &SiteDelta) -> f64 {
    let rank = file_rank(site.rank) as f64;
    let alpha = f64::from(site.scale) * rank;
    let round = alpha.round();
    if (alpha - round).abs() <= 1e-6 * alpha.abs() { round / rank } else { f64::from(site.scale) }
}

/// A number as JSON, whole where it is whole.
fn number(value: f64) -> Value {
    let round = value.round();
    if (value - round).abs() < 1e-9 * value.abs().max(1.0) { json!(round as i64) } else { json!(value) }
}

fn config_json(
    input: &ExportInput<'_>,
    expanded: &[(&SiteDelta, LowRank)],
    saved: &BTreeSet<String>,
) -> Value {
    let r = file_rank(input.sites.iter().map(|site| site.rank).max().unwrap_or(0));
    let scale = expanded.first().map_or(1.0, |(site, _)| exact_scale(site));
    let (mut rank_pattern, mut alpha_pattern) = (Map::new(), Map::new());
    for (site, low_rank) in expanded {
        if low_rank.rank == r && exact_scale(site) == scale {
            continue;
        }
        // Keys are regular expressions.
        let key = format!("^{}", site.path.replace('.', r"\."));
        rank_pattern.insert(key.clone(), json!(low_rank.rank));
        alpha_pattern.insert(key, number(exact_scale(site) * low_rank.rank as f64));
    }
    let modules = input.base.keys().filter_map(|name| name.strip_suffix(".weight")).collect();
    let sites = input.sites.iter().map(|site| site.path.as_str()).collect();
    let mut modules_to_save = vec!["classifier", "score"];
    modules_to_save.extend(saved.iter().map(String::as_str).filter(|&module| module != "classifier"));
    // On a pruned base the original id would silently give another model, so none is named.
    let base = if input.is_pruned() { None } else { input.base_id };
    json!({
        "peft_type": "LORA", "task_type": "SEQ_CLS", "base_model_name_or_path": base,
        "revision": base.and(input.facts.base_revision.as_ref()), "r": r, "lora_alpha": number(scale * r as f64),
        "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": false, "inference_mode": true,
        "init_lora_weights": true, "use_rslora": false, "use_dora": false,
        "target_modules": target_modules(&sites, &modules), "modules_to_save": modules_to_save,
        "rank_pattern": rank_pattern, "alpha_pattern": alpha_pattern,
    })
}

fn weights(input: &ExportInput<'_>, expanded: &[(&SiteDelta, LowRank)], saved: &BTreeSet<String>) -> Vec<u8> {
    let mut tensors = Vec::new();
    let mut push = |name: String, shape: Vec<usize>, values| {
        tensors.push(TensorToWrite { name: format!("{PREFIX}{name}"), shape, values: Values::F32(values) });
    };
    for (site, low_rank) in expanded {
        push(format!("{}.lora_A.weight", site.path), vec![low_rank.rank, site.d_in], &low_rank.a);
        push(format!("{}.lora_B.weight", site.path), vec![site.d_out, low_rank.rank], &low_rank.b);
    }
    for name in input.base.keys() {
        let module = name.rsplit_once('.').map_or(name.as_str(), |(module, _)| module);
        if saved.contains(module)
            && let Some(tensor) = input.tensor(name)
        {
            push(name.clone(), tensor.shape.clone(), &tensor.data);
        }
    }
    write_safetensors(&tensors, &BTreeMap::new())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use proptest::prelude::*;

    use super::*;
    use crate::checkpoint::safetensors_read::Header;
    use crate::export::fixture::{Fixture, random_site};

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
                "tokenizer.json"
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

    fn max_relative_difference(site: &SiteDelta) -> f64 {
        let LowRank { rank, a, b } = expand(site);
        let dense = site.dense_f64();
        let largest = dense.iter().fold(1e-30, |largest: f64, value| largest.max(value.abs()));
        let mut difference = 0f64;
        for (i, &expected) in dense.iter().enumerate() {
            let (row, column) = (i / site.d_in, i % site.d_in);
            let product: f64 =
                (0..rank).map(|k| f64::from(b[row * rank + k]) * f64::from(a[k * site.d_in + column])).sum();
            difference = difference.max((product * f64::from(site.scale) - expected).abs());
        }
        difference / largest
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn extra_rank_is_exact(
            d_out in 1usize..12, d_in in 1usize..12, rank in 0usize..4, share in 0.0f64..1.0, seed in 0u64..1000,
        ) {
            let nnz = (share * (d_out * d_in) as f64) as usize;
            let site = random_site("m", d_out, d_in, rank, nnz, seed);
            prop_assert!(max_relative_difference(&site) <= 1e-6);
            prop_assert!(expand(&site).rank <= (rank + d_out.min(d_in)).max(1));
        }
    }

    #[test]
    fn size_counts_the_extra_rank() {
        let mut site = random_site("m", 8, 8, 2, 0, 1);
        (site.s_indices, site.s_values) = (vec![0, 1, 2, 9], vec![1.0, 2.0, 3.0, 0.0]);
        // One row covers three entries; the stored zero needs nothing.
        assert_eq!(adapter_size(&[site]), AdapterSize { max_rank: 3, n_values: 48, n_dense_values: 64 });
    }
}
