//! Several files as one download: a zip without compression, because weights do not compress.

use std::io::{Cursor, Write as _};

use dsee_core::source::NamedBytes;
use zip::{CompressionMethod, ZipWriter, result::ZipError, write::SimpleFileOptions};

/// Puts `files` into a folder called `folder` inside a zip.
///
/// # Errors
/// If two files have the same name, or one does not fit the format.
pub fn zip(folder: &str, files: &[NamedBytes]) -> Result<Vec<u8>, ZipError> {
    let n_bytes: usize = files.iter().map(|file| file.bytes.len()).sum();
    let mut writer = ZipWriter::new(Cursor::new(Vec::with_capacity(n_bytes + 512 * files.len())));
    for file in files {
        let large = u32::try_from(file.bytes.len()).is_err();
        let options =
            SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(large);
        writer.start_file(format!("{folder}/{}", file.name), options)?;
        writer.write_all(&file.bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}
