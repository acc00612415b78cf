//! Small helpers for inline SVG charts: axes with round ticks, lines, phase bands.
//!
//! A chart has no view box: text and strokes are in CSS pixels and positions in percent of the width, so the
//! same drawing is legible on a telephone and on a projector. Only curves live in a stretched inner view of
//! 1000 × 1000 units, and their strokes do not scale.

use super::text::{escape, significant};

/// A scale from values to 0..=1, with its ticks.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    min: f64,
    max: f64,
    is_log: bool,
    pub(super) ticks: Vec<f64>,
    step: f64,
}

impl Axis {
    /// A linear axis over the finite values, widened to round ticks. One value gets room on both sides.
    pub(super) fn widened(values: impl Iterator<Item = f64>, n_ticks: usize) -> Self {
        let (mut min, mut max) = range(values);
        if min == max {
            let room = if min == 0.0 { 0.5 } else { min.abs() * 0.1 };
            (min, max) = (min - room, max + room);
        }
        let step = nice_step((max - min) / n_ticks as f64);
        let (first, last) = ((min / step).floor(), (max / step).ceil());
        let ticks: Vec<f64> = (0..=(last - first) as usize).map(|i| (first + i as f64) * step).collect();
        Self { min: first * step, max: last * step, is_log: false, ticks, step }
    }

    /// A linear axis over whole steps that ends exactly where the values end; ticks fall inside.
    pub(super) fn steps(values: impl Iterator<Item = f64>, n_ticks: usize) -> Self {
        let (min, max) = range(values);
        let max = if min == max { min + 1.0 } else { max };
        let step = nice_step((max - min) / n_ticks as f64).max(1.0);
        let first = (min / step).ceil();
        let n = ((max / step).floor() - first).max(0.0) as usize;
        let ticks = (0..=n).map(|i| (first + i as f64) * step).filter(|t| *t <= max).collect();
        Self { min, max, is_log: false, ticks, step }
    }

    /// A logarithmic axis over the positive finite values, widened to powers of ten.
    pub(super) fn log(values: impl Iterator<Item = f64>) -> Self {
        let (min, max) = range(values.filter(|x| *x > 0.0).map(f64::log10));
        let (first, last) = (min.floor(), max.ceil().max(min.floor() + 1.0));
        let ticks = (0..=(last - first) as i32).map(|i| 10f64.powi(first as i32 + i)).collect();
        Self { min: first, max: last, is_log: true, ticks, step: 0.0 }
    }

    /// A logarithmic axis with a tick at every value that occurs, for values that double or nearly so.
    pub(super) fn doublings(values: impl Iterator<Item = f64>) -> Self {
        let mut ticks: Vec<f64> = values.filter(|x| x.is_finite() && *x > 0.0).collect();
        ticks.sort_by(f64::total_cmp);
        ticks.dedup();
        let (min, max) = range(ticks.iter().map(|tick| tick.log10()));
        let max = if min == max { min + 1.0 } else { max };
        Self { min, max, is_log: true, ticks, step: 0.0 }
    }

    /// Where `value` lies between the ends, 0..=1. Values outside are held at the ends.
    pub(super) fn share(&self, value: f64) -> f64 {
        let value = if self.is_log { value.max(f64::MIN_POSITIVE).log10() } else { value };
        ((value - self.min) / (self.max - self.min)).clamp(0.0, 1.0)
    }

    /// The tick as text, with the decimals that this axis needs.
    pub(super) fn label(&self, tick: f64) -> String {
        if self.is_log {
            return significant(tick, 1);
        }
        if tick != 0.0 && (self.step < 1e-3 || self.step >= 1e6) {
            // Multiples of a round step need one digit, or two from the tenth on: 5e−4, 1.5e−3.
            let short = format!("{tick:.0e}");
            let is_exact = short.parse::<f64>().is_ok_and(|s| ((s - tick) / tick).abs() < 1e-6);
            return if is_exact { short } else { format!("{tick:.1e}") }.replace('-', "−");
        }
        if tick == 0.0 && self.step < 1e-3 {
            return "0".to_owned();
        }
        let decimals = (-self.step.log10().floor()).max(0.0) as usize;
        format!("{tick:.decimals$}").replace('-', "−")
    }
}

/// Smallest and largest finite value; 0 and 1 where there is none.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (min, max) = values
        .filter(|x| x.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), x| (min.min(x), max.max(x)));
    if min > max { (0.0, 1.0) } else { (min, max) }
}

/// The next of 1, 2, 5 times a power of ten that is at least `raw`.
fn nice_step(raw: f64) -> f64 {
    let power = 10f64.powf(raw.log10().floor());
    let lead = raw / power;
    let nice = [1.0, 2.0, 5.0].into_iter().find(|n| lead <= n * (1.0 + 1e-9)).unwrap_or(10.0);
    nice * power
}

/// A position in percent with the digits that a screen can show.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2}%", 100.0 * share)
}

/// The path of a curve in the 1000 × 1000 view. Non-finite values break the line.
pub(super) fn path(points: &[(f64, f64)], x: &Axis, y: &Axis) -> String {
    let mut out = String::new();
    let mut pen_down = false;
    for &(step, value) in points {
        if value.is_finite() {
            let (px, py) = (1000.0 * x.share(step), 1000.0 * (1.0 - y.share(value)));
            out.push_str(&format!("{}{px:.1} {py:.1}", if pen_down { "L" } else { "M" }));
        }
        pen_down = value.is_finite();
    }
    out
}

