//! The figures of texts that a decoder wrote, as the programs of each task compute them: which texts are compared with
//! which references, in which spelling, by which metrics (`dsee-method` 6.3 and 6.4).

use super::normalise::{filled, for_scoring};
use super::{Task, TaskSpec};
use crate::data::generation::GenerationExample;
use crate::metrics::nlg::{Corpus, CorpusError, MeteorTables, NlgMetric, Undefined};

/// References of every context in the published files of WebNLG and DART.
const N_REFERENCES: usize = 6;

/// METEOR with synonyms and paraphrases, whose tables a user may have.
pub const METEOR_IN_FULL: &str = "meteor";

/// A metric with its figure, or why it has none.
pub type Scored = (&'static NlgMetric, Result<f64, Undefined>);

/// The metrics of a task, its main one first; without a task those of E2E.
#[must_use]
pub fn metrics_of(task: Option<Task>) -> Vec<&'static NlgMetric> {
    let names = task.map_or(Task::E2e.spec().text_metrics, |task| task.spec().text_metrics);
    names.iter().filter_map(|name| NlgMetric::from_name(name)).collect()
}

/// Texts with their references, as a task's metrics read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenTexts {
    task: Option<Task>,
    hypotheses: Vec<String>,
    references: Vec<Vec<String>>,
}

impl WrittenTexts {
    /// One text for every example. Line ends inside texts become spaces, because files of texts have one a line.
    ///
    /// # Panics
    /// If their numbers differ.
    #[must_use]
    pub fn new(task: Option<Task>, examples: &[GenerationExample], texts: &[String]) -> Self {
        assert_eq!(examples.len(), texts.len(), "a text for every context");
        let as_scored = |text: &String| {
            let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
            for_scoring(task.unwrap_or(Task::E2e), &line)
        };
        let references = examples.iter().map(|example| {
            let all: Vec<String> = example.completions.iter().map(as_scored).collect();
            if has_numbered_references(task) { filled(&all, N_REFERENCES) } else { all }
        });
        Self { task, hypotheses: texts.iter().map(as_scored).collect(), references: references.collect() }
    }

    /// What metrics read.
    ///
    /// # Errors
    /// If there is no text at all, or a reference is blank.
    pub fn corpus(&self) -> Result<Corpus, CorpusError> {
        Corpus::new(self.hypotheses.clone(), self.references.clone())
    }

    /// Every metric of the task on its `corpus`, and with METEOR's tables METEOR in full.
    #[must_use]
    pub fn score(&self, corpus: &Corpus, tables: Option<&MeteorTables>) -> Vec<Scored> {
        let full = tables.and_then(|_| NlgMetric::from_name(METEOR_IN_FULL));
        let (none, metrics) = (MeteorTables::default(), metrics_of(self.task).into_iter().chain(full));
        metrics.map(|metric| (metric, metric.score(corpus, tables.unwrap_or(&none)))).collect()
    }

    /// The files that reference programs and `dsee score` take: hypotheses one a line; references of E2E grouped by
    /// blank lines, those of WebNLG and DART in a file for each, as name and content.
    #[must_use]
    pub fn files(&self) -> Vec<(String, String)> {
        let lines = |texts: &mut dyn Iterator<Item = &String>| -> String {
            texts.flat_map(|text| [text.as_str(), "\n"]).collect()
        };
        let mut files = vec![("hypotheses.txt".to_owned(), lines(&mut self.hypotheses.iter()))];
        if has_numbered_references(self.task) {
            files.extend((0..N_REFERENCES).map(|number| {
                let own = &mut self.references.iter().filter_map(|references| references.get(number));
                (format!("references{number}.txt"), lines(own))
            }));
        } else {
            let groups: Vec<String> = self.references.iter().map(|own| lines(&mut own.iter())).collect();
            files.push(("references.txt".to_owned(), groups.join("\n")));
        }
        files
    }
}

fn has_numbered_references(task: Option<Task>) -> bool {
    matches!(task, Some(Task::Webnlg | Task::Dart))
}

