//! What was loaded, and what a run with it needs.

use dsee_core::{
    config::{RunConfig, RunConfigDraft},
    gpu::AdapterReport,
    protocol::{HeadOrigin, MemoryEstimate, ModelCard},
};
use egui::{RichText, Ui};

use crate::{
    state::AppState,
    theme::{SPACE, colours},
    widgets::{
        self,
        form::{self, Tone},
        numbers::{bytes, short, thousands},
    },
};

/// Draws the card of the loaded model, or what takes so long, or what to do.
pub(super) fn show(ui: &mut Ui, state: &AppState) {
    widgets::card(ui, "Loaded model", |ui| {
        if let Some((what, share)) = &state.working {
            form::progress(ui, share.unwrap_or(0.0) as f32, what);
        }
        match &state.model {
            Some(model) => show_model(ui, model, state),
            None => {
                let text =
                    "Choose the built-in model to start at once, a folder of your own, or one from the hub.";
                widgets::empty_state(ui, "No model yet", text, None);
            }
        }
    });
}

fn show_model(ui: &mut Ui, model: &ModelCard, state: &AppState) {
    ui.label(RichText::new(&model.name).strong());
    let kind = if model.embedded { "built in" } else { "your own" };
    ui.label(RichText::new(format!("{} · {kind}", model.family.to_uppercase())).weak());
    ui.add_space(SPACE[0]);
    form::row(ui, |ui| {
        ui.spacing_mut().item_spacing.x = SPACE[4];
        widgets::stat(ui, "Parameters", &short(model.n_parameters));
        widgets::stat(ui, "Layers", &model.num_hidden_layers.to_string());
        widgets::stat(ui, "Heads", &model.num_attention_heads.to_string());
        widgets::stat(ui, "Hidden", &model.hidden_size.to_string());
        widgets::stat(ui, "On disk", &bytes(model.weight_bytes));
    });
    ui.add_space(SPACE[0]);
    form::fact(ui, "Feed-forward size", &thousands(model.intermediate_size));
    form::fact(ui, "Vocabulary", &thousands(model.vocab_size));
    form::fact(ui, "Longest input", &format!("{} tokens", thousands(model.max_position_embeddings)));
    show_head(ui, &model.head);
    for note in &model.notes {
        form::call_out(ui, Tone::Note, note, &[]);
    }
    ui.separator();
    form::section(
        ui,
        "Memory of a run",
        "With the present settings, at most: every batch full of the longest texts.",
    );
    let draft = state.settings.iter().fold(RunConfigDraft::default(), |draft, (k, v)| draft.with(k, v));
    match draft.check() {
        Ok(config) => show_memory(ui, model, &config, state.adapter.as_ref()),
        Err(_) => drop(ui.label("Some settings are wrong: see Method.")),
    }
}

fn show_head(ui: &mut Ui, head: &HeadOrigin) {
    match head {
        HeadOrigin::Fresh => {
            let text = "The file has no classifier. A new one starts at random values, so predictions \
                        before training are guesses.";
            form::call_out(ui, Tone::Note, "Task head: fresh", &[text.to_owned()]);
        }
        HeadOrigin::Found { labels } => {
            let line = format!("Labels: {}", labels.join(", "));
            form::call_out(ui, Tone::Good, "Task head: found in the file", &[line]);
        }
    }
}

fn show_memory(ui: &mut Ui, model: &ModelCard, config: &RunConfig, adapter: Option<&AdapterReport>) {
    let memory = model.memory_bytes(config);
    stacked_bar(ui, &memory);
    let colours = colours(ui);
    let parts = [
        (colours.accent, "Weights", memory.weights),
        (colours.positive, "Trained numbers and optimizer", memory.trained),
        (colours.zero, "Activations", memory.activations),
    ];
    for (colour, name, n_bytes) in parts {
        ui.horizontal(|ui| {
            ui.label(RichText::new("■").color(colour));
            form::fact(ui, name, &bytes(n_bytes));
        });
    }
    form::fact(ui, "In all", &bytes(memory.total()));
    let Some(adapter) = adapter else { return };
    form::fact(ui, "Largest buffer of the adapter", &bytes(adapter.max_buffer_bytes));
    if memory.total() > adapter.max_buffer_bytes {
        let title = format!("This may not fit on {}", adapter.name);
        let text = "The adapter promises less for a single buffer, and what is left for all of them is not told. \
                    Smaller batches, a shorter max_length, or a smaller model need less.";
        form::call_out(ui, Tone::Warning, &title, &[text.to_owned()]);
    }
}

fn stacked_bar(ui: &mut Ui, memory: &MemoryEstimate) {
    let size = egui::vec2(ui.available_width(), SPACE[2]);
    let (rect, _) = ui.allocate_exact_size(size, egui::Sense::hover());
    let colours = colours(ui);
    let total = memory.total().max(1) as f32;
    let mut left = rect.left();
    for (n_bytes, colour) in [
        (memory.weights, colours.accent),
        (memory.trained, colours.positive),
        (memory.activations, colours.zero),
    ] {
        let width = rect.width() * n_bytes as f32 / total;
        let part = egui::Rect::from_min_size(egui::pos2(left, rect.top()), egui::vec2(width, rect.height()));
        ui.painter().rect_filled(part, 0.0, colour);
        left += width;
    }
}
