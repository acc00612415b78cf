//! The command line as its users see it: exit codes, what goes to stdout and stderr, every problem at once.
//! Needs the golden tiny BERT, and an adapter for `env` only.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod cli_support;

use cli_support::{dsee, put, tiny_bert};
use dsee_core::{
    checkpoint::{HostTensor, weights::Weights},
    config::RunConfigDraft,
    export::{ExportInput, RunFacts, dsee_state::export_dsee_state},
    models::{
        family::Head,
        files::{CONFIG_FILE, ModelFiles, in_memory},
        load::match_model,
    },
    tuning::state::{PrunedState, SiteDelta},
};
use predicates::{prelude::PredicateBooleanExt, str::contains};
use std::{fs, path::Path};

const VERBS: [&str; 8] = ["train", "eval", "predict", "prune", "export", "bench", "inspect", "env"];

#[test]
fn every_verb_explains_itself() {
    for verb in VERBS {
        dsee(&[verb, "--help"]).assert().success().stdout(contains("Usage: dsee").and(contains(verb)));
    }
    dsee(&["train", "--help"]).assert().success().stdout(contains("--rank").and(contains("[default: 16]")));
}

#[test]
fn wrong_command_lines_exit_with_2() {
    for args in
        [&["tarin"][..], &[], &["train", "--rnak", "3"], &["export"], &["export", "x", "--format", "gguf"]]
    {
        dsee(args).assert().code(2).stdout("");
    }
    dsee(&["train", "--rnak", "3"]).assert().stderr(contains("--rank"));
}

#[test]
fn wrong_settings_are_all_named_with_their_flags() {
    let flags = [
        "train",
        "--rank",
        "0",
        "--nnz=-3",
        "--omega",
        "svd",
        "--prune",
        "unstructured:1",
        "--learning-rate",
        "x",
    ];
    let assert = dsee(&flags).assert().code(2).stdout("");
    let errors = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    for part in ["error: 5 ", "--rank = 0", "--nnz = -3", "--omega = svd", "[0, 1)", "--learning-rate = x"] {
        assert!(errors.contains(part), "{part} in\n{errors}");
    }
}

#[test]
fn flags_override_the_file_and_underscores_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.toml");
    put(&path, b"rank = 4\nnnz = 2\n");
    let config = path.to_str().unwrap();
    let args = ["train", "--config", config, "--rank", "8", "--num_train_epochs", "2", "--print-config"];
    let assert = dsee(&args).assert().success().stderr("");
    let text = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    let printed = RunConfigDraft::from_toml(&text).unwrap().check().unwrap();
    assert_eq!((printed.rank, printed.nnz, printed.num_train_epochs), (8, 2, 2.0));
    let json = dsee(&["train", "--json", "--config", config, "--print-config"]).assert().success();
    let json: serde_json::Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert_eq!(json["rank"], 4);
}

