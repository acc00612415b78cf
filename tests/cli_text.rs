//! A decoder on the command line: it learns texts for contexts, is evaluated, and writes. The model is tiny and random, its
//! tokenizer is made here. Needs an adapter.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod cli_support;

use cli_support::{decoder::tiny_decoder, dsee, fails, json, put, tiny_bert};
use predicates::{prelude::PredicateBooleanExt as _, str::contains};
use serde_json::Value;
use std::{fs, path::Path};

#[test]
fn a_decoder_learns_is_judged_and_writes() {
    let place = tempfile::tempdir().unwrap();
    tiny_decoder(place.path());
    let at = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let (model, data, run) = (at("model"), at("train.txt"), at("run"));
    let flags = ["--task-type", "generation", "--method", "full", "--prune", "none", "--max-steps", "40"];
    let paths =
        ["train", "--model", &model, "--train-file", &data, "--learning-rate", "5e-3", "--output-dir", &run];
    dsee(&[&paths[..], &flags].concat()).assert().success().stderr(contains("perplexity"));
    dsee(&["eval", "--run", &run, "--no-generate"])
        .assert()
        .success()
        .stdout(contains("perplexity").and(contains("bleu").not()));
    let context = "name : Anna | type : pub";
    let written = dsee(&["generate", "--run", &run, "--max-new-tokens", "12", context]).assert().success();
    assert!(String::from_utf8_lossy(&written.get_output().stdout).contains("pub"));
    let beams = ["generate", "--run", &run, "--max-new-tokens", "12", "--num-beams", "3", "--json", context];
    dsee(&beams).assert().success().stdout(contains("\"context\":\"name : Anna | type : pub\""));
    dsee(&["predict", "--run", &run, "text"]).assert().failure().stderr(contains("dsee generate"));
}

/// Plain text is gone on with, over a blank line: a run of it does not begin a new text behind a separator.
#[test]
fn plain_text_goes_on() {
    let place = tempfile::tempdir().unwrap();
    tiny_decoder(place.path());
    let at = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let (model, data, run) = (at("model"), at("plain.jsonl"), at("run"));
    let line = "{\"text\": \"Anna is a pub .\\n\\nBert is a pub .\"}\n";
    put(&place.path().join("plain.jsonl"), line.repeat(16).as_bytes());
    let paths = ["train", "--model", &model, "--train-file", &data, "--output-dir", &run, "--learning-rate"];
    let flags = ["5e-3", "--task-type", "language-modeling", "--method", "full", "--max-steps", "60"];
    dsee(&[&paths[..], &flags].concat()).assert().success();
    let written = json(dsee(&["generate", "--run", &run, "--max-new-tokens", "30", "--json", "Anna is a"]));
    assert_eq!(written["text"], " pub .\n\nBert is a pub .", "{written}");
    assert_eq!(written["complete"], true);

    // A decoder as it came goes on, too, unless a task is named: as in transformers, with no mark but the user's own.
    let one = |beginning: &str, more: &[&str]| {
        // Untrained, it says one token all along where it may.
        let once = ["--no-repeat-ngram-size", "1"];
        let fixed = ["generate", "--model", &model, "--max-new-tokens", "8", "--json", beginning];
        let fixed = [&fixed[..], &once].concat();
        json(dsee(&[&fixed[..], more].concat()))["text"].clone()
    };
    let learned = one("Anna is a", &["--task-type", "language-modeling"]);
    assert_eq!(one("<|endoftext|>Anna is a", &[]), learned);
    assert_ne!(one("Anna is a", &[]), learned);
    // Where its settings end texts with another token than the tokenizer, that is said.
    let told = dsee(&["generate", "--model", &model, "--max-new-tokens", "2", "Anna"]).assert().success();
    told.stderr(
        contains("ends texts with token 0 (eos_token_id), the tokenizer with").and(contains("endoftext")),
    );
    assert_ne!(one("Anna is a", &[]), one("Anna is a", &["--task-type", "generation"]));
    let classes = ["generate", "--model", &model, "--task", "sst2", "a"];
    fails(dsee(&classes), 2, &["--task-type = classification", "use generation or language-modeling"]);
}

