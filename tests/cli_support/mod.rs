//! What the tests of the command line share: the program, the golden tiny BERT, and a small labelled file.
#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "tests fail by panicking, and no test file needs all of this"
)]

pub mod decoder;

use assert_cmd::Command;
use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

/// The program with these arguments.
pub fn dsee(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dsee"));
    command.args(args).env_remove("RUST_LOG");
    command
}

/// The model folder: 2 layers of 4 heads, hidden size 32, 40 positions.
pub fn tiny_bert() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/tiny_bert")
}

/// Makes a file, and its folder.
pub fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    File::create(path).unwrap().write_all(bytes).unwrap();
}

/// A folder of the test with a labelled file, and the flags of a run on both.
pub struct Workplace {
    folder: tempfile::TempDir,
}

impl Workplace {
    /// With 60 examples of two classes in `train.tsv`, lines ended as on Windows.
    pub fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        let mut text = "sentence\tlabel\r\n".to_owned();
        for i in 0..60 {
            let (word, label) =
                [("good", "pos"), ("bad", "neg"), ("great", "pos"), ("not good", "neg")][i % 4];
            text.push_str(&format!("the movie {} was {word}\t{label}\r\n", i * 7));
        }
        put(&place.path("train.tsv"), text.as_bytes());
        place
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text.
    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// `dsee train` into the run folder `run`, on the tiny model and the file, with more flags.
    pub fn train(&self, run: &str, flags: &[&str]) -> Command {
        dsee(&flags_of(&self.flags(run, flags)))
    }

    /// The arguments of [`Workplace::train`].
    pub fn flags(&self, run: &str, flags: &[&str]) -> Vec<String> {
        let (model, data, run) = (tiny_bert(), self.text("train.tsv"), self.text(run));
        let fixed = ["--model", model.to_str().unwrap(), "--train-file", &data, "--output-dir", &run];
        let sizes = ["--max-length", "32", "--rank", "4", "--nnz", "8", "--per-device-train-batch-size", "8"];
        let all = ["train"].iter().chain(&fixed).chain(&sizes).chain(flags);
        all.map(ToString::to_string).collect()
    }
}

/// Owned arguments as borrowed ones.
pub fn flags_of(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).collect()
}

/// The JSON that a command printed on stdout, and nothing else.
pub fn json(mut command: Command) -> serde_json::Value {
    let assert = command.assert().success();
    serde_json::from_slice(&assert.get_output().stdout).unwrap()
}

/// Runs a command that fails with `code`, prints nothing on stdout, and says all `parts` on stderr.
pub fn fails(mut command: Command, code: i32, parts: &[&str]) {
    let assert = command.assert().code(code).stdout("");
    let errors = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    for part in parts {
        assert!(errors.contains(part), "`{part}` is not in\n{errors}");
    }
}
