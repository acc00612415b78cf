//! Where data come from, and which columns are read.

use dsee_core::protocol::{DataCard, DataForm};
use egui::{CollapsingHeader, ComboBox, RichText, TextEdit, Ui};

use super::DataScreen;
use crate::{
    shell::{Action, Purpose},
    state::AppState,
    widgets::{self, form},
};

/// Kinds of tasks, as in settings and in words.
const TASKS: [(&str, &str); 5] = [
    ("auto", "Labels: classes or numbers"),
    ("classification", "Classes"),
    ("regression", "Numbers"),
    ("generation", "Texts for meanings (decoder)"),
    ("language-modeling", "Plain text"),
];

impl DataScreen {
    /// Draws the ways to give data.
    pub(super) fn show_sources(&mut self, ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        widgets::card(ui, "Choose data", |ui| {
            let ready = state.model.is_some();
            self.show_built_in(ui, state, actions);
            show_task(ui, state, actions);
            form::section(
                ui,
                "A table of your own",
                "CSV or TSV with column names in the first line, or JSON with one object on each line (.jsonl). \
                 Choose it here, or drop it anywhere on the window.",
            );
            form::row(ui, |ui| {
                if form::button_if(ui, ready, "Choose training file…").clicked() {
                    actions.push(Action::Pick(Purpose::TrainData));
                }
                let with_train = ready && self.files.has_train();
                let validation = form::button_if(ui, with_train, "Choose validation file…");
                if validation.clicked() {
                    actions.push(Action::Pick(Purpose::ValidationData));
                }
                if self.files.has_validation() && form::quiet_button(ui, "Hold out instead").clicked() {
                    self.files.drop_validation(state, actions);
                }
            });
            self.show_paste(ui, state, actions);
        });
    }

    /// The set inside the program: meanings for a decoder, else sentences.
    fn show_built_in(&mut self, ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        let writes = state.model.as_ref().is_some_and(|model| model.is_decoder);
        let (title, text, name) = if writes {
            (
                "Built-in meanings",
                "Invented places with descriptions, to learn writing.",
                "Use built-in meanings",
            )
        } else {
            let text = "Short reviews with a verdict, made for the built-in model.";
            ("Built-in sentences", text, "Use built-in sentences")
        };
        form::section(ui, title, text);
        let form = if writes { DataForm::Generation } else { DataForm::Labelled };
        let used = state.data.as_ref().is_some_and(|data| data.embedded && data.form == form);
        if form::button_if(ui, state.model.is_some() && !used, name).clicked() {
            match writes {
                true => drop(state.settings.insert("task_type".to_owned(), "generation".to_owned())),
                false => drop(state.settings.remove("task_type")),
            }
            self.files.use_built_in(state, actions);
        }
    }

    fn show_paste(&mut self, ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        let header = CollapsingHeader::new("Paste rows").id_salt("paste").default_open(state.data.is_none());
        header.show_unindented(ui, |ui| {
            let edit = TextEdit::multiline(&mut self.pasted)
                .hint_text("text,label\nwhat a lovely film,good\nnever again,bad")
                .desired_rows(4)
                .desired_width(f32::INFINITY);
            let label = ui.label(RichText::new("Rows to paste").small().weak());
            ui.add(edit).labelled_by(label.id);
            let ready = state.model.is_some() && !self.pasted.trim().is_empty();
            if form::button_if(ui, ready, "Use pasted rows").clicked() {
                let text = std::mem::take(&mut self.pasted);
                self.files.use_pasted(&text, state, actions);
                self.pasted = text;
            }
        });
    }
}

/// What is learned from the data; another choice reads them anew.
fn show_task(ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
    let chosen = state.settings.get("task_type").map_or("auto", String::as_str);
    let mut task = TASKS.iter().position(|(name, _)| *name == chosen).unwrap_or(0);
    let before = task;
    let label = ui.label(RichText::new("What is learned").small().weak());
    let combo = ComboBox::from_id_salt("task").selected_text(TASKS[task].1).width(260.0).truncate();
    let shown = combo.show_ui(ui, |ui| {
        for (i, (_, text)) in TASKS.iter().enumerate() {
            ui.selectable_value(&mut task, i, *text);
        }
    });
    shown.response.labelled_by(label.id);
    if task != before {
        match task {
            0 => drop(state.settings.remove("task_type")),
            _ => drop(state.settings.insert("task_type".to_owned(), TASKS[task].0.to_owned())),
        }
        super::files::reload(state, actions);
    }
}

/// Draws which columns are read; a change reads the data anew.
pub(super) fn show_columns(ui: &mut Ui, data: &DataCard, state: &mut AppState, actions: &mut Vec<Action>) {
    let columns = [
        ("text_column", "Text", Some(data.text_column.as_str())),
        ("text_pair_column", "Second text", data.text_pair_column.as_deref()),
        ("label_column", "Label", Some(data.label_column.as_str())),
    ];
    let mut changed = false;
    for (setting, name, used) in columns {
        let guessed = !state.settings.contains_key(setting);
        ui.horizontal(|ui| {
            let label = ui.label(RichText::new(format!("{name} column")).weak());
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let word = if guessed { "guessed" } else { "chosen" };
                ui.label(RichText::new(word).small().weak());
                let combo = ComboBox::from_id_salt(setting).selected_text(used.unwrap_or("none"));
                ui.label_inputs_by(label.id, |ui| {
                    combo.show_ui(ui, |ui| {
                        changed |= show_options(ui, setting, used, data, state);
                    })
                });
            });
        });
    }
    if changed {
        super::files::reload(state, actions);
    }
}

/// The columns of the file, and leaving it to a guess. True if another was chosen.
fn show_options(
    ui: &mut Ui,
    setting: &str,
    used: Option<&str>,
    data: &DataCard,
    state: &mut AppState,
) -> bool {
    let mut changed = false;
    if ui.selectable_label(!state.settings.contains_key(setting), "Guess").clicked() {
        changed = state.settings.remove(setting).is_some();
    }
    for column in &data.columns {
        if ui.selectable_label(used == Some(column), column).clicked() && used != Some(column) {
            state.settings.insert(setting.to_owned(), column.clone());
            changed = true;
        }
    }
    changed
}
