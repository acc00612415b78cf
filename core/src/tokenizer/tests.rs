//! Small vocabularies by hand: ids, segments, cuts and odd characters.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::*;

const VOCAB: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\nsat\n##s\ncafe\n,\nThe\ncafé\n中\n";

fn tokenizer(case: CaseRule) -> Tokenizer {
    Tokenizer::from_vocab("vocab.txt", VOCAB.as_bytes(), case).unwrap()
}

fn ids(text: &str, pair: Option<&str>, max_length: usize) -> Vec<u32> {
    tokenizer(CaseRule::Lower).encode(text, pair, max_length).unwrap().input_ids
}

#[test]
fn wordpiece_by_hand() {
    assert_eq!(ids("The cats, sat", None, 16), [2, 5, 6, 8, 10, 7, 3]);
    assert_eq!(ids("", None, 16), [2, 3]);
    assert_eq!(ids("the dog", None, 16), [2, 5, 1, 3]);
    // Accents go, control characters vanish, CJK characters stand alone, a literal special token is one.
    assert_eq!(ids("CAFÉ\u{0}", None, 16), [2, 9, 3]);
    assert_eq!(ids("cafe\u{301} 中中", None, 16), [2, 9, 13, 13, 3]);
    assert_eq!(ids("the\u{a0}[MASK]\tsat", None, 16), [2, 5, 4, 7, 3]);
    assert_eq!(ids(&"x".repeat(101), None, 16), [2, 1, 3]);
}

#[test]
fn cased_models_keep_capitals_and_accents() {
    let cased = tokenizer(CaseRule::Keep);
    assert_eq!(cased.encode("The the café", None, 16).unwrap().input_ids, [2, 11, 5, 12, 3]);
    assert_eq!(CaseRule::from_tokenizer_config(Some(b"{\"do_lower_case\": false}")), CaseRule::Keep);
    assert_eq!(CaseRule::from_tokenizer_config(Some(b"{}")), CaseRule::Lower);
    assert_eq!(CaseRule::from_tokenizer_config(None), CaseRule::Lower);
}

#[test]
fn pairs_have_segments() {
    let encoding = tokenizer(CaseRule::Lower).encode("the cat", Some("sat"), 16).unwrap();
    assert_eq!(encoding.input_ids, [2, 5, 6, 3, 7, 3]);
    assert_eq!(encoding.token_type_ids, [0, 0, 0, 0, 1, 1]);
    assert_eq!((encoding.truncated, encoding.length_before), (false, 6));
}

#[test]
fn the_longer_text_is_cut_first() {
    let text = "the cat sat the cat sat";
    let encoding = tokenizer(CaseRule::Lower).encode(text, None, 5).unwrap();
    assert_eq!(encoding.input_ids, [2, 5, 6, 7, 3]);
    assert_eq!((encoding.truncated, encoding.length_before), (true, 8));
    // Six and one tokens into five: the short text stays whole.
    assert_eq!(ids(text, Some("sat"), 8), [2, 5, 6, 7, 5, 3, 7, 3]);
    assert_eq!(ids("sat", Some(text), 8), [2, 7, 3, 5, 6, 7, 5, 3]);
    // Six and six into five: two and three, the second of equal texts keeps the odd one.
    let both = tokenizer(CaseRule::Lower).encode(text, Some(text), 8).unwrap();
    assert_eq!(both.input_ids, [2, 5, 6, 3, 5, 6, 7, 3]);
    assert_eq!(both.token_type_ids, [0, 0, 0, 0, 1, 1, 1, 1]);
    assert!(!tokenizer(CaseRule::Lower).encode(text, None, 8).unwrap().truncated);
}

#[test]
fn no_room_for_text_is_an_error() {
    let error = tokenizer(CaseRule::Lower).encode("the", None, 2).unwrap_err();
    assert_eq!(error, TokenizerError::MaxLengthTooSmall { max_length: 2, n_special: 2 });
    let error = tokenizer(CaseRule::Lower).encode("the", Some("cat"), 3).unwrap_err();
    assert_eq!(error, TokenizerError::MaxLengthTooSmall { max_length: 3, n_special: 3 });
}

