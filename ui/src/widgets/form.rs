//! Pieces of a screen that is filled in: page with a heading, columns, buttons, call-outs, named fields.

use egui::{
    Align, Button, Color32, Frame, Layout, Margin, Response, RichText, Sense, TextEdit, TextWrapMode, Ui,
    UiBuilder,
};

use crate::theme::{NARROW, SPACE, colours, display};

/// A page with its heading and one sentence about it on top.
pub fn page(ui: &mut Ui, title: &str, lead: &str, content: impl FnOnce(&mut Ui)) {
    super::page::page(ui, title, |ui| {
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = SPACE[0];
            ui.label(RichText::new(title).text_style(display()).strong());
            ui.label(RichText::new(lead).weak());
        });
        content(ui);
    });
}

/// Whether everything stands in one column here.
#[must_use]
pub fn is_narrow(ui: &Ui) -> bool {
    ui.available_width() < NARROW
}

/// Two columns where there is room, else one: the slice then holds it twice as first and last.
pub fn columns<R>(ui: &mut Ui, n: usize, content: impl FnOnce(&mut [Ui]) -> R) -> R {
    let n = if is_narrow(ui) { 1 } else { n };
    let before = std::mem::replace(&mut ui.spacing_mut().item_spacing.x, SPACE[3]);
    let result = ui.columns(n, |outer| {
        // Columns stretch what is in them, buttons and lines of text alike; these do not.
        let ragged = |column: &mut Ui| {
            let area = column.available_rect_before_wrap();
            let layout = Layout::top_down(Align::Min);
            let mut inner = column.new_child(UiBuilder::new().max_rect(area).layout(layout));
            inner.spacing_mut().item_spacing = egui::vec2(SPACE[1], SPACE[2]);
            inner
        };
        let mut inner: Vec<Ui> = outer.iter_mut().map(ragged).collect();
        let result = content(&mut inner);
        for (outer, inner) in outer.iter_mut().zip(&inner) {
            outer.allocate_rect(inner.min_rect(), Sense::hover());
        }
        result
    });
    ui.spacing_mut().item_spacing.x = before;
    result
}

/// Lines that belong together, close to each other.
pub fn tight<R>(ui: &mut Ui, content: impl FnOnce(&mut Ui) -> R) -> R {
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = SPACE[0];
        content(ui)
    })
    .inner
}

/// Numbers with their names, as many beside each other as there is room for.
pub fn stats(ui: &mut Ui, stats: &[(&str, String)]) {
    let room = ui.available_width();
    let per_row = ((room / 84.0) as usize).clamp(1, stats.len().max(1));
    let width = (room / per_row as f32).min(130.0);
    for chunk in stats.chunks(per_row) {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            for (name, value) in chunk {
                ui.vertical(|ui| {
                    ui.set_width(width);
                    super::stat(ui, name, value);
                });
            }
        });
    }
}

/// Things side by side that continue in the next line.
pub fn row<R>(ui: &mut Ui, content: impl FnOnce(&mut Ui) -> R) -> R {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(SPACE[1], SPACE[1]);
        content(ui)
    })
    .inner
}

/// A button of ordinary weight.
pub fn button(ui: &mut Ui, text: &str) -> Response {
    button_if(ui, true, text)
}

/// [`button`], for what cannot always be done.
pub fn button_if(ui: &mut Ui, enabled: bool, text: &str) -> Response {
    let height = ui.spacing().interact_size.y;
    let button = Button::new(text).wrap_mode(TextWrapMode::Extend).min_size(egui::vec2(height, height));
    ui.add_enabled(enabled, button)
}

/// A button without a frame, for small things beside others.
pub fn quiet_button(ui: &mut Ui, text: &str) -> Response {
    let (text, height) = (RichText::new(text).color(colours(ui).accent), ui.spacing().interact_size.y);
    ui.add(Button::new(text).frame_when_inactive(false).min_size(egui::vec2(height, height)))
}

/// Gives a button another name than its text: for those who hear the window, and where many buttons have one text.
pub fn named(response: Response, name: &str) -> Response {
    let enabled = response.enabled();
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, enabled, name));
    response
}

