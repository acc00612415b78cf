//! One run: Ω, tune, prune, retune, evaluate, as a machine that is advanced one bounded piece of work at a time.

mod asked;
mod keeping;
mod omega_stage;
mod phase_states;
mod prune_stage;
mod rewind;
mod start_tuning;
mod tune_end;

use std::rc::Rc;

use asked::Asked;

use super::base_model::BaseModel;
use super::checkpoint::{Position, RunCheckpoint, Stage};
use super::corpus::{Corpus, check_metric, encode, head_of, labels_of};
use super::error::EngineError;
use super::phase_row::phase_row;
use super::placed::Placed;
use super::scorer::{Scorer, Scoring};
use super::tuning_phase::TuningPhase;
use crate::checkpoint::weights::StoredTensor;
use crate::config::RunConfig;
use crate::data::{LabelSet, RunData};
use crate::gpu::Device;
use crate::metrics::{Metric, MetricSet};
use crate::models::files::PretrainedModel;
use crate::models::fit;
use crate::nn::plan::TuningPlan;
use crate::omega::device::OmegaFinder;
use crate::protocol::{CheckpointReason, Evaluation, Loaded, OmegaReport, Phase, PhaseRow, RunEvent};
use crate::train::place::HostState;
use crate::tuning;

/// A run. See the module documentation.
pub struct Run {
    device: Device,
    config: RunConfig,
    base: Rc<BaseModel>,
    plan: TuningPlan,
    labels: LabelSet,
    train: Corpus,
    validation: Corpus,
    state: HostState,
    /// The state before pruning, once that is done.
    tuned: Option<HostState>,
    position: Position,
    work: Work,
    /// What remains if the device is lost.
    safe: RunCheckpoint,
    safe_since: crate::clock::Instant,
    resumed_phase: Option<RunCheckpoint>,
    asked: Asked,
    started: crate::clock::Instant,
    finder: OmegaFinder,
    /// Places of sparse entries that need no search.
    found_omega: Vec<OmegaReport>,
}

/// What lies on the device.
enum Work {
    Nothing,
    Tuning(Box<(Placed, TuningPhase)>),
    Scoring(Box<(Placed, Scorer, Scoring)>),
}

impl Run {
    /// Prepares a run, or one that goes on from a checkpoint of the same settings, model and data.
    ///
    /// # Errors
    /// Everything in which settings, model and checkpoint disagree.
    pub async fn new(
        device: &Device,
        config: RunConfig,
        model: PretrainedModel,
        data: &RunData,
        resume: Option<RunCheckpoint>,
    ) -> Result<Self, EngineError> {
        fit::check(&model.config, device.report())?;
        check_metric(&config, data).map_err(|error| EngineError::Settings(vec![error]))?;
        let (labels, head) = (labels_of(data), head_of(data, &model.config));
        BaseModel::check_head(&model.config, head)?;
        let [train, validation] = encode(data, head, &model.tokenizer, &config)?;
        let base = BaseModel::new(model, head, config.seed).await?;
        config.check_against(&base.facts()).map_err(EngineError::Settings)?;
        let config = config.for_model(&base.facts());
        base.check_pruning(config.prune)?;
        let state = base.untouched();
        let now = crate::clock::now();
        let mut run = Self {
            finder: OmegaFinder::new(device),
            found_omega: Vec::new(),
            device: device.clone(),
            config,
            base: Rc::new(base),
            plan: TuningPlan::default(),
            labels,
            train,
            validation,
            state,
            tuned: None,
            position: Position::default(),
            work: Work::Nothing,
            safe: RunCheckpoint::default(),
            safe_since: now,
            resumed_phase: None,
            asked: Asked::default(),
            started: now,
        };
        let data_sha256 = [run.train.sha256(), run.validation.sha256()];
        if let Some(checkpoint) = resume {
            checkpoint.check_data(&data_sha256)?;
            run.state = checkpoint.state.clone();
            run.tuned = checkpoint.tuned.clone();
            run.position = Position { phase: None, ..checkpoint.position.clone() };
            run.safe = checkpoint.clone();
            run.resumed_phase = checkpoint.position.phase.is_some().then_some(checkpoint);
        }
        run.make_plan();
        for position in [&mut run.position, &mut run.safe.position] {
            position.data_sha256.clone_from(&data_sha256);
        }
        Ok(run)
    }