#[test]
fn stored_padding_and_truncation_are_dropped_and_segments_set() {
    let mut json = vocab::tokenizer_json("vocab.txt", VOCAB.as_bytes(), CaseRule::Lower).unwrap();
    json["padding"] = serde_json::json!({"strategy": {"Fixed": 9}, "direction": "Right",
        "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"});
    json["truncation"] = serde_json::json!({"direction": "Left", "max_length": 3,
        "strategy": "LongestFirst", "stride": 0});
    // The older post-processor does not set segments itself.
    json["post_processor"] =
        serde_json::json!({"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]});
    let tokenizer = Tokenizer::from_bytes("tokenizer.json", json.to_string().as_bytes()).unwrap();
    let encoding = tokenizer.encode("the cat sat", Some("cat"), 16).unwrap();
    assert_eq!(encoding.input_ids, [2, 5, 6, 7, 3, 6, 3]);
    assert_eq!(encoding.token_type_ids, [0, 0, 0, 0, 0, 1, 1]);
    // The stored side of truncation is transformers' default side.
    assert_eq!(tokenizer.encode("the cat sat", None, 4).unwrap().input_ids, [2, 6, 7, 3]);
}

#[test]
fn vocabulary_and_special_tokens() {
    let tokenizer = tokenizer(CaseRule::Lower);
    assert_eq!((tokenizer.vocab_size(), tokenizer.n_special(false), tokenizer.n_special(true)), (14, 2, 3));
    assert_eq!(tokenizer.kind(), TokenizerKind::WordPiece);
    assert_eq!(tokenizer.tokens(&[2, 8, 99]), ["[CLS]", "##s", "<99>"]);
    assert_eq!(tokenizer.token_to_id("sat"), Some(7));
    let special = tokenizer.special_tokens();
    assert_eq!((special.cls, special.sep, special.mask), (Some(2), Some(3), Some(4)));
    assert_eq!(special.all, BTreeSet::from([0, 1, 2, 3, 4]));
    assert_eq!(tokenizer.encode_plain("the cats").unwrap(), [5, 6, 8]);
}

#[test]
fn bad_files_are_named() {
    let error = Tokenizer::from_bytes("tokenizer.json", b"{\"version\":").unwrap_err();
    assert!(
        error.to_string().contains("tokenizer.json") && matches!(error, TokenizerError::Unreadable { .. })
    );
    let error = Tokenizer::from_vocab("vocab.txt", b"[PAD]\n[UNK]\nthe", CaseRule::Lower).unwrap_err();
    assert!(error.to_string().contains("lacks [CLS], [SEP], [MASK]"), "{error}");
    let error = Tokenizer::from_vocab("vocab.txt", b"[PAD]\n\xff", CaseRule::Lower).unwrap_err();
    assert!(error.to_string().contains("after byte 6"), "{error}");
}

/// A small byte-level vocabulary: letters, their merges, and the special tokens `extra`, which come first.
fn bpe_files(extra: &[&str]) -> (String, String) {
    let pieces = ["h", "e", "l", "o", "Ġ", "!", "Ã", "©", "he", "ll", "hell", "hello", "Ġhello", "Ã©"];
    let ids: Vec<String> =
        extra.iter().chain(&pieces).enumerate().map(|(id, piece)| format!("{piece:?}:{id}")).collect();
    let merges = "#version: 0.2\nh e\nl l\nhe ll\nhell o\nĠ hello\nÃ ©\n";
    (format!("{{{}}}", ids.join(",")), merges.to_owned())
}

fn bpe(extra: &[&str], settings: Option<&[u8]>) -> Result<Tokenizer, TokenizerError> {
    let (vocab, merges) = bpe_files(extra);
    Tokenizer::from_bpe(("vocab.json", vocab.as_bytes()), ("merges.txt", merges.as_bytes()), settings)
}

const ROBERTA: [&str; 5] = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"];

#[test]
fn gpt2_has_no_frame_and_splits_by_bytes() {
    let tokenizer = bpe(&["<|endoftext|>"], None).unwrap();
    let tokens = |text| tokenizer.tokens(&tokenizer.encode(text, None, 16).unwrap().input_ids);
    assert_eq!(tokens("hello hello!"), ["hello", "Ġhello", "!"]);
    assert_eq!(tokens("  helloé"), ["Ġ", "Ġhello", "Ã©"]);
    assert_eq!(tokens("hello<|endoftext|> he"), ["hello", "<|endoftext|>", "Ġ", "he"]);
    assert_eq!((tokenizer.end_of_text(), tokenizer.n_special(true)), (Some(0), 0));
    assert_eq!(tokenizer.kind(), TokenizerKind::Bytes);
    let ids = tokenizer.encode_plain(" hello é").unwrap();
    assert_eq!(tokenizer.decode(&ids).unwrap(), " hello é");
    assert_eq!(tokenizer.decode(&ids[..ids.len() - 1]).unwrap(), " hello ");
}

#[test]
fn roberta_frames_texts_and_pairs_and_knows_no_segments() {
    let tokenizer = bpe(&ROBERTA, None).unwrap();
    assert_eq!(tokenizer.kind(), TokenizerKind::FramedBytes);
    let (a, b, space) = (16, 17, 9);
    assert_eq!(tokenizer.encode("hello", None, 16).unwrap().input_ids, [0, a, 2]);
    let pair = tokenizer.encode("hello hello", Some("hello"), 16).unwrap();
    assert_eq!(pair.input_ids, [0, a, b, 2, 2, a, 2]);
    assert_eq!((pair.token_type_ids, pair.length_before), (vec![0; 7], 7));
    assert_eq!(tokenizer.encode("hello hello", Some("hello"), 6).unwrap().input_ids, [0, a, 2, 2, a, 2]);
    // The mask takes the space before it along.
    assert_eq!(tokenizer.encode_plain("hello <mask> hello").unwrap(), [a, 4, b]);
    let special = tokenizer.special_tokens();
    assert_eq!((special.cls, special.sep, special.mask), (Some(0), Some(2), Some(4)));
    let prefixed = bpe(&ROBERTA, Some(b"{\"add_prefix_space\": true}")).unwrap();
    assert_eq!(prefixed.encode("hello", None, 16).unwrap().input_ids, [0, b, 2]);
    assert_eq!(prefixed.encode("!", None, 16).unwrap().input_ids, [0, space, 10, 2]);
}

#[test]
fn bad_byte_level_files_are_named() {
    let error = bpe(&["<s>"], None).unwrap_err();
    assert!(error.to_string().contains("lacks </s>, <pad>, <unk>, <mask>, <|endoftext|>"), "{error}");
    let (vocab, _) = bpe_files(&["<|endoftext|>"]);
    let with = |vocab: &str, merges: &str| {
        let read =
            Tokenizer::from_bpe(("vocab.json", vocab.as_bytes()), ("merges.txt", merges.as_bytes()), None);
        read.unwrap_err().to_string()
    };
    let message = with(&vocab, "h e\nx y\nh\nh e l\n");
    for part in ["line 2: \"x\" is not in the vocabulary", "line 3: \"h\" is no pair", "line 4", "merges.txt"]
    {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(with("[1]", "").contains("no JSON object"));
    assert!(
        with("{\"a\":0,\"b\":0,\"c\":-1}", "")
            .contains("\"b\" shares the id 0; the token \"c\" has the id -1")
    );
}
