//! `--model organisation/name`: fetched from a hub on this machine, kept, and used without it.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod cli_support;
#[path = "cli_support/hub_server.rs"]
mod hub_server;

use cli_support::{Workplace, dsee, flags_of, tiny_bert};
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
    let text = stderr(&mut train(&place, &hub, "run", "./my-modle"));
    assert!(text.contains("no such model folder") && text.contains("organisation/name"), "{text}");
    hub.stop();
    let text = stderr(&mut train(&place, &hub, "run", "org/tiny"));
    assert!(text.contains("cannot be reached") && text.contains("built-in model"), "{text}");
    assert!(!place.path("run").exists());
}
