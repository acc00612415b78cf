//! Runs on the disk, whoever made them: as a list for the window, and as what it takes to go on with one.

use anyhow::{Context as _, bail};
use dsee_core::{
    config::RunConfig,
    hub::DEFAULT_REVISION,
    protocol::{Command, RunId, Settings},
    report::{LossPoint, MetricPoint, RatePoint, RunReport},
    source::NamedBytes,
};
use dsee_ui::shell::SavedRun;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    engine_thread::{EngineFile, Order},
    held_files::name_of,
};
use crate::{
    hub::{self, Cache},
    recorder::REPORT_DATA_FILE,
    resume::ResumePoint,
    run_folder::{LOG_FILE, RunFolder, SETTINGS_FILE, STATE_FILE},
    run_lock,
    settings_args::read_draft,
};

/// Folders that only finished runs of the command line have.
const RESULTS: [&str; 3] = ["adapter", "merged", "dsee"];

/// The runs that the window lists.
pub struct SavedRuns {
    place: PathBuf,
    /// Run folders elsewhere that the user has opened.
    opened: Vec<PathBuf>,
}

impl SavedRuns {
    /// The runs in the folder `place`.
    pub fn new(place: PathBuf) -> Self {
        Self { place, opened: Vec::new() }
    }

    /// Adds a run folder from elsewhere and gives its name in the list.
    ///
    /// # Errors
    /// If it is none.
    pub fn open(&mut self, path: &Path) -> anyhow::Result<String> {
        RunFolder::open(path)?;
        let path = std::path::absolute(path)?;
        let key = path.display().to_string();
        if !self.opened.contains(&path) {
            self.opened.push(path);
        }
        Ok(key)
    }

    /// All of them, the newest first. Folders that cannot be read are passed over.
    pub fn list(&self) -> Vec<SavedRun> {
        let inside = fs::read_dir(&self.place).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut paths: Vec<PathBuf> = inside.filter_map(|path| std::path::absolute(path).ok()).collect();
        paths.extend(self.opened.iter().cloned());
        paths.sort();
        paths.dedup();
        let mut runs: Vec<(SystemTime, SavedRun)> =
            paths.iter().filter_map(|path| read_run(path).ok()).collect();
        runs.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| b.1.key.cmp(&a.1.key)));
        runs.into_iter().map(|(_, run)| run).collect()
    }

    /// The newest run that was not finished, has a checkpoint, and is not under way elsewhere.
    pub fn last_unfinished(&self) -> Option<SavedRun> {
        let newest = self.list().into_iter().next()?;
        let path = Path::new(&newest.key);
        let has_checkpoint = RunFolder::open(path).is_ok_and(|folder| !folder.checkpoints().is_empty());
        (!newest.finished && has_checkpoint && !run_lock::is_held(path)).then_some(newest)
    }

    /// Removes a run folder with everything in it.
    ///
    /// # Errors
    /// If it is no run of the list, is under way, or cannot be removed.
    pub fn delete(&mut self, key: &str) -> anyhow::Result<()> {
        let path = Path::new(key);
        RunFolder::open(path)?;
        if run_lock::is_held(path) {
            bail!("this run is under way, it cannot be deleted: {key}");
        }
        fs::remove_dir_all(path).with_context(|| format!("cannot remove: {key}"))?;
        self.opened.retain(|opened| opened != path);
        Ok(())
    }
}

/// Reads what a run folder tells, and when it was last written.
fn read_run(path: &Path) -> anyhow::Result<(SystemTime, SavedRun)> {
    let folder = RunFolder::open(path)?;
    let state = read_json(&path.join(STATE_FILE)).unwrap_or_default();
    let newest = folder.checkpoints().last().copied();
    let written = [STATE_FILE, LOG_FILE, SETTINGS_FILE]
        .into_iter()
        .filter_map(|name| fs::metadata(path.join(name)).and_then(|found| found.modified()).ok());
    let written = written.max().unwrap_or(SystemTime::UNIX_EPOCH);
    let seconds = SystemTime::now().duration_since(written).unwrap_or_default().as_secs();
    let when = jiff::Timestamp::try_from(written)?.to_zoned(jiff::tz::TimeZone::system());
    let has_results = RESULTS.into_iter().any(|name| path.join(name).is_dir());
    let run = SavedRun {
        key: path.display().to_string(),
        when: when.strftime("%Y-%m-%d %H:%M").to_string(),
        minutes_ago: seconds / 60,
        step: newest.unwrap_or_else(|| state["global_step"].as_u64().unwrap_or(0) as usize),
        finished: has_results || state["is_finished"] == true,
        run: None,
        report: read_report(&folder, newest)?,
    };
    Ok((written, run))
}

