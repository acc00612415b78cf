//! The `README.md` beside exported files: front matter for the model hub, settings, results, and how to load.

use std::fmt::Write;

use serde_json::{Value, json};

use super::adapter::AdapterSize;
use super::{ExportInput, PhaseFacts, loading};

/// The card of an adapter folder.
pub(super) fn adapter_card(input: &ExportInput<'_>, size: &AdapterSize) -> String {
    let mut card = front_matter(input, "peft", &["lora"]);
    card.push_str("# Adapter\n\n");
    let _ = writeln!(
        card,
        "A LoRA adapter trained with DSEE. The sparse residual S is stored as extra rank (largest rank: {}), so \
         any LoRA reader applies it exactly. `dsee_config.json` and `dsee_state.safetensors` hold the same update \
         unchanged; other tools ignore them.\n",
        size.max_rank
    );
    push_adapter(&mut card, input);
    card
}

/// The card of a prefix of `length` rows.
pub(super) fn prefix_card(input: &ExportInput<'_>, length: usize) -> String {
    let mut card = front_matter(input, "peft", &["prefix-tuning"]);
    let _ = writeln!(
        card,
        "# Adapter\n\nA prefix of {length} rows before the keys and values of every layer, in peft's format. \
         `dsee_config.json` and `dsee_state.safetensors` hold the same; other tools ignore them. Load it with \
         transformers 5: version 4 with its peft fails on prefixes of RoBERTa's classifiers.\n"
    );
    push_adapter(&mut card, input);
    card
}

/// What is to be said of every adapter: the base it belongs to, how it is loaded, and how it came about.
fn push_adapter(card: &mut String, input: &ExportInput<'_>) {
    if input.is_pruned() {
        card.push_str(
            "**This adapter belongs to the pruned base model in `base/`. On the original base model it gives wrong \
             results.**\n\n",
        );
    }
    let base = match input.base_id.filter(|_| !input.is_pruned()) {
        Some(id) => json!(id).to_string(),
        None if input.is_pruned() => "folder + \"/base\"".to_owned(),
        None => "\"path/to/the/base/model\"".to_owned(),
    };
    push_loading(card, &loading::adapter(input, &base, "folder"));
    push_facts(card, input);
}

/// The card of a merged model.
pub(super) fn merged_card(input: &ExportInput<'_>) -> String {
    let mut note = "The update is added to the weights.".to_owned();
    if !input.pruned.masks.is_empty() {
        note.push_str(
            " A dense update on masked weights is dense, so the zeros of the masks are no longer visible here; \
             the adapter export with its pruned base keeps them.",
        );
    }
    if !input.pruned.heads.is_empty() {
        note.push_str(" Removed heads are stored as zeros, which every version of transformers reads.");
    }
    model_card(input, &note)
}

/// The card of a model without its removed heads.
pub(super) fn compact_card(input: &ExportInput<'_>) -> String {
    model_card(
        input,
        "The update is added to the weights and removed heads are left out. **Only transformers up to 4.57 reads \
         this form.**",
    )
}

fn model_card(input: &ExportInput<'_>, note: &str) -> String {
    let mut card = front_matter(input, "transformers", &[]);
    let _ = writeln!(card, "# Model\n\nTuned with DSEE. {note}\n");
    push_loading(&mut card, &loading::model(input, "folder"));
    push_facts(&mut card, input);
    card
}

fn push_loading(card: &mut String, snippet: &str) {
    let _ = writeln!(card, "## Loading\n\n```python\nfolder = \"path/to/this/folder\"\n\n{snippet}\n```\n");
}

