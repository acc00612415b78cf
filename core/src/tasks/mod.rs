//! The tasks of the paper by name: eight of GLUE and three of text from data.
//!
//! A task says which columns its files have, what the labels are called and in which order, which figure a model
//! is judged by, and the recommended settings; whatever the user sets himself wins. [`glue`] and [`text`] hold one
//! row a task, [`normalise`] what happens to generated text before it is scored, [`scoring`] by what.

mod glue;
pub mod normalise;
pub mod scoring;
mod text;

use serde::{Deserialize, Serialize};

use crate::{config::Method, data::TaskKind, metrics::Metric};

/// One of the paper's tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Sentiment of film reviews.
    Sst2,
    /// Is a sentence acceptable English?
    Cola,
    /// Does the second text follow from the first?
    Rte,
    /// Do two sentences say the same?
    Mrpc,
    /// How similar are two sentences, from 0 to 5?
    Stsb,
    /// Do two questions ask the same?
    Qqp,
    /// Does the sentence answer the question?
    Qnli,
    /// Does the hypothesis follow from the premise, contradict it, or neither?
    Mnli,
    /// Text about restaurants from attributes.
    E2e,
    /// Text from triples of a knowledge base.
    Webnlg,
    /// Text from triples of open domains.
    Dart,
}

/// What is known of a task.
#[derive(Clone, Copy, Debug)]
pub struct TaskSpec {
    /// The name on the command line and in `run.toml`.
    pub name: &'static str,
    /// The name in tables.
    pub title: &'static str,
    /// What is predicted.
    pub kind: TaskKind,
    /// The data set of the hub that has it.
    pub dataset: HubSource,
    /// Which files hold it, for who cannot reach the hub.
    pub files: &'static str,
    /// The columns of its files, in each spelling that is in use; none for generation, whose files have forms of
    /// their own ([`crate::data::generation`]).
    pub columns: &'static [TaskColumns],
    /// Number of columns of the form without header, and which of them are read.
    pub headerless: Option<(usize, TaskColumns)>,
    /// Names of the classes in the order of their numbers; none where the label is a number.
    pub labels: &'static [&'static str],
    /// Smallest and largest score, for regression.
    pub score_range: Option<(f64, f64)>,
    /// The figure that the paper reports and that chooses the best state.
    pub metric: Metric,
    /// Further figures that belong in its tables.
    pub also: &'static [Metric],
    /// The figures of written texts, the one for tables first; none where no text is written.
    pub text_metrics: &'static [&'static str],
    /// The recommended settings.
    pub recipe: Recipe,
}

/// Where on the hub a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubSource {
    /// The data set.
    pub name: &'static str,
    /// Which of its configurations the task is.
    pub configuration: HubConfiguration,
}

/// One of several configurations of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HubConfiguration {
    /// It has only one.
    Only,
    /// The one with the task's name.
    OfTask,
    /// The one with this name.
    Named(&'static str),
}

impl TaskSpec {
    /// The task's configuration of the data set called `name`, if that is its own and has several.
    #[must_use]
    pub fn configuration_of(&self, name: &str) -> Option<&'static str> {
        match self.dataset.configuration {
            HubConfiguration::OfTask if self.dataset.name == name => Some(self.name),
            HubConfiguration::Named(configuration) if self.dataset.name == name => Some(configuration),
            _ => None,
        }
    }
}

/// Names of the columns of a task, or their numbers from 1 where there is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskColumns {
    /// The text.
    pub text: &'static str,
    /// The second text, for pairs.
    pub text_pair: Option<&'static str>,
    /// The label.
    pub label: &'static str,
}

/// Recommended settings, as they would be written in `run.toml`.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Epochs of tuning.
    pub epochs: &'static str,
    /// Epochs of retuning.
    pub retune_epochs: &'static str,
    /// Learning rate of both, for methods that train an update beside frozen weights.
    pub learning_rate: &'static str,
    /// Epochs where every weight is trained.
    pub full_epochs: &'static str,
    /// Other settings with their values.
    pub others: &'static [&'static [(&'static str, &'static str)]],
    /// What single methods were published with; it counts before all of the above.
    pub of_methods: &'static [(Method, &'static [(&'static str, &'static str)])],
}

