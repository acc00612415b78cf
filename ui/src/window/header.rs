//! What it is, where it computes, and that nothing leaves this device.

use dsee_core::gpu::{AdapterKind, AdapterReport};
use egui::{Align, Label, Layout, RichText, Ui};

use super::{
    navigation,
    words::{NAME, PRIVACY, PURPOSE},
};
use crate::{
    state::AppState,
    theme::{SPACE, colours},
    widgets::{chip, numbers::bytes},
};

/// Beside the navigation: purpose to the left, adapter to the right.
pub fn wide(ui: &mut Ui, state: &AppState) {
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            adapter_chip(ui, state);
            ui.add_space(SPACE[2]);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add(Label::new(RichText::new(PURPOSE).weak()).wrap());
            });
        });
    });
}

/// On top of a narrow window, with the navigation in it.
pub fn narrow(ui: &mut Ui, state: &mut AppState, help: &mut bool) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(NAME).heading().strong());
        if state.shows("nav") {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| navigation::menu(ui, state, help));
        }
    });
    // On a small screen the curves need the room; a warning about the adapter stays.
    let before = state.run().is_none();
    if before {
        ui.label(RichText::new(format!("{PURPOSE} {PRIVACY}")).small().weak());
    }
    if before || state.adapter.as_ref().is_none_or(|adapter| adapter.kind != AdapterKind::Hardware) {
        adapter_chip(ui, state);
    }
}

/// The name of the adapter, with a warning if it is none.
fn adapter_chip(ui: &mut Ui, state: &AppState) {
    let colours = colours(ui);
    let Some(adapter) = &state.adapter else {
        let text = if state.engine_gone { "No engine" } else { "Looking for a GPU" };
        chip(ui, text, if state.engine_gone { colours.error } else { colours.zero });
        return;
    };
    let software = adapter.kind != AdapterKind::Hardware;
    // Driver versions make the names of software adapters long; what it is counts more.
    let name = adapter.name.split(" (").next().unwrap_or(&adapter.name);
    let text = if software { format!("⚠ Software adapter: {name}") } else { name.to_owned() };
    ui.scope(|ui| {
        ui.set_max_width(300.0_f32.min(ui.available_width()));
        chip(ui, &text, if software { colours.warning } else { colours.good })
            .on_hover_text(adapter_facts(adapter, software));
    });
}

fn adapter_facts(adapter: &AdapterReport, software: bool) -> String {
    let warning = if software {
        "\nNo GPU was found: everything works, only slower. On the web, check that hardware acceleration is on."
    } else {
        ""
    };
    format!(
        "{}\n{}, {}\nlargest buffer {}, workgroups up to {}{warning}",
        adapter.name,
        adapter.backend,
        adapter.driver,
        bytes(adapter.max_buffer_bytes),
        adapter.max_workgroup_invocations
    )
}
