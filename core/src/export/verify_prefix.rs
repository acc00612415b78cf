//! What a prefix's bytes mean: the settings peft goes by, and the keys and values of every layer taken out of its table.

use serde_json::Value;

use super::ExportInput;
use super::prefix::{PROMPT_EMBEDDINGS, config_json, prefix_names, split_table};
use super::verify::{Verified, VerifyError, differs, widen};
use crate::checkpoint::Checkpoint;
use crate::nn::added::prefix_length;

/// Compares settings and table with the prefix in memory.
///
/// # Errors
/// The first thing that does not agree.
pub(super) fn verify_prefix(
    input: &ExportInput<'_>,
    config: &Value,
    weights: &Checkpoint,
) -> Result<Verified, VerifyError> {
    let length = prefix_length(input.trained);
    // A run that peft could not hold has not been written.
    let expected = config_json(input, length)
        .map_err(|error| differs("prefix", "written".to_owned(), error.to_string()))?;
    for (name, value) in expected.as_object().into_iter().flatten() {
        if config[name] != *value {
            return Err(differs(name, config[name].to_string(), value.to_string()));
        }
    }
    let absent = || differs(PROMPT_EMBEDDINGS, "absent".to_owned(), "a table".to_owned());
    let table = weights.tensors.get(PROMPT_EMBEDDINGS).ok_or_else(absent)?;
    let width: usize = prefix_names(input).iter().map(|(_, columns)| columns).sum();
    if table.shape != [length, width] {
        let expected = format!("{:?}", [length, width]);
        return Err(differs(PROMPT_EMBEDDINGS, format!("{:?}", table.shape), expected));
    }
    let mut verified = Verified::default();
    for (name, found) in split_table(input, table) {
        let expected =
            input.trained.get(&name).map(|tensor| widen(&tensor.data).collect()).unwrap_or_default();
        verified.compare(&name, widen(&found.data), expected, 0.0)?;
    }
    Ok(verified)
}
