//! `cargo xtask check` and `cargo xtask test`: everything that must hold before a change lands.

use anyhow::bail;
use std::time::Instant;

use crate::{setup, shell, web};

/// Format, lints natively and for the web. Every step runs, also after one that failed.
///
/// # Errors
/// If a step failed; names all that did.
pub fn check() -> anyhow::Result<()> {
    let mut steps = Steps::default();
    check_steps(&mut steps);
    steps.finish()
}

/// Set-up, [`check`], and all tests.
///
/// # Errors
/// If a step or a test failed.
pub fn test() -> anyhow::Result<()> {
    let mut steps = Steps::default();
    let start = Instant::now();
    steps.run("set-up", || {
        setup::adapter()?;
        setup::display()?;
        setup::parallel()
    });
    check_steps(&mut steps);
    let mut tally = Tally::default();
    steps.run("tests", || {
        let mut tests = shell::cargo(&["test", "--workspace", "--no-fail-fast"]);
        shell::run_watched(&mut tests, |line| tally.note(line))
    });
    steps.run("browser", web::browser_tests);
    println!("\nall in {:.1} minutes", start.elapsed().as_secs_f64() / 60.0);
    println!("{} passed, {} failed, {} ignored", tally.passed, tally.failed, tally.ignored);
    steps.finish()
}

fn check_steps(steps: &mut Steps) {
    steps.run("format", || shell::run(&mut shell::cargo(&["fmt", "--all", "--check"])));
    steps.run("lints", || {
        shell::run(&mut shell::cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    });
    steps.run("web", || {
        setup::web_target()?;
        shell::run(&mut shell::cargo(&["check", "--package", "dsee-web", "--target", setup::WEB_TARGET]))
    });
}

/// Named steps, and which of them failed.
#[derive(Default)]
struct Steps {
    failed: Vec<&'static str>,
}

impl Steps {
    fn run(&mut self, name: &'static str, step: impl FnOnce() -> anyhow::Result<()>) {
        println!("== {name}");
        let start = Instant::now();
        match step() {
            Ok(()) => println!("== {name}: ok, {:.0} s", start.elapsed().as_secs_f64()),
            Err(error) => {
                println!("== {name}: FAILED\n{error:#}");
                self.failed.push(name);
            }
        }
    }

    fn finish(self) -> anyhow::Result<()> {
        if !self.failed.is_empty() {
            bail!("failed: {}", self.failed.join(", "));
        }
        Ok(())
    }
}

/// Sums over all test programs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: usize,
    failed: usize,
    ignored: usize,
}

impl Tally {
    /// Adds a line such as `test result: ok. 20 passed; 0 failed; 1 ignored; …`; other lines count nothing.
    fn note(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result:").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let (Some(Ok(count)), Some(what)) = (words.next().map(str::parse::<usize>), words.next()) else {
                continue;
            };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_programs_add_up() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test result: ok. 20 passed; 0 failed; 1 ignored; 0 measured; 5 filtered out; finished in 0.00s",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s",
        ] {
            tally.note(line);
        }
        assert_eq!(tally, Tally { passed: 22, failed: 1, ignored: 1 });
    }

    #[test]
    fn one_failure_does_not_hide_the_next() {
        let mut steps = Steps::default();
        steps.run("one", || bail!("first"));
        steps.run("two", || Ok(()));
        steps.run("three", || bail!("second"));
        assert_eq!(steps.failed, ["one", "three"]);
        assert!(steps.finish().is_err());
    }
}
