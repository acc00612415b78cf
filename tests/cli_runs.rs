//! Whole runs through the command line: what they leave behind, how they are used again, how they are stopped and
//! go on. Needs an adapter.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod cli_support;

use cli_support::{Workplace, dsee, fails, flags_of, json, put, tiny_bert};
use predicates::{prelude::PredicateBooleanExt, str::contains};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const SHORT: [&str; 4] = ["--max-steps", "6", "--logging-steps", "2"];

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn a_run_leaves_its_folder_and_can_be_used_again() {
    let place = Workplace::new();
    let flags = [&SHORT[..], &["--prune", "heads:1", "--json"]].concat();
    let result = json(place.train("run", &flags));
    let run = place.text("run");
    assert_eq!(result["run_folder"], run);
    let phases: Vec<&str> = result["summary"]["phases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["phase"].as_str().unwrap())
        .collect();
    assert_eq!(phases, ["select_omega", "low_rank_only", "tune", "prune", "retune", "evaluate"]);
    for export in result["exports"].as_array().unwrap() {
        assert!(export["verified_tensors"].as_u64().unwrap() > 10, "{export}");
    }
    for name in [
        "run.toml",
        "trainer_log.jsonl",
        "trainer_state.json",
        "report.html",
        "report.md",
        "checkpoint-6/engine_state.safetensors",
        "checkpoint-12/engine_state.json",
        "adapter/adapter_model.safetensors",
        "adapter/dsee_state.safetensors",
        "merged/model.safetensors",
    ] {
        assert!(place.path("run").join(name).is_file(), "{name}");
    }
    let log = lines(&place.path("run/trainer_log.jsonl"));
    let n_losses = log.iter().filter(|line| line["loss"].is_number()).count();
    assert_eq!(n_losses, 8, "the first, and every second of six steps, in two phases");
    let report = fs::read_to_string(place.path("run/report.md")).unwrap();
    assert!(report.contains("retune") && report.contains("PeftModel"), "{report}");

    let evaluated = json(dsee(&["eval", "--run", &run, "--json"]));
    assert_eq!(evaluated["metrics"], result["summary"]["metrics"], "the same figures to the last bit");
    let labelled = place.text("train.tsv");
    dsee(&["eval", "--run", &run, "--validation-file", &labelled])
        .assert()
        .success()
        .stdout(contains("accuracy").and(contains("60")));
    predicts(&run, &labelled);
    fails(dsee(&["prune", "--run", &run, "--prune", "heads:1"]), 1, &["pruned already", "--prune none"]);
    dsee(&["export", &run, "--format", "dsee"]).assert().success().stdout(contains("verified"));
    fails(place.train("run", &SHORT), 1, &["there is a run already", "--output-dir"]);
}

/// Who reads may leave: results are then not wanted, and a run goes on.
#[test]
fn a_reader_that_leaves_ends_no_run() {
    let place = Workplace::new();
    let program = || Command::new(env!("CARGO_BIN_EXE_dsee"));
    let mut results = program()
        .args(["reproduce", "counts"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(results.stdout.take());
    let output = results.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));

    let mut run = program()
        .args(place.flags("run", &SHORT))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(run.stderr.take());
    assert!(run.wait().unwrap().success());
    assert!(place.path("run/merged/model.safetensors").is_file());

    #[cfg(target_os = "linux")]
    {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = program().args(["reproduce", "counts"]).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be written to stdout"));
    }
}

/// What an export would replace has to be an earlier one.
#[test]
fn an_export_removes_nothing_else() {
    let place = Workplace::new();
    place.train("run", &SHORT).assert().success();
    let (run, mine) = (place.text("run"), place.text("mine"));
    put(&place.path("mine/thesis.txt"), b"precious");
    for folder in [&run, &mine] {
        fails(dsee(&["export", &run, "--output-dir", folder]), 1, &["holds something else", "--output-dir"]);
    }
    assert!(place.path("mine/thesis.txt").is_file() && place.path("run/run.toml").is_file());
    let free = place.text("free");
    for _ in 0..2 {
        dsee(&["export", &run, "--format", "merged", "--output-dir", &free])
            .assert()
            .success()
            .stdout(contains(format!("from_pretrained({free:?})")));
    }
    fails(dsee(&["export", &run, "--output-dir", &free]), 1, &["holds something else"]);
    let compare = place.flags("run", &["--methods", "lora", "--seeds", "1"]);
    let compare: Vec<&str> = ["compare"].into_iter().chain(flags_of(&compare).into_iter().skip(1)).collect();
    fails(dsee(&compare), 1, &["the folder holds a run", "--output-dir"]);
    // A base model that has moved is named where it is now.
    let model = tiny_bert().canonicalize().unwrap().display().to_string();
    let settings = fs::read_to_string(place.path("run/run.toml")).unwrap();
    let moved: Vec<&str> = settings
        .lines()
        .map(|line| if line.starts_with("model ") { "model = \"gone\"" } else { line })
        .collect();
    put(&place.path("run/run.toml"), moved.join("\n").as_bytes());
    fails(dsee(&["eval", "--run", &run]), 1, &["name its place with --model"]);
    dsee(&["eval", "--run", &run, "--model", &model]).assert().success();
}

/// A row is about the state that its phase left: without the best one, the last.
#[test]
fn without_the_best_state_a_phase_is_judged_by_its_last() {
    let place = Workplace::new();
    let flags = ["--max-steps", "8", "--prune", "none", "--eval-strategy", "steps", "--eval-steps", "2"];
    // Such a rate makes it worse and worse.
    let more = ["--learning-rate", "0.5", "--load-best-model-at-end", "false", "--json"];
    let more = [&more[..], &["--metric-for-best-model", "loss", "--lr-scheduler-type", "constant"]].concat();
    let result = json(place.train("run", &[&flags[..], &more].concat()));
    let phases = result["summary"]["phases"].as_array().unwrap();
    let row =
        |name: &str| phases.iter().find(|row| row["phase"] == name).unwrap()["metric"].as_f64().unwrap();
    let log = lines(&place.path("run/trainer_log.jsonl"));
    let found: Vec<f64> = log.iter().filter_map(|line| line["eval_loss"].as_f64()).collect();
    // The last figure of the log is the final evaluation's, of the same state.
    assert!(found.len() >= 4, "{log:?}");
    let last = found[found.len() - 1];
    assert!(found.iter().any(|&loss| loss < last), "{found:?}");
    assert_eq!((row("tune"), row("evaluate")), (last, last));
}

/// A run that was killed before its first checkpoint begins again, as it was.
#[test]
fn a_run_without_a_checkpoint_begins_again() {
    let place = Workplace::new();
    place.train("whole", &SHORT).assert().success();
    let settings = fs::read_to_string(place.path("whole/run.toml")).unwrap();
    let settings = settings.replace(&place.text("whole"), &place.text("killed"));
    put(&place.path("killed/run.toml"), settings.as_bytes());
    put(&place.path("killed/trainer_log.jsonl"), b"{\"loss\": 9}\n");
    dsee(&["train", "--resume-from-checkpoint", "latest", "--output-dir", &place.text("killed")])
        .assert()
        .success()
        .stderr(contains("resumed   at step 0"));
    let weights = |run: &str| fs::read(place.path(&format!("{run}/merged/model.safetensors"))).unwrap();
    assert!(weights("whole") == weights("killed"), "the same bits");
    assert_eq!(
        lines(&place.path("killed/trainer_log.jsonl")).len(),
        lines(&place.path("whole/trainer_log.jsonl")).len()
    );
}

/// A model whose heads are really gone computes what the run does, and is pruned on from what it has.
#[test]
fn a_compact_model_is_smaller_and_goes_on() {
    let place = Workplace::new();
    json(place.train("run", &[&SHORT[..], &["--prune", "heads:1", "--json"]].concat()));
    let run = place.text("run");
    let compact = json(dsee(&["export", &run, "--format", "compact", "--json"]));
    let merged = json(dsee(&["export", &run, "--format", "merged", "--json"]));
    assert!(compact["bytes"].as_u64() < merged["bytes"].as_u64(), "{compact}");
    let config: Value =
        serde_json::from_slice(&fs::read(place.path("run/compact/config.json")).unwrap()).unwrap();
    assert_eq!(config["pruned_heads"].as_object().unwrap().len(), 2, "a head of every layer");
    let folder = place.text("run/compact");
    let train = |name: &str, more: &[&str]| {
        let model = ["--model", &folder];
        json(place.train(name, &[&SHORT[..], &model, more, &["--json"]].concat()))
    };
    for (name, more) in [
        ("searched", &["--method", "earlybert", "--prune", "heads:1"][..]),
        ("random", &["--prune", "heads:2", "--prune-criterion", "random"]),
        ("masked", &["--prune", "unstructured:0.2"]),
        ("tickets", &["--method", "bert-tickets", "--prune", "unstructured:0.1"]),
    ] {
        let result = train(name, more);
        let phases = result["summary"]["phases"].as_array().unwrap();
        let counts =
            |row: &Value| ["non_zero_weights", "total_weights"].map(|name| row[name].as_u64().unwrap());
        let [left, all] = counts(phases.last().unwrap());
        assert!(left > 0 && left < all, "{name}: {left} of {all}");
    }
    let flags = [&SHORT[..], &["--model", &folder, "--prune", "heads:3"]].concat();
    fails(place.train("all", &flags), 2, &["--prune = heads:3", "3 heads are left"]);
    place.train("whole", &[&SHORT[..], &["--prune", "none"]].concat()).assert().success();
    let whole = place.text("whole");
    fails(dsee(&["export", &whole, "--format", "compact"]), 1, &["no heads were removed", "merged"]);
}

/// Predictions from arguments, a file and the standard input, in both forms.
fn predicts(run: &str, file: &str) {
    let texts = dsee(&["predict", "--run", run, "the movie was good", "bad"]).assert().success();
    let text = String::from_utf8(texts.get_output().stdout.clone()).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert_eq!(text.lines().next(), Some("label\tp(neg)\tp(pos)"));
    let from_file = dsee(&["predict", "--run", run, "--input", file, "--format", "jsonl"]).assert().success();
    assert_eq!(from_file.get_output().stdout.split(|&byte| byte == b'\n').count(), 61);
    let piped = dsee(&["predict", "--run", run, "--input", "-", "--json"])
        .write_stdin("the movie was good\nbad\n")
        .assert()
        .success();
    let rows: Vec<Value> = String::from_utf8(piped.get_output().stdout.clone())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 2);
    for (row, line) in rows.iter().zip(text.lines().skip(1)) {
        assert_eq!(line.split('\t').next(), row["label"].as_str(), "both ways give the same answer");
        let probabilities = row["probabilities"].as_object().unwrap();
        let sum: f64 = probabilities.values().map(|p| p.as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{row}");
    }
}

#[test]
fn methods_without_update_leave_their_state() {
    for method in ["full", "bitfit"] {
        let place = Workplace::new();
        let result = json(place.train("run", &[&SHORT[..], &["--method", method, "--json"]].concat()));
        assert!(place.path("run/dsee/dsee_state.safetensors").is_file());
        assert!(!place.path("run/adapter").exists());
        let evaluated = json(dsee(&["eval", "--run", &place.text("run"), "--json"]));
        assert_eq!(evaluated["metrics"], result["summary"]["metrics"]);
    }
}

#[test]
fn a_tuned_run_is_pruned_into_a_new_one() {
    let place = Workplace::new();
    let tuned = json(place.train("tuned", &[&SHORT[..], &["--json"]].concat()));
    let (tuned_run, run) = (place.text("tuned"), place.text("pruned"));
    let flags = ["prune", "--run", &tuned_run, "--output-dir", &run, "--json"];
    fails(dsee(&flags), 2, &["--prune = none", "heads:3"]);
    fails(
        dsee(&[&flags[..], &["--prune", "heads:1", "--rank", "2"]].concat()),
        2,
        &["--rank = 2", "tuned already"],
    );
    let result = json(dsee(&[&flags[..], &["--prune", "unstructured:0.5", "--retune-epochs", "0"]].concat()));
    let row = |result: &Value, i: usize| result["summary"]["phases"][i]["non_zero_weights"].as_u64().unwrap();
    assert!(row(&result, 0) < row(&tuned, 1));
    assert_eq!(result["summary"]["n_steps"], 0);
    let evaluated = json(dsee(&["eval", "--run", &run, "--json"]));
    assert_eq!(evaluated["metrics"], result["summary"]["metrics"]);
    assert!(fs::read_to_string(place.path("pruned/report.md")).unwrap().contains("bert"));
}

/// Starts a run, interrupts it once it has logged `n_lines`, and gives its exit code and stderr.
fn interrupt_after(flags: &[String], log: &Path, n_lines: usize) -> (Option<i32>, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_dsee"))
        .args(flags)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while lines(log).len() < n_lines && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap();
    let output = run.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_goes_on_to_the_same_end() {
    let place = Workplace::new();
    let flags = [
        "--num-train-epochs",
        "20",
        "--retune-epochs",
        "2",
        "--dropout",
        "0.1",
        "--logging-steps",
        "1",
        "--prune",
        "unstructured:0.3",
        "--eval-strategy",
        "steps",
        "--eval-steps",
        "5",
    ];
    place.train("unbroken", &flags).assert().success();
    let log = place.path("broken/trainer_log.jsonl");
    let (code, errors) = interrupt_after(&place.flags("broken", &flags), &log, 4);
    assert_eq!(code, Some(130), "{errors}");
    let command = errors.lines().last().unwrap().trim();
    let resume: Vec<String> = command.split_whitespace().skip(1).map(str::to_owned).collect();
    assert_eq!(resume[..2], ["train", "--resume-from-checkpoint"], "{command}");
    assert!(Path::new(&resume[2]).join("engine_state.safetensors").is_file(), "{command}");
    // Once more from the command it printed, and then from the newest checkpoint.
    let (code, errors) = interrupt_after(&resume, &log, lines(&log).len() + 6);
    assert_eq!(code, Some(130), "{errors}");
    let run = place.text("broken");
    let last = ["train", "--resume-from-checkpoint", "latest", "--output-dir", &run];
    fails(dsee(&[&last[..], &["--rank", "3"]].concat()), 2, &["--rank = 3", "keeps the settings"]);
    dsee(&last).assert().success().stdout(contains("verified"));

    let told = |run: &str| {
        let lines = lines(&place.path(run).join("trainer_log.jsonl"));
        let pick =
            |line: &Value| [&line["current_steps"], &line["loss"], &line["eval_loss"]].map(Value::clone);
        lines.iter().map(pick).collect::<Vec<_>>()
    };
    assert_eq!(told("broken"), told("unbroken"), "every loss, and none twice");
    let weights = |run: &str| fs::read(place.path(run).join("merged/model.safetensors")).unwrap();
    assert!(weights("broken") == weights("unbroken"), "the tuned weights are equal byte for byte");
}

#[test]
fn a_run_that_fails_says_how_to_go_on() {
    let place = Workplace::new();
    let flags =
        ["--learning-rate", "1e30", "--max-steps", "20", "--logging-steps", "1", "--max-grad-norm", "0"];
    let parts = ["not finite", "smaller learning rate", "go on with", "dsee train --resume-from-checkpoint"];
    fails(place.train("run", &flags), 1, &parts);
    assert!(place.path("run/report.md").is_file(), "what happened until then is recorded");
    let missing = place.text("elsewhere");
    fails(dsee(&["train", "--resume-from-checkpoint", &missing]), 1, &["no such checkpoint", &missing]);
    fails(dsee(&["train", "--resume-from-checkpoint", "latest"]), 1, &["--output-dir"]);
}

#[test]
fn a_run_does_not_go_on_with_other_data() {
    let place = Workplace::new();
    place.train("run", &SHORT).assert().success();
    let text = fs::read_to_string(place.path("train.tsv")).unwrap();
    fs::File::create(place.path("train.tsv"))
        .and_then(|mut file| {
            std::io::Write::write_all(&mut file, text.replacen("\tpos", "\tneg", 1).as_bytes())
        })
        .unwrap();
    let run = place.text("run");
    let resume = dsee(&["train", "--resume-from-checkpoint", "latest", "--output-dir", &run]);
    fails(resume, 1, &["examples are not those the run began with", "put the file back", "SHA-256"]);
}

#[test]
fn without_an_adapter_the_driver_to_install_is_named() {
    let place = Workplace::new();
    let nowhere = ["VK_ICD_FILENAMES", "VK_DRIVER_FILES"].map(|name| (name, "/nonexistent"));
    let mut env = dsee(&["env"]);
    env.envs(nowhere).env("WGPU_BACKEND", "vulkan");
    fails(env, 1, &["no GPU adapter", "apt-get install mesa-vulkan-drivers"]);
    let mut train = dsee(&flags_of(&place.flags("run", &SHORT)));
    train.envs(nowhere).env("WGPU_BACKEND", "vulkan");
    fails(train, 1, &["no GPU adapter", "apt-get install mesa-vulkan-drivers"]);
    assert!(!place.path("run").exists(), "nothing was begun");
}
