//! Every setting: its name, a way to change it, its meaning, what is wrong with it.

use dsee_core::config::{FIELDS, FieldError, FieldSpec};
use egui::{CollapsingHeader, RichText, Ui};

use super::{MethodScreen, command, editor};
use crate::{
    state::{AppState, Screen},
    theme::{SPACE, colours},
    widgets::{self, form},
};

/// What most runs differ in, in the order in which one thinks of it.
const COMMON: [&str; 11] = [
    "method",
    "rank",
    "nnz",
    "alpha",
    "target_modules",
    "prune",
    "num_train_epochs",
    "learning_rate",
    "per_device_train_batch_size",
    "max_length",
    "seed",
];
/// Width of a setting's name and of its editor, in points.
const NAME_WIDTH: f32 = 204.0;

impl MethodScreen {
    /// The settings that most runs differ in.
    pub(super) fn show_common(&mut self, ui: &mut Ui, state: &mut AppState, errors: &[FieldError]) {
        widgets::card(ui, "Common settings", |ui| {
            for field in COMMON.iter().filter_map(|name| FieldSpec::find(name)) {
                self.show_field(ui, field, state, errors, false);
            }
        });
    }

    /// All others, folded by group.
    pub(super) fn show_rest(&mut self, ui: &mut Ui, state: &mut AppState, errors: &[FieldError]) {
        let rest = || FIELDS.iter().filter(|field| !COMMON.contains(&field.name));
        let mut groups: Vec<&str> = rest().map(|field| field.group).collect();
        groups.dedup();
        widgets::card(ui, "All other settings", |ui| {
            for group in groups {
                let fields: Vec<_> = rest().filter(|field| field.group == group).collect();
                let is_in = |name: &str| fields.iter().any(|field| field.name == name);
                let n_changed = state.settings.keys().filter(|name| is_in(name)).count();
                let is_wrong = errors.iter().any(|error| is_in(&error.field));
                let title = match n_changed {
                    0 => group.to_owned(),
                    n => format!("{group} · {n} changed"),
                };
                // What is wrong must be seen, so its group opens.
                let header = CollapsingHeader::new(RichText::new(title).strong()).id_salt(group);
                header.open(is_wrong.then_some(true)).show_unindented(ui, |ui| {
                    for field in fields {
                        self.show_field(ui, field, state, errors, true);
                    }
                });
            }
        });
    }

    fn show_field(
        &mut self,
        ui: &mut Ui,
        field: &'static FieldSpec,
        state: &mut AppState,
        errors: &[FieldError],
        wide: bool,
    ) {
        ui.push_id(field.name, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            if wide && !form::is_narrow(ui) {
                ui.horizontal(|ui| {
                    self.show_name_and_editor(ui, field, state);
                    ui.add(egui::Label::new(RichText::new(field.help).small().weak()).wrap());
                });
            } else {
                ui.horizontal_wrapped(|ui| self.show_name_and_editor(ui, field, state));
                ui.label(RichText::new(field.help).small().weak());
            }
            for error in errors.iter().filter(|error| error.field == field.name) {
                widgets::error_line(ui, &sentence(error));
            }
            ui.add_space(SPACE[0]);
        });
    }

    fn show_name_and_editor(&mut self, ui: &mut Ui, field: &'static FieldSpec, state: &mut AppState) {
        let changed = state.settings.contains_key(field.name);
        let colours = colours(ui);
        let name = RichText::new(field.name);
        let name = if changed { name.strong().color(colours.accent) } else { name };
        let size = egui::vec2(NAME_WIDTH, ui.spacing().interact_size.y);
        let layout = egui::Layout::left_to_right(egui::Align::Center);
        let label = ui
            .allocate_ui_with_layout(size, layout, |ui| {
                ui.set_width(NAME_WIDTH);
                ui.add(egui::Label::new(name).truncate())
            })
            .inner;
        if command::is_about_files(field) {
            show_file_setting(ui, field, state);
            return;
        }
        let fallback = effective_default(field, state);
        ui.label_inputs_by(label.id, |ui| {
            editor::show(ui, field, &mut state.settings, &fallback, &mut self.typing, label.id);
        });
        if changed {
            let reset = form::quiet_button(ui, "Reset").on_hover_text(format!("back to {fallback}"));
            if form::named(reset, &format!("Reset {}", field.name)).clicked() {
                state.settings.remove(field.name);
                self.typing = None;
            }
        }
    }
}

/// A setting that another screen chooses.
fn show_file_setting(ui: &mut Ui, field: &FieldSpec, state: &mut AppState) {
    let value = state.all_settings().remove(field.name);
    let (screen, place) =
        if field.name == "model" { (Screen::Model, "Model") } else { (Screen::Data, "Data") };
    let none = if field.name == "validation_file" { "held out of the training file" } else { "built in" };
    ui.label(value.as_deref().unwrap_or(none));
    let button = form::quiet_button(ui, &format!("On {place}…"));
    if form::named(button, &format!("Choose {} on the screen {place}", field.name)).clicked() {
        state.screen = screen;
    }
}

/// The value a setting has when it is not given, the other settings being what they are; empty where it has none.
fn effective_default(field: &FieldSpec, state: &AppState) -> String {
    // A task and a model change some of the table's defaults. Where they do not, the table's spelling is the shorter.
    if !field.default.is_empty() && !state.settings.contains_key("task") && field.name != "max_length" {
        return field.default.to_owned();
    }
    let mut others = state.settings.clone();
    others.remove(field.name);
    // Other settings may be wrong; without those there is still a default.
    if let Err(errors) = state.checked(&command::draft(&others)) {
        errors.iter().for_each(|error| drop(others.remove(&error.field)));
    }
    let pairs = state.checked(&command::draft(&others)).map(|config| config.to_pairs()).unwrap_or_default();
    let own = pairs.into_iter().find(|(name, _)| name == field.name).map(|(_, value)| value);
    own.unwrap_or_else(|| field.default.to_owned())
}

/// An error without the name that stands beside it.
fn sentence(error: &FieldError) -> String {
    if error.suggestion.is_empty() {
        error.reason.clone()
    } else {
        format!("{}; {}", error.reason, error.suggestion)
    }
}
