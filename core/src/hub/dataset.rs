//! Data sets of the hub: which of their files hold what.
//!
//! A data set is a folder of files. Which split a file belongs to is said by its name or by the name of its folder, and
//! so is the configuration where there are several (`nyu-mll/glue` has one for each of its tasks). Data sets that are
//! programs have their rows as Parquet under [`CONVERTED_REVISION`], where the hub puts them.

use serde::Deserialize;

use super::error::HubError;

/// The branch in which the hub keeps every data set as Parquet files.
pub const CONVERTED_REVISION: &str = "refs/convert/parquet";

/// Forms of files that can be read, the first of them preferred.
const ENDINGS: [&str; 4] = ["parquet", "jsonl", "csv", "tsv"];
/// Folders that hold data of no particular configuration.
const NO_CONFIG: [&str; 2] = ["data", "default"];
/// Names of files and folders by the split that they belong to; the longer name stands first.
const SPLITS: [(&str, Split); 8] = [
    ("validation_mismatched", Split::Mismatched),
    ("dev_mismatched", Split::Mismatched),
    ("validation", Split::Validation),
    ("valid", Split::Validation),
    ("dev", Split::Validation),
    ("train", Split::Train),
    ("testing", Split::Other),
    ("test", Split::Other),
];

/// What the hub lists of a repository at one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The commit.
    pub commit: Option<String>,
    /// Its files, with their sizes in bytes where the hub says them.
    pub files: Vec<(String, Option<u64>)>,
}

/// The files of a data set by split, each in the order in which they follow each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatasetFiles {
    /// For training; never empty.
    pub train: Vec<String>,
    /// For evaluation.
    pub validation: Vec<String>,
    /// A second set for evaluation, from other sources (MNLI's).
    pub mismatched: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Split {
    Train,
    Validation,
    Mismatched,
    Other,
}

impl Listing {
    /// Reads the hub's answer to `/api/datasets/<id>/revision/<revision>`.
    ///
    /// # Errors
    /// If it is something else.
    pub fn parse(host: &str, bytes: &[u8]) -> Result<Self, HubError> {
        #[derive(Deserialize)]
        struct Answer {
            sha: Option<String>,
            siblings: Vec<Sibling>,
        }
        #[derive(Deserialize)]
        struct Sibling {
            rfilename: String,
            size: Option<u64>,
        }
        let answer: Answer = serde_json::from_slice(bytes).map_err(|error| HubError::Strange {
            host: host.to_owned(),
            what: format!("no list of files: {error}"),
        })?;
        let files = answer.siblings.into_iter().map(|file| (file.rfilename, file.size));
        // The list comes from elsewhere, and its names become paths on this machine.
        Ok(Self { commit: answer.sha, files: files.filter(|(file, _)| stays_inside(file)).collect() })
    }

    /// Size of a file in bytes, if the hub says it.
    #[must_use]
    pub fn size_of(&self, file: &str) -> Option<u64> {
        self.files.iter().find(|(name, _)| name == file).and_then(|(_, size)| *size)
    }
}

impl DatasetFiles {
    /// Finds the splits of the data set `id` among its files.
    ///
    /// # Errors
    /// If there is nothing to train on, or several configurations and none of them named: with what there is.
    pub fn choose(id: &str, config: Option<&str>, listing: &Listing) -> Result<Self, HubError> {
        let readable: Vec<&str> =
            listing.files.iter().map(|(file, _)| file.as_str()).filter(|file| form(file).is_some()).collect();
        let configs = configs(&readable);
        let of_config: Vec<&str> = match (config, configs.as_slice()) {
            (Some(config), _) => {
                readable.iter().copied().filter(|file| config_of(file) == Some(config)).collect()
            }
            (None, [] | [_]) => readable.clone(),
            (None, _) => {
                return Err(HubError::ConfigNeeded { id: id.to_owned(), configs: configs.join(", ") });
            }
        };
        let files = Self {
            train: of_split(&of_config, Split::Train),
            validation: of_split(&of_config, Split::Validation),
            mismatched: of_split(&of_config, Split::Mismatched),
        };
        if files.train.is_empty() {
            let asked = config.map_or_else(String::new, |config| format!(" in its configuration `{config}`"));
            let found = if configs.is_empty() { readable.join(", ") } else { configs.join(", ") };
            let found = if found.is_empty() { "none that can be read".to_owned() } else { found };
            return Err(HubError::NoTrainSplit { id: id.to_owned(), asked, found });
        }
        Ok(files)
    }

    /// All files.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.train.iter().chain(&self.validation).chain(&self.mismatched)
    }
}

