//! The first rows as a table, and the first of them as tokens.

use dsee_core::protocol::{DataCard, DataForm};
use egui::{Frame, Label, Margin, RichText, Ui};

use crate::{
    theme::{SPACE, colours},
    widgets::{self, form},
};

/// Width of the label's column, in points.
const LABEL_WIDTH: f32 = 120.0;

/// The first rows.
pub(super) fn show(ui: &mut Ui, data: &DataCard) {
    if data.form != DataForm::Labelled {
        show_texts(ui, data);
        return;
    }
    widgets::card(ui, "First rows", |ui| {
        ui.spacing_mut().item_spacing.y = SPACE[0];
        let pair = data.text_pair_column.is_some();
        let inner = Margin::symmetric(SPACE[1] as i8, SPACE[0] as i8);
        if !form::is_narrow(ui) {
            Frame::new().inner_margin(inner).show(ui, |ui| {
                let second = if pair { data.text_pair_column.as_deref() } else { None };
                let heading = |text: &str| RichText::new(text).small().weak();
                row(
                    ui,
                    |ui, part| match part {
                        Part::Label => drop(ui.label(heading(&data.label_column))),
                        Part::Text => drop(ui.label(heading(&data.text_column))),
                        Part::Pair => drop(ui.label(heading(second.unwrap_or_default()))),
                    },
                    pair,
                );
            });
        }
        let stripe = colours(ui).raised.gamma_multiply(0.35);
        for (i, example) in data.preview.iter().enumerate() {
            let fill = if i % 2 == 0 { stripe } else { egui::Color32::TRANSPARENT };
            Frame::new().fill(fill).corner_radius(SPACE[0]).inner_margin(inner).show(ui, |ui| {
                ui.set_width(ui.available_width());
                row(
                    ui,
                    |ui, part| match part {
                        Part::Label => {
                            drop(ui.add(Label::new(RichText::new(&example.label).strong()).truncate()))
                        }
                        Part::Text => drop(ui.add(Label::new(&example.text).wrap())),
                        Part::Pair => {
                            drop(ui.add(Label::new(example.text_pair.as_deref().unwrap_or_default()).wrap()));
                        }
                    },
                    pair,
                );
            });
        }
    });
}

/// Meanings with their texts, or lines of plain text.
fn show_texts(ui: &mut Ui, data: &DataCard) {
    let title = if data.form == DataForm::Plain { "First texts" } else { "First meanings and their texts" };
    widgets::card(ui, title, |ui| {
        ui.spacing_mut().item_spacing.y = SPACE[0];
        let colours = colours(ui);
        let inner = Margin::symmetric(SPACE[1] as i8, SPACE[0] as i8);
        for (i, row) in data.preview.iter().enumerate() {
            let fill =
                if i % 2 == 0 { colours.raised.gamma_multiply(0.35) } else { egui::Color32::TRANSPARENT };
            Frame::new().fill(fill).corner_radius(SPACE[0]).inner_margin(inner).show(ui, |ui| {
                ui.set_width(ui.available_width());
                let text = RichText::new(&row.text);
                let is_meaning = !row.references.is_empty();
                let text = if is_meaning { text.monospace().color(colours.weak) } else { text };
                ui.add(Label::new(text).wrap());
                row.references.iter().for_each(|text| drop(ui.add(Label::new(text).wrap())));
            });
        }
    });
}

/// A cell of a row.
#[derive(Clone, Copy)]
enum Part {
    Label,
    Text,
    Pair,
}

/// Lays out one row: label, text and second text side by side, or below each other where it is narrow.
fn row(ui: &mut Ui, mut cell: impl FnMut(&mut Ui, Part), pair: bool) {
    if form::is_narrow(ui) {
        cell(ui, Part::Label);
        cell(ui, Part::Text);
        if pair {
            cell(ui, Part::Pair);
        }
        return;
    }
    ui.horizontal_top(|ui| {
        let texts = ui.available_width() - LABEL_WIDTH - 2.0 * SPACE[3];
        let width = if pair { texts / 2.0 } else { texts };
        let parts = [(Part::Label, LABEL_WIDTH), (Part::Text, width), (Part::Pair, width)];
        for (part, width) in parts.into_iter().take(if pair { 3 } else { 2 }) {
            ui.vertical(|ui| {
                ui.set_width(width);
                cell(ui, part);
            });
        }
    });
}

/// The first row as the model reads it.
pub(super) fn show_tokens(ui: &mut Ui, data: &DataCard) {
    widgets::card(ui, "First row as tokens", |ui| {
        let note = match data.form {
            DataForm::Labelled => "## marks a token that goes on with the word before it.",
            DataForm::Generation | DataForm::Plain => "Ġ stands for the space before a word.",
        };
        let text = format!("{} tokens. {note}", data.tokens.len());
        ui.label(RichText::new(text).small().weak());
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = egui::vec2(SPACE[0], SPACE[0]);
            ui.spacing_mut().interact_size.y = 0.0;
            for token in &data.tokens {
                token_chip(ui, token);
            }
        });
    });
}

fn token_chip(ui: &mut Ui, token: &str) {
    let colours = colours(ui);
    // [CLS] and [SEP] are no words of the text.
    let special = token.starts_with('[') && token.ends_with(']');
    let colour = if special { colours.weak } else { colours.strong };
    let margin = Margin::symmetric(SPACE[1] as i8, SPACE[0] as i8 / 2);
    let frame = Frame::new().fill(colours.raised).corner_radius(SPACE[0]).inner_margin(margin);
    frame.show(ui, |ui| ui.label(RichText::new(token).monospace().color(colour)));
}
