//! Loss, metric and learning-rate curves: smoothing, thinning, and the charts themselves.

use super::svg::{Axis, axes, band, curve, event, percent};
use super::text::{escape, is_share, metric, plain_name, significant};
use super::{LossPoint, MetricPoint, Phase, RunReport};

/// Weight of the newest point in the smoothed loss.
pub(super) const SMOOTHING: f64 = 0.1;
/// More points than this are thinned for drawing; no screen shows more.
const DRAWN_POINTS: usize = 800;

/// The smoothed loss, one value per point: an exponential mean with the start-up bias divided out.
///
/// It starts afresh at the first step of every phase, because optimizer and schedule do, and passes over
/// values that are not finite (their place repeats the mean so far, NaN if there is none yet).
#[must_use]
pub fn smooth(losses: &[LossPoint], phases: &[Phase]) -> Vec<f64> {
    let (mut mean, mut weight, mut current_phase) = (0.0, 0.0, None);
    let mut smoothed = Vec::with_capacity(losses.len());
    for point in losses {
        let phase = phases.iter().rposition(|p| p.first_step < point.step && p.last_step > p.first_step);
        if phase != current_phase {
            (mean, weight, current_phase) = (0.0, 0.0, phase);
        }
        if point.loss.is_finite() {
            mean += SMOOTHING * (point.loss - mean);
            weight += SMOOTHING * (1.0 - weight);
        }
        smoothed.push(if weight > 0.0 { mean / weight } else { f64::NAN });
    }
    smoothed
}

/// All charts of the report; a sentence where nothing has been logged yet.
pub(super) fn charts(report: &RunReport) -> String {
    let mut out = String::new();
    if !report.losses.is_empty() {
        out.push_str(&loss_chart(report));
    }
    let mut small = String::new();
    for name in report.metric_names() {
        small.push_str(&metric_chart(report, name));
    }
    if !report.learning_rates.is_empty() {
        small.push_str(&rate_chart(report));
    }
    if !small.is_empty() {
        out.push_str(&format!("<div class=\"pair\">{small}</div>"));
    }
    if out.is_empty() {
        out.push_str(
            "<p class=\"empty\">Nothing was logged: the run ended before its first logged step.</p>",
        );
    }
    out
}

fn loss_chart(report: &RunReport) -> String {
    let raw: Vec<(f64, f64)> = report.losses.iter().map(|p| (p.step as f64, p.loss)).collect();
    let means = smooth(&report.losses, &report.phases);
    let smoothed: Vec<(f64, f64)> = raw.iter().zip(&means).map(|(p, &mean)| (p.0, mean)).collect();
    let x = step_axis(report);
    let positive = raw.iter().map(|p| p.1).filter(|l| l.is_finite());
    let (low, high) = positive.fold((f64::INFINITY, 0f64), |(l, h), v| (l.min(v), h.max(v)));
    // A loss that falls by more than two decades would be a flat line on a linear axis.
    let is_log = low > 0.0 && high > 100.0 * low;
    let losses = raw.iter().map(|p| p.1);
    let y = if is_log { Axis::log(losses) } else { Axis::widened(losses, 4) };
    let mut drawing = curve("line raw", &thin(&raw), &x, &y);
    // The mean is lifted at phase borders so that it does not join what it does not belong to.
    for piece in pieces(&smoothed, &report.phases) {
        drawing.push_str(&curve("line loss", &thin(&piece), &x, &y));
    }
    if let [only] = raw[..]
        && only.1.is_finite()
    {
        drawing.push_str(&dot("dot loss", only, &x, &y));
    }
    let bad: Vec<u64> = report.losses.iter().filter(|p| !p.loss.is_finite()).map(|p| p.step).collect();
    for &step in bad.iter().take(DRAWN_POINTS) {
        drawing.push_str(&format!(
            "<text class=\"bad\" x=\"{}\" y=\"12\">×</text>",
            percent(x.share(step as f64))
        ));
    }
    let first_last = (means.iter().find(|m| m.is_finite()), means.last().filter(|m| m.is_finite()));
    let mut summary = match first_last {
        (Some(only), Some(_)) if means.len() == 1 => {
            format!("One loss was logged: {}.", significant(*only, 3))
        }
        (Some(first), Some(last)) => {
            format!("Smoothed loss goes from {} to {}.", significant(*first, 3), significant(*last, 3))
        }
        _ => "No finite loss was logged.".to_owned(),
    };
    if !bad.is_empty() {
        summary.push_str(&format!(" {} logged values are not finite, first at step {}.", bad.len(), bad[0]));
    }
    let note = format!(
        "<span class=\"key raw\"></span>logged <span class=\"key loss\"></span>smoothed \
         (exponential mean, weight {SMOOTHING}, new at each phase){}",
        if is_log { ", logarithmic scale" } else { "" }
    );
    figure("loss", "Training loss", &note, &summary, "tall", &frame(report, &x, &y, &drawing))
}

