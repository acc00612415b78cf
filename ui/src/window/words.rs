//! What the window says about itself in a few words.

use dsee_core::config::Pruning;

use crate::{
    state::{Activity, AppState, RunView, Screen},
    widgets::numbers::{percent, short, thousands},
};

/// The product.
pub const NAME: &str = "DSEE Studio";
/// What it is for.
pub const PURPOSE: &str =
    "Fine-tune a small model on your own GPU with low rank + a few sparse entries, then prune it.";
/// What it does not do.
pub const PRIVACY: &str = "Data and model stay on this device.";

/// What goes on, for screen readers.
pub fn status_line(state: &AppState) -> String {
    if let Some(failure) = &state.failure {
        return format!("{} {}", failure.text, failure.advice);
    }
    if let Some((_, problems)) = &state.rejected {
        let texts: Vec<&str> = problems.iter().map(|problem| problem.text.as_str()).collect();
        return format!("Cannot be done: {}", texts.join(" "));
    }
    if let Some((what, _)) = &state.working {
        return what.clone();
    }
    match state.run() {
        Some(run) => run_line(run),
        None if state.can_start() => "Ready. Press Start.".to_owned(),
        None if state.adapter.is_none() => "Starting the engine".to_owned(),
        None => "Reading model and data".to_owned(),
    }
}

fn run_line(run: &RunView) -> String {
    let progress = run.progress();
    let mut line = progress.doing.to_owned();
    if progress.n_steps > 0 {
        line += &format!(", step {} of {}", progress.step, progress.n_steps);
    }
    if let Some(report) = &run.newest {
        line += &format!(", loss {:.2}", report.loss);
    }
    if let (Activity::Finished, Some((name, value))) = (run.activity, result(run)) {
        line += &format!(", {name} {}", percent(value));
    }
    line
}

/// Name and value of the last metric that is a share, of the newest phase that was measured.
pub fn result(run: &RunView) -> Option<(&str, f64)> {
    let row = run.report.phase_rows.iter().rev().find(|row| row.metric_value.is_some())?;
    let value = row.metric_value.filter(|value| (0.0..=1.0).contains(value))?;
    Some((&row.metric_name, value))
}

/// The title of the window.
pub fn title(state: &AppState) -> String {
    match state.run() {
        Some(run) if run.activity.is_under_way() => {
            let progress = run.progress();
            format!("{}/{} {} · {NAME}", progress.step, progress.n_steps, progress.doing)
        }
        Some(run) => format!("{} · {NAME}", run.doing()),
        None => NAME.to_owned(),
    }
}

/// How a screen stands, under its name in the navigation.
pub fn screen_state(state: &AppState, screen: Screen) -> String {
    match screen {
        Screen::Model => state.model.as_ref().map_or("none yet".to_owned(), |model| {
            let name = if model.embedded { "built-in" } else { &model.name };
            format!("{name}, {} parameters", short(model.n_parameters))
        }),
        Screen::Data => state.data.as_ref().map_or("none yet".to_owned(), |data| {
            let name = if data.embedded { "built-in" } else { &data.name };
            format!("{name}, {} examples", thousands(data.n_train))
        }),
        Screen::Method => method_state(state),
        Screen::Train => state.run().map_or("not started".to_owned(), |run| {
            let progress = run.progress();
            match result(run) {
                Some((name, value)) if run.activity == Activity::Finished => {
                    format!("finished, {name} {}", percent(value))
                }
                _ if progress.n_steps == 0 => progress.doing.to_lowercase(),
                _ => format!("{}, {} of {}", progress.doing.to_lowercase(), progress.step, progress.n_steps),
            }
        }),
        Screen::Inspect => "weights, update, masks".to_owned(),
        Screen::TryIt => "type a sentence".to_owned(),
        Screen::Runs => match (state.session_runs().count(), state.resting_runs().count()) {
            (0, 0) => "none yet".to_owned(),
            (n, 0) => format!("{n} in this session"),
            (0, n) => format!("{n} saved"),
            (n, saved) => format!("{n} in this session, {saved} saved"),
        },
        Screen::Export => match state.activity() {
            Some(Activity::Finished | Activity::Stopped) => "ready".to_owned(),
            _ => "after a run".to_owned(),
        },
        Screen::Lessons => "one thing to drag each".to_owned(),
    }
}

fn method_state(state: &AppState) -> String {
    let config = match state.run_config() {
        Ok(config) => config,
        Err(errors) if errors.len() == 1 => return "1 setting to correct".to_owned(),
        Err(errors) => return format!("{} settings to correct", errors.len()),
    };
    let method = match (config.rank, config.nnz) {
        (0, _) => config.method.to_string(),
        (rank, 0) => format!("rank {rank}"),
        (rank, nnz) => format!("rank {rank} + {nnz} entries"),
    };
    match config.prune {
        Pruning::None => method,
        Pruning::Unstructured { sparsity } => format!("{method}, {:.0} % off", 100.0 * sparsity),
        Pruning::Heads { n_heads: 1 } => format!("{method}, 1 head off"),
        Pruning::Heads { n_heads } => format!("{method}, {n_heads} heads off"),
    }
}
