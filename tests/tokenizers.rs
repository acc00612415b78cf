//! Proves that token ids equal those of the tokenizers package from Python, odd Unicode included, in full and cut.
//! Needs no GPU. Golden file: `tests/golden/tokenizer_ids.json`.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use dsee_core::tokenizer::Tokenizer;
use dsee_tests::golden;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    max_length: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    pair: Option<String>,
    ids: Vec<u32>,
    type_ids: Vec<u32>,
    ids_16: Vec<u32>,
    type_ids_16: Vec<u32>,
}

fn read() -> (Tokenizer, Golden) {
    let tokenizer = std::fs::read(golden("tiny_bert/tokenizer.json")).unwrap();
    let cases = std::fs::read(golden("tokenizer_ids.json")).unwrap();
    (Tokenizer::from_bytes("tokenizer.json", &tokenizer).unwrap(), serde_json::from_slice(&cases).unwrap())
}

#[test]
fn whole_texts_and_pairs() {
    let (tokenizer, golden) = read();
    assert!(golden.cases.len() > 50 && golden.cases.iter().any(|case| case.pair.is_some()));
    for case in &golden.cases {
        let what = format!("{:?} with {:?}", case.text, case.pair);
        let found = tokenizer.encode(&case.text, case.pair.as_deref(), 1 << 20).unwrap();
        assert_eq!(found.input_ids, case.ids, "{what}");
        assert_eq!(found.token_type_ids, case.type_ids, "segments of {what}");
        assert!(!found.truncated && found.length_before == case.ids.len(), "{what}");
    }
}

#[test]
fn texts_and_pairs_cut_to_length() {
    let (tokenizer, golden) = read();
    assert!(golden.cases.iter().any(|case| case.ids.len() > golden.max_length && case.pair.is_some()));
    for case in &golden.cases {
        let what = format!("{:?} with {:?}", case.text, case.pair);
        let found = tokenizer.encode(&case.text, case.pair.as_deref(), golden.max_length).unwrap();
        assert_eq!(found.input_ids, case.ids_16, "{what}");
        assert_eq!(found.token_type_ids, case.type_ids_16, "segments of {what}");
        assert_eq!(found.truncated, case.ids.len() > golden.max_length, "{what}");
        assert_eq!(found.length_before, case.ids.len(), "{what}");
    }
}
