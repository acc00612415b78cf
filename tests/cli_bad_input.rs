//! Bad input through the command line: every message names the file or the setting and says what to do, all
//! problems come at once, and nothing is left behind.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod cli_support;

use cli_support::{Workplace, fails, put, tiny_bert};
use std::fs;

/// The tiny model with one of its files changed, or taken away.
fn changed_model(place: &Workplace, name: &str, change: impl Fn(Vec<u8>) -> Option<Vec<u8>>) -> String {
    let folder = place.path("model");
    fs::create_dir_all(&folder).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        let bytes = fs::read(tiny_bert().join(file)).unwrap();
        let bytes = if file == name { change(bytes) } else { Some(bytes) };
        match bytes {
            Some(bytes) => put(&folder.join(file), &bytes),
            None => fs::remove_file(folder.join(file)).unwrap_or_default(),
        }
    }
    place.text("model")
}

fn refuses_model(place: &Workplace, model: &str, parts: &[&str]) {
    fails(place.train("run", &["--model", model]), 1, parts);
    assert!(!place.path("run").exists());
}

#[test]
fn models_that_cannot_be() {
    let place = Workplace::new();
    refuses_model(&place, "no/such/model", &["no/such/model", "config.json"]);
    let model = changed_model(&place, "model.safetensors", |_| None);
    put(&place.path("model/pytorch_model.bin"), b"pickle");
    refuses_model(&place, &model, &["pickled", "save the model again as model.safetensors"]);
    fs::remove_file(place.path("model/pytorch_model.bin")).unwrap();
    refuses_model(&place, &model, &["no weights", "model.safetensors"]);

    let cut = |mut bytes: Vec<u8>| {
        bytes.truncate(bytes.len() - 100);
        Some(bytes)
    };
    let model = changed_model(&place, "model.safetensors", cut);
    refuses_model(&place, &model, &["model.safetensors", "cut off", "incomplete"]);
    let model = changed_model(&place, "model.safetensors", |bytes| Some(bytes[..4].to_vec()));
    refuses_model(&place, &model, &["model.safetensors", "only 4 bytes", "download"]);
    let lying = |mut bytes: Vec<u8>| {
        bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        Some(bytes)
    };
    let model = changed_model(&place, "model.safetensors", lying);
    refuses_model(&place, &model, &["model.safetensors", "damaged"]);
    let not_a_number = |mut bytes: Vec<u8>| {
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        Some(bytes)
    };
    let model = changed_model(&place, "model.safetensors", not_a_number);
    refuses_model(&place, &model, &["model.safetensors", "not finite", "NaN"]);
}

#[test]
fn configurations_that_contradict() {
    let place = Workplace::new();
    let replace = |from: &'static str, to: &'static str| {
        move |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains(from), "{from} in\n{text}");
            Some(text.replacen(from, to, 1).into_bytes())
        }
    };
    let model = changed_model(&place, "config.json", replace("\"hidden_size\": 32", "\"hidden_size\": 64"));
    refuses_model(&place, &model, &["has shape [120, 32], expected [120, 64]"]);
    let layers = replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    let model = changed_model(&place, "config.json", layers);
    refuses_model(&place, &model, &["encoder.layer.2", "is missing"]);
    let model = changed_model(&place, "config.json", replace("\"vocab_size\": 120", "\"vocab_size\": 100"));
    refuses_model(&place, &model, &["120 tokens", "at most 100", "another model"]);
    let model = changed_model(&place, "config.json", replace("\"bert\"", "\"t5\""));
    refuses_model(&place, &model, &["config.json", "model_type", "t5"]);
    let model = changed_model(&place, "tokenizer.json", |_| Some(b"{".to_vec()));
    refuses_model(&place, &model, &["tokenizer.json"]);
}

