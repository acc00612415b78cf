//! Chosen runs over each other: curves of loss and metric, and the settings in which they differ.

use dsee_core::report::{RunReport, smooth};
use egui::{Color32, Grid, RichText, ScrollArea, Ui};
use egui_plot::{Corner, Legend, Line, LineStyle, Plot, PlotPoints};

use super::entries::{Entry, setting};
use crate::{
    theme::{SPACE, colours},
    widgets::{self, form, name_plot},
};

/// Height of a plot, in points.
const HEIGHT: f32 = 240.0;
const LOSS: &str = "Training loss, smoothed";

/// Draws nothing where nothing is chosen.
pub(super) fn show(ui: &mut Ui, chosen: &[Entry<'_>]) {
    if chosen.is_empty() {
        return;
    }
    let names = distinct_names(chosen);
    form::columns(ui, 2, |columns| {
        let last = columns.len() - 1;
        widgets::card(&mut columns[0], LOSS, |ui| {
            curves(ui, LOSS, Corner::RightTop, chosen, &names, loss_curve);
        });
        let metric = chosen.iter().find_map(|entry| metric_name(entry.report)).unwrap_or("metric");
        let title = format!("Validation {metric}");
        widgets::card(&mut columns[last], &title, |ui| {
            curves(ui, &title, Corner::RightBottom, chosen, &names, |report| metric_curve(report, metric));
        });
    });
    differences(ui, chosen, &names);
}

/// Runs may have one name: then their time is added.
fn distinct_names(chosen: &[Entry<'_>]) -> Vec<String> {
    let twice = |name: &str| chosen.iter().filter(|entry| entry.report.title == name).count() > 1;
    let name = |entry: &Entry<'_>| match entry.report.title.as_str() {
        title if twice(title) => format!("{title}, {}", entry.when),
        title => title.to_owned(),
    };
    chosen.iter().map(name).collect()
}

fn metric_name(report: &RunReport) -> Option<&str> {
    let row = report.phase_rows.iter().find(|row| !row.metric_name.is_empty());
    let other = || report.metric_names().into_iter().find(|name| *name != "loss");
    row.map(|row| row.metric_name.as_str()).or_else(other)
}

fn loss_curve(report: &RunReport) -> Vec<[f64; 2]> {
    let smoothed = smooth(&report.losses, &report.phases);
    let points = report.losses.iter().zip(smoothed).map(|(point, loss)| [point.step as f64, loss]);
    points.filter(|point| point[1].is_finite()).collect()
}

fn metric_curve(report: &RunReport, metric: &str) -> Vec<[f64; 2]> {
    let points = report.metrics.iter().filter(|point| point.name == metric && point.value.is_finite());
    points.map(|point| [point.step as f64, point.value]).collect()
}

/// One line for each run, different in colour and in dash; the names stand in the corner that the curves leave free.
fn curves(
    ui: &mut Ui,
    title: &str,
    corner: Corner,
    chosen: &[Entry<'_>],
    names: &[String],
    curve: impl Fn(&RunReport) -> Vec<[f64; 2]>,
) {
    let looks = looks(ui);
    let plot = Plot::new(format!("curves {corner:?}"))
        .height(HEIGHT)
        .allow_scroll(false)
        .allow_zoom(false)
        .allow_drag(false)
        .allow_boxed_zoom(false)
        .show_background(false)
        .x_axis_label("step")
        .legend(Legend::default().position(corner).background_alpha(0.85));
    let shown = plot.show(ui, |plot| {
        for (i, (entry, name)) in chosen.iter().zip(names).enumerate() {
            let (colour, style) = looks[i % looks.len()];
            let points = PlotPoints::from(curve(entry.report));
            plot.line(Line::new(name.clone(), points).color(colour).style(style).width(2.0));
        }
    });
    name_plot(&shown.response, title);
}

/// Colours that colour-blind eyes tell apart, and dashes for those that see none.
fn looks(ui: &Ui) -> [(Color32, LineStyle); 6] {
    let colours = colours(ui);
    [
        (colours.accent, LineStyle::Solid),
        (colours.positive, LineStyle::dashed_loose()),
        (colours.good, LineStyle::dashed_dense()),
        (colours.error, LineStyle::dotted_loose()),
        (colours.sparse, LineStyle::Solid),
        (colours.weak, LineStyle::dotted_dense()),
    ]
}

/// The settings in which the runs differ stand out; the others are only counted.
fn differences(ui: &mut Ui, chosen: &[Entry<'_>], names: &[String]) {
    let mut settings: Vec<&str> = Vec::new();
    for entry in chosen {
        for setting in &entry.report.settings {
            // Runs stand under their names already.
            if setting.name != "run_name" && !settings.contains(&setting.name.as_str()) {
                settings.push(&setting.name);
            }
        }
    }
    let value = |entry: &Entry<'_>, name: &str| setting(entry.report, name).unwrap_or("–").to_owned();
    let (different, equal): (Vec<&str>, Vec<&str>) = settings.into_iter().partition(|name| {
        let first = value(&chosen[0], name);
        chosen.iter().any(|entry| value(entry, name) != first)
    });
    widgets::card(ui, "Settings", |ui| {
        if chosen.len() > 1 {
            let text = match different.len() {
                0 => "These runs have the same settings.".to_owned(),
                1 => "One setting differs:".to_owned(),
                n => format!("{n} settings differ:"),
            };
            ui.label(text);
        }
        if !different.is_empty() {
            let colour = colours(ui).warning;
            table(ui, "different", &different, chosen, names, |text| {
                RichText::new(text).strong().color(colour)
            });
        }
        let title = if chosen.len() > 1 {
            format!("{} equal settings", equal.len())
        } else {
            "All settings".to_owned()
        };
        if !equal.is_empty() {
            egui::CollapsingHeader::new(title).id_salt("equal settings").show_unindented(ui, |ui| {
                table(ui, "equal", &equal, &chosen[..1], &[], RichText::new);
            });
        }
    });
}

fn table(
    ui: &mut Ui,
    id: &str,
    settings: &[&str],
    chosen: &[Entry<'_>],
    names: &[String],
    look: impl Fn(String) -> RichText,
) {
    ScrollArea::horizontal().id_salt(id).show(ui, |ui| {
        ui.spacing_mut().interact_size.y = 0.0;
        Grid::new(id).striped(true).spacing([SPACE[4], SPACE[1]]).show(ui, |ui| {
            if !names.is_empty() {
                ui.label("");
                names.iter().for_each(|name| drop(ui.label(RichText::new(name).small().weak())));
                ui.end_row();
            }
            for name in settings {
                ui.label(RichText::new(*name).weak());
                for entry in chosen {
                    ui.label(look(setting(entry.report, name).unwrap_or("–").to_owned()));
                }
                ui.end_row();
            }
        });
    });
}
