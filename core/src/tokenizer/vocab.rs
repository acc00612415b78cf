//! BERT's tokenizer from the older `vocab.txt`, for model folders without `tokenizer.json`.

use serde_json::{Map, Value, json};

use super::TokenizerError;

/// What happens to capitals, as `do_lower_case` in `tokenizer_config.json` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseRule {
    /// Letters become small and lose their accents (the "uncased" models).
    Lower,
    /// Letters stay (the "cased" models).
    Keep,
}

impl CaseRule {
    /// The rule in the bytes of a `tokenizer_config.json`; BERT's default without one is small letters.
    #[must_use]
    pub fn from_tokenizer_config(config: Option<&[u8]>) -> Self {
        let config = config.and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
        match config.and_then(|config| config.get("do_lower_case")?.as_bool()) {
            Some(false) => Self::Keep,
            Some(true) | None => Self::Lower,
        }
    }
}

/// BERT's special tokens.
pub(super) const SPECIAL_TOKENS: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// The `tokenizer.json` that transformers' own conversion of a BERT vocabulary gives.
pub(super) fn tokenizer_json(file: &str, bytes: &[u8], case: CaseRule) -> Result<Value, TokenizerError> {
    let text = std::str::from_utf8(bytes).map_err(|error| TokenizerError::Unreadable {
        file: file.to_owned(),
        problem: format!("no UTF-8 after byte {}", error.valid_up_to()),
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // A token that stands twice keeps its later line, as in transformers.
    let vocab: Map<String, Value> =
        text.lines().enumerate().map(|(id, token)| (token.to_owned(), json!(id))).collect();
    let missing: Vec<String> =
        SPECIAL_TOKENS.iter().filter(|token| !vocab.contains_key(**token)).map(ToString::to_string).collect();
    if !missing.is_empty() {
        return Err(TokenizerError::MissingTokens { file: file.to_owned(), missing });
    }
    let added = |token: &&str| {
        json!({"id": vocab[*token], "content": token, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    };
    let added_tokens: Vec<Value> = SPECIAL_TOKENS.iter().map(added).collect();
    let special = |token: &str| json!({"id": token, "ids": [vocab[token]], "tokens": [token]});
    let piece = |kind: &str, id: &str, segment: u32| json!({kind: {"id": id, "type_id": segment}});
    let single =
        [piece("SpecialToken", "[CLS]", 0), piece("Sequence", "A", 0), piece("SpecialToken", "[SEP]", 0)];
    let pair: Vec<Value> = (single.iter().cloned())
        .chain([piece("Sequence", "B", 1), piece("SpecialToken", "[SEP]", 1)])
        .collect();
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens,
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                       "strip_accents": null, "lowercase": case == CaseRule::Lower},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": single, "pair": pair,
                           "special_tokens": {"[CLS]": special("[CLS]"), "[SEP]": special("[SEP]")}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocab},
    }))
}