/// Whether a file's name leads nowhere but into the folder of its repository.
fn stays_inside(file: &str) -> bool {
    !file.contains(['\\', ':']) && file.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// The place of a file's ending among those that can be read.
fn form(file: &str) -> Option<usize> {
    let ending = file.rsplit_once('.')?.1;
    ENDINGS.iter().position(|known| known.eq_ignore_ascii_case(ending))
}

/// The folder that names a configuration: the outermost that is neither a split nor the common `data`.
fn config_of(file: &str) -> Option<&str> {
    let folders = file.rsplit_once('/')?.0;
    folders.split('/').find(|folder| !NO_CONFIG.contains(folder) && split_named(folder).is_none())
}

fn configs(files: &[&str]) -> Vec<String> {
    let mut configs: Vec<String> =
        files.iter().filter_map(|file| config_of(file)).map(str::to_owned).collect();
    configs.sort();
    configs.dedup();
    configs
}

/// The split that a name stands for: `train`, `train-00000-of-00002`, `validation_matched`.
fn split_named(name: &str) -> Option<Split> {
    let name = name.to_ascii_lowercase();
    let follows = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_alphanumeric());
    SPLITS.into_iter().find(|(word, _)| name.strip_prefix(word).is_some_and(follows)).map(|(_, split)| split)
}

/// The files of one split: of the best form in which there are any, in the order of their names.
fn of_split(files: &[&str], split: Split) -> Vec<String> {
    let belongs = |file: &&str| {
        // The file's own name is more telling than its folder's.
        file.rsplit('/').find_map(split_named).is_some_and(|found| found == split)
    };
    let of_split: Vec<&str> = files.iter().copied().filter(belongs).collect();
    let best = of_split.iter().filter_map(|file| form(file)).min();
    let mut chosen: Vec<String> =
        of_split.into_iter().filter(|file| form(file) == best).map(str::to_owned).collect();
    chosen.sort();
    chosen
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn listing(files: &[&str]) -> Listing {
        Listing { commit: None, files: files.iter().map(|file| ((*file).to_owned(), None)).collect() }
    }

    fn choose(config: Option<&str>, files: &[&str]) -> Result<DatasetFiles, HubError> {
        DatasetFiles::choose("org/set", config, &listing(files))
    }

    #[test]
    fn a_configuration_is_a_folder() {
        let files = [
            "README.md",
            "mnli/test_matched-00000-of-00001.parquet",
            "mnli/train-00000-of-00001.parquet",
            "mnli/validation_matched-00000-of-00001.parquet",
            "mnli/validation_mismatched-00000-of-00001.parquet",
            "rte/train-00001-of-00002.parquet",
            "rte/train-00000-of-00002.parquet",
        ];
        let mnli = choose(Some("mnli"), &files).unwrap();
        assert_eq!(mnli.train, ["mnli/train-00000-of-00001.parquet"]);
        assert_eq!(mnli.validation, ["mnli/validation_matched-00000-of-00001.parquet"]);
        assert_eq!(mnli.mismatched, ["mnli/validation_mismatched-00000-of-00001.parquet"]);
        let rte = choose(Some("rte"), &files).unwrap();
        assert_eq!(rte.train, ["rte/train-00000-of-00002.parquet", "rte/train-00001-of-00002.parquet"]);
        assert!(rte.validation.is_empty());
        let error = choose(None, &files).unwrap_err().to_string();
        assert!(error.contains("mnli, rte") && error.contains("dataset-config-name"), "{error}");
        let error = choose(Some("sst2"), &files).unwrap_err().to_string();
        assert!(error.contains("`sst2`") && error.contains("mnli, rte"), "{error}");
    }

    #[test]
    fn plain_folders_and_the_hubs_own_parquet_are_understood() {
        let plain =
            choose(None, &["train.jsonl", "test.jsonl", "validation.csv", "dataset_infos.json"]).unwrap();
        assert_eq!(
            (plain.train, plain.validation),
            (vec!["train.jsonl".into()], vec!["validation.csv".into()])
        );
        let data = choose(None, &["data/train-00000-of-00001.parquet", "data/train.csv"]).unwrap();
        assert_eq!(data.train, ["data/train-00000-of-00001.parquet"], "one form only");
        let converted = choose(None, &["default/train/0000.parquet", "default/train/0001.parquet"]).unwrap();
        assert_eq!(converted.train.len(), 2);
        let error = choose(None, &["trainer.csv", "script.py"]).unwrap_err().to_string();
        assert!(error.contains("org/set") && error.contains("trainer.csv"), "{error}");
    }

    #[test]
    fn names_that_lead_elsewhere_are_passed_over() {
        let text =
            br#"{"sha": "0123", "siblings": [{"rfilename": "../train.csv"}, {"rfilename": "/train.csv"},
            {"rfilename": "a\\train.csv"}, {"rfilename": "train.csv", "size": 12}]}"#;
        let listing = Listing::parse("hub.example.org", text).unwrap();
        assert_eq!(listing.files, [("train.csv".to_owned(), Some(12))]);
        assert_eq!(listing.size_of("train.csv"), Some(12));
        assert!(matches!(Listing::parse("hub.example.org", b"<html>"), Err(HubError::Strange { .. })));
    }
}
