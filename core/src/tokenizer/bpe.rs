//! The byte-level BPE tokenizers of GPT-2 and RoBERTa from the older pair `vocab.json` and `merges.txt`, for model
//! folders without `tokenizer.json`.

use serde_json::{Map, Value, json};

use super::TokenizerError;

/// GPT-2's only special token.
pub(super) const END_OF_TEXT: &str = "<|endoftext|>";
/// RoBERTa's special tokens, in the order in which encodings use them.
const ROBERTA: [&str; 5] = ["<s>", "</s>", "<pad>", "<unk>", "<mask>"];
/// Most problems that one message lists.
const MAX_LISTED: usize = 5;

/// The `tokenizer.json` that transformers' own conversion of such a pair gives. `settings` is the model's
/// `tokenizer_config.json`, of which `add_prefix_space` counts.
pub(super) fn tokenizer_json(
    vocab: (&str, &[u8]),
    merges: (&str, &[u8]),
    settings: Option<&[u8]>,
) -> Result<Value, TokenizerError> {
    let ids = read_vocab(vocab)?;
    let merges = read_merges(merges, &ids)?;
    let settings = settings.and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    let prefix = settings.and_then(|settings| settings.get("add_prefix_space")?.as_bool()).unwrap_or(false);
    let is_there = |token: &&str| ids.contains_key(*token);
    if ROBERTA.iter().all(is_there) {
        Ok(from_parts(ids, merges, &ROBERTA, prefix))
    } else if is_there(&END_OF_TEXT) {
        Ok(from_parts(ids, merges, &[END_OF_TEXT], prefix))
    } else {
        let missing = ROBERTA.iter().filter(|token| !is_there(token)).map(ToString::to_string);
        let missing = missing.chain([END_OF_TEXT.to_owned()]).collect();
        Err(TokenizerError::MissingBpeTokens { file: vocab.0.to_owned(), missing })
    }
}

/// A tokenizer of these tokens and merges. With RoBERTa's special tokens it encodes as RoBERTa does, else it adds none.
pub(super) fn from_parts(
    ids: Map<String, Value>,
    merges: Vec<Value>,
    special: &[&str],
    prefix: bool,
) -> Value {
    let added = special.iter().map(|token| {
        // The mask takes the space before it along, as in transformers.
        json!({"id": ids[*token], "content": token, "single_word": false, "lstrip": *token == "<mask>",
               "rstrip": false, "normalized": false, "special": true})
    });
    let mut added: Vec<Value> = added.collect();
    added.sort_by_key(|token| token["id"].as_u64());
    let byte_level = |prefix: bool, trim: bool| json!({"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": trim, "use_regex": true});
    let post_processor = if special.len() > 1 {
        json!({"type": "RobertaProcessing", "cls": ["<s>", ids["<s>"]], "sep": ["</s>", ids["</s>"]],
               "trim_offsets": true, "add_prefix_space": prefix})
    } else {
        byte_level(true, false)
    };
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": byte_level(prefix, true),
        "post_processor": post_processor,
        "decoder": byte_level(true, true),
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
                  "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                  "vocab": ids, "merges": merges},
    })
}

/// Token → id.
fn read_vocab((file, bytes): (&str, &[u8])) -> Result<Map<String, Value>, TokenizerError> {
    let bad = |problem: String| TokenizerError::BadBpe { file: file.to_owned(), problems: vec![problem] };
    let value: Value = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
    let Value::Object(ids) = value else { return Err(bad("it is no JSON object".to_owned())) };
    let mut seen = std::collections::BTreeSet::new();
    let mut problems = Vec::new();
    for (token, id) in &ids {
        match id.as_u64().filter(|&id| u32::try_from(id).is_ok()) {
            None => problems.push(format!("the token {token:?} has the id {id}")),
            Some(id) if !seen.insert(id) => problems.push(format!("the token {token:?} shares the id {id}")),
            Some(_) => {}
        }
    }
    if problems.is_empty() { Ok(ids) } else { Err(listed(file, problems)) }
}

/// `[a, b]` for every merge, in their order.
fn read_merges((file, bytes): (&str, &[u8]), ids: &Map<String, Value>) -> Result<Vec<Value>, TokenizerError> {
    let text = std::str::from_utf8(bytes).map_err(|error| TokenizerError::BadBpe {
        file: file.to_owned(),
        problems: vec![format!("no UTF-8 after byte {}", error.valid_up_to())],
    })?;
    let (mut merges, mut problems) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || (index == 0 && line.starts_with("#version")) {
            continue;
        }
        match line.split(' ').collect::<Vec<_>>()[..] {
            [a, b] if !a.is_empty() && !b.is_empty() => {
                let absent = [a, b, &format!("{a}{b}")]
                    .into_iter()
                    .find(|token| !ids.contains_key(*token))
                    .map(str::to_owned);
                match absent {
                    Some(token) => {
                        problems.push(format!("line {}: {token:?} is not in the vocabulary", index + 1))
                    }
                    None => merges.push(json!([a, b])),
                }
            }
            _ => problems.push(format!("line {}: {line:?} is no pair of pieces", index + 1)),
        }
    }
    if problems.is_empty() { Ok(merges) } else { Err(listed(file, problems)) }
}

fn listed(file: &str, mut problems: Vec<String>) -> TokenizerError {
    let n_more = problems.len().saturating_sub(MAX_LISTED);
    problems.truncate(MAX_LISTED);
    if n_more > 0 {
        problems.push(format!("and {n_more} more"));
    }
    TokenizerError::BadBpe { file: file.to_owned(), problems }
}
