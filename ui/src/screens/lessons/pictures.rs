//! Pictures of small matrices side by side, and the plots under them.

use dsee_core::lessons::{Matrix, Split};
use egui::{Color32, RichText, Ui, vec2};
use egui_plot::Plot;

use crate::{
    theme::{NARROW, SPACE, colours},
    widgets::heat_map::{HeatMap, Shades, colour_bar, number},
};

/// W and the parts it is taken into, all in the same colours.
pub struct Parts {
    maps: [(&'static str, HeatMap); 4],
}

impl Parts {
    /// The pictures of a split of `w`.
    pub fn new(w: &Matrix<f64>, split: &Split) -> Self {
        let scale = w.data.iter().fold(0.0, |max: f64, x| max.max(x.abs())) as f32;
        let map = |matrix: &Matrix<f64>| {
            let values = matrix.data.iter().map(|&x| x as f32).collect();
            HeatMap::new(matrix.rows, matrix.cols, values, Shades::Signed).with_scale(scale)
        };
        let maps = [
            ("W", map(w)),
            ("Low rank", map(&split.low_rank)),
            ("Entries S", map(&split.sparse)),
            ("What is left", map(&split.rest)),
        ];
        Self { maps }
    }

    /// Draws them in one row, or in two where it is narrow. `rings` are drawn around entries of S.
    pub fn show(&mut self, ui: &mut Ui, rings: &[(Vec<u32>, Color32)]) {
        const SPARSE: usize = 2;
        let gap = SPACE[2];
        let n_columns = if ui.available_width() < NARROW * 0.75 { 2 } else { 4 };
        let side = ((ui.available_width() - gap * (n_columns - 1) as f32) / n_columns as f32).min(152.0);
        for row in 0..4 / n_columns {
            ui.horizontal_top(|ui| {
                ui.spacing_mut().item_spacing.x = gap;
                for i in row * n_columns..(row + 1) * n_columns {
                    let (name, map) = &mut self.maps[i];
                    ui.vertical(|ui| {
                        ui.spacing_mut().item_spacing.y = SPACE[0];
                        ui.label(RichText::new(*name).strong());
                        let answer = map.show(ui, name, vec2(side, side), None);
                        if i == SPARSE {
                            for (positions, colour) in rings {
                                map.ring(ui, answer.response.rect, positions, *colour);
                            }
                        }
                        if let Some((row, col)) = answer.hovered {
                            let value = map.get(row, col).map_or(0.0, f64::from);
                            let text = format!("{name}[{row}, {col}] = {}", number(value));
                            answer.response.on_hover_text_at_pointer(text);
                        }
                    });
                }
            });
        }
    }

    /// What the colours of all four pictures say.
    pub fn legend(&self, ui: &mut Ui) {
        ui.vertical(|ui| colour_bar(ui, 150.0, self.maps[0].1.scale()));
    }
}

/// A plot that can only be looked at, as high as the lessons have room for.
pub fn plot<'a>(ui: &Ui, name: &str, x_label: &'a str, y_label: &'a str) -> Plot<'a> {
    Plot::new(name.to_owned())
        .grid_color(colours(ui).border)
        .height(130.0)
        .show_background(false)
        .allow_scroll(false)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .x_axis_label(x_label)
        .y_axis_label(y_label)
        .show_x(false)
        .show_y(false)
}

/// An error as a share in percent.
pub fn percent(error: f64) -> String {
    format!("{:.1} %", 100.0 * error)
}
