//! What was loaded, and what a run with it needs.

use dsee_core::{
    config::{RunConfig, RunConfigDraft},
    gpu::AdapterReport,
    protocol::{HeadOrigin, MemoryEstimate, ModelCard},
};
use egui::Ui;

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
    let kind = if model.embedded { "built in" } else { "your own" };
    form::section(ui, &model.name, &format!("{} · {kind}", model.family.to_uppercase()));
    widgets::stats::stats(
        ui,
        &[
            ("Parameters", short(model.n_parameters)),
            ("Layers", model.num_hidden_layers.to_string()),
            ("Heads", model.num_attention_heads.to_string()),
            ("Hidden", model.hidden_size.to_string()),
            ("Weights", bytes(model.weight_bytes)),
        ],
        |_| {},
    );
    form::tight(ui, |ui| {
        form::fact(ui, "Feed-forward size", &thousands(model.intermediate_size));
        form::fact(ui, "Vocabulary", &thousands(model.vocab_size));
        form::fact(ui, "Longest input", &format!("{} tokens", thousands(model.max_position_embeddings)));
    });
    show_head(ui, &model.head);
    if !model.notes.is_empty() {
        form::call_out(ui, Tone::Note, "What the file has", &model.notes);
    }
    ui.separator();
    form::section(
        ui,
        "Memory of a run",
        "With the present settings, at most: every batch full of the longest texts.",
    );
    let draft: RunConfigDraft = state.settings.iter().collect();
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
        HeadOrigin::Words => {
            let text = "A decoder: it writes, token by token. With labelled data it gets a fresh classifier.";
            form::call_out(ui, Tone::Note, "Writes text", &[text.to_owned()]);
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
    form::tight(ui, |ui| {
        for (colour, name, n_bytes) in parts {
            form::marked_fact(ui, Some(colour), name, &bytes(n_bytes));
        }
        form::fact(ui, "In all", &bytes(memory.total()));
        if let Some(adapter) = adapter {
            form::fact(ui, "Largest buffer of the adapter", &bytes(adapter.max_buffer_bytes));
        }
    });
    let Some(adapter) = adapter else { return };
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
