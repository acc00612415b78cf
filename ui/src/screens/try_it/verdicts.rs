//! What each state of the model makes of one text, side by side.

use dsee_core::protocol::{ClassScores, Predicted, Prediction, Variant};
use egui::{CornerRadius, RichText, Role, Sense, Ui, WidgetInfo, vec2};

use crate::{
    theme::{NARROW, SPACE, colours},
    widgets::heat_map::number,
};

/// A variant's name and what it is.
#[must_use]
pub fn variant_name(variant: Variant) -> (&'static str, &'static str) {
    match variant {
        Variant::Base => ("Before", "before the run"),
        Variant::Tuned => ("Tuned", "after tuning"),
        Variant::Pruned => ("Pruned", "before retuning"),
        Variant::Retuned => ("Retuned", "after retuning"),
        Variant::Present => ("Now", "in the middle of a phase"),
    }
}

/// All states in the order in which a run comes to them.
pub const ORDER: [Variant; 5] =
    [Variant::Base, Variant::Tuned, Variant::Pruned, Variant::Retuned, Variant::Present];

/// The states of a text in that order.
#[must_use]
pub fn in_order(prediction: &Prediction) -> Vec<&ClassScores> {
    ORDER.iter().filter_map(|v| prediction.scores.iter().find(|scores| scores.variant == *v)).collect()
}

/// The class with the largest probability; `None` for regression.
#[must_use]
pub fn winner(scores: &ClassScores) -> Option<usize> {
    let of_size = |(i, x): (usize, &f64)| (i, *x);
    let best = scores.values.iter().enumerate().map(of_size).max_by(|a, b| a.1.total_cmp(&b.1))?;
    (scores.values.len() > 1).then_some(best.0)
}

/// All states of the first text, and the tokens.
pub fn show(ui: &mut Ui, predicted: &Predicted) {
    let Some(prediction) = predicted.predictions.first() else { return };
    let scores = in_order(prediction);
    let is_narrow = ui.available_width() < NARROW;
    let n_columns = if is_narrow { 1 } else { scores.len().max(1) };
    ui.spacing_mut().item_spacing.x = SPACE[4];
    ui.columns(n_columns, |columns| {
        for (i, scores) in scores.iter().enumerate() {
            let ui = &mut columns[i % n_columns];
            verdict(ui, scores, &predicted.label_names);
            ui.add_space(SPACE[1]);
        }
    });
    ui.add_space(SPACE[1]);
    ui.label(RichText::new("Tokens, as the model reads the text").small().weak());
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(SPACE[1], SPACE[0]);
        prediction.tokens.iter().for_each(|token| token_chip(ui, token));
    });
}

/// One state: its name, what it says, and a bar for every class.
fn verdict(ui: &mut Ui, scores: &ClassScores, labels: &[String]) {
    let (name, meaning) = variant_name(scores.variant);
    ui.spacing_mut().item_spacing = vec2(SPACE[1], SPACE[0]);
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(name).strong());
        ui.label(RichText::new(meaning).small().weak());
    });
    let Some(winner) = winner(scores).filter(|_| !labels.is_empty()) else {
        let value = scores.values.first().copied().unwrap_or(f64::NAN);
        ui.label(RichText::new(number(value)).heading());
        return;
    };
    for (i, &share) in scores.values.iter().enumerate() {
        let label = labels.get(i).map_or("?", String::as_str);
        probability_bar(ui, label, share, i == winner);
    }
}

/// A class with its probability.
fn probability_bar(ui: &mut Ui, label: &str, share: f64, is_winner: bool) {
    let percent = format!("{:.1} %", 100.0 * share);
    let (text, number) = (RichText::new(label), RichText::new(&percent));
    let (text, number) =
        if is_winner { (text.strong(), number.strong()) } else { (text.weak(), number.weak()) };
    ui.horizontal(|ui| {
        ui.spacing_mut().interact_size.y = 0.0;
        ui.add(egui::Label::new(text).truncate());
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| ui.label(number));
    });
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 8.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("{label} {percent}")));
    let colours = colours(ui);
    ui.painter().rect_filled(rect, CornerRadius::same(4), ui.visuals().faint_bg_color);
    let mut filled = rect;
    filled.set_width(rect.width() * share.clamp(0.0, 1.0) as f32);
    let colour = if is_winner { colours.accent } else { colours.zero };
    ui.painter().rect_filled(filled, CornerRadius::same(4), colour);
}

/// One token in a box.
fn token_chip(ui: &mut Ui, token: &str) {
    let text = RichText::new(token).monospace().background_color(ui.visuals().code_bg_color);
    ui.label(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(variant: Variant, values: &[f64]) -> ClassScores {
        ClassScores { variant, values: values.to_vec() }
    }

    #[test]
    fn states_stand_in_the_order_of_a_run_and_regression_has_no_winner() {
        let all = [Variant::Base, Variant::Present, Variant::Tuned].map(|v| scores(v, &[0.3, 0.7]));
        let prediction = Prediction { input: Default::default(), tokens: vec![], scores: all.into() };
        let order: Vec<Variant> = in_order(&prediction).iter().map(|s| s.variant).collect();
        assert_eq!(order, [Variant::Base, Variant::Tuned, Variant::Present]);
        assert_eq!(winner(&scores(Variant::Base, &[0.3, 0.7])), Some(1));
        assert_eq!(winner(&scores(Variant::Base, &[3.2])), None);
        assert_eq!(winner(&scores(Variant::Base, &[])), None);
    }
}
