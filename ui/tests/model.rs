//! The screen Model: what it shows, what its buttons ask for, what it says about files that are no model.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use dsee_core::protocol::{Command, HeadOrigin, Problem};
use dsee_ui::{
    Action, AppState, FileInput, Notice, Purpose,
    screens::model::ModelScreen,
    shell::{Download, Storage},
};
use egui_kittest::{Harness, kittest::Queryable as _};
use support::stage::{Stage, app_state, file, model, press, sees, shoot, stage};

fn full_state() -> AppState {
    let mut state = app_state(Some(model()), None);
    state.notice(Notice::Storage(Storage {
        models: vec![
            ("sentence-transformers/all-MiniLM-L6-v2".into(), 91_600_000),
            ("prajjwal1/bert-tiny".into(), 17_800_000),
        ],
        n_used: 109_400_000,
        n_available: Some(12_000_000_000),
    }));
    state
}

fn open(state: AppState) -> Harness<'static, Stage<ModelScreen>> {
    let mut harness = stage(ModelScreen::default(), state, ModelScreen::show, [1280.0, 1400.0], true);
    harness.run();
    harness
}

fn sent(actions: &[Action]) -> Vec<(&Command, &[FileInput])> {
    let pick = |action: &'_ Action| matches!(action, Action::Send { .. });
    actions
        .iter()
        .filter(|action| pick(action))
        .map(|action| match action {
            Action::Send { command, files } => (command, files.as_slice()),
            _ => unreachable!("filtered"),
        })
        .collect()
}

#[test]
fn an_empty_screen_says_what_to_do_and_asks_what_is_kept() {
    let mut harness = open(AppState::default());
    for text in ["No model yet", "never leaves it", "No models yet", "Use built-in model"] {
        assert!(sees(&harness, text), "{text}");
    }
    assert_eq!(harness.state().actions, [Action::ListStorage]);
    press(&mut harness, "Use built-in model");
    press(&mut harness, "Choose files…");
    let actions = &harness.state().actions;
    assert_eq!(sent(actions), [(&Command::LoadModel { name: String::new() }, [].as_slice())]);
    assert_eq!(actions.last(), Some(&Action::Pick(Purpose::Model)));
}

#[test]
fn the_card_tells_sizes_head_and_memory() {
    let harness = open(full_state());
    for text in [
        "all-MiniLM-L6-v2",
        "22.7 M",
        "30,522",
        "512 tokens",
        "Task head: fresh",
        "masked-word head",
        "Activations",
    ] {
        assert!(sees(&harness, text), "{text}");
    }
    let mut state = full_state();
    state.model.as_mut().unwrap().head = HeadOrigin::Found { labels: vec!["bad".into(), "good".into()] };
    let harness = open(state);
    assert!(sees(&harness, "Task head: found") && sees(&harness, "bad, good"));
}

#[test]
fn too_large_a_run_is_warned_about() {
    let mut state = full_state();
    assert!(!sees(&open(state.clone()), "may not fit"));
    state.settings.insert("per_device_train_batch_size".into(), "512".into());
    assert!(sees(&open(state), "This may not fit on llvmpipe"));
}

#[test]
fn a_hub_model_is_asked_for_with_revision_and_token() {
    let mut harness = open(AppState::default());
    harness.get_by_label("Model id").focus();
    harness.get_by_label("Model id").type_text("no such/id");
    harness.run();
    assert!(sees(&harness, "letters, digits"));
    harness.get_by_label("Revision and access token").click_accesskit();
    harness.run();
    harness.state_mut().actions.clear();
    let mut harness = open(AppState::default());
    harness.get_by_label("Model id").focus();
    harness.get_by_label("Model id").type_text("org/name");
    harness.run();
    press(&mut harness, "Download");
    let expected = Action::Download { id: "org/name".into(), revision: "main".into(), token: None };
    assert_eq!(harness.state().actions.last(), Some(&expected));
}

