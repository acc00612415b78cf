//! Which files of a model to get, in which order, and which follow from which.
//!
//! Small and telling ones come first, so that a model that cannot be used is refused before its weights are fetched:
//! settings, then the headers of the weights, then the tokenizer, then the weights.

use std::collections::VecDeque;

use super::error::HubError;
use crate::checkpoint::shards::{INDEX_FILE, ShardIndex, WEIGHTS_FILE};
use crate::models::files::{
    BPE_VOCAB_FILE, CONFIG_FILE, MERGES_FILE, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE, VOCAB_FILE,
};

/// What a tokenizer may have beside itself.
const TOKENIZER_EXTRAS: [&str; 3] = [TOKENIZER_CONFIG_FILE, "special_tokens_map.json", "added_tokens.json"];

/// One file, or a part of one, to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub file: String,
    /// Whether a model may lack it: then a 404 is an answer like others.
    pub optional: bool,
    /// How much of it.
    pub part: Part,
}

/// How much of a file is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it, kept; [`Plan::got`] wants to see it. It is small.
    Text,
    /// The header of a safetensors file, see [`super::header_range`]; nothing is kept. It tells the size.
    Header,
    /// All of it, kept.
    Whole,
}

/// The files of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    id: String,
    waiting: VecDeque<Task>,
    sizes: Vec<(String, u64)>,
    weights: Vec<String>,
}

impl Plan {
    /// The plan for the model called `id`, before anything is known of it.
    #[must_use]
    pub fn new(id: &str) -> Self {
        let mut plan =
            Self { id: id.to_owned(), waiting: VecDeque::new(), sizes: Vec::new(), weights: Vec::new() };
        plan.append(CONFIG_FILE, false, Part::Text);
        plan.append(WEIGHTS_FILE, true, Part::Header);
        plan
    }

    /// What to do next; `None` when everything is there. The same until [`Self::got`] or [`Self::absent`] is called.
    #[must_use]
    pub fn next(&self) -> Option<&Task> {
        self.waiting.front()
    }

    /// The task is done: the file has `n_bytes` in all, and holds `text` if the task was for [`Part::Text`].
    ///
    /// # Errors
    /// If the list of shards cannot be used.
    pub fn got(&mut self, n_bytes: u64, text: &[u8]) -> Result<(), HubError> {
        let Some(task) = self.waiting.pop_front() else { return Ok(()) };
        if !self.sizes.iter().any(|(file, _)| *file == task.file) {
            self.sizes.push((task.file.clone(), n_bytes));
        }
        if task.part == Part::Header {
            self.weights.push(task.file.clone());
        }
        match task.file.as_str() {
            INDEX_FILE => {
                let index = ShardIndex::parse(INDEX_FILE, text)?;
                index.shards().into_iter().for_each(|shard| self.append(shard, false, Part::Header));
            }
            BPE_VOCAB_FILE => self.append(MERGES_FILE, false, Part::Whole),
            TOKENIZER_FILE | VOCAB_FILE | MERGES_FILE => {
                TOKENIZER_EXTRAS.into_iter().for_each(|extra| self.append(extra, true, Part::Whole));
            }
            _ => {}
        }
        self.follow(task.part);
        Ok(())
    }

    /// The hub has no such file.
    ///
    /// # Errors
    /// If the model cannot be without it.
    pub fn absent(&mut self) -> Result<(), HubError> {
        let Some(task) = self.waiting.pop_front() else { return Ok(()) };
        match task.file.as_str() {
            // The last of what can stand in for a tokenizer.json.
            BPE_VOCAB_FILE => return Err(self.missing(TOKENIZER_FILE)),
            _ if !task.optional => return Err(self.missing(&task.file)),
            WEIGHTS_FILE => self.append(INDEX_FILE, false, Part::Text),
            TOKENIZER_FILE => self.append(VOCAB_FILE, true, Part::Whole),
            VOCAB_FILE => self.append(BPE_VOCAB_FILE, false, Part::Whole),
            _ => {}
        }
        self.follow(task.part);
        Ok(())
    }

    fn missing(&self, file: &str) -> HubError {
        HubError::MissingFile { id: self.id.clone(), file: file.to_owned() }
    }

    /// Bytes of all files that are known.
    #[must_use]
    pub fn n_total(&self) -> u64 {
        self.sizes.iter().map(|(_, n_bytes)| n_bytes).sum()
    }

    /// Files with weights, as far as they are known.
    #[must_use]
    pub fn weights(&self) -> &[String] {
        &self.weights
    }