fn metric_chart(report: &RunReport, name: &str) -> String {
    let points: Vec<&MetricPoint> = report.metrics.iter().filter(|m| m.name == name).collect();
    let unit = if is_share(name) { 100.0 } else { 1.0 };
    let line: Vec<(f64, f64)> = points.iter().map(|m| (m.step as f64, unit * m.value)).collect();
    let (x, y) = (step_axis(report), Axis::widened(line.iter().map(|p| p.1), 3));
    // One line through all phases: what masking costs and retuning wins back is the point of this chart.
    let mut drawing = curve("line metric", &thin(&line), &x, &y);
    for point in points.iter().filter(|m| m.value.is_finite()) {
        let at = (point.step as f64, unit * point.value);
        drawing.push_str(&dot(if point.best { "dot metric best" } else { "dot metric" }, at, &x, &y));
    }
    let best: Vec<String> = points
        .iter()
        .filter(|m| m.best)
        .map(|m| format!("{} at step {}", metric(name, m.value), m.step))
        .collect();
    let summary = if best.is_empty() {
        format!("{} measurements.", points.len())
    } else {
        format!("Best kept: {}.", best.join(", then "))
    };
    let title = format!("Validation {}{}", plain_name(name), if is_share(name) { ", %" } else { "" });
    let note = "<span class=\"key metric\"></span>measured <span class=\"key best\"></span>kept as best of its phase";
    figure(&format!("metric-{name}"), &title, note, &summary, "short", &frame(report, &x, &y, &drawing))
}

fn rate_chart(report: &RunReport) -> String {
    let line: Vec<(f64, f64)> = report.learning_rates.iter().map(|p| (p.step as f64, p.rate)).collect();
    let values = line.iter().map(|p| p.1).chain([0.0]);
    let (x, y) = (step_axis(report), Axis::widened(values, 3));
    let mut drawing = String::new();
    for piece in pieces(&line, &report.phases) {
        drawing.push_str(&curve("line rate", &thin(&piece), &x, &y));
    }
    if let [only] = line[..]
        && only.1.is_finite()
    {
        drawing.push_str(&dot("dot rate", only, &x, &y));
    }
    let peak = line.iter().map(|p| p.1).filter(|r| r.is_finite()).fold(0.0, f64::max);
    let summary = format!("Highest {}.", significant(peak, 3));
    let note = "<span class=\"key rate\"></span>as scheduled";
    figure("rate", "Learning rate", note, &summary, "short", &frame(report, &x, &y, &drawing))
}

/// All charts share one step axis, so that they can be read against each other.
fn step_axis(report: &RunReport) -> Axis {
    let phases = report.phases.iter().flat_map(|p| [p.first_step, p.last_step]);
    let losses = report.losses.iter().map(|p| p.step);
    let metrics = report.metrics.iter().map(|p| p.step);
    let rates = report.learning_rates.iter().map(|p| p.step);
    Axis::steps(phases.chain(losses).chain(metrics).chain(rates).map(|s| s as f64), 5)
}

/// Bands and axes below, curves above, events on top.
fn frame(report: &RunReport, x: &Axis, y: &Axis, drawing: &str) -> String {
    let mut out = String::new();
    let spans = report.phases.iter().filter(|p| p.last_step > p.first_step);
    for (i, phase) in spans.enumerate() {
        out.push_str(&band(&phase.name, phase.first_step as f64, phase.last_step as f64, x, i % 2 == 1));
    }
    out.push_str(&axes(x, y));
    out.push_str(drawing);
    let mut events: Vec<(u64, String)> = Vec::new();
    for phase in report.phases.iter().filter(|p| p.last_step <= p.first_step) {
        match events.last_mut().filter(|e| e.0 == phase.first_step) {
            Some((_, names)) => names.push_str(&format!(" · {}", phase.name)),
            None => events.push((phase.first_step, phase.name.clone())),
        }
    }
    events.iter().for_each(|(step, names)| out.push_str(&event(names, *step as f64, x)));
    out
}

