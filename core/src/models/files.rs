//! The files of a model folder, from wherever they come, and what they hold.

use std::collections::BTreeMap;

use thiserror::Error;

use super::config::{BertConfig, check_vocabulary};
use super::config_fields::ConfigError;
use crate::checkpoint::Checkpoint;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::hash::sha256_hex;
use crate::checkpoint::safetensors_read::read_safetensors;
use crate::checkpoint::shards::{INDEX_FILE, ShardIndex, WEIGHTS_FILE, WeightSource};
use crate::tokenizer::{CaseRule, Tokenizer, TokenizerError};

/// Settings of the model.
pub const CONFIG_FILE: &str = "config.json";
/// The tokenizer, whole.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// BERT's vocabulary, read where there is no [`TOKENIZER_FILE`].
pub const VOCAB_FILE: &str = "vocab.txt";
/// Settings of the tokenizer.
pub const TOKENIZER_CONFIG_FILE: &str = "tokenizer_config.json";

/// Everything that exports copy byte for byte, as far as it is there.
const TOKENIZER_FILES: [&str; 5] =
    [TOKENIZER_FILE, TOKENIZER_CONFIG_FILE, VOCAB_FILE, "special_tokens_map.json", "added_tokens.json"];

/// The bytes of a model folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelFiles {
    /// The folder's name or the hub's id, for messages and model cards.
    pub name: String,
    /// File name → bytes. A file that is of no use here may be present with no bytes, so that messages can name it.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// A pretrained model as its files describe it.
#[derive(Clone, Debug)]
pub struct PretrainedModel {
    /// The folder's name or the hub's id.
    pub name: String,
    /// Its sizes.
    pub config: BertConfig,
    /// Its weights, in the names of the file.
    pub checkpoint: Checkpoint,
    /// SHA-256 of the weight file, or of the concatenated hashes of its shards.
    pub weights_sha256: String,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The files of the tokenizer, for exports.
    pub tokenizer_files: Vec<(String, Vec<u8>)>,
}

/// One file that is missing or wrong.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ModelProblem {
    /// A file is not there.
    #[error("there is no {wanted}; is this the folder of a Hugging Face model? ({folder})")]
    Missing {
        /// What is needed.
        wanted: &'static str,
        /// The folder.
        folder: String,
    },
    /// The settings, or the vocabulary they contradict.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The weights.
    #[error(transparent)]
    Weights(#[from] CheckpointError),
    /// The tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

/// Everything that is wrong with a model folder.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ModelErrors {
    /// Every problem; never empty.
    pub problems: Vec<ModelProblem>,
}

