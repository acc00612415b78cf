//! Who writes a run folder: one process at a time.
//!
//! The system's own lock on a file in the folder: it ends with the process, however that ends.

use anyhow::Context as _;
use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

const LOCK_FILE: &str = "run.lock";

/// The right to write a run folder, for as long as this lives.
#[derive(Debug)]
pub struct RunLock {
    path: PathBuf,
    _file: File,
}

impl RunLock {
    /// Takes the lock; `None` if somebody else has it.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn take(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(LOCK_FILE);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.with_context(|| format!("cannot write the run folder: {}", folder.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { path, _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            // A file system without locks: better to go on than to refuse every run on it.
            Err(TryLockError::Error(error)) => {
                log::warn!("the run folder cannot be locked: {error}");
                Ok(Some(Self { path, _file: file }))
            }
        }
    }

    /// Takes the lock, or says who has it.
    ///
    /// # Errors
    /// If somebody else has it, or the folder cannot be written.
    pub fn take_or_fail(folder: &Path) -> anyhow::Result<Self> {
        let lock = Self::take(folder)?;
        lock.with_context(|| {
            format!(
                "another window or command is writing this run: wait for it, or stop it first: {}",
                folder.display()
            )
        })
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // The lock is what counts; its file only looks untidy.
        fs::remove_file(&self.path).ok();
    }
}

/// Whether somebody writes this run folder now.
pub fn is_held(folder: &Path) -> bool {
    let file = File::options().write(true).open(folder.join(LOCK_FILE));
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_held(folder.path()));
        let lock = RunLock::take(folder.path()).unwrap().unwrap();
        assert!(is_held(folder.path()));
        assert!(RunLock::take(folder.path()).unwrap().is_none());
        assert!(RunLock::take_or_fail(folder.path()).unwrap_err().to_string().contains("another window"));
        drop(lock);
        assert!(!is_held(folder.path()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
        assert!(RunLock::take(&folder.path().join("gone")).is_err());
    }
}
