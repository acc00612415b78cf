//! `cargo xtask web`, `serve` and the browser tests: the page is built by a program of its own, so that the other tasks
//! need not build its tools first.

use std::{ffi::OsString, path::PathBuf};

use anyhow::bail;

use crate::{setup, shell};

/// Builds the static site, `www/dist`.
///
/// # Errors
/// If it does not build or is too large.
pub fn web(flags: &[OsString]) -> anyhow::Result<()> {
    run("web", flags)
}

/// Builds the page and serves it on this machine.
///
/// # Errors
/// As [`web`], and if the port is taken.
pub fn serve(flags: &[OsString]) -> anyhow::Result<()> {
    run("serve", flags)
}

/// Builds page and native program and lets a browser compare them.
///
/// # Errors
/// If something is missing that cannot be installed, does not build, or a test fails.
pub fn browser_tests() -> anyhow::Result<()> {
    setup::browser()?;
    web(&[])?;
    let folder = shell::root().join("tests/web");
    if !folder.join("node_modules/playwright-core").is_dir() {
        let install = &["ci", "--no-audit", "--no-fund", "--loglevel=error"];
        shell::run(shell::command("npm", install).current_dir(&folder))?;
    }
    shell::run(&mut shell::cargo(&["build", "--quiet", "--package", "dsee"]))?;
    let mut tests = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".test.mjs") {
            tests.push(name);
        }
    }
    tests.sort();
    if tests.is_empty() {
        bail!("no browser tests in {}", folder.display());
    }
    // One after the other: they measure, and there may be few cores.
    let mut node = shell::command("node", &["--test", "--test-concurrency=1", "--test-reporter=spec"]);
    shell::run(node.args(tests).current_dir(&folder).env("DSEE", native_program()))
}

fn run(task: &str, flags: &[OsString]) -> anyhow::Result<()> {
    setup::web_target()?;
    let run = &["run", "--quiet", "--package", "dsee-web-build", "--", task];
    shell::run(shell::cargo(run).args(flags))
}

/// Where cargo puts `dsee`.
fn native_program() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| shell::root().join("target"), PathBuf::from);
    target.join("debug").join(format!("dsee{}", std::env::consts::EXE_SUFFIX))
}
