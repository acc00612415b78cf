//! Studies through the command line: comparing methods, tables of the paper, going on after a kill, shards and their
//! join. Needs an adapter.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod cli_support;

use cli_support::{Workplace, decoder::tiny_decoder, dsee, fails, flags_of, json, put, tiny_bert};
use predicates::{prelude::PredicateBooleanExt, str::contains};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// `dsee compare` of LoRA and full fine-tuning with two seeds, on the tiny model.
fn compare(place: &Workplace, folder: &str, more: &[&str]) -> Vec<String> {
    let train = place.flags(folder, &["--max-steps", "6", "--logging-steps", "2", "--methods", "lora,full"]);
    let fixed = ["compare", "--seeds", "1,2"].map(str::to_owned);
    let more = more.iter().map(ToString::to_string);
    fixed.into_iter().chain(train.into_iter().skip(1)).chain(more).collect()
}

/// What a study prints as JSON, without what takes another time each time.
fn timeless(mut value: Value) -> Value {
    for arm in value["arms"].as_array_mut().unwrap() {
        arm["seconds"].take();
    }
    for run in value["runs"].as_array_mut().unwrap() {
        run["seconds"].take();
    }
    value["notes"].take();
    value
}

#[test]
fn methods_are_compared_once_and_for_all() {
    let place = Workplace::new();
    let flags = compare(&place, "all", &["--json"]);
    let first = json(dsee(&flags_of(&flags)));
    assert_eq!((&first["n_done"], &first["n_planned"]), (&4.into(), &4.into()));
    let lora = &first["arms"][0];
    assert_eq!(lora["cells"][0]["value"]["n"], 2);
    assert!(lora["cells"][0]["value"]["sd"].is_number(), "{lora}");
    assert!(lora["trainable_parameters"].as_u64() < first["arms"][1]["trainable_parameters"].as_u64());

    // Every run is an ordinary run folder, without what only matters for going on.
    let run = place.path("all/data-lora-seed2");
    for name in ["run.toml", "trainer_log.jsonl", "report.html", "adapter/adapter_model.safetensors"] {
        assert!(run.join(name).is_file(), "{name}");
    }
    assert!(!run.join("checkpoint-6").exists() && !run.join("merged").exists());
    let evaluated = json(dsee(&["eval", "--run", run.to_str().unwrap(), "--json"]));
    let told = first["runs"].as_array().unwrap().iter().find(|one| one["run"] == "data-lora-seed2").unwrap();
    assert_eq!(evaluated["metrics"]["accuracy"], told["metrics"]["accuracy"]);

    // Done is done: the same command only prints, and another one is refused.
    let log = fs::metadata(run.join("trainer_log.jsonl")).unwrap().modified().unwrap();
    dsee(&flags_of(&flags[..flags.len() - 1]))
        .assert()
        .success()
        .stdout(contains("| lora |").and(contains("±")))
        .stderr(contains("4 of 4 runs are done already"));
    assert_eq!(fs::metadata(run.join("trainer_log.jsonl")).unwrap().modified().unwrap(), log);
    let html = fs::read_to_string(place.path("all/report.html")).unwrap();
    assert!(
        html.contains("training loss, smoothed") && html.contains("line s1 d0"),
        "curves over each other"
    );
    let others = compare(&place, "all", &["--learning-rate", "1e-3"]);
    fails(dsee(&flags_of(&others)), 1, &["another study", "learning_rate"]);

    shards_come_to_the_same(&place, &first);
}

