//! The screen Runs: the table, comparing, resuming, deleting, opening a folder.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use dsee_core::{
    config::RunConfigDraft,
    report::{LossPoint, MetricPoint, Phase, PhaseRow, RunReport},
};
use dsee_ui::{
    Action, AppState,
    screens::runs::RunsScreen,
    shell::SavedRun,
    state::{Activity, RunView, Screen},
};
use egui_kittest::{Harness, kittest::Queryable as _};
use support::stage::{Stage, app_state, model, press, sees, shoot, stage};

fn report(title: &str, settings: &[(&str, &str)], shift: f64) -> RunReport {
    let draft: RunConfigDraft = settings.iter().copied().collect();
    let mut report = RunReport::begin(&draft.with("run_name", title).check().unwrap());
    report.phases = vec![
        Phase { name: "tune".into(), first_step: 0, last_step: 200 },
        Phase { name: "retune".into(), first_step: 200, last_step: 300 },
    ];
    let wave = |step: u64| ((step * 7919) % 13) as f64 / 60.0;
    let loss =
        |step: u64| LossPoint { step, loss: shift + 0.65 * (-(step as f64) / 90.0).exp() + wave(step) };
    report.losses = (1..=300).map(loss).collect();
    let metric = |i: u64| MetricPoint {
        step: i * 25,
        name: "accuracy".into(),
        value: 0.9 - shift - 0.4 * (-(i as f64) / 2.5).exp(),
        best: i == 12,
    };
    report.metrics = (1..=12).map(metric).collect();
    let row = |phase: &str, value: f64| PhaseRow {
        phase: phase.into(),
        metric_name: "accuracy".into(),
        metric_value: Some(value),
        trainable_parameters: 147_648,
        seconds: 20.0,
        ..PhaseRow::default()
    };
    report.phase_rows =
        vec![row("tune", 0.8812 - shift), row("prune", 0.7431), row("retune", 0.8754 - shift)];
    report
}

fn saved(key: &str, title: &str, settings: &[(&str, &str)], finished: bool, shift: f64) -> SavedRun {
    SavedRun {
        key: key.into(),
        when: format!("2 May, 14:{:02}", key.len() * 7),
        minutes_ago: 5,
        step: 120,
        finished,
        run: None,
        report: report(title, settings, shift),
    }
}

fn full() -> AppState {
    let mut state = app_state(Some(model()), None);
    let mut run = RunView::begin(&RunConfigDraft::default().check().unwrap());
    run.activity = Activity::Running;
    run.report = report("first try", &[("method", "lora")], 0.05);
    state.runs.insert(1, run);
    state.saved_runs = vec![
        saved("a", "half the weights", &[("prune", "unstructured:0.5")], true, 0.0),
        saved("bb", "three heads", &[("prune", "heads:3"), ("rank", "8")], false, 0.02),
    ];
    state
}

fn open(state: AppState) -> Harness<'static, Stage<RunsScreen>> {
    let mut harness = stage(RunsScreen::default(), state, RunsScreen::show, [1280.0, 1400.0], true);
    harness.run();
    harness
}

fn tick(harness: &mut Harness<'static, Stage<RunsScreen>>, part: &str) {
    harness.get_all_by_label_contains(part).next().unwrap().click_accesskit();
    harness.run();
}

#[test]
fn an_empty_list_says_so_and_runs_are_asked_for() {
    let mut harness = open(AppState::default());
    assert!(sees(&harness, "No runs yet"));
    assert_eq!(harness.state().actions, [Action::ListRuns]);
    press(&mut harness, "Open a run folder…");
    assert_eq!(harness.state().actions.last(), Some(&Action::PickRunFolder));
}

#[test]
fn the_table_tells_what_each_run_did() {
    let harness = open(full());
    for text in [
        "first try",
        "now, running",
        "half the weights",
        "dsee, unstructured:0.5",
        "0.8812",
        "0.7431",
        "147,648",
        "1 min 00 s",
    ] {
        assert!(sees(&harness, text), "{text}");
    }
}

