//! The window's frame and the Train screen: events in, presses and keys, actions and words out. Needs no GPU.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod support;

use dsee_core::{
    gpu::AdapterKind,
    protocol::{Command, Event, FailureKind, FailureReport, Problem},
};
use dsee_ui::{
    Action, Notice,
    shell::SavedRun,
    state::{Activity, Screen, presets},
    theme::TARGET,
};
use egui::{Key, Modifiers, Theme};
use egui_kittest::{
    Harness,
    kittest::{NodeT as _, Queryable as _},
};
use support::{Window, adapter, data_card, harness, model_card, ready};

const WIDE: [f32; 2] = [1280.0, 720.0];
const NARROW: [f32; 2] = [390.0, 800.0];

fn wide(window: Window) -> Harness<'static, Window> {
    let mut harness = harness(window, WIDE, Theme::Dark);
    harness.run_ok();
    harness.state_mut().actions.clear();
    harness
}

fn click(harness: &mut Harness<'_, Window>, name: &str) {
    harness.get_by_label(name).click();
    harness.run_ok();
}

fn failure(kind: FailureKind, run: Option<u64>) -> FailureReport {
    FailureReport {
        kind,
        run,
        text: "What happened.".into(),
        advice: "What to do.".into(),
        last_good_step: Some(7),
    }
}

#[test]
fn a_new_engine_gets_the_model_and_then_the_data() {
    let mut window = Window::told(&[ready()]);
    let mut harness = harness(Window::default(), WIDE, Theme::Dark);
    std::mem::swap(harness.state_mut(), &mut window);
    harness.run_ok();
    let loads = |harness: &Harness<'_, Window>| {
        let sent = harness.state().actions.iter().filter_map(|action| match action {
            Action::Send { command, files } => Some((command.clone(), files.len())),
            _ => None,
        });
        sent.collect::<Vec<_>>()
    };
    assert_eq!(loads(&harness), [(Command::LoadModel { name: String::new() }, 0)]);
    harness.state_mut().studio.event(&Event::ModelLoaded(model_card()), &[]);
    harness.run_ok();
    assert_eq!(loads(&harness)[1], (Command::LoadData { settings: presets::first_run() }, 0));
    assert!(harness.get_by_label("▶ Start").accesskit_node().is_disabled());
    harness.state_mut().studio.event(&Event::DataLoaded(data_card()), &[]);
    harness.run_ok();
    assert!(!harness.get_by_label("▶ Start").accesskit_node().is_disabled());
}

#[test]
fn start_sends_the_quick_settings_once() {
    for button in ["▶ Start", "▶ Start training"] {
        let mut harness = wide(Window::ready());
        assert_eq!(harness.state().studio.status_line(), "Ready. Press Start.");
        click(&mut harness, button);
        let started = Command::Start { run: 1, settings: presets::first_run(), paused: false };
        assert_eq!(harness.state().commands(), [&started]);
        assert_eq!(harness.state().studio.state.activity(), Some(Activity::Starting));
    }
}

#[test]
fn the_buttons_follow_what_the_run_is_doing() {
    let mut harness = wide(Window::running(40));
    let run = harness.state().studio.state.current.unwrap();
    assert!(harness.get_by_label("⏭ Step").accesskit_node().is_disabled());
    click(&mut harness, "⏸ Pause");
    harness.state_mut().studio.event(&Event::Paused { run, step: 40 }, &[]);
    harness.run_ok();
    click(&mut harness, "⏭ Step");
    click(&mut harness, "▶ Resume");
    harness.state_mut().studio.event(&Event::Resumed { run }, &[]);
    harness.run_ok();
    click(&mut harness, "⏹ Stop and keep");
    let sent = [
        Command::Pause { run },
        Command::Step { run },
        Command::Resume { run },
        Command::Stop { run, keep: true },
    ];
    assert_eq!(harness.state().commands(), sent.iter().collect::<Vec<_>>());
    harness.state_mut().studio.event(&Event::Stopped { run, kept: true, step: 41 }, &[]);
    harness.run_ok();
    assert!(!harness.get_by_label("▶ Start").accesskit_node().is_disabled());
}

