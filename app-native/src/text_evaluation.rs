//! A decoder judged by what it writes: a text for every context of an evaluation set, and the figures of its task.
//!
//! ```text
//! written.jsonl  hypotheses.txt  references*.txt  figures.json
//! ```
//!
//! `written.jsonl` grows by a line a text, so that an evaluation that was stopped goes on where it was.

use anyhow::{Context as _, bail};
use dsee_core::{
    checkpoint::hash::sha256_hex,
    config::RunConfig,
    data::{RunData, generation::GenerationExample},
    engine::TextForm,
    report::{RunReport, Setting},
    tasks::scoring::{Scored, WrittenTexts},
};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    atomic,
    commands::score,
    failure::Failure,
    interrupt,
    meteor_tables::MeteorArgs,
    progress::clock,
    recorder::{REPORT_DATA_FILE, write_report},
    run_folder::RunFolder,
    run_inputs,
    saved_run::SavedRun,
    texts::{Source, TextWriter},
};

/// The folder of texts in that of a run.
pub const TEXTS_FOLDER: &str = "texts";
const FIGURES_FILE: &str = "figures.json";
const WRITTEN_FILE: &str = "written.jsonl";
/// How often a log that nobody watches is told how far it is.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// What an evaluation came to.
pub struct TextFigures {
    /// The metrics of the task.
    pub scored: Vec<Scored>,
    /// Contexts that were written for.
    pub n_contexts: usize,
    /// Where texts, references and figures lie.
    pub folder: PathBuf,
}

impl TextFigures {
    /// The figures by name, with what they are.
    pub fn to_json(&self) -> Value {
        json!({ "n_contexts": self.n_contexts, "metrics": self.values(), "about": score::about(&self.scored) })
    }

    /// The figures by name; null where one is undefined.
    pub fn values(&self) -> Map<String, Value> {
        score::values(&self.scored)
    }
}

/// How texts are written and judged.
#[derive(Clone, Copy)]
pub struct Evaluation<'a> {
    /// The settings of writing.
    pub config: &'a RunConfig,
    /// METEOR's tables.
    pub meteor: &'a MeteorArgs,
    /// The command that goes on after an interruption.
    pub again: &'a str,
}

/// Writes a text for every example, and scores them. Files go to `folder`.
///
/// # Errors
/// Contexts that are too long, errors of the device and of the disk, and an interruption.
pub fn evaluate(
    saved: &SavedRun,
    how: Evaluation<'_>,
    examples: &[GenerationExample],
    folder: &Path,
) -> Result<TextFigures, Failure> {
    let config = how.config;
    check_free(folder)?;
    interrupt::listen()?;
    let contexts: Vec<&str> = examples.iter().map(|example| example.context.as_str()).collect();
    let SavedRun { base, state, tokenizer, .. } = saved;
    let source = Source { base, state, tokenizer, config, form: TextForm::ForContext };
    let mut writer = TextWriter::open(source, &contexts)?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder: {}", folder.display()))?;
    let of_what = json!({
        "settings": writer.config(), "state": saved.state_sha256()?, "contexts": sha256_hex(contexts.join("\n").as_bytes()),
    });
    let mut record = Record::open(&folder.join(WRITTEN_FILE), &of_what)?;
    let mut watch = Watch::new(record.texts.len(), contexts.len());
    for (number, context) in contexts.iter().enumerate().skip(record.texts.len()) {
        let Some(written) = writer.write(number)? else {
            watch.end();
            return Err(Failure::Interrupted { resume_command: how.again.to_owned() });
        };
        record.push(context, written.text)?;
        watch.show(number + 1);
    }
    watch.end();
    let written = WrittenTexts::new(config.task, examples, &record.texts);
    for (name, text) in written.files() {
        atomic::write(&folder.join(name), text.as_bytes())?;
    }
    let corpus = written.corpus().map_err(anyhow::Error::from)?;
    let scored = written.score(&corpus, how.meteor.read(&corpus)?.as_ref());
    let figures = TextFigures { scored, n_contexts: contexts.len(), folder: folder.to_path_buf() };
    atomic::write(&folder.join(FIGURES_FILE), format!("{:#}\n", figures.to_json()).as_bytes())?;
    Ok(figures)
}

/// Whether nothing but texts of ours is in the folder.
fn check_free(folder: &Path) -> anyhow::Result<()> {
    let holds_something = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if holds_something && !folder.join(WRITTEN_FILE).exists() {
        bail!("the folder holds something else; choose another --texts-dir: {}", folder.display());
    }
    Ok(())
}

/// The same of a finished run with its own validation contexts and settings, in its own folder.
///
/// # Errors
/// As [`evaluate`], and a run that is not one of texts for contexts.
pub fn of_run(run: &Path, meteor: &MeteorArgs, again: &str) -> Result<TextFigures, Failure> {
    let saved = SavedRun::open(run, None)?;
    let data = run_inputs::load_data(&saved.config, None)?;
    let RunData::Generation(splits) = &data else {
        return Err(anyhow::anyhow!("the run writes no text for contexts: {}", run.display()).into());
    };
    let how = Evaluation { config: &saved.config, meteor, again };
    let figures = evaluate(&saved, how, &splits.validation, &run.join(TEXTS_FOLDER))?;
    note_in_report(&saved.folder, &figures)?;
    Ok(figures)
}