#[test]
fn a_download_shows_its_progress_and_a_cut_one_can_be_resumed() {
    let mut state = AppState::default();
    let download = Download {
        id: "org/name".into(),
        file: "model.safetensors".into(),
        n_done: 54_000_000,
        n_total: 90_000_000,
        rate: 3e6,
        ..Download::default()
    };
    state.download = Some(download.clone());
    let mut harness = open(state.clone());
    assert!(sees(&harness, "54.0 MB of 90.0 MB · 3.00 MB/s · 12 s left"));
    press(&mut harness, "Cancel");
    assert_eq!(harness.state().actions.last(), Some(&Action::CancelDownload));
    let problem = "The connection was cut. What has come is kept: press Resume.";
    state.download = Some(Download { problem: Some(problem.into()), ..download });
    let mut harness = open(state);
    assert!(sees(&harness, problem) && sees(&harness, "stopped at 54.0 MB"));
    press(&mut harness, "Resume");
    assert!(matches!(harness.state().actions.last(), Some(Action::Download { id, .. }) if id == "org/name"));
}

#[test]
fn kept_models_are_used_and_deleted_after_a_second_press() {
    let mut harness = open(full_state());
    assert!(sees(&harness, "91.6 MB") && sees(&harness, "109 MB used, 12.0 GB available"));
    press(&mut harness, "Use prajjwal1/bert-tiny");
    assert_eq!(harness.state().actions.last(), Some(&Action::OpenCached("prajjwal1/bert-tiny".into())));
    let n = harness.state().actions.len();
    press(&mut harness, "Delete prajjwal1/bert-tiny");
    assert_eq!(harness.state().actions.len(), n);
    press(&mut harness, "Really delete prajjwal1/bert-tiny");
    assert_eq!(harness.state().actions.last(), Some(&Action::DeleteCached("prajjwal1/bert-tiny".into())));
}

#[test]
fn dropped_files_of_a_model_are_loaded_and_inner_folders_left_out() {
    let mut state = AppState::default();
    let names = [
        "m/config.json",
        "m/model.safetensors",
        "m/tokenizer.json",
        "m/1_Pooling/config.json",
        "m/README.md",
    ];
    let files = (1..).zip(names).map(|(id, name)| file(id, name)).collect();
    state.notice(Notice::Files { purpose: Purpose::Dropped, name: String::new(), files });
    let harness = open(state);
    let actions = &harness.state().actions;
    let sent = sent(actions);
    let (command, files) = sent[0];
    assert_eq!(command, &Command::LoadModel { name: "m".into() });
    let ids: Vec<u64> = files.iter().map(|f| if let FileInput::Held(f) = f { f.id } else { 0 }).collect();
    assert_eq!((ids.as_slice(), sent.len()), ([1, 2, 3].as_slice(), 1));
}

#[test]
fn half_a_folder_and_wrong_files_get_all_their_reasons() {
    let mut state = AppState::default();
    let command = Command::LoadModel { name: "half".into() };
    let problem = |text: &str| Problem { field: String::new(), text: text.into() };
    let problems =
        vec![problem("model.safetensors is missing"), problem("tokenizer.json or vocab.txt is missing")];
    state.rejected = Some((command, problems));
    let files = vec![file(1, "photo.jpg"), file(2, "weights.h5")];
    state.notice(Notice::Files { purpose: Purpose::Dropped, name: String::new(), files });
    let harness = open(state);
    for text in [
        "half cannot be used",
        "model.safetensors is missing",
        "vocab.txt is missing",
        "photo.jpg: unknown",
        "weights.h5: another program",
    ] {
        assert!(sees(&harness, text), "{text}");
    }
    assert!(sent(&harness.state().actions).is_empty());
}

#[test]
fn files_chosen_as_a_model_that_are_none_load_nothing() {
    let mut state = AppState::default();
    let files = vec![file(1, "reviews.csv"), file(2, "weights.gguf")];
    state.notice(Notice::Files { purpose: Purpose::Model, name: String::new(), files });
    let harness = open(state);
    for text in ["reviews.csv: not a file of a model", "weights.gguf: another program", "needs config.json"] {
        assert!(sees(&harness, text), "{text}");
    }
    assert!(sent(&harness.state().actions).is_empty());
}

#[test]
fn pictures() {
    shoot("model", || (ModelScreen::default(), full_state()), ModelScreen::show);
    shoot("model-empty", || (ModelScreen::default(), AppState::default()), ModelScreen::show);
}
