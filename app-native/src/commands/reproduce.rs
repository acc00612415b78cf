//! `dsee reproduce`: a table of the paper on the model and data at hand.

use anyhow::bail;
use clap::builder::PossibleValuesParser;
use dsee_core::{
    config::FieldError,
    study::{Settings, Study, counts, tables},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    failure::Failure,
    study::{self, Assignment, StudyArgs, own_settings},
};

/// What tables decide themselves.
const RESERVED: [(&str, &str); 6] = [
    ("task", "use --tasks"),
    ("train_file", "use --data"),
    ("validation_file", "use --data"),
    ("validation_mismatched_file", "use --data"),
    ("seed", "use --seeds"),
    ("run_name", "leave it out: runs are named by task, row and seed"),
];
/// The table that is arithmetic only.
const COUNTS: &str = "counts";
/// The names that the files of a task go by, without their ending; samples come last.
const TRAIN: [&str; 3] = ["train", "trainset", "train_sample"];
const VALIDATION: [&str; 7] =
    ["dev", "dev_matched", "validation", "validation_matched", "valid", "devset", "dev_sample"];
const MISMATCHED: [&str; 2] = ["dev_mismatched", "validation_mismatched"];
const ENDINGS: [&str; 7] = ["tsv", "csv", "jsonl", "parquet", "txt", "json", "xml"];

/// Flags of `dsee reproduce`.
#[derive(Debug, clap::Args)]
pub struct ReproduceArgs {
    /// The table; `counts` is arithmetic and runs nothing.
    #[arg(value_parser = PossibleValuesParser::new(tables::NAMES.iter().chain(&[COUNTS])))]
    table: String,
    /// Folder with a folder for every task: sst2/train.tsv, sst2/dev.tsv, and so on [default: each task's data
    /// set on the hub].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Only these tasks of the table.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    tasks: Option<Vec<String>>,
    /// Settings of single rows beside the table's own, by the names that results.json has for rows:
    /// `full+learning_rate=1e-4,bitfit+learning_rate=2e-3`.
    #[arg(long, value_name = "ROW+NAME=VALUE,…", value_delimiter = ',')]
    set: Vec<String>,
    #[command(flatten)]
    study: StudyArgs,
}

/// Runs it.
pub fn run(args: &ReproduceArgs, json: bool) -> Result<(), Failure> {
    if args.table == COUNTS {
        return Ok(print_counts(json)?);
    }
    let Some(mut study) = tables::find(&args.table) else {
        return Err(anyhow::anyhow!("there is no table {}", args.table).into());
    };
    let mut files = BTreeMap::new();
    if args.study.merge.is_empty() {
        choose_tasks(&mut study, args.tasks.as_deref()).map_err(|error| Failure::Settings(vec![error]))?;
        set_rows(&mut study, &args.set).map_err(Failure::Settings)?;
        files = find_files(&study, args.data.as_deref())?;
    }
    let assignment = Assignment { study, files, reserved: &RESERVED, seeds: &[1, 2, 3, 4, 5] };
    study::run(assignment, &args.study, json)
}

fn print_counts(json: bool) -> anyhow::Result<()> {
    let rows = counts::counts();
    if json {
        let n_exact = rows.iter().filter(|row| row.is_exact()).count();
        tell!("{:#}", json!({ "study": COUNTS, "n": rows.len(), "n_exact": n_exact, "rows": rows }));
    } else {
        tell!("{}", counts::to_markdown(&rows).trim_end());
    }
    match rows.iter().find(|row| !row.is_exact()) {
        Some(row) => bail!("{}: computed {}, printed {}", row.what, row.computed, row.printed),
        None => Ok(()),
    }
}

fn choose_tasks(study: &mut Study, chosen: Option<&[String]>) -> Result<(), FieldError> {
    let Some(chosen) = chosen else { return Ok(()) };
    if let Some(foreign) = chosen.iter().find(|task| !study.tasks.contains(task)) {
        let advice = format!("it has {}", study.tasks.join(", "));
        return Err(FieldError::new("--tasks", foreign, format!("is no task of {}", study.name), advice));
    }
    study.tasks.retain(|task| chosen.contains(task));
    Ok(())
}

/// Everything that is wrong with the list comes at once.
fn set_rows(study: &mut Study, words: &[String]) -> Result<(), Vec<FieldError>> {
    let errors: Vec<FieldError> = words.iter().filter_map(|word| set_row(study, word).err()).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn set_row(study: &mut Study, word: &str) -> Result<(), FieldError> {
    let (id, own) = own_settings::read("--set", word, &RESERVED)?;
    let wrong = |reason: String, advice: String| FieldError::new("--set", word, reason, advice);
    if own.is_empty() {
        return Err(wrong("sets nothing".to_owned(), format!("{id}+learning_rate=1e-4, for example")));
    }
    if let Some((name, _)) = own.iter().find(|(name, _)| study.compares(name)) {
        return Err(wrong(format!("`{name}` is what {} compares", study.name), "leave it out".to_owned()));
    }
    let known = study.arms.iter().map(|arm| arm.id.as_str()).collect::<Vec<_>>().join(", ");
    let Some(arm) = study.arms.iter_mut().find(|arm| arm.id == id) else {
        return Err(wrong(format!("{} has no row `{id}`", study.name), format!("it has {known}")));
    };
    arm.settings.retain(|(name, _)| own.iter().all(|(other, _)| other != name));
    arm.settings.extend(own);
    Ok(())
}

/// The files of every task; none where the hub's are to be taken. Whatever is missing is said at once, with what was
/// looked for.
fn find_files(study: &Study, data: Option<&Path>) -> anyhow::Result<BTreeMap<String, Settings>> {
    let Some(data) = data else {
        return Ok(study.tasks.iter().map(|task| (task.clone(), Settings::new())).collect());
    };
    let (mut files, mut problems) = (BTreeMap::new(), Vec::new());
    for task in &study.tasks {
        let folder = data.join(task);
        let mut settings = Settings::new();
        for (setting, names) in [("train_file", &TRAIN[..]), ("validation_file", &VALIDATION)] {
            match find_file(&folder, names) {
                Some(path) => settings.push((setting.to_owned(), path)),
                None => problems.push(format!(
                    "no {} of {task}: looked for {} in {}",
                    setting.replace('_', " "),
                    looked_for(names),
                    folder.display()
                )),
            }
        }
        if let Some(path) = find_file(&folder, &MISMATCHED).filter(|_| task == "mnli") {
            settings.push(("validation_mismatched_file".to_owned(), path));
        }
        files.insert(task.clone(), settings);
    }
    if !problems.is_empty() {
        bail!(
            "the data are not complete; name fewer tasks with --tasks, or put the files there\n  {}",
            problems.join("\n  ")
        );
    }
    Ok(files)
}

fn find_file(folder: &Path, names: &[&str]) -> Option<String> {
    let paths = names.iter().flat_map(|name| ENDINGS.map(|ending| folder.join(format!("{name}.{ending}"))));
    let path = paths.into_iter().find(|path| fs::metadata(path).is_ok_and(|file| file.is_file()))?;
    Some(path.display().to_string())
}

fn looked_for(names: &[&str]) -> String {
    format!("{} (.{})", names.join(", "), ENDINGS.join(", ."))
}
