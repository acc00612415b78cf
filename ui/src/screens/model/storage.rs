//! The models that are kept on this device.

use egui::{RichText, Ui};

use crate::{
    shell::{Action, Storage},
    widgets::{self, form, numbers::bytes},
};

/// What the list remembers.
#[derive(Default)]
pub(super) struct StorageList {
    asked: bool,
    /// The model whose deletion waits for a second press.
    doomed: Option<String>,
}

impl StorageList {
    /// Lets the list be asked for anew.
    pub(super) fn ask_again(&mut self) {
        self.asked = false;
    }

    /// Asks for the list, once.
    pub(super) fn ask(&mut self, actions: &mut Vec<Action>) {
        if !std::mem::replace(&mut self.asked, true) {
            actions.push(Action::ListStorage);
        }
    }

    /// Draws the list.
    pub(super) fn show(&mut self, ui: &mut Ui, storage: &Storage, actions: &mut Vec<Action>) {
        widgets::card(ui, "Kept on this device", |ui| {
            if storage.models.is_empty() {
                ui.label(
                    RichText::new("No models yet. Downloaded ones are kept here for the next time.").weak(),
                );
            }
            for (id, n_bytes) in &storage.models {
                self.show_model(ui, id, *n_bytes, actions);
            }
            let free = storage.n_available.map(|free| format!(", {} available", bytes(free)));
            let line = format!("{} used{}", bytes(storage.n_used), free.unwrap_or_default());
            ui.label(RichText::new(line).small().weak());
        });
    }

    fn show_model(&mut self, ui: &mut Ui, id: &str, n_bytes: u64, actions: &mut Vec<Action>) {
        ui.label(RichText::new(id).strong());
        form::row(ui, |ui| {
            ui.label(RichText::new(bytes(n_bytes)).weak());
            let named = |response: egui::Response, what: &str| form::named(response, &format!("{what} {id}"));
            if named(form::button(ui, "Use"), "Use").clicked() {
                actions.push(Action::OpenCached(id.to_owned()));
            }
            if self.doomed.as_deref() != Some(id) {
                if named(form::quiet_button(ui, "Delete"), "Delete").clicked() {
                    self.doomed = Some(id.to_owned());
                }
                return;
            }
            if named(form::button(ui, "Delete for good"), "Really delete").clicked() {
                actions.push(Action::DeleteCached(id.to_owned()));
                self.doomed = None;
            }
            if named(form::quiet_button(ui, "Keep"), "Keep").clicked() {
                self.doomed = None;
            }
        });
    }
}
