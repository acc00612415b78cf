//! What an adapter's bytes mean: the modules it applies to, and every update rebuilt from its factors as peft does it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::ExportInput;
use super::adapter::{PREFIX, pattern_key};
use super::file_site::{FileSite, file_modules, file_sites};
use super::targets::is_hit;
use super::verify::{TOLERANCE, Verified, VerifyError, differs};
use crate::checkpoint::{Checkpoint, HostTensor};

/// Compares all updates of an adapter with those in memory.
///
/// # Errors
/// The first thing that does not agree.
pub(super) fn verify_updates(
    input: &ExportInput<'_>,
    config: &Value,
    weights: &Checkpoint,
) -> Result<Verified, VerifyError> {
    let sites = file_sites(input);
    verify_targets(input, config, &sites)?;
    let is_transposed = sites.iter().any(|site| site.is_transposed);
    if config["fan_in_fan_out"] != is_transposed {
        return Err(differs(
            "fan_in_fan_out",
            config["fan_in_fan_out"].to_string(),
            is_transposed.to_string(),
        ));
    }
    let mut verified = Verified::default();
    for site in &sites {
        let delta = rebuild(config, weights, site)?;
        let mut expected = vec![0.0; delta.len()];
        for (first_row, part) in &site.parts {
            let at = first_row * site.d_in;
            expected[at..at + part.d_out * part.d_in].copy_from_slice(&part.dense_f64());
        }
        verified.compare(&site.module, delta.into_iter(), expected, TOLERANCE)?;
    }
    Ok(verified)
}

/// Checks that the adapter applies to exactly the updated modules.
fn verify_targets(
    input: &ExportInput<'_>,
    config: &Value,
    sites: &[FileSite<'_>],
) -> Result<(), VerifyError> {
    let entries: Vec<&str> =
        config["target_modules"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let updated: BTreeSet<&str> = sites.iter().map(|site| site.module.as_str()).collect();
    for module in file_modules(input) {
        let hit = entries.iter().any(|entry| is_hit(&module, entry));
        if hit != updated.contains(module.as_str()) {
            return Err(differs(&module, format!("target: {hit}"), format!("target: {}", !hit)));
        }
    }
    Ok(())
}

/// (alpha / rank) · B · A as peft computes it, from file and settings.
fn rebuild(config: &Value, weights: &Checkpoint, site: &FileSite<'_>) -> Result<Vec<f64>, VerifyError> {
    let (module, d_out, d_in) = (&site.module, site.d_out, site.d_in);
    let factor = |part: &str| {
        let name = format!("{PREFIX}{module}.{part}.weight");
        let absent = || differs(&name, "absent".to_owned(), "a factor".to_owned());
        weights.tensors.get(&name).ok_or_else(absent)
    };
    let (a, b): (&HostTensor, &HostTensor) = (factor("lora_A")?, factor("lora_B")?);
    let key = pattern_key(module);
    let setting = |pattern: &str, default: &str| {
        config[pattern].get(&key).unwrap_or(&config[default]).as_f64().unwrap_or(f64::NAN)
    };
    let rank = setting("rank_pattern", "r");
    if a.shape != [rank as usize, d_in] || b.shape != [d_out, rank as usize] {
        return Err(differs(module, format!("A {:?}, B {:?}", a.shape, b.shape), format!("rank {rank}")));
    }
    let (rank, scale) = (rank as usize, setting("alpha_pattern", "lora_alpha") / rank);
    let mut delta = vec![0.0; d_out * d_in];
    for (row, out) in delta.chunks_exact_mut(d_in).enumerate() {
        for (k, &b) in b.data[row * rank..][..rank].iter().enumerate().filter(|(_, b)| **b != 0.0) {
            let a = &a.data[k * d_in..][..d_in];
            out.iter_mut().zip(a).for_each(|(out, &a)| *out += scale * f64::from(b) * f64::from(a));
        }
    }
    Ok(delta)
}
