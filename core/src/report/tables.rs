//! The tables of the HTML report: phases, sparsity ledger, settings, and the headline figures.

use super::matrices::split_path;
use super::text::{count, duration, escape, metric, percent_of, plain_name, quantity};
use super::{PhaseRow, RunReport, Setting};

/// Up to four figures that answer "what came out of it".
pub(super) fn headline(rows: &[PhaseRow]) -> String {
    let mut facts: Vec<(String, String, String)> = Vec::new();
    if let Some((row, value)) = rows.iter().rev().find_map(|r| r.metric_value.map(|v| (r, v))) {
        let name = plain_name(&row.metric_name);
        facts.push((format!("Validation {name}"), metric(&row.metric_name, value), row.phase.clone()));
    }
    if let Some(row) = rows.iter().rev().find(|r| r.trainable_parameters > 0) {
        let share = percent_of(row.trainable_parameters, row.total_weights);
        facts.push((
            "Trainable parameters".into(),
            count(row.trainable_parameters),
            format!("{share} of the model"),
        ));
    }
    if let Some(row) = rows.last() {
        let zeros = row.total_weights.saturating_sub(row.nonzero_weights);
        let note = format!("{} of {}", count(zeros), count(row.total_weights));
        facts.push(("Zero weights".into(), percent_of(zeros, row.total_weights), note));
        let seconds: f64 = rows.iter().map(|r| r.seconds).filter(|s| s.is_finite()).sum();
        facts.push(("Time".into(), duration(seconds), "all phases together".into()));
    }
    if facts.is_empty() {
        return String::new();
    }
    let mut out = String::from("<dl class=\"headline\">");
    for (name, value, note) in facts {
        out.push_str(&format!(
            "<div><dt>{}</dt><dd class=\"figure\">{}</dd><dd class=\"note\">{}</dd></div>",
            escape(&name),
            escape(&value),
            escape(&note)
        ));
    }
    out.push_str("</dl>\n");
    out
}

