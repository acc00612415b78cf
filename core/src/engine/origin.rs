//! Where a run came from and what it made: everything its exports tell beside the weights.

use super::base_model::BaseModel;
use crate::checkpoint::NamedTensors;
use crate::checkpoint::hash::sha256_hex;
use crate::config::RunConfig;
use crate::data::LabelSet;
use crate::export::{ExportInput, PhaseFacts, RunFacts};
use crate::models::files::PretrainedModel;
use crate::protocol::PhaseRow;
use crate::report::RunReport;
use crate::source::SourceError;
use crate::train::place::HostState;

/// Settings, model and data of a run.
#[derive(Clone, Debug)]
pub struct Origin {
    tokenizer_files: Vec<(String, Vec<u8>)>,
    facts: RunFacts,
    base_id: Option<String>,
}

impl Origin {
    /// Takes note of settings, model, and the name and bytes of the training file; the embedded sentences have none.
    #[must_use]
    pub fn new(config: &RunConfig, model: &PretrainedModel, dataset: Option<(&str, &[u8])>) -> Self {
        // The report's choice: everything but paths, which tell of a machine and not of the run.
        let settings = RunReport::begin(config).settings.into_iter();
        let facts = RunFacts {
            base_sha256: Some(model.weights_sha256.clone()),
            settings: settings.map(|setting| (setting.name, setting.value.into())).collect(),
            dataset: dataset.map(|(name, _)| name.to_owned()),
            dataset_sha256: dataset.map(|(_, bytes)| sha256_hex(bytes)),
            ..RunFacts::default()
        };
        Self { tokenizer_files: model.tokenizer_files.clone(), facts, base_id: None }
    }

    /// The same with the hub's name for the base model, if it came from there.
    #[must_use]
    pub fn on_hub(self, base_id: Option<String>) -> Self {
        Self { base_id, ..self }
    }

    /// The same with the results of the phases.
    fn with_results(&self, rows: &[PhaseRow]) -> RunFacts {
        let metric = rows.iter().map(|row| &row.metric_name).find(|name| !name.is_empty());
        let sparsity = rows.last().map(|row| {
            let share = 100.0 * row.non_zero_weights as f64 / row.total_weights.max(1) as f64;
            let text = format!("{} of {} ({share:.1} %)", row.non_zero_weights, row.total_weights);
            ("non-zero weights".to_owned(), text)
        });
        RunFacts {
            metric: metric.cloned().unwrap_or_default(),
            phases: rows.iter().map(phase_facts).collect(),
            sparsity: sparsity.into_iter().collect(),
            ..self.facts.clone()
        }
    }
}

fn phase_facts(row: &PhaseRow) -> PhaseFacts {
    PhaseFacts {
        phase: row.phase.to_string(),
        metric: row.metric,
        n_trainable: row.trainable_parameters as u64,
        n_nonzero: row.non_zero_weights as u64,
        flops: row.flops_linear,
        seconds: row.seconds,
    }
}

/// A state of a run with everything its exports are made from.
pub struct ExportParts<'a> {
    base: &'a BaseModel,
    state: &'a HostState,
    labels: &'a [String],
    origin: &'a Origin,
    weights: NamedTensors,
    trained: NamedTensors,
    facts: RunFacts,
}

impl<'a> ExportParts<'a> {
    /// Gathers the parts of a model in a state that a run has reached, with its labels and the rows of the run's phases.
    /// Calls `between_tensors` after each tensor it has read.
    ///
    /// # Errors
    /// If the base model's file cannot be read any more.
    pub async fn gather(
        (base, state, labels): (&'a BaseModel, &'a HostState, &'a LabelSet),
        rows: &[PhaseRow],
        origin: &'a Origin,
        between_tensors: &mut impl AsyncFnMut(),
    ) -> Result<Self, SourceError> {
        let mut weights = NamedTensors::new();
        for (name, tensor) in &base.parameters.0 {
            weights.insert(name.clone(), tensor.read().await?);
            between_tensors().await;
        }
        let trained = trained_and_fresh(base, &weights, state);
        let facts = origin.with_results(rows);
        Ok(Self { base, state, labels: labels.names(), origin, weights, trained, facts })
    }

    /// The same, as exports take it.
    #[must_use]
    pub fn input(&self) -> ExportInput<'_> {
        ExportInput {
            config: &self.base.config,
            head: self.base.head,
            base: &self.weights,
            sites: &self.state.deltas,
            pruned: &self.state.pruned,
            trained: &self.trained,
            labels: self.labels,
            base_id: self.origin.base_id.as_deref(),
            tokenizer_files: &self.origin.tokenizer_files,
            facts: &self.facts,
        }
    }
}

/// Everything that differs from the base model's file: what was trained, and what started at random and stayed so.
fn trained_and_fresh(base: &BaseModel, weights: &NamedTensors, state: &HostState) -> NamedTensors {
    let mut trained = state.trained.clone();
    for name in &base.fresh {
        trained.entry(name.clone()).or_insert_with(|| weights[name].clone());
    }
    trained
}
