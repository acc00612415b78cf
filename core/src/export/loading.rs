//! Python that loads what was exported: for model cards, the window and the command line.

use super::ExportInput;
use crate::models::family::Head;

/// An adapter in the folder `folder` on the base model `base`, both Python expressions.
pub(super) fn adapter(input: &ExportInput<'_>, base: &str, folder: &str) -> String {
    let class = input.head.auto_class();
    let settings = head_settings(input);
    format!(
        "from peft import PeftModel\nfrom transformers import {class}, AutoTokenizer\n\n\
         base = {class}.from_pretrained({base}{settings})\n\
         model = PeftModel.from_pretrained(base, {folder})\n\
         tokenizer = AutoTokenizer.from_pretrained({folder})"
    )
}

/// A whole model in the folder `folder`.
pub(super) fn model(input: &ExportInput<'_>, folder: &str) -> String {
    let class = input.head.auto_class();
    format!(
        "from transformers import {class}, AutoTokenizer\n\n\
         model = {class}.from_pretrained({folder})\n\
         tokenizer = AutoTokenizer.from_pretrained({folder})"
    )
}

/// What a base model has to be told of its head: labels, and a padding token where it names none, without which
/// transformers classifies no batches.
fn head_settings(input: &ExportInput<'_>) -> String {
    let Head::SequenceClassification { .. } = input.head else { return String::new() };
    let labels = format!(", num_labels={}", input.n_labels());
    match input.pad_token_id().filter(|_| input.config.pad_token_id.is_none()) {
        Some(pad) => format!("{labels}, pad_token_id={pad}"),
        None => labels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::fixture::Fixture;

    #[test]
    fn every_head_has_its_class() {
        let fixture = Fixture::decoder_classes();
        let text = adapter(&fixture.input(), "BASE", "\"adapter\"");
        assert!(text.contains(
            "AutoModelForSequenceClassification.from_pretrained(BASE, num_labels=3, pad_token_id=10)"
        ));
        let fixture = Fixture::decoder_words();
        let text = adapter(&fixture.input(), "BASE", "\"adapter\"");
        assert!(text.contains("base = AutoModelForCausalLM.from_pretrained(BASE)\n"), "{text}");
        let input = ExportInput { head: Head::MaskedLm, ..fixture.input() };
        assert!(model(&input, "\"merged\"").contains("AutoModelForMaskedLM.from_pretrained(\"merged\")\n"));
    }
}
