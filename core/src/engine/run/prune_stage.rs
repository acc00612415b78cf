//! Stage 2, and the evaluations outside of tuning: masks or heads from the tuned state, and what they cost.

use super::{Run, Work, named};
use crate::checkpoint::weights::Weights;
use crate::checkpoint::{NamedTensors, Shaped};
use crate::config::{Method, Pruning};
use crate::engine::checkpoint::Stage;
use crate::engine::error::EngineError;
use crate::engine::phase_row::matrices;
use crate::engine::scorer::{EVALUATION_TOKENS, Scorer, Scoring};
use crate::metrics::MetricSet;
use crate::protocol::{CheckpointReason, Evaluation, Phase, PruneReport, RunEvent, RunSummary};
use crate::source::SourceError;
use crate::tuning::masks::{Unstructured, lowest_heads, unstructured_masks};
use crate::tuning::scores::{WeightSource, head_scores};
use crate::tuning::state::PrunedState;
use crate::tuning::{bert_tickets, earlybert};

/// The weights as they are now: trained ones from the state, the others from the model's file.
struct PresentWeights<'a> {
    trained: &'a NamedTensors,
    base: &'a Weights,
}

impl WeightSource for PresentWeights<'_> {
    type Error = SourceError;

    fn shape(&self, name: &str) -> Option<&[usize]> {
        let trained = self.trained.get(name).map(Shaped::shape);
        trained.or_else(|| self.base.0.get(name).map(Shaped::shape))
    }

    async fn values(&self, name: &str) -> Result<Vec<f32>, SourceError> {
        match self.trained.get(name) {
            Some(tensor) => Ok(tensor.data.clone()),
            None => Ok(self.base.read(name).await?.data),
        }
    }
}

impl Run {
    pub(super) async fn advance_pruning(&mut self) -> Result<Vec<RunEvent>, EngineError> {
        if let Work::Scoring(_) = &self.work {
            let Some((figures, seconds)) = self.advance_scoring().await? else { return Ok(Vec::new()) };
            let row = self.finish_row(Phase::Prune, Some(&figures), seconds);
            self.position.stage = self.rewind();
            self.snapshot().await?;
            let step = self.step();
            let checkpoint = RunEvent::Checkpoint { step, reason: CheckpointReason::PhaseEnd };
            return Ok(vec![self.evaluated(Phase::Prune, &figures, seconds), row, checkpoint]);
        }
        let report = self.prune().await?;
        self.start_scoring().await?;
        Ok(vec![RunEvent::PhaseStarted { phase: Phase::Prune, planned_steps: 0 }, RunEvent::Pruned(report)])
    }

    pub(super) fn evaluated(&self, phase: Phase, figures: &MetricSet, seconds: f64) -> RunEvent {
        RunEvent::Evaluated(Evaluation {
            phase,
            step: 0,
            epoch: 0.0,
            metrics: named(figures),
            loss: figures.loss,
            is_best: false,
            n_examples: self.validation.len(),
            seconds,
        })
    }

    /// Chooses masks or heads from the tuned state and applies them to it.
    pub(super) async fn prune(&mut self) -> Result<PruneReport, EngineError> {
        let weights = PresentWeights { trained: &self.state.trained, base: &self.base.parameters };
        let (sites, deltas, config) = (&self.base.sites, &self.state.deltas, &self.config);
        let mut report = PruneReport::default();
        let one = |error| EngineError::Prune(vec![error]);
        let lost = self.base.lost_heads(&self.state);
        let mut trained = self.state.trained.clone();
        let chosen = match (config.prune, config.method) {
            (Pruning::None, _) => return Ok(report),
            (Pruning::Unstructured { sparsity }, Method::BertTickets) => {
                let share = bert_tickets::share(self.position.round, sparsity);
                bert_tickets::masks(sites, &weights, share, lost).await?
            }
            (Pruning::Heads { n_heads }, Method::EarlyBert) => {
                let neurons = config.neuron_sparsity.unwrap_or(0.0);
                let ticket = earlybert::draw(sites, &mut trained, n_heads, neurons, lost).map_err(one)?;
                report.head_scores = ticket.head_scores.values().cloned().collect();
                report.removed_heads = self.removed_heads(&ticket.pruned);
                ticket.pruned
            }
            (Pruning::Unstructured { sparsity }, _) => {
                let plan = Unstructured {
                    adapted_ratio: sparsity,
                    others_ratio: sparsity,
                    criterion: config.prune_criterion,
                    seed: config.seed,
                };
                unstructured_masks(sites, &weights, deltas, plan, lost).await?
            }
            (Pruning::Heads { n_heads }, _) => {
                let (criterion, seed) = (config.prune_criterion, config.seed);
                let scores = head_scores(sites, &weights, deltas, lost.n_heads, criterion, seed).await?;
                report.head_scores = scores.values().cloned().collect();
                let chosen = lowest_heads(&scores, n_heads, lost).map_err(one)?;
                report.removed_heads = self.removed_heads(&chosen);
                chosen
            }
        };
        self.keep_tuned();
        self.state.trained = trained;
        self.state.prune(&self.base.sites, self.base.heads(), chosen);
        report.matrices = matrices(&self.base, &self.state);
        Ok(report)
    }

    /// The removed heads of every layer.
    fn removed_heads(&self, chosen: &PrunedState) -> Vec<Vec<usize>> {
        let layers = 0..self.base.config.num_hidden_layers;
        layers.map(|layer| chosen.heads.get(&layer).cloned().unwrap_or_default()).collect()
    }

    pub(super) async fn start_scoring(&mut self) -> Result<(), EngineError> {
        let sequences = self.config.per_device_eval_batch_size;
        let capacity = self.validation.evaluation_sizes(EVALUATION_TOKENS, sequences);
        let placed = self.place(capacity).await?;
        let scorer = Scorer::new(&placed, &self.validation).await?;
        self.work = Work::Scoring(Box::new((placed, scorer, Scoring::default())));
        self.started_work();
        Ok(())
    }

    pub(super) fn started_work(&mut self) {
        self.position.seconds_before += self.started.elapsed().as_secs_f64();
        self.started = crate::clock::now();
    }

    /// One batch; the figures and the seconds since scoring began when it was the last.
    pub(super) async fn advance_scoring(&mut self) -> Result<Option<(MetricSet, f64)>, EngineError> {
        let Work::Scoring(work) = &mut self.work else { unreachable!("scoring was started") };
        let (placed, scorer, scoring) = work.as_mut();
        if !scorer.advance(placed, &self.validation, scoring).await? {
            return Ok(None);
        }
        let figures = scoring.metrics(&self.validation, &self.labels);
        self.work = Work::Nothing;
        Ok(Some((figures, self.started.elapsed().as_secs_f64())))
    }

    pub(super) async fn advance_evaluation(&mut self) -> Result<Vec<RunEvent>, EngineError> {
        if matches!(self.work, Work::Nothing) {
            self.start_scoring().await?;
            return Ok(vec![RunEvent::PhaseStarted { phase: Phase::Evaluate, planned_steps: 0 }]);
        }
        let Some((figures, seconds)) = self.advance_scoring().await? else { return Ok(Vec::new()) };
        let row = self.finish_row(Phase::Evaluate, Some(&figures), seconds);
        self.position.stage = Stage::Done;
        let summary = RunSummary {
            phases: self.position.rows.clone(),
            metrics: named(&figures),
            n_steps: self.position.steps_before,
            seconds: self.seconds(),
        };
        Ok(vec![self.evaluated(Phase::Evaluate, &figures, seconds), row, RunEvent::Finished(summary)])
    }
}
