//! Proves that the figures of generated text equal those of the programs they follow, undefined cases included, and that
//! no text stops them. Needs no GPU. Golden file: `tests/golden/nlg.json`, which `make_golden_nlg.py` made by running
//! those programs (e2e-metrics, the COCO caption evaluation, METEOR 1.5, sacrebleu, pyter, Moses) on sentences of ours.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

use dsee_core::metrics::nlg::{Corpus, MeteorTables, NlgMetric, Undefined};
use dsee_tests::golden;
use proptest::prelude::*;
use serde::Deserialize;

/// Both sides compute in f64.
const ALLOWED: f64 = 1e-9;
/// Moses prints two decimals of a percentage.
const ALLOWED_MOSES: f64 = 0.005_001;

#[derive(Deserialize)]
struct Golden {
    sets: Vec<Set>,
}

#[derive(Deserialize)]
struct Set {
    name: String,
    hypotheses: Vec<String>,
    references: Vec<Vec<String>>,
    expected: BTreeMap<String, Option<f64>>,
}

fn score(metric: &NlgMetric, corpus: &Corpus) -> Result<f64, Undefined> {
    metric.score(corpus, &MeteorTables::default())
}

#[test]
fn figures_are_those_of_the_programs() {
    let bytes = std::fs::read(golden("nlg.json")).unwrap();
    let golden: Golden = serde_json::from_slice(&bytes).unwrap();
    assert!(golden.sets.len() > 5);
    for set in golden.sets {
        let corpus = Corpus::new(set.hypotheses, set.references).unwrap();
        for metric in NlgMetric::ALL.iter().filter(|metric| metric.name != "meteor") {
            let expected = set.expected[metric.name];
            let allowed = if metric.name == "bleu-moses" { ALLOWED_MOSES } else { ALLOWED };
            let found = score(metric, &corpus);
            let equal = match (&found, expected) {
                (Ok(found), Some(expected)) => (found - expected).abs() < allowed,
                (found, expected) => found.is_err() && expected.is_none(),
            };
            assert!(equal, "{}: {} is {found:?}, expected {expected:?}", set.name, metric.name);
        }
    }
}

#[test]
fn undefined_figures_say_why() {
    let corpus =
        |hypothesis: &str| Corpus::new(vec![hypothesis.to_owned()], vec![vec!["a b".to_owned()]]).unwrap();
    let named = |name: &str, corpus: &Corpus| score(NlgMetric::from_name(name).unwrap(), corpus);
    assert_eq!(named("nist", &corpus("a b c")), Err(Undefined::NoNgrams { n: 4 }));
    assert_eq!(named("bleu-moses", &corpus("")), Err(Undefined::NoWords));
    assert_eq!(named("meteor", &corpus("a")), Err(Undefined::NoTables));
    assert_eq!(named("meteor-exact-stem", &corpus("")), Ok(0.0));
}

#[test]
fn meteor_with_tables_counts_synonyms_and_paraphrases() {
    let corpus = Corpus::new(
        vec!["the cheap tavern that many visitors like".to_owned()],
        vec![vec!["an inexpensive pub that a lot of guests like".to_owned()]],
    );
    let corpus = corpus.unwrap();
    let meteor = NlgMetric::from_name("meteor").unwrap();
    let mut tables = MeteorTables::default();
    tables
        .read_synsets(&b"cheap\n1\ninexpensive\n1 2\npub\n3\ntavern\n3\nguest\n4\nvisitor\n4\n"[..])
        .unwrap();
    tables.read_exceptions(&b"be\nis was\n"[..]).unwrap();
    let paraphrases = &b"0.4\na lot of\nmany\n0.1\nrarely seen\nodd\n"[..];
    tables.read_paraphrases(paraphrases, &corpus.meteor_vocabulary()).unwrap();
    // By hand from the formula. Content words weigh 0.75, the function words the, an, that, a, of 0.25.
    // Matches: cheap and tavern and visitors by synonyms (0.8), that and like exactly (1), many by paraphrase (0.6).
    let hypothesis = 0.8 * 0.75 * 3.0 + 0.25 + 0.75 + 0.6 * 0.75;
    let reference = 0.8 * 0.75 * 3.0 + 0.25 + 0.75 + 0.6 * (0.25 + 0.75 + 0.25);
    let (precision, recall) = (hypothesis / (5.0 * 0.75 + 2.0 * 0.25), reference / (5.0 * 0.75 + 4.0 * 0.25));
    let mean = 1.0 / (0.15 / precision + 0.85 / recall);
    // One chunk, of 6 words on one side and 8 on the other.
    let expected = mean * (1.0 - 0.6 * (1.0f64 / 7.0).powf(0.2));
    let found = meteor.score(&corpus, &tables).unwrap();
    assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
}

/// Pieces of text that the tokenizers have rules for, and any characters at all.
fn text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a", "the", "can't", "U.S.", "B.", "The", "'", "’s", "n't", "-", "--", "...", ".", ",", "3", "1.5",
        "£", "&amp;", "&", "/", "@", "#", "_", "(", "’", "é", "İ", "ß", "日", "\u{301}", "\u{e000}", "y",
        "ing", "eed", "s", " ", " ", " ", "\u{a0}", "\u{1c}", "\n", "DOTMULTI",
    ]);
    let made = prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat());
    prop_oneof![made, "\\PC{0,40}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_stops_a_metric(pairs in prop::collection::vec((text(), prop::collection::vec(text(), 1..3)), 1..4)) {
        let (hypotheses, references): (Vec<_>, Vec<Vec<_>>) = pairs.into_iter().unzip();
        // Blank references are refused, which is tested elsewhere.
        if let Ok(corpus) = Corpus::new(hypotheses, references) {
            for metric in NlgMetric::ALL {
                if let Ok(value) = score(metric, &corpus) {
                    prop_assert!(value.is_finite() && value >= 0.0, "{} is {value}", metric.name);
                }
            }
        }
    }

    #[test]
    fn a_text_equals_itself(texts in prop::collection::vec("[a-z]{3,8}( [a-z]{3,8}){4,9}", 2..5)) {
        let corpus = Corpus::new(texts.clone(), texts.into_iter().map(|text| vec![text]).collect()).unwrap();
        for (name, best) in [
            ("bleu", 1.0), ("bleu-moses", 100.0), ("sacrebleu", 100.0), ("meteor-exact-stem", 1.0), ("ter", 0.0),
            ("ter-tercom", 0.0), ("rouge-l", 1.0), ("chrf", 100.0), ("chrf++", 100.0),
        ] {
            let found = score(NlgMetric::from_name(name).unwrap(), &corpus).unwrap();
            prop_assert!((found - best).abs() < 1e-9, "{name} is {found}");
        }
    }
}
