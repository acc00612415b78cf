//! The weights a run amounts to, one parameter at a time, so that a model is never held twice.

use std::borrow::Cow;

use super::ExportInput;
use crate::models::load::head_layout;
use crate::nn::head_layout::HeadLayout;

/// Base weight after pruning, W ⊙ M, without any update.
pub(super) fn pruned_base_values<'a>(input: &ExportInput<'a>, name: &str) -> Cow<'a, [f32]> {
    prune(input, name, input.base[name].data.as_slice())
}

/// Weight as the model applies it: (W ⊙ M) + ΔW, where removed heads stay zero.
/// The sum is formed in f64 and rounded once.
pub(super) fn merged_values(input: &ExportInput<'_>, name: &str) -> Vec<f32> {
    merged_values_f64(input, name).into_iter().map(|value| value as f32).collect()
}

/// The same, not rounded.
pub(super) fn merged_values_f64(input: &ExportInput<'_>, name: &str) -> Vec<f64> {
    let tensor = input.trained.get(name).unwrap_or_else(|| &input.base[name]);
    let masked = prune(input, name, &tensor.data);
    let Some(site) = input.site_of(name) else {
        return masked.iter().map(|&value| f64::from(value)).collect();
    };
    let mut sum = site.dense_f64();
    sum.iter_mut().zip(masked.iter()).for_each(|(sum, &weight)| *sum += f64::from(weight));
    if let Some(layout) = removed_heads(input, name) {
        // The update of a removed head is gone too; its factors may still hold old numbers.
        let shape = &tensor.shape;
        let mut keep = vec![1.0; sum.len()];
        layout.zero(shape, &mut keep);
        sum.iter_mut().zip(keep).for_each(|(sum, keep)| *sum *= f64::from(keep));
    }
    sum
}

/// The heads removed from a parameter, if any lie in it.
pub(super) fn removed_heads<'a>(input: &ExportInput<'a>, name: &str) -> Option<HeadLayout<'a>> {
    let sites = input.config.family.sites(input.config, input.head);
    head_layout(input.config, &sites, &input.pruned.heads, name)
}

/// Applies mask and removed heads; copies only where there is something to change.
fn prune<'v>(input: &ExportInput<'_>, name: &str, values: &'v [f32]) -> Cow<'v, [f32]> {
    let mut values = Cow::Borrowed(values);
    if let Some(mask) = input.pruned.masks.get(name) {
        mask.apply(values.to_mut());
    }
    if let Some(layout) = removed_heads(input, name) {
        layout.zero(&input.base[name].shape, values.to_mut());
    }
    values
}
