//! A report grows with the events of its run.

use super::{
    LayerHeads, LedgerRow, LossPoint, MetricPoint, OmegaMatrix, Phase, PhaseRow, RatePoint, RunReport,
    Setting,
};
use crate::config::{PATHS, RunConfig, TaskType};
use crate::gpu::AdapterReport;
use crate::protocol::{self, Evaluation, Loaded, PruneReport, RunEvent, StepReport};

impl RunReport {
    /// The report of a run that is about to begin.
    #[must_use]
    pub fn begin(config: &RunConfig) -> Self {
        // Paths tell of this machine, not of the run, and reports are passed on.
        let settings = config.to_pairs().into_iter().filter(|(name, _)| !PATHS.contains(&name.as_str()));
        Self {
            title: config.run_name.clone().unwrap_or_else(|| format!("{} run", config.method)),
            base_model: config.model.as_deref().map_or("embedded tiny encoder", last_part).to_owned(),
            dataset: dataset_name(config),
            settings: settings.map(|(name, value)| Setting { name, value }).collect(),
            ..Self::default()
        }
    }

    /// Takes in what an event tells.
    pub fn note(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Adapter(adapter) => self.adapter = adapter_line(adapter),
            RunEvent::Loaded(loaded) => self.note_loaded(loaded),
            RunEvent::PhaseStarted { phase, .. } => self.note_start(*phase),
            RunEvent::OmegaSelected(omega) => self.omega.push(OmegaMatrix {
                path: omega.path.clone(),
                d_out: omega.d_out,
                d_in: omega.d_in,
                indices: omega.indices.clone(),
                overlap_with_magnitude: Some(omega.overlap_with_magnitude),
            }),
            RunEvent::Progress(step) => self.note_step(step),
            RunEvent::Evaluated(evaluation) => self.note_evaluation(evaluation),
            RunEvent::Pruned(pruned) => self.note_pruned(pruned),
            RunEvent::PhaseFinished(row) => self.phase_rows.push(phase_row(row)),
            RunEvent::Warning { text } => self.warnings.push(text.clone()),
            RunEvent::Checkpoint { .. } | RunEvent::Finished(_) => {}
        }
    }

    fn note_start(&mut self, phase: protocol::Phase) {
        let step = self.last_step();
        let phase = Phase { name: phase.to_string(), first_step: step, last_step: step };
        // A phase that was interrupted before its first step begins again when the run goes on.
        if self.phases.last() != Some(&phase) {
            self.phases.push(phase);
        }
    }

    /// Optimizer steps of the whole run so far.
    fn last_step(&self) -> u64 {
        self.phases.last().map_or(0, |phase| phase.last_step)
    }

    fn note_loaded(&mut self, loaded: &Loaded) {
        self.base_model =
            format!("{} ({}, {} parameters)", self.base_model, loaded.family, loaded.n_parameters);
        self.dataset = format!(
            "{}: {} examples, validated on {}{}",
            self.dataset,
            loaded.n_train_examples,
            loaded.n_validation_examples,
            loaded.labels()
        );
        if !loaded.fresh.is_empty() {
            let fresh =
                format!("Not in the pretrained file, started at random: {}.", loaded.fresh.join(", "));
            self.warnings.push(fresh);
        }
    }

    fn note_step(&mut self, report: &StepReport) {
        if let Some(phase) = self.phases.last_mut() {
            phase.last_step = phase.first_step + report.step as u64;
        }
        let step = self.last_step();
        self.losses.push(LossPoint { step, loss: report.loss });
        self.learning_rates.push(RatePoint { step, rate: report.learning_rate });
    }

    fn note_evaluation(&mut self, evaluation: &Evaluation) {
        // Log lines are rarer than steps: the evaluation knows its own.
        let first = self.phases.last().map_or(0, |phase| phase.first_step);
        let is_under_way = matches!(evaluation.phase, protocol::Phase::Tune | protocol::Phase::Retune);
        let step = if is_under_way { first + evaluation.step as u64 } else { self.last_step() };
        let loss = ("loss".to_owned(), evaluation.loss);
        let metrics = evaluation.metrics.iter().map(|(name, &value)| (name.clone(), value));
        // The engine may list the loss among the metrics, too; one curve of it is enough.
        for (name, value) in metrics.filter(|(name, _)| name != "loss").chain([loss]) {
            self.metrics.push(MetricPoint { step, name, value, best: evaluation.is_best });
        }
    }

    fn note_pruned(&mut self, pruned: &PruneReport) {
        let no_heads = Vec::new();
        self.heads = (0..)
            .zip(&pruned.head_scores)
            .map(|(layer, scores)| LayerHeads {
                layer,
                scores: scores.clone(),
                removed: pruned.removed_heads.get(layer).unwrap_or(&no_heads).clone(),
            })
            .collect();
        let row = |matrix: &protocol::MatrixSparsity| LedgerRow {
            matrix: matrix.name.clone(),
            size: matrix.n_entries as u64,
            zeros: matrix.n_zeros as u64,
        };
        self.ledger = pruned.matrices.iter().map(row).collect();
    }
}

