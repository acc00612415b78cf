//! The window from outside: opened on a display in memory, photographed by itself, and refused where there is none.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod cli_support;

use cli_support::{Workplace, dsee};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Longest time a window may take on a software adapter under load.
const PATIENCE: Duration = Duration::from_secs(120);

/// A display in memory; it ends with this value.
struct Display {
    server: Child,
    name: String,
}

impl Display {
    fn open() -> Self {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1400x900x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the window is tested on Xvfb: `cargo xtask setup` installs it");
        let mut number = String::new();
        let stdout = server.stdout.take().expect("it was asked for");
        BufReader::new(stdout).read_line(&mut number).expect("Xvfb says its number");
        Self { server, name: format!(":{}", number.trim()) }
    }

    /// The window on this display, with everything it keeps in `place`.
    fn window(&self, place: &Path, arguments: &[&str]) -> assert_cmd::Command {
        let mut command = dsee(&["window"]);
        command.args(arguments).current_dir(place).timeout(PATIENCE);
        command.env("DISPLAY", &self.name).env("DSEE_CACHE", place.join("cache"));
        command.env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
        command
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

/// Width and height of a PNG file that shows more than one colour.
fn size_of_picture(path: &Path) -> (u32, u32) {
    let bytes = fs::read(path).unwrap();
    assert_eq!(&bytes[1..4], b"PNG");
    // A picture of nothing packs into a few hundred bytes.
    assert!(bytes.len() > 5_000, "only {} bytes", bytes.len());
    let side = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (side(16), side(20))
}

#[test]
fn the_window_opens_and_shows_itself() {
    let place = tempfile::tempdir().unwrap();
    let display = Display::open();
    display.window(place.path(), &["--screenshot", "window.png"]).assert().success();
    let (width, height) = size_of_picture(&place.path().join("window.png"));
    assert!(width >= 390 && height >= 480, "{width} x {height}");
    assert!(place.path().join("cache/window.json").exists(), "the size is kept");
}

#[test]
fn a_run_of_the_command_line_opens_in_the_window() {
    let place = Workplace::new();
    let flags = ["--num-train-epochs", "1", "--max-train-samples", "16", "--retune-epochs", "0"];
    place.train("run", &flags).assert().success();
    let display = Display::open();
    let run = place.text("run");
    display.window(&place.path("."), &[run.as_str(), "--screenshot", "run.png"]).assert().success();
    size_of_picture(&place.path("run.png"));
}

/// Longest time to the first drawn frame: two seconds, five times as much where two cores do everything in software.
const FIRST_FRAME: Duration = Duration::from_secs(2 * 5);
/// Longest time of 95 frames in 100, in milliseconds, likewise.
const MOST_MS: f64 = 33.0 * 5.0;

#[test]
fn the_window_is_there_soon_and_drawn_quickly_during_a_run() {
    let place = tempfile::tempdir().unwrap();
    let display = Display::open();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dsee"));
    command.args(["window", "--frames", "--json"]).current_dir(place.path());
    command.env("DISPLAY", &display.name).env("DSEE_CACHE", place.path().join("cache"));
    command.env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET").env_remove("RUST_LOG");
    let start = Instant::now();
    let mut window = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(window.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<serde_json::Value>(&lines.next().unwrap().unwrap()).unwrap();
    let first = next();
    // From outside, so that loading the program counts.
    let opened = start.elapsed();
    let told = Duration::from_secs_f64(first["first_frame_seconds"].as_f64().unwrap());
    assert!(told <= opened && opened < FIRST_FRAME, "{told:?} of {opened:?}");
    let measured = next();
    println!("first frame after {opened:?}; {measured}");
    assert!(window.wait().unwrap().success());
    let frames = &measured["frames"];
    assert!(frames["n_frames"].as_u64().unwrap() >= 20, "{measured}");
    assert!(frames["p95_ms"].as_f64().unwrap() < MOST_MS, "{measured}");
    let left = fs::read_dir(place.path().join("runs")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "the run is thrown away");
}

#[test]
fn without_a_display_the_command_line_is_named() {
    for arguments in [&[][..], &["window"]] {
        let mut command = dsee(arguments);
        for name in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"] {
            command.env_remove(name);
        }
        let failed = command.timeout(PATIENCE).assert().code(2);
        let text = String::from_utf8_lossy(&failed.get_output().stderr).into_owned();
        assert!(text.contains("no display") && text.contains("dsee train --help"), "{text}");
    }
    // A display that is named and not there.
    let failed =
        dsee(&[]).env("DISPLAY", ":4242").env_remove("WAYLAND_DISPLAY").timeout(PATIENCE).assert().code(2);
    let text = String::from_utf8_lossy(&failed.get_output().stderr).into_owned();
    assert!(text.contains("cannot be opened") && text.contains("dsee train --help"), "{text}");
}