#[test]
fn chosen_runs_are_compared_by_what_differs() {
    let mut harness = open(full());
    assert!(!sees(&harness, "Training loss, smoothed"));
    tick(&mut harness, "Compare half the weights");
    tick(&mut harness, "Compare three heads");
    for text in
        ["Training loss, smoothed", "Validation accuracy", "2 settings differ:", "heads:3", "equal settings"]
    {
        assert!(sees(&harness, text), "{text}");
    }
    tick(&mut harness, "Compare three heads");
    assert!(!sees(&harness, "settings differ:"));
}

#[test]
fn an_unfinished_run_is_gone_on_with() {
    let mut harness = open(full());
    assert!(harness.query_by_label_contains("Resume half").is_none());
    tick(&mut harness, "Resume three heads");
    let stage = harness.state();
    assert!(matches!(stage.actions.last(), Some(Action::ResumeRun { key, .. }) if key == "bb"));
    assert_eq!(stage.state.screen, Screen::Train);
}

#[test]
fn deleting_asks_once() {
    let mut harness = open(full());
    let n = harness.state().actions.len();
    tick(&mut harness, "Delete half the weights");
    assert_eq!(harness.state().actions.len(), n);
    tick(&mut harness, "Keep half the weights");
    tick(&mut harness, "Delete half the weights");
    tick(&mut harness, "Really delete half the weights");
    assert_eq!(harness.state().actions.last(), Some(&Action::DeleteRun("a".into())));
}

#[test]
fn pictures() {
    shoot("runs-empty", || (RunsScreen::default(), AppState::default()), RunsScreen::show);
    if let Ok(folder) = std::env::var("PICTURES") {
        for (width, size) in [("wide", [1280.0, 1100.0]), ("narrow", [390.0, 1900.0])] {
            for (theme, dark) in [("dark", true), ("light", false)] {
                let mut harness = stage(RunsScreen::default(), full(), RunsScreen::show, size, dark);
                harness.run();
                tick(&mut harness, "Compare half the weights");
                tick(&mut harness, "Compare three heads");
                harness.render().unwrap().save(format!("{folder}/runs-{width}-{theme}.png")).unwrap();
            }
        }
    }
}

#[test]
fn a_run_of_this_session_stands_in_the_list_once() {
    let mut state = app_state(Some(model()), None);
    let config = RunConfigDraft::default().with("run_name", "mine").check().unwrap();
    state.runs.insert(3, RunView::begin(&config));
    state.saved_runs = vec![SavedRun { run: Some(3), ..saved("a", "mine", &[], true, 0.0) }];
    let names = |state: &AppState| {
        (state.session_runs().count(), state.resting_runs().map(|run| run.key.clone()).collect::<Vec<_>>())
    };
    assert_eq!(names(&state), (1, vec![]), "while it goes on, as it goes on");
    state.runs.get_mut(&3).unwrap().activity = Activity::Finished;
    assert_eq!(names(&state), (0, vec!["a".to_owned()]), "afterwards as it was saved");
    state.saved_runs[0].run = None;
    assert_eq!(names(&state).0, 1);
}

#[test]
fn a_run_that_was_opened_is_ticked() {
    let mut state = app_state(Some(model()), None);
    state.saved_runs = vec![saved("a", "one", &[], true, 0.0), saved("b", "two", &[], true, 0.1)];
    state.notice(dsee_ui::Notice::ShowRun("b".into()));
    assert_eq!(state.screen, Screen::Runs);
    let mut harness = stage(RunsScreen::default(), state, RunsScreen::show, [1280.0, 1400.0], true);
    harness.run();
    let ticked = |harness: &Harness<'_, Stage<RunsScreen>>, name: &str| {
        let node = harness.get_by_label_contains(name);
        egui_kittest::kittest::NodeT::accesskit_node(&node).toggled() == Some(egui::accesskit::Toggled::True)
    };
    assert!(ticked(&harness, "Compare two") && !ticked(&harness, "Compare one"));
}