impl Task {
    /// All tasks, in the order in which they are shown.
    pub const ALL: [Self; 11] = [
        Self::Sst2,
        Self::Cola,
        Self::Rte,
        Self::Mrpc,
        Self::Stsb,
        Self::Qqp,
        Self::Qnli,
        Self::Mnli,
        Self::E2e,
        Self::Webnlg,
        Self::Dart,
    ];

    /// What is known of it.
    #[must_use]
    pub fn spec(self) -> &'static TaskSpec {
        match self {
            Self::Sst2 => &glue::SST2,
            Self::Cola => &glue::COLA,
            Self::Rte => &glue::RTE,
            Self::Mrpc => &glue::MRPC,
            Self::Stsb => &glue::STSB,
            Self::Qqp => &glue::QQP,
            Self::Qnli => &glue::QNLI,
            Self::Mnli => &glue::MNLI,
            Self::E2e => &text::E2E,
            Self::Webnlg => &text::WEBNLG,
            Self::Dart => &text::DART,
        }
    }

    /// The task called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.spec().name == name)
    }

    /// The settings the task recommends for a method, as name and value: what holds where the user says nothing.
    #[must_use]
    pub fn settings(self, method: Method) -> Vec<(&'static str, &'static str)> {
        let TaskSpec { kind, metric, recipe, .. } = self.spec();
        let mut settings = vec![("task_type", kind.name()), ("metric_for_best_model", metric.name())];
        if method == Method::EarlyBert {
            // Its search and what follows it have lengths of their own.
        } else if matches!(method, Method::Full | Method::FtTop2 | Method::BertTickets) {
            settings.push(("num_train_epochs", recipe.full_epochs));
        } else {
            settings.extend([("num_train_epochs", recipe.epochs), ("retune_epochs", recipe.retune_epochs)]);
        }
        if method.has_update() {
            settings.extend([
                ("learning_rate", recipe.learning_rate),
                ("retune_learning_rate", recipe.learning_rate),
            ]);
        }
        settings.extend(recipe.others.iter().copied().flatten());
        for (name, value) in
            recipe.of_methods.iter().filter(|(of, _)| *of == method).flat_map(|(_, own)| *own)
        {
            settings.retain(|(other, _)| other != name);
            settings.push((name, value));
        }
        settings
    }
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.spec().name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::config::RunConfigDraft;

    #[test]
    fn names_are_found_and_written_the_same() {
        for task in Task::ALL {
            assert_eq!(Task::from_name(task.spec().name), Some(task));
            assert_eq!(serde_json::to_string(&task).unwrap(), format!("\"{task}\""));
        }
        assert_eq!(Task::from_name("wnli"), None);
    }

    #[test]
    fn methods_keep_what_they_were_published_with() {
        let value = |task: Task, method, name| {
            let settings = task.settings(method);
            settings.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
        };
        assert_eq!(value(Task::Rte, Method::PTuning, "num_train_epochs"), Some("60"));
        assert_eq!(value(Task::Rte, Method::Lora, "num_train_epochs"), Some("5"));
        let prefix = |task| {
            ["prefix_length", "per_device_train_batch_size", "weight_decay"]
                .map(|name| value(task, Method::Prefix, name))
        };
        assert_eq!(prefix(Task::E2e), [Some("10"), Some("10"), Some("0")]);
        assert_eq!(prefix(Task::Webnlg), [Some("5"), Some("5"), Some("0")]);
        assert_eq!(value(Task::Dart, Method::Adapters, "learning_rate"), Some("2e-4"));
        assert_eq!(value(Task::E2e, Method::Lora, "weight_decay"), Some("0.01"));
    }

    #[test]
    fn every_recommendation_is_a_setting_with_a_right_value() {
        for task in Task::ALL {
            for method in Method::ALL.iter().copied() {
                let settings = task.settings(method);
                let draft = RunConfigDraft::default().with("method", crate::config::Choice::name(method));
                let draft = settings.iter().fold(draft, |draft, (name, value)| draft.with(name, value));
                assert!(draft.check().is_ok(), "{task}: {:?}", draft.check());
                let mut names: Vec<&str> = settings.iter().map(|(name, _)| *name).collect();
                names.sort_unstable();
                let n_settings = names.len();
                names.dedup();
                assert_eq!(names.len(), n_settings, "{task} says something twice");
            }
        }
    }
}