/// A data file: its name and bytes, more flags, and what the message says.
type BadFile<'a> = (&'a str, &'a [u8], &'a [&'a str], &'a [&'a str]);

#[test]
fn data_that_cannot_be() {
    let place = Workplace::new();
    let files: [BadFile<'_>; 9] = [
        ("empty.tsv", b"", &[], &["empty.tsv", "an empty file", "check"]),
        ("one.tsv", b"text\tlabel\ngood\t1\n", &[], &["one.tsv", "at least two rows"]),
        (
            "columns.tsv",
            b"a\tb\ngood\t1\nbad\t0\n",
            &["--text-column", "review"],
            &["columns.tsv", "review", "--text-column"],
        ),
        ("latin.tsv", b"text\tlabel\ncaf\xe9\t1\nbad\t0\n", &[], &["latin.tsv", "line 2", "0xe9", "UTF-8"]),
        ("quotes.csv", b"text,label\n\"good,1\nbad,0\n", &[], &["quotes.csv", "line 2", "quote"]),
        (
            "floats.tsv",
            b"text\tlabel\na\t0.25\nb\t1.5\nc\t2.75\n",
            &["--task-type", "classification"],
            &["floats.tsv", "label"],
        ),
        ("same.tsv", b"text\tlabel\na\tx\nb\tx\nc\tx\n", &[], &["same.tsv", "label"]),
        (
            "words.tsv",
            b"text\tlabel\na\tx\nb\ty\n",
            &["--task-type", "regression"],
            &["words.tsv", "line 2", "number"],
        ),
        ("broken.jsonl", b"{\"text\": \"a\", \"label\": 1}\n{\"text\": \n", &[], &["broken.jsonl", "line 2"]),
    ];
    for (name, bytes, flags, parts) in files {
        put(&place.path(name), bytes);
        let path = place.text(name);
        fails(place.train("run", &[&["--train-file", &path], flags].concat()), 1, parts);
    }
    put(&place.path("validation.tsv"), b"sentence\tlabel\ngood\tpos\nbad\tneutral\n");
    let validation = place.text("validation.tsv");
    let parts = ["validation.tsv", "line 3", "neutral", "neg"];
    fails(place.train("run", &["--validation-file", &validation]), 1, &parts);
    assert!(!place.path("run").exists());
}

#[test]
fn files_of_another_task() {
    let place = Workplace::new();
    let refuses = |task: &str, name: &str, text: &str, parts: &[&str]| {
        put(&place.path(name), text.as_bytes());
        let path = place.text(name);
        fails(place.train("run", &["--task", task, "--train-file", &path]), 1, parts);
    };
    let one = "sentence\tlabel\nfine\t1\nbad\t0\nold\t1\n";
    let missing = ["one.tsv", "rte", "sentence1", "sentence2", "the columns sentence, label, but not"];
    refuses("rte", "one.tsv", one, &missing);
    let scores = "sentence1\tsentence2\tlabel\na\tb\t0.25\nc\td\t4.5\ne\tf\t3.75\n";
    refuses("rte", "scores.tsv", scores, &["scores.tsv", "line 2", "0.25", "entailment"]);
    let classes = scores.replace("0.25", "good");
    refuses("stsb", "classes.tsv", &classes, &["classes.tsv", "line 2", "good", "number"]);
    assert!(!place.path("run").exists());
}

#[test]
fn model_and_data_are_reported_together() {
    let place = Workplace::new();
    let flags = ["--model", "no/such/model", "--train-file", "no/such.tsv"];
    fails(place.train("run", &flags), 1, &["no/such/model", "no/such.tsv"]);
}

#[test]
fn settings_that_no_model_can_have() {
    let place = Workplace::new();
    let flags = ["--rank", "0", "--per-device-train-batch-size", "0", "--prune", "unstructured:1.5"];
    let parts = [
        "error: 3 ",
        "--rank = 0",
        "--per-device-train-batch-size = 0",
        "--prune = unstructured:1.5",
        "[0, 1)",
    ];
    fails(place.train("run", &flags), 2, &parts);
    assert!(!place.path("run").exists());
}

#[test]
fn settings_that_this_model_cannot_have() {
    let place = Workplace::new();
    let flags = ["--rank", "33", "--nnz", "1025", "--prune", "heads:4", "--max-length", "41"];
    let parts = [
        "error: 4 ",
        "--rank = 33",
        "at most 32",
        "--nnz = 1025",
        "only 1024 entries",
        "--prune = heads:4",
        "use 3 or less",
        "--max-length = 41",
        "use 40 or less",
    ];
    fails(place.train("run", &flags), 2, &parts);
    assert!(!place.path("run").exists());
}

#[test]
fn a_model_that_no_adapter_holds() {
    let place = Workplace::new();
    let giant = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        Some(text.replacen("\"hidden_size\": 32", "\"hidden_size\": 65536", 1).into_bytes())
    };
    let model = changed_model(&place, "config.json", giant);
    // As large as the settings ask for, without taking room on the disk; it must not be read.
    let weights = fs::File::create(place.path("model/model.safetensors")).unwrap();
    weights.set_len(20 << 30).unwrap();
    refuses_model(&place, &model, &["adapter is too small", "17179869184 bytes", "are available"]);
}

/// `dsee` where no file may grow beyond `n_blocks` of 512 bytes, which fails as a full disk does.
#[cfg(unix)]
fn on_a_full_disk(n_blocks: usize, flags: &[String]) -> assert_cmd::Command {
    let mut shell = assert_cmd::Command::new("sh");
    // The signal is ignored so that the write itself fails.
    let script = format!("trap '' XFSZ; ulimit -f {n_blocks}; exec \"$0\" \"$@\"");
    // The drivers' caches would fail too, and say so.
    shell
        .args(["-c", &script, env!("CARGO_BIN_EXE_dsee")])
        .args(flags)
        .env("MESA_SHADER_CACHE_DISABLE", "true");
    shell
}

/// Every file and folder below `folder`.
fn names_below(folder: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            let below = if path.is_dir() { names_below(&path) } else { Vec::new() };
            below.into_iter().chain([path.display().to_string()])
        })
        .collect()
}

