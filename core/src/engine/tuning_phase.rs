//! One phase of optimizer steps, stage 1 or stage 3: batches, steps, evaluations, and which state was best.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::corpus::Corpus;
use super::error::EngineError;
use super::phase_plan::PhasePlan;
use super::placed::Placed;
use super::scorer::{Scorer, Scoring};
use crate::checkpoint::NamedTensors;
use crate::config::{RunConfig, Strategy};
use crate::data::EpochOrder;
use crate::gpu::StepScalars;
use crate::metrics::{Metric, MetricSet};
use crate::nn::parameters::ArenaPart;
use crate::protocol::StepReport;
use crate::random::mix;
use crate::train::place::HostState;
use crate::train::step::{Objective, RING_SLOTS, StepMetrics, StepSettings, Trainer};

/// How far a phase is; part of every checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PhaseProgress {
    /// Optimizer steps done.
    pub step: usize,
    /// Losses and norms that no report has shown yet.
    pub unreported: Vec<(f32, f32)>,
    /// Loss of the last step that was read.
    pub last_loss: f32,
    /// Step and figures of the best evaluation.
    pub best: Option<(usize, MetricSet)>,
    /// Figures of the last evaluation.
    #[serde(default)]
    pub last: Option<MetricSet>,
    /// Whether the state after `step` has been evaluated.
    pub evaluated: bool,
    /// Whether an evaluation was due or under way, to be done again from its start.
    #[serde(default)]
    pub evaluating: bool,
    /// Whether the user has ended the phase before its last step.
    #[serde(default)]
    pub ended: bool,
    /// Seconds spent in the phase before the last start of the program.
    pub seconds_before: f64,
}

/// An evaluation with S left out. The values on the device are no longer those that were tuned.
pub struct LowRankScoring {
    pub scoring: Scoring,
    pub started: crate::clock::Instant,
    /// What the phase itself took.
    pub phase_seconds: f64,
}

/// A phase under way.
pub struct TuningPhase {
    pub plan: PhasePlan,
    pub progress: PhaseProgress,
    /// Trained values at the best evaluation.
    pub best_values: Option<NamedTensors>,
    pub scoring: Option<Scoring>,
    /// The evaluation of what was tuned without S, once the phase is over.
    pub low_rank: Option<LowRankScoring>,
    trainer: Trainer,
    scorer: Scorer,
    epoch: Option<(u32, EpochOrder)>,
    started: crate::clock::Instant,
    reported: (crate::clock::Instant, usize),
    tokens: usize,
}

impl TuningPhase {
    /// Records the step and the evaluation of a placed model.
    pub async fn new(
        placed: &Placed,
        plan: PhasePlan,
        config: &RunConfig,
        objective: Objective,
        validation: &Corpus,
    ) -> Result<Self, EngineError> {
        let settings = StepSettings {
            objective,
            optimizer: config.optimizer(),
            max_grad_norm: config.max_grad_norm as f32,
            accumulation: config.gradient_accumulation_steps,
        };
        let Placed { device, model, parameters, inputs, .. } = placed;
        let trainer = Trainer::new(device, model.as_ref(), parameters, inputs, settings).await?;
        let now = crate::clock::now();
        Ok(Self {
            scorer: Scorer::new(placed, validation).await?,
            trainer,
            plan,
            progress: PhaseProgress::default(),
            best_values: None,
            scoring: None,
            low_rank: None,
            epoch: None,
            started: now,
            reported: (now, 0),
            tokens: 0,
        })
    }

    /// Seconds spent in the phase.
    pub fn seconds(&self) -> f64 {
        self.progress.seconds_before + self.started.elapsed().as_secs_f64()
    }

