//! The system's dialogs. Each has a thread of its own, because it stays open as long as the user likes.

use dsee_ui::Purpose;
use rfd::FileDialog;
use std::{path::PathBuf, thread};

/// Lets the user choose what files are for; `chosen` gets the path of a file or a folder.
pub fn pick(purpose: Purpose, chosen: impl FnOnce(PathBuf) + Send + 'static) {
    let dialog = FileDialog::new();
    show(chosen, move || match purpose {
        Purpose::Model => dialog.set_title("A model folder").pick_folder(),
        Purpose::TrainData => data(dialog).set_title("Training data").pick_file(),
        Purpose::ValidationData => data(dialog).set_title("Validation data").pick_file(),
        Purpose::Settings => dialog.set_title("Settings").add_filter("Settings", &["toml"]).pick_file(),
        Purpose::Dropped => dialog.pick_file(),
    });
}

/// Lets the user choose a folder.
pub fn pick_folder(title: &'static str, chosen: impl FnOnce(PathBuf) + Send + 'static) {
    show(chosen, move || FileDialog::new().set_title(title).pick_folder());
}

/// Lets the user choose the name of one file to write.
pub fn save_file(name: String, chosen: impl FnOnce(PathBuf) + Send + 'static) {
    show(chosen, move || FileDialog::new().set_file_name(name).save_file());
}

fn data(dialog: FileDialog) -> FileDialog {
    dialog
        .add_filter("Labelled text", &["csv", "tsv", "txt", "json", "jsonl"])
        .add_filter("Everything", &["*"])
}

fn show(
    chosen: impl FnOnce(PathBuf) + Send + 'static,
    dialog: impl FnOnce() -> Option<PathBuf> + Send + 'static,
) {
    // macOS shows dialogs on its main thread only; rfd hands them over there by itself.
    let body = move || {
        if let Some(path) = dialog() {
            chosen(path);
        }
    };
    if let Err(error) = thread::Builder::new().name("dialog".to_owned()).spawn(body) {
        log::error!("no dialog can be opened: {error}");
    }
}