impl TaskSpec {
    /// The figure of written texts that stands for the task in tables; `None` where no text is written.
    #[must_use]
    pub fn main_text_metric(&self) -> Option<&'static str> {
        self.text_metrics.first().copied()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::data::DataFile;

    fn examples() -> Vec<GenerationExample> {
        let example = |context: &str, completions: &[&str]| GenerationExample {
            context: context.to_owned(),
            completions: completions.iter().map(ToString::to_string).collect(),
            seen: None,
        };
        vec![
            example("a", &["The Mill is a cheap pub.", "A cheap pub is The Mill."]),
            example("b", &["The Inn is an old pub by the river."]),
        ]
    }

    fn texts() -> Vec<String> {
        ["The Mill is a\ncheap pub.", "The Inn is old."].map(str::to_owned).into()
    }

    #[test]
    fn tables_bring_meteor_in_full() {
        let written = WrittenTexts::new(Some(Task::E2e), &examples(), &texts());
        let corpus = written.corpus().unwrap();
        let names = |tables: Option<&MeteorTables>| {
            written.score(&corpus, tables).iter().map(|(metric, _)| metric.name).collect::<Vec<_>>()
        };
        assert!(!names(None).contains(&METEOR_IN_FULL));
        assert_eq!(names(Some(&MeteorTables::default())).last(), Some(&METEOR_IN_FULL));
    }

    #[test]
    fn every_task_of_texts_has_metrics_that_exist() {
        for task in Task::ALL {
            let spec = task.spec();
            let is_text = spec.kind == crate::data::TaskKind::Generation;
            assert_eq!(!spec.text_metrics.is_empty(), is_text, "{task}");
            assert_eq!(metrics_of(Some(task)).len(), spec.text_metrics.len(), "{task}");
        }
        assert_eq!(metrics_of(None).len(), 5);
    }

    #[test]
    fn files_come_to_the_same_figures() {
        for task in [None, Some(Task::E2e), Some(Task::Webnlg), Some(Task::Dart)] {
            let written = WrittenTexts::new(task, &examples(), &texts());
            let files = written.files();
            let file = |(name, text): &(String, String)| -> (String, Vec<u8>) {
                (name.clone(), text.clone().into_bytes())
            };
            let files: Vec<_> = files.iter().map(file).collect();
            let files: Vec<DataFile<'_>> =
                files.iter().map(|(name, bytes)| DataFile { name, bytes }).collect();
            assert_eq!(files.len(), if has_numbered_references(task) { 7 } else { 2 });
            let corpus = Corpus::read(files[0], &files[1..]).unwrap();
            for (metric, score) in written.score(&written.corpus().unwrap(), None) {
                assert_eq!(
                    metric.score(&corpus, &MeteorTables::default()),
                    score,
                    "{task:?} {}",
                    metric.name
                );
            }
        }
    }

    #[test]
    fn triples_have_six_references_in_small_letters() {
        let written = WrittenTexts::new(Some(Task::Webnlg), &examples(), &texts());
        assert_eq!(written.hypotheses[0], "the mill is a cheap pub .");
        assert_eq!(
            written.references[0][..3],
            ["the mill is a cheap pub .", "a cheap pub is the mill .", "the mill is a cheap pub ."]
        );
        assert!(written.references.iter().all(|own| own.len() == 6));
    }

    #[test]
    fn silence_is_scored_and_not_crashed_on() {
        let silent = WrittenTexts::new(Some(Task::E2e), &examples(), &["".to_owned(), String::new()]);
        let scored = silent.score(&silent.corpus().unwrap(), None);
        assert!(
            scored.iter().all(|(_, score)| score.as_ref().map_or(true, |value| value.abs() < 1e-9)),
            "{scored:?}"
        );
        let error = WrittenTexts::new(None, &[], &[]).corpus().unwrap_err().to_string();
        assert!(error.contains("hypotheses"), "{error}");
    }
}