/// The report as data; from the newest checkpoint or from the log where the folder has none.
fn read_report(folder: &RunFolder, newest: Option<usize>) -> anyhow::Result<RunReport> {
    let beside = Some(folder.path().to_path_buf());
    let places = [beside, newest.map(|step| folder.checkpoint_path(step))].into_iter().flatten();
    let mut read =
        places.filter_map(|place| serde_json::from_slice(&fs::read(place.join(REPORT_DATA_FILE)).ok()?).ok());
    match read.next() {
        Some(report) => Ok(report),
        None => {
            let draft =
                read_draft(&folder.path().join(SETTINGS_FILE)).map_err(|error| anyhow::anyhow!("{error}"))?;
            let config = draft.check().map_err(|_| anyhow::anyhow!("the settings of the run cannot be"))?;
            let log = fs::read_to_string(folder.path().join(LOG_FILE)).unwrap_or_default();
            Ok(report_of_log(&config, &log))
        }
    }
}

/// Curves from `trainer_log.jsonl`.
fn report_of_log(config: &RunConfig, log: &str) -> RunReport {
    let mut report = RunReport::begin(config);
    for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let step = line["current_steps"].as_u64().unwrap_or(0);
        if let Some(loss) = line["loss"].as_f64() {
            report.losses.push(LossPoint { step, loss });
        }
        if let Some(rate) = line["lr"].as_f64() {
            report.learning_rates.push(RatePoint { step, rate });
        }
        let values = line.as_object().into_iter().flatten();
        for (name, value) in
            values.filter_map(|(name, value)| Some((name.strip_prefix("eval_")?, value.as_f64()?)))
        {
            let is_cost = name == "runtime" || name.ends_with("_per_second");
            if !is_cost {
                report.metrics.push(MetricPoint { step, name: name.to_owned(), value, best: false });
            }
        }
    }
    report
}

fn read_json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// The commands that bring the engine to the state of a checkpoint: its model, its data, and the run itself.
///
/// # Errors
/// If the model or the data are no longer where they were.
pub fn orders_of(point: &ResumePoint, run: RunId, cache: Option<&Cache>) -> anyhow::Result<[Order; 3]> {
    let config = &point.config;
    let (name, model) = match &config.model {
        None => (String::new(), Vec::new()),
        Some(model) if hub::embedded(model).is_some() => (model.clone(), Vec::new()),
        Some(model) => model_files(model, cache)?,
    };
    let file = |path: &String| EngineFile::Path { name: name_of(Path::new(path)), path: path.into() };
    let data = config.train_file.iter().chain(config.validation_file.iter()).map(file).collect();
    let settings: Settings = config.to_pairs().into_iter().collect();
    let state = point
        .files
        .iter()
        .map(|(name, bytes)| EngineFile::Bytes(NamedBytes { name: name.clone(), bytes: bytes.clone() }));
    Ok([
        Order { command: Command::LoadModel { name }, files: model },
        Order { command: Command::LoadData { settings: settings.clone() }, files: data },
        Order { command: Command::Restore { run, settings, paused: false }, files: state.collect() },
    ])
}

