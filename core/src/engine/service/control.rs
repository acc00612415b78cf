//! Starting, pausing, stepping and stopping a run.

use std::rc::Rc;

use super::refusal::{failure, problem, problems_of};
use super::running::{CurrentRun, Goal, Mode};
use super::{Engine, Host, Refusal, say};
use crate::config::{RunConfig, RunConfigDraft};
use crate::engine::{Run, RunCheckpoint};
use crate::gpu::pacing::TARGETS_MS;
use crate::protocol::{Event, RunId, Settings, Variant};

impl Engine {
    /// Starts a run, or goes on from the files of a checkpoint.
    pub(super) async fn start(
        &mut self,
        id: RunId,
        settings: &Settings,
        paused: bool,
        from: Option<Vec<(String, Vec<u8>)>>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let config = self.checked(settings)?;
        let (Some(model), Some(files)) = (self.model.clone(), self.data.clone()) else {
            return Err(Refusal::because("load a model and data first"));
        };
        let checkpoint = from.map(|files| RunCheckpoint::from_files(&files)).transpose()?;
        let is_restored = checkpoint.is_some();
        let data = files.with(&config.data_options(model.pretrained.config.id2label.clone()))?;
        let device = self.device(host).await?;
        let run = Run::new(&device, config.clone(), model.pretrained.clone(), &data, checkpoint).await?;
        let current = CurrentRun {
            id,
            states: run
                .phase_states()
                .into_iter()
                .map(|(variant, state)| (variant, Rc::new(state)))
                .collect(),
            run,
            config,
            mode: if paused { Mode::Waiting } else { Mode::Running },
            model,
            files,
            data,
            saved_at: crate::clock::now(),
        };
        if paused {
            say(host, Event::Paused { run: id, step: current.run.step() });
        } else if is_restored {
            say(host, Event::Resumed { run: id });
        }
        self.current = Some(current);
        Ok(())
    }

    /// The settings of a run that can start now.
    fn checked(&self, settings: &Settings) -> Result<RunConfig, Refusal> {
        let mut problems = Vec::new();
        if let Some(current) = self.current.as_ref().filter(|current| current.is_active()) {
            problems.push(problem(format!("run {} is under way: stop it first", current.id)));
        }
        if self.model.is_none() {
            problems.push(problem("no model is loaded: load one first"));
        }
        if self.data.is_none() {
            problems.push(problem("no data are loaded: load some first"));
        }
        let mut draft = RunConfigDraft::default();
        settings.iter().for_each(|(name, value)| draft.set(name, value));
        let facts = self.model.as_ref().map(|model| model.card.facts());
        let checked = facts.map_or_else(|| draft.check(), |facts| draft.check_for(&facts));
        match checked {
            Ok(config) if problems.is_empty() => Ok(config),
            checked => {
                problems.extend(checked.err().map(problems_of).unwrap_or_default());
                Err(Refusal::Rejected(problems))
            }
        }
    }

    /// The run called `id`.
    pub(super) fn run(&mut self, id: RunId) -> Result<&mut CurrentRun, Refusal> {
        let found = self.current.as_mut().filter(|current| current.id == id);
        found.ok_or_else(|| {
            Refusal::because(format!(
                "the engine no longer has run {id}: restore it from its last checkpoint"
            ))
        })
    }

    /// The same, if it is neither finished nor stopped.
    fn active(&mut self, id: RunId) -> Result<&mut CurrentRun, Refusal> {
        let current = self.run(id)?;
        if current.is_active() { Ok(current) } else { Err(Refusal::because(format!("run {id} is over"))) }
    }

    pub(super) async fn pause(&mut self, id: RunId, host: &mut impl Host) -> Result<(), Refusal> {
        let current = self.active(id)?;
        current.mode = Mode::Waiting;
        let report = current.run.report_now().await;
        match report {
            Ok(report) => current.note(report.into_iter().collect(), host),
            Err(error) => return Err(Refusal::Failed(current.break_off(&error, host))),
        }
        say(host, Event::Paused { run: id, step: current.run.step() });
        Ok(())
    }

    pub(super) fn resume(&mut self, id: RunId, host: &mut impl Host) -> Result<(), Refusal> {
        self.active(id)?.mode = Mode::Running;
        say(host, Event::Resumed { run: id });
        Ok(())
    }

    pub(super) fn step(&mut self, id: RunId) -> Result<(), Refusal> {
        let current = self.active(id)?;
        if current.mode == Mode::Running {
            return Err(Refusal::because(format!("run {id} does not wait: pause it first")));
        }
        current.mode = Mode::Until(Goal::Step(current.run.step() + 1));
        Ok(())
    }

    pub(super) async fn stop(&mut self, id: RunId, keep: bool, host: &mut impl Host) -> Result<(), Refusal> {
        let current = self.run(id)?;
        let step = current.run.step();
        if keep && current.is_active() {
            current.keep(host).await?;
        }
        if !keep {
            self.current = None;
            self.cancel_questions(id, host);
        }
        say(host, Event::Stopped { run: id, kept: keep, step });
        Ok(())
    }

    pub(super) fn evaluate(&mut self, id: RunId) -> Result<(), Refusal> {
        let current = self.active(id)?;
        if !current.run.evaluate_soon() {
            return Err(Refusal::because("there is nothing to evaluate before the first step"));
        }
        current.go_until(Goal::Evaluated);
        Ok(())
    }

    pub(super) fn prune_now(&mut self, id: RunId) -> Result<(), Refusal> {
        let current = self.active(id)?;
        if !current.run.prune_soon() {
            return Err(Refusal::because(
                "pruning follows tuning, in runs whose settings ask for it: this run is not tuning, or its setting \
                 `prune` is none",
            ));
        }
        current.go_until(Goal::Pruned);
        Ok(())
    }

    pub(super) fn set_gpu_target(&mut self, target_ms: f64, host: &mut impl Host) -> Result<(), Refusal> {
        if !TARGETS_MS.contains(&target_ms) {
            let (shortest, longest) = (TARGETS_MS.start(), TARGETS_MS.end());
            return Err(Refusal::because(format!(
                "the GPU cannot work {target_ms} ms at a stretch: choose from {shortest} to {longest} ms"
            )));
        }
        self.gpu_target_ms = Some(target_ms);
        if let Some(device) = &self.device {
            device.set_target_ms(target_ms);
        }
        say(host, Event::GpuTargetSet { target_ms });
        Ok(())
    }

    pub(super) async fn save_checkpoint(&mut self, id: RunId, host: &mut impl Host) -> Result<(), Refusal> {
        let current = self.run(id)?;
        let checkpoint = current.run.checkpoint().await?;
        current.hand_out(&checkpoint, host);
        Ok(())
    }
}

impl CurrentRun {
    /// A run that waits goes on until `goal` is reached; one that goes on anyway reaches it by itself.
    fn go_until(&mut self, goal: Goal) {
        if self.mode != Mode::Running {
            self.mode = Mode::Until(goal);
        }
    }

    /// Ends the run and keeps what it has trained.
    async fn keep(&mut self, host: &mut impl Host) -> Result<(), Refusal> {
        let broken = |error| Refusal::Failed(failure(&error, Some(self.id), None));
        if self.run.is_in_phase() {
            let state = self.run.present_state().await.map_err(broken)?;
            self.states.insert(Variant::Present, Rc::new(state));
        }
        let checkpoint = self.run.checkpoint().await?;
        self.hand_out(&checkpoint, host);
        self.mode = Mode::Over;
        self.run.release();
        Ok(())
    }
}
