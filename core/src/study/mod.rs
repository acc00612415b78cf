//! Studies: the runs that one question needs, and the table that answers it.
//!
//! A [`Study`] is plain data: arms (what is set), tasks, claims. [`plan`] turns it into runs, an app carries them out
//! with the code of every other run, and [`results`] makes the table, [`claim`] the verdicts and [`document`] the
//! written forms. [`tables`] holds the tables of the paper, [`counts`] the one that is arithmetic only, and
//! [`shard`] divides the runs among machines.

mod charts;
pub mod claim;
pub mod counts;
pub mod document;
mod evidence;
mod places;
pub mod plan;
pub mod results;
pub mod shard;
pub mod statistics;
pub mod tables;

use serde::{Deserialize, Serialize};

use crate::tasks::Task;
use claim::Claim;

/// Settings as name and value, as they would be written in `run.toml`.
pub type Settings = Vec<(String, String)>;

/// The task of a study on data that belong to none of the paper's tasks.
pub const OWN_DATA: &str = "data";

/// What is to be run, and what is to be read from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// Its name on the command line.
    pub name: String,
    /// What it shows, in one line.
    pub title: String,
    /// The model the paper ran it on; empty for a study that is not the paper's.
    pub paper_model: String,
    /// What holds for all runs where neither the user nor an arm says otherwise.
    pub defaults: Settings,
    /// The same for single tasks, by name; they count before `defaults`.
    pub task_defaults: Vec<(String, Settings)>,
    /// The setting that arms are drawn over, in a study that is a figure.
    pub axis: Option<String>,
    /// Tasks by name, or [`OWN_DATA`].
    pub tasks: Vec<String>,
    /// The settings that are compared.
    pub arms: Vec<Arm>,
    /// What the paper says of the results.
    pub claims: Vec<Claim>,
}

/// One of the settings that are compared: a row of the table, or a cell of a row with several variants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arm {
    /// Short name, part of folder names and of claims.
    pub id: String,
    /// The row it stands in.
    pub row: String,
    /// The column it stands in below each task; empty where an arm is a whole row.
    pub variant: String,
    /// Its settings. A share is allowed where it depends on the model or on the other settings:
    /// `heads:1/4` of the heads, a `rank` of `1/2` of the rank that was asked for.
    pub settings: Settings,
}

impl Study {
    /// The arm called `id`.
    #[must_use]
    pub fn arm(&self, id: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.id == id)
    }

    /// Whether a setting is what tells its arms apart. A learning rate never is: each arm has the one that suits it.
    #[must_use]
    pub fn compares(&self, setting: &str) -> bool {
        let is_set = |arm: &Arm| arm.settings.iter().any(|(name, _)| name == setting);
        !setting.ends_with("learning_rate") && self.arms.iter().any(is_set)
    }

    /// Rows of the table, in order.
    #[must_use]
    pub fn rows(&self) -> Vec<&str> {
        distinct(self.arms.iter().map(|arm| arm.row.as_str()))
    }

    /// Columns below each task, in order; one without name where there are no variants.
    #[must_use]
    pub fn variants(&self) -> Vec<&str> {
        distinct(self.arms.iter().map(|arm| arm.variant.as_str()))
    }

    /// Tasks whose outcome is a text; they need a decoder and its search.
    #[must_use]
    pub fn text_tasks(&self) -> Vec<&str> {
        let is_text = |name: &&str| {
            Task::from_name(name).is_some_and(|task| task.spec().kind == crate::data::TaskKind::Generation)
        };
        self.tasks.iter().map(String::as_str).filter(is_text).collect()
    }
}

/// A task's name in tables.
#[must_use]
pub fn task_title(task: &str) -> &str {
    Task::from_name(task).map_or(task, |task| task.spec().title)
}

fn distinct<'a>(values: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut out = Vec::new();
    for value in values {
        if !out.contains(&value) {
            out.push(value);
        }
    }
    out
}
