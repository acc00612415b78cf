//! Models and data sets by their name on the hub: fetched from a hub on this machine, kept, and used without it.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod cli_support;
#[path = "cli_support/hub_server.rs"]
mod hub_server;

use cli_support::{Workplace, decoder::tiny_decoder, dsee, flags_of, tiny_bert};
use hub_server::{How, HubServer};
use std::fs;

/// A hub with the tiny model.
fn hub() -> HubServer {
    let files = fs::read_dir(tiny_bert()).unwrap().flatten().filter(|entry| entry.path().is_file());
    let read =
        |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    HubServer::start(files.map(read).collect())
}

/// `dsee train` on the model called `model` of `hub`.
fn train(place: &Workplace, hub: &HubServer, run: &str, model: &str) -> assert_cmd::Command {
    let flags =
        ["--model", model, "--num-train-epochs", "1", "--max-train-samples", "8", "--retune-epochs", "0"];
    let mut command = dsee(&flags_of(&place.flags(run, &flags)));
    command.env("HF_ENDPOINT", hub.address()).env("DSEE_CACHE", place.path("cache")).env_remove("HF_TOKEN");
    command
}

#[test]
fn a_model_is_fetched_once_and_then_used_without_the_hub() {
    let place = Workplace::new();
    let mut hub = hub();
    hub.rule("model.safetensors", How::Cut, 1);
    train(&place, &hub, "first", "org/tiny").assert().success();
    hub.stop();
    train(&place, &hub, "second", "org/tiny").assert().success();
    let settings = fs::read_to_string(place.path("first/run.toml")).unwrap();
    assert!(settings.contains("model = \"org/tiny\""), "{settings}");
    let adapter = fs::read_to_string(place.path("first/adapter/adapter_config.json")).unwrap();
    assert!(
        adapter.contains("\"base_model_name_or_path\": \"org/tiny\""),
        "peft finds the base by itself: {adapter}"
    );
}

#[test]
fn a_mistyped_folder_is_told_from_a_model_that_is_not_there() {
    let place = Workplace::new();
    let mut hub = hub();
    hub.rule("config.json", How::Status(401), 1);
    let stderr = |command: &mut assert_cmd::Command| {
        String::from_utf8_lossy(&command.assert().code(1).get_output().stderr).into_owned()
    };
    let text = stderr(&mut train(&place, &hub, "run", "my-modle"));
    assert!(text.contains("no folder my-modle") && text.contains("check the spelling"), "{text}");
    assert!(text.contains("the program itself holds dsee-tiny-encoder and dsee-tiny-decoder"), "{text}");
    let text = stderr(&mut train(&place, &hub, "run", "./my-modle"));
    assert!(text.contains("no such model folder") && text.contains("organisation/name"), "{text}");
    hub.stop();
    let text = stderr(&mut train(&place, &hub, "run", "org/tiny"));
    assert!(text.contains("cannot be reached") && text.contains("built-in model"), "{text}");
    assert!(!place.path("run").exists());
}

/// A hub with a data set of two configurations, and the list of its files under the address that is asked for it.
fn hub_of_data(listed: &str, revision: &str) -> HubServer {
    let rows = |n: usize| {
        let row = |i: usize| {
            format!("{{\"sentence\": \"the film is {}\", \"label\": {}}}\n", ["bad", "good"][i % 2], i % 2)
        };
        (0..n).map(row).collect::<String>().into_bytes()
    };
    let files = [
        (format!("{revision}?blobs=true"), listed.as_bytes().to_vec()),
        ("train.jsonl".to_owned(), rows(16)),
        ("validation.jsonl".to_owned(), rows(6)),
    ];
    HubServer::start(files.into())
}

/// `dsee train` on the data of `hub`.
fn train_on(place: &Workplace, hub: &HubServer, run: &str, flags: &[&str]) -> assert_cmd::Command {
    let model = tiny_bert().display().to_string();
    let run = place.path(run).display().to_string();
    let mut all =
        vec!["train", "--model", &model, "--output-dir", &run, "--max-steps", "2", "--max-length", "32"];
    all.extend(flags);
    let mut command = dsee(&all);
    command.env("HF_ENDPOINT", hub.address()).env("DSEE_CACHE", place.path("cache")).env_remove("HF_TOKEN");
    command
}

const LISTED: &str = r#"{"sha": "0123456789abcdef0123456789abcdef01234567", "siblings": [{"rfilename": "README.md"},
    {"rfilename": "sst2/train.jsonl"}, {"rfilename": "sst2/validation.jsonl"}, {"rfilename": "rte/train.jsonl"}]}"#;

