//! The log in the names other tools plot: transformers' `trainer_state.json`, LLaMA-Factory's `trainer_log.jsonl`.

use dsee_core::config::RunConfig;
use dsee_core::protocol::{Evaluation, RunEvent, StepReport};
use serde_json::{Value, json};

/// Gathers what the two files hold. Steps count on through all phases of a run.
pub struct TrainerLog {
    config: RunConfig,
    history: Vec<Value>,
    /// Steps of the phases that are over.
    steps_before: usize,
    /// Steps of the current phase.
    step: usize,
    /// Planned steps of the current phase.
    planned_steps: usize,
    epoch: f64,
    best: Option<Best>,
    is_finished: bool,
}

/// The best evaluation of the current phase.
#[derive(Clone, Copy)]
struct Best {
    step: usize,
    metric: Option<f64>,
}

impl TrainerLog {
    /// An empty log.
    pub fn new(config: &RunConfig) -> Self {
        Self {
            config: config.clone(),
            history: Vec::new(),
            steps_before: 0,
            step: 0,
            planned_steps: 0,
            epoch: 0.0,
            best: None,
            is_finished: false,
        }
    }

    /// Takes the history of an interrupted run from its `trainer_state.json`, up to `step`.
    pub fn restore(&mut self, state: &Value, step: usize) {
        let counts = |entry: &&Value| entry["step"].as_u64().is_some_and(|logged| logged <= step as u64);
        self.history =
            state["log_history"].as_array().into_iter().flatten().filter(counts).cloned().collect();
        // The resumed phase is not announced again: its place in the run comes from the file, too.
        let count = |name: &str| state[name].as_u64().unwrap_or(0) as usize;
        self.step = count("phase_step");
        self.steps_before = count("global_step").saturating_sub(self.step);
        self.planned_steps = count("max_steps").saturating_sub(self.steps_before);
        self.epoch = state["epoch"].as_f64().unwrap_or(0.0);
        self.best = state["best_global_step"]
            .as_u64()
            .map(|best| Best { step: best as usize, metric: state["best_metric"].as_f64() });
    }

    /// Notes an event. Gives the line for `trainer_log.jsonl`, if the event makes one.
    pub fn note(&mut self, event: &RunEvent) -> Option<Value> {
        match event {
            RunEvent::PhaseStarted { planned_steps, .. } => {
                self.steps_before += std::mem::take(&mut self.step);
                self.planned_steps = *planned_steps;
                // Phases with steps begin a contest of their own.
                if *planned_steps > 0 {
                    self.best = None;
                }
                None
            }
            RunEvent::Progress(step) => Some(self.progress(step)),
            RunEvent::Evaluated(evaluation) => Some(self.evaluated(evaluation)),
            RunEvent::Finished(_) => {
                self.is_finished = true;
                None
            }
            _ => None,
        }
    }

    /// Optimizer steps of the whole run so far.
    pub fn global_step(&self) -> usize {
        self.steps_before + self.step
    }

    /// Entries so far: every one is a line of `trainer_log.jsonl`.
    pub fn n_entries(&self) -> usize {
        self.history.len()
    }

    /// Step of the best evaluation of the current phase.
    pub fn best_step(&self) -> Option<usize> {
        self.best.map(|best| best.step)
    }

    fn progress(&mut self, report: &StepReport) -> Value {
        (self.step, self.epoch) = (report.step, report.epoch);
        let step = self.global_step();
        self.history.push(json!({
            "epoch": report.epoch, "grad_norm": report.grad_norm, "learning_rate": report.learning_rate,
            "loss": report.loss, "step": step, "phase": report.phase,
        }));
        json!({
            "current_steps": step, "total_steps": self.steps_before + report.total_steps, "phase": report.phase,
            "loss": report.loss, "lr": report.learning_rate, "epoch": report.epoch,
            "percentage": 100.0 * report.step as f64 / report.total_steps.max(1) as f64,
            "elapsed_time": report.elapsed_seconds, "remaining_time": report.remaining_seconds,
            "tokens_per_second": report.tokens_per_second, "gpu_bytes": report.gpu_bytes,
        })
    }

