//! Runs that change hands: begun in the window and killed, gone on with by the command line, and the other way round. Each
//! ends with the curve of a run that was never interrupted. Needs an adapter.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
use super::shell::{Places, Shell, Told};
use crate::{
    gpu_args::GpuArgs,
    resume::ResumePoint,
    run_folder::{LOG_FILE, RunFolder, STATE_FILE},
    run_inputs, run_lock, training,
};
use dsee_core::{
    config::RunConfigDraft,
    protocol::{Command, Event, RunEvent, Settings},
};
use dsee_ui::Action;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Longest time any of this may take on a software adapter under load.
const PATIENCE: Duration = Duration::from_secs(120);
const STEPS: usize = 12;

fn settings(more: &[(&str, &str)]) -> Settings {
    let steps = STEPS.to_string();
    let all =
        [("method", "dsee"), ("rank", "4"), ("nnz", "8"), ("max_steps", &steps), ("logging_steps", "1")];
    let some = [("max_train_samples", "64"), ("eval_strategy", "no"), ("prune", "none")];
    let pairs = all.iter().chain(&some).chain(more);
    pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What `dsee train` does.
fn train(path: &Path, settings: &Settings) {
    let draft: RunConfigDraft = settings.iter().collect();
    let config = draft.with("output_dir", &path.display().to_string()).check().unwrap();
    let inputs = run_inputs::read(&config).unwrap_or_else(|failure| panic!("{failure}"));
    training::begin(config, inputs, None, GpuArgs::default()).unwrap_or_else(|failure| panic!("{failure}"));
}

/// Step and loss of every line of the log.
fn losses(run: &Path) -> Vec<(u64, f64)> {
    let log = fs::read_to_string(run.join(LOG_FILE)).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter_map(|line| Some((line["current_steps"].as_u64()?, line["loss"].as_f64()?))).collect()
}

/// The window without its drawing.
struct Window {
    shell: Shell,
}

impl Window {
    fn open(runs: &Path) -> Self {
        let places = Places { runs: runs.to_path_buf(), cache: None };
        let mut window = Self { shell: Shell::start(places, Arc::new(|| ())).unwrap() };
        window.until(|event| matches!(event, Event::Ready { .. }));
        window
    }

    fn send(&mut self, command: Command) {
        self.shell.carry_out(Action::Send { command, files: Vec::new() });
    }

    fn until(&mut self, wanted: impl Fn(&Event) -> bool) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            match self.shell.next() {
                Some(Told::Reply(reply)) => {
                    let broken = matches!(reply.event, Event::Failed(_) | Event::Rejected { .. });
                    assert!(!broken, "{:?}", reply.event);
                    if wanted(&reply.event) {
                        return;
                    }
                }
                Some(Told::Notice(_)) => {}
                None => thread::sleep(Duration::from_millis(2)),
            }
        }
        panic!("it was never told");
    }

    fn until_step(&mut self, wanted: usize) {
        self.until(|event| {
            matches!(event, Event::Run { event: RunEvent::Progress(report), .. } if report.step >= wanted)
        });
    }
}

fn only_run(runs: &Path) -> PathBuf {
    let folders: Vec<PathBuf> = fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].clone()
}

#[test]
fn a_run_of_the_window_that_was_killed_goes_on_on_the_command_line() {
    let place = tempfile::tempdir().unwrap();
    let (unbroken, runs) = (place.path().join("unbroken"), place.path().join("runs"));
    train(&unbroken, &settings(&[]));
    let mut window = Window::open(&runs);
    window.send(Command::LoadModel { name: String::new() });
    window.send(Command::LoadData { settings: settings(&[]) });
    window.send(Command::Start { run: 1, settings: settings(&[("save_strategy", "no")]), paused: false });
    window.until_step(4);
    window.send(Command::SaveCheckpoint { run: 1 });
    window.until(|event| matches!(event, Event::CheckpointSaved { .. }));
    window.until_step(7);
    // The last steps were told and are not in the checkpoint: that is what a kill leaves.
    drop(window);
    let run = only_run(&runs);
    let end = Instant::now() + PATIENCE;
    while run_lock::is_held(&run) && Instant::now() < end {
        thread::sleep(Duration::from_millis(5));
    }
    let point = ResumePoint::at(&run).unwrap_or_else(|failure| panic!("{failure}"));
    assert!((4..=7).contains(&point.step), "{}", point.step);
    training::go_on(point, Vec::new(), GpuArgs::default()).unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(losses(&run).len(), STEPS, "every step once");
    assert_eq!(losses(&run), losses(&unbroken));
}

#[test]
fn a_run_of_the_command_line_that_was_killed_goes_on_in_the_window() {
    let place = tempfile::tempdir().unwrap();
    let (unbroken, run) = (place.path().join("unbroken"), place.path().join("runs/killed"));
    let saving = settings(&[("save_strategy", "steps"), ("save_steps", "4"), ("save_total_limit", "10")]);
    train(&unbroken, &saving);
    train(&run, &saving);
    // What a kill between the steps 8 and 12 leaves: the log goes on beyond the newest checkpoint, and nothing else is
    // there.
    for results in ["adapter", "merged", "dsee"] {
        fs::remove_dir_all(run.join(results)).ok();
    }
    fs::remove_file(run.join(STATE_FILE)).unwrap();
    let folder = RunFolder::open(&run).unwrap();
    for step in folder.checkpoints().into_iter().filter(|step| *step > 8) {
        fs::remove_dir_all(folder.checkpoint_path(step)).unwrap();
    }
    let mut window = Window::open(&place.path().join("runs"));
    window.shell.carry_out(Action::ResumeRun { key: run.display().to_string(), run: 5 });
    window.until(|event| matches!(event, Event::Run { run: 5, event: RunEvent::Finished(_) }));
    window.shell.finish();
    assert_eq!(losses(&run), losses(&unbroken));
}
