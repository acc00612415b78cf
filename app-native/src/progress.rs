//! A run as it is seen on a terminal, or as plain lines where there is none. Everything goes to stderr.

use dsee_core::gpu::AdapterKind;
use dsee_core::protocol::{
    Evaluation, Loaded, OmegaReport, Phase, PhaseRow, PruneReport, RunEvent, StepReport,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;

use crate::phase_table::thousands;

/// Shows events as they come.
pub struct Progress {
    /// The bar of the current phase; `None` between phases and without a terminal.
    bar: Option<ProgressBar>,
    is_terminal: bool,
    is_silent: bool,
}

impl Progress {
    /// A display on stderr.
    pub fn new() -> Self {
        Self { bar: None, is_terminal: std::io::stderr().is_terminal(), is_silent: false }
    }

    /// No display at all.
    pub fn silent() -> Self {
        Self { bar: None, is_terminal: false, is_silent: true }
    }

    /// Shows one event.
    pub fn show(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Adapter(adapter) => {
                let kind = if adapter.kind == AdapterKind::Software { ", in software" } else { "" };
                self.line(&format!("adapter   {} ({}{kind})", adapter.name, adapter.backend));
            }
            RunEvent::Loaded(loaded) => self.loaded(loaded),
            RunEvent::PhaseStarted { phase, planned_steps } => self.start(*phase, *planned_steps),
            RunEvent::OmegaSelected(omega) => self.omega(omega),
            RunEvent::Progress(step) => self.step(step),
            RunEvent::Evaluated(evaluation) => self.evaluated(evaluation),
            RunEvent::Pruned(report) => self.pruned(report),
            RunEvent::PhaseFinished(row) => self.finish(row),
            RunEvent::Warning { text } => self.line(&format!("warning   {text}")),
            RunEvent::Checkpoint { .. } | RunEvent::Finished(_) => {}
        }
    }

    /// Prints a line above the bar.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say!("{text}")),
            None if self.is_silent => {}
            None => say!("{text}"),
        }
    }

    /// Takes the bar away, before something else is printed.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn loaded(&self, loaded: &Loaded) {
        let n_kept = if loaded.n_kept == loaded.n_trainable {
            String::new()
        } else {
            format!(" while tuning, {} kept", thousands(loaded.n_kept))
        };
        self.line(&format!(
            "model     {}, {} parameters, {} trainable{n_kept}",
            loaded.family,
            thousands(loaded.n_parameters),
            thousands(loaded.n_trainable),
        ));
        if !loaded.fresh.is_empty() {
            // The user must never wonder why a fresh head predicts noise.
            self.line(&format!("          not in the file, starting at random: {}", loaded.fresh.join(", ")));
        }
        self.line(&format!(
            "data      {} to train, {} to validate{}",
            thousands(loaded.n_train_examples),
            thousands(loaded.n_validation_examples),
            loaded.labels(),
        ));
    }

    fn start(&mut self, phase: Phase, planned_steps: usize) {
        self.clear();
        if self.is_terminal && planned_steps > 0 {
            let bar = ProgressBar::new(planned_steps as u64);
            let template = "{prefix:<9} [{bar:24}] {pos}/{len}  {msg}";
            bar.set_style(
                ProgressStyle::with_template(template).expect("the template is right").progress_chars("=> "),
            );
            bar.set_prefix(phase.to_string());
            self.bar = Some(bar);
        }
    }

    fn omega(&self, omega: &OmegaReport) {
        let text = format!(
            "Ω {}/{}    {}: {} positions, {} of them among the largest weights, {:.1} s",
            omega.n_done,
            omega.n_total,
            omega.path,
            omega.indices.len(),
            omega.overlap_with_magnitude,
            omega.seconds,
        );
        self.line(&text);
    }

    fn step(&self, step: &StepReport) {
        let left = clock(step.remaining_seconds);
        let text = format!(
            "loss {:.4}  lr {:.2e}  {:.0} tokens/s  {left} left",
            step.loss, step.learning_rate, step.tokens_per_second
        );
        match &self.bar {
            Some(bar) => {
                bar.set_position(step.step as u64);
                bar.set_message(text);
            }
            None => self.line(&format!("{:<9} {}/{}  {text}", step.phase, step.step, step.total_steps)),
        }
    }

    fn evaluated(&self, evaluation: &Evaluation) {
        // The loss has a place of its own.
        let metrics = evaluation.metrics.iter().filter(|(name, _)| *name != "loss");
        let metrics: Vec<String> = metrics.map(|(name, value)| format!("{name} {value:.4}")).collect();
        let best = if evaluation.is_best { "  (best)" } else { "" };
        self.line(&format!(
            "evaluate  step {}: loss {:.4}  {}{best}",
            evaluation.step,
            evaluation.loss,
            metrics.join("  ")
        ));
    }

    fn pruned(&self, report: &PruneReport) {
        for (layer, heads) in report.removed_heads.iter().enumerate().filter(|(_, heads)| !heads.is_empty()) {
            let heads: Vec<String> = heads.iter().map(ToString::to_string).collect();
            self.line(&format!("prune     layer {layer}: heads {} removed", heads.join(", ")));
        }
        let (n_zeros, n_entries) = report
            .matrices
            .iter()
            .fold((0, 0), |(zeros, entries), matrix| (zeros + matrix.n_zeros, entries + matrix.n_entries));
        let share = 100.0 * n_zeros as f64 / n_entries.max(1) as f64;
        self.line(&format!(
            "prune     {} of {} prunable weights removed ({share:.1} %)",
            thousands(n_zeros),
            thousands(n_entries)
        ));
    }

    fn finish(&mut self, row: &PhaseRow) {
        self.clear();
        let metric = row.metric.map(|value| format!(", {} {value:.4}", row.metric_name)).unwrap_or_default();
        self.line(&format!("{:<9} done in {}{metric}", row.phase, clock(row.seconds)));
    }
}

/// Seconds as `1:02:03`, `2:03` or `3 s`.
pub fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, _) => format!("{minutes}:{rest:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let found: Vec<String> = [0.2, 59.4, 60.0, 3723.0, -1.0].into_iter().map(clock).collect();
        assert_eq!(found, ["0 s", "59 s", "1:00", "1:02:03", "0 s"]);
    }
}