/// A file of contexts needs no texts, and flags of training say nothing.
#[test]
fn contexts_stand_alone_where_they_are_written_for() {
    let place = tempfile::tempdir().unwrap();
    tiny_decoder(place.path());
    let at = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    put(&place.path().join("mr.csv"), b"mr\n\"name[Anna], food[Thai]\"\n");
    put(&place.path().join("prompts.jsonl"), b"{\"prompt\": \"name : Anna | food : Thai\"}\n");
    let (model, contexts) = (at("model"), [at("mr.csv"), at("prompts.jsonl"), at("train.txt")]);
    let fixed =
        ["generate", "--model", &model, "--task-type", "generation", "--max-new-tokens", "3", "--json"];
    let texts = contexts.each_ref().map(|input| {
        let output = dsee(&[&fixed[..], &["--input", input]].concat()).assert().success();
        String::from_utf8(output.get_output().stdout.clone()).unwrap()
    });
    assert_eq!(texts[0], texts[1]);
    assert_eq!((texts[0].lines().count(), texts[2].lines().count()), (1, 6), "every context once");
    assert!(!texts[2].contains("||"), "texts beside contexts are not read: {}", texts[2]);
    let trains = [&fixed[..], &["a", "--method", "prefix", "--max-eval-samples", "3"]].concat();
    fails(dsee(&trains), 2, &["--method = prefix", "--max-eval-samples = 3", "does nothing"]);
}

/// Contexts draw from streams of their own, and the same seed draws the same.
#[test]
fn the_same_context_twice_is_drawn_for_twice() {
    let place = tempfile::tempdir().unwrap();
    tiny_decoder(place.path());
    let model = place.path().join("model").to_str().unwrap().to_owned();
    let drawn = || {
        let flags = ["generate", "--model", &model, "--do-sample", "--max-new-tokens", "12", "Anna", "Anna"];
        String::from_utf8(dsee(&flags).assert().success().get_output().stdout.clone()).unwrap()
    };
    let first = drawn();
    let texts: Vec<&str> = first.lines().collect();
    assert_ne!(texts[0], texts[1]);
    assert_eq!(first, drawn());
}

#[test]
fn what_cannot_be_written_is_said() {
    let place = tempfile::tempdir().unwrap();
    tiny_decoder(place.path());
    let model = place.path().join("model").to_str().unwrap().to_owned();
    let long = ["generate", "--model", &model, "--max-new-tokens", "124", "name : Anna | type : pub"];
    dsee(&long).assert().failure().stderr(contains("128 positions"));
    dsee(&["generate", "--model", &model, "--num-beams", "0", "a"])
        .assert()
        .failure()
        .stderr(contains("--num-beams"));
    let drawn = ["generate", "--model", &model, "--top-p", "0.5", "--num-beams", "2", "a"];
    fails(dsee(&drawn), 2, &["--top-p = 0.5", "nothing is drawn", "do_sample = true"]);
    let least = ["--min-new-tokens", "6", "--max-new-tokens", "6", "--num-beams", "2", "--early-stopping"];
    let written = json(dsee(&[&["generate", "--model", &model, "--json", "a"][..], &least].concat()));
    assert_eq!(written["complete"], false, "six tokens are the least and the most: {written}");
    dsee(&["generate", "a"]).assert().failure().stderr(contains("bert"));
    dsee(&["generate", "--model", &model]).assert().failure();
}

/// A short run of the task E2E, and its folder.
fn e2e_run(place: &Path, more: &[&str]) -> String {
    let at = |name: &str| place.join(name).to_str().unwrap().to_owned();
    let (model, data, run) = (at("model"), at("train.txt"), at("run"));
    let paths = ["train", "--task", "e2e", "--model", &model, "--train-file", &data, "--output-dir", &run];
    let flags =
        ["--validation-file", &data, "--max-length", "64", "--max-steps", "30", "--warmup-steps", "2"];
    let decoding =
        ["--max-new-tokens", "12", "--num-beams", "3", "--prune", "none", "--learning-rate", "5e-3"];
    dsee(&[&paths[..], &flags, &decoding, more].concat()).assert().success();
    run
}

