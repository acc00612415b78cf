//! The table a run ends with: what every phase cost and what it kept.

use dsee_core::protocol::PhaseRow;
use std::fmt::Write as _;

/// One row per phase, columns aligned, numbers to the right.
pub fn render(rows: &[PhaseRow]) -> String {
    let metric =
        rows.iter().map(|row| row.metric_name.as_str()).find(|name| !name.is_empty()).unwrap_or("metric");
    let header =
        ["phase", metric, "trainable", "non-zero", "of dense", "GFLOP linear", "+ attention", "seconds"];
    let mut table = vec![header.map(str::to_owned)];
    table.extend(rows.iter().map(cells));
    let widths: [usize; 8] =
        std::array::from_fn(|column| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for row in &table {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Only the phase is text; everything else reads as a number.
            let written =
                if column == 0 { write!(text, "{cell:<width$}") } else { write!(text, "  {cell:>width$}") };
            written.expect("writing to a string cannot fail");
        }
        text.push('\n');
    }
    text
}

fn cells(row: &PhaseRow) -> [String; 8] {
    let share = 100.0 * row.non_zero_weights as f64 / row.total_weights.max(1) as f64;
    [
        row.phase.to_string(),
        row.metric.map_or("-".to_owned(), |metric| format!("{metric:.4}")),
        thousands(row.trainable_parameters),
        thousands(row.non_zero_weights),
        format!("{share:.1} %"),
        format!("{:.3}", row.flops_linear as f64 / 1e9),
        format!("{:.3}", row.flops_with_attention as f64 / 1e9),
        format!("{:.1}", row.seconds),
    ]
}

/// `1234567` as `1,234,567`.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use dsee_core::protocol::Phase;

    #[test]
    fn columns_line_up() {
        let row = |phase, metric, trainable_parameters| PhaseRow {
            phase,
            metric_name: "accuracy".to_owned(),
            metric,
            trainable_parameters,
            non_zero_weights: 900,
            total_weights: 1000,
            flops_linear: 21_743_271_936,
            flops_with_attention: 22_347_251_712,
            seconds: 1.25,
        };
        let text = render(&[row(Phase::SelectOmega, None, 0), row(Phase::Tune, Some(0.8361), 590_208)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        let ends: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
        assert!(ends.iter().all(|end| *end == ends[0]), "{text}");
        for part in ["accuracy", "0.8361", "590,208", "90.0 %", "21.743", "22.347"] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn digits_come_in_threes() {
        let found: Vec<String> = [0, 999, 1000, 109_482_240].into_iter().map(thousands).collect();
        assert_eq!(found, ["0", "999", "1,000", "109,482,240"]);
    }
}
