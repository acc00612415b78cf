//! Whether a tokenizer can feed a model: the way it cuts words, and the special tokens the model reads texts between.

use super::config::ModelConfig;
use crate::tokenizer::{Tokenizer, TokenizerError, TokenizerKind};

/// Room for the probes below.
const PROBE_LENGTH: usize = 64;

/// The tokenizer as the model uses it. Whether its ids have rows in the word embedding is another question.
///
/// # Errors
/// A tokenizer of another family, or one that lacks what the family needs.
pub fn fit(file: &str, tokenizer: Tokenizer, config: &ModelConfig) -> Result<Tokenizer, TokenizerError> {
    let (kind, kinds) = (tokenizer.kind(), config.family.tokenizer_kinds());
    let (file, model_type) = (file.to_owned(), config.family.model_type().to_owned());
    if kind != TokenizerKind::Other && !kinds.contains(&kind) {
        return Err(TokenizerError::WrongKind { file, model_type, found: kind, expected: kinds });
    }
    let problem = if config.family.is_causal() {
        (kind == TokenizerKind::Other).then(|| end(&tokenizer)).flatten()
    } else {
        frame(&tokenizer)?
    };
    let tokenizer = if config.type_vocab_size < 2 { tokenizer.without_segments() } else { tokenizer };
    match problem.or(segments(&tokenizer, config)?) {
        None => Ok(tokenizer),
        Some((found, expected)) => {
            Err(TokenizerError::WrongSpecials { file, model_type, kind, found, expected })
        }
    }
}

/// What is wrong, and what would be right.
type Problem = Option<(String, String)>;

/// A decoder ends texts, and knows where one begins.
fn end(tokenizer: &Tokenizer) -> Problem {
    let missing = tokenizer.end_of_text().is_none();
    missing.then(|| {
        ("has no token that ends a text".to_owned(), "`<|endoftext|>` or `</s>` in its vocabulary".to_owned())
    })
}

/// An encoder reads a text between a first token, which classifiers look at, and a last one.
fn frame(tokenizer: &Tokenizer) -> Result<Problem, TokenizerError> {
    let special = tokenizer.special_tokens();
    let ids = tokenizer.encode("a", None, PROBE_LENGTH)?.input_ids;
    let begins = special.cls.is_some() && ids.first().copied() == special.cls;
    let ends = special.sep.is_some() && ids.last().copied() == special.sep;
    let found = || format!("reads the text `a` as `{}`", tokenizer.tokens(&ids).join(" "));
    let expected = "`[CLS]` or `<s>` before a text and `[SEP]` or `</s>` behind it";
    Ok((!begins || !ends).then(|| (found(), expected.to_owned())))
}

/// Every segment has a row of the segment embedding.
fn segments(tokenizer: &Tokenizer, config: &ModelConfig) -> Result<Problem, TokenizerError> {
    let pair = tokenizer.encode("a", Some("a"), PROBE_LENGTH)?;
    let largest = pair.token_type_ids.iter().copied().max().unwrap_or(0);
    let n_segments = config.type_vocab_size.max(1);
    Ok((largest as usize >= n_segments).then(|| {
        let found = format!("numbers the segments of a pair up to {largest}");
        (found, format!("numbers below type_vocab_size = {n_segments}"))
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use serde_json::{Value, json};

    use super::*;
    use crate::tokenizer::CaseRule;

    fn config(family: &str, segments: usize) -> ModelConfig {
        let json = json!({"model_type": family, "type_vocab_size": segments});
        ModelConfig::parse("config.json", json.to_string().as_bytes()).unwrap()
    }

    fn word_pieces() -> Tokenizer {
        let vocab = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n";
        Tokenizer::from_vocab("vocab.txt", vocab, CaseRule::Lower).unwrap()
    }

    /// A Unigram tokenizer of these tokens, as SentencePiece makes them.
    fn unigram(tokens: &[&str], post_processor: &Value) -> Tokenizer {
        let vocab: Vec<Value> = tokens.iter().map(|token| json!([token, -1.0])).collect();
        let json = json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
            "normalizer": null, "pre_tokenizer": null, "post_processor": post_processor, "decoder": null,
            "model": {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": false}});
        Tokenizer::from_bytes("tokenizer.json", json.to_string().as_bytes()).unwrap()
    }

    fn refused(tokenizer: Tokenizer, config: &ModelConfig) -> String {
        fit("tokenizer.json", tokenizer, config).unwrap_err().to_string()
    }

    #[test]
    fn roberta_reads_word_pieces_and_knows_no_segments() {
        let fitted = fit("vocab.txt", word_pieces(), &config("roberta", 1)).unwrap();
        let pair = fitted.encode("a", Some("b"), 16).unwrap();
        assert_eq!((pair.input_ids, pair.token_type_ids), (vec![2, 5, 3, 6, 3], vec![0; 5]));
        let fitted = fit("vocab.txt", word_pieces(), &config("bert", 2)).unwrap();
        assert_eq!(fitted.encode("a", Some("b"), 16).unwrap().token_type_ids, [0, 0, 0, 1, 1]);
        let text = refused(word_pieces(), &config("gpt2", 0));
        assert!(text.contains("WordPiece, as of BERT; expected byte-level BPE, as of GPT-2"), "{text}");
    }

    #[test]
    fn another_kind_is_judged_by_its_special_tokens() {
        let tokens = ["<unk>", "<s>", "</s>", "a", "b"];
        let frame = json!({"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1],
            "trim_offsets": true, "add_prefix_space": false});
        let framed = fit("tokenizer.json", unigram(&tokens, &frame), &config("roberta", 1)).unwrap();
        assert_eq!(framed.kind(), TokenizerKind::Other);
        assert_eq!(framed.encode("a", None, 16).unwrap().input_ids, [1, 3, 2]);

        let text = refused(unigram(&tokens, &Value::Null), &config("roberta", 1));
        for part in
            ["reads the text `a` as `a`", "`<s>` before a text", "a roberta model", "complete tokenizer.json"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        // A decoder wants no frame, but an end.
        assert!(fit("tokenizer.json", unigram(&tokens, &Value::Null), &config("gpt2", 0)).is_ok());
        let text = refused(unigram(&["<unk>", "a"], &Value::Null), &config("gpt2", 0));
        assert!(text.contains("no token that ends a text") && text.contains("`</s>`"), "{text}");
    }

    #[test]
    fn segments_without_an_embedding_are_refused() {
        let piece = |kind: &str, id: &str, segment: u32| json!({kind: {"id": id, "type_id": segment}});
        let special = |token: &str, id: u32| json!({"id": token, "ids": [id], "tokens": [token]});
        let single =
            [piece("SpecialToken", "<s>", 0), piece("Sequence", "A", 0), piece("SpecialToken", "</s>", 0)];
        let more = [piece("Sequence", "B", 2), piece("SpecialToken", "</s>", 2)];
        let pair = [&single[..], &more].concat();
        let template = json!({"type": "TemplateProcessing", "single": single, "pair": pair,
            "special_tokens": {"<s>": special("<s>", 1), "</s>": special("</s>", 2)}});
        let text = refused(unigram(&["<unk>", "<s>", "</s>", "a"], &template), &config("bert", 2));
        assert!(text.contains("up to 2") && text.contains("type_vocab_size = 2"), "{text}");
    }
}
