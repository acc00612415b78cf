//! Switching heads off for a prediction: a grid of layers and heads.

use std::collections::BTreeMap;

use egui::{Button, Grid, RichText, Ui, vec2};

use crate::theme::{SPACE, TARGET};

/// Layer → heads that are off.
pub type HeadsOff = BTreeMap<usize, Vec<usize>>;

/// The grid; true if something was changed.
pub fn show(ui: &mut Ui, n_layers: usize, n_heads: usize, off: &mut HeadsOff) -> bool {
    let mut changed = false;
    ui.label("Press a head to switch it off for the next prediction. Nothing is changed for good.");
    egui::ScrollArea::both().id_salt("heads").max_height(300.0).show(ui, |ui| {
        Grid::new("head switches").spacing(vec2(SPACE[0], SPACE[0])).show(ui, |ui| {
            for layer in 0..n_layers {
                ui.label(format!("layer {layer}"));
                for head in 0..n_heads {
                    let is_off = off.get(&layer).is_some_and(|heads| heads.contains(&head));
                    if head_button(ui, layer, head, is_off) {
                        toggle(off, layer, head);
                        changed = true;
                    }
                }
                ui.end_row();
            }
        });
    });
    if !off.is_empty() && ui.button("Switch all on").clicked() {
        off.clear();
        changed = true;
    }
    changed
}

fn head_button(ui: &mut Ui, layer: usize, head: usize, is_off: bool) -> bool {
    let state = if is_off { "off" } else { "on" };
    let text = RichText::new(format!("{head} {state}"));
    let text = if is_off { text.weak().strikethrough() } else { text };
    let response = ui.add(Button::selectable(!is_off, text).min_size(vec2(TARGET * 1.5, TARGET)));
    let name = format!("layer {layer} head {head} {state}");
    response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, !is_off, &name));
    response.clicked()
}

/// Switches one head; layers without a switched-off head are not in the map.
pub fn toggle(off: &mut HeadsOff, layer: usize, head: usize) {
    let heads = off.entry(layer).or_default();
    match heads.binary_search(&head) {
        Ok(at) => drop(heads.remove(at)),
        Err(at) => heads.insert(at, head),
    }
    if heads.is_empty() {
        off.remove(&layer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_toggle_in_order_and_leave_nothing_behind() {
        let mut off = HeadsOff::new();
        for head in [2, 0] {
            toggle(&mut off, 1, head);
        }
        assert_eq!(off[&1], [0, 2]);
        toggle(&mut off, 1, 2);
        toggle(&mut off, 1, 0);
        assert!(off.is_empty());
    }
}
