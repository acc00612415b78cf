//! The screen Export: the forms, what is verified, what is saved, the reports.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use dsee_core::{
    config::RunConfigDraft,
    protocol::{Command, Event, ExportFormat, Exported, ExportedFile, Problem, PruneReport},
    report::Phase,
    source::NamedBytes,
};
use dsee_ui::{
    Action, AppState,
    screens::export::ExportScreen,
    state::{Activity, RunView, Screen},
};
use egui_kittest::Harness;
use support::stage::{Stage, app_state, model, press, sees, shoot, stage};

fn trained(pruned: bool) -> AppState {
    let mut state = app_state(Some(model()), None);
    let mut run =
        RunView::begin(&RunConfigDraft::default().with("run_name", "my first run").check().unwrap());
    run.activity = Activity::Finished;
    run.report.phases.push(Phase { name: "tune".into(), first_step: 0, last_step: 225 });
    run.pruned = pruned.then(PruneReport::default);
    state.runs.insert(7, run);
    state.current = Some(7);
    state
}

fn exported(format: ExportFormat) -> (Event, Vec<NamedBytes>) {
    let names = ["adapter/adapter_config.json", "adapter/adapter_model.safetensors"];
    let bytes = |name: &&str| NamedBytes { name: (*name).to_owned(), bytes: vec![1; 1000] };
    let files = [(names[0], 611), (names[1], 1_204_331)];
    let exported = Exported {
        format,
        files: files.map(|(path, n_bytes)| ExportedFile { path: path.into(), n_bytes }).to_vec(),
        verified_tensors: 28,
        max_difference: 2.4e-7,
        how_to_load: "from peft import PeftModel\nmodel = PeftModel.from_pretrained(base, \"adapter\")"
            .into(),
    };
    (Event::Exported { run: 7, exported }, names.iter().map(bytes).collect())
}

fn with_adapter() -> ExportScreen {
    let mut screen = ExportScreen::default();
    let (event, files) = exported(ExportFormat::Adapter);
    screen.event(&event, &files);
    screen
}

fn open(screen: ExportScreen, state: AppState) -> Harness<'static, Stage<ExportScreen>> {
    let mut harness = stage(screen, state, ExportScreen::show, [1280.0, 1200.0], true);
    // The mark of a form being written turns for as long as it is shown.
    harness.run_steps(5);
    harness
}

#[test]
fn nothing_trained_leads_to_the_run() {
    let mut harness = open(ExportScreen::default(), AppState::default());
    assert!(sees(&harness, "Nothing to export yet"));
    harness.state_mut().state.screen = Screen::Export;
    press(&mut harness, "Go to Train");
    assert_eq!(harness.state().state.screen, Screen::Train);
}

#[test]
fn each_form_is_asked_for_by_its_button() {
    for (name, format) in [
        ("Adapter", ExportFormat::Adapter),
        ("Whole model", ExportFormat::Merged),
        ("DSEE state", ExportFormat::Dsee),
    ] {
        let mut harness = open(ExportScreen::default(), trained(false));
        use egui_kittest::kittest::Queryable as _;
        harness.get_by_role_and_label(egui::Role::Button, &format!("Make {name}")).click_accesskit();
        harness.run_steps(5);
        let command = Command::Export { run: 7, format };
        assert_eq!(harness.state().actions, [Action::Send { command, files: vec![] }]);
        assert!(sees(&harness, "Writing and reading back"));
    }
}

#[test]
fn a_written_form_tells_size_and_check_and_is_saved_with_its_files() {
    let mut harness = open(with_adapter(), trained(false));
    for text in
        ["1.20 MB", "verified: 28 tensors read back, largest difference 2.4e-7", "PeftModel", "2 files"]
    {
        assert!(sees(&harness, text), "{text}");
    }
    press(&mut harness, "Copy how to load Adapter");
    press(&mut harness, "Save Adapter");
    let Some(Action::Save { name, files }) = harness.state().actions.last() else { panic!("nothing saved") };
    assert_eq!((name.as_str(), files.len(), files[1].bytes.len()), ("my-first-run-adapter", 2, 1000));
}

#[test]
fn a_run_that_went_on_asks_for_a_new_one() {
    let mut harness = open(with_adapter(), trained(false));
    let run = harness.state_mut().state.runs.get_mut(&7).unwrap();
    run.report.phases[0].last_step = 300;
    harness.run();
    assert!(sees(&harness, "It is of step 225; the run is at step 300 now."));
    assert!(sees(&harness, "Make Adapter again"));
}

#[test]
fn an_adapter_of_a_pruned_model_is_warned_about() {
    assert!(!sees(&open(ExportScreen::default(), trained(false)), "Fits the pruned model only"));
    assert!(sees(&open(ExportScreen::default(), trained(true)), "Fits the pruned model only"));
}

#[test]
fn a_compact_model_is_offered_where_heads_were_removed() {
    use egui_kittest::kittest::Queryable as _;
    let mut state = trained(true);
    assert!(!sees(&open(ExportScreen::default(), trained(true)), "Compact model"), "no heads are gone");
    let report = PruneReport { removed_heads: vec![vec![], vec![1]], ..PruneReport::default() };
    state.runs.get_mut(&7).unwrap().pruned = Some(report);
    let mut harness = open(ExportScreen::default(), state);
    harness.get_by_role_and_label(egui::Role::Button, "Make Compact model").click_accesskit();
    harness.run_steps(5);
    let command = Command::Export { run: 7, format: ExportFormat::Compact };
    assert_eq!(harness.state().actions, [Action::Send { command, files: vec![] }]);
}

#[test]
fn what_cannot_be_written_is_explained() {
    let mut state = trained(false);
    let problem = Problem { field: String::new(), text: "the run has no update yet".into() };
    state.rejected = Some((Command::Export { run: 7, format: ExportFormat::Adapter }, vec![problem]));
    assert!(sees(&open(ExportScreen::default(), state), "the run has no update yet"));
}

#[test]
fn reports_are_saved_in_both_forms() {
    let mut harness = open(ExportScreen::default(), trained(false));
    for (name, part) in [("report.html", "<html"), ("report.md", "# my first run")] {
        press(&mut harness, &format!("Save {name}"));
        let Some(Action::Save { files, .. }) = harness.state().actions.last() else {
            panic!("nothing saved")
        };
        let text = String::from_utf8(files[0].bytes.clone()).unwrap();
        assert!(files[0].name == name && text.contains(part), "{name}");
    }
}

#[test]
fn pictures() {
    shoot("export", || (with_adapter(), trained(true)), ExportScreen::show);
    let heads_gone = || {
        let mut state = trained(true);
        let report = PruneReport { removed_heads: vec![vec![0], vec![1]], ..PruneReport::default() };
        state.runs.get_mut(&7).unwrap().pruned = Some(report);
        (with_adapter(), state)
    };
    shoot("export-compact", heads_gone, ExportScreen::show);
    shoot("export-empty", || (ExportScreen::default(), AppState::default()), ExportScreen::show);
}