/// The block between two lines of dashes. Texts are quoted as in JSON, which YAML reads too.
fn front_matter(input: &ExportInput<'_>, library: &str, tags: &[&str]) -> String {
    let mut lines = vec!["---".to_owned()];
    let mut all_tags: Vec<String> = Vec::new();
    if let Some(id) = input.base_id {
        lines.push(format!("base_model: {}", json!(id)));
        if library == "peft" {
            all_tags.push(format!("base_model:adapter:{id}"));
        }
    }
    lines.push(format!("library_name: {library}"));
    all_tags.extend(tags.iter().map(|&tag| tag.to_owned()));
    all_tags.extend(["transformers".to_owned(), "dsee".to_owned()]);
    lines.push("tags:".to_owned());
    lines.extend(all_tags.iter().map(|tag| format!("- {}", json!(tag))));
    lines.push(format!("pipeline_tag: {}", input.head.pipeline_tag()));
    for (field, value) in
        [("datasets", input.facts.dataset.as_deref()), ("metrics", Some(&*input.facts.metric))]
    {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            lines.push(format!("{field}:\n- {}", json!(value)));
        }
    }
    lines.push("---\n\n".to_owned());
    lines.join("\n")
}

/// Settings, results of each phase, and sparsity.
fn push_facts(card: &mut String, input: &ExportInput<'_>) {
    let facts = input.facts;
    if !facts.phases.is_empty() {
        let _ = writeln!(
            card,
            "## Results\n\n| phase | {} | trainable parameters | non-zero weights | FLOPs | seconds |\n|---|---|---|---|---|---|",
            cell(&facts.metric)
        );
        facts.phases.iter().for_each(|phase| push_phase(card, phase));
        card.push('\n');
    }
    let settings = facts.settings.iter().map(|(name, value)| (name.as_str(), plain(value)));
    push_table(card, "Settings", settings);
    push_table(card, "Sparsity", facts.sparsity.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let origin = [
        ("base model", input.base_id.map(str::to_owned)),
        ("base revision", facts.base_revision.clone()),
        ("SHA-256 of the base weights", facts.base_sha256.clone()),
        ("data set", facts.dataset.clone()),
        ("SHA-256 of the training data", facts.dataset_sha256.clone()),
    ];
    push_table(card, "Origin", origin.into_iter().filter_map(|(name, value)| Some((name, value?))));
}

fn push_phase(card: &mut String, phase: &PhaseFacts) {
    let metric = phase.metric.map_or("–".to_owned(), |metric| format!("{metric:.4}"));
    let PhaseFacts { phase, n_trainable, n_nonzero, flops, seconds, .. } = phase;
    let phase = cell(phase);
    let _ = writeln!(card, "| {phase} | {metric} | {n_trainable} | {n_nonzero} | {flops} | {seconds:.1} |");
}

fn push_table<'a>(card: &mut String, title: &str, rows: impl Iterator<Item = (&'a str, String)>) {
    let rows: Vec<String> =
        rows.map(|(name, value)| format!("| {} | {} |\n", cell(name), cell(&value))).collect();
    if !rows.is_empty() {
        let _ = writeln!(card, "## {title}\n\n| | |\n|---|---|\n{}", rows.concat());
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A text that cannot break out of its table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::adapter::adapter_size;
    use crate::export::fixture::Fixture;

    #[test]
    fn the_adapter_card_names_its_base() {
        let fixture = Fixture::tuned();
        let card = adapter_card(&fixture.input(), &adapter_size(&fixture.input()));
        let expected_start = "---\nbase_model: \"org/tiny\"\nlibrary_name: peft\ntags:\n\
             - \"base_model:adapter:org/tiny\"\n- \"lora\"\n- \"transformers\"\n- \"dsee\"\n\
             pipeline_tag: text-classification\ndatasets:\n- \"sst2\"\nmetrics:\n- \"accuracy\"\n---\n\n# Adapter\n";
        assert!(card.starts_with(expected_start), "{card}");
        assert!(card.contains("from_pretrained(\"org/tiny\", num_labels=3)"));
        assert!(card.contains("| tune | 0.8360 | 1234 | 5678 | 91011 | 2.5 |"));
        assert!(card.contains("| rank | 2 |") && card.contains("| a\\|b | c d |"));
        assert!(!card.contains("base/"));
    }

    #[test]
    fn a_pruned_adapter_warns() {
        let fixture = Fixture::pruned();
        let card = adapter_card(&fixture.input(), &adapter_size(&fixture.input()));
        assert!(
            card.contains("On the original base model it gives wrong") && card.contains("folder + \"/base\"")
        );
        assert!(merged_card(&fixture.input()).contains("stored as zeros"));
    }
}
