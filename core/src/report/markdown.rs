//! The Markdown report: the content of the page as tables and short lines of text.

use super::curves::{SMOOTHING, smooth};
use super::matrices::split_path;
use super::text::{
    count, duration, escape_markdown as escape, metric, percent_of, plain_name, quantity, significant,
};
use super::{MetricPoint, OmegaMatrix, RunReport};

/// Rows of a table of points; more are thinned evenly, the last is always kept.
const TABLE_POINTS: usize = 12;
/// Columns of a sparkline.
const SPARK_COLUMNS: usize = 60;
/// Positions of Ω written out per matrix.
const LISTED_POSITIONS: usize = 16;

/// The whole document.
pub(super) fn document(report: &RunReport) -> String {
    let title = if report.title.trim().is_empty() { "Run report" } else { report.title.as_str() };
    let mut out = format!("# {}\n\n", escape(title));
    let facts = [("Model", &report.base_model), ("Data", &report.dataset), ("Adapter", &report.adapter)];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        out.push_str(&format!("- {name}: {}\n", escape(value)));
    }
    if !report.warnings.is_empty() {
        out.push_str("\n## Please note\n\n");
        report.warnings.iter().for_each(|w| out.push_str(&format!("- {}\n", escape(w))));
    }
    out.push_str(&phases(report));
    if !report.text_figures.is_empty() {
        let rows = report.text_figures.iter().map(|s| vec![escape(&s.name), escape(&s.value)]);
        out.push_str(&format!("\n## Written texts\n\n{}", table(&["figure", "value"], 1, rows)));
    }
    out.push_str(&curves(report));
    out.push_str(&omega(&report.omega));
    out.push_str(&heads(report));
    out.push_str(&ledger(report));
    if !report.settings.is_empty() {
        let rows = report.settings.iter().map(|s| vec![escape(&s.name), escape(&s.value)]);
        out.push_str(&format!("\n## Settings\n\n{}", table(&["setting", "value"], 2, rows)));
    }
    if !report.how_to_load.trim().is_empty() {
        // A fence must be longer than any run of backticks inside.
        let mut fence = "```".to_owned();
        while report.how_to_load.contains(&fence) {
            fence.push('`');
        }
        out.push_str(&format!(
            "\n## Load the result\n\n{fence}\n{}\n{fence}\n",
            report.how_to_load.trim_end()
        ));
    }
    out
}

fn phases(report: &RunReport) -> String {
    if report.phase_rows.is_empty() {
        return "\n## Phases\n\nNo phase has finished.\n".to_owned();
    }
    let rows = report.phase_rows.iter().map(|row| {
        vec![
            escape(&row.phase),
            escape(&row.metric_value.map_or("–".to_owned(), |value| {
                format!("{} {}", plain_name(&row.metric_name), metric(&row.metric_name, value))
            })),
            count(row.trainable_parameters),
            count(row.nonzero_weights),
            percent_of(row.nonzero_weights, row.total_weights),
            quantity(row.flops_linear),
            quantity(row.flops_with_attention),
            duration(row.seconds),
        ]
    });
    let head = [
        "phase",
        "metric",
        "trainable",
        "non-zero weights",
        "of all",
        "FLOPs, linear",
        "with attention",
        "time",
    ];
    format!("\n## Phases\n\n{}", table(&head, 1, rows))
}

