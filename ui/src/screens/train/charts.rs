//! The curves: loss and metric over one axis of steps, learning rate and gradient norm beside them.

use egui::{Align2, Color32, Id, RichText, Sense, Stroke, Ui, Vec2b, vec2};
use egui_plot::{Line, LineStyle, MarkerShape, Plot, PlotPoint, PlotPoints, PlotUi, Points, Span, VLine};

use super::series::{Band, Series};
use crate::{
    state::RunView,
    theme::{Palette, SPACE, TYPE, colours},
    widgets::card,
};

/// Heights in points: loss, metric, and the two small ones.
const HEIGHTS: [f32; 3] = [172.0, 104.0, 128.0];

/// Draws all four.
pub fn show(ui: &mut Ui, series: &Series, run: &RunView, narrow: bool) {
    if narrow {
        card(ui, "", |ui| large(ui, series, run));
        card(ui, "", |ui| small(ui, series));
        return;
    }
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = SPACE[2];
        let width = ui.available_width();
        let right = (width * 0.32).max(240.0);
        ui.allocate_ui(vec2(width - right - SPACE[2], 0.0), |ui| card(ui, "", |ui| large(ui, series, run)));
        ui.allocate_ui(vec2(right, 0.0), |ui| card(ui, "", |ui| small(ui, series)));
    });
}

fn large(ui: &mut Ui, series: &Series, run: &RunView) {
    let colours = colours(ui);
    ui.spacing_mut().item_spacing.y = SPACE[0];
    key(
        ui,
        "Training loss",
        &[("each report", Sign::Thin(colours.weak)), ("smoothed", Sign::Line(colours.accent))],
    );
    plot("loss", series, HEIGHTS[0]).include_y(0.0).include_y(series.top_loss.min(1.0)).show(ui, |plot| {
        phases(plot, &series.bands, &colours, true);
        plot.line(line("each report", &series.loss, colours.weak.gamma_multiply(0.6), 1.0));
        for piece in &series.smoothed {
            plot.line(line("smoothed", piece, colours.accent, 2.5));
        }
    });
    let name = if series.metric_name.is_empty() { "accuracy" } else { &series.metric_name };
    let title = format!("Validation {name}");
    let best = ("best of its phase, kept", Sign::Diamond(colours.warning));
    key(ui, &title, &[("measured", Sign::Dot(colours.good)), best]);
    let spread = metric_axis(series);
    plot("metric", series, HEIGHTS[1]).include_y(spread.0).include_y(spread.1).show(ui, |plot| {
        phases(plot, &series.bands, &colours, false);
        plot.line(line(name, &series.metric, colours.good, 1.5).style(LineStyle::dashed_dense()));
        plot.points(points(name, &series.metric, colours.good).radius(3.0));
        plot.points(points("best", &series.best, colours.warning).shape(MarkerShape::Diamond).radius(6.0));
    });
    if run.report.losses.is_empty() {
        ui.label(RichText::new("The first point comes with the first report.").small().weak());
    }
}

fn small(ui: &mut Ui, series: &Series) {
    let colours = colours(ui);
    ui.spacing_mut().item_spacing.y = SPACE[0];
    for (name, values) in [("Learning rate", &series.learning_rate), ("Gradient norm", &series.grad_norm)] {
        key(ui, name, &[]);
        plot(name, series, HEIGHTS[2]).include_y(0.0).show(ui, |plot| {
            phases(plot, &series.bands, &colours, false);
            plot.line(line(name, values, colours.text, 1.5));
        });
    }
}

/// A metric that is a share is shown up to 100 %; below, from a round number under the lowest.
fn metric_axis(series: &Series) -> (f64, f64) {
    let values = series.metric.iter().map(|p| p.y);
    let (low, high) = values.fold((1.0_f64, 0.5_f64), |(low, high), y| (low.min(y), high.max(y)));
    if high > 1.0 || low < 0.0 {
        (low, high)
    } else {
        ((low * 10.0 - 0.2).floor().clamp(0.0, 9.0) / 10.0, 1.0)
    }
}

