//! The first run of text: the embedded decoder, tuned shortly on the embedded meanings, writes better than it came, and
//! writes the same every time. Needs an adapter.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod cli_support;

use cli_support::{dsee, json, put};
use dsee_core::builtin::{DATA_SEED, DECODER_NAME, validation_meanings};
use std::{fs, path::Path};

/// Meanings that are written for.
const N_MEANINGS: usize = 12;

/// Writes for the contexts in the folder; the untuned decoder where no run is given.
fn write(place: &Path, run: Option<&str>) -> String {
    let contexts = place.join("contexts.txt");
    let source = run.map_or(["--model", DECODER_NAME], |run| ["--run", run]);
    let flags = ["generate", "--max-new-tokens", "60", "--input", contexts.to_str().unwrap()];
    let written = dsee(&[&flags[..], &source].concat()).assert().success();
    String::from_utf8(written.get_output().stdout.clone()).unwrap()
}

/// BLEU of what was written.
fn bleu(place: &Path, written: &str) -> f64 {
    let [hypotheses, references] = ["written.txt", "references.txt"].map(|name| place.join(name));
    put(&hypotheses, written.as_bytes());
    let files = ["--hypotheses", hypotheses.to_str().unwrap(), "--references", references.to_str().unwrap()];
    let scored = json(dsee(&[&["score", "--metric", "bleu", "--json"][..], &files].concat()));
    scored["metrics"]["bleu"].as_f64().unwrap()
}

#[test]
fn a_short_run_makes_the_embedded_decoder_write_better() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let meanings = validation_meanings(DATA_SEED).into_iter().take(N_MEANINGS);
    let (contexts, references): (Vec<String>, Vec<String>) =
        meanings.map(|meaning| (meaning.context, meaning.completions.join("\n"))).unzip();
    put(&place.join("contexts.txt"), (contexts.join("\n") + "\n").as_bytes());
    put(&place.join("references.txt"), (references.join("\n\n") + "\n").as_bytes());

    let run = place.join("run");
    let run = run.to_str().unwrap();
    let what = ["train", "--model", DECODER_NAME, "--max-new-tokens", "60", "--output-dir", run];
    let how = ["--method", "lora", "--rank", "8", "--prune", "none", "--learning-rate", "5e-3"];
    let length = ["--max-steps", "60", "--per-device-train-batch-size", "16", "--max-eval-samples", "12"];
    dsee(&[&what[..], &how, &length].concat()).assert().success();

    let tuned = write(place, Some(run));
    assert_eq!(tuned.lines().count(), N_MEANINGS);
    assert_eq!(tuned, write(place, Some(run)), "the same text every time");
    // The run's own validation data are those meanings, and an evaluation writes the same for them.
    let judged = json(dsee(&["eval", "--run", run, "--json"]));
    assert_eq!(judged["n_contexts"], N_MEANINGS);
    let hypotheses = fs::read_to_string(Path::new(run).join("texts/hypotheses.txt")).unwrap();
    assert_eq!(hypotheses, tuned);
    let [tuned, untuned] = [tuned, write(place, None)].map(|written| bleu(place, &written));
    assert_eq!(judged["metrics"]["bleu"], tuned);
    println!("BLEU {tuned} tuned, {untuned} untuned");
    assert!(tuned > untuned + 0.05, "BLEU {tuned} tuned, {untuned} untuned");
}