/// Two shards at the same time, each in its own folder, and their join.
fn shards_come_to_the_same(place: &Workplace, whole: &Value) {
    let shard = |part: &str, folder: &str| {
        let flags = compare(place, folder, &["--shard", part]);
        let (out, errors) = (Stdio::null(), Stdio::piped());
        Command::new(env!("CARGO_BIN_EXE_dsee")).args(flags).stdout(out).stderr(errors).spawn().unwrap()
    };
    let parts = [shard("1/2", "a"), shard("2/2", "b")];
    for part in parts {
        let output = part.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let (a, b, joined) = (place.text("a"), place.text("b"), place.text("joined"));
    let merged = json(dsee(&["compare", "--json", "--output-dir", &joined, "--merge", &a, &b]));
    assert_eq!(timeless(merged), timeless(whole.clone()));
    assert!(place.path("joined/report.html").is_file());

    fails(dsee(&["compare", "--merge", &a]), 1, &["missing: data-", "run the missing shards"]);
    fails(dsee(&["compare", "--merge", &a, &b, &place.text("all")]), 1, &["double: data-lora-seed1 is in"]);
    fails(dsee(&["reproduce", "t1", "--merge", &a, &b]), 1, &["holds the study compare, not t1"]);
    fails(dsee(&["compare", "--merge", &a, &place.text("none")]), 1, &["no study.json"]);
    let manifest = fs::read_to_string(place.path("b/study.json")).unwrap();
    put(&place.path("b/study.json"), manifest.replace("\"32\"", "\"24\"").as_bytes());
    fails(dsee(&["compare", "--merge", &a, &b]), 1, &["cannot be joined", "max_length: 24 there, 32 here"]);
}

/// Starts a study, kills it once `log` has `n_lines` lines, and waits for its end.
fn kill_after(flags: &[String], log: &Path, n_lines: usize, signal: &str) -> (Option<i32>, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_dsee"))
        .args(flags)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    let n_now = || fs::read_to_string(log).unwrap_or_default().lines().count();
    while n_now() < n_lines && start.elapsed() < Duration::from_secs(90) {
        std::thread::sleep(Duration::from_millis(5));
    }
    Command::new("kill").args([signal, &run.id().to_string()]).status().unwrap();
    let output = run.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[cfg(unix)]
#[test]
fn a_study_goes_on_after_a_kill_and_an_interrupt() {
    let place = Workplace::new();
    let more = ["--max-steps", "40", "--save-strategy", "steps", "--save-steps", "2", "--logging-steps", "1"];
    let flags = |folder: &str| compare(&place, folder, &more);
    let whole = json(dsee(&flags_of(&[flags("whole"), vec!["--json".to_owned()]].concat())));

    // Killed within the first run, interrupted within the second: both go on where they were.
    let broken = flags("broken");
    let (code, _) = kill_after(&broken, &place.path("broken/data-lora-seed1/trainer_log.jsonl"), 8, "-KILL");
    assert_eq!(code, None);
    let (code, errors) =
        kill_after(&broken, &place.path("broken/data-full-seed1/trainer_log.jsonl"), 8, "-INT");
    assert_eq!(code, Some(130), "{errors}");
    assert!(errors.contains("resumed   at step"), "the killed run went on\n{errors}");
    let again = errors.lines().last().unwrap().trim();
    let words: Vec<&str> = again.split_whitespace().skip(1).collect();
    assert_eq!(words, flags_of(&broken), "{again}");
    let last = json(dsee(&[&words[..], &["--json"]].concat()));
    assert_eq!(timeless(last), timeless(whole));
}

#[test]
fn rows_with_and_without_pruning_make_the_same_steps() {
    let place = Workplace::new();
    let methods = "lora+prune=none,dsee,bert-tickets+prune=unstructured:0.3";
    let train = place.flags("equal", &["--logging-steps", "1", "--methods", methods, "--total-steps", "8"]);
    let flags = [&["compare", "--seeds", "1"], &flags_of(&train)[1..]].concat();
    let result = json(dsee(&[&flags[..], &["--json"]].concat()));
    assert_eq!((&result["n_done"], &result["n_planned"]), (&3.into(), &3.into()));
    assert!(
        result["notes"].to_string().contains("every run makes 8 optimizer steps in all"),
        "{}",
        result["notes"]
    );
    for run in result["runs"].as_array().unwrap() {
        let log = fs::read_to_string(
            place.path(&format!("equal/{}/trainer_log.jsonl", run["run"].as_str().unwrap())),
        );
        let lines = log.unwrap();
        let steps = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let last = steps.filter_map(|line| line["current_steps"].as_u64()).max();
        assert_eq!(last, Some(8), "{run}");
    }
    let other: Vec<&str> = flags.iter().map(|&flag| if flag == "8" { "10" } else { flag }).collect();
    fails(dsee(&other), 1, &["another study", "max_steps: 8 there, 10 here"]);
    let both = [&flags[..], &["--max-steps", "4"]].concat();
    fails(dsee(&both), 2, &["--max-steps = 4", "name --total-steps or --max-steps, not both"]);
}

/// The report tells the sizes that were used, also where `--quick` has shortened them.
#[test]
fn a_quick_study_tells_what_it_judged_by() {
    let place = Workplace::new();
    let rows: String =
        (0..210).map(|i| format!("the movie {i} was good\t{}\n", ["neg", "pos"][i % 2])).collect();
    put(&place.path("dev.tsv"), format!("text\tlabel\n{rows}").as_bytes());
    let dev = place.text("dev.tsv");
    let flags = place
        .flags("quick", &["--validation-file", &dev, "--methods", "lora", "--max-steps", "2", "--quick"]);
    let command = [&["compare"], &flags_of(&flags)[1..]].concat();
    dsee(&command).assert().success().stdout(contains("to train, 200 to validate"));

    // A run of which nothing but its settings is left was killed before its first checkpoint: it begins again.
    let run = place.path("quick/data-lora-seed1");
    let settings = fs::read(run.join("run.toml")).unwrap();
    fs::remove_dir_all(&run).unwrap();
    put(&run.join("run.toml"), &settings);
    dsee(&command).assert().success().stderr(contains("resumed   at step 0"));
}

/// Data folders as a table looks for them.
fn task_folder(place: &Workplace) -> String {
    let mut text = "sentence\tlabel\n".to_owned();
    for i in 0..40 {
        let (word, label) = [("good", 1), ("bad", 0), ("great", 1), ("not good", 0)][i % 4];
        text.push_str(&format!("the movie {} was {word}\t{label}\n", i * 7));
    }
    put(&place.path("data/sst2/train.tsv"), text.as_bytes());
    put(&place.path("data/sst2/dev.tsv"), text.as_bytes());
    place.text("data")
}

#[test]
fn a_table_runs_on_the_embedded_model_and_judges_its_claims() {
    let place = Workplace::new();
    let (data, output) = (task_folder(&place), place.text("t6"));
    let flags = ["reproduce", "t6", "--data", &data, "--tasks", "sst2", "--seeds", "3", "--max-steps", "2"];
    let flags = [&flags[..], &["--per-device-train-batch-size", "8", "--output-dir", &output]].concat();
    let flags = [&flags[..], &["--set", "full+learning_rate=1e-3,heads-9+learning-rate=5e-3"]].concat();
    let result = json(dsee(&[&flags[..], &["--json"]].concat()));
    assert_eq!(result["study"], "t6");
    assert_eq!(result["n_done"], result["n_planned"]);
    let arms = result["arms"].as_array().unwrap();
    let arm = |id: &str| arms.iter().find(|arm| arm["arm"] == id).unwrap();
    let rate = |id: &str| {
        let run = fs::read_to_string(place.path(&format!("t6/sst2-{id}-seed3/run.toml"))).unwrap();
        run.lines().find(|line| line.starts_with("learning_rate")).unwrap_or_default().to_owned()
    };
    assert_eq!(["full", "heads-9"].map(rate), ["learning_rate = 0.001", "learning_rate = 0.005"]);
    let notes = result["notes"].to_string();
    assert!(notes.contains("Fine-tune has settings of its own by --set: learning_rate = 1e-3"), "{notes}");
    let flops = |id: &str| arm(id)["flops_linear"].as_f64().unwrap();
    assert!(flops("heads-9") < flops("heads-3") && flops("heads-3") < flops("full"));
    let claims = result["claims"].as_array().unwrap();
    assert_eq!(claims.len(), 5);
    let numbers = claims[0]["evidence"][0]["numbers"].as_str().unwrap();
    assert!(numbers.starts_with("SST-2: DSEE, 3 of 12 heads removed "), "{numbers}");
    let verdicts: Vec<&str> = claims.iter().map(|claim| claim["verdict"].as_str().unwrap()).collect();
    let not_run = claims[0]["evidence"][1]["is_so"].is_null();
    assert!(not_run && verdicts[0] != "holds", "MNLI was not run: {verdicts:?}");
    dsee(&flags).assert().success().stdout(contains("SST-2 accuracy").and(contains("not measured")));
}

/// The example of `docs/reproduction.md`, word for word but for flags that make it short, and shards that share a folder.
#[cfg(unix)]
#[test]
fn the_documented_example_of_gnu_parallel_runs() {
    let place = Workplace::new();
    task_folder(&place);
    std::os::unix::fs::symlink(tiny_bert().canonicalize().unwrap(), place.path("model")).unwrap();
    let document = fs::read_to_string("../docs/reproduction.md").unwrap();
    let example: Vec<&str> = document
        .lines()
        .skip_while(|line| !line.starts_with("parallel dsee "))
        .take_while(|line| !line.starts_with("```"))
        .collect();
    assert_eq!(example.len(), 2, "the example divides and joins: {example:?}");
    let short = "--data data --tasks sst2 --seeds 1 --max-steps 2 --eval-strategy no --save-strategy no";
    let shell = |line: &str| {
        let program = Path::new(env!("CARGO_BIN_EXE_dsee")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let line = line.replace("--data data", short);
        let output =
            Command::new("sh").args(["-c", &line]).current_dir(place.path("")).env("PATH", path).output();
        let output = output.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{line} (GNU parallel is a package of its own)\n{errors}");
        (String::from_utf8(output.stdout).unwrap(), errors)
    };
    shell(example[0]);
    let (joined, _) = shell(example[1]);
    assert!(joined.contains("UV + S, GreBsmo, rank R") && joined.contains("SST-2 accuracy"), "{joined}");
    assert!(!joined.contains("are not done"), "{joined}");

    // Shards may have one folder: what is left to do afterwards is nothing.
    let shared = example[0].replace("runs/t1-{}", "runs/shared");
    assert_ne!(shared, example[0]);
    shell(&shared);
    let whole = shared.replace("parallel ", "").replace("--shard {}/4", "").replace(" ::: 1 2 3 4", "");
    let (table, errors) = shell(&whole);
    assert!(errors.contains("6 of 6 runs are done already"), "{errors}");
    let rows = |text: &str| {
        let of_table = text.lines().filter(|line| line.starts_with("| UV")).map(|line| {
            let cells: Vec<&str> = line.split('|').collect();
            cells[..cells.len() - 2].join("|")
        });
        of_table.collect::<Vec<String>>()
    };
    assert_eq!(rows(&table), rows(&joined), "but for the seconds");
}

#[test]
fn counts_are_exact() {
    dsee(&["reproduce", "counts"])
        .assert()
        .success()
        .stdout(contains("| 590208 | 590208 | equal |").and(contains("differs").not()));
    let counts = json(dsee(&["reproduce", "counts", "--json"]));
    assert_eq!(counts["n"], counts["n_exact"]);
    assert!(counts["n"].as_u64().unwrap() > 45);
}

#[test]
fn wrong_studies_are_refused_before_anything_runs() {
    let place = Workplace::new();
    let model = tiny_bert();
    let model = ["--model", model.to_str().unwrap(), "--max-length", "32"];
    let with = |args: &[&str]| dsee(&[args, &model].concat());
    fails(with(&["reproduce", "t8"]), 2, &["t8", "fig2"]);
    fails(with(&["compare", "--shard", "3/2"]), 2, &["no shard 3 of 2"]);
    fails(with(&["compare", "--shard", "half"]), 2, &["is not I/N"]);
    fails(with(&["compare", "--methods", "lora,ia3"]), 2, &["no method `ia3`", "bitfit"]);
    let set = ["compare", "--method", "lora", "--seed", "1", "--rank", "0"];
    fails(with(&set), 2, &["use --methods", "use --seeds", "--rank = 0"]);
    fails(with(&["compare", "--methods", "dsee", "--rank", "99"]), 2, &["--rank = 99", "32"]);
    fails(with(&["compare", "--methods", "dsee+rank=0,lora"]), 2, &["dsee-rank-0+rank = 0"]);
    let few = ["compare", "--methods", "bert-tickets+prune=unstructured:0.5", "--total-steps", "3"];
    fails(with(&few), 2, &["--total-steps = 3", "has 6 phases", "use 6 or more"]);
    fails(with(&["compare", "--seeds", "1,2,1"]), 2, &["--seeds = 1", "named twice"]);
    let train = place.text("train.tsv");
    let other = ["compare", "--train-file", &train, "--metric-for-best-model", "f1-macro", "--top-k", "3"];
    fails(with(&other), 2, &["--metric-for-best-model"]);
    let other = ["compare", "--train-file", &train, "--metric-for-best-model", "f1_macro"];
    fails(with(&other), 2, &["--metric-for-best-model = f1_macro", "no such figure", "accuracy, f1,"]);
    fails(
        with(&["compare", "--train-file", &train, "--top-k", "3"]),
        2,
        &["--top-k = 3", "no text is written"],
    );

    let nowhere = "http://127.0.0.1:9";
    let mut of_hub = with(&["reproduce", "t1", "--tasks", "sst2"]);
    of_hub.env("HF_ENDPOINT", nowhere).env("DSEE_CACHE", place.text("cache"));
    fails(of_hub, 1, &["nyu-mll/glue", "--train-file"]);
    let data = task_folder(&place);
    let looked_for = [
        "no train file of rte: looked for train, trainset, train_sample",
        "no validation file of cola",
        "mrpc",
    ];
    fails(with(&["reproduce", "t1", "--data", &data]), 1, &looked_for);
    fails(with(&["reproduce", "t1", "--data", &data, "--tasks", "qnli"]), 2, &["no task of t1", "mrpc"]);
    let set = ["reproduce", "t6", "--data", &data, "--tasks", "sst2", "--set"];
    let wrong = "lora,fool+learning_rate=1e-4,full+prune=none,full+seed=3,full+speed=3";
    let reasons = [
        "sets nothing",
        "t6 has no row `fool`",
        "earlybert",
        "`prune` is what t6 compares",
        "`seed`",
        "speed=3",
    ];
    fails(with(&[&set[..], &[wrong]].concat()), 2, &reasons);
    let varied = ["reproduce", "t6", "--data", &data, "--tasks", "sst2", "--task", "rte"];
    fails(with(&varied), 2, &["use --tasks"]);
    put(&place.path("data/e2e/train.txt"), b"name : A||A is a pub.\nname : B||B is a pub.\n");
    put(&place.path("data/e2e/dev.txt"), b"name : C||C is a pub.\n");
    let texts = ["reproduce", "t2", "--data", &data, "--tasks", "e2e"];
    fails(with(&texts), 1, &["t2 is about texts", "name a decoder"]);
    let idle = text_table(&place, "t2", &["--temperature", "0.5", "--top-k", "5"]);
    fails(dsee(&flags_of(&idle)), 2, &["--temperature = 0.5", "nothing is drawn", "--top-k = 5"]);
}

/// `dsee reproduce` of a table about texts, on the tiny decoder.
fn text_table(place: &Workplace, table: &str, more: &[&str]) -> Vec<String> {
    tiny_decoder(&place.path(""));
    for name in ["train.txt", "dev.txt"] {
        put(&place.path(&format!("data/e2e/{name}")), &fs::read(place.path("train.txt")).unwrap());
    }
    let paths = [place.text("model"), place.text("data"), place.text(table)];
    let [model, data, output] = paths.each_ref().map(String::as_str);
    let flags =
        ["reproduce", table, "--model", model, "--data", data, "--output-dir", output, "--tasks", "e2e"];
    let sizes = ["--seeds", "1", "--max-length", "64", "--max-new-tokens", "10", "--num-beams", "2"];
    flags.iter().chain(&sizes).chain(more).map(ToString::to_string).collect()
}

#[test]
fn texts_are_written_and_judged_by_their_own_figures() {
    let place = Workplace::new();
    let flags = text_table(&place, "t2", &["--quick", "--max-steps", "6"]);
    let result = json(dsee(&[&flags_of(&flags)[..], &["--json"]].concat()));
    assert_eq!((&result["n_done"], &result["n_planned"]), (&4.into(), &4.into()));
    let cells = result["arms"][0]["cells"].as_array().unwrap();
    let names: Vec<&str> = cells.iter().map(|cell| cell["metric"].as_str().unwrap()).collect();
    assert_eq!(names, ["bleu", "nist", "meteor-exact-stem", "rouge-l", "cider"]);
    let run = place.path("t2/e2e-lora-4-seed1");
    assert_eq!(fs::read_to_string(run.join("texts/hypotheses.txt")).unwrap().lines().count(), 6);
    let figures: Value = serde_json::from_slice(&fs::read(run.join("texts/figures.json")).unwrap()).unwrap();
    let bleu = figures["metrics"]["bleu"].as_f64().unwrap();
    assert!((cells[0]["value"]["mean"].as_f64().unwrap() - 100.0 * bleu).abs() < 1e-9, "in points");
    let claims = result["claims"].as_array().unwrap();
    let evidence = &claims[2]["evidence"][0];
    assert!(
        evidence["is_so"].is_boolean() && evidence["numbers"].as_str().unwrap().starts_with("E2E bleu: ")
    );
    assert_eq!(claims[0]["verdict"], "not_measured", "WebNLG and DART were not run");

    // A run that was trained and not written for is only written for.
    fs::remove_file(run.join("texts/figures.json")).unwrap();
    dsee(&flags_of(&flags))
        .assert()
        .success()
        .stdout(contains("E2E bleu").and(contains("E2E nist")))
        .stderr(contains("3 of 4 runs are done already").and(contains("6 of 6 are there already")));
}

#[test]
fn every_row_of_the_decoders_is_written_for() {
    let place = Workplace::new();
    let flags =
        text_table(&place, "t4", &["--max-steps", "2", "--retune-epochs", "1", "--warmup-steps", "1"]);
    let result = json(dsee(&[&flags_of(&flags)[..], &["--json"]].concat()));
    assert_eq!((&result["n_done"], &result["n_planned"]), (&7.into(), &7.into()));
    for run in result["runs"].as_array().unwrap() {
        assert!(run["metrics"]["bleu"].is_number() && run["metric"] == "bleu", "{run}");
    }
    let beats = &result["claims"][0]["evidence"][0];
    assert!(beats["is_so"].is_boolean(), "{beats}");
    assert_eq!(result["claims"][2]["verdict"], "does_not_hold", "no tiny decoder reaches 69.5");
}

#[test]
fn the_mismatched_set_is_evaluated_beside_the_matched() {
    let place = Workplace::new();
    let lines = |n: usize, word: &str| {
        let line = |i: usize| {
            let label = ["entailment", "neutral", "contradiction"][i % 3];
            format!("the {word} {i} is good\tit is {}\t{label}\n", ["good", "old", "bad"][i % 3])
        };
        format!("sentence1\tsentence2\tgold_label\n{}", (0..n).map(line).collect::<String>())
    };
    for (name, n, word) in [("train.tsv", 30, "film"), ("dev.tsv", 9, "film"), ("mm.tsv", 6, "song")] {
        put(&place.path(name), lines(n, word).as_bytes());
    }
    let (dev, mm) = (place.text("dev.tsv"), place.text("mm.tsv"));
    let files = ["--task", "mnli", "--validation-file", &dev, "--validation-mismatched-file", &mm];
    let more = ["--max-steps", "4", "--method", "lora", "--prune", "none"];
    place.train("run", &[&files[..], &more].concat()).assert().success();
    // Hypotheses alone are no pairs.
    fails(
        dsee(&["predict", "--run", &place.text("run"), "the film is good"]),
        1,
        &["pairs of texts", "--input"],
    );
    let model = ["train", "--model", &place.text("run"), "--train-file", &dev];
    fails(dsee(&model), 1, &["the folder of a run", "merged"]);
    let log = fs::read_to_string(place.path("run/trainer_log.jsonl")).unwrap();
    assert!(log.contains("eval_accuracy_mm"), "{log}");
    let run = place.text("run");
    let both = json(dsee(&["eval", "--run", &run, "--json"]));
    assert_eq!((&both["n_examples"], &both["n_mismatched"]), (&9.into(), &6.into()));
    // Each set alone has the same accuracy as in both together.
    for (file, name) in [(&dev, "accuracy"), (&mm, "accuracy_mm")] {
        let alone = json(dsee(&["eval", "--run", &run, "--validation-file", file, "--json"]));
        assert_eq!(alone["metrics"]["accuracy"], both["metrics"][name], "{name}");
    }
    assert!(fs::read_to_string(place.path("run/report.md")).unwrap().contains("accuracy"));
}
