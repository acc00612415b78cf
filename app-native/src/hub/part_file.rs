//! A file that is on its way: its bytes under `<name>.part`, what is known of it under `<name>.part.json`.

use dsee_core::hub::{HubError, Identity};
use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::atomic;

/// A file on its way.
pub struct PartFile {
    path: PathBuf,
    part: PathBuf,
    notes: PathBuf,
    file: File,
    n_have: u64,
}

impl PartFile {
    /// Goes on with what is there of `path`, or begins. Gives what is known of the file from an earlier try, too.
    ///
    /// # Errors
    /// If the folder takes no files.
    pub fn open(path: &Path) -> Result<(Self, Identity), HubError> {
        let beside = |ending: &str| {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(ending);
            path.with_file_name(name)
        };
        let (part, notes) = (beside(".part"), beside(".part.json"));
        let kept = fs::read(&notes).ok().and_then(|bytes| serde_json::from_slice::<Identity>(&bytes).ok());
        let file = File::options().create(true).append(true).open(&part).map_err(|error| storage(&error))?;
        let mut this = Self { path: path.to_path_buf(), part, notes, file, n_have: 0 };
        match kept {
            Some(kept) => {
                this.n_have = this.file.metadata().map_err(|error| storage(&error))?.len();
                Ok((this, kept))
            }
            // Of bytes without notes nobody knows what they belong to.
            None => {
                this.clear()?;
                Ok((this, Identity::default()))
            }
        }
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
        self.file.set_len(0).map_err(|error| storage(&error))
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
        self.file.write_all(bytes).map_err(|error| storage(&error))?;
        self.n_have += bytes.len() as u64;
        Ok(())
    }

    /// Everything is there: the file gets its name.
    ///
    /// # Errors
    /// If the disk does not take it.
    pub fn finish(self) -> Result<(), HubError> {
        self.file.sync_all().map_err(|error| storage(&error))?;
        drop(self.file);
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
