//! The screen Method: presets, changed marks, errors beside their fields, the command, the settings file.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use dsee_core::config::{FIELDS, RunConfigDraft};
use dsee_ui::{
    Action, AppState, FileRef, Notice, Purpose,
    screens::method::{MethodScreen, command_line},
    state::{Activity, RunView},
};
use egui_kittest::{Harness, kittest::Queryable as _};
use support::stage::{Stage, app_state, data, model, press, sees, shoot, stage};

fn loaded() -> AppState {
    app_state(Some(model()), Some(data()))
}

fn open(state: AppState) -> Harness<'static, Stage<MethodScreen>> {
    let mut harness = stage(MethodScreen::default(), state, MethodScreen::show, [1280.0, 3000.0], true);
    harness.run();
    harness
}

fn with(settings: &[(&str, &str)]) -> AppState {
    let mut state = loaded();
    state.settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    state
}

/// The arguments of a command as a shell would split them.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words
}

#[test]
fn presets_set_what_they_say_and_take_back_what_others_set() {
    let mut harness = open(loaded());
    press(&mut harness, "DSEE 50 %");
    assert_eq!(harness.state().state.settings["prune"], "unstructured:0.5");
    press(&mut harness, "LoRA");
    let settings = &harness.state().state.settings;
    assert_eq!((settings.get("method").map(String::as_str), settings.get("prune")), (Some("lora"), None));
    press(&mut harness, "DSEE 3 heads");
    assert_eq!(harness.state().state.settings["prune"], "heads:3");
    assert!(!harness.state().state.settings.contains_key("method"));
}

#[test]
fn every_setting_is_there_with_its_meaning() {
    let mut harness = open(loaded());
    for group in [
        "Model and data",
        "Method",
        "Pruning and retuning",
        "Training",
        "Generation",
        "Evaluation, checkpoints and logs",
    ] {
        if let Some(header) = harness.query_all_by_label(group).last() {
            header.click_accesskit();
        }
    }
    harness.run();
    for field in FIELDS {
        assert!(sees(&harness, field.name) && sees(&harness, field.help), "{}", field.name);
    }
}

#[test]
fn changed_settings_are_marked_and_reset() {
    let mut harness = open(with(&[("rank", "8"), ("eval_steps", "50")]));
    assert!(
        sees(&harness, "2 settings differ") && sees(&harness, "Evaluation, checkpoints and logs · 1 changed")
    );
    assert!(harness.query_by_label("Reset nnz").is_none());
    press(&mut harness, "Reset rank");
    assert_eq!(harness.state().state.settings.len(), 1);
    assert!(harness.query_by_label("Reset rank").is_none());
}

#[test]
fn typing_and_stepping_change_a_setting() {
    let mut harness = open(loaded());
    press(&mut harness, "More rank");
    assert_eq!(harness.state().state.settings["rank"], "32");
    press(&mut harness, "Less learning_rate");
    assert_eq!(harness.state().state.settings["learning_rate"], "1e-4");
    let by_role = |harness: &Harness<'_, _>, name: &str| {
        harness.get_by_role_and_label(egui::Role::TextInput, name).focus()
    };
    by_role(&harness, "nnz");
    harness.get_by_role_and_label(egui::Role::TextInput, "nnz").type_text("64");
    harness.run();
    assert_eq!(harness.state().state.settings["nnz"], "64");
}

#[test]
fn wrong_values_are_explained_beside_their_field_and_in_all() {
    let harness = open(with(&[("rank", "many"), ("adam_beta1", "2"), ("prune", "heads:0")]));
    for text in ["3 settings are wrong", "must be a whole number", "must lie in [0, 1)", "at least 1 head"] {
        assert!(sees(&harness, text), "{text}");
    }
    let harness = open(with(&[("rank", "999")]));
    assert!(sees(&harness, "their rank is at most 384"));
}

#[test]
fn a_default_is_the_one_that_would_be_used() {
    // The model knows 512 positions; only what nobody chose makes room for a prefix.
    let prefix = [("method", "p-tuning-v2"), ("prefix_length", "500")];
    let problem = "texts take up to 128 of them";
    assert!(!sees(&open(with(&prefix)), problem));
    assert!(sees(&open(with(&[prefix[0], prefix[1], ("max_length", "128")])), problem));
    // One step up from what stands in the empty field.
    let stepped = |settings: &[(&str, &str)], name: &str| {
        let mut harness = open(with(settings));
        press(&mut harness, &format!("More {name}"));
        harness.state().state.settings[name].clone()
    };
    assert_eq!(stepped(&prefix, "max_length"), "24");
    assert_eq!(stepped(&[("task", "rte")], "num_train_epochs"), "10");
}