/// The name at the end of a path, whichever way its slashes lean.
/// Where the data came from, without a path.
fn dataset_name(config: &RunConfig) -> String {
    match (&config.train_file, config.hub_dataset()) {
        (Some(path), _) => last_part(path).to_owned(),
        (None, Some((name, Some(of_name)))) => format!("{name}, {of_name}"),
        (None, Some((name, None))) => name,
        (None, None) if config.task_type == TaskType::Generation => "embedded meanings".to_owned(),
        (None, None) => "embedded sentences".to_owned(),
    }
}

fn last_part(path: &str) -> &str {
    let path = path.trim_end_matches(['/', '\\']);
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

fn adapter_line(adapter: &AdapterReport) -> String {
    format!("{} ({}, {})", adapter.name, adapter.backend, adapter.kind)
}

fn phase_row(row: &protocol::PhaseRow) -> PhaseRow {
    PhaseRow {
        phase: row.phase.to_string(),
        metric_name: row.metric_name.clone(),
        metric_value: row.metric,
        trainable_parameters: row.trainable_parameters as u64,
        nonzero_weights: row.non_zero_weights as u64,
        total_weights: row.total_weights as u64,
        flops_linear: row.flops_linear,
        flops_with_attention: row.flops_with_attention,
        seconds: row.seconds,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::config::RunConfigDraft;
    use crate::protocol::Phase as Stage;

    fn step(phase: Stage, step: usize, loss: f64) -> RunEvent {
        RunEvent::Progress(StepReport {
            phase,
            step,
            total_steps: 10,
            epoch: 0.5,
            loss,
            learning_rate: 1e-3,
            grad_norm: 1.0,
            tokens_per_second: 1.0,
            gpu_bytes: 1,
            elapsed_seconds: 1.0,
            remaining_seconds: 1.0,
        })
    }

    #[test]
    fn phases_follow_each_other_on_one_axis() {
        let mut report = RunReport::begin(&RunConfigDraft::default().with("rank", "4").check().unwrap());
        let evaluation = Evaluation {
            phase: Stage::Tune,
            step: 10,
            epoch: 1.0,
            metrics: [("accuracy".to_owned(), 0.75)].into(),
            loss: 0.5,
            is_best: true,
            n_examples: 8,
            seconds: 0.1,
        };
        let pruned = PruneReport {
            head_scores: vec![vec![1.0, 2.0]],
            removed_heads: vec![vec![0]],
            matrices: vec![protocol::MatrixSparsity { name: "w".to_owned(), n_entries: 8, n_zeros: 4 }],
        };
        for event in [
            RunEvent::PhaseStarted { phase: Stage::Tune, planned_steps: 10 },
            step(Stage::Tune, 5, 0.8),
            RunEvent::Evaluated(Evaluation { step: 8, is_best: false, ..evaluation.clone() }),
            step(Stage::Tune, 10, 0.7),
            RunEvent::Evaluated(evaluation.clone()),
            RunEvent::PhaseStarted { phase: Stage::Prune, planned_steps: 0 },
            RunEvent::Pruned(pruned),
            RunEvent::PhaseStarted { phase: Stage::Retune, planned_steps: 10 },
            step(Stage::Retune, 5, 0.6),
            RunEvent::Evaluated(Evaluation { phase: Stage::Retune, step: 7, ..evaluation.clone() }),
            RunEvent::PhaseStarted { phase: Stage::Evaluate, planned_steps: 0 },
            RunEvent::Evaluated(Evaluation { phase: Stage::Evaluate, step: 0, ..evaluation }),
        ] {
            report.note(&event);
        }
        let bands: Vec<(u64, u64)> =
            report.phases.iter().map(|phase| (phase.first_step, phase.last_step)).collect();
        assert_eq!(bands, [(0, 10), (10, 10), (10, 15), (15, 15)]);
        assert_eq!(report.losses.iter().map(|point| point.step).collect::<Vec<_>>(), [5, 10, 15]);
        let evaluations = report.metrics.iter().filter(|point| point.name == "accuracy");
        assert_eq!(
            evaluations.map(|point| point.step).collect::<Vec<_>>(),
            [8, 10, 17, 15],
            "between log lines"
        );
        assert_eq!(report.metric_names(), ["accuracy", "loss"]);
        assert_eq!((&report.heads[0].removed, report.ledger_total()), (&vec![0], (8, 4)));
        assert_eq!((last_part("/a/b/model/"), last_part(r"C:\data\train.tsv")), ("model", "train.tsv"));
        assert!(report.settings.contains(&Setting { name: "rank".to_owned(), value: "4".to_owned() }));
    }
}
