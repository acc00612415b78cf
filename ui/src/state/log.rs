//! What happened lately, for reports of failures. Never a row of anyone's data.

use dsee_core::protocol::{Event, RunEvent, RunId};
use std::collections::VecDeque;

/// Lines that are kept.
const N_LINES: usize = 50;

/// The newest lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    lines: VecDeque<String>,
    /// Whether the newest line is a step, which the next step replaces.
    ends_in_step: bool,
}

impl Log {
    /// The lines, the oldest first.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// Adds a line.
    pub fn line(&mut self, line: String) {
        self.ends_in_step = false;
        self.lines.push_back(line);
        if self.lines.len() > N_LINES {
            self.lines.pop_front();
        }
    }

    /// Adds what an event tells, if it is worth a line.
    pub fn event(&mut self, event: &Event) {
        let line = match event {
            Event::Ready { adapter } => {
                format!("ready: {} ({}, {})", adapter.name, adapter.backend, adapter.kind)
            }
            Event::ModelLoaded(card) => format!("model: {}, {} parameters", card.family, card.n_parameters),
            Event::DataLoaded(card) => format!("data: {} + {} examples", card.n_train, card.n_validation),
            Event::Run { run, event } => return self.run_event(*run, event),
            Event::Paused { run, step } => format!("run {run}: paused at step {step}"),
            Event::Resumed { run } => format!("run {run}: resumed"),
            Event::Stopped { run, kept, step } => format!("run {run}: stopped at step {step}, kept: {kept}"),
            Event::CheckpointSaved { run, step } => format!("run {run}: checkpoint of step {step}"),
            // The sentences may quote the user's data; their number does not.
            Event::Rejected { problems, .. } => format!("rejected: {} problems", problems.len()),
            Event::GpuTargetSet { target_ms } => format!("the GPU works {target_ms} ms at a stretch"),
            Event::Failed(report) => format!("failed ({:?}): {}", report.kind, report.text),
            Event::Predicted(_)
            | Event::Writing { .. }
            | Event::Written(_)
            | Event::Judged { .. }
            | Event::Exported { .. }
            | Event::Inspected(_)
            | Event::Working { .. } => return,
        };
        self.line(line);
    }

    fn run_event(&mut self, run: RunId, event: &RunEvent) {
        let line = match event {
            RunEvent::PhaseStarted { phase, planned_steps } => {
                format!("run {run}: {phase}, {planned_steps} steps")
            }
            RunEvent::Progress(step) => {
                if self.ends_in_step {
                    self.lines.pop_back();
                }
                self.line(format!(
                    "run {run}: {} step {} of {}, loss {:.4}, gradient norm {:.3}, learning rate {:.2e}",
                    step.phase, step.step, step.total_steps, step.loss, step.grad_norm, step.learning_rate
                ));
                self.ends_in_step = true;
                return;
            }
            RunEvent::Evaluated(e) => {
                format!("run {run}: {} step {}, validation loss {:.4}", e.phase, e.step, e.loss)
            }
            RunEvent::PhaseFinished(row) => format!("run {run}: {} took {:.1} s", row.phase, row.seconds),
            RunEvent::Warning { text } => format!("run {run}: {text}"),
            RunEvent::Finished(summary) => format!("run {run}: finished, {} steps", summary.n_steps),
            RunEvent::Adapter(_)
            | RunEvent::Loaded(_)
            | RunEvent::OmegaSelected(_)
            | RunEvent::Pruned(_)
            | RunEvent::Checkpoint { .. } => return,
        };
        self.line(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_go() {
        let mut log = Log::default();
        (0..60).for_each(|i| log.line(i.to_string()));
        assert_eq!((log.lines().count(), log.lines().next()), (N_LINES, Some("10")));
    }
}