#[test]
fn discarding_asks_first() {
    let mut harness = wide(Window::running(40));
    let run = harness.state().studio.state.current.unwrap();
    click(&mut harness, "🗑 Discard");
    assert!(harness.state().commands().is_empty());
    click(&mut harness, "Keep it");
    assert!(harness.query_by_label("Discard it").is_none() && harness.state().commands().is_empty());
    click(&mut harness, "🗑 Discard");
    click(&mut harness, "Discard it");
    assert_eq!(harness.state().commands(), [&Command::Stop { run, keep: false }]);
    harness.state_mut().studio.event(&Event::Stopped { run, kept: false, step: 40 }, &[]);
    assert!(!harness.state().studio.has_unsaved_work());
}

#[test]
fn keys_start_stop_resume_and_help() {
    let mut harness = wide(Window::ready());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    harness.run_ok();
    assert!(matches!(harness.state().commands()[..], [Command::Start { run: 1, .. }]));
    let mut harness = wide(Window::running(40));
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Period);
    harness.run_ok();
    assert_eq!(harness.state().commands(), [&Command::Stop { run: 1, keep: true }]);
    harness.state_mut().studio.event(&Event::Paused { run: 1, step: 40 }, &[]);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    harness.run_ok();
    assert_eq!(harness.state().commands()[1], &Command::Resume { run: 1 });
    harness.key_press(Key::Questionmark);
    harness.run_ok();
    assert!(harness.query_by_label("Close").is_some());
    harness.key_press(Key::Escape);
    harness.run_ok();
    assert!(harness.query_by_label("Close").is_none());
}

#[test]
fn every_control_of_the_frame_is_reached_by_tab() {
    let mut harness = wide(Window::running(40));
    let mut reached = Vec::new();
    for _ in 0..24 {
        harness.key_press(Key::Tab);
        harness.run_ok();
        let focused = harness.root().children_recursive().find(|node| node.accesskit_node().is_focused());
        reached.extend(focused.and_then(|node| node.accesskit_node().label()));
    }
    for name in ["Model", "Lessons", "Help and keys", "⏸ Pause", "⏹ Stop and keep", "🗑 Discard"] {
        assert!(reached.iter().any(|label| label == name), "{name} in {reached:?}");
    }
}

#[test]
fn every_problem_of_a_refused_start_is_shown_with_the_way_to_it() {
    let mut harness = wide(Window::ready());
    click(&mut harness, "▶ Start");
    let command = harness.state().commands()[0].clone();
    let problem = |field: &str, text: &str| Problem { field: field.into(), text: text.into() };
    let problems = vec![
        problem("rank", "rank = 400: the adapted matrices are 128 × 128"),
        problem("max_length", "max_length = 900: the model knows 128 positions"),
    ];
    harness.state_mut().studio.event(&Event::Rejected { command, problems: problems.clone() }, &[]);
    harness.run_ok();
    assert!(harness.state().studio.state.runs.is_empty(), "a refused run never was");
    for problem in &problems {
        harness.get_by_label(&problem.text);
    }
    assert!(harness.state().studio.status_line().contains("128 positions"));
    click(&mut harness, "Open Method");
    assert_eq!(harness.state().studio.state.screen, Screen::Method);
}

#[test]
fn settings_that_cannot_be_never_reach_the_engine() {
    let mut window = Window::ready();
    window.studio.state.settings.insert("rank".into(), "0".into());
    window.studio.state.settings.insert("epochs".into(), "3".into());
    let mut harness = wide(window);
    click(&mut harness, "▶ Start");
    assert!(harness.state().commands().is_empty());
    let (_, problems) = harness.state().studio.state.rejected.as_ref().unwrap();
    assert_eq!(problems.len(), 2);
}

#[test]
fn a_loss_that_is_no_number_offers_a_third_of_the_rate() {
    let mut harness = wide(Window::running(40));
    let report = failure(FailureKind::NotFinite, Some(1));
    harness.state_mut().studio.event(&Event::Failed(report), &[]);
    harness.run_ok();
    harness.get_by_label("What to do.");
    click(&mut harness, "Try again with a third of the learning rate");
    let [Command::Start { settings, .. }] = harness.state().commands()[..] else { panic!() };
    assert_eq!(settings["learning_rate"], "6.7e-4");
    assert!(harness.state().studio.state.failure.is_none());
}

