//! The shell with an engine that answers at once: everything but drawing.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
use super::*;
use crate::atomic;
use dsee_core::{
    engine::service::Host as _,
    protocol::{ModelCard, Settings},
    source::NamedBytes,
};
use std::time::{Duration, Instant};

/// An engine that answers at once, and crashes when it is asked to judge.
fn fake(host: &mut NativeHost) {
    while let Some(request) = pollster::block_on(host.next()) {
        let names: Vec<NamedBytes> = request
            .attachments
            .iter()
            .map(|file| NamedBytes { name: file.name.clone(), bytes: Vec::new() })
            .collect();
        let event = match request.command {
            Command::LoadModel { name } => Event::ModelLoaded(ModelCard { name, ..ModelCard::default() }),
            Command::Start { run, .. } => Event::Resumed { run },
            Command::Pause { run } => Event::Paused { run, step: 3 },
            Command::SaveCheckpoint { run } => Event::CheckpointSaved { run, step: 3 },
            Command::Stop { run, .. } => Event::Stopped { run, kept: true, step: 3 },
            _ => panic!("asked for something strange"),
        };
        host.tell(Reply { event, attachments: names });
    }
}

fn shell(place: &tempfile::TempDir) -> Shell {
    let places =
        Places { runs: place.path().join("runs"), cache: Some(Cache::new(place.path().join("cache"))) };
    Shell::start_with(places, Arc::new(|| ()), fake).unwrap()
}

/// Waits until something is told that `wanted` takes.
fn wait<T>(shell: &mut Shell, wanted: impl Fn(Told) -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        match shell.next() {
            Some(told) => {
                if let Some(found) = wanted(told) {
                    return found;
                }
            }
            None => thread::sleep(Duration::from_millis(2)),
        }
    }
    panic!("it was never told");
}

fn event(told: Told) -> Option<Event> {
    if let Told::Reply(reply) = told { Some(reply.event) } else { None }
}

fn send(command: Command) -> Action {
    Action::Send { command, files: Vec::new() }
}

#[test]
fn dropped_files_reach_the_engine() {
    let place = tempfile::tempdir().unwrap();
    let model = place.path().join("model");
    std::fs::create_dir_all(&model).unwrap();
    atomic::write(&model.join("config.json"), b"{}").unwrap();
    let mut shell = shell(&place);
    shell.dropped(&[model]);
    let files = wait(&mut shell, |told| match told {
        Told::Notice(Notice::Files { purpose: Purpose::Dropped, files, .. }) => Some(files),
        _ => None,
    });
    let files = files.into_iter().map(FileInput::Held).collect();
    shell.carry_out(Action::Send { command: Command::LoadModel { name: "m".to_owned() }, files });
    let reply = wait(&mut shell, |told| if let Told::Reply(reply) = told { Some(reply) } else { None });
    assert_eq!(reply.attachments[0].name, "config.json");
}

#[test]
fn closing_saves_the_run_under_way() {
    let place = tempfile::tempdir().unwrap();
    let mut shell = shell(&place);
    assert_eq!(shell.active(), None);
    shell.carry_out(send(Command::Start { run: 1, settings: Settings::new(), paused: false }));
    wait(&mut shell, |told| event(told).filter(|event| matches!(event, Event::Resumed { .. })));
    assert_eq!(shell.active(), Some(1));
    shell.pause_and_save(1);
    wait(&mut shell, |told| event(told).filter(|event| matches!(event, Event::CheckpointSaved { .. })));
    let until = Instant::now() + Duration::from_secs(20);
    while !shell.is_kept(1) && Instant::now() < until {
        assert!(shell.next().is_none());
        thread::sleep(Duration::from_millis(2));
    }
    assert!(shell.is_kept(1));
    shell.carry_out(Action::ListRuns);
    let runs = wait(&mut shell, |told| match told {
        Told::Notice(Notice::Runs(runs)) => Some(runs),
        _ => None,
    });
    assert_eq!((runs.len(), runs[0].step), (1, 3));
    shell.carry_out(send(Command::Stop { run: 1, keep: true }));
    wait(&mut shell, |told| event(told).filter(|event| matches!(event, Event::Stopped { .. })));
    assert_eq!(shell.active(), None);
    shell.finish();
}

#[test]
fn a_crashed_engine_is_told_and_a_new_one_works() {
    let place = tempfile::tempdir().unwrap();
    let mut shell = shell(&place);
    shell.carry_out(send(Command::Judge { run: 1 }));
    wait(&mut shell, |told| matches!(told, Told::Notice(Notice::EngineGone(_))).then_some(()));
    shell.carry_out(Action::RestartEngine);
    shell.carry_out(send(Command::LoadModel { name: "again".to_owned() }));
    wait(&mut shell, |told| event(told).filter(|event| matches!(event, Event::ModelLoaded(_))));
}

#[test]
fn the_run_that_broke_off_can_be_gone_on_with() {
    let place = tempfile::tempdir().unwrap();
    let mut shell = shell(&place);
    shell.carry_out(send(Command::Start { run: 1, settings: Settings::new(), paused: false }));
    shell.carry_out(send(Command::SaveCheckpoint { run: 1 }));
    wait(&mut shell, |told| event(told).filter(|event| matches!(event, Event::CheckpointSaved { .. })));
    shell.carry_out(send(Command::Judge { run: 1 }));
    wait(&mut shell, |told| matches!(told, Told::Notice(Notice::EngineGone(_))).then_some(()));
    shell.carry_out(Action::RestartEngine);
    let last = |told| if let Told::Notice(Notice::LastRun(run)) = told { run } else { None };
    let run = wait(&mut shell, last);
    assert_eq!(run.step, 3);
    shell.carry_out(Action::ResumeRun { key: run.key, run: 2 });
    wait(&mut shell, |told| event(told).filter(|event| matches!(event, Event::ModelLoaded(_))));
}

#[test]
fn kept_models_are_listed_opened_and_deleted() {
    let place = tempfile::tempdir().unwrap();
    let cache = Cache::new(place.path().join("cache"));
    let id = "org/name".parse().unwrap();
    let folder = cache.folder(&id, "0123");
    std::fs::create_dir_all(&folder).unwrap();
    atomic::write(&folder.join("config.json"), b"{}").unwrap();
    cache.complete(&id, "main", "0123").unwrap();
    let mut shell = shell(&place);
    shell.carry_out(Action::Download { id: "org/name".to_owned(), revision: String::new(), token: None });
    let name = wait(&mut shell, |told| match told {
        Told::Notice(Notice::Files { purpose: Purpose::Model, name, .. }) => Some(name),
        _ => None,
    });
    assert_eq!(name, "org/name", "what is kept is not fetched again");
    shell.carry_out(Action::Download { id: "a//b".to_owned(), revision: String::new(), token: None });
    let problem = wait(&mut shell, |told| match told {
        Told::Notice(Notice::Download(download)) => download.problem,
        _ => None,
    });
    assert!(problem.contains("a//b"), "{problem}");
    let storage = |told| if let Told::Notice(Notice::Storage(storage)) = told { Some(storage) } else { None };
    shell.carry_out(Action::ListStorage);
    assert_eq!(wait(&mut shell, storage).models[0].0, "org/name");
    shell.carry_out(Action::DeleteCached("org/name".to_owned()));
    assert!(wait(&mut shell, storage).models.is_empty());
    shell.carry_out(Action::OpenCached("org/name".to_owned()));
    wait(&mut shell, |told| matches!(told, Told::Notice(Notice::Problem(_))).then_some(()));
}
