//! A file that is on its way: its bytes under `<name>.part`, what is known of it under `<name>.part.json`.

use dsee_core::hub::{HubError, Identity};
use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::atomic;

/// A file on its way. Nothing is written before its first bytes or notes come.
pub struct PartFile {
    path: PathBuf,
    part: PathBuf,
    notes: PathBuf,
    file: Option<File>,
    n_have: u64,
}

impl PartFile {
    /// Looks for what is there of `path`. Gives what is known of the file from an earlier try, too.
    pub fn find(path: &Path) -> (Self, Identity) {
        let beside = |ending: &str| {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(ending);
            path.with_file_name(name)
        };
        let (part, notes) = (beside(".part"), beside(".part.json"));
        let kept = fs::read(&notes).ok().and_then(|bytes| serde_json::from_slice::<Identity>(&bytes).ok());
        // Of bytes without notes nobody knows what they belong to.
        let n_have = kept.as_ref().and_then(|_| fs::metadata(&part).ok()).map_or(0, |found| found.len());
        let this = Self { path: path.to_path_buf(), part, notes, file: None, n_have };
        (this, kept.unwrap_or_default())
    }

    /// Bytes that are there.
    pub fn n_have(&self) -> u64 {
        self.n_have
    }

    /// Drops what is there.
    ///
    /// # Errors
    /// If the disk does not let us.
    pub fn clear(&mut self) -> Result<(), HubError> {
        self.n_have = 0;
        self.file()?.set_len(0).map_err(|error| storage(&error))
    }

    fn file(&mut self) -> Result<&mut File, HubError> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let opened = File::options().create(true).append(true).open(&self.part);
                opened.map_err(|error| storage(&error))?
            }
        };
        Ok(self.file.insert(file))
    }

    /// Notes what file this is, before its first byte.
    ///
    /// # Errors
    /// If the disk is full.
    pub fn note(&self, identity: &Identity) -> Result<(), HubError> {
        let bytes =
            serde_json::to_vec(identity).map_err(|error| HubError::Storage { reason: error.to_string() })?;
        atomic::write(&self.notes, &bytes).map_err(|error| HubError::Storage { reason: error.to_string() })
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// If the disk is full.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        self.file()?.write_all(bytes).map_err(|error| storage(&error))?;
        self.n_have += bytes.len() as u64;
        Ok(())
    }

    /// Everything is there: the file gets its name.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub fn finish(mut self) -> Result<(), HubError> {
        self.file()?.sync_all().map_err(|error| storage(&error))?;
        self.file = None;
        fs::rename(&self.part, &self.path).map_err(|error| storage(&error))?;
        // Notes without a file say nothing to anybody.
        fs::remove_file(&self.notes).ok();
        Ok(())
    }
}

/// An error of the disk, with what to do.
pub fn storage(error: &io::Error) -> HubError {
    let advice = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space, or delete models that are kept, and try again"
        }
        _ => "name a folder that can be written to in DSEE_CACHE",
    };
    HubError::Storage { reason: format!("{error}; {advice}") }
}