fn curves(report: &RunReport) -> String {
    let mut out = String::from("\n## Curves\n");
    for phase in &report.phases {
        out.push_str(&format!(
            "\n- {}: {}",
            escape(&phase.name),
            if phase.last_step > phase.first_step {
                format!("steps {} to {}", phase.first_step, phase.last_step)
            } else {
                format!("at step {}", phase.first_step)
            }
        ));
    }
    out.push_str(if report.phases.is_empty() { "" } else { "\n" });
    if report.losses.is_empty() && report.metrics.is_empty() {
        out.push_str("\nNothing was logged.\n");
    }
    if !report.losses.is_empty() {
        let means = smooth(&report.losses, &report.phases);
        out.push_str(&format!(
            "\nLoss, smoothed (exponential mean, weight {SMOOTHING}, new at each phase):\n\n    {}\n\n",
            sparkline(&means)
        ));
        let rows = sample(report.losses.len()).map(|i| {
            let point = report.losses[i];
            vec![point.step.to_string(), significant(point.loss, 4), significant(means[i], 4)]
        });
        out.push_str(&table(&["step", "loss", "smoothed"], 0, rows));
    }
    for name in report.metric_names() {
        let points: Vec<&MetricPoint> = report.metrics.iter().filter(|m| m.name == name).collect();
        let values: Vec<f64> = points.iter().map(|m| m.value).collect();
        out.push_str(&format!(
            "\nValidation {}:\n\n    {}\n\n",
            escape(&plain_name(name)),
            sparkline(&values)
        ));
        let kept = |i: &usize| points[*i].best;
        let mut shown: Vec<usize> = sample(points.len()).chain((0..points.len()).filter(kept)).collect();
        shown.sort_unstable();
        shown.dedup();
        let rows = shown.into_iter().map(|i| {
            let best = if points[i].best { "best" } else { "" };
            vec![points[i].step.to_string(), metric(name, points[i].value), best.to_owned()]
        });
        out.push_str(&table(&["step", "value", "kept"], 0, rows));
    }
    if !report.learning_rates.is_empty() {
        let rates: Vec<f64> = report.learning_rates.iter().map(|p| p.rate).collect();
        let peak = rates.iter().copied().filter(|r| r.is_finite()).fold(0.0, f64::max);
        out.push_str(&format!(
            "\nLearning rate, highest {}:\n\n    {}\n",
            significant(peak, 3),
            sparkline(&rates)
        ));
    }
    out
}

fn omega(matrices: &[OmegaMatrix]) -> String {
    if matrices.is_empty() {
        return String::new();
    }
    let rows = matrices.iter().map(|m| {
        let (layer, module) = split_path(&m.path);
        let width = m.d_in.max(1);
        let mut positions: Vec<String> = m
            .indices
            .iter()
            .take(LISTED_POSITIONS)
            .map(|&i| format!("({}, {})", i as usize / width, i as usize % width))
            .collect();
        if m.indices.len() > LISTED_POSITIONS {
            positions.push("…".to_owned());
        }
        vec![
            format!("{} {}", layer.map_or(String::new(), |l| format!("{l} ·")), escape(module))
                .trim()
                .to_owned(),
            format!("{} × {}", m.d_out, m.d_in),
            count(m.indices.len() as u64),
            m.overlap_with_magnitude.map_or("–".to_owned(), |both| both.to_string()),
            positions.join(" "),
        ]
    });
    let head = ["layer · matrix", "shape", "entries", "also largest by magnitude", "positions (row, column)"];
    format!("\n## Where the sparse update sits\n\n{}", table(&head, 1, rows))
}

fn heads(report: &RunReport) -> String {
    let n_heads = report.heads.iter().map(|l| l.scores.len()).max().unwrap_or(0);
    if n_heads == 0 {
        return String::new();
    }
    let head: Vec<String> =
        std::iter::once("layer".to_owned()).chain((0..n_heads).map(|h| h.to_string())).collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let rows = report.heads.iter().map(|layer| {
        let cells = layer.scores.iter().enumerate().map(|(head, &score)| {
            let text = significant(score, 3);
            if layer.removed.contains(&head) { format!("× {text}") } else { text }
        });
        std::iter::once(layer.layer.to_string()).chain(cells).collect()
    });
    format!("\n## Attention heads\n\nScores per head; × marks a removed head.\n\n{}", table(&head, 0, rows))
}

