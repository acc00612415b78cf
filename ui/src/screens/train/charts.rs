//! The curves: loss and metric over one axis of steps, learning rate and gradient norm beside them.

use egui::{Align, Align2, Color32, FontId, Id, Layout, RichText, Sense, Stroke, Ui, Vec2b, vec2};
use egui_plot::{
    AxisHints, GridMark, HoverPosition, Line, LineStyle, MarkerShape, Plot, PlotPoint, PlotPoints, PlotUi,
    Points, Span, VLine,
};

use super::series::{Band, Series};
use crate::{
    state::RunView,
    theme::{Palette, SPACE, TYPE, colours},
    widgets::{card, name_plot},
};

/// Heights in points: loss, metric, and the two small ones.
const HEIGHTS: [f32; 3] = [156.0, 96.0, 122.0];

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
        let column = Layout::top_down(Align::Min);
        let left = vec2(width - right - SPACE[2], 0.0);
        ui.allocate_ui_with_layout(left, column, |ui| card(ui, "", |ui| large(ui, series, run)));
        ui.allocate_ui_with_layout(vec2(right, 0.0), column, |ui| card(ui, "", |ui| small(ui, series)));
    });
}

fn large(ui: &mut Ui, series: &Series, run: &RunView) {
    let colours = colours(ui);
    ui.spacing_mut().item_spacing.y = SPACE[0];
    ui.spacing_mut().interact_size.y = 0.0;
    key(
        ui,
        "Training loss",
        &[("each report", Sign::Thin(colours.weak)), ("smoothed", Sign::Line(colours.accent))],
    );
    let chart = plot(ui, "loss", series, HEIGHTS[0], number).include_y(0.0).include_y(series.top_loss);
    let shown = chart.show(ui, |plot| {
        phases(plot, &series.bands, &colours, true);
        plot.line(line("each report", &series.loss, colours.weak.gamma_multiply(0.6), 1.0));
        for piece in &series.smoothed {
            plot.line(line("smoothed", piece, colours.accent, 2.5));
        }
    });
    name_plot(&shown.response, "Training loss by step");
    let name = if series.metric_name.is_empty() { "accuracy" } else { &series.metric_name };
    let best = ("best, kept", Sign::Diamond(colours.warning));
    key(ui, &format!("Validation {name}"), &[("measured", Sign::Dot(colours.good)), best]);
    let (low, high) = metric_axis(series);
    let unit = if high == 1.0 { share } else { number };
    let chart = plot(ui, "metric", series, HEIGHTS[1], unit).include_y(low).include_y(high);
    let shown = chart.show(ui, |plot| {
        phases(plot, &series.bands, &colours, false);
        plot.line(line(name, &series.metric, colours.good, 1.5).style(LineStyle::dashed_dense()));
        plot.points(points(name, &series.metric, colours.good).radius(3.0));
        plot.points(points("best", &series.best, colours.warning).shape(MarkerShape::Diamond).radius(6.0));
    });
    name_plot(&shown.response, &format!("Validation {name} by step"));
    if run.report.losses.is_empty() {
        ui.label(RichText::new("The first point comes with the first report.").small().weak());
    }
}

fn small(ui: &mut Ui, series: &Series) {
    let colours = colours(ui);
    ui.spacing_mut().item_spacing.y = SPACE[0];
    ui.spacing_mut().interact_size.y = 0.0;
    for (name, values) in [("Learning rate", &series.learning_rate), ("Gradient norm", &series.grad_norm)] {
        key(ui, name, &[]);
        let shown = plot(ui, name, series, HEIGHTS[2], number).include_y(0.0).show(ui, |plot| {
            phases(plot, &series.bands, &colours, false);
            plot.line(line(name, values, colours.text, 1.0));
        });
        name_plot(&shown.response, &format!("{name} by step"));
    }
}

/// A metric that is a share is shown up to 100 %, from a round number under the lowest.
fn metric_axis(series: &Series) -> (f64, f64) {
    let values = series.metric.iter().map(|p| p.y);
    let (low, high) = values.fold((0.5_f64, 0.5_f64), |(low, high), y| (low.min(y), high.max(y)));
    if high > 1.0 || low < 0.0 { (low, high) } else { ((low * 10.0).floor() / 10.0, 1.0) }
}

/// A plot over the steps of the run, with the same axis and the same pointer as all others. It neither zooms nor
/// scrolls: the page does.
fn plot<'a>(ui: &Ui, name: &str, series: &Series, height: f32, unit: fn(f64) -> String) -> Plot<'a> {
    let colours = colours(ui);
    let font = FontId::proportional(TYPE[0]);
    let axis = |hints: AxisHints<'a>| hints.tick_label_font(font.clone()).tick_label_color(colours.weak);
    let x = axis(AxisHints::new_x()).formatter(|mark, _| number(mark.value)).label_spacing(1.0..=2.0);
    let y = axis(AxisHints::new_y()).formatter(move |mark, _| unit(mark.value)).label_spacing(1.0..=2.0);
    Plot::new(name.to_owned())
        .height(height)
        .include_x(0.0)
        .include_x(series.last_step)
        .set_margin_fraction(vec2(0.012, 0.06))
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_axis_zoom_drag(false)
        .allow_double_click_reset(false)
        .show_background(false)
        .custom_x_axes(vec![x])
        .custom_y_axes(vec![y.min_thickness(44.0)])
        .x_grid_spacer(|input| ticks(input.bounds, 6.0))
        .y_grid_spacer(move |input| ticks(input.bounds, f64::from(height / 34.0)))
        .grid_color(colours.border)
        .grid_fade(0.0)
        .link_cursor(Id::unique("steps"), Vec2b::new(true, false))
        .label_formatter(move |position| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                Some(format!("step {:.0}\n{plot_name} {}", position.x, unit(position.y)))
            }
            _ => None,
        })
}

/// About `n` round values between the bounds: 1, 2 or 5 of a power of ten apart.
fn ticks((low, high): (f64, f64), n: f64) -> Vec<GridMark> {
    let wanted = (high - low) / n;
    if !wanted.is_finite() || wanted <= 0.0 {
        return Vec::new();
    }
    let power = 10f64.powf(wanted.log10().floor());
    let step_size = [1.0, 2.0, 5.0, 10.0].map(|k| k * power).into_iter().find(|step| *step >= wanted);
    let step_size = step_size.unwrap_or(10.0 * power);
    let first = (low / step_size).ceil() as i64;
    let last = (high / step_size).floor() as i64;
    (first..=last).map(|i| GridMark { value: i as f64 * step_size, step_size }).collect()
}

/// A number in as few digits as say something: `0.002` as 2e-3, `0.5` as 0.5.
fn number(value: f64) -> String {
    match value.abs() {
        v if v < 1e-12 => "0".to_owned(),
        v if v < 0.01 => format!("{value:.1e}").replace(".0e", "e"),
        v if v < 10.0 => format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        _ => format!("{value:.0}"),
    }
}

/// A share in percent.
fn share(value: f64) -> String {
    format!("{} %", number(100.0 * value))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let values: Vec<String> = ticks((0.0, 0.74), 5.0).iter().map(|mark| number(mark.value)).collect();
        assert_eq!(values, ["0", "0.2", "0.4", "0.6"]);
        assert_eq!(ticks((0.0, 300.0), 6.0).len(), 7);
        assert!(ticks((1.0, 1.0), 6.0).is_empty() && ticks((0.0, f64::INFINITY), 6.0).is_empty());
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.002, 0.25, 12.6, 0.0].map(number), ["2e-3", "0.25", "13", "0"]);
        assert_eq!(share(0.9), "90 %");
    }
}