#[test]
fn what_tuning_leaves_is_said_where_it_is_less() {
    let label = "Kept of them after tuning";
    assert!(sees(&open(with(&[("method", "earlybert")])), label));
    assert!(!sees(&open(with(&[("method", "lora")])), label));
}

#[test]
fn the_trainable_count_follows_the_settings() {
    let harness = open(loaded());
    // 12 adapted matrices: 16 (384 + 384) + 16 each.
    assert!(sees(&harness, "147,648") && sees(&harness, "0.65 % of 22,713,216"));
    assert!(sees(&open(with(&[("method", "bitfit")])), "25,728"));
    assert!(sees(&open(AppState::default()), "Load a model to see"));
}

#[test]
fn the_command_gives_the_same_settings() {
    let state = with(&[
        ("rank", "8"),
        ("prune", "unstructured:0.5"),
        ("run_name", "it's a \"test\""),
        ("learning_rate", "5e-4"),
    ]);
    let line = command_line(&state);
    assert!(line.starts_with("dsee train --model all-MiniLM-L6-v2 --train-file reviews.csv "), "{line}");
    let line = line.replace(r"'\''", "\u{1}");
    let words = words(&line);
    let mut draft = RunConfigDraft::default();
    for pair in words[2..].chunks(2) {
        draft.set(&pair[0].trim_start_matches("--").replace('-', "_"), &pair[1].replace('\u{1}', "'"));
    }
    let config = draft.check().unwrap();
    assert_eq!(
        (config.rank, config.learning_rate, config.run_name.as_deref()),
        (8, 5e-4, Some("it's a \"test\""))
    );
    assert_eq!(config.prune.to_string(), "unstructured:0.5");
    let mut harness = open(state);
    press(&mut harness, "Copy command");
    assert!(sees(&harness, "✔ Copied"));
}

#[test]
fn a_settings_file_goes_out_and_comes_back() {
    let state = with(&[
        ("rank", "8"),
        ("target_modules", "query,key"),
        ("load_best_model_at_end", "false"),
        ("learning_rate", "5e-4"),
    ]);
    let settings = state.settings.clone();
    let mut harness = open(state);
    press(&mut harness, "Save run.toml");
    let Some(Action::Save { files, .. }) = harness.state().actions.last() else { panic!("nothing saved") };
    let text = String::from_utf8(files[0].bytes.clone()).unwrap();
    assert!(RunConfigDraft::from_toml(&text).unwrap().check().is_ok(), "{text}");
    let mut state = with(&[("nnz", "4")]);
    let file = FileRef { id: 1, name: "run.toml".into(), n_bytes: 10, text: Some(text) };
    state.notice(Notice::Files { purpose: Purpose::Settings, name: String::new(), files: vec![file] });
    let harness = open(state);
    let read = &harness.state().state.settings;
    assert_eq!(read.keys().collect::<Vec<_>>(), settings.keys().collect::<Vec<_>>());
    let check = |settings: &dsee_core::protocol::Settings| {
        settings.iter().collect::<RunConfigDraft>().check().unwrap()
    };
    assert_eq!(check(read), check(&settings));
}

#[test]
fn wrong_settings_files_are_explained_with_their_line() {
    for (text, reason) in [
        (Some("rank = 8\nnnz == 4\n"), "in line 2"),
        (Some("rnak = 8\n"), "mean rank?"),
        (Some("rank = \"many\"\n"), "must be a whole number"),
        (None, "not a text file"),
    ] {
        let mut state = loaded();
        let file = FileRef { id: 1, name: "run.toml".into(), n_bytes: 10, text: text.map(Into::into) };
        state.notice(Notice::Files { purpose: Purpose::Settings, name: String::new(), files: vec![file] });
        assert!(sees(&open(state), reason), "{reason}");
    }
}

#[test]
fn changes_during_a_run_are_for_the_next_one() {
    let mut state = loaded();
    let config = RunConfigDraft::default().check().unwrap();
    let mut run = RunView::begin(&config);
    run.activity = Activity::Running;
    state.runs.insert(1, run);
    state.current = Some(1);
    assert!(sees(&open(state), "applies to the next run"));
}

#[test]
fn pictures() {
    let make = || {
        (MethodScreen::default(), with(&[("rank", "8"), ("prune", "unstructured:0.5"), ("eval_steps", "0")]))
    };
    shoot("method", make, MethodScreen::show);
}

#[test]
fn a_link_can_hide_the_settings() {
    let mut state = loaded();
    state.hidden.insert("settings".to_owned());
    let harness = open(state);
    assert!(!sees(&harness, "rank") && !sees(&harness, "Copy command"));
    assert!(sees(
        &harness,
        "The link that opened this window hides the settings: they are as the link says."
    ));
}
