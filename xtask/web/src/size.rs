//! How much a visitor loads before the first screen, and the limit on it.

use anyhow::{Context as _, bail};
use flate2::{Compression, write::GzEncoder};
use std::{fmt, fs, io::Write as _, path::Path};

/// Most bytes a visitor should load before the page works, as a web server would send them: gzip.
const MOST_GZIP_BYTES: usize = 4_000_000;

/// Bytes of all files of the site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// As they are.
    pub raw: usize,
    /// Compressed one by one.
    pub gzip: usize,
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: usize| bytes as f64 / 1e6;
        write!(f, "{:.2} MB, {:.2} MB gzip", megabytes(self.raw), megabytes(self.gzip))
    }
}

impl Sizes {
    /// Whether the site is within the limit.
    ///
    /// # Errors
    /// If it is not.
    pub fn check(self) -> anyhow::Result<()> {
        if self.gzip > MOST_GZIP_BYTES {
            bail!("the page is too large: {} bytes of gzip, at most {MOST_GZIP_BYTES}", self.gzip);
        }
        Ok(())
    }
}

/// Adds up all files below `folder` but weights: the window opens before they are there.
///
/// # Errors
/// If one cannot be read.
pub fn of_site(folder: &Path) -> anyhow::Result<Sizes> {
    let mut sum = Sizes::default();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            continue;
        }
        let part = if path.is_dir() {
            of_site(&path)?
        } else {
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            Sizes { raw: bytes.len(), gzip: gzip_len(&bytes)? }
        };
        sum = Sizes { raw: sum.raw + part.raw, gzip: sum.gzip + part.gzip };
    }
    Ok(sum)
}

fn gzip_len(bytes: &[u8]) -> anyhow::Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn all_files_but_weights_count() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("inner")).unwrap();
        fs::write(folder.path().join("a"), [0; 10_000]).unwrap();
        fs::write(folder.path().join("inner/b"), [0; 20_000]).unwrap();
        fs::write(folder.path().join("model.safetensors"), [0; 40_000]).unwrap();
        let sizes = of_site(folder.path()).unwrap();
        assert_eq!(sizes.raw, 30_000);
        assert!(sizes.gzip < 200, "{sizes:?}");
    }

    #[test]
    fn too_much_is_refused() {
        assert!(Sizes { raw: 9 << 20, gzip: MOST_GZIP_BYTES }.check().is_ok());
        assert!(Sizes { raw: 9 << 20, gzip: MOST_GZIP_BYTES + 1 }.check().is_err());
    }
}