#[test]
fn an_evaluation_writes_texts_and_scores_them() {
    let place = tempfile::tempdir().unwrap();
    tiny_decoder(place.path());
    let run = e2e_run(place.path(), &["--method", "full"]);
    let first = json(dsee(&["eval", "--run", &run, "--json"]));
    assert_eq!((&first["n_examples"], &first["n_contexts"]), (&12.into(), &6.into()));
    assert!(first["metrics"]["perplexity"].is_number() && first["about"]["nist"]["form"].is_string());
    let mine = place.path().join("mine");
    put(&mine.join("hypotheses.txt"), b"precious");
    let foreign = ["eval", "--run", &run, "--texts-dir", mine.to_str().unwrap()];
    fails(dsee(&foreign), 1, &["holds something else", "--texts-dir"]);
    let texts = Path::new(&run).join("texts");
    let lines = |name: &str| fs::read_to_string(texts.join(name)).unwrap();
    assert_eq!(lines("hypotheses.txt").lines().count(), 6);
    assert_eq!(lines("references.txt").split("\n\n").count(), 6, "grouped by meaning");
    assert_eq!(lines("written.jsonl").lines().count(), 7);

    // The files come to the same figures with any program, ours for example.
    let [hypotheses, references] = ["hypotheses.txt", "references.txt"].map(|name| texts.join(name));
    let (hypotheses, references) = (hypotheses.to_str().unwrap(), references.to_str().unwrap());
    let names = "bleu,nist,meteor-exact-stem,rouge-l,cider";
    let files =
        ["score", "--hypotheses", hypotheses, "--references", references, "--metric", names, "--json"];
    let scored = json(dsee(&files));
    for name in names.split(',') {
        assert_eq!(scored["metrics"][name], first["metrics"][name], "{name}");
    }

    let report = fs::read_to_string(Path::new(&run).join("report.md")).unwrap();
    assert!(report.contains("## Written texts") && report.contains("NIST-5"), "{report}");
    an_evaluation_goes_on(&run, &texts, &first);
    let none = ["eval", "--run", &run, "--num-beams", "0"];
    fails(dsee(&none), 2, &["--num-beams = 0", "1 is greedy search"]);
    let both = ["eval", "--run", &run, "--no-generate", "--top-k", "3"];
    fails(dsee(&both), 2, &["--top-k = 3", "--no-generate asks for no text"]);
    fails(
        dsee(&["eval", "--run", &run, "--max-new-tokens", "126"]),
        1,
        &["128 positions", "--max-new-tokens"],
    );
}

#[test]
fn contexts_without_room_are_found_before_training() {
    let place = tempfile::tempdir().unwrap();
    tiny_decoder(place.path());
    let at = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let (model, data, mixed) = (at("model"), at("train.txt"), at("mixed.txt"));
    let (run, other) = (at("run"), at("study"));
    let fixed =
        ["train", "--task", "e2e", "--model", &model, "--validation-file", &data, "--output-dir", &run];
    let short = ["--max-length", "64", "--max-steps", "2", "--warmup-steps", "1", "--prune", "none"];
    let train = [&fixed[..], &short, &["--method", "full", "--train-file"]].concat();
    let generate = ["--predict-with-generate", "--max-new-tokens", "126"];
    let parts = ["6 of 6 contexts are too long", "\"name : ", "128 positions", "--max-new-tokens"];
    fails(dsee(&[&train[..], &[&data], &generate].concat()), 1, &parts);
    let study =
        ["compare", "--task", "e2e", "--model", &model, "--validation-file", &data, "--train-file", &data];
    let study =
        [&study[..], &["--methods", "full", "--max-new-tokens", "126", "--output-dir", &other]].concat();
    fails(dsee(&study), 1, &parts);
    assert!(!Path::new(&run).join("report.md").exists());

    // What max_length takes from the training data is said at the start, and in the report.
    let long = format!("name : {}||long .\nname : A||{}\n", "A ".repeat(99), "A is a pub . ".repeat(30));
    put(&place.path().join("mixed.txt"), (fs::read_to_string(&data).unwrap() + &long).as_bytes());
    let losses = ["1 training texts are left out", "1 of 13 training texts lost their end"];
    let told = dsee(&[&train[..], &[&mixed]].concat()).assert().success();
    let (told, report) =
        (told.get_output().stderr.clone(), fs::read_to_string(Path::new(&run).join("report.md")).unwrap());
    for loss in losses {
        assert!(String::from_utf8_lossy(&told).contains(loss) && report.contains(loss), "{loss}: {report}");
    }
}

