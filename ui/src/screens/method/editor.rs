//! One way to change a setting for each kind of setting. Values stay text, so that wrong ones can be shown as typed.

use dsee_core::{
    config::{FieldKind, FieldSpec},
    protocol::Settings,
};
use egui::{Button, ComboBox, Id, TextEdit, Ui};

use crate::widgets::form;

/// Width of a text field, in points.
const WIDTH: f32 = 130.0;

/// Sets a value; what equals the default, or is empty, counts as not given.
pub(super) fn set(settings: &mut Settings, field: &FieldSpec, value: &str) {
    if value.is_empty() || value == field.default {
        settings.remove(field.name);
    } else {
        settings.insert(field.name.to_owned(), value.to_owned());
    }
}

/// Draws what changes `field`; `fallback` is the value it has when nothing is given, `label` its name beside it.
pub(super) fn show(
    ui: &mut Ui,
    field: &FieldSpec,
    settings: &mut Settings,
    fallback: &str,
    typing: &mut Option<(String, String)>,
    label: Id,
) {
    let value = settings.get(field.name).cloned();
    let present = value.as_deref().unwrap_or(fallback);
    match field.kind {
        FieldKind::Text => show_text(ui, field, settings, "not set", typing, label),
        FieldKind::Count | FieldKind::Number => {
            let hint = if fallback.is_empty() { "not set" } else { fallback };
            show_text(ui, field, settings, hint, typing, label);
            show_steppers(ui, field, settings, fallback, typing);
        }
        FieldKind::Switch => {
            let mut on = present == "true";
            let word = if on { "on" } else { "off" };
            if ui.checkbox(&mut on, word).changed() {
                set(settings, field, if on { "true" } else { "false" });
            }
        }
        FieldKind::Choice(names) => {
            if let Some(chosen) = show_choice(ui, field.name, names, present) {
                set(settings, field, &chosen);
            }
        }
        FieldKind::Choices(names) => show_choices(ui, field, names, settings, present),
        FieldKind::Pruning => show_pruning(ui, field, settings, present, typing, label),
    }
}

fn show_text(
    ui: &mut Ui,
    field: &FieldSpec,
    settings: &mut Settings,
    hint: &str,
    typing: &mut Option<(String, String)>,
    label: Id,
) {
    let kept = typing.as_ref().filter(|(name, _)| name == field.name).map(|(_, text)| text.clone());
    let mut text = kept.unwrap_or_else(|| settings.get(field.name).cloned().unwrap_or_default());
    let edit =
        TextEdit::singleline(&mut text).hint_text(hint).margin(form::edit_margin(ui)).desired_width(WIDTH);
    let response = ui.add(edit).labelled_by(label);
    if response.changed() {
        set(settings, field, text.trim());
        *typing = Some((field.name.to_owned(), text));
    } else if response.lost_focus() && typing.as_ref().is_some_and(|(name, _)| name == field.name) {
        *typing = None;
    }
}

/// Less and more, for hands without a keyboard.
fn show_steppers(
    ui: &mut Ui,
    field: &FieldSpec,
    settings: &mut Settings,
    fallback: &str,
    typing: &mut Option<(String, String)>,
) {
    let present = settings.get(field.name).map_or(fallback, String::as_str).to_owned();
    for (sign, up) in [("−", false), ("+", true)] {
        let next = step(field, &present, up);
        let height = ui.spacing().interact_size.y;
        let button = Button::new(sign).min_size(egui::vec2(height, height));
        let response = ui.add_enabled(next.is_some(), button);
        let response = form::named(response, &format!("{} {}", if up { "More" } else { "Less" }, field.name));
        if let (true, Some(next)) = (response.clicked(), next) {
            set(settings, field, &next);
            *typing = None;
        }
    }
}

/// The next value: counts double and halve, numbers go along 1, 2, 5, 10; a seed and whole percents by one.
fn step(field: &FieldSpec, present: &str, up: bool) -> Option<String> {
    if field.kind == FieldKind::Count {
        let value: u64 = present.parse().ok()?;
        let by_one = field.name == "seed" || value == 0;
        return match (up, by_one) {
            (true, true) => value.checked_add(1),
            (false, true) => value.checked_sub(1),
            (true, false) => value.checked_mul(2),
            (false, false) => (value > 1).then_some(value / 2),
        }
        .map(|next| next.to_string());
    }
    let value: f64 = present.parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0)?;
    if value == 0.0 {
        return up.then(|| "0.01".to_owned());
    }
    let exponent = value.log10().floor();
    let scale = |factor: f64, exponent: f64| format!("{factor}e{exponent}").parse::<f64>().ok();
    let series = [-1.0, 0.0, 1.0].map(|shift| [1.0, 2.0, 5.0].map(|factor| scale(factor, exponent + shift)));
    let mut candidates = series.into_iter().flatten().flatten();
    // A hair of tolerance, so that 0.2 counts as on the series whatever its last bit.
    let next = if up {
        candidates.find(|&x| x > value * 1.000_001)
    } else {
        candidates.rfind(|&x| x < value * 0.999_999)
    }?;
    Some(if next < 1e-2 { format!("{next:e}") } else { next.to_string() })
}

