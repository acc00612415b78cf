//! Runs of this session and saved ones in one form, and the figures a list shows of each.

use dsee_core::{protocol::RunId, report::RunReport};

use crate::state::{Activity, AppState};

/// Names a run in the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// One of this session.
    Session(RunId),
    /// One that was saved.
    Saved(String),
}

/// A run in the list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) report: &'a RunReport,
    /// When it was, or what it is doing.
    pub(super) when: &'a str,
    /// Whether it ran to its end.
    pub(super) finished: bool,
    pub(super) step: usize,
}

/// The figures of a run, as text; a dash where there is nothing yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) method: String,
    pub(super) metric_name: String,
    /// After tuning, after pruning, after retuning.
    pub(super) metrics: [Option<String>; 3],
    pub(super) trainable: Option<u64>,
    /// Of all phases, in thousandths.
    pub(super) milliseconds: u64,
}

/// All runs: those of this session, the newest first, then the saved ones.
pub(super) fn all(state: &AppState) -> Vec<(Key, Entry<'_>)> {
    let session = state.session_runs().rev().map(|(id, run)| {
        let entry = Entry {
            report: &run.report,
            when: activity_name(run.activity),
            finished: run.activity == Activity::Finished,
            step: run.step(),
        };
        (Key::Session(*id), entry)
    });
    let saved = state.resting_runs().map(|run| {
        let entry = Entry { report: &run.report, when: &run.when, finished: run.finished, step: run.step };
        (Key::Saved(run.key.clone()), entry)
    });
    session.chain(saved).collect()
}

fn activity_name(activity: Activity) -> &'static str {
    match activity {
        Activity::Starting => "now, starting",
        Activity::Running => "now, running",
        Activity::Paused => "now, paused",
        Activity::Finished => "this session, finished",
        Activity::Stopped => "this session, stopped",
        Activity::Failed => "this session, failed",
    }
}

/// The value of a setting of a run.
pub(super) fn setting<'a>(report: &'a RunReport, name: &str) -> Option<&'a str> {
    report.settings.iter().find(|setting| setting.name == name).map(|setting| setting.value.as_str())
}

impl Figures {
    /// The figures of a report.
    pub(super) fn of(report: &RunReport) -> Self {
        let method = setting(report, "method").unwrap_or("–");
        let prune = setting(report, "prune").filter(|prune| *prune != "none");
        let metric = |phase: &str| {
            let row = report.phase_rows.iter().rev().find(|row| row.phase == phase)?;
            row.metric_value.map(|value| format!("{value:.4}"))
        };
        let named = report.phase_rows.iter().find(|row| !row.metric_name.is_empty());
        let seconds: f64 = report.phase_rows.iter().map(|row| row.seconds).filter(|s| s.is_finite()).sum();
        Self {
            method: prune.map_or_else(|| method.to_owned(), |prune| format!("{method}, {prune}")),
            metric_name: named.map_or_else(|| "metric".to_owned(), |row| row.metric_name.clone()),
            metrics: ["tune", "prune", "retune"].map(metric),
            trainable: report.phase_rows.iter().map(|row| row.trainable_parameters).max(),
            milliseconds: (seconds * 1000.0) as u64,
        }
    }

    /// Wall-clock seconds of all phases.
    pub(super) fn seconds(&self) -> f64 {
        self.milliseconds as f64 / 1000.0
    }
}