    /// Runs the next optimizer step.
    pub async fn step(
        &mut self,
        placed: &Placed,
        config: &RunConfig,
        train: &Corpus,
    ) -> Result<(), EngineError> {
        let step = self.progress.step;
        let accumulation = config.gradient_accumulation_steps;
        let scalars = self.scalars(config, step);
        let Self { plan, trainer, epoch, tokens, .. } = self;
        let mut write_batch = |pass: usize| {
            let pass = step * accumulation + pass;
            let (number, batch) = ((pass / plan.n_batches) as u32, pass % plan.n_batches);
            if epoch.as_ref().is_none_or(|(current, _)| *current != number) {
                *epoch = Some((number, plan.order.epoch(number)));
            }
            let examples = epoch.as_ref().map_or(&[][..], |(_, order)| order.batch(batch));
            let sizes = train.write(&placed.inputs, examples, number);
            *tokens += sizes.tokens;
            sizes
        };
        trainer.step(scalars, &mut write_batch).await?;
        self.progress.step += 1;
        self.progress.evaluated = false;
        Ok(())
    }

    fn scalars(&self, config: &RunConfig, step: usize) -> StepScalars {
        let correction = |beta: f64| (1.0 - beta.powi(step as i32 + 1)) as f32;
        // The high half of the seed counts as well.
        let seed = mix(config.seed as u32) ^ (config.seed >> 32) as u32;
        // Rounds are told apart by a large odd multiple, which is 0 for the first.
        let seed = seed ^ (self.plan.round as u32).wrapping_mul(0x9e37_79b1);
        StepScalars {
            learning_rate: self.plan.schedule.learning_rate(step) as f32,
            bias_correction1: correction(config.adam_beta1),
            bias_correction2: correction(config.adam_beta2),
            dropout_seed: mix(seed ^ mix(step as u32 ^ (self.plan.phase as u32) << 28)),
            ring_slot: 0,
        }
    }

    /// Reads the metrics of the steps so far; fails on the first that is not finite.
    pub async fn read_metrics(&mut self) -> Result<(), EngineError> {
        let metrics = self.trainer.metrics().await?;
        let first = self.progress.step - metrics.len();
        for (i, StepMetrics { loss, grad_norm }) in metrics.into_iter().enumerate() {
            if !loss.is_finite() || !grad_norm.is_finite() {
                let learning_rate = self.plan.schedule.learning_rate(first + i);
                return Err(EngineError::NotFinite {
                    phase: self.plan.phase,
                    step: first + i + 1,
                    learning_rate,
                    last_loss: self.progress.last_loss,
                    suggestion: self.plan.schedule.peak / 10.0,
                });
            }
            self.progress.last_loss = loss;
            self.progress.unreported.push((loss, grad_norm));
        }
        Ok(())
    }

    /// Whether a report is due after the last step. The ring bounds how long it may wait.
    pub fn is_report_due(&self, config: &RunConfig) -> bool {
        let step = self.progress.step;
        step.is_multiple_of(config.logging_steps.min(RING_SLOTS))
            || step == self.plan.total_steps
            || step == 1
    }

    /// The mean over the steps since the last report.
    pub fn report(&mut self, config: &RunConfig, gpu_bytes: u64) -> Option<StepReport> {
        let unreported = std::mem::take(&mut self.progress.unreported);
        let (_, grad_norm) = *unreported.last()?;
        let loss = unreported.iter().map(|(loss, _)| f64::from(*loss)).sum::<f64>() / unreported.len() as f64;
        let (since, tokens) = self.reported;
        let n_tokens = self.tokens - tokens;
        let tokens_per_second = n_tokens as f64 / since.elapsed().as_secs_f64().max(1e-9);
        self.reported = (crate::clock::now(), self.tokens);
        let (step, total_steps) = (self.progress.step, self.plan.total_steps);
        let elapsed = self.seconds();
        Some(StepReport {
            phase: self.plan.phase,
            step,
            total_steps,
            epoch: self.epochs_done(config),
            loss,
            learning_rate: self.plan.schedule.learning_rate(step - 1),
            grad_norm: f64::from(grad_norm),
            tokens_per_second,
            gpu_bytes,
            elapsed_seconds: elapsed,
            remaining_seconds: elapsed / step as f64 * (total_steps - step) as f64,
        })
    }

    /// Passes over the training data.
    pub fn epochs_done(&self, config: &RunConfig) -> f64 {
        (self.progress.step * config.gradient_accumulation_steps) as f64 / self.plan.n_batches as f64
    }

