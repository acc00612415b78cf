//! What a run did, as one plain record, and the two documents written from it.
//!
//! The engine and the program fill a [`RunReport`]; `to_html` gives one self-contained file (no script, no
//! request leaves it) and `to_markdown` the same content as tables. Both are pure functions of the record:
//! equal records give equal bytes.

mod collect;
mod comparison;
mod curves;
#[cfg(test)]
mod example;
mod html;
mod markdown;
mod matrices;
mod svg;
mod tables;
mod text;

use serde::{Deserialize, Deserializer, Serialize};

pub use comparison::{ClaimLine, ComparisonReport, Over, Overlay, ResultTable, Series};
pub use curves::smooth;
pub use text::count;

/// Everything a report shows. Empty lists are fine: a section without content says so or is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunReport {
    /// Name of the run, the heading of the page.
    pub title: String,
    /// Base model, as the user named it.
    pub base_model: String,
    /// Method settings in the order to show them.
    pub settings: Vec<Setting>,
    /// One line about the adapter that computed the run.
    pub adapter: String,
    /// One line about the data: names, rows, classes.
    pub dataset: String,
    /// Phases in order. A phase whose first and last step are equal is drawn as an event, others as bands.
    pub phases: Vec<Phase>,
    /// Training loss, ascending in step. Values may be non-finite: they are marked, never drawn as numbers.
    pub losses: Vec<LossPoint>,
    /// Validation metrics, any number of names mixed, ascending in step.
    pub metrics: Vec<MetricPoint>,
    /// Learning rate, ascending in step.
    pub learning_rates: Vec<RatePoint>,
    /// The phase table, one row per measured state of the model.
    pub phase_rows: Vec<PhaseRow>,
    /// Figures of the texts that the final model wrote for the validation contexts, name and value; empty where it
    /// wrote none.
    pub text_figures: Vec<Setting>,
    /// Ω of every adapted matrix; empty for methods without a sparse part.
    pub omega: Vec<OmegaMatrix>,
    /// Head scores per layer; empty where no heads were scored.
    pub heads: Vec<LayerHeads>,
    /// Zeros per matrix; empty where nothing was pruned.
    pub ledger: Vec<LedgerRow>,
    /// Sentences the reader must see, such as truncated texts or a stopped run.
    pub warnings: Vec<String>,
    /// A Python or shell snippet that loads the exported files.
    pub how_to_load: String,
}

/// One setting and its value as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Name as in `run.toml`.
    pub name: String,
    /// Value as text.
    pub value: String,
}

/// A span of optimizer steps with one meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Short name, for example `tune`.
    pub name: String,
    /// Global step at its start.
    pub first_step: u64,
    /// Global step at its end, not before `first_step`.
    pub last_step: u64,
}

/// Training loss of one logged step, in nats for classification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossPoint {
    /// Global step.
    pub step: u64,
    /// Mean loss since the last logged step.
    #[serde(deserialize_with = "null_as_nan")]
    pub loss: f64,
}

/// One validation result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricPoint {
    /// Global step.
    pub step: u64,
    /// Metric name, for example `accuracy`; shares such as accuracy are in 0..=1.
    pub name: String,
    /// Its value.
    #[serde(deserialize_with = "null_as_nan")]
    pub value: f64,
    /// True where the checkpoint of this step was kept as the best of its phase.
    pub best: bool,
}

/// Learning rate of one logged step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RatePoint {
    /// Global step.
    pub step: u64,
    /// Learning rate.
    #[serde(deserialize_with = "null_as_nan")]
    pub rate: f64,
}

/// One row of the phase table: the model as it stood, measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PhaseRow {
    /// State of the model, for example `masked, before retuning`.
    pub phase: String,
    /// Metric name.
    pub metric_name: String,
    /// Metric value; `None` where it was not measured.
    pub metric_value: Option<f64>,
    /// Numbers the optimizer changes in this phase.
    pub trainable_parameters: u64,
    /// Weights that are not zero, of the whole model.
    pub nonzero_weights: u64,
    /// All weights of the whole model, before any pruning.
    pub total_weights: u64,
    /// Floating-point operations of one sequence, linear layers only (1 multiply-add = 2; `dsee-method` 3.4).
    pub flops_linear: u64,
    /// The same with the two attention products.
    pub flops_with_attention: u64,
    /// Wall time of the phase, seconds.
    #[serde(deserialize_with = "null_as_nan")]
    pub seconds: f64,
}

/// Ω of one matrix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OmegaMatrix {
    /// Module path, for example `bert.encoder.layer.0.attention.self.query`.
    pub path: String,
    /// Rows.
    pub d_out: usize,
    /// Columns.
    pub d_in: usize,
    /// Flat row-major positions `out * d_in + in`, ascending.
    pub indices: Vec<u32>,
    /// How many of them are also among the matrix's largest |W|, where that was counted.
    pub overlap_with_magnitude: Option<usize>,
}

/// Head scores of one layer (`dsee-method` 3.3).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerHeads {
    /// Layer index from 0.
    pub layer: usize,
    /// One score per head, in head order.
    #[serde(deserialize_with = "nulls_as_nan")]
    pub scores: Vec<f64>,
    /// Heads that were removed.
    pub removed: Vec<usize>,
}

/// Zeros of one weight matrix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// Parameter name.
    pub matrix: String,
    /// Entries in the matrix before pruning.
    pub size: u64,
    /// Entries that are zero or removed.
    pub zeros: u64,
}

impl RunReport {
    /// The report as one self-contained HTML document.
    #[must_use]
    pub fn to_html(&self) -> String {
        html::page(self)
    }

    /// The report as Markdown, for terminals, model cards and version control.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        markdown::document(self)
    }

    /// Sum of all ledger rows, (entries, zeros).
    #[must_use]
    pub fn ledger_total(&self) -> (u64, u64) {
        self.ledger.iter().fold((0, 0), |(size, zeros), row| (size + row.size, zeros + row.zeros))
    }

    /// Metric names in order of first appearance.
    #[must_use]
    pub fn metric_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for point in &self.metrics {
            if !names.contains(&point.name.as_str()) {
                names.push(&point.name);
            }
        }
        names
    }
}

/// JSON has no NaN: `serde_json` writes non-finite numbers as null, and they come back as NaN.
fn null_as_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

fn nulls_as_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let values = Vec::<Option<f64>>::deserialize(deserializer)?;
    Ok(values.into_iter().map(|x| x.unwrap_or(f64::NAN)).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn a_record_survives_json_and_nan_stays_nan() {
        let report = example::full();
        let json = serde_json::to_string(&report).unwrap();
        let back: RunReport = serde_json::from_str(&json).unwrap();
        // serde_json may miss a number by its last bit, so the documents are compared and not the records.
        assert!(back.to_html() == report.to_html() && back.to_markdown() == report.to_markdown());
        let point = LossPoint { step: 3, loss: f64::NAN };
        let back: LossPoint = serde_json::from_str(&serde_json::to_string(&point).unwrap()).unwrap();
        assert!(back.loss.is_nan());
    }

    #[test]
    fn equal_records_give_equal_documents() {
        assert_eq!(example::full().to_html(), example::full().to_html());
        assert_eq!(example::full().to_markdown(), example::full().to_markdown());
    }
}
