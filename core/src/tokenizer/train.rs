//! Vocabularies from text, for models that are pretrained here: WordPiece for encoders, byte-level BPE for decoders.
//!
//! Pairs of pieces are merged by how often they occur, as the `tokenizers` package does it. Where counts tie, that
//! package decides by ids it gives in the order of a hash map; here all pieces of one letter have their ids beforehand,
//! so that the same texts give the same vocabulary.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainerBuilder};
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{
    AddedToken, Model as _, NormalizedString, Normalizer as _, OffsetReferential, OffsetType,
    PreTokenizedString, PreTokenizer as _, Trainer as _,
};

use super::vocab::{self, SPECIAL_TOKENS};
use super::{CaseRule, TokenizerError, bpe, refused};

/// The `tokenizer.json` of an uncased BERT tokenizer with about `vocab_size` tokens, trained on `texts`.
/// Special tokens come first, the others in the order of their letters.
///
/// # Errors
/// If the package refuses a text.
pub fn train_word_pieces(texts: &[&str], vocab_size: usize) -> Result<Vec<u8>, TokenizerError> {
    let failed = |error: tokenizers::Error| refused(texts.first().unwrap_or(&""), &error);
    let words =
        texts.iter().map(|text| words(text)).collect::<tokenizers::Result<Vec<_>>>().map_err(failed)?;
    let words = words.concat();
    let letters: BTreeSet<char> = words.iter().flat_map(|word| word.chars()).collect();
    let fixed: Vec<String> = letters.iter().flat_map(|c| [c.to_string(), format!("##{c}")]).collect();
    let mut trainer = WordPieceTrainerBuilder::new()
        .vocab_size(vocab_size.saturating_sub(SPECIAL_TOKENS.len()))
        .min_frequency(2)
        .show_progress(false)
        .special_tokens(fixed.into_iter().map(|piece| AddedToken::from(piece, true)).collect())
        .build();
    let mut model = WordPiece::default();
    trainer.feed(words.iter(), |word| Ok(vec![word.to_owned()])).map_err(failed)?;
    trainer.train(&mut model).map_err(failed)?;
    let pieces: BTreeSet<String> = model.get_vocab().into_keys().collect();
    let lines = SPECIAL_TOKENS.iter().map(ToString::to_string).chain(pieces).collect::<Vec<_>>().join("\n");
    let json = vocab::tokenizer_json("the trained vocabulary", lines.as_bytes(), CaseRule::Lower)?;
    Ok(format!("{json:#}\n").into_bytes())
}

/// The `tokenizer.json` of a byte-level BPE tokenizer in the manner of GPT-2, trained on `texts`: all 256 bytes, merges
/// of what occurs at least twice until there are `vocab_size` tokens, and `<|endoftext|>` as the last one.
///
/// # Errors
/// If the package refuses a text.
pub fn train_byte_level(texts: &[&str], vocab_size: usize) -> Result<Vec<u8>, TokenizerError> {
    let failed = |error: tokenizers::Error| refused(texts.first().unwrap_or(&""), &error);
    let words = texts.iter().map(|text| byte_words(text)).collect::<tokenizers::Result<Vec<_>>>();
    let words = words.map_err(failed)?.concat();
    let alphabet: BTreeSet<char> = ByteLevel::alphabet().into_iter().collect();
    // As special tokens the bytes get their ids in this order, and not in that of a hash map.
    let bytes = alphabet.iter().map(|byte| AddedToken::from(byte.to_string(), true)).collect();
    let mut trainer = BpeTrainerBuilder::new()
        .vocab_size(vocab_size.saturating_sub(1))
        .min_frequency(2)
        .show_progress(false)
        .special_tokens(bytes)
        .build();
    let mut model = BPE::default();
    trainer.feed(words.iter(), |word| Ok(vec![word.to_owned()])).map_err(failed)?;
    trainer.train(&mut model).map_err(failed)?;
    let by_id: BTreeMap<u32, String> = model.get_vocab().into_iter().map(|(token, id)| (id, token)).collect();
    let n_tokens = by_id.len();
    let tokens = by_id.into_values().chain([bpe::END_OF_TEXT.to_owned()]);
    let ids: Map<String, Value> = tokens.zip(0..=n_tokens).map(|(token, id)| (token, id.into())).collect();
    let stored = serde_json::to_value(&model).unwrap_or_default();
    let merges = stored["merges"].as_array().cloned().unwrap_or_default();
    let json = bpe::from_parts(ids, merges, &[bpe::END_OF_TEXT], false);
    Ok(format!("{json:#}\n").into_bytes())
}

/// The words of a text as GPT-2's tokenizer splits it, each byte written as one character.
fn byte_words(text: &str) -> tokenizers::Result<Vec<String>> {
    let mut split = PreTokenizedString::from(text);
    ByteLevel::new(false, true, true).pre_tokenize(&mut split)?;
    let words = split.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
    Ok(words.into_iter().map(|(word, _, _)| word.to_owned()).collect())
}

/// The words of a text as BERT's tokenizer splits it, in small letters.
fn words(text: &str) -> tokenizers::Result<Vec<String>> {
    let mut normalized = NormalizedString::from(text);
    BertNormalizer::new(true, true, None, true).normalize(&mut normalized)?;
    let mut split = PreTokenizedString::from(normalized);
    BertPreTokenizer.pre_tokenize(&mut split)?;
    let words = split.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
    Ok(words.into_iter().map(|(word, _, _)| word.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::super::Tokenizer;
    use super::*;

    #[test]
    fn byte_level_tokenizers_lose_nothing() {
        let texts = ["The bread was fresh. The bread was stale.", "Bread, salt and a zebra: freshly baked!"];
        let json = train_byte_level(&texts, 300).unwrap();
        assert_eq!(json, train_byte_level(&texts, 300).unwrap(), "the same texts give the same vocabulary");
        let tokenizer = Tokenizer::from_bytes("tokenizer.json", &json).unwrap();
        for text in ["The bread was stale", " naïve\n\t🦓  zebra's", ""] {
            assert_eq!(tokenizer.decode(&tokenizer.encode_plain(text).unwrap()).unwrap(), text);
        }
        assert_eq!(tokenizer.tokens(&tokenizer.encode_plain(" bread was").unwrap()), ["Ġbread", "Ġwas"]);
        let end = tokenizer.end_of_text().unwrap();
        assert_eq!((end as usize + 1, tokenizer.n_special(false)), (tokenizer.vocab_size(), 0));
        assert_eq!(tokenizer.decode(&[end]).unwrap(), "");
    }

    #[test]
    fn frequent_words_are_whole_and_rare_ones_pieces() {
        let texts = ["The bread was fresh. The bread was stale.", "Bread, salt and a zebra: freshly baked!"];
        let json = train_word_pieces(&texts, 120).unwrap();
        assert_eq!(json, train_word_pieces(&texts, 120).unwrap(), "the same texts give the same vocabulary");
        let tokenizer = Tokenizer::from_bytes("tokenizer.json", &json).unwrap();
        let tokens = |text| tokenizer.tokens(&tokenizer.encode_plain(text).unwrap());
        assert_eq!(tokens("The BREAD was fresh"), ["the", "bread", "was", "fresh"]);
        assert!(tokens("zebra").len() > 1 && !tokens("zebra").contains(&"[UNK]".to_owned()));
        assert!(tokenizer.vocab_size() <= 120);
        let special: Vec<_> = (0..5).map(|id| tokenizer.id_to_token(id).unwrap()).collect();
        assert_eq!(special, SPECIAL_TOKENS);
    }
}
