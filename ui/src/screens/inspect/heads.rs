//! Scores of the attention heads of every layer as bars; removed heads are marked.

use egui::{Align2, CornerRadius, Role, Sense, Stroke, TextStyle, Ui, WidgetInfo, pos2, vec2};

use crate::{
    theme::{SPACE, colours},
    widgets::heat_map::number,
};

/// Height of the tallest bar, in points.
const HEIGHT: f32 = 56.0;

/// All layers.
pub fn show(ui: &mut Ui, scores: &[Vec<f64>], removed: &[Vec<usize>]) {
    ui.label("Heads compete within a layer. Crossed-out heads were removed.");
    ui.add_space(SPACE[1]);
    for (layer, scores) in scores.iter().enumerate() {
        let removed = removed.get(layer).map_or(&[][..], Vec::as_slice);
        layer_bars(ui, layer, scores, removed);
        ui.add_space(SPACE[1]);
    }
}

fn layer_bars(ui: &mut Ui, layer: usize, scores: &[f64], removed: &[usize]) {
    let text_height = ui.text_style_height(&TextStyle::Small) + 2.0;
    let size = vec2(ui.available_width(), HEIGHT + 3.0 * text_height);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let sentence = sentence(layer, scores, removed);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &sentence));
    let (colours, font, painter) = (colours(ui), TextStyle::Small.resolve(ui.style()), ui.painter());
    let text = |at, anchor, text: String, colour| painter.text(at, anchor, text, font.clone(), colour);
    let visuals = ui.visuals();
    text(rect.min, Align2::LEFT_TOP, format!("Layer {layer}"), visuals.text_color());
    let largest = scores.iter().copied().filter(|x| x.is_finite()).fold(f64::MIN_POSITIVE, f64::max);
    // Few heads stand together instead of spreading over a wide window.
    let step = (rect.width() / scores.len().max(1) as f32).min(110.0);
    let base = rect.top() + text_height + HEIGHT;
    for (head, &score) in scores.iter().enumerate() {
        let middle = rect.left() + (head as f32 + 0.5) * step;
        let is_removed = removed.contains(&head);
        let share = if score.is_finite() { (score / largest).clamp(0.0, 1.0) as f32 } else { 0.0 };
        let half = (step * 0.32).min(28.0);
        let bar = egui::Rect::from_min_max(
            pos2(middle - half, base - (share * HEIGHT).max(2.0)),
            pos2(middle + half, base),
        );
        let colour = if is_removed { colours.zero } else { colours.accent };
        painter.rect_filled(bar, CornerRadius::same(2), colour);
        if is_removed {
            let around = egui::Rect::from_min_max(pos2(bar.left(), base - HEIGHT), bar.max);
            let stroke = Stroke::new(2.0, visuals.text_color());
            painter.line_segment([around.left_bottom(), around.right_top()], stroke);
            painter.line_segment([around.left_top(), around.right_bottom()], stroke);
        }
        let strength = if is_removed { visuals.weak_text_color() } else { visuals.strong_text_color() };
        if step > 34.0 {
            text(pos2(middle, base + 2.0), Align2::CENTER_TOP, number(score), strength);
        }
        let below = base + 2.0 + text_height;
        text(pos2(middle, below), Align2::CENTER_TOP, format!("{head}"), visuals.weak_text_color());
    }
    response.on_hover_text(sentence);
}

/// A layer's scores as a sentence.
fn sentence(layer: usize, scores: &[f64], removed: &[usize]) -> String {
    let heads = scores.iter().enumerate().map(|(head, &score)| {
        let state = if removed.contains(&head) { " (removed)" } else { "" };
        format!("head {head}: {}{state}", number(score))
    });
    format!("Layer {layer}: {}", heads.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_removed_heads() {
        assert_eq!(sentence(1, &[0.5, 0.25], &[1]), "Layer 1: head 0: 0.500, head 1: 0.250 (removed)");
    }
}