    /// Whether `strategy` acts after the last step.
    pub fn is_due(&self, config: &RunConfig, strategy: Strategy, every: usize) -> bool {
        let step = self.progress.step;
        let epoch = |step: usize| step * config.gradient_accumulation_steps / self.plan.n_batches;
        match strategy {
            Strategy::No => false,
            Strategy::Steps => step.is_multiple_of(every),
            Strategy::Epoch => step > 0 && epoch(step) > epoch(step - 1),
        }
    }

    /// Whether all steps are done, or as many as the user wants.
    pub fn is_done(&self) -> bool {
        self.progress.ended || self.progress.step >= self.plan.total_steps
    }

    /// Runs one batch of the evaluation under way; true when it is complete.
    pub async fn score(&mut self, placed: &Placed, validation: &Corpus) -> Result<bool, EngineError> {
        let scoring = self.scoring.get_or_insert_default();
        self.scorer.advance(placed, validation, scoring).await
    }

    /// Leaves S out from now on; [`TuningPhase::score_low_rank`] evaluates what is left.
    pub async fn drop_sparse(&mut self, placed: &Placed, state: &HostState) -> Result<(), EngineError> {
        let phase_seconds = self.seconds();
        let (scoring, started) = (Scoring::default(), crate::clock::now());
        placed.drop_sparse(state).await?;
        self.low_rank = Some(LowRankScoring { scoring, started, phase_seconds });
        Ok(())
    }

    /// Runs one batch of the evaluation without S; true when it is complete.
    pub async fn score_low_rank(
        &mut self,
        placed: &Placed,
        validation: &Corpus,
    ) -> Result<bool, EngineError> {
        let Some(low_rank) = &mut self.low_rank else { unreachable!("S was left out") };
        self.scorer.advance(placed, validation, &mut low_rank.scoring).await
    }

    /// Keeps the trained values if the figures are the best so far.
    pub async fn note_evaluation(
        &mut self,
        placed: &Placed,
        figures: &MetricSet,
        metric: Metric,
    ) -> Result<bool, EngineError> {
        self.progress.evaluated = true;
        self.progress.last = Some(figures.clone());
        let is_best =
            self.progress.best.as_ref().is_none_or(|(_, best)| figures.is_better_than(best, metric));
        if is_best {
            self.progress.best = Some((self.progress.step, figures.clone()));
            self.best_values = Some(placed.parameters.read(ArenaPart::Value).await?);
        }
        Ok(is_best)
    }

    /// What a checkpoint holds of the phase: arena values, moments and the best values, by kind.
    pub async fn tensors(
        &self,
        placed: &Placed,
    ) -> Result<BTreeMap<&'static str, NamedTensors>, EngineError> {
        let mut kinds = BTreeMap::new();
        for (kind, part) in KINDS {
            kinds.insert(kind, placed.parameters.read(part).await?);
        }
        if let Some(best) = &self.best_values {
            kinds.insert(BEST, best.clone());
        }
        Ok(kinds)
    }

    /// Goes on from a checkpoint of the same phase.
    pub fn resume(
        &mut self,
        placed: &Placed,
        progress: PhaseProgress,
        mut tensors: BTreeMap<String, NamedTensors>,
    ) -> Result<(), EngineError> {
        for (kind, part) in KINDS {
            let Some(named) = tensors.remove(kind) else {
                return Err(EngineError::Checkpoint(format!("it has no {kind} tensors")));
            };
            for (name, tensor) in named {
                let fits = placed.parameters.contains(&name)
                    && placed.parameters.parts(&name).iter().all(|part| part.requires_grad);
                if !fits {
                    return Err(EngineError::Checkpoint(format!("{name} is not trained by these settings")));
                }
                placed.parameters.write(part, &name, &tensor.data);
            }
        }
        self.best_values = tensors.remove(BEST);
        self.scoring = progress.evaluating.then(Scoring::default);
        self.progress = progress;
        Ok(())
    }
}

/// Kinds of tensors in a checkpoint.
const KINDS: [(&str, ArenaPart); 3] = [
    ("value", ArenaPart::Value),
    ("first_moment", ArenaPart::FirstMoment),
    ("second_moment", ArenaPart::SecondMoment),
];
const BEST: &str = "best";