fn ledger(report: &RunReport) -> String {
    if report.ledger.is_empty() {
        return "\n## Sparsity ledger\n\nNothing was pruned in this run.\n".to_owned();
    }
    let (size, zeros) = report.ledger_total();
    let total = ("all pruned matrices", size, zeros);
    let each = report.ledger.iter().map(|r| (r.matrix.as_str(), r.size, r.zeros));
    let rows = each
        .chain([total])
        .map(|(name, size, zeros)| vec![escape(name), count(size), count(zeros), percent_of(zeros, size)]);
    format!("\n## Sparsity ledger\n\n{}", table(&["matrix", "entries", "zeros", "share"], 1, rows))
}

/// A Markdown table. The first `n_text` columns are text, the others numbers, set to the right.
pub(super) fn table(head: &[&str], n_text: usize, rows: impl Iterator<Item = Vec<String>>) -> String {
    let rule: Vec<&str> = (0..head.len()).map(|i| if i < n_text { "---" } else { "---:" }).collect();
    let mut out = format!("| {} |\n| {} |\n", head.join(" | "), rule.join(" | "));
    rows.for_each(|cells| out.push_str(&format!("| {} |\n", cells.join(" | "))));
    out
}

/// Even sample of the positions 0..n that ends with the last.
fn sample(n: usize) -> impl Iterator<Item = usize> {
    let stride = n.div_ceil(TABLE_POINTS).max(1);
    (0..n).filter(move |i| (n - 1 - i).is_multiple_of(stride))
}

/// The series as one line of blocks between its lowest and highest value; `·` where nothing is finite.
fn sparkline(values: &[f64]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let columns = values.len().min(SPARK_COLUMNS);
    let means: Vec<f64> = (0..columns)
        .map(|c| {
            let bucket = &values[c * values.len() / columns..(c + 1) * values.len() / columns];
            let finite: Vec<f64> = bucket.iter().copied().filter(|v| v.is_finite()).collect();
            finite.iter().sum::<f64>() / finite.len() as f64 // NaN where nothing is finite
        })
        .collect();
    let finite = means.iter().copied().filter(|v| v.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let block = |v: &f64| match v.is_finite() {
        true if high > low => BLOCKS[((v - low) / (high - low) * 7.0).round() as usize],
        true => BLOCKS[3],
        false => '·',
    };
    means.iter().map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn sparkline_spans_its_range() {
        assert_eq!(sparkline(&[0.0, 1.0, f64::NAN, 0.5]), "▁█·▅");
        assert_eq!(sparkline(&[2.0]), "▄");
        assert_eq!(sparkline(&[]), "");
        assert_eq!(sparkline(&vec![1.0; 1000]).chars().count(), SPARK_COLUMNS);
    }

    #[test]
    fn samples_end_with_the_last_point() {
        for n in [1, 2, 11, 12, 13, 375] {
            let shown: Vec<usize> = sample(n).collect();
            assert!(shown.len() <= TABLE_POINTS && shown.last() == Some(&(n - 1)), "{n}: {shown:?}");
        }
        assert_eq!(sample(0).count(), 0);
    }

    #[test]
    fn every_table_row_has_its_columns() {
        for report in [example::full(), example::unpruned(), RunReport::default()] {
            let text = document(&report);
            let mut columns = None;
            for line in text.lines() {
                let n = line.replace("\\|", "").matches('|').count();
                if n == 0 {
                    columns = None;
                } else {
                    assert_eq!(*columns.get_or_insert(n), n, "{line}");
                }
            }
        }
    }

    #[test]
    fn the_numbers_are_there_and_foreign_text_stays_text() {
        let mut report = example::full();
        report.phase_rows[0].phase = "a|b <script>".into();
        report.how_to_load.push_str("```\n");
        let text = document(&report);
        for part in ["147,456", "78.44 %", "a\\|b \\<script\\>", "````", "× ", "all pruned matrices"] {
            assert!(text.contains(part), "{part}");
        }
        assert!(document(&RunReport::default()).contains("Nothing was pruned"));
    }
}
