//! Bytes from wherever an app has them: a file on a disk, a file dropped on a page, memory.

use std::{future::Future, ops::Range, pin::Pin, rc::Rc};

/// The answer of a read, once it is there.
pub type Reading<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, SourceError>> + 'a>>;

/// Bytes that are read piece by piece, so that a large file never lies in memory as a whole.
pub trait ByteSource {
    /// Bytes in all.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads `range`, which lies within the length.
    ///
    /// # Errors
    /// If the bytes cannot be read any more.
    fn read(&self, range: Range<u64>) -> Reading<'_>;
}

/// A source that cannot be read any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file cannot be read any more: {0}")]
pub struct SourceError(pub String);

/// Bytes in memory.
impl ByteSource for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read(&self, range: Range<u64>) -> Reading<'_> {
        let bounds = (usize::try_from(range.start), usize::try_from(range.end));
        let bytes = match bounds {
            (Ok(start), Ok(end)) => self.get(start..end).map(<[u8]>::to_vec),
            _ => None,
        };
        Box::pin(async move { bytes.ok_or_else(|| SourceError("the range lies outside".to_owned())) })
    }
}

/// A named file that travels beside a command.
pub struct Attachment {
    /// Name of the file, with its path inside a folder that was given.
    pub name: String,
    /// Its bytes.
    pub source: Rc<dyn ByteSource>,
}

/// A named file that travels beside an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedBytes {
    /// Name of the file or of the part.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}
