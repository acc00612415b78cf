//! Attached files, read piece by piece so that the place the engine runs in stays awake.

use super::{Host, Refusal, say};
use crate::protocol::Event;
use crate::source::{Attachment, ByteSource};

/// Bytes of one piece.
const PIECE: u64 = 4 << 20;

/// The last part of a path, whichever way its slashes lean.
pub fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// How much of several files is read.
pub struct Progress {
    what: String,
    done: u64,
    total: u64,
}

impl Progress {
    /// Nothing of `total` bytes; `what` says in a few words what is done with them.
    pub fn new(what: &str, total: u64) -> Self {
        Self { what: what.to_owned(), done: 0, total }
    }

    /// Reads one file to its end.
    pub async fn read(&mut self, file: &Attachment, host: &mut impl Host) -> Result<Vec<u8>, Refusal> {
        let source: &dyn ByteSource = file.source.as_ref();
        let mut bytes = Vec::with_capacity(usize::try_from(source.len()).unwrap_or(0));
        let failed = |error| Refusal::because(format!("{}: {error}", file.name));
        while (bytes.len() as u64) < source.len() {
            let start = bytes.len() as u64;
            let piece = source.read(start..source.len().min(start + PIECE)).await.map_err(failed)?;
            if piece.is_empty() {
                return Err(Refusal::because(format!("{}: the file has become shorter", file.name)));
            }
            self.done += piece.len() as u64;
            bytes.extend(piece);
            if self.total > PIECE {
                let share = Some(self.done as f64 / self.total as f64);
                say(host, Event::Working { what: self.what.clone(), share });
                host.breathe().await;
            }
        }
        Ok(bytes)
    }
}

/// All files by their names without folders.
pub async fn read_all(files: &[Attachment], host: &mut impl Host) -> Result<Vec<(String, Vec<u8>)>, Refusal> {
    let mut progress = Progress::new("Reading files", files.iter().map(|file| file.source.len()).sum());
    let mut read = Vec::new();
    for file in files {
        read.push((file_name(&file.name).to_owned(), progress.read(file, host).await?));
    }
    Ok(read)
}