#[test]
fn a_lost_engine_can_be_replaced_and_the_run_gone_on_with() {
    let mut harness = wide(Window::running(40));
    harness.state_mut().studio.notice(Notice::EngineGone(failure(FailureKind::DeviceLost, Some(1))));
    harness.run_ok();
    assert_eq!(harness.state().studio.state.activity(), Some(Activity::Failed));
    assert!(harness.get_by_label("▶ Start").accesskit_node().is_disabled());
    harness.get_by_label("Start a new engine");
    click(&mut harness, "Start a new engine with shorter GPU work");
    assert!(harness.state().actions.contains(&Action::RestartEngine));
    harness.state_mut().studio.event(&ready(), &[]);
    harness.run_ok();
    assert!(harness.state().commands().contains(&&Command::SetGpuTarget { target_ms: 12.5 }));
    let saved = SavedRun { key: "k".into(), step: 7, minutes_ago: 2, ..SavedRun::default() };
    harness.state_mut().studio.notice(Notice::LastRun(Some(Box::new(saved))));
    harness.run_ok();
    let loads = harness
        .state()
        .actions
        .iter()
        .filter(|action| matches!(action, Action::Send { command: Command::LoadModel { .. }, .. }));
    assert_eq!(loads.count(), 1);
    harness.get_by_label("Resume last run (step 7, 2 min ago)?");
    click(&mut harness, "Resume");
    assert!(harness.state().actions.contains(&Action::ResumeRun { key: "k".into(), run: 2 }));
}

#[test]
fn a_lost_device_offers_shorter_gpu_work() {
    let mut harness = wide(Window::running(40));
    let lose = |harness: &mut Harness<'_, Window>, run| {
        harness.state_mut().studio.event(&Event::Failed(failure(FailureKind::DeviceLost, Some(run))), &[]);
        harness.run_ok();
    };
    lose(&mut harness, 1);
    click(&mut harness, "Try again with shorter GPU work");
    let commands = harness.state().commands();
    assert!(
        matches!(commands[..], [Command::SetGpuTarget { target_ms: 12.5 }, Command::Start { run: 2, .. }]),
        "{commands:?}"
    );
    let saved = SavedRun { key: "k".into(), step: 7, ..SavedRun::default() };
    harness.state_mut().studio.notice(Notice::LastRun(Some(Box::new(saved))));
    lose(&mut harness, 2);
    click(&mut harness, "Go on with shorter GPU work");
    assert!(harness.state().commands().contains(&&Command::SetGpuTarget { target_ms: 3.125 }));
    assert!(harness.state().actions.contains(&Action::ResumeRun { key: "k".into(), run: 3 }));
}

#[test]
fn the_report_of_a_failure_names_no_file() {
    let mut window = Window::running(40);
    window.studio.state.settings.insert("train_file".into(), "/home/me/secret.csv".into());
    window.studio.event(&Event::Failed(failure(FailureKind::Other, Some(1))), &[]);
    let mut harness = wide(window);
    harness.get_by_label("Copy report").click();
    harness.step();
    let copied = harness.output().platform_output.commands.iter().find_map(|command| match command {
        egui::OutputCommand::CopyText(text) => Some(text.clone()),
        _ => None,
    });
    let copied = copied.unwrap();
    for part in ["DSEE Studio 0.", "RTX 4070", "What happened.", "learning_rate = 2e-3", "step 40 of 225"] {
        assert!(copied.contains(part), "{part} in {copied}");
    }
    assert!(!copied.contains("secret"), "{copied}");
}

#[test]
fn the_last_run_may_wait() {
    let mut window = Window::ready();
    let saved = SavedRun { key: "k".into(), step: 420, minutes_ago: 130, ..SavedRun::default() };
    window.studio.notice(Notice::LastRun(Some(Box::new(saved))));
    let mut harness = wide(window);
    harness.get_by_label("Resume last run (step 420, 2 h ago)?");
    click(&mut harness, "Not now");
    assert!(harness.query_by_label("Resume").is_none());
}

#[test]
fn a_window_that_may_only_look_drives_nothing() {
    let mut window = Window::running(40);
    window.studio.notice(Notice::ReadOnly("This run is open in another tab.".into()));
    let mut harness = wide(window);
    harness.get_by_label("This run is open in another tab.");
    for name in ["⏸ Pause", "⏹ Stop and keep", "🗑 Discard"] {
        assert!(harness.get_by_label(name).accesskit_node().is_disabled(), "{name}");
    }
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Period);
    harness.run_ok();
    assert!(harness.state().commands().is_empty());
}