/// What was written is not written again, unless the settings are others.
fn an_evaluation_goes_on(run: &str, texts: &Path, first: &Value) {
    let written = texts.join("written.jsonl");
    let whole = fs::read_to_string(&written).unwrap();
    let part: String = whole.lines().take(4).map(|line| format!("{line}\n")).collect();
    put(&written, part.as_bytes());
    let again =
        dsee(&["eval", "--run", run, "--json"]).assert().success().stderr(contains("3 of 6 are there"));
    let again: Value = serde_json::from_slice(&again.get_output().stdout).unwrap();
    assert_eq!(&again, first);
    assert_eq!(fs::read_to_string(&written).unwrap(), whole);
    // Other settings write elsewhere.
    let greedy = ["eval", "--run", run, "--num-beams", "1"];
    dsee(&greedy).assert().success().stdout(contains("bleu").and(contains("e2e-metrics")));
    assert!(texts.with_file_name("texts-num_beams=1").join("figures.json").is_file());
    assert_eq!(fs::read_to_string(&written).unwrap(), whole);
}

#[test]
fn a_prefix_writes_and_is_judged() {
    let place = tempfile::tempdir().unwrap();
    tiny_decoder(place.path());
    let long = ["--method", "prefix", "--prefix-length", "200"];
    let at = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let (model, data) = (at("model"), at("train.txt"));
    let train = ["train", "--task", "e2e", "--model", &model, "--train-file", &data, "--max-length", "64"];
    fails(dsee(&[&train[..], &long].concat()), 2, &["--prefix-length = 200", "128 positions", "64 or less"]);

    let prefix = ["--method", "prefix", "--prefix-length", "40", "--predict-with-generate"];
    let run = e2e_run(place.path(), &prefix);
    assert!(Path::new(&run).join("texts/figures.json").is_file(), "trained and written for at once");
    let context = "name : Anna | type : pub";
    let write = |most: &str| dsee(&["generate", "--run", &run, "--max-new-tokens", most, context]);
    write("12").assert().success();
    fails(write("86"), 1, &["the model has 88 positions beside its prefix of 40"]);
    let judged = json(dsee(&["eval", "--run", &run, "--json"]));
    assert!(judged["metrics"]["bleu"].is_number(), "{judged}");
}

#[test]
fn decoders_that_cannot_be() {
    let place = tempfile::tempdir().unwrap();
    tiny_decoder(place.path());
    let at = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let (model, run) = (at("model"), at("run"));
    let lines: String = (0..20).map(|i| format!("film {i} is good\t{}\n", ["pos", "neg"][i % 2])).collect();
    put(&place.path().join("labels.tsv"), format!("sentence\tlabel\n{lines}").as_bytes());
    let labels = at("labels.tsv");
    let train = ["train", "--model", &model, "--train-file", &labels, "--output-dir", &run];
    let short = ["--max-steps", "2", "--prune", "none", "--max-length", "32", "--method", "lora"];

    // The mark of the end stands for padding, and is written down where transformers looks for it.
    dsee(&[&train[..], &short].concat()).assert().success();
    fails(dsee(&["predict", "--run", &run, "film", ""]), 1, &["text 2 of 2 has no tokens"]);
    fails(dsee(&["generate", "--run", &run, "film"]), 1, &["use `dsee predict`"]);
    let merged = fs::read(place.path().join("run/merged/config.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&merged).unwrap()["pad_token_id"], 0);

    let config = fs::read_to_string(place.path().join("model/config.json")).unwrap();
    let no_end = config.replace(", \"eos_token_id\": 0", "").replace("\"eos_token_id\": 0,", "");
    assert!(!no_end.contains("eos_token_id"), "{no_end}");
    put(&place.path().join("model/config.json"), no_end.as_bytes());
    let elsewhere = at("other");
    let train = ["train", "--model", &model, "--train-file", &labels, "--output-dir", &elsewhere];
    fails(dsee(&[&train[..], &short].concat()), 1, &["no pad_token_id", "50256", "an id below 300"]);

    let other = fs::read(tiny_bert().join("tokenizer.json")).unwrap();
    put(&place.path().join("model/tokenizer.json"), &other);
    let parts = ["tokenizer.json may come from another model", "expected", "gpt2"];
    fails(dsee(&[&train[..], &short].concat()), 1, &parts);
    assert!(!Path::new(&elsewhere).exists());
}
