//! Zeros of every matrix, as a table with bars.

use dsee_core::protocol::MatrixSparsity;
use egui::{CornerRadius, Grid, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, vec2};

use crate::{
    theme::{NARROW, SPACE, colours},
    widgets::numbers::thousands,
};

/// The table, all matrices together first.
pub fn show(ui: &mut Ui, matrices: &[MatrixSparsity]) {
    let total = MatrixSparsity {
        name: "all of them".to_owned(),
        n_entries: matrices.iter().map(|row| row.n_entries).sum(),
        n_zeros: matrices.iter().map(|row| row.n_zeros).sum(),
    };
    let prefix = common_prefix(matrices);
    let bar = (ui.available_width() * 0.3).clamp(60.0, 320.0);
    let is_narrow = ui.available_width() < NARROW;
    ScrollArea::vertical().id_salt("ledger").max_height(320.0).auto_shrink([false, true]).show(ui, |ui| {
        let spacing = vec2(SPACE[2], SPACE[0]);
        Grid::new("ledger table").striped(true).num_columns(4).spacing(spacing).show(ui, |ui| {
            let mut titles = vec!["matrix", "zeros"];
            if !is_narrow {
                titles.push("of entries");
            }
            titles.push("share");
            titles.into_iter().for_each(|title| drop(ui.label(RichText::new(title).small().weak())));
            ui.end_row();
            for (i, row) in std::iter::once(&total).chain(matrices).enumerate() {
                let name = if i == 0 { row.name.as_str() } else { &row.name[prefix..] };
                let name = name.strip_suffix(".weight").unwrap_or(name);
                let name = if i == 0 { RichText::new(name).strong() } else { RichText::new(name) };
                let name = if is_narrow { name.small() } else { name };
                ui.add(egui::Label::new(name).extend());
                ui.label(thousands(row.n_zeros));
                if !is_narrow {
                    ui.label(thousands(row.n_entries));
                }
                share_bar(ui, bar, share(row));
                ui.end_row();
            }
        });
    });
}

fn share(row: &MatrixSparsity) -> f32 {
    row.n_zeros as f32 / row.n_entries.max(1) as f32
}

/// A share as a bar and in percent.
fn share_bar(ui: &mut Ui, width: f32, share: f32) {
    ui.horizontal(|ui| {
        let (rect, response) = ui.allocate_exact_size(vec2(width, 10.0), Sense::hover());
        let text = format!("{:.1} %", 100.0 * share);
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("{text} zeros")));
        let colours = colours(ui);
        ui.painter().rect_filled(rect, CornerRadius::same(3), colours.accent.gamma_multiply(0.55));
        let mut zeros = rect;
        zeros.set_width(rect.width() * share.clamp(0.0, 1.0));
        ui.painter().rect_filled(zeros, CornerRadius::same(3), colours.zero);
        ui.label(text);
    });
}

/// Length of what all names begin with, up to a dot.
fn common_prefix(matrices: &[MatrixSparsity]) -> usize {
    let Some(first) = matrices.first().filter(|_| matrices.len() > 1) else { return 0 };
    let shared = matrices.iter().fold(first.name.len(), |n, row| {
        first.name.bytes().zip(row.name.bytes()).take(n).take_while(|(a, b)| a == b).count()
    });
    first.name[..shared].rfind('.').map_or(0, |dot| dot + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, n_entries: usize, n_zeros: usize) -> MatrixSparsity {
        MatrixSparsity { name: name.into(), n_entries, n_zeros }
    }

    #[test]
    fn what_all_names_begin_with_is_left_out() {
        let rows = [row("bert.layer.0.query.weight", 4, 1), row("bert.layer.10.key.weight", 4, 1)];
        assert_eq!(common_prefix(&rows), "bert.layer.".len());
        assert_eq!(common_prefix(&rows[..1]), 0);
        assert_eq!(common_prefix(&[row("a.b", 1, 0), row("c.d", 1, 0)]), 0);
    }

    #[test]
    fn an_empty_matrix_has_no_zeros() {
        assert_eq!((share(&row("a", 0, 0)), share(&row("a", 8, 2))), (0.0, 0.25));
    }
}