fn figure(id: &str, title: &str, note: &str, summary: &str, size: &str, drawing: &str) -> String {
    let (id, title, summary) =
        (escape(&id.replace(char::is_whitespace, "-")), escape(title), escape(summary));
    format!(
        "<figure class=\"chart\"><figcaption><h3>{title}</h3><p>{summary}</p></figcaption>\
         <div class=\"plot {size}\"><svg width=\"100%\" height=\"100%\" role=\"img\" \
         aria-labelledby=\"{id}-title {id}-desc\"><title id=\"{id}-title\">{title} over steps</title>\
         <desc id=\"{id}-desc\">{summary}</desc>{drawing}</svg></div><p class=\"legend\">{note}</p></figure>\n"
    )
}

fn dot(class: &str, at: (f64, f64), x: &Axis, y: &Axis) -> String {
    let radius = if class.ends_with("best") { 6 } else { 3 };
    format!(
        "<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"{radius}\"/>",
        percent(x.share(at.0)),
        percent(1.0 - y.share(at.1))
    )
}

/// The series cut at the starts of training phases.
fn pieces(points: &[(f64, f64)], phases: &[Phase]) -> Vec<Vec<(f64, f64)>> {
    let starts = phases.iter().filter(|p| p.last_step > p.first_step).map(|p| p.first_step as f64);
    let mut rest = points;
    let mut out = Vec::new();
    for start in starts {
        let cut = rest.partition_point(|p| p.0 <= start);
        if cut > 0 {
            out.push(rest[..cut].to_vec());
            rest = &rest[cut..];
        }
    }
    out.push(rest.to_vec());
    out
}

/// Keeps the lowest and the highest value of each bucket in their order, so that no spike is lost.
pub(super) fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= DRAWN_POINTS {
        return points.to_vec();
    }
    let size = (2 * points.len()).div_ceil(DRAWN_POINTS);
    let mut out = Vec::with_capacity(DRAWN_POINTS + 1);
    for bucket in points.chunks(size) {
        let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        if let (Some(&low), Some(&high)) = (bucket.iter().min_by(by_value), bucket.iter().max_by(by_value)) {
            out.extend(if low.0 <= high.0 { [low, high] } else { [high, low] });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    fn points(losses: &[f64]) -> Vec<LossPoint> {
        losses.iter().enumerate().map(|(i, &loss)| LossPoint { step: i as u64 + 1, loss }).collect()
    }

    #[test]
    fn smoothing_is_unbiased_and_starts_anew_at_a_phase() {
        assert!(smooth(&points(&[2.0; 5]), &[]).iter().all(|m| (m - 2.0).abs() < 1e-12));
        let phases =
            [(0, 2), (2, 4)].map(|(a, b)| Phase { name: String::new(), first_step: a, last_step: b });
        let means = smooth(&points(&[4.0, 4.0, 1.0, 1.0]), &phases);
        assert!((means[1] - 4.0).abs() < 1e-12 && (means[2] - 1.0).abs() < 1e-12, "{means:?}");
    }

    #[test]
    fn smoothing_passes_over_values_that_are_not_finite() {
        let means = smooth(&points(&[f64::NAN, 1.0, f64::INFINITY, 1.0]), &[]);
        assert!(means[0].is_nan() && means[1..].iter().all(|m| (m - 1.0).abs() < 1e-12), "{means:?}");
    }

    #[test]
    fn thinning_keeps_the_spike() {
        let mut series: Vec<(f64, f64)> = (0..10_000).map(|i| (f64::from(i), 1.0)).collect();
        series[7_777].1 = 9.0;
        let thinned = thin(&series);
        assert!(thinned.len() <= DRAWN_POINTS + 2 && thinned.iter().any(|p| p.1 == 9.0));
        assert!(thinned.windows(2).all(|w| w[0].0 <= w[1].0));
    }

    #[test]
    fn charts_mark_what_is_missing() {
        let mut report = RunReport::default();
        assert!(charts(&report).contains("Nothing was logged"));
        report.losses = points(&[f64::NAN]);
        assert!(charts(&report).contains("No finite loss") && !charts(&report).contains("NaN"));
        report.losses = points(&[0.7]);
        assert!(charts(&report).contains("<circle class=\"dot loss\""));
        let full = charts(&example::full());
        assert!(
            full.contains("Best kept:") && full.contains(">tune</text>") && full.contains("class=\"event\"")
        );
    }
}
