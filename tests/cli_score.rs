//! `dsee score`: figures of two files, in a table and as JSON, and one clear message for every bad input. Needs no GPU.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod cli_support;

use assert_cmd::Command;
use cli_support::{dsee, fails, put};
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

const HYPOTHESES: &str = "the cheap old pub is near the water\na fine tea room for all of the families\n";
const REFERENCES: &str = "the cheap old pub is near the river\nthe pub by the river is old and cheap\n\n\
                          a tea room that is fine for families\n";

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    files.iter().for_each(|(name, bytes)| put(&folder.path().join(name), bytes));
    folder
}

/// `dsee score` in a folder, with `hyp` and these files of references.
fn score(folder: &Path, references: &[&str], flags: &[&str]) -> Command {
    let mut arguments = vec!["score", "--hypotheses", "hyp"];
    references.iter().for_each(|name| arguments.extend(["--references", name]));
    arguments.extend(flags);
    let mut command = dsee(&arguments);
    command.current_dir(folder);
    command
}

fn output(mut command: Command) -> String {
    String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
}

fn refuses(hypotheses: &[u8], references: &[u8], flags: &[&str], code: i32, parts: &[&str]) {
    let folder = folder(&[("hyp", hypotheses), ("ref", references)]);
    fails(score(folder.path(), &["ref"], flags), code, parts);
}

#[test]
fn a_table_of_the_usual_figures() {
    let folder = folder(&[("hyp", HYPOTHESES.as_bytes()), ("ref", REFERENCES.as_bytes())]);
    let table = output(score(folder.path(), &["ref"], &[]));
    let names: Vec<&str> = table.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["bleu", "nist", "meteor-exact-stem", "ter", "rouge-l", "cider", "chrf"], "{table}");
    assert!(!table.contains('\u{1b}'));
}

/// What grows with the square of a segment's length is not begun; the other figures are there.
#[test]
fn very_long_segments_take_no_hours() {
    let long = format!("a cheap pub\n{}\n", "word ".repeat(200_000));
    let folder = folder(&[("hyp", long.as_bytes()), ("ref", long.as_bytes())]);
    let read: Value = serde_json::from_str(&output(score(folder.path(), &["ref"], &["--json"]))).unwrap();
    assert!(read["metrics"]["ter"].is_null() && read["metrics"]["bleu"].is_number(), "{read}");
    let reason = read["about"]["meteor-exact-stem"]["undefined"].as_str().unwrap();
    assert!(reason.contains("segment 2 has 200000 words, more than the 2000"), "{reason}");
}

#[test]
fn groups_and_several_files_give_the_same_numbers() {
    let files: [(&str, &[u8]); 4] = [
        ("hyp", HYPOTHESES.as_bytes()),
        ("ref", REFERENCES.as_bytes()),
        ("ref0", b"the cheap old pub is near the river\na tea room that is fine for families\n"),
        ("ref1", b"the pub by the river is old and cheap\r\n\r\n"),
    ];
    let folder = folder(&files);
    let flags = ["--metric", "BLEU,ter,chrf++", "--metric", "nist,bleu", "--json"];
    let json = |references: &[&str]| -> Value {
        serde_json::from_str(&output(score(folder.path(), references, &flags))).unwrap()
    };
    let found = json(&["ref"]);
    assert_eq!(found, json(&["ref0", "ref1"]));
    assert_eq!((found["n_segments"].as_u64(), found["n_references"].as_u64()), (Some(2), Some(3)));
    let names: Vec<&String> = found["metrics"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["bleu", "ter", "chrf++", "nist"]);
    assert_eq!(found["about"]["ter"]["greater_is_better"], false);
    let bleu = found["metrics"]["bleu"].as_f64().unwrap();
    assert!((bleu - BLEU).abs() < 1e-9, "{bleu}");
}

/// What `measure_scores.py -p` of e2e-metrics computes for the two files.
const BLEU: f64 = 0.4726599367548462;

#[test]
fn undefined_figures_are_null_with_a_reason() {
    let folder = folder(&[("hyp", b"yes\n"), ("ref", b"yes\n")]);
    let found: Value =
        serde_json::from_str(&output(score(folder.path(), &["ref"], &["--metric", "nist", "--json"])))
            .unwrap();
    assert!(found["metrics"]["nist"].is_null());
    assert!(found["about"]["nist"]["undefined"].as_str().unwrap().contains("no 2-grams"), "{found}");
    let table = output(score(folder.path(), &["ref"], &["--metric", "nist"]));
    assert!(table.contains("undefined"), "{table}");
}

#[test]
fn files_that_do_not_belong_together() {
    refuses(b"a\nb\n", b"x\n", &[], 1, &["2 hypotheses", "1 lines of references", "hyp, ref"]);
    refuses(b"a\nb\nc\n", b"x\ny\n\nz\n", &[], 1, &["3 hypotheses", "2 groups of lines", "hyp, ref"]);
    refuses(b"", b"x\n", &[], 1, &["there is no text in the file: hyp"]);
    refuses(b"a\n", b"\n\n", &[], 1, &["there is no text in the file: ref"]);
    refuses(b"a\nb\nc\n", b"x\n\nz\n", &[], 1, &["line 2: segment 2 has an empty reference: ref"]);
    refuses(b"a\n\xff\n", b"x\ny\n", &[], 1, &["line 2 is not UTF-8", ": hyp"]);
}

#[test]
fn files_that_cannot_be_read() {
    let folder = folder(&[("hyp", b"a\n")]);
    fails(score(folder.path(), &["nowhere"], &[]), 1, &["cannot read the file: nowhere", "because"]);
}

#[test]
fn metrics_that_are_not_there() {
    let parts = ["2 of the settings", "metric = blue", "bleu, bleu-moses, ", "metric = rouge", "rouge-l"];
    refuses(b"a\n", b"a\n", &["--metric", "blue,ter,rouge"], 2, &parts);
    let parts = ["metric = meteor", "--meteor", "meteor-exact-stem"];
    refuses(b"a\n", b"a\n", &["--metric", "meteor"], 2, &parts);
}

#[test]
fn meteor_reads_its_tables() {
    let folder = folder(&[
        ("hyp", b"a cheap pub\n"),
        ("ref", b"an inexpensive tavern\n"),
        ("meteor/resources/synonym/english.synsets", b"cheap\n1\ninexpensive\n1\npub\n2\ntavern\n2\n"),
        ("meteor/resources/synonym/english.exceptions", b"be\nis\n"),
        ("meteor/data/paraphrase-en.gz", b"0.5\na\nan\n"),
    ]);
    let flags = ["--meteor", "meteor", "--metric", "meteor,meteor-exact-stem", "--json"];
    let found: Value = serde_json::from_str(&output(score(folder.path(), &["ref"], &flags))).unwrap();
    assert!(found["metrics"]["meteor"].as_f64().unwrap() > 0.3, "{found}");
    assert_eq!(found["metrics"]["meteor-exact-stem"], 0.0);

    put(&folder.path().join("meteor/resources/synonym/english.synsets"), b"cheap\nword\n");
    fails(score(folder.path(), &["ref"], &flags), 1, &["english.synsets", "line 2: expected numbers"]);
    fails(score(folder.path(), &["ref"], &["--meteor", "."]), 1, &["line 2: expected numbers"]);
    std::fs::remove_file(folder.path().join("meteor/data/paraphrase-en.gz")).unwrap();
    put(&folder.path().join("meteor/resources/synonym/english.synsets"), b"cheap\n1\n");
    fails(score(folder.path(), &["ref"], &flags), 1, &["there is no paraphrase-en.gz", "meteor"]);
}
