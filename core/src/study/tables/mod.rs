//! The tables of the paper, one file each: what is run, on which tasks, and what the paper says of it
//! (`dsee-method` 7). They hold on any model and data; the paper's own are named in each.
//!
//! The printed tables were not found in public sources; rows are those that the text compares.

mod build;
mod decoders;
mod fig2;
mod t1;
mod t3;
mod t5;
mod t6;
mod t7;
mod t9;

use super::Study;

/// Names of the tables that are runs, in the order in which they are shown.
pub const NAMES: [&str; 9] = ["t1", "t2", "t3", "t4", "t5", "t6", "t7", "t9", "fig2"];

/// The table called `name`.
#[must_use]
pub fn find(name: &str) -> Option<Study> {
    let table = match name {
        "t1" => t1::table,
        "t2" => decoders::t2,
        "t3" => t3::table,
        "t4" => decoders::t4,
        "t5" => t5::table,
        "t6" => t6::table,
        "t7" => t7::table,
        "t9" => t9::table,
        "fig2" => fig2::table,
        _ => return None,
    };
    Some(Study { name: name.to_owned(), ..table() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::config::{Choice as _, FieldSpec, Method};
    use crate::study::claim::Test;
    use crate::tasks::Task;

    #[test]
    fn every_table_names_tasks_settings_and_arms_that_exist() {
        for name in NAMES {
            let study = find(name).unwrap();
            assert!(study.tasks.iter().all(|task| Task::from_name(task).is_some()), "{name}");
            assert!(!study.claims.is_empty() && !study.title.is_empty(), "{name}");
            let mut ids: Vec<&str> = study.arms.iter().map(|arm| arm.id.as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), study.arms.len(), "{name} names an arm twice");
            for arm in &study.arms {
                assert!(arm.id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{}", arm.id);
                for (setting, _) in &arm.settings {
                    assert!(FieldSpec::find(setting).is_some(), "{name}, {}: {setting}", arm.id);
                }
            }
            let tests = study.claims.iter().flat_map(|claim| &claim.tests);
            for test in tests {
                let (arms, task) = match test {
                    Test::Better { a, b, task, .. } => (vec![a, b], Some(task)),
                    Test::Reaches { arm, task, .. } => (vec![arm], Some(task)),
                    Test::Ratio { a, b, .. } => (std::iter::once(a).chain(b).collect(), None),
                };
                assert!(arms.iter().all(|id| study.arm(id).is_some()), "{name}: {test:?}");
                assert!(task.is_none_or(|task| study.tasks.contains(task)), "{name}: {test:?}");
            }
        }
        assert_eq!(find("t8"), None);
    }

    #[test]
    fn figures_of_texts_are_those_of_their_task() {
        for name in ["t2", "t4"] {
            let study = find(name).unwrap();
            for test in study.claims.iter().flat_map(|claim| &claim.tests) {
                let (task, metric) = match test {
                    Test::Better { task, metric, .. } => (task, metric.as_deref()),
                    Test::Reaches { task, metric, .. } => (task, Some(metric.as_str())),
                    Test::Ratio { .. } => continue,
                };
                let metrics = Task::from_name(task).unwrap().spec().text_metrics;
                assert!(metric.is_some_and(|metric| metrics.contains(&metric)), "{name}: {test:?}");
            }
        }
    }

    #[test]
    fn only_the_decoders_tables_need_text() {
        for name in NAMES {
            assert_eq!(!find(name).unwrap().text_tasks().is_empty(), ["t2", "t4"].contains(&name), "{name}");
        }
    }

    #[test]
    fn methods_of_the_engine_are_recognised() {
        let of_engine = |id: &&str| Method::from_name(id).is_some();
        assert_eq!(["full", "lora", "dsee", "bitfit"].iter().filter(|id| of_engine(id)).count(), 4);
    }
}
