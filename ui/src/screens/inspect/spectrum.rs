//! Singular values of W and ΔW on a logarithmic axis.

use egui::Ui;
use egui_plot::{Legend, Line, LineStyle, Plot, Points};

use super::matrix::Matrix;
use crate::{
    theme::colours,
    widgets::{heat_map::number, name_plot},
};

/// Values below this share of the largest are rounding.
const FLOOR: f64 = 1e-7;

/// The plot with one sentence about it.
pub fn show(ui: &mut Ui, matrix: &Matrix) {
    let colours = colours(ui);
    let weight = logarithms(&matrix.view.weight_singular_values);
    let delta = logarithms(&matrix.view.delta_singular_values);
    ui.label(sentence(matrix));
    let name = format!("Singular values of {}", matrix.view.path);
    let response = Plot::new("singular values")
        .height(190.0)
        .show_background(false)
        .legend(Legend::default().background_alpha(0.7))
        .allow_scroll(false)
        .allow_drag(false)
        .allow_zoom(false)
        .x_axis_label("number, from the largest")
        .y_axis_formatter(|mark, _| power(mark.value))
        .label_formatter(|at| match at {
            egui_plot::HoverPosition::NearDataPoint { plot_name, position, .. } => Some(format!(
                "{plot_name}: value {} is {}",
                position.x as usize,
                number(10f64.powf(position.y))
            )),
            egui_plot::HoverPosition::Elsewhere { .. } => None,
        })
        .show(ui, |plot| {
            plot.line(Line::new("W", weight.clone()).color(colours.accent).width(2.0));
            if !delta.is_empty() {
                let style = LineStyle::dashed_loose();
                plot.line(Line::new("ΔW", delta.clone()).color(colours.positive).width(2.0).style(style));
                plot.points(Points::new("ΔW", delta).color(colours.positive).radius(3.0));
            }
        })
        .response;
    name_plot(&response, &name);
}

/// Number from 1 against the decimal logarithm, without the zeros.
fn logarithms(values: &[f64]) -> Vec<[f64; 2]> {
    let largest = values.iter().copied().fold(0.0, f64::max);
    let points = values.iter().enumerate().filter(|(_, x)| **x > FLOOR * largest);
    points.map(|(i, x)| [(i + 1) as f64, x.log10()]).collect()
}

fn power(exponent: f64) -> String {
    if exponent.fract() == 0.0 { number(10f64.powf(exponent)) } else { String::new() }
}

fn sentence(matrix: &Matrix) -> String {
    let n = logarithms(&matrix.view.delta_singular_values).len();
    if n == 0 {
        return "Nothing was added to this matrix yet, so ΔW has no singular values.".to_owned();
    }
    let (rank, entries) = (matrix.view.rank, matrix.view.s_indices.len());
    format!(
        "ΔW has {n} singular values above rounding: rank {rank} from B A, and up to {entries} more from S."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_not_drawn() {
        assert_eq!(logarithms(&[10.0, 1.0, 1e-9, 0.0]), [[1.0, 1.0], [2.0, 0.0]]);
        assert!(logarithms(&[0.0, 0.0]).is_empty());
        assert_eq!((power(-2.0), power(0.5)), ("0.0100".to_owned(), String::new()));
    }
}