/// A list to choose one of; the choice if it was another.
fn show_choice(ui: &mut Ui, id: &str, names: &[&str], present: &str) -> Option<String> {
    let mut chosen = None;
    let shown = if present.is_empty() { "not set" } else { present };
    ComboBox::from_id_salt(id).width(WIDTH).selected_text(shown).show_ui(ui, |ui| {
        for name in names {
            if ui.selectable_label(present == *name, *name).clicked() {
                chosen = Some((*name).to_owned());
            }
        }
    });
    chosen
}

fn show_choices(ui: &mut Ui, field: &FieldSpec, names: &[&str], settings: &mut Settings, present: &str) {
    let on: Vec<&str> = present.split(',').map(str::trim).collect();
    for name in names {
        let mut ticked = on.contains(name);
        if ui.checkbox(&mut ticked, *name).changed() {
            let is_on = |other: &str| if other == *name { ticked } else { on.contains(&other) };
            let list: Vec<&str> = names.iter().copied().filter(|other| is_on(other)).collect();
            // An empty list is a mistake to be shown, not a return to the default.
            settings.insert(field.name.to_owned(), list.join(","));
            if list.join(",") == field.default {
                settings.remove(field.name);
            }
        }
    }
}

/// What to prune, and how much of it.
fn show_pruning(
    ui: &mut Ui,
    field: &FieldSpec,
    settings: &mut Settings,
    present: &str,
    typing: &mut Option<(String, String)>,
    label: Id,
) {
    let (kind, amount) = present.split_once(':').unwrap_or((present, ""));
    let names = ["none", "unstructured", "heads"];
    if let Some(chosen) = show_choice(ui, field.name, &names, kind) {
        let first = match chosen.as_str() {
            "unstructured" => "unstructured:0.5",
            "heads" => "heads:3",
            _ => "none",
        };
        set(settings, field, first);
        *typing = None;
    } else if kind != "none" {
        let kept = typing.as_ref().filter(|(name, _)| name == field.name).map(|(_, text)| text.clone());
        let mut text = kept.unwrap_or_else(|| amount.to_owned());
        let hint = if kind == "heads" { "heads of every layer" } else { "share of the weights" };
        let edit = TextEdit::singleline(&mut text)
            .hint_text(hint)
            .margin(form::edit_margin(ui))
            .desired_width(WIDTH / 2.0);
        let response = ui.add(edit).labelled_by(label);
        if response.changed() {
            set(settings, field, &format!("{kind}:{}", text.trim()));
            *typing = Some((field.name.to_owned(), text));
        } else if response.lost_focus() {
            *typing = None;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn steps_follow_the_series() {
        let find = |name| FieldSpec::find(name).unwrap();
        let up = |name, value| step(find(name), value, true);
        let down = |name, value| step(find(name), value, false);
        assert_eq!((up("rank", "16"), down("rank", "16")), (Some("32".into()), Some("8".into())));
        assert_eq!((down("rank", "1"), up("rank", "many")), (None, None));
        assert_eq!((up("seed", "42"), down("seed", "0")), (Some("43".into()), None));
        assert_eq!(
            (up("learning_rate", "0.0002"), down("learning_rate", "2e-4")),
            (Some("5e-4".into()), Some("1e-4".into()))
        );
        assert_eq!((up("weight_decay", "0"), down("weight_decay", "0")), (Some("0.01".into()), None));
        assert_eq!(
            (up("num_train_epochs", "3"), down("num_train_epochs", "1")),
            (Some("5".into()), Some("0.5".into()))
        );
    }

    #[test]
    fn defaults_are_not_kept() {
        let rank = FieldSpec::find("rank").unwrap();
        let mut settings = Settings::new();
        set(&mut settings, rank, "8");
        assert_eq!(settings["rank"], "8");
        set(&mut settings, rank, "16");
        assert!(settings.is_empty());
    }
}
