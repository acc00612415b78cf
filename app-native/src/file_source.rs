//! A file as the engine reads it: piece by piece.

use dsee_core::source::{ByteSource, Reading, SourceError};
use std::{
    cell::RefCell,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::Range,
    path::Path,
};

/// An open file.
pub struct FileSource {
    file: RefCell<File>,
    n_bytes: u64,
}

impl FileSource {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        Ok(Self { n_bytes: file.metadata()?.len(), file: RefCell::new(file) })
    }

    fn read_now(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let mut file = self.file.borrow_mut();
        file.seek(SeekFrom::Start(range.start))?;
        let n_bytes = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        let mut bytes = vec![0; n_bytes];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl ByteSource for FileSource {
    fn len(&self) -> u64 {
        self.n_bytes
    }

    fn read(&self, range: Range<u64>) -> Reading<'_> {
        // A disk answers at once: there is nothing to wait for.
        let bytes = self.read_now(range).map_err(|error| SourceError(error.to_string()));
        Box::pin(async move { bytes })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use std::io::Write as _;

    #[test]
    fn ranges_are_read_in_any_order_and_shrunk_files_noticed() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"0123456789").unwrap();
        let source = FileSource::open(file.path()).unwrap();
        let read = |range| pollster::block_on(source.read(range));
        assert_eq!(
            (source.len(), read(6..10).unwrap(), read(0..2).unwrap()),
            (10, b"6789".into(), b"01".into())
        );
        file.as_file().set_len(4).unwrap();
        assert!(read(2..8).is_err());
    }
}
