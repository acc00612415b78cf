//! A matrix as a picture: one texture, colours by sign, and which entry the pointer is on.

use egui::{
    Color32, ColorImage, CornerRadius, Mesh, Pos2, Rect, Response, Role, Sense, Stroke, TextureHandle,
    TextureOptions, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use crate::theme::{Palette, SPACE, colours};

/// What the colours of a picture say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shades {
    /// Dense numbers: from negative over zero to positive.
    #[default]
    Signed,
    /// Few entries that are not zero: each is drawn so that it is seen, its strength above a floor.
    Sparse,
    /// 0 is removed, anything else is kept.
    Kept,
}

/// A matrix as a picture.
#[derive(Clone, Default)]
pub struct HeatMap {
    rows: usize,
    cols: usize,
    values: Vec<f32>,
    shades: Shades,
    /// Magnitude with the full colour.
    scale: f32,
    /// Theme and cells of the texture, and the texture.
    texture: Option<(bool, [usize; 2], TextureHandle)>,
}

/// What a picture was asked in one frame.
pub struct HeatMapAnswer {
    /// The picture.
    pub response: Response,
    /// Row and column under the pointer.
    pub hovered: Option<(usize, usize)>,
}

impl HeatMapAnswer {
    /// Row and column that were clicked.
    #[must_use]
    pub fn clicked(&self) -> Option<(usize, usize)> {
        self.hovered.filter(|_| self.response.clicked())
    }
}

impl HeatMap {
    /// A picture of a matrix (rows, cols), row-major.
    ///
    /// # Panics
    /// If `values` has another length.
    #[must_use]
    pub fn new(rows: usize, cols: usize, values: Vec<f32>, shades: Shades) -> Self {
        assert_eq!(values.len(), rows * cols, "a picture has rows · cols values");
        let scale = scale_of(&values, shades);
        Self { rows, cols, values, shades, scale, texture: None }
    }

    /// The same picture with another magnitude for the full colour, to compare it with others.
    #[must_use]
    pub fn with_scale(mut self, scale: f32) -> Self {
        self.scale = scale;
        self
    }

    /// Magnitude with the full colour.
    #[must_use]
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// One entry.
    #[must_use]
    pub fn get(&self, row: usize, col: usize) -> Option<f32> {
        (col < self.cols).then(|| self.values.get(row * self.cols + col).copied()).flatten()
    }