fn model_files(model: &str, cache: Option<&Cache>) -> anyhow::Result<(String, Vec<EngineFile>)> {
    let (name, folder) = match hub::id_of(model) {
        Some(id) => {
            let kept =
                cache.and_then(|cache| cache.find(&id, DEFAULT_REVISION).or_else(|| cache.find_any(&id)));
            let kept = kept.with_context(|| {
                format!("the model of this run is no longer kept here: fetch {id} on the Model screen, then try again")
            })?;
            (id.to_string(), kept)
        }
        None => (name_of(Path::new(model)), PathBuf::from(model)),
    };
    let entries = fs::read_dir(&folder)
        .with_context(|| format!("the model of this run is no longer where it was: {}", folder.display()))?;
    let mut paths: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    let files = paths.into_iter().map(|path| EngineFile::Path { name: name_of(&path), path });
    Ok((name, files.collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::atomic;
    use dsee_core::config::RunConfigDraft;

    fn run_at(path: &Path) -> RunFolder {
        let text = path.display().to_string();
        let mut config = RunConfigDraft::default().with("output_dir", &text).check().unwrap();
        RunFolder::create(&mut config).unwrap()
    }

    #[test]
    fn runs_are_listed_with_what_they_told() {
        let place = tempfile::tempdir().unwrap();
        let folder = run_at(&place.path().join("first"));
        let entry = serde_json::json!({"current_steps": 10, "loss": 0.5, "lr": 0.001});
        folder.append_log(&entry).unwrap();
        let entry = serde_json::json!({"current_steps": 10, "eval_accuracy": 0.75, "eval_runtime": 3.0});
        folder.append_log(&entry).unwrap();
        fs::create_dir_all(place.path().join("no run")).unwrap();
        let runs = SavedRuns::new(place.path().to_path_buf());
        let list = runs.list();
        assert_eq!(list.len(), 1);
        assert!(!list[0].finished && list[0].minutes_ago < 5);
        assert_eq!(list[0].report.losses, [LossPoint { step: 10, loss: 0.5 }]);
        assert_eq!(list[0].report.metrics.len(), 1, "how long it took is no metric");
        assert!(runs.last_unfinished().is_none(), "there is nothing to go on from");
        folder
            .save_checkpoint(10, &[("report.json".to_owned(), b"{\"title\": \"t\"}".to_vec())], None, 3)
            .unwrap();
        let last = runs.last_unfinished().unwrap();
        assert_eq!((last.step, last.report.title.as_str()), (10, "t"));
        folder.write_state(&serde_json::json!({"is_finished": true})).unwrap();
        assert!(runs.last_unfinished().is_none());
    }

    #[test]
    fn runs_under_way_are_neither_deleted_nor_offered() {
        let place = tempfile::tempdir().unwrap();
        let folder = run_at(&place.path().join("first"));
        folder.save_checkpoint(1, &[], None, 3).unwrap();
        let mut runs = SavedRuns::new(place.path().to_path_buf());
        let key = runs.list()[0].key.clone();
        let lock = run_lock::RunLock::take(folder.path()).unwrap().unwrap();
        assert!(runs.last_unfinished().is_none());
        assert!(runs.delete(&key).unwrap_err().to_string().contains("under way"));
        drop(lock);
        runs.delete(&key).unwrap();
        assert!(runs.list().is_empty());
    }

    #[test]
    fn only_run_folders_are_opened_and_deleted() {
        let place = tempfile::tempdir().unwrap();
        let mut runs = SavedRuns::new(place.path().join("runs"));
        assert!(runs.open(place.path()).is_err());
        assert!(runs.delete(&place.path().display().to_string()).is_err());
        run_at(&place.path().join("elsewhere"));
        let key = runs.open(&place.path().join("elsewhere")).unwrap();
        assert_eq!(runs.list()[0].key, key);
    }

    #[test]
    fn a_run_is_gone_on_with_by_three_commands() {
        let place = tempfile::tempdir().unwrap();
        let folder = run_at(&place.path().join("first"));
        folder.save_checkpoint(4, &[("engine_state.json".to_owned(), b"{}".to_vec())], None, 3).unwrap();
        let mut point = ResumePoint::at(folder.path()).unwrap();
        let orders = orders_of(&point, 7, None).unwrap();
        assert!(matches!(&orders[0].command, Command::LoadModel { name } if name.is_empty()));
        assert!(orders[1].files.is_empty());
        assert!(matches!(&orders[2].command, Command::Restore { run: 7, .. }));
        assert_eq!(orders[2].files.len(), 1);
        point.config.model = Some("/home/me/gone/model".to_owned());
        assert!(orders_of(&point, 7, None).unwrap_err().to_string().contains("no longer where it was"));
        let gone = place.path().join("gone.tsv").display().to_string();
        atomic::write(&folder.path().join(SETTINGS_FILE), format!("train_file = {gone:?}").as_bytes())
            .unwrap();
        let orders = orders_of(&ResumePoint::at(folder.path()).unwrap(), 7, None).unwrap();
        assert_eq!(orders[1].files.len(), 1);
    }
}
