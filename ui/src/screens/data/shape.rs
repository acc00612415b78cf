//! How the examples are spread: over classes, over lengths.

use dsee_core::protocol::DataCard;
use egui::{RichText, Ui, vec2};
use egui_plot::{Bar, BarChart, LineStyle, Plot, VLine};

use crate::{
    state::AppState,
    theme::{SPACE, colours},
    widgets::{
        self, form, name_plot,
        numbers::{percent, thousands},
    },
};

/// Training examples of each class, as bars.
pub(super) fn show_classes(ui: &mut Ui, data: &DataCard) {
    if data.label_names.is_empty() {
        form::fact(ui, "Labels", "numbers");
        return;
    }
    form::section(ui, "Classes", "");
    let largest = data.class_counts.iter().copied().max().unwrap_or(1).max(1);
    let colours = colours(ui);
    for (name, &count) in data.label_names.iter().zip(&data.class_counts) {
        let share = count as f64 / data.n_train.max(1) as f64;
        form::tight(ui, |ui| {
            form::fact(ui, name, &format!("{} · {}", thousands(count), percent(share)));
            let (area, _) =
                ui.allocate_exact_size(vec2(ui.available_width(), SPACE[1]), egui::Sense::hover());
            ui.painter().rect_filled(area, SPACE[0], colours.raised);
            let width = area.width() * count as f32 / largest as f32;
            ui.painter().rect_filled(area.with_max_x(area.left() + width), SPACE[0], colours.accent);
        });
    }
}

/// Lengths in tokens, with the length at which texts are cut.
pub(super) fn show_lengths(ui: &mut Ui, data: &DataCard, state: &AppState) {
    let max_length = state.run_config().map(|config| config.max_length).unwrap_or(128);
    widgets::card(ui, "Lengths in tokens", |ui| {
        let text = format!(
            "Mean {:.0}. {} of the texts are longer than max_length = {max_length} and lose their end.",
            data.mean_length,
            percent(data.truncated_share)
        );
        ui.label(RichText::new(text).small().weak());
        let colours = colours(ui);
        let bars: Vec<Bar> = data
            .lengths
            .iter()
            .map(|bin| {
                let (from, to) = (bin.from as f64, bin.to as f64 + 1.0);
                let cut = bin.from > max_length;
                let fill = if cut { colours.warning } else { colours.accent };
                Bar::new((from + to) / 2.0, bin.count as f64).width((to - from) * 0.92).fill(fill)
            })
            .collect();
        let line = VLine::new("max_length", max_length as f64 + 0.5)
            .color(colours.warning)
            .style(LineStyle::dashed_loose())
            .width(2.0);
        let shown = Plot::new("lengths")
            .height(200.0)
            .include_y(0.0)
            .allow_drag(false)
            .allow_zoom(false)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .show_grid([false, true])
            .x_axis_label("tokens")
            .y_axis_label("texts")
            .show(ui, |plot| {
                plot.bar_chart(BarChart::new("texts", bars).color(colours.accent));
                plot.vline(line);
            });
        name_plot(&shown.response, "Texts by number of tokens");
    });
}