    /// Puts the next stage behind a stage that is over.
    fn follow(&mut self, ended: Part) {
        if !self.waiting.is_empty() {
            return;
        }
        match ended {
            Part::Header => self.append(TOKENIZER_FILE, true, Part::Whole),
            Part::Whole => {
                for file in std::mem::take(&mut self.weights) {
                    self.append(&file, false, Part::Whole);
                }
            }
            Part::Text => {}
        }
    }

    fn append(&mut self, file: &str, optional: bool, part: Part) {
        self.waiting.push_back(Task { file: file.to_owned(), optional, part });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    /// Walks a plan over a hub with these files; gives what was asked for.
    fn walk(files: &[(&str, &[u8])]) -> Result<(Vec<String>, u64), HubError> {
        let mut plan = Plan::new("org/name");
        let mut asked = Vec::new();
        while let Some(task) = plan.next().cloned() {
            let mark = if task.part == Part::Header { " header" } else { "" };
            asked.push(format!("{}{mark}", task.file));
            match files.iter().find(|(name, _)| *name == task.file) {
                Some((_, bytes)) => plan.got(bytes.len() as u64, bytes)?,
                None => plan.absent()?,
            }
        }
        Ok((asked, plan.n_total()))
    }

    #[test]
    fn an_ordinary_model_takes_these_files_in_this_order() {
        let files: [(&str, &[u8]); 4] = [
            ("config.json", b"{}"),
            ("model.safetensors", b"12345678"),
            ("tokenizer.json", b"{}"),
            ("tokenizer_config.json", b"{}"),
        ];
        let (asked, n_total) = walk(&files).unwrap();
        let expected = [
            "config.json",
            "model.safetensors header",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "model.safetensors",
        ];
        assert_eq!(asked, expected);
        assert_eq!(n_total, 14);
    }

    #[test]
    fn shards_follow_from_their_index_and_the_vocabulary_stands_in() {
        let index = br#"{"weight_map": {"a": "model-2.safetensors", "b": "model-1.safetensors"}}"#;
        let files: [(&str, &[u8]); 5] = [
            ("config.json", b"{}"),
            ("model.safetensors.index.json", index),
            ("model-1.safetensors", b"1"),
            ("model-2.safetensors", b"22"),
            ("vocab.txt", b"[PAD]"),
        ];
        let (asked, n_total) = walk(&files).unwrap();
        let expected = [
            "config.json",
            "model.safetensors header",
            "model.safetensors.index.json",
            "model-1.safetensors header",
            "model-2.safetensors header",
            "tokenizer.json",
            "vocab.txt",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "model-1.safetensors",
            "model-2.safetensors",
        ];
        assert_eq!(asked, expected);
        assert_eq!(n_total, (2 + index.len() + 3 + 5) as u64);
    }

    #[test]
    fn vocabulary_and_merges_come_together() {
        let files: [(&str, &[u8]); 4] =
            [("config.json", b"{}"), ("model.safetensors", b"1"), ("vocab.json", b"{}"), ("merges.txt", b"")];
        let (asked, _) = walk(&files).unwrap();
        let expected = ["tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "tokenizer_config.json"];
        assert_eq!(asked[2..7], expected);
        assert_eq!(asked.last().map(String::as_str), Some("model.safetensors"));
    }

    #[test]
    fn what_a_model_cannot_be_without_is_named() {
        let missing = |files: &[(&str, &[u8])]| match walk(files).unwrap_err() {
            HubError::MissingFile { file, .. } => file,
            other => panic!("{other}"),
        };
        assert_eq!(missing(&[]), "config.json");
        assert_eq!(missing(&[("config.json", b"{}")]), "model.safetensors.index.json");
        let no_tokenizer: [(&str, &[u8]); 2] = [("config.json", b"{}"), ("model.safetensors", b"1")];
        assert_eq!(missing(&no_tokenizer), "tokenizer.json");
        let no_merges = [no_tokenizer[0], no_tokenizer[1], ("vocab.json", b"{}")];
        assert_eq!(missing(&no_merges), "merges.txt");
    }

    #[test]
    fn a_list_of_shards_cannot_point_elsewhere() {
        let index = br#"{"weight_map": {"a": "../../secret.safetensors"}}"#;
        let files: [(&str, &[u8]); 2] = [("config.json", b"{}"), ("model.safetensors.index.json", index)];
        assert!(matches!(walk(&files).unwrap_err(), HubError::Weights(_)));
    }
}