#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_during_a_run() {
    let place = Workplace::new();
    let short = ["--max-steps", "4", "--logging-steps", "1", "--prune", "none"];
    // Room for settings and log, not for a checkpoint.
    let flags = place.flags("first", &short);
    fails(on_a_full_disk(8, &flags), 1, &["the disk is full", "checkpoint-4", "--output-dir"]);
    let names = names_below(&place.path("first"));
    assert!(names.iter().all(|name| !name.contains("checkpoint") && !name.contains(".writing")), "{names:?}");
    for line in fs::read_to_string(place.path("first/trainer_log.jsonl")).unwrap().lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }

    // Room for checkpoint and report, not for the whole model: the run goes on from its checkpoint elsewhere or later.
    let flags = place.flags("second", &short);
    let resume = format!("dsee train --resume-from-checkpoint {}", place.text("second/checkpoint-4"));
    fails(on_a_full_disk(128, &flags), 1, &["the disk is full", "merged", "go on with", &resume]);
    let names = names_below(&place.path("second"));
    assert!(names.iter().all(|name| !name.contains("merged") && !name.contains(".writing")), "{names:?}");
    let run = place.text("second");
    let mut again = cli_support::dsee(&["train", "--resume-from-checkpoint", "latest", "--output-dir", &run]);
    again.assert().success();
    assert!(place.path("second/merged/model.safetensors").is_file());
}

#[test]
fn a_folder_that_cannot_be_written() {
    let place = Workplace::new();
    // Below a file nobody can make a folder, not even who may write everywhere.
    fails(
        place.train("train.tsv/run", &[]),
        1,
        &["cannot make the run folder", "--output-dir", "train.tsv/run"],
    );
}
