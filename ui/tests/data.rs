//! The screen Data: sources, preview, guessed columns and their override, classes, lengths, what is said about bad data.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use dsee_core::{
    protocol::{Command, Problem, Settings},
    source::NamedBytes,
};
use dsee_ui::{Action, AppState, FileInput, Notice, Purpose, screens::data::DataScreen};
use egui_kittest::{
    Harness,
    kittest::{NodeT as _, Queryable as _},
};
use support::stage::{Stage, app_state, data, file, model, press, sees, shoot, stage};

fn loaded() -> AppState {
    app_state(Some(model()), Some(data()))
}

fn with_model() -> AppState {
    app_state(Some(model()), None)
}

fn open(state: AppState) -> Harness<'static, Stage<DataScreen>> {
    let mut harness = stage(DataScreen::default(), state, DataScreen::show, [1280.0, 1600.0], true);
    harness.run();
    harness
}

/// Names of the files of the newest `LoadData`, and its settings.
fn newest_load(actions: &[Action]) -> Option<(Vec<String>, Settings)> {
    actions.iter().rev().find_map(|action| match action {
        Action::Send { command: Command::LoadData { settings }, files } => {
            let name = |file: &FileInput| match file {
                FileInput::Held(file) => file.name.clone(),
                FileInput::Bytes(bytes) => bytes.name.clone(),
            };
            Some((files.iter().map(name).collect(), settings.clone()))
        }
        _ => None,
    })
}

#[test]
fn without_a_model_it_says_what_to_do_first() {
    let harness = open(AppState::default());
    assert!(sees(&harness, "Load a model first") && sees(&harness, "never leaves it"));
}

#[test]
fn built_in_sentences_and_files_are_asked_for() {
    let mut harness = open(with_model());
    assert!(sees(&harness, "No data yet"));
    press(&mut harness, "Use built-in sentences");
    assert_eq!(newest_load(&harness.state().actions), Some((vec![], Settings::new())));
    press(&mut harness, "Choose training file…");
    assert_eq!(harness.state().actions.last(), Some(&Action::Pick(Purpose::TrainData)));
    let notice =
        Notice::Files { purpose: Purpose::TrainData, name: String::new(), files: vec![file(1, "a.tsv")] };
    harness.state_mut().state.notice(notice);
    harness.run();
    press(&mut harness, "Choose validation file…");
    assert_eq!(harness.state().actions.last(), Some(&Action::Pick(Purpose::ValidationData)));
    let notice = Notice::Files {
        purpose: Purpose::ValidationData,
        name: String::new(),
        files: vec![file(2, "b.tsv")],
    };
    harness.state_mut().state.notice(notice);
    harness.run();
    assert_eq!(newest_load(&harness.state().actions).unwrap().0, ["a.tsv", "b.tsv"]);
    press(&mut harness, "Hold out instead");
    assert_eq!(newest_load(&harness.state().actions).unwrap().0, ["a.tsv"]);
}

#[test]
fn files_are_forgotten_when_another_screen_goes_back_to_built_in_data() {
    let mut harness = open(loaded());
    let notice =
        Notice::Files { purpose: Purpose::TrainData, name: String::new(), files: vec![file(1, "a.tsv")] };
    harness.state_mut().state.notice(notice);
    harness.run();
    let can_validate = |harness: &Harness<'_, Stage<DataScreen>>| {
        let button = harness.get_by_role_and_label(egui::Role::Button, "Choose validation file…");
        !button.accesskit_node().is_disabled()
    };
    assert!(can_validate(&harness));
    harness.state_mut().state.sources.forget_data();
    harness.run();
    assert!(!can_validate(&harness), "there is no file to train on any more");
}

#[test]
fn pasted_rows_travel_as_bytes() {
    let mut harness = open(with_model());
    let text = "text,label\ngood film,1\nbad film,0";
    let place = harness.get_by_role_and_label(egui::Role::MultilineTextInput, "Rows to paste");
    place.focus();
    place.type_text(text);
    harness.run();
    press(&mut harness, "Use pasted rows");
    let expected = FileInput::Bytes(NamedBytes { name: "pasted.csv".into(), bytes: text.into() });
    let Some(Action::Send { files, .. }) = harness.state().actions.last() else { panic!("nothing sent") };
    assert_eq!(files, &[expected]);
}

#[test]
fn the_card_shows_what_was_read() {
    let harness = open(loaded());
    for text in [
        "reviews.csv",
        "7,200",
        "Mean 46.",
        "review",
        "sentiment",
        "guessed",
        "3,411 · 47.4 %",
        "a gorgeous, witty",
        "##ty",
        "0.56 % of the texts are longer than max_length = 128",
        "Look at reviews.csv before training",
        "differ only in their spelling",
    ] {
        assert!(sees(&harness, text), "{text}");
    }
}

#[test]
fn another_column_reads_the_data_anew() {
    let mut state = loaded();
    let files = vec![FileInput::Held(file(1, "reviews.csv"))];
    state.sources.note(&Action::Send { command: Command::LoadData { settings: Settings::new() }, files });
    let mut harness = open(state);
    harness.get_by_role_and_label(egui::Role::ComboBox, "Label column").click_accesskit();
    harness.run();
    press(&mut harness, "id");
    let (files, settings) = newest_load(&harness.state().actions).unwrap();
    assert_eq!((files, settings["label_column"].as_str()), (vec!["reviews.csv".to_owned()], "id"));
    // Another file is guessed anew.
    let notice =
        Notice::Files { purpose: Purpose::TrainData, name: String::new(), files: vec![file(2, "c.csv")] };
    harness.state_mut().state.notice(notice);
    harness.run();
    assert!(newest_load(&harness.state().actions).unwrap().1.is_empty());
}

#[test]
fn dropped_tables_are_sorted_and_the_rest_is_explained() {
    let mut state = with_model();
    let files = vec![file(1, "dev.csv"), file(2, "train.csv"), file(3, "more.csv"), file(4, "table.xlsx")];
    state.notice(Notice::Files { purpose: Purpose::Dropped, name: String::new(), files });
    let harness = open(state);
    assert_eq!(newest_load(&harness.state().actions).unwrap().0, ["train.csv", "dev.csv"]);
    for text in ["more.csv: not used", "table.xlsx: a spreadsheet"] {
        assert!(sees(&harness, text), "{text}");
    }
}

#[test]
fn bad_data_get_all_their_reasons() {
    let mut state = with_model();
    let problem = |text: &str| Problem { field: String::new(), text: text.into() };
    let problems = vec![problem("row 3 has 2 columns, expected 3"), problem("no column looks like a label")];
    state.rejected = Some((Command::LoadData { settings: Settings::new() }, problems));
    let harness = open(state);
    for text in ["These data cannot be used", "row 3 has 2 columns", "looks like a label"] {
        assert!(sees(&harness, text), "{text}");
    }
}

#[test]
fn pictures() {
    shoot("data", || (DataScreen::default(), loaded()), DataScreen::show);
    shoot("data-empty", || (DataScreen::default(), with_model()), DataScreen::show);
}