/// How a call-out is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Good to know.
    Note,
    /// Something to look at.
    Warning,
    /// Something is wrong.
    Error,
    /// Something is done.
    Good,
}

impl Tone {
    fn colour(self, ui: &Ui) -> Color32 {
        let colours = colours(ui);
        match self {
            Self::Note => colours.accent,
            Self::Warning => colours.warning,
            Self::Error => colours.error,
            Self::Good => colours.good,
        }
    }

    /// The meaning does not rest on colour alone.
    fn sign(self) -> &'static str {
        match self {
            Self::Note => "ℹ",
            Self::Warning => "⚠",
            Self::Error => "✖",
            Self::Good => "✔",
        }
    }
}

/// Sentences that must be seen, behind a coloured bar: a title and one line for each of `lines`.
pub fn call_out(ui: &mut Ui, tone: Tone, title: &str, lines: &[String]) {
    let colour = tone.colour(ui);
    let frame = Frame::new()
        .fill(colour.gamma_multiply(0.12))
        .corner_radius(SPACE[0])
        .inner_margin(Margin { left: SPACE[3] as i8, ..Margin::same(SPACE[2] as i8) });
    let response = frame
        .show(ui, |ui| {
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                ui.set_width(ui.available_width());
                ui.label(RichText::new(format!("{} {title}", tone.sign())).strong().color(colour));
                for line in lines {
                    ui.label(line);
                }
            });
        })
        .response;
    let bar = response.rect.with_max_x(response.rect.left() + SPACE[0]);
    ui.painter().rect_filled(bar, SPACE[0] / 2.0, colour);
}

/// A small heading inside a card.
pub fn section(ui: &mut Ui, title: &str, text: &str) {
    tight(ui, |ui| {
        ui.label(RichText::new(title).strong());
        if !text.is_empty() {
            ui.label(RichText::new(text).small().weak());
        }
    });
}

/// One line to type into, with its name above.
pub fn field(ui: &mut Ui, name: &str, text: &mut String, hint: &str, password: bool) -> Response {
    tight(ui, |ui| {
        let label = ui.label(RichText::new(name).small().weak());
        let edit = TextEdit::singleline(text)
            .hint_text(hint)
            .password(password)
            .margin(edit_margin(ui))
            .desired_width(f32::INFINITY);
        ui.add(edit).labelled_by(label.id)
    })
}

/// The margin that makes a text field as high as a button.
#[must_use]
pub fn edit_margin(ui: &Ui) -> Margin {
    let line = ui.text_style_height(&egui::TextStyle::Body);
    let y = ((ui.spacing().interact_size.y - line) / 2.0).max(SPACE[0]);
    Margin::symmetric(SPACE[1] as i8, y as i8)
}

/// A name and its value on one line, the value to the right.
pub fn fact(ui: &mut Ui, name: &str, value: &str) {
    marked_fact(ui, None, name, value);
}

/// [`fact`] behind a square in the colour that stands for it in a picture.
pub fn marked_fact(ui: &mut Ui, mark: Option<Color32>, name: &str, value: &str) {
    low(ui, |ui| {
        ui.horizontal(|ui| {
            if let Some(colour) = mark {
                ui.label(RichText::new("■").color(colour));
            }
            ui.label(RichText::new(name).weak());
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.add(egui::Label::new(RichText::new(value).strong()).truncate());
            });
        });
    });
}

/// Lines that hold nothing to press need no more height than their text.
pub fn low<R>(ui: &mut Ui, content: impl FnOnce(&mut Ui) -> R) -> R {
    ui.scope(|ui| {
        ui.spacing_mut().interact_size.y = 0.0;
        content(ui)
    })
    .inner
}

/// A bar that is filled to `share`, with words in it.
pub fn progress(ui: &mut Ui, share: f32, text: &str) {
    let bar = egui::ProgressBar::new(share).desired_height(SPACE[4]).text(text);
    ui.name_inputs("Progress", |ui| ui.add(bar));
}
