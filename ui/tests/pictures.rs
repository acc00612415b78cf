//! Draws every screen, dark and light, wide and narrow, and each in the states a user meets. It proves that all of
//! them can be drawn with every sign in the fonts and every control named. With `PICTURES=<folder>` the pictures are
//! kept there, to be looked at: `PICTURES=folder cargo test -p dsee-ui --test pictures`.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod support;

use dsee_core::{
    gpu::AdapterKind,
    protocol::{Command, Event, FailureKind, FailureReport, Problem},
};
use dsee_ui::{Notice, shell::SavedRun, state::Screen};
use egui::Theme;
use egui_kittest::HarnessBuilder;
use support::{Window, adapter, build};

#[test]
fn every_screen_can_be_drawn() {
    let folder = std::env::var("PICTURES").ok();
    for (size, width) in [([1280.0, 720.0], "wide"), ([390.0, 800.0], "narrow")] {
        for (theme, dark) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
            for (name, window) in windows() {
                let picture = folder.as_ref().map(|folder| format!("{folder}/{name}-{width}-{dark}.png"));
                let builder = HarnessBuilder::default();
                let mut harness = build(window, size, theme, builder);
                harness.run_ok();
                assert!(harness.unnamed_widgets().is_empty(), "{name}: {:?}", harness.unnamed_widgets());
                if let Some(picture) = picture {
                    harness.render().unwrap().save(picture).unwrap();
                }
            }
        }
    }
}

/// What a user meets: every screen with something on it, and Train in all its states.
fn windows() -> Vec<(String, Window)> {
    let mut windows: Vec<(String, Window)> =
        Screen::ALL.map(|screen| (screen.key().to_owned(), Window::at(screen))).into();
    windows.extend(Screen::ALL.map(|screen| {
        let mut window = Window::default();
        window.studio.state.screen = screen;
        (format!("{}-empty", screen.key()), window)
    }));
    for screen in [Screen::Data, Screen::Model, Screen::TryIt] {
        let mut window = Window::finished_writing();
        window.studio.state.screen = screen;
        windows.push((format!("{}-decoder", screen.key()), window));
    }
    windows.push(("train-ready".into(), Window::ready()));
    windows.push(("train-running".into(), Window::running(140)));
    windows.push(("train-failed".into(), failed()));
    windows.push(("train-rejected".into(), rejected()));
    windows.push(("train-resume".into(), resumable()));
    windows
}

fn failed() -> Window {
    let mut window = Window::running(140);
    let run = window.studio.state.current;
    window.studio.event(
        &Event::Failed(FailureReport {
            kind: FailureKind::NotFinite,
            run,
            text: "The loss of step 141 is not a finite number; the learning rate was 7.6e-4.".into(),
            advice: "A smaller learning rate is the usual cure.".into(),
            last_good_step: Some(125),
        }),
        &[],
    );
    window
}

fn rejected() -> Window {
    let mut window = Window::ready();
    let problem = |field: &str, text: &str| Problem { field: field.into(), text: text.into() };
    let settings = window.studio.state.settings.clone();
    window.studio.event(
        &Event::Rejected {
            command: Command::Start { run: 1, settings, paused: false },
            problems: vec![
                problem("rank", "rank = 0: must be at least 1; try 16"),
                problem("prune", "every layer has 4 heads, and at least one must stay; use at most 3"),
            ],
        },
        &[],
    );
    window
}

fn resumable() -> Window {
    let mut window = Window::told(&[Event::Ready { adapter: adapter(AdapterKind::Software) }]);
    window.studio.notice(Notice::LastRun(Some(Box::new(SavedRun {
        key: "runs/1".into(),
        step: 420,
        minutes_ago: 2,
        ..SavedRun::default()
    }))));
    window
}