    fn evaluated(&mut self, evaluation: &Evaluation) -> Value {
        let step = self.global_step();
        let rate = |count: f64| if evaluation.seconds > 0.0 { count / evaluation.seconds } else { 0.0 };
        let n_batches = evaluation.n_examples.div_ceil(self.config.per_device_eval_batch_size.max(1));
        let mut entry = json!({
            "epoch": evaluation.epoch, "eval_loss": evaluation.loss, "eval_runtime": evaluation.seconds,
            "eval_samples_per_second": rate(evaluation.n_examples as f64),
            "eval_steps_per_second": rate(n_batches as f64), "step": step, "phase": evaluation.phase,
        });
        for (name, value) in &evaluation.metrics {
            entry[format!("eval_{name}")] = json!(value);
        }
        if evaluation.is_best {
            let name = self.config.metric_for_best_model.map(|metric| metric.name());
            let metric =
                name.and_then(|name| evaluation.metrics.get(name)).or(evaluation.metrics.values().next());
            self.best = Some(Best { step, metric: metric.copied() });
        }
        self.history.push(entry.clone());
        entry["current_steps"] = json!(step);
        entry
    }

    /// The content of `trainer_state.json`.
    pub fn state(&self) -> Value {
        let config = &self.config;
        let best_model = self.best.map(|best| crate::run_folder::checkpoint_name(best.step));
        json!({
            "best_global_step": self.best_step(), "best_metric": self.best.and_then(|best| best.metric),
            "best_model_checkpoint": best_model, "epoch": self.epoch, "global_step": self.global_step(), "phase_step": self.step,
            "max_steps": self.steps_before + self.planned_steps, "num_train_epochs": config.num_train_epochs,
            "logging_steps": config.logging_steps, "eval_steps": config.eval_steps, "save_steps": config.save_steps,
            "train_batch_size": config.per_device_train_batch_size, "is_hyper_param_search": false,
            "is_finished": self.is_finished, "is_local_process_zero": true, "is_world_process_zero": true, "log_history": self.history,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use dsee_core::config::RunConfigDraft;
    use dsee_core::protocol::Phase;

    fn log() -> TrainerLog {
        TrainerLog::new(&RunConfigDraft::default().check().unwrap())
    }

    fn step(phase: Phase, step: usize) -> RunEvent {
        RunEvent::Progress(StepReport {
            phase,
            step,
            total_steps: 20,
            epoch: 0.5,
            loss: 0.7,
            learning_rate: 1e-4,
            grad_norm: 1.5,
            tokens_per_second: 100.0,
            gpu_bytes: 1000,
            elapsed_seconds: 2.0,
            remaining_seconds: 3.0,
        })
    }

    fn evaluation(step: usize, accuracy: f64) -> RunEvent {
        RunEvent::Evaluated(Evaluation {
            phase: Phase::Tune,
            step,
            epoch: 0.5,
            metrics: [("accuracy".to_owned(), accuracy)].into(),
            loss: 0.6,
            is_best: true,
            n_examples: 64,
            seconds: 2.0,
        })
    }

    #[test]
    fn entries_have_the_names_of_transformers() {
        let mut log = log();
        log.note(&RunEvent::PhaseStarted { phase: Phase::Tune, planned_steps: 20 });
        let line = log.note(&step(Phase::Tune, 10)).unwrap();
        assert_eq!((&line["current_steps"], &line["percentage"]), (&json!(10), &json!(50.0)));
        log.note(&evaluation(10, 0.8)).unwrap();
        let state = log.state();
        assert_eq!((&state["global_step"], &state["best_metric"]), (&json!(10), &json!(0.8)));
        assert_eq!(state["best_model_checkpoint"], "checkpoint-10");
        assert_eq!(state["log_history"][0]["loss"], json!(0.7));
        assert_eq!(state["log_history"][1]["eval_accuracy"], json!(0.8));
        assert_eq!(state["log_history"][1]["eval_samples_per_second"], json!(32.0));
    }

    #[test]
    fn steps_count_on_through_the_phases() {
        let mut log = log();
        log.note(&RunEvent::PhaseStarted { phase: Phase::Tune, planned_steps: 20 });
        log.note(&step(Phase::Tune, 20));
        log.note(&RunEvent::PhaseStarted { phase: Phase::Prune, planned_steps: 0 });
        log.note(&RunEvent::PhaseStarted { phase: Phase::Retune, planned_steps: 20 });
        let line = log.note(&step(Phase::Retune, 5)).unwrap();
        assert_eq!((&line["current_steps"], &line["total_steps"]), (&json!(25), &json!(40)));
    }

    #[test]
    fn a_resumed_log_forgets_what_came_after_the_checkpoint() {
        let mut first = log();
        first.note(&RunEvent::PhaseStarted { phase: Phase::Tune, planned_steps: 20 });
        first.note(&step(Phase::Tune, 5));
        first.note(&step(Phase::Tune, 10));
        let mut second = log();
        second.restore(&first.state(), 5);
        assert_eq!(second.state()["log_history"].as_array().unwrap().len(), 1);
    }
}