/// Writes the report of a run again, with the figures of its texts.
///
/// # Errors
/// If the report cannot be read or written.
pub fn note_in_report(run: &RunFolder, figures: &TextFigures) -> anyhow::Result<()> {
    let path = run.path().join(REPORT_DATA_FILE);
    let bytes = fs::read(&path).with_context(|| format!("cannot read: {}", path.display()))?;
    let mut report: RunReport =
        serde_json::from_slice(&bytes).with_context(|| format!("damaged: {}", path.display()))?;
    let row = |(metric, score): &Scored| Setting {
        name: format!("{} ({})", metric.title, metric.form),
        value: match score {
            Ok(value) => format!("{value:.4} ({})", metric.scale.name()),
            Err(reason) => reason.to_string(),
        },
    };
    report.text_figures = figures.scored.iter().map(row).collect();
    write_report(run, &report)
}

/// The figures that an evaluation left in the folder of a run, without those that were undefined; `None` if it has
/// not finished.
pub fn figures_of(run: &Path) -> Option<BTreeMap<String, f64>> {
    let bytes = fs::read(run.join(TEXTS_FOLDER).join(FIGURES_FILE)).ok()?;
    let figures: Value = serde_json::from_slice(&bytes).ok()?;
    let metrics = figures.get("metrics")?.as_object()?;
    Some(metrics.iter().filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect())
}

/// The texts so far, on the disk and in memory.
struct Record {
    file: File,
    texts: Vec<String>,
}

impl Record {
    /// Goes on with the file if it is of the same settings, state and contexts; else it begins anew.
    fn open(path: &Path, of_what: &Value) -> anyhow::Result<Self> {
        let old = fs::read_to_string(path).unwrap_or_default();
        let mut lines = old.lines().map(|line| serde_json::from_str::<Value>(line).ok());
        let is_same = lines.next().flatten().as_ref() == Some(of_what);
        // The last line may be half a one.
        let whole = lines.map_while(|line| line).take_while(|_| is_same);
        let texts: Vec<(Value, String)> = whole
            .filter_map(|line| {
                let text = line.get("text")?.as_str()?.to_owned();
                Some((line, text))
            })
            .collect();
        let kept = texts.iter().map(|(line, _)| line);
        let content: String = std::iter::once(of_what).chain(kept).map(|line| format!("{line}\n")).collect();
        atomic::write(path, content.as_bytes())?;
        let file = File::options().append(true).open(path);
        let file = file.with_context(|| format!("cannot write: {}", path.display()))?;
        Ok(Self { file, texts: texts.into_iter().map(|(_, text)| text).collect() })
    }

    fn push(&mut self, context: &str, text: String) -> anyhow::Result<()> {
        let line = format!("{}\n", json!({ "context": context, "text": text }));
        self.file.write_all(line.as_bytes()).context("cannot write the text")?;
        self.texts.push(text);
        Ok(())
    }
}

/// How far it is, on stderr: a line that is written over for people, one every half a minute for logs.
struct Watch {
    start: Instant,
    told: Instant,
    n_before: usize,
    n_all: usize,
}

impl Watch {
    fn new(n_before: usize, n_all: usize) -> Self {
        if n_before > 0 {
            say!("{:<9} {n_before} of {n_all} are there already", "texts");
        }
        Self { start: Instant::now(), told: Instant::now(), n_before, n_all }
    }

    fn show(&mut self, n_done: usize) {
        let is_watched = std::io::stderr().is_terminal();
        if !is_watched && n_done < self.n_all && self.told.elapsed() < LOG_INTERVAL {
            return;
        }
        self.told = Instant::now();
        let line = progress_line(n_done, self.n_before, self.n_all, self.start.elapsed().as_secs_f64());
        let (before, after) = if is_watched { ("\r", "  ") } else { ("", "\n") };
        // Progress that cannot be shown hinders nothing.
        let _ = write!(std::io::stderr(), "{before}{line}{after}");
    }

    fn end(&self) {
        if std::io::stderr().is_terminal() {
            say!("");
        }
    }
}

fn progress_line(n_done: usize, n_before: usize, n_all: usize, seconds: f64) -> String {
    let each = seconds / n_done.saturating_sub(n_before).max(1) as f64;
    let left = match n_all - n_done {
        0 => format!("in {}", clock(seconds)),
        n_left => format!("about {} left", clock(each * n_left as f64)),
    };
    format!("{:<9} {n_done} of {n_all}  {left}", "texts")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn a_record_goes_on_behind_its_last_whole_line() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(WRITTEN_FILE);
        let settings = json!({ "num_beams": 10 });
        let mut record = Record::open(&path, &settings).unwrap();
        record.push("a", "one\ntwo".into()).unwrap();
        record.push("b", "three".into()).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        atomic::write(&path, &whole.as_bytes()[..whole.len() - 4]).unwrap();
        let mut record = Record::open(&path, &settings).unwrap();
        assert_eq!(record.texts, ["one\ntwo"]);
        record.push("b", "three".into()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
        assert!(Record::open(&path, &json!({ "num_beams": 1 })).unwrap().texts.is_empty());
    }

    #[test]
    fn the_time_left_follows_the_texts_of_this_time() {
        assert_eq!(progress_line(30, 10, 50, 40.0), "texts     30 of 50  about 40 s left");
        assert_eq!(progress_line(50, 10, 50, 80.0), "texts     50 of 50  in 1:20");
    }
}
