//! Language modelling on the command line: texts alone, a run that is killed and goes on, its evaluation, and the merged
//! folder under the class that predicts words. Needs an adapter.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod cli_support;

use cli_support::{decoder::tiny_decoder, dsee, json, put, tiny_bert};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const N_STEPS: usize = 120;

/// Starts a run and ends it without a word once it has kept a checkpoint.
fn kill_after_checkpoint(flags: &[&str], checkpoint: &Path) {
    let mut run = Command::new(env!("CARGO_BIN_EXE_dsee"))
        .args(flags)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !checkpoint.is_dir() && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(checkpoint.is_dir(), "no checkpoint was kept");
}

/// Trains, stops, goes on, evaluates, and looks into what is left.
fn learns_texts(model: &Path, folder: &Path, class: &str) {
    let lines: String = (0..60)
        .map(|i| format!("the movie {i} was {}\n", ["good", "bad", "great", "not good"][i % 4]))
        .collect();
    let (data, run) = (folder.join("texts.txt"), folder.join("run"));
    put(&data, lines.as_bytes());
    let [model, data, run_folder] = [model, &data, &run].map(|path| path.to_str().unwrap());
    let n_steps = N_STEPS.to_string();
    let paths = ["train", "--model", model, "--train-file", data, "--output-dir", run_folder];
    let task = ["--task-type", "language-modeling", "--max-length", "32", "--max-steps", &n_steps];
    let sizes = ["--rank", "4", "--nnz", "4", "--per-device-train-batch-size", "8", "--prune", "none"];
    let kept = ["--logging-steps", "1", "--save-strategy", "steps", "--save-steps", "10"];
    kill_after_checkpoint(&[&paths[..], &task, &sizes, &kept].concat(), &run.join("checkpoint-10"));
    assert!(!run.join("merged").exists(), "killed before its end");

    let again = ["train", "--resume-from-checkpoint", "latest", "--output-dir", run_folder, "--json"];
    let result = json(dsee(&again));
    let log = fs::read_to_string(run.join("trainer_log.jsonl")).unwrap();
    let log: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps = log.iter().filter(|line| line["loss"].is_number());
    let steps: Vec<u64> = steps.filter_map(|line| line["current_steps"].as_u64()).collect();
    assert_eq!(steps, (1..=N_STEPS as u64).collect::<Vec<_>>(), "every step, and none twice");

    let evaluated = json(dsee(&["eval", "--run", run_folder, "--json"]));
    assert_eq!(evaluated["metrics"], result["summary"]["metrics"], "the same figures to the last bit");
    assert!(evaluated["metrics"]["perplexity"].as_f64().unwrap() > 1.0, "{evaluated}");
    let merged: Value = serde_json::from_slice(&fs::read(run.join("merged/config.json")).unwrap()).unwrap();
    assert_eq!(merged["architectures"], json!([class]));
}

#[test]
fn an_encoder_learns_to_fill_in_words() {
    let place = tempfile::tempdir().unwrap();
    learns_texts(&tiny_bert().with_file_name("tiny_bert_mlm"), place.path(), "BertForMaskedLM");
}

#[test]
fn a_decoder_learns_the_next_word() {
    let place = tempfile::tempdir().unwrap();
    tiny_decoder(place.path());
    learns_texts(&place.path().join("model"), place.path(), "GPT2LMHeadModel");
}
