//! The files beside the weights: the base model's own, byte for byte, and a `tokenizer_config.json` where it has none.
//! Without that file, transformers finds no tokenizer in an adapter folder, and none of them has a padding token.

use serde_json::{Map, Value, json};

use super::{ExportInput, OutputFile, merged};
use crate::models::config::ModelConfig;
use crate::models::family::Head;
use crate::models::files::{GENERATION_CONFIG_FILE, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE};

/// What transformers calls the special tokens of the families, by their usual texts.
const NAMES: [(&str, &[&str]); 11] = [
    ("[CLS]", &["cls_token"]),
    ("[SEP]", &["sep_token"]),
    ("[MASK]", &["mask_token"]),
    ("[PAD]", &["pad_token"]),
    ("[UNK]", &["unk_token"]),
    ("<s>", &["bos_token", "cls_token"]),
    ("</s>", &["eos_token", "sep_token"]),
    ("<mask>", &["mask_token"]),
    ("<pad>", &["pad_token"]),
    ("<unk>", &["unk_token"]),
    ("<|endoftext|>", &["bos_token", "eos_token", "unk_token"]),
];

/// What a folder needs to turn text into tokens.
pub(super) fn tokenizer_files(input: &ExportInput<'_>, folder: &str) -> Vec<OutputFile> {
    let mut files = copies(input, folder, |name| name != GENERATION_CONFIG_FILE);
    let has = |wanted: &str| input.tokenizer_files.iter().any(|(name, _)| name == wanted);
    let tokenizer = input.tokenizer_files.iter().find(|(name, _)| name == TOKENIZER_FILE);
    if let Some((_, tokenizer)) = tokenizer.filter(|_| !has(TOKENIZER_CONFIG_FILE)) {
        // A tokenizer that was read before is JSON.
        let tokenizer = serde_json::from_slice(tokenizer).unwrap_or_default();
        let settings = tokenizer_config(&tokenizer, input.config, input.pad_token_id());
        files.push(OutputFile::new(&format!("{folder}{TOKENIZER_CONFIG_FILE}"), merged::pretty(&settings)));
    }
    files
}

/// The same, and what a whole model needs to write text.
pub(super) fn side_files(input: &ExportInput<'_>, folder: &str) -> Vec<OutputFile> {
    let mut files = tokenizer_files(input, folder);
    if input.head == Head::CausalLm {
        files.extend(copies(input, folder, |name| name == GENERATION_CONFIG_FILE));
    }
    files
}

fn copies(input: &ExportInput<'_>, folder: &str, is_wanted: impl Fn(&str) -> bool) -> Vec<OutputFile> {
    let wanted = input.tokenizer_files.iter().filter(|(name, _)| is_wanted(name));
    wanted.map(|(name, bytes)| OutputFile::new(&format!("{folder}{name}"), bytes.clone())).collect()
}

/// Settings with which transformers builds the tokenizer from its file alone.
fn tokenizer_config(tokenizer: &Value, config: &ModelConfig, pad: Option<usize>) -> Value {
    let mut inputs = vec!["input_ids", "attention_mask"];
    if config.type_vocab_size > 1 {
        // A model without segments would look them up among its words.
        inputs.insert(1, "token_type_ids");
    }
    let mut settings = Map::from_iter([
        ("tokenizer_class".to_owned(), json!("PreTrainedTokenizerFast")),
        ("model_max_length".to_owned(), json!(config.longest())),
        ("model_input_names".to_owned(), json!(inputs)),
        ("clean_up_tokenization_spaces".to_owned(), json!(false)),
    ]);
    for token in tokenizer["added_tokens"].as_array().into_iter().flatten() {
        let names = NAMES.iter().find(|(text, _)| token["content"] == *text).map(|(_, names)| *names);
        for name in names.into_iter().flatten() {
            settings.insert((*name).to_owned(), token["content"].clone());
        }
    }
    if let Some(token) = pad.and_then(|pad| token_text(tokenizer, pad)) {
        settings.insert("pad_token".to_owned(), json!(token));
    }
    Value::Object(settings)
}

/// The text of a token, special or not.
fn token_text(tokenizer: &Value, id: usize) -> Option<&str> {
    let mut added = tokenizer["added_tokens"].as_array().into_iter().flatten();
    let added = added.find(|token| token["id"] == id).and_then(|token| token["content"].as_str());
    let mut plain = tokenizer["model"]["vocab"].as_object().into_iter().flatten();
    added.or_else(|| plain.find(|(_, found)| **found == id).map(|(text, _)| text.as_str()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::export::fixture::Fixture;

    fn read(files: &[OutputFile], path: &str) -> Value {
        let file = files.iter().find(|file| file.path == path).unwrap();
        serde_json::from_slice(&file.bytes).unwrap()
    }

    #[test]
    fn a_tokenizer_without_settings_gets_them() {
        let mut fixture = Fixture::tuned();
        let tokens =
            json!([{"id": 0, "content": "[PAD]"}, {"id": 2, "content": "[CLS]"}, {"id": 9, "content": "x"}]);
        let tokenizer = json!({"added_tokens": tokens, "model": {"vocab": {"a": 4}}});
        fixture.tokenizer_files = vec![(TOKENIZER_FILE.to_owned(), merged::pretty(&tokenizer))];
        let files = tokenizer_files(&fixture.input(), "base/");
        let expected = json!({
            "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 6,
            "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
            "clean_up_tokenization_spaces": false, "pad_token": "[PAD]", "cls_token": "[CLS]",
        });
        assert_eq!(read(&files, "base/tokenizer_config.json"), expected);
        assert_eq!(token_text(&tokenizer, 4), Some("a"));
        fixture.tokenizer_files.push((TOKENIZER_CONFIG_FILE.to_owned(), b"{}".to_vec()));
        assert_eq!(read(&tokenizer_files(&fixture.input(), ""), "tokenizer_config.json"), json!({}));
    }

    #[test]
    fn a_decoder_pads_with_the_end_of_a_text_and_keeps_its_settings_of_generation() {
        let mut fixture = Fixture::decoder_classes();
        let tokenizer = json!({"added_tokens": [{"id": 10, "content": "<|endoftext|>"}]});
        fixture.tokenizer_files = vec![
            (TOKENIZER_FILE.to_owned(), merged::pretty(&tokenizer)),
            (GENERATION_CONFIG_FILE.to_owned(), b"{}".to_vec()),
        ];
        let settings = read(&tokenizer_files(&fixture.input(), ""), TOKENIZER_CONFIG_FILE);
        assert_eq!(
            (&settings["pad_token"], &settings["eos_token"]),
            (&json!("<|endoftext|>"), &json!("<|endoftext|>"))
        );
        assert_eq!(settings["model_input_names"], json!(["input_ids", "attention_mask"]));
        let has_generation = |head| {
            let input = ExportInput { head, ..fixture.input() };
            side_files(&input, "").iter().any(|file| file.path == GENERATION_CONFIG_FILE)
        };
        assert!(has_generation(Head::CausalLm) && !has_generation(Head::classes(3)));
    }
}