/// A plot over the steps of the run, with the same axis and the same pointer as all others. It neither zooms nor
/// scrolls: the page does.
fn plot<'a>(name: &str, series: &Series, height: f32) -> Plot<'a> {
    Plot::new(name.to_owned())
        .height(height)
        .default_x_bounds(0.0, series.last_step)
        .include_x(0.0)
        .include_x(series.last_step)
        .auto_bounds(Vec2b::TRUE)
        .set_margin_fraction(vec2(0.0, 0.08))
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_axis_zoom_drag(false)
        .allow_double_click_reset(false)
        .show_background(false)
        .y_axis_min_width(44.0)
        .y_axis_formatter(|mark, _| number(mark.value))
        .link_cursor(Id::unique("steps"), Vec2b::new(true, false))
        .label_formatter(|position| match position {
            egui_plot::HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                Some(format!("step {:.0}\n{plot_name} {}", position.x, number(position.y)))
            }
            _ => None,
        })
}

/// A number in as few digits as say something: `0.002` as 2e-3, `0.5` as 0.5.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        v if v < 0.01 => format!("{value:.1e}").replace(".0e", "e"),
        v if v < 10.0 => format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        _ => format!("{value:.0}"),
    }
}

fn line<'a>(name: &str, values: &'a [PlotPoint], colour: Color32, width: f32) -> Line<'a> {
    Line::new(name.to_owned(), PlotPoints::Borrowed(values)).stroke(Stroke::new(width, colour))
}

fn points<'a>(name: &str, values: &'a [PlotPoint], colour: Color32) -> Points<'a> {
    Points::new(name.to_owned(), PlotPoints::Borrowed(values)).color(colour)
}

/// Phases with steps as bands, pruning as a line between them.
fn phases(plot: &mut PlotUi<'_>, bands: &[Band], colours: &Palette, named: bool) {
    for (i, band) in bands.iter().enumerate() {
        let name = if named { band.name.as_str() } else { "" };
        if band.to > band.from {
            let fill = if i == 0 { 0.35 } else { 0.75 };
            let span = Span::new(name, band.from..=band.to).fill(colours.raised.gamma_multiply(fill));
            plot.span(span.border_width(0.0).label_align(Align2::CENTER_TOP));
        } else {
            plot.vline(
                VLine::new(name, band.from)
                    .color(colours.weak)
                    .style(LineStyle::dashed_dense())
                    .allow_hover(false),
            );
        }
    }
}

/// How a curve is drawn, for its key.
#[derive(Clone, Copy)]
enum Sign {
    Thin(Color32),
    Line(Color32),
    Dot(Color32),
    Diamond(Color32),
}

/// The title of a plot, and what its lines are.
fn key(ui: &mut Ui, title: &str, entries: &[(&str, Sign)]) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().interact_size.y = 0.0;
        ui.label(RichText::new(title).size(TYPE[1]).strong());
        for (name, sign) in entries {
            ui.add_space(SPACE[0]);
            let (area, _) = ui.allocate_exact_size(vec2(18.0, 12.0), Sense::hover());
            let painter = ui.painter();
            let line = |width: f32, colour| {
                painter.hline(area.x_range(), area.center().y, Stroke::new(width, colour));
            };
            match *sign {
                Sign::Thin(colour) => line(1.0, colour),
                Sign::Line(colour) => line(2.5, colour),
                Sign::Dot(colour) => drop(painter.circle_filled(area.center(), 3.5, colour)),
                Sign::Diamond(colour) => {
                    let (c, r) = (area.center(), 5.5);
                    let corners = [vec2(r, 0.0), vec2(0.0, r), vec2(-r, 0.0), vec2(0.0, -r)].map(|d| c + d);
                    painter.add(egui::Shape::convex_polygon(corners.to_vec(), colour, Stroke::NONE));
                }
            }
            ui.label(RichText::new(*name).small().weak());
        }
    });
}