impl ModelFiles {
    /// Whether the bytes of a file are of any use, going by its name.
    #[must_use]
    pub fn is_wanted(name: &str) -> bool {
        name == CONFIG_FILE
            || name == INDEX_FILE
            || TOKENIZER_FILES.contains(&name)
            || (name.starts_with("model") && name.ends_with(".safetensors"))
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// Everything that is missing or wrong, of all files at once.
    pub fn parse(&self) -> Result<PretrainedModel, ModelErrors> {
        let parts = (self.config(), self.weights(), self.tokenizer());
        let (config, (checkpoint, weights_sha256), tokenizer) = match parts {
            (Ok(config), Ok(weights), Ok(tokenizer)) => (config, weights, tokenizer),
            (config, weights, tokenizer) => {
                let problems = [config.err(), weights.err(), tokenizer.err()].into_iter().flatten().collect();
                return Err(ModelErrors { problems });
            }
        };
        if let Err(field) = check_vocabulary(tokenizer.vocab_size(), config.vocab_size) {
            let error = ConfigError { file: TOKENIZER_FILE.to_owned(), fields: vec![field] };
            return Err(ModelErrors { problems: vec![error.into()] });
        }
        let copied = TOKENIZER_FILES.into_iter().filter_map(|name| self.files.get_key_value(name));
        let tokenizer_files = copied.map(|(name, bytes)| (name.clone(), bytes.clone())).collect();
        Ok(PretrainedModel {
            name: self.name.clone(),
            config,
            checkpoint,
            weights_sha256,
            tokenizer,
            tokenizer_files,
        })
    }

    fn config(&self) -> Result<BertConfig, ModelProblem> {
        let bytes = self.files.get(CONFIG_FILE).ok_or_else(|| self.missing(CONFIG_FILE))?;
        Ok(BertConfig::parse(CONFIG_FILE, bytes)?)
    }

    /// The tensors and their hash.
    fn weights(&self) -> Result<(Checkpoint, String), ModelProblem> {
        let names: Vec<&str> = self.files.keys().map(String::as_str).collect();
        let file = |name: &str| self.files.get(name).map(Vec::as_slice).unwrap_or_default();
        Ok(match WeightSource::choose(&self.name, &names)? {
            WeightSource::Single => {
                let bytes = file(WEIGHTS_FILE);
                (read_safetensors(WEIGHTS_FILE, bytes)?, sha256_hex(bytes))
            }
            WeightSource::Sharded => {
                let index = ShardIndex::parse(INDEX_FILE, file(INDEX_FILE))?;
                // Shards that are not there are reported by the join, with what they should hold.
                let present = index.shards().into_iter().filter(|shard| names.contains(shard));
                let shards =
                    present.map(|shard| Ok((read_safetensors(shard, file(shard))?, sha256_hex(file(shard)))));
                let (shards, hashes): (Vec<_>, Vec<_>) =
                    shards.collect::<Result<Vec<_>, CheckpointError>>()?.into_iter().unzip();
                (index.join(shards)?, sha256_hex(hashes.concat().as_bytes()))
            }
        })
    }

    fn tokenizer(&self) -> Result<Tokenizer, ModelProblem> {
        if let Some(bytes) = self.files.get(TOKENIZER_FILE) {
            return Ok(Tokenizer::from_bytes(TOKENIZER_FILE, bytes)?);
        }
        let vocabulary =
            self.files.get(VOCAB_FILE).ok_or_else(|| self.missing("tokenizer.json or vocab.txt"))?;
        let case = CaseRule::from_tokenizer_config(self.files.get(TOKENIZER_CONFIG_FILE).map(Vec::as_slice));
        Ok(Tokenizer::from_vocab(VOCAB_FILE, vocabulary, case)?)
    }

    fn missing(&self, wanted: &'static str) -> ModelProblem {
        ModelProblem::Missing { wanted, folder: self.name.clone() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::checkpoint::{HostTensor, NamedTensors, write::write_named};

    fn files() -> ModelFiles {
        let config = r#"{"model_type": "bert", "vocab_size": 8, "hidden_size": 4, "num_attention_heads": 2}"#;
        let tensors: NamedTensors =
            [("bert.pooler.dense.bias".to_owned(), HostTensor { shape: vec![4], data: vec![0.5; 4] })].into();
        let vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n";
        let files = [
            (CONFIG_FILE, config.as_bytes().to_vec()),
            (WEIGHTS_FILE, write_named(&tensors)),
            (VOCAB_FILE, vocabulary.as_bytes().to_vec()),
        ];
        ModelFiles {
            name: "tiny".to_owned(),
            files: files.map(|(name, bytes)| (name.to_owned(), bytes)).into(),
        }
    }

    #[test]
    fn a_folder_is_read_with_its_vocabulary() {
        let model = files().parse().unwrap();
        assert_eq!((model.config.hidden_size, model.tokenizer.vocab_size()), (4, 8));
        assert_eq!(model.checkpoint.tensors.len(), 1);
        assert_eq!(model.tokenizer_files.len(), 1);
        assert_eq!(model.tokenizer_files[0].0, VOCAB_FILE);
        assert_eq!(model.weights_sha256.len(), 64);
    }

    #[test]
    fn an_empty_folder_lacks_three_things() {
        let errors = ModelFiles { name: "empty".to_owned(), ..ModelFiles::default() }.parse().unwrap_err();
        assert_eq!(errors.problems.len(), 3, "{errors}");
    }

    #[test]
    fn pickles_are_refused_with_advice() {
        let mut files = files();
        files.files.remove(WEIGHTS_FILE);
        files.files.insert("pytorch_model.bin".to_owned(), vec![]);
        let text = files.parse().unwrap_err().to_string();
        assert!(text.contains("model.safetensors"), "{text}");
    }

    #[test]
    fn a_foreign_vocabulary_is_noticed() {
        let mut files = files();
        let vocabulary: String = (0..5).map(|i| format!("w{i}\n")).collect();
        files.files.get_mut(VOCAB_FILE).unwrap().extend(vocabulary.as_bytes());
        let text = files.parse().unwrap_err().to_string();
        assert!(text.contains("13 tokens") && text.contains("another model"), "{text}");
    }

    #[test]
    fn shards_are_joined_and_missing_ones_named() {
        let mut files = files();
        let weights = files.files.remove(WEIGHTS_FILE).unwrap();
        let shard = "model-00001-of-00001.safetensors";
        let index = format!(r#"{{"weight_map": {{"bert.pooler.dense.bias": "{shard}"}}}}"#);
        files.files.insert(INDEX_FILE.to_owned(), index.into_bytes());
        let text = files.parse().unwrap_err().to_string();
        assert!(text.contains(shard), "{text}");
        files.files.insert(shard.to_owned(), weights);
        assert_eq!(files.parse().unwrap().checkpoint.tensors.len(), 1);
        assert!(ModelFiles::is_wanted(shard) && !ModelFiles::is_wanted("pytorch_model.bin"));
    }
}