    /// Draws the picture as large as fits `space`, true to its proportions, with a frame around `chosen`.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        name: &str,
        space: Vec2,
        chosen: Option<(usize, usize)>,
    ) -> HeatMapAnswer {
        let scale = (space.x / self.cols.max(1) as f32).min(space.y / self.rows.max(1) as f32);
        // A long, flat matrix stays thick enough to be pointed at.
        let size = vec2(self.cols as f32 * scale, self.rows as f32 * scale).max(Vec2::splat(24.0)).min(space);
        let (rect, response) = ui.allocate_exact_size(size, Sense::click());
        let label = format!("{name}, {} rows, {} columns", self.rows, self.cols);
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &label));
        if ui.is_rect_visible(rect) {
            let texture = self.texture(ui, rect.size());
            let uv = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
            ui.painter().image(texture, rect, uv, Color32::WHITE);
            let edge = ui.visuals().widgets.noninteractive.bg_stroke;
            ui.painter().rect_stroke(rect, CornerRadius::ZERO, edge, egui::StrokeKind::Outside);
            if let Some(entry) = chosen {
                self.frame_entry(ui, rect, entry);
            }
        }
        let hovered = response.hover_pos().and_then(|pointer| self.entry_at(rect, pointer));
        HeatMapAnswer { response, hovered }
    }

    /// Rings around entries, where they are large enough for that.
    pub fn ring(&self, ui: &Ui, rect: Rect, positions: &[u32], colour: Color32) {
        if rect.width() < 4.0 * self.cols as f32 {
            return;
        }
        for &i in positions {
            let cell = self.cell(rect, (i as usize / self.cols, i as usize % self.cols)).expand(0.5);
            let stroke = Stroke::new(1.5, colour);
            ui.painter().rect_stroke(cell, CornerRadius::ZERO, stroke, egui::StrokeKind::Inside);
        }
    }

    fn cell(&self, rect: Rect, (row, col): (usize, usize)) -> Rect {
        let step = vec2(rect.width() / self.cols as f32, rect.height() / self.rows as f32);
        Rect::from_min_size(rect.min + vec2(col as f32 * step.x, row as f32 * step.y), step)
    }

    fn frame_entry(&self, ui: &Ui, rect: Rect, entry: (usize, usize)) {
        let cell = self.cell(rect, entry);
        let around = Rect::from_center_size(cell.center(), cell.size().max(Vec2::splat(7.0))).expand(1.0);
        let stroke = Stroke::new(2.0, ui.visuals().strong_text_color());
        ui.painter().rect_stroke(around, CornerRadius::same(1), stroke, egui::StrokeKind::Outside);
    }

    fn entry_at(&self, rect: Rect, pointer: Pos2) -> Option<(usize, usize)> {
        let at = (pointer - rect.min) / rect.size();
        let (row, col) = (at.y * self.rows as f32, at.x * self.cols as f32);
        (row >= 0.0 && col >= 0.0 && row < self.rows as f32 && col < self.cols as f32)
            .then_some((row as usize, col as usize))
    }

    /// The texture for this theme and size, made anew only when one of them has changed.
    fn texture(&mut self, ui: &Ui, size: Vec2) -> egui::TextureId {
        let pixels = size * ui.ctx().pixels_per_point();
        // Single entries need blocks of a few pixels to be seen; dense numbers may use every pixel.
        let coarseness = if self.shades == Shades::Sparse { 4.0 } else { 1.0 };
        let cells = [
            self.cols.min((pixels.x / coarseness).max(1.0) as usize),
            self.rows.min((pixels.y / coarseness).max(1.0) as usize),
        ];
        let dark = ui.visuals().dark_mode;
        if let Some((theme, drawn, handle)) = &self.texture
            && (*theme, *drawn) == (dark, cells)
        {
            return handle.id();
        }
        let blocks = blocks(self.rows, self.cols, &self.values, cells, self.shades);
        let colours = colours(ui);
        let pixels = blocks.iter().map(|&x| self.colour(x, &colours)).collect();
        let handle = ui.ctx().load_texture("matrix", ColorImage::new(cells, pixels), TextureOptions::NEAREST);
        let id = handle.id();
        self.texture = Some((dark, cells, handle));
        id
    }

    fn colour(&self, x: f32, colours: &Palette) -> Color32 {
        match self.shades {
            Shades::Kept if x == 0.0 => colours.zero,
            Shades::Kept => colours.good,
            Shades::Signed => signed_colour(x / self.scale, 0.0, colours),
            Shades::Sparse => signed_colour(x / self.scale, 0.55, colours),
        }
    }
}

/// The colour of a number in units of the full scale; nothing but zero is fainter than `floor`.
fn signed_colour(x: f32, floor: f32, colours: &Palette) -> Color32 {
    let end = if x < 0.0 { colours.negative } else { colours.positive };
    let strength = x.abs().min(1.0);
    let strength = if x == 0.0 || !x.is_finite() { 0.0 } else { floor + (1.0 - floor) * strength };
    colours.zero.lerp_to_gamma(end, strength)
}

/// The magnitude with the full colour: the largest of few entries; of dense numbers the one that only one in 200
/// exceeds, so that an outlier does not leave all others grey.
fn scale_of(values: &[f32], shades: Shades) -> f32 {
    let mut sizes: Vec<f32> = values.iter().map(|x| x.abs()).filter(|x| x.is_finite()).collect();
    let largest = sizes.iter().copied().fold(0.0, f32::max);
    let mut scale = largest;
    if shades == Shades::Signed && sizes.len() >= 200 {
        let cut = sizes.len() - 1 - sizes.len() / 200;
        scale = *sizes.select_nth_unstable_by(cut, f32::total_cmp).1;
    }
    // Nearly all zeros: the share says nothing then.
    if scale > 0.0 {
        scale
    } else if largest > 0.0 {
        largest
    } else {
        1.0
    }
}

