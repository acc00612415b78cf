//! Writing files so that a crash, a full disk or a power cut leaves either the old file or the new one.
//!
//! Bytes go to a temporary file in the same folder, are forced to the disk, and the file is renamed; then the
//! folder itself is forced. A whole folder is written under a temporary name and renamed in the same way.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Why nothing was written. What was there before is still there.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// No room.
    #[error(
        "the disk is full: {n_bytes} bytes do not fit; free some space, or choose another place with --output-dir: {path}"
    )]
    DiskFull {
        /// What was to be written.
        path: PathBuf,
        /// Its size.
        n_bytes: usize,
    },
    /// The folder takes no files.
    #[error("cannot write here ({source}); choose a folder that you may write to with --output-dir: {path}")]
    Unwritable {
        /// What was to be written.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Anything else.
    #[error("writing failed ({source}): {path}")]
    Other {
        /// What was to be written.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl WriteError {
    /// What an error of the system means for a file of `n_bytes`.
    pub fn new(path: &Path, n_bytes: usize, source: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let path = path.to_path_buf();
        match source.kind() {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Self::DiskFull { path, n_bytes },
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem | Kind::NotADirectory | Kind::NotFound => {
                Self::Unwritable { path, source }
            }
            _ => Self::Other { path, source },
        }
    }
}

/// A file to write: its name, perhaps with subfolders before a `/`, and its content.
pub type NamedBytes = (String, Vec<u8>);

/// Makes `path` hold `bytes`, replacing what was there.
///
/// # Errors
/// See [`WriteError`]; the temporary file is removed.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let fail = |error| WriteError::new(path, bytes.len(), error);
    let folder = parent(path);
    let mut temporary = tempfile::Builder::new().prefix(".writing-").tempfile_in(folder).map_err(fail)?;
    fill(temporary.as_file_mut(), bytes).map_err(fail)?;
    temporary.persist(path).map_err(|error| fail(error.error))?;
    sync_folder(folder).map_err(fail)
}

/// Makes a folder `path` with these files and no others. `path` must not exist yet.
///
/// # Errors
/// See [`WriteError`]; nothing is left behind.
pub fn write_folder(path: &Path, files: &[NamedBytes]) -> Result<(), WriteError> {
    let n_bytes = files.iter().map(|(_, bytes)| bytes.len()).sum();
    let fail = |error| WriteError::new(path, n_bytes, error);
    let folder = parent(path);
    let temporary = tempfile::Builder::new().prefix(".writing-").tempdir_in(folder).map_err(fail)?;
    for (name, bytes) in files {
        let path = temporary.path().join(name);
        fs::create_dir_all(parent(&path)).map_err(fail)?;
        let mut file = File::create_new(&path).map_err(fail)?;
        fill(&mut file, bytes).and_then(|()| sync_folder(parent(&path))).map_err(fail)?;
    }
    // From here on nobody else removes the folder: it has its final name, or the rename failed and we do.
    let written = temporary.keep();
    fs::rename(&written, path).map_err(|error| {
        // The rename's error is the one to report, whether or not the clean-up succeeds.
        fs::remove_dir_all(&written).ok();
        fail(error)
    })?;
    sync_folder(folder).map_err(fail)
}

/// Makes a folder `path` with these files, replacing an older one of the same name.
///
/// # Errors
/// See [`WriteError`].
pub fn replace_folder(path: &Path, files: &[NamedBytes]) -> Result<(), WriteError> {
    if !path.exists() {
        return write_folder(path, files);
    }
    // The old folder steps aside under a hidden name, and goes only when the new one is complete.
    let fail = |error| WriteError::new(path, 0, error);
    let aside = tempfile::Builder::new().prefix(".replaced-").tempdir_in(parent(path)).map_err(fail)?;
    let old = aside.path().join("old");
    fs::rename(path, &old).map_err(fail)?;
    write_folder(path, files).inspect_err(|_| {
        fs::rename(&old, path).ok();
    })
}

fn fill(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

/// Forces the names in a folder to the disk, where the system can do that.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The folder a path lies in; for a bare name, the working folder.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["run.toml"]);
    }

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint-1");
        let good = [("a".to_owned(), vec![1]), ("b".to_owned(), vec![2])];
        // A file below a file: the second one cannot be written.
        let bad = [("a".to_owned(), vec![1]), ("a/b".to_owned(), vec![2])];
        assert!(write_folder(&path, &bad).is_err());
        assert!(names(folder.path()).is_empty());
        write_folder(&path, &good).unwrap();
        assert_eq!(names(&path), ["a", "b"]);
        assert!(replace_folder(&path, &bad).is_err());
        assert_eq!(names(&path), ["a", "b"], "the old folder is back");
        replace_folder(&path, &good[..1]).unwrap();
        assert_eq!(names(&path), ["a"]);
        replace_folder(&path, &[("base/c".to_owned(), vec![3])]).unwrap();
        assert_eq!(names(&path.join("base")), ["c"]);
        assert_eq!(names(folder.path()), ["checkpoint-1"]);
    }

    #[test]
    fn a_place_without_folder_is_unwritable() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = write(&file.path().join("run.toml"), b"x").unwrap_err();
        assert!(matches!(error, WriteError::Unwritable { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("--output-dir") && text.contains("run.toml"), "{text}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_called_a_full_disk() {
        // The device that is always full stands in for the temporary file.
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        let error = WriteError::new(Path::new("x"), 4, fill(&mut full, b"data").unwrap_err());
        assert!(matches!(error, WriteError::DiskFull { n_bytes: 4, .. }), "{error}");
    }
}
