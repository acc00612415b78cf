//! Files the user has pointed at: the window knows them by number, only here by path.

use dsee_ui::FileRef;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Largest settings file whose text is handed to the window.
const LARGEST_TEXT: u64 = 1 << 16;

/// Numbers and paths, shared by all threads.
#[derive(Clone, Default)]
pub struct HeldFiles(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    n_held: u64,
    paths: BTreeMap<u64, PathBuf>,
}

impl HeldFiles {
    /// Takes a file; `None` if there is none at this path.
    pub fn hold(&self, path: &Path) -> Option<FileRef> {
        let found = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let is_settings = path.extension().is_some_and(|extension| extension == "toml");
        let text =
            if is_settings && found.len() <= LARGEST_TEXT { fs::read_to_string(path).ok() } else { None };
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.n_held += 1;
        let id = held.n_held;
        held.paths.insert(id, path.to_path_buf());
        Some(FileRef { id, name: name_of(path), n_bytes: found.len(), text })
    }

    /// Takes the files of a folder, by name; folders inside it are passed over.
    pub fn hold_folder(&self, folder: &Path) -> Vec<FileRef> {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths.iter().filter_map(|path| self.hold(path)).collect()
    }

    /// Takes what was dropped, files and folders; gives the name of the first of them, too.
    pub fn hold_dropped(&self, paths: &[PathBuf]) -> (String, Vec<FileRef>) {
        let name = paths.first().map(|path| name_of(path)).unwrap_or_default();
        let files = paths.iter().flat_map(|path| {
            if path.is_dir() { self.hold_folder(path) } else { self.hold(path).into_iter().collect() }
        });
        (name, files.collect())
    }

    /// Where a file is.
    pub fn path(&self, id: u64) -> Option<PathBuf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).paths.get(&id).cloned()
    }
}

/// The last part of a path.
pub fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::atomic;

    #[test]
    fn dropped_folders_are_walked_one_level_and_settings_come_with_their_text() {
        let place = tempfile::tempdir().unwrap();
        let model = place.path().join("model");
        fs::create_dir_all(model.join("deeper")).unwrap();
        atomic::write(&model.join("config.json"), b"{}").unwrap();
        atomic::write(&model.join("deeper/other.json"), b"{}").unwrap();
        let settings = place.path().join("run.toml");
        atomic::write(&settings, b"rank = 4").unwrap();
        let held = HeldFiles::default();
        let (name, files) = held.hold_dropped(&[model.clone(), settings, place.path().join("gone.csv")]);
        assert_eq!(name, "model");
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["config.json", "run.toml"]);
        assert_eq!(files[1].text.as_deref(), Some("rank = 4"));
        assert_eq!(held.path(files[0].id), Some(model.join("config.json")));
        assert_eq!(held.path(99), None);
    }
}
