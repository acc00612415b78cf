//! Data sets of the hub by name.

use anyhow::Context as _;
use dsee_core::hub::{
    CONVERTED_REVISION, DEFAULT_REVISION, DatasetFiles, HubError, Listing, ModelId, RepositoryKind,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Cache, Download, download::LISTING_FILE, repository, token, with_bar};

/// The files of a data set on this machine, by split.
#[derive(Clone, Debug)]
pub struct LocalDataset {
    /// For training; never empty.
    pub train: Vec<PathBuf>,
    /// For evaluation; may be empty.
    pub validation: Vec<PathBuf>,
    /// The second set for evaluation; may be empty.
    pub mismatched: Vec<PathBuf>,
}

/// The files of the data set `name`, of its configuration `config` where it has several. They are fetched if they are
/// not there yet, with progress on stderr.
///
/// # Errors
/// If the name is none, or the data set cannot be fetched or has nothing that can be read.
pub fn dataset(name: &str, config: Option<&str>) -> anyhow::Result<LocalDataset> {
    let id: ModelId = name.parse().with_context(|| format!("no name of a data set on the hub: {name}"))?;
    let cache = Cache::of_this_user()?.of_datasets();
    let kept = [DEFAULT_REVISION, CONVERTED_REVISION]
        .into_iter()
        .find_map(|revision| kept(&cache, &id, revision, config));
    if let Some(found) = kept {
        return Ok(found);
    }
    match fetch(&cache, &id, DEFAULT_REVISION, config) {
        // Its files may be a program's; the hub keeps what that makes as Parquet.
        Err(error) if is_without_files(&error) => match fetch(&cache, &id, CONVERTED_REVISION, config) {
            Err(other) if is_without_files(&other) || is_not_there(&other) => Err(error),
            found => found,
        },
        found => found,
    }
    .with_context(|| format!("the data set {name} could not be fetched from the hub"))
}

fn is_without_files(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(HubError::NoTrainSplit { .. }))
}

fn is_not_there(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(HubError::NotFound { .. } | HubError::MissingFile { .. } | HubError::TokenNeeded { .. })
    )
}

/// What an earlier run fetched, if all of it is there.
fn kept(cache: &Cache, id: &ModelId, revision: &str, config: Option<&str>) -> Option<LocalDataset> {
    let folder = cache.find(id, revision)?;
    let listing = Listing::parse("", &fs::read(folder.join(LISTING_FILE)).ok()?).ok()?;
    let files = DatasetFiles::choose(id.as_str(), config, &listing).ok()?;
    files.all().all(|file| folder.join(file).is_file()).then(|| local(&folder, &files))
}

fn fetch(cache: &Cache, id: &ModelId, revision: &str, config: Option<&str>) -> anyhow::Result<LocalDataset> {
    let repository = repository(RepositoryKind::Dataset, id.clone(), revision)?;
    let (folder, files) = with_bar(repository, |repository, show| {
        let download = Download::new(repository, token()?, cache.clone());
        Ok(download.run_dataset(config, &mut |status| show(status))?)
    })?;
    Ok(local(&folder, &files))
}

fn local(folder: &Path, files: &DatasetFiles) -> LocalDataset {
    let paths = |files: &[String]| files.iter().map(|file| folder.join(file)).collect();
    LocalDataset {
        train: paths(&files.train),
        validation: paths(&files.validation),
        mismatched: paths(&files.mismatched),
    }
}