/// The phase table.
pub(super) fn phases(rows: &[PhaseRow]) -> String {
    if rows.is_empty() {
        return "<p class=\"empty\">No phase has finished.</p>".to_owned();
    }
    // One metric names its column; several are named in their cells.
    let first = &rows[0].metric_name;
    let is_one_metric = rows.iter().all(|r| &r.metric_name == first) && !first.is_empty();
    let heading = if is_one_metric { escape(&plain_name(first)) } else { "metric".to_owned() };
    let mut out = format!(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Phase table\"><table><thead><tr>\
         <th scope=\"col\">phase</th><th scope=\"col\" class=\"n\">{heading}</th>\
         <th scope=\"col\" class=\"n\">trainable</th><th scope=\"col\" class=\"n\">non-zero weights</th>\
         <th scope=\"col\" class=\"n\">of all</th><th scope=\"col\" class=\"n\">FLOPs, linear</th>\
         <th scope=\"col\" class=\"n\">with attention</th><th scope=\"col\" class=\"n\">time</th></tr></thead><tbody>"
    );
    for row in rows {
        let value = match row.metric_value {
            None => "–".to_owned(),
            Some(value) if is_one_metric => metric(&row.metric_name, value),
            Some(value) => format!("{} {}", plain_name(&row.metric_name), metric(&row.metric_name, value)),
        };
        out.push_str(&format!("<tr><th scope=\"row\">{}</th>", escape(&row.phase)));
        let cells = [
            value,
            count(row.trainable_parameters),
            count(row.nonzero_weights),
            percent_of(row.nonzero_weights, row.total_weights),
            quantity(row.flops_linear),
            quantity(row.flops_with_attention),
            duration(row.seconds),
        ];
        for cell in cells {
            out.push_str(&format!("<td class=\"n\">{}</td>", escape(&cell)));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// The sparsity ledger: zeros of every pruned matrix, with a bar for the share, and their sum.
pub(super) fn ledger(report: &RunReport) -> String {
    let (size, zeros) = report.ledger_total();
    let mut out = String::from(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Sparsity ledger\">\
         <table class=\"ledger\"><thead><tr><th scope=\"col\">layer</th><th scope=\"col\">matrix</th>\
         <th scope=\"col\" class=\"n\">zero share</th>\
         <th scope=\"col\" class=\"wide\"><span class=\"hidden\">share as a bar</span></th>\
         <th scope=\"col\" class=\"n\">zeros</th><th scope=\"col\" class=\"n\">entries</th></tr></thead><tbody>",
    );
    for row in &report.ledger {
        // Every ledger entry is a weight; without that word and the layer's path the names fit one line.
        let (layer, module) = split_path(&row.matrix);
        let module = escape(module.strip_suffix(".weight").unwrap_or(module));
        let layer = layer.map_or("–".to_owned(), |l| l.to_string());
        let head = format!("<td>{layer}</td><th scope=\"row\"><code>{module}</code></th>");
        out.push_str(&ledger_row(&head, row.size, row.zeros));
    }
    out.push_str("</tbody><tfoot>");
    out.push_str(&ledger_row("<th scope=\"row\" colspan=\"2\">All pruned matrices</th>", size, zeros));
    out.push_str("</tfoot></table></div>\n");
    out
}

fn ledger_row(head: &str, size: u64, zeros: u64) -> String {
    let width = if size == 0 { 0.0 } else { (100.0 * zeros as f64 / size as f64).min(100.0) };
    format!(
        "<tr>{head}<td class=\"n\">{}</td>\
         <td class=\"wide\"><svg class=\"bar\" width=\"100%\" height=\"8\" aria-hidden=\"true\">\
         <rect class=\"kept\" width=\"100%\" height=\"8\"/>\
         <rect class=\"zero\" width=\"{width:.2}%\" height=\"8\"/></svg></td>\
         <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
        percent_of(zeros, size),
        count(zeros),
        count(size),
    )
}

/// Settings as names and values.
pub(super) fn settings(settings: &[Setting]) -> String {
    if settings.is_empty() {
        return String::new();
    }
    let mut out = String::from("<dl class=\"settings\">");
    for setting in settings {
        out.push_str(&format!(
            "<div><dt>{}</dt><dd>{}</dd></div>",
            escape(&plain_name(&setting.name)),
            escape(&setting.value)
        ));
    }
    out.push_str("</dl>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::super::{LedgerRow, example};
    use super::*;

    #[test]
    fn the_phase_table_holds_the_numbers() {
        let html = phases(&example::full().phase_rows);
        for text in ["<th scope=\"col\" class=\"n\">accuracy</th>", "147,456", "22,713,216", "78.44 %"] {
            assert!(html.contains(text), "{text} is missing in {html}");
        }
        assert!(phases(&[]).contains("No phase has finished"));
    }

    #[test]
    fn rows_with_different_metrics_name_them() {
        let row = |name: &str, value| PhaseRow {
            metric_name: name.into(),
            metric_value: value,
            ..PhaseRow::default()
        };
        let html = phases(&[row("accuracy", Some(0.5)), row("pearson", Some(f64::NAN)), row("f1", None)]);
        assert!(
            html.contains("accuracy 50.00 %") && html.contains("pearson NaN") && html.contains(">–</td>")
        );
    }

    #[test]
    fn the_ledger_adds_up() {
        let row = |size, zeros| LedgerRow { matrix: "m".into(), size, zeros };
        let report =
            RunReport { ledger: vec![row(300, 100), row(100, 100), row(0, 0)], ..RunReport::default() };
        assert_eq!(report.ledger_total(), (400, 200));
        let html = ledger(&report);
        assert!(html.contains("50.00 %") && html.contains("33.33 %") && html.contains("width=\"33.33%\""));
    }
}
