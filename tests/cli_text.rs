//! A decoder on the command line: it learns texts for contexts, is evaluated, and writes. The model is tiny and random, its
//! tokenizer is made here. Needs an adapter.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod cli_support;

use cli_support::{dsee, put};
use dsee_core::{
    checkpoint::{HostTensor, NamedTensors, write::write_named},
    models::{config::ModelConfig, family::Head, parameter::file_tensors},
    random::Random,
    tokenizer::train_byte_level,
};
use predicates::str::contains;
use std::path::Path;

const CONFIG: &str = r#"{"model_type": "gpt2", "vocab_size": 300, "n_embd": 32, "n_layer": 1, "n_head": 2,
    "n_positions": 128, "eos_token_id": 0}"#;

/// A model folder and a file of twelve contexts.
fn prepare(folder: &Path) {
    let config = ModelConfig::parse("config.json", CONFIG.as_bytes()).unwrap();
    let parameters = config.family.parameters(&config, Head::CausalLm);
    let mut random = Random::new(5, 0);
    let tensors: NamedTensors = file_tensors(&parameters)
        .iter()
        .map(|tensor| {
            let is_norm = tensor.name.contains("ln_") && tensor.name.ends_with("weight");
            let mut value = || if is_norm { 1.0 } else { 0.05 * random.normal() as f32 };
            let data = (0..tensor.shape.iter().product()).map(|_| value()).collect();
            (tensor.name.to_owned(), HostTensor { shape: tensor.shape.clone(), data })
        })
        .collect();
    let names = ["Anna", "Bert", "Carl", "Dora", "Emil", "Frida"];
    let line = |i: usize| format!("name : {} | type : pub||{} is a pub .\n", names[i % 6], names[i % 6]);
    let lines: String = (0..12).map(line).collect();
    put(&folder.join("model/config.json"), CONFIG.as_bytes());
    put(&folder.join("model/model.safetensors"), &write_named(&tensors));
    put(&folder.join("model/tokenizer.json"), &train_byte_level(&[&lines], 300).unwrap());
    put(&folder.join("train.txt"), lines.as_bytes());
}

#[test]
fn a_decoder_learns_is_judged_and_writes() {
    let place = tempfile::tempdir().unwrap();
    prepare(place.path());
    let at = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let (model, data, run) = (at("model"), at("train.txt"), at("run"));
    let flags = ["--task-type", "generation", "--method", "full", "--prune", "none", "--max-steps", "40"];
    let paths =
        ["train", "--model", &model, "--train-file", &data, "--learning-rate", "5e-3", "--output-dir", &run];
    dsee(&[&paths[..], &flags].concat()).assert().success().stderr(contains("perplexity"));
    dsee(&["eval", "--run", &run]).assert().success().stdout(contains("perplexity"));
    let context = "name : Anna | type : pub";
    let written = dsee(&["generate", "--run", &run, "--max-new-tokens", "12", context]).assert().success();
    assert!(String::from_utf8_lossy(&written.get_output().stdout).contains("pub"));
    let beams = ["generate", "--run", &run, "--max-new-tokens", "12", "--num-beams", "3", "--json", context];
    dsee(&beams).assert().success().stdout(contains("\"context\":\"name : Anna | type : pub\""));
    dsee(&["predict", "--run", &run, "text"]).assert().failure().stderr(contains("dsee generate"));
}

#[test]
fn what_cannot_be_written_is_said() {
    let place = tempfile::tempdir().unwrap();
    prepare(place.path());
    let model = place.path().join("model").to_str().unwrap().to_owned();
    let long = ["generate", "--model", &model, "--max-new-tokens", "124", "name : Anna | type : pub"];
    dsee(&long).assert().failure().stderr(contains("128 positions"));
    dsee(&["generate", "--model", &model, "--num-beams", "0", "a"])
        .assert()
        .failure()
        .stderr(contains("--num-beams"));
    dsee(&["generate", "a"]).assert().failure().stderr(contains("bert"));
    dsee(&["generate", "--model", &model]).assert().failure();
}
