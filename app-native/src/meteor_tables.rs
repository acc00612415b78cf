//! METEOR's tables of synonyms and paraphrases, which do not come with this program: read from where the user says.

use anyhow::{Context as _, bail};
use dsee_core::{
    config::quoted,
    metrics::nlg::{Corpus, MeteorTables},
};
use flate2::read::MultiGzDecoder;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// The metric that needs the tables, and what stands for it without them.
pub const METEOR: (&str, &str) = ("meteor", "meteor-exact-stem");

/// The flag that names their folder.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct MeteorArgs {
    /// A folder of METEOR 1.5 with paraphrase-en.gz, english.synsets and english.exceptions, which the metric meteor
    /// needs.
    #[arg(long, value_name = "FOLDER")]
    meteor: Option<PathBuf>,
}

impl MeteorArgs {
    /// Whether there is a folder.
    pub fn is_given(&self) -> bool {
        self.meteor.is_some()
    }

    /// The flag as it was given, for a command that goes on; empty without it.
    pub fn as_flag(&self) -> String {
        let folder = self.meteor.as_ref().map(|folder| quoted(&folder.display().to_string()));
        folder.map_or_else(String::new, |folder| format!(" --meteor {folder}"))
    }

    /// The tables, as far as a corpus needs them; `None` without a folder.
    ///
    /// # Errors
    /// If a file is missing or is none of METEOR's.
    pub fn read(&self, corpus: &Corpus) -> anyhow::Result<Option<MeteorTables>> {
        self.meteor.as_deref().map(|folder| read(folder, corpus)).transpose()
    }
}

/// Reads METEOR's tables, wherever they lie in the folder.
fn read(folder: &Path, corpus: &Corpus) -> anyhow::Result<MeteorTables> {
    let mut tables = MeteorTables::default();
    let path = find(folder, "english.synsets")?;
    tables.read_synsets(open(&path)?).with_context(|| path.display().to_string())?;
    let path = find(folder, "english.exceptions")?;
    tables.read_exceptions(open(&path)?).with_context(|| path.display().to_string())?;
    let path = find(folder, "paraphrase-en.gz")?;
    let read = tables.read_paraphrases(open(&path)?, &corpus.meteor_vocabulary());
    read.with_context(|| path.display().to_string())?;
    Ok(tables)
}

/// The file with this name in a folder or its subfolders, the first in the order of paths.
fn find(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(place) = folders.pop() {
        let entries = fs::read_dir(&place).with_context(|| format!("cannot read: {}", place.display()))?;
        let mut paths = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<Vec<PathBuf>>>()
            .with_context(|| format!("cannot read: {}", place.display()))?;
        paths.sort();
        if let Some(path) =
            paths.iter().find(|path| path.is_file() && path.file_name().is_some_and(|n| n == name))
        {
            return Ok(path.clone());
        }
        // Links to folders are left alone, they may lead round in circles.
        folders.extend(paths.into_iter().rev().filter(|path| path.is_dir() && !path.is_symlink()));
    }
    bail!("there is no {name}, which METEOR 1.5 comes with: {}", folder.display())
}

/// Opens a file, packed or not.
fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    let cannot_read = || format!("cannot read: {}", path.display());
    let mut file = BufReader::new(File::open(path).with_context(cannot_read)?);
    let is_packed = file.fill_buf().with_context(cannot_read)?.starts_with(&[0x1f, 0x8b]);
    let bytes: Box<dyn Read> = if is_packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(Box::new(BufReader::new(bytes)))
}
