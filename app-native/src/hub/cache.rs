//! Where fetched models and data sets lie.
//!
//! ```text
//! <cache>/models/<organisation>--<name>/<commit>/config.json …   the files of one state
//! <cache>/models/<organisation>--<name>/refs/main                 the commit that a branch meant when it was fetched
//! <cache>/datasets/<organisation>--<name>/…                       the same of data sets
//! ```
//!
//! A state is complete if a file under `refs` names it; that file is written last.

use anyhow::Context as _;
use dsee_core::hub::{ModelId, RepositoryKind};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::atomic;

/// Names another place for the cache.
const PLACE_VARIABLE: &str = "DSEE_CACHE";
const REFS: &str = "refs";

/// The models, or the data sets, that are kept on this machine.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
    kind: RepositoryKind,
}

/// One model that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedModel {
    /// Which.
    pub id: ModelId,
    /// Bytes of all that is there of it, unfinished downloads included.
    pub n_bytes: u64,
}

impl Cache {
    /// The cache of models in this folder.
    pub fn new(root: PathBuf) -> Self {
        Self { root, kind: RepositoryKind::Model }
    }

    /// The cache of data sets in the same folder.
    pub fn of_datasets(self) -> Self {
        Self { kind: RepositoryKind::Dataset, ..self }
    }

    /// The cache of models of this user: `DSEE_CACHE`, or `dsee` where the system keeps such things.
    ///
    /// # Errors
    /// If the system does not say where that is.
    pub fn of_this_user() -> anyhow::Result<Self> {
        let variable =
            |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = |below: &str| variable("HOME").map(|home| home.join(below));
        let place = variable(PLACE_VARIABLE).or_else(|| {
            let system = if cfg!(windows) {
                variable("LOCALAPPDATA")
            } else if cfg!(target_os = "macos") {
                home("Library/Caches")
            } else {
                variable("XDG_CACHE_HOME").or_else(|| home(".cache"))
            };
            system.map(|system| system.join("dsee"))
        });
        let place = place
            .with_context(|| format!("no place for fetched models: name a folder in {PLACE_VARIABLE}"))?;
        Ok(Self::new(place))
    }

    /// The folder of everything that is kept.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of everything of this kind.
    fn place(&self) -> PathBuf {
        self.root.join(match self.kind {
            RepositoryKind::Model => "models",
            RepositoryKind::Dataset => "datasets",
        })
    }

    fn of(&self, id: &ModelId) -> PathBuf {
        self.place().join(id.folder_name())
    }

    /// The folder for one state of a model, whether it is there or not.
    pub fn folder(&self, id: &ModelId, revision: &str) -> PathBuf {
        self.of(id).join(file_name(revision))
    }

    /// The folder of a model that is there completely.
    pub fn find(&self, id: &ModelId, revision: &str) -> Option<PathBuf> {
        let commit = fs::read_to_string(self.of(id).join(REFS).join(file_name(revision))).ok()?;
        let folder = self.folder(id, commit.trim());
        folder.is_dir().then_some(folder)
    }

    /// A complete state of a model, whichever.
    pub fn find_any(&self, id: &ModelId) -> Option<PathBuf> {
        let names = entries(&self.of(id).join(REFS)).into_iter();
        names.filter_map(|(name, _)| fs::read_to_string(self.of(id).join(REFS).join(name)).ok()).find_map(
            |commit| {
                let folder = self.folder(id, commit.trim());
                folder.is_dir().then_some(folder)
            },
        )
    }

    /// Notes that `revision` of a model means `commit`, and that all of it is there.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn complete(&self, id: &ModelId, revision: &str, commit: &str) -> anyhow::Result<()> {
        let refs = self.of(id).join(REFS);
        fs::create_dir_all(&refs).with_context(|| format!("cannot make the folder: {}", refs.display()))?;
        Ok(atomic::write(&refs.join(file_name(revision)), commit.as_bytes())?)
    }

    /// The model whose files are in `folder`, if it is a folder of this cache.
    pub fn id_of(&self, folder: &Path) -> Option<ModelId> {
        let below = folder.strip_prefix(self.place()).ok()?;
        ModelId::from_folder_name(below.iter().next()?.to_str()?)
    }

    /// All models of which there is something, by name.
    pub fn list(&self) -> Vec<CachedModel> {
        let mut models: Vec<CachedModel> = entries(&self.place())
            .into_iter()
            .filter_map(|(name, path)| {
                let id = ModelId::from_folder_name(&name)?;
                Some(CachedModel { id, n_bytes: size_of(&path) })
            })
            .collect();
        models.sort_by(|a, b| a.id.cmp(&b.id));
        models
    }

    /// Removes everything of a model.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn delete(&self, id: &ModelId) -> anyhow::Result<()> {
        let path = self.of(id);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove: {}", path.display()))
            }
            _ => Ok(()),
        }
    }
}

/// A revision as the name of one file.
fn file_name(revision: &str) -> String {
    revision.replace('%', "%25").replace('/', "%2F")
}

/// Names and paths in a folder; none if it cannot be read.
fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut entries: Vec<_> =
        entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect();
    entries.sort();
    entries
}

/// Bytes of a file or of all files below a folder. Links are not followed.
fn size_of(path: &Path) -> u64 {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => entries(path).iter().map(|(_, path)| size_of(path)).sum(),
        Ok(found) => found.len(),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn a_model_is_found_when_it_is_complete_and_can_be_deleted() {
        let place = tempfile::tempdir().unwrap();
        let cache = Cache::new(place.path().to_path_buf());
        let id: ModelId = "org/name".parse().unwrap();
        let folder = cache.folder(&id, "0123");
        fs::create_dir_all(&folder).unwrap();
        atomic::write(&folder.join("config.json"), b"12345").unwrap();
        assert_eq!(cache.find(&id, "refs/pr/1"), None, "nobody said that it is complete");
        assert_eq!(cache.list(), [CachedModel { id: id.clone(), n_bytes: 5 }]);
        cache.complete(&id, "refs/pr/1", "0123").unwrap();
        assert_eq!(cache.find(&id, "refs/pr/1"), Some(folder.clone()));
        assert_eq!(cache.find_any(&id), Some(folder.clone()));
        assert_eq!(cache.id_of(&folder), Some(id.clone()));
        assert_eq!(cache.id_of(place.path()), None);
        cache.delete(&id).unwrap();
        cache.delete(&id).unwrap();
        assert!(cache.list().is_empty());
    }
}
