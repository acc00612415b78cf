//! How the model does on the validation data: which label is taken for which, and the worst mistakes.

use dsee_core::protocol::{Mistake, Quality, TextInput};
use egui::{Align, Button, CornerRadius, Frame, Grid, Layout, RichText, Ui, vec2};

use crate::theme::{SPACE, TARGET, colours};

/// The confusion matrix with one sentence about it.
pub fn confusion(ui: &mut Ui, quality: &Quality) {
    let (right, all) = right_of(quality);
    if all == 0 {
        ui.label("These data have numbers instead of classes: the mistakes say more.");
        return;
    }
    ui.label(format!("{right} of {all} validation examples are right ({:.1} %).", percent(right, all)));
    ui.add_space(SPACE[1]);
    let row_total = |row: &[usize]| row.iter().sum::<usize>().max(1);
    let spacing = vec2(SPACE[0], SPACE[0]);
    Grid::new("confusion").spacing(spacing).show(ui, |ui| {
        ui.label(RichText::new("is / said").small().weak());
        for name in &quality.label_names {
            ui.vertical_centered(|ui| ui.label(RichText::new(name).small()));
        }
        ui.end_row();
        for (i, row) in quality.confusion.iter().enumerate() {
            ui.label(RichText::new(quality.label_names.get(i).map_or("?", String::as_str)).small());
            for (j, &count) in row.iter().enumerate() {
                cell(ui, count, count as f32 / row_total(row) as f32, i == j);
            }
            ui.end_row();
        }
    });
}

/// One count; the stronger the colour, the larger its share of the row.
fn cell(ui: &mut Ui, count: usize, share: f32, is_right: bool) {
    let colours = colours(ui);
    let colour = if is_right { colours.good } else { colours.error };
    let fill =
        if count == 0 { ui.visuals().faint_bg_color } else { colour.gamma_multiply(0.12 + 0.5 * share) };
    Frame::new().fill(fill).corner_radius(CornerRadius::same(4)).show(ui, |ui| {
        ui.allocate_ui_with_layout(
            vec2(84.0, TARGET + SPACE[1]),
            Layout::centered_and_justified(egui::Direction::TopDown),
            |ui| ui.label(RichText::new(count.to_string()).strong()),
        );
    });
}

/// Right ones and all.
fn right_of(quality: &Quality) -> (usize, usize) {
    let right = quality.confusion.iter().enumerate().filter_map(|(i, row)| row.get(i)).sum();
    (right, quality.confusion.iter().flatten().sum())
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// The worst mistakes; gives back the one that was pressed.
pub fn mistakes(ui: &mut Ui, mistakes: &[Mistake]) -> Option<TextInput> {
    let mut pressed = None;
    if mistakes.is_empty() {
        ui.label("No mistakes on the validation data.");
    } else {
        ui.label("Most certain of the wrong label, the worst first. Press one to try it.");
    }
    for mistake in mistakes {
        let text = match &mistake.input.text_pair {
            Some(second) => format!("{} | {second}", mistake.input.text),
            None => mistake.input.text.clone(),
        };
        let width = ui.available_width();
        let button = Button::new(RichText::new(&text)).frame(false).truncate().min_size(vec2(0.0, 28.0));
        let clicked = ui.allocate_ui_with_layout(
            vec2(width, 28.0),
            Layout::left_to_right(Align::Center).with_main_justify(true).with_main_align(Align::Min),
            |ui| ui.add(button).clicked(),
        );
        if clicked.inner {
            pressed = Some(mistake.input.clone());
        }
        let note = format!(
            "is {}, said {} with {:.0} %",
            mistake.expected,
            mistake.predicted,
            100.0 * mistake.confidence
        );
        ui.label(RichText::new(note).small().weak());
        ui.separator();
    }
    pressed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diagonal_is_right() {
        let quality = Quality { confusion: vec![vec![8, 2], vec![1, 9]], ..Quality::default() };
        assert_eq!(right_of(&quality), (17, 20));
        assert_eq!(right_of(&Quality::default()), (0, 0));
    }
}