#[test]
fn the_table_fills_in_plain_words() {
    let mut harness = wide(Window::finished());
    for name in
        ["After tuning, UV only", "After tuning (UV + S)", "After pruning, before retuning", "After retuning"]
    {
        harness.get_by_label(name);
    }
    assert_eq!(harness.query_all_by_label("96.2 %").count(), 3);
    assert!(harness.state().studio.status_line().starts_with("Finished, step 300 of 300"));
    harness.get_by_label("Try your own sentence").scroll_to_me();
    harness.run_ok();
    click(&mut harness, "Try your own sentence");
    assert_eq!(harness.state().studio.state.screen, Screen::TryIt);
}

#[test]
fn words_for_the_page_and_the_window() {
    let window = Window::running(40);
    let line = window.studio.status_line();
    assert!(line.starts_with("Tuning, step 40 of 300, loss 0."), "{line}");
    assert_eq!(window.studio.window_title(), "40/300 Tuning · DSEE Studio");
    assert_eq!(Window::ready().studio.window_title(), "DSEE Studio");
}

#[test]
fn work_is_unsaved_until_a_checkpoint_is_saved() {
    let mut harness = harness(Window::running(40), WIDE, Theme::Dark);
    harness.run_ok();
    assert!(harness.state().actions.contains(&Action::SetUnsaved(true)));
    harness.state_mut().studio.event(&Event::CheckpointSaved { run: 1, step: 40 }, &[]);
    harness.run_ok();
    assert!(harness.state().actions.contains(&Action::SetUnsaved(false)));
}

#[test]
fn a_link_opens_a_screen_and_hides_controls() {
    let mut window = Window::ready();
    window.studio.notice(Notice::Link("screen=model&hide=nav,transport&rank=4".into()));
    let mut harness = wide(window);
    assert_eq!(harness.state().studio.state.settings.len(), 1);
    assert!(harness.query_by_label("▶ Start").is_none() && harness.query_by_label("Lessons").is_none());
    harness.state_mut().studio.state.screen = Screen::Data;
    harness.run_ok();
    let link = "screen=data&hide=nav,transport&rank=4".to_owned();
    assert!(harness.state().actions.contains(&Action::SetLink(link)));
}

#[test]
fn a_software_adapter_is_called_that() {
    let ready = Event::Ready { adapter: adapter(AdapterKind::Software) };
    let harness = wide(Window::told(&[ready]));
    harness.get_by_label("⚠ Software adapter: llvmpipe");
}

#[test]
fn fingers_find_every_control_of_a_narrow_window() {
    for window in [Window::ready(), Window::running(40), Window::finished()] {
        let mut harness = harness(window, NARROW, Theme::Light);
        harness.run_ok();
        let roles = [egui::accesskit::Role::Button, egui::accesskit::Role::CheckBox];
        let controls: Vec<_> = harness
            .root()
            .children_recursive()
            .filter(|node| roles.contains(&node.accesskit_node().role()))
            .collect();
        assert!(controls.len() >= 5);
        for control in controls {
            let (name, rect) = (control.accesskit_node().label(), control.rect());
            assert!(rect.height() >= TARGET - 0.5 && rect.width() >= TARGET - 0.5, "{name:?} is {rect:?}");
            assert!(rect.right() <= NARROW[0] && rect.left() >= 0.0, "{name:?} at {rect:?}");
        }
    }
}

#[test]
fn the_menu_of_a_narrow_window_leads_everywhere() {
    let mut harness = harness(Window::ready(), NARROW, Theme::Dark);
    harness.run_ok();
    click(&mut harness, "☰ Train");
    click(&mut harness, "Lessons");
    assert_eq!(harness.state().studio.state.screen, Screen::Lessons);
}

#[test]
fn own_files_have_ordinary_settings() {
    let mut window = Window::ready();
    let own = dsee_core::protocol::ModelCard { embedded: false, ..model_card() };
    window.studio.event(&Event::ModelLoaded(own), &[]);
    assert!(window.studio.state.settings.is_empty());
}