/// A curve of the given class, stretched over the whole plot.
pub(super) fn curve(class: &str, points: &[(f64, f64)], x: &Axis, y: &Axis) -> String {
    format!(
        "<svg width=\"100%\" height=\"100%\" viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\">\
         <path class=\"{class}\" vector-effect=\"non-scaling-stroke\" d=\"{}\"/></svg>",
        path(points, x, y)
    )
}

/// Horizontal grid lines with labels, and step labels below the plot.
pub(super) fn axes(x: &Axis, y: &Axis) -> String {
    let mut out = String::from("<g class=\"axis\">");
    for &tick in &y.ticks {
        let at = percent(1.0 - y.share(tick));
        out.push_str(&format!(
            "<line x1=\"0\" x2=\"100%\" y1=\"{at}\" y2=\"{at}\"/>\
             <text class=\"y\" x=\"-8\" y=\"{at}\" dy=\"0.35em\">{}</text>",
            y.label(tick)
        ));
    }
    for &tick in &x.ticks {
        out.push_str(&format!(
            "<text class=\"x\" x=\"{}\" y=\"100%\" dy=\"1.6em\">{}</text>",
            percent(x.share(tick)),
            x.label(tick)
        ));
    }
    out.push_str("</g>");
    out
}

/// A shaded band from `from` to `to` with its name above the plot, cut off where the band ends.
pub(super) fn band(name: &str, from: f64, to: f64, x: &Axis, is_odd: bool) -> String {
    let (left, width) = (percent(x.share(from)), percent(x.share(to) - x.share(from)));
    let class = if is_odd { "band odd" } else { "band" };
    format!(
        "<rect class=\"{class}\" x=\"{left}\" y=\"0\" width=\"{width}\" height=\"100%\"/>\
         <svg class=\"clip\" x=\"{left}\" y=\"-22\" width=\"{width}\" height=\"22\">\
         <rect class=\"{class} tab\" width=\"100%\" height=\"100%\"/>\
         <text class=\"phase\" x=\"8\" y=\"15\">{}</text></svg>",
        escape(name)
    )
}

/// A vertical line for something that happened between two steps, named above the band names.
pub(super) fn event(name: &str, at: f64, x: &Axis) -> String {
    let share = x.share(at);
    let (anchor, dx) = if share > 0.5 { ("end", 4) } else { ("start", -1) };
    let left = percent(share);
    format!(
        "<line class=\"event\" x1=\"{left}\" x2=\"{left}\" y1=\"-26\" y2=\"100%\"/>\
         <text class=\"phase\" x=\"{left}\" dx=\"{dx}\" y=\"-32\" text-anchor=\"{anchor}\">{}</text>",
        escape(name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_enclose_the_values() {
        let axis = Axis::widened([0.13, 0.71].into_iter(), 4);
        let labels: Vec<String> = axis.ticks.iter().map(|&t| axis.label(t)).collect();
        assert_eq!(labels, ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert!((axis.share(0.4) - 0.5).abs() < 1e-12);
        let rates = Axis::widened([0.0, 1.5e-3].into_iter(), 3);
        let labels: Vec<String> = rates.ticks.iter().map(|&t| rates.label(t)).collect();
        assert_eq!(labels, ["0", "5e−4", "1e−3", "1.5e−3"]);
        let steps = Axis::steps([0.0, 375.0].into_iter(), 5);
        assert_eq!(steps.ticks, [0.0, 100.0, 200.0, 300.0]);
        assert!((steps.share(375.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn degenerate_ranges_still_give_an_axis() {
        for values in [vec![], vec![f64::NAN], vec![0.0], vec![3.0], vec![-2.0]] {
            let axis = Axis::widened(values.iter().copied(), 4);
            assert!(axis.ticks.len() >= 2 && axis.ticks.iter().all(|t| t.is_finite()), "{values:?}");
            let steps = Axis::steps(values.iter().copied(), 4);
            assert!(!steps.ticks.is_empty() && steps.share(0.0).is_finite(), "{values:?}");
        }
    }

    #[test]
    fn log_axis_puts_decades_at_equal_distances() {
        let axis = Axis::log([0.02, 3.0, f64::INFINITY].into_iter());
        assert_eq!(axis.ticks.len(), 4);
        assert!((axis.share(0.1) - 1.0 / 3.0).abs() < 1e-9 && (axis.share(1.0) - 2.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn doublings_stand_at_equal_distances_under_their_own_names() {
        let axis = Axis::doublings([16.0, 8.0, 32.0, 8.0, f64::NAN].into_iter());
        let labels: Vec<String> = axis.ticks.iter().map(|&t| axis.label(t)).collect();
        assert_eq!(labels, ["8", "16", "32"]);
        assert!((axis.share(16.0) - 0.5).abs() < 1e-9);
        assert!(Axis::doublings([].into_iter()).share(4.0).is_finite());
    }

    #[test]
    fn a_missing_value_breaks_the_line() {
        let (x, y) = (Axis::steps([0.0, 2.0].into_iter(), 2), Axis::widened([0.0, 1.0].into_iter(), 2));
        let d = path(&[(0.0, 0.0), (1.0, f64::NAN), (2.0, 1.0)], &x, &y);
        assert_eq!(d, "M0.0 1000.0M1000.0 0.0");
    }
}