/// The matrix with `cells` = [columns, rows] blocks, each shown by its entry of largest magnitude; for masks by the
/// smallest, so that what was removed is seen.
fn blocks(rows: usize, cols: usize, values: &[f32], cells: [usize; 2], shades: Shades) -> Vec<f32> {
    if cells == [cols, rows] {
        return values.to_vec();
    }
    let mut out = vec![None::<f32>; cells[0] * cells[1]];
    for (row, entries) in values.chunks_exact(cols).enumerate() {
        let line = &mut out[row * cells[1] / rows * cells[0]..][..cells[0]];
        for (col, &x) in entries.iter().enumerate() {
            let cell = &mut line[col * cells[0] / cols];
            let takes = |old: f32| if shades == Shades::Kept { x < old } else { x.abs() > old.abs() };
            if cell.is_none_or(takes) {
                *cell = Some(x);
            }
        }
    }
    out.into_iter().map(|x| x.unwrap_or(0.0)).collect()
}

/// The colours from −scale to scale with their numbers.
pub fn colour_bar(ui: &mut Ui, width: f32, scale: f32) {
    let (rect, response) = ui.allocate_exact_size(vec2(width, 8.0), Sense::hover());
    let number = number(f64::from(scale));
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Image, true, format!("Colours from minus {number} to {number}"))
    });
    let colours = colours(ui);
    let mut mesh = Mesh::default();
    let stops = [(0.0, colours.negative), (0.5, colours.zero), (1.0, colours.positive)];
    for (share, colour) in stops {
        let x = rect.left() + share * rect.width();
        mesh.colored_vertex(pos2(x, rect.top()), colour);
        mesh.colored_vertex(pos2(x, rect.bottom()), colour);
    }
    for first in [0, 2] {
        mesh.add_triangle(first, first + 1, first + 2);
        mesh.add_triangle(first + 1, first + 2, first + 3);
    }
    ui.painter().add(mesh);
    let line = ui.painter().clone();
    let font = egui::TextStyle::Small.resolve(ui.style());
    let (text_rect, _) =
        ui.allocate_exact_size(vec2(width, ui.fonts_mut(|f| f.row_height(&font))), Sense::hover());
    let texts = [(0.0, format!("−{number}")), (0.5, "0".to_owned()), (1.0, number.clone())];
    for (share, text) in texts {
        let anchor = [egui::Align2::LEFT_TOP, egui::Align2::CENTER_TOP, egui::Align2::RIGHT_TOP];
        let anchor = anchor[(share * 2.0) as usize];
        let at = pos2(text_rect.left() + share * width, text_rect.top());
        line.text(at, anchor, text, font.clone(), ui.visuals().weak_text_color());
    }
    ui.add_space(SPACE[0]);
}

/// A number with three significant digits, without an exponent where a reader needs none.
#[must_use]
pub fn number(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 {
        "0".to_owned()
    } else if !(1e-4..1e5).contains(&size) {
        format!("{x:.1e}").replace('-', "−")
    } else {
        let digits = (2 - size.log10().floor() as i32).clamp(0, 6) as usize;
        format!("{x:.digits$}").replace('-', "−")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_shows_its_largest_entry_and_a_mask_what_is_missing() {
        let values = [0.0, 1.0, 0.0, 0.0, -3.0, 0.5, 0.0, 2.0];
        assert_eq!(blocks(2, 4, &values, [2, 1], Shades::Signed), [-3.0, 2.0]);
        assert_eq!(blocks(2, 4, &[1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0], [2, 1], Shades::Kept), [1.0, 0.0]);
        assert_eq!(blocks(2, 4, &values, [4, 2], Shades::Sparse), values);
    }

    #[test]
    fn one_outlier_does_not_set_the_scale_of_a_dense_picture() {
        let mut values = vec![0.1f32; 1000];
        values[7] = 50.0;
        assert!(HeatMap::new(10, 100, values.clone(), Shades::Signed).scale() < 0.2);
        assert!(HeatMap::new(10, 100, values, Shades::Sparse).scale() > 49.0);
        assert!(HeatMap::new(1, 3, vec![0.0; 3], Shades::Signed).scale() > 0.0);
    }

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 0.0133, -0.12, 1.5, 123.4, 1e-7].map(number);
        assert_eq!(texts, ["0", "0.0133", "−0.120", "1.50", "123", "1.0e−7"]);
    }
}