    /// What is trained from here on.
    fn make_plan(&mut self) {
        let stage = self.position.begin_at.unwrap_or(self.position.stage);
        self.plan = tuning::plan(&self.config, &self.base.outline(), stage > Stage::Tune);
    }

    /// Whether the run is complete.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.position.stage == Stage::Done
    }

    /// Optimizer steps of the whole run so far.
    #[must_use]
    pub fn step(&self) -> usize {
        self.position.steps_before + self.phase().map_or(0, |phase| phase.progress.step)
    }

    /// The model and what has been trained and removed up to the last finished phase.
    #[must_use]
    pub fn outcome(&self) -> (&BaseModel, &HostState, &LabelSet) {
        (self.base.as_ref(), &self.state, &self.labels)
    }

    /// The model, to be used beside the run.
    #[must_use]
    pub fn base(&self) -> Rc<BaseModel> {
        self.base.clone()
    }

    /// What it is doing.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.position.stage
    }

    /// Whether a tuning phase is under way, so that [`Run::present_state`] is ahead of [`Run::outcome`].
    #[must_use]
    pub fn is_in_phase(&self) -> bool {
        self.phase().is_some()
    }

    /// The figures of the phases that are over.
    #[must_use]
    pub fn rows(&self) -> &[PhaseRow] {
        &self.position.rows
    }

    /// The validation data as it is evaluated.
    #[must_use]
    pub fn validation(&self) -> &Corpus {
        &self.validation
    }

    /// Gives the memory of the device back. The run does not go on after that.
    pub fn release(&mut self) {
        self.work = Work::Nothing;
    }

    fn phase(&self) -> Option<&TuningPhase> {
        match &self.work {
            Work::Tuning(work) => Some(&work.1),
            _ => None,
        }
    }

    fn metric(&self) -> Metric {
        self.config.metric_for_best_model.unwrap_or(Metric::primary(self.labels.task()))
    }

    fn seconds(&self) -> f64 {
        self.position.seconds_before + self.started.elapsed().as_secs_f64()
    }

    /// Does the next piece of work: one matrix of Ω, one optimizer step, one evaluation batch, one pruning.
    ///
    /// # Errors
    /// Whatever makes the run impossible to go on with; [`Run::checkpoint`] still gives its last good state.
    pub async fn advance(&mut self) -> Result<Vec<RunEvent>, EngineError> {
        match self.position.stage {
            Stage::Begin => Ok(self.begin()),
            Stage::SelectOmega => self.advance_omega().await,
            Stage::Tune | Stage::Retune => self.advance_tuning().await,
            Stage::Prune => self.advance_pruning().await,
            Stage::Evaluate => self.advance_evaluation().await,
            Stage::Done => Ok(Vec::new()),
        }
    }

    fn begin(&mut self) -> Vec<RunEvent> {
        let mut events = vec![RunEvent::Adapter(self.device.report().clone())];
        events.push(RunEvent::Loaded(Loaded {
            family: self.base.family().to_owned(),
            n_parameters: self.base.parameters.0.values().map(StoredTensor::n_values).sum(),
            n_trainable: self.n_planned(&self.plan),
            n_kept: self.n_planned(&tuning::plan(&self.config, &self.base.outline(), true)),
            fresh: self.base.fresh.clone(),
            n_train_examples: self.train.len(),
            n_validation_examples: self.validation.len(),
            label_names: self.labels.names().to_vec(),
            predicts_words: self.labels == LabelSet::Words,
        }));
        let max_length = self.config.max_length;
        let losses = [(&self.train, "training"), (&self.validation, "validation")]
            .into_iter()
            .flat_map(|(corpus, set)| corpus.losses(set, max_length));
        let notes = self.base.notes.iter().cloned().chain(losses);
        events.extend(notes.map(|text| RunEvent::Warning { text }));
        if let Some(stage) = self.position.begin_at.take() {
            self.position.stage = stage;
            return events;
        }
        let sparse = self.plan.deltas.values().any(|delta| delta.n_nonzero > 0);
        self.position.stage = if sparse { Stage::SelectOmega } else { Stage::Tune };
        if sparse {
            events.push(RunEvent::PhaseStarted { phase: Phase::SelectOmega, planned_steps: 0 });
        } else {
            self.create_deltas(&[]);
        }
        events
    }

    fn finish_row(&mut self, phase: Phase, figures: Option<&MetricSet>, seconds: f64) -> RunEvent {
        let metric = figures.map(|figures| (self.metric(), figures));
        let row = phase_row(&self.base, &self.state, &self.plan, phase, metric, seconds);
        self.position.rows.push(row.clone());
        RunEvent::PhaseFinished(row)
    }

    async fn advance_tuning(&mut self) -> Result<Vec<RunEvent>, EngineError> {
        let Work::Tuning(work) = &mut self.work else { return self.start_tuning().await };
        let (placed, phase) = work.as_mut();
        if phase.scoring.is_some() {
            return self.advance_phase_scoring().await;
        }
        if phase.low_rank.is_some() {
            return self.advance_low_rank().await;
        }
        let asked = std::mem::take(&mut self.asked);
        if asked.end {
            phase.progress.ended = true;
            return Ok(self.report_now().await?.into_iter().collect());
        }
        if asked.evaluation {
            phase.read_metrics().await?;
            phase.scoring = Some(Scoring::default());
            return Ok(Vec::new());
        }
        if phase.is_done() {
            if !phase.progress.evaluated {
                phase.scoring = Some(Scoring::default());
                return Ok(Vec::new());
            }
            return self.end_tuning().await;
        }
        phase.step(placed, &self.config, &self.train).await?;
        let mut events = Vec::new();
        let config = &self.config;
        if phase.is_report_due(config) {
            phase.read_metrics().await?;
            events.extend(phase.report(config, self.device.allocated_bytes()).map(RunEvent::Progress));
        }
        if phase.is_due(config, config.eval_strategy, config.eval_steps) {
            phase.read_metrics().await?;
            phase.scoring = Some(Scoring::default());
        }
        let due = phase.is_due(config, config.save_strategy, config.save_steps) && !phase.is_done();
        if due || self.is_snapshot_due() {
            self.snapshot().await?;
        }
        if due {
            events.push(RunEvent::Checkpoint { step: self.step(), reason: CheckpointReason::Scheduled });
        }
        Ok(events)
    }

    async fn advance_phase_scoring(&mut self) -> Result<Vec<RunEvent>, EngineError> {
        let metric = self.metric();
        let Work::Tuning(work) = &mut self.work else { unreachable!("only phases score") };
        let (placed, phase) = work.as_mut();
        if !phase.score(placed, &self.validation).await? {
            return Ok(Vec::new());
        }
        let scoring = phase.scoring.take().unwrap_or_default();
        let figures = scoring.metrics(&self.validation, &self.labels);
        let is_best = phase.note_evaluation(placed, &figures, metric).await?;
        let evaluation = Evaluation {
            phase: phase.plan.phase,
            step: phase.progress.step,
            epoch: phase.epochs_done(&self.config),
            metrics: named(&figures),
            loss: figures.loss,
            is_best,
            n_examples: self.validation.len(),
            seconds: phase.seconds(),
        };
        let mut events = vec![RunEvent::Evaluated(evaluation)];
        self.snapshot().await?;
        if is_best {
            events.push(RunEvent::Checkpoint { step: self.step(), reason: CheckpointReason::Best });
        }
        Ok(events)
    }
}

fn named(figures: &MetricSet) -> std::collections::BTreeMap<String, f64> {
    figures.entries().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