#[test]
fn settings_files_that_cannot_be_read_are_named() {
    dsee(&["train", "--config", "no/such.toml"]).assert().code(1).stderr(contains("no/such.toml"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.toml");
    put(&path, b"rank = 4\nnnz = = 2\n");
    dsee(&["train", "--config", path.to_str().unwrap()]).assert().code(1).stderr(contains("line 2"));
    put(&path, b"rank = \"four\"\nlerning_rate = 1\n");
    let told = dsee(&["train", "--config", path.to_str().unwrap(), "--nnz", "0"]).assert().code(2);
    told.stderr(
        contains("run.toml: rank = four").and(contains("run.toml: lerning_rate")).and(contains("--nnz = 0")),
    );
}

#[test]
fn inspect_lists_tensors_and_refuses_other_files() {
    let model = tiny_bert();
    let model = model.to_str().unwrap();
    dsee(&["inspect", model])
        .assert()
        .success()
        .stdout(contains("word_embeddings.weight").and(contains("values")));
    let json = dsee(&["inspect", "--json", model]).assert().success();
    let json: serde_json::Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert!(json["files"][0]["n_values"].as_u64().unwrap() > 1000);
    dsee(&["inspect", "no/such"]).assert().code(1).stderr(contains("no/such"));
    let folder = tempfile::tempdir().unwrap();
    dsee(&["inspect", folder.path().to_str().unwrap()]).assert().code(1).stderr(contains("no .safetensors"));
    let broken = folder.path().join("model.safetensors");
    put(&broken, b"\xff\xff\xff\xff\xff\xff\xff\x7f{}");
    dsee(&["inspect", broken.to_str().unwrap()]).assert().code(1).stderr(contains("damaged"));
}

#[test]
fn env_names_adapter_and_version() {
    dsee(&["env"]).assert().success().stdout(contains("adapter").and(contains(env!("CARGO_PKG_VERSION"))));
    let json = dsee(&["env", "--json"]).assert().success();
    let json: serde_json::Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert!(json["adapter"]["max_buffer_bytes"].as_u64().unwrap() > 0);
}

/// A finished run of the golden tiny BERT with one update, as files.
fn finished_run(folder: &Path, base_sha256: Option<&str>) {
    let names = ["config.json", "model.safetensors", "tokenizer.json"];
    let files = in_memory(names.map(|name| (name.to_owned(), fs::read(tiny_bert().join(name)).unwrap())));
    let model = ModelFiles { name: "tiny".to_owned(), files };
    let model = pollster::block_on(model.open(&mut |_| ())).unwrap();
    let labels: Vec<String> = (0..model.config.n_labels()).map(|i| format!("class-{i}")).collect();
    let matched = match_model(&model.config, CONFIG_FILE, model.checkpoint, Head::classes(labels.len()))
        .unwrap()
        .matched;
    let mut base = pollster::block_on(Weights(matched.params).read_where(|_| true)).unwrap();
    let path = "bert.encoder.layer.0.attention.self.query";
    let [d_out, d_in]: [usize; 2] = base[&format!("{path}.weight")].shape.as_slice().try_into().unwrap();
    let site = SiteDelta {
        path: path.to_owned(),
        d_out,
        d_in,
        rank: 1,
        scale: 2.0,
        a: vec![0.25; d_in],
        b: vec![0.5; d_out],
        s_indices: vec![3],
        s_values: vec![1.5],
    };
    let mut trained = dsee_core::checkpoint::NamedTensors::new();
    for (name, shape) in
        [("classifier.weight", vec![labels.len(), d_in]), ("classifier.bias", vec![labels.len()])]
    {
        let tensor = HostTensor { data: vec![0.1; shape.iter().product()], shape };
        base.entry(name.to_owned()).or_insert_with(|| tensor.clone());
        trained.insert(name.to_owned(), tensor);
    }
    let base_sha256 = base_sha256.map_or(model.weights_sha256, str::to_owned);
    let facts = RunFacts { base_sha256: Some(base_sha256), ..RunFacts::default() };
    let input = ExportInput {
        config: &model.config,
        head: Head::classes(labels.len()),
        base: &base,
        sites: &[site],
        pruned: &PrunedState::default(),
        trained: &trained,
        labels: &labels,
        base_id: None,
        tokenizer_files: &[],
        facts: &facts,
    };
    for file in export_dsee_state(&input).unwrap() {
        put(&folder.join("adapter").join(file.path), &file.bytes);
    }
    let config = RunConfigDraft::default().with("model", tiny_bert().to_str().unwrap()).check().unwrap();
    put(&folder.join("run.toml"), config.to_toml().as_bytes());
}

#[test]
fn exports_are_written_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    finished_run(folder.path(), None);
    let run = folder.path().to_str().unwrap();
    let json = dsee(&["export", run, "--format", "merged", "--json"]).assert().success();
    let json: serde_json::Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    assert!(json["verified_tensors"].as_u64().unwrap() > 10);
    assert!(folder.path().join("merged/model.safetensors").is_file());
    let adapter = folder.path().join("elsewhere");
    let args = ["export", run, "--output-dir", adapter.to_str().unwrap()];
    dsee(&args).assert().success().stdout(contains("verified").and(contains("PeftModel")));
    assert!(adapter.join("adapter_model.safetensors").is_file());
}

#[test]
fn exports_refuse_what_does_not_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().to_str().unwrap();
    dsee(&["export", run]).assert().code(1).stderr(contains("run.toml"));
    finished_run(folder.path(), Some("0123"));
    dsee(&["export", run]).assert().code(1).stderr(contains("not the model this run was trained from"));
    finished_run(folder.path(), None);
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let args = ["export", run, "--model", empty.to_str().unwrap()];
    let missing = contains("config.json").and(contains("model.safetensors")).and(contains("tokenizer.json"));
    dsee(&args).assert().code(1).stderr(missing);
    fs::remove_dir_all(folder.path().join("adapter")).unwrap();
    dsee(&["export", run]).assert().code(1).stderr(contains("has not finished"));
}