#[test]
fn a_task_fetches_its_data_once() {
    let place = Workplace::new();
    let mut hub = hub_of_data(LISTED, "main");
    hub.rule("train.jsonl", How::Cut, 1);
    train_on(&place, &hub, "first", &["--task", "sst2"]).assert().success();
    let asked: Vec<String> = hub.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(asked[0], "/api/datasets/nyu-mll/glue/revision/main?blobs=true");
    assert!(asked.iter().all(|path| !path.contains("rte/")), "{asked:?}");
    assert!(asked.last().unwrap().ends_with("/sst2/validation.jsonl"), "{asked:?}");
    hub.stop();
    let flags = ["--task", "sst2", "--dataset-name", "nyu-mll/glue"];
    train_on(&place, &hub, "second", &flags).assert().success();
    let settings = fs::read_to_string(place.path("second/run.toml")).unwrap();
    assert!(settings.contains("dataset_name = \"nyu-mll/glue\""), "{settings}");
    let report = fs::read_to_string(place.path("first/report.json")).unwrap();
    assert!(report.contains("nyu-mll/glue, sst2"), "the report says where the data came from");
}

#[test]
fn a_data_set_without_readable_files_is_taken_as_the_hub_converted_it() {
    let place = Workplace::new();
    let listed = LISTED.replace("sst2/", "default/").replace(", {\"rfilename\": \"rte/train.jsonl\"}", "");
    let hub = hub_of_data(&listed, "refs%2Fconvert%2Fparquet");
    hub.serve_too("main?blobs=true", br#"{"siblings": [{"rfilename": "set.py"}]}"#);
    train_on(&place, &hub, "run", &["--dataset-name", "org/set"]).assert().success();
}

/// The columns of `tuetschek/e2e_nlg`, whose main branch is a program.
#[test]
fn e2e_fetches_its_data_as_the_hub_converted_them() {
    let place = Workplace::new();
    tiny_decoder(&place.path(""));
    let row = |i: usize| {
        let name = ["Anna", "Bert", "Carl"][i % 3];
        let meaning = format!("name[{name}], eatType[pub]");
        format!("{{\"meaning_representation\": \"{meaning}\", \"human_reference\": \"{name} is a pub.\"}}\n")
    };
    let rows = |n: usize| (0..n).map(row).collect::<String>().into_bytes();
    let listed = r#"{"sha": "0123456789abcdef0123456789abcdef01234567", "siblings":
        [{"rfilename": "default/train/0000.jsonl"}, {"rfilename": "default/validation/0001.jsonl"}]}"#;
    let hub = HubServer::start(
        [
            ("refs%2Fconvert%2Fparquet?blobs=true".to_owned(), listed.as_bytes().to_vec()),
            ("0000.jsonl".to_owned(), rows(12)),
            ("0001.jsonl".to_owned(), rows(3)),
        ]
        .into(),
    );
    hub.serve_too("main?blobs=true", br#"{"siblings": [{"rfilename": "e2e_nlg.py"}]}"#);
    let model = place.text("model");
    // The flags before are of a test that classifies; of a flag given twice the last one counts.
    let flags =
        ["--task", "e2e", "--model", &model, "--max-length", "64", "--warmup-steps", "1", "--prune", "none"];
    train_on(&place, &hub, "run", &flags).assert().success();
    let asked: Vec<String> = hub.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(asked[0], "/api/datasets/tuetschek/e2e_nlg/revision/main?blobs=true");
    let report = fs::read_to_string(place.path("run/report.json")).unwrap();
    assert!(report.contains("tuetschek/e2e_nlg"), "the report says where the data came from");
    assert!(report.contains("12 examples, validated on 3"), "{report}");
}

#[test]
fn what_a_data_set_lacks_is_said_with_what_it_has() {
    let place = Workplace::new();
    let mut hub = hub_of_data(LISTED, "main");
    let refused = |hub: &HubServer, flags: &[&str]| {
        let assert = train_on(&place, hub, "run", flags).assert().code(1);
        String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
    };
    let text = refused(&hub, &["--dataset-name", "org/set"]);
    assert!(text.contains("--dataset-config-name") && text.contains("rte, sst2"), "{text}");
    let text = refused(&hub, &["--task", "cola"]);
    assert!(text.contains("`cola`") && text.contains("rte, sst2"), "{text}");
    let text = refused(&hub, &["--dataset-name", "not a name"]);
    assert!(text.contains("no name of a data set"), "{text}");
    hub.rule("main?blobs=true", How::Status(404), 1);
    let text = refused(&hub, &["--dataset-name", "org/sett"]);
    assert!(text.contains("no data set `org/sett`"), "{text}");
    hub.stop();
    let text = refused(&hub, &["--task", "sst2"]);
    assert!(text.contains("cannot be reached") && text.contains("files on this machine"), "{text}");
    assert!(!place.path("run").exists());
}
