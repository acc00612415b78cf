//! Running other programs: shown, watched, and bounded in time where they may hang.

use anyhow::{Context as _, bail};
use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// The repository's root.
pub fn root() -> PathBuf {
    let xtask = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().map(PathBuf::from).unwrap_or(xtask)
}

/// A command of `program` with `args`, run in the repository's root.
pub fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    // Mesa's loader asks for a display by it and complains on machines that have neither.
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    }
    command
}

/// cargo, the same that runs us.
pub fn cargo(args: &[&str]) -> Command {
    command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()), args)
}

/// Runs a command and shows what it prints.
///
/// # Errors
/// If it cannot be started or fails.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let words = words(command);
    let status = command.status().with_context(|| format!("cannot start: {words}"))?;
    if !status.success() {
        bail!("failed ({status}): {words}");
    }
    Ok(())
}

/// Runs a command, shows what it prints, and hands every line of its standard output to `watch` as well.
///
/// # Errors
/// If it cannot be started or fails.
pub fn run_watched(command: &mut Command, mut watch: impl FnMut(&str)) -> anyhow::Result<()> {
    let words = words(command);
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start: {words}"))?;
    for line in child.stdout.take().into_iter().flat_map(|output| BufReader::new(output).lines()) {
        let line = line.context("cannot read what it prints")?;
        println!("{line}");
        watch(&line);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("failed ({status}): {words}");
    }
    Ok(())
}

/// Runs a command quietly, for at most `limit`; then it is ended.
///
/// # Errors
/// If it cannot be started, fails or takes too long. Says what it printed on standard error.
pub fn run_bounded(command: &mut Command, limit: Duration) -> anyhow::Result<()> {
    let words = words(command);
    let output = tempfile::tempfile().context("cannot make a temporary file")?;
    let copy = output.try_clone()?;
    let mut child = command
        .stdout(Stdio::null())
        .stderr(copy)
        .spawn()
        .with_context(|| format!("cannot start: {words}"))?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            if status.success() {
                return Ok(());
            }
            bail!("failed ({status}): {words}\n{}", last_lines(output)?);
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("took longer than {} s: {words}", limit.as_secs());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The end of what was printed: enough to see the reason.
fn last_lines(mut output: std::fs::File) -> anyhow::Result<String> {
    use std::io::{Read as _, Seek as _};
    let mut text = String::new();
    output.rewind()?;
    output.read_to_string(&mut text)?;
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(5)..].join("\n"))
}

fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[cfg(unix)]
    #[test]
    fn slow_programs_are_ended() {
        let start = Instant::now();
        let error = run_bounded(&mut command("sleep", &["30"]), Duration::from_millis(200)).unwrap_err();
        assert!(error.to_string().contains("longer"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[cfg(unix)]
    #[test]
    fn refusals_are_readable() {
        let script = &["-c", "echo the reason >&2; exit 3"];
        let error = run_bounded(&mut command("sh", script), Duration::from_secs(20)).unwrap_err();
        assert!(error.to_string().contains("the reason"), "{error}");
    }
}
