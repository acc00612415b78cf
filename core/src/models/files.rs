//! The files of a model folder, from wherever they come, and what they hold.

use std::{collections::BTreeMap, rc::Rc};

use thiserror::Error;

use super::config::{ModelConfig, check_vocabulary};
use super::config_fields::ConfigError;
use super::tokenizer_fit;
use crate::checkpoint::Checkpoint;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::hash::sha256_hex;
use crate::checkpoint::shards::{INDEX_FILE, ShardIndex, WEIGHTS_FILE, WeightSource};
use crate::checkpoint::weights::{OpenError, Opened, StoredTensor, open_safetensors};
use crate::source::{ByteSource, SourceError};
use crate::tokenizer::{CaseRule, Tokenizer, TokenizerError};

/// Settings of the model.
pub const CONFIG_FILE: &str = "config.json";
/// The tokenizer, whole.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// BERT's vocabulary, read where there is no [`TOKENIZER_FILE`].
pub const VOCAB_FILE: &str = "vocab.txt";
/// The vocabulary of RoBERTa and GPT-2, read with [`MERGES_FILE`] where there is no [`TOKENIZER_FILE`].
pub const BPE_VOCAB_FILE: &str = "vocab.json";
/// What their pieces are merged to.
pub const MERGES_FILE: &str = "merges.txt";
/// Settings of the tokenizer.
pub const TOKENIZER_CONFIG_FILE: &str = "tokenizer_config.json";
/// How a language model writes text.
pub const GENERATION_CONFIG_FILE: &str = "generation_config.json";

/// Everything that exports copy byte for byte, as far as it is there.
const COPIED_FILES: [&str; 8] = [
    TOKENIZER_FILE,
    TOKENIZER_CONFIG_FILE,
    VOCAB_FILE,
    BPE_VOCAB_FILE,
    MERGES_FILE,
    "special_tokens_map.json",
    "added_tokens.json",
    GENERATION_CONFIG_FILE,
];

/// The files of a model folder, wherever their bytes are.
#[derive(Clone, Default)]
pub struct ModelFiles {
    /// The folder's name or the hub's id, for messages and model cards.
    pub name: String,
    /// File name → bytes. A file that is of no use here may be present with no bytes, so that messages can name it.
    pub files: BTreeMap<String, Rc<dyn ByteSource>>,
}

/// Files that lie in memory.
#[must_use]
pub fn in_memory(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> BTreeMap<String, Rc<dyn ByteSource>> {
    files.into_iter().map(|(name, bytes)| (name, Rc::new(bytes) as Rc<dyn ByteSource>)).collect()
}

/// A pretrained model as its files describe it.
#[derive(Clone, Debug)]
pub struct PretrainedModel {
    /// The folder's name or the hub's id.
    pub name: String,
    /// Its sizes.
    pub config: ModelConfig,
    /// Its weights, in the names of the file, still where the file is.
    pub checkpoint: Checkpoint<StoredTensor>,
    /// SHA-256 of the weight file, or of the concatenated hashes of its shards.
    pub weights_sha256: String,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The files of the tokenizer, and the settings of generation, for exports.
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
    /// A file cannot be read.
    #[error("{file}: {source}")]
    Source {
        /// Its name.
        file: String,
        /// Why not.
        source: SourceError,
    },
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
            || COPIED_FILES.contains(&name)
            || (name.starts_with("model") && name.ends_with(".safetensors"))
    }

    /// Reads the small files, and checks the weights in one pass that keeps none of them. `on_progress` is told the
    /// share of the weights that was checked.
    ///
    /// # Errors
    /// Everything that is missing or wrong, of all files at once.
    pub async fn open(&self, on_progress: &mut dyn FnMut(f64)) -> Result<PretrainedModel, ModelErrors> {
        let parts = (self.config().await, self.weights(on_progress).await, self.tokenizer().await);
        let (config, (checkpoint, weights_sha256), tokenizer) = match parts {
            (Ok(config), Ok(weights), Ok(tokenizer)) => (config, weights, tokenizer),
            (config, weights, tokenizer) => {
                let problems = [config.err(), weights.err(), tokenizer.err()].into_iter().flatten().collect();
                return Err(ModelErrors { problems });
            }
        };
        let one = |problem: ModelProblem| ModelErrors { problems: vec![problem] };
        let tokenizer = tokenizer_fit::fit(self.tokenizer_file(), tokenizer, &config);
        let tokenizer = tokenizer.map_err(|error| one(error.into()))?;
        if let Err(field) = check_vocabulary(tokenizer.vocab_size(), config.vocab_size) {
            return Err(one(ConfigError { file: TOKENIZER_FILE.to_owned(), fields: vec![field] }.into()));
        }
        let mut tokenizer_files = Vec::new();
        for name in COPIED_FILES.into_iter().filter(|name| self.files.contains_key(*name)) {
            tokenizer_files.push((name.to_owned(), self.bytes(name).await.map_err(one)?));
        }
        Ok(PretrainedModel {
            name: self.name.clone(),
            config,
            checkpoint,
            weights_sha256,
            tokenizer,
            tokenizer_files,
        })
    }

    /// The bytes of a file; none if it is not there.
    async fn bytes(&self, name: &str) -> Result<Vec<u8>, ModelProblem> {
        let Some(source) = self.files.get(name) else { return Ok(Vec::new()) };
        let failed = |source| ModelProblem::Source { file: name.to_owned(), source };
        source.read(0..source.len()).await.map_err(failed)
    }

    async fn config(&self) -> Result<ModelConfig, ModelProblem> {
        if !self.files.contains_key(CONFIG_FILE) {
            return Err(self.missing(CONFIG_FILE));
        }
        Ok(ModelConfig::parse(CONFIG_FILE, &self.bytes(CONFIG_FILE).await?)?)
    }

    /// The tensors and their hash.
    async fn weights(
        &self,
        on_progress: &mut dyn FnMut(f64),
    ) -> Result<(Checkpoint<StoredTensor>, String), ModelProblem> {
        let names: Vec<&str> = self.files.keys().map(String::as_str).collect();
        match WeightSource::choose(&self.name, &names)? {
            WeightSource::Single => {
                let Opened { checkpoint, sha256 } =
                    self.open_all(&[WEIGHTS_FILE], on_progress).await?.remove(0);
                Ok((checkpoint, sha256))
            }
            WeightSource::Sharded => {
                let index = ShardIndex::parse(INDEX_FILE, &self.bytes(INDEX_FILE).await?)?;
                // Shards that are not there are reported by the join, with what they should hold.
                let present: Vec<&str> =
                    index.shards().into_iter().filter(|shard| names.contains(shard)).collect();
                let opened = self.open_all(&present, on_progress).await?;
                let (shards, hashes): (Vec<_>, Vec<_>) =
                    opened.into_iter().map(|opened| (opened.checkpoint, opened.sha256)).unzip();
                Ok((index.join(shards)?, sha256_hex(hashes.concat().as_bytes())))
            }
        }
    }

    /// Checks weight files one after the other.
    async fn open_all(
        &self,
        names: &[&str],
        on_progress: &mut dyn FnMut(f64),
    ) -> Result<Vec<Opened>, ModelProblem> {
        let sources = names.iter().filter_map(|&name| Some((name, self.files.get(name)?)));
        let sources: Vec<_> = sources.collect();
        let total: u64 = sources.iter().map(|(_, source)| source.len()).sum();
        let mut done = 0;
        let mut opened = Vec::new();
        for (name, source) in sources {
            let mut on_read = |n_bytes: u64| {
                done += n_bytes;
                on_progress(done as f64 / total.max(1) as f64);
            };
            opened.push(open_safetensors(name, source, &mut on_read).await?);
        }
        Ok(opened)
    }

    async fn tokenizer(&self) -> Result<Tokenizer, ModelProblem> {
        let is_there = |name: &str| self.files.contains_key(name);
        if is_there(TOKENIZER_FILE) {
            return Ok(Tokenizer::from_bytes(TOKENIZER_FILE, &self.bytes(TOKENIZER_FILE).await?)?);
        }
        let settings = self.bytes(TOKENIZER_CONFIG_FILE).await?;
        let settings = is_there(TOKENIZER_CONFIG_FILE).then_some(settings.as_slice());
        if is_there(VOCAB_FILE) {
            let case = CaseRule::from_tokenizer_config(settings);
            return Ok(Tokenizer::from_vocab(VOCAB_FILE, &self.bytes(VOCAB_FILE).await?, case)?);
        }
        match (is_there(BPE_VOCAB_FILE), is_there(MERGES_FILE)) {
            (true, true) => {
                let (vocab, merges) = (self.bytes(BPE_VOCAB_FILE).await?, self.bytes(MERGES_FILE).await?);
                Ok(Tokenizer::from_bpe((BPE_VOCAB_FILE, &vocab), (MERGES_FILE, &merges), settings)?)
            }
            (true, false) => Err(self.missing("merges.txt beside vocab.json")),
            (false, true) => Err(self.missing("vocab.json beside merges.txt")),
            (false, false) => Err(self.missing("tokenizer.json, vocab.txt, or vocab.json and merges.txt")),
        }
    }

    /// The file that the tokenizer is read from.
    fn tokenizer_file(&self) -> &'static str {
        let files = [TOKENIZER_FILE, VOCAB_FILE, BPE_VOCAB_FILE];
        files.into_iter().find(|name| self.files.contains_key(*name)).unwrap_or(TOKENIZER_FILE)
    }

    fn missing(&self, wanted: &'static str) -> ModelProblem {
        ModelProblem::Missing { wanted, folder: self.name.clone() }
    }
}

impl From<OpenError> for ModelProblem {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Contents(error) => error.into(),
            OpenError::Source { file, source } => Self::Source { file, source },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::checkpoint::{HostTensor, NamedTensors, write::write_named};

    fn open(files: &ModelFiles) -> Result<PretrainedModel, ModelErrors> {
        pollster::block_on(files.open(&mut |_| ()))
    }

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
            files: in_memory(files.map(|(name, bytes)| (name.to_owned(), bytes))),
        }
    }

    #[test]
    fn a_folder_is_read_with_its_vocabulary() {
        let model = open(&files()).unwrap();
        assert_eq!((model.config.hidden_size, model.tokenizer.vocab_size()), (4, 8));
        assert_eq!(model.checkpoint.tensors.len(), 1);
        assert_eq!(model.tokenizer_files.len(), 1);
        assert_eq!(model.tokenizer_files[0].0, VOCAB_FILE);
        assert_eq!(model.weights_sha256.len(), 64);
    }

    #[test]
    fn an_empty_folder_lacks_three_things() {
        let errors = open(&ModelFiles { name: "empty".to_owned(), ..ModelFiles::default() }).unwrap_err();
        assert_eq!(errors.problems.len(), 3, "{errors}");
    }

    #[test]
    fn pickles_are_refused_with_advice() {
        let mut files = files();
        files.files.remove(WEIGHTS_FILE);
        files.files.insert("pytorch_model.bin".to_owned(), Rc::new(Vec::new()));
        let text = open(&files).unwrap_err().to_string();
        assert!(text.contains("model.safetensors"), "{text}");
    }

    #[test]
    fn a_foreign_vocabulary_is_noticed() {
        let mut files = files();
        let vocabulary: String = (0..5).map(|i| format!("w{i}\n")).collect();
        let whole = [b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n", vocabulary.as_bytes()].concat();
        files.files.insert(VOCAB_FILE.to_owned(), Rc::new(whole));
        let text = open(&files).unwrap_err().to_string();
        assert!(text.contains("13 tokens") && text.contains("another model"), "{text}");
    }

    #[test]
    fn vocabulary_and_merges_stand_in_and_fit_no_model_of_another_family() {
        let mut files = files();
        files.files.remove(VOCAB_FILE);
        let text = open(&files).unwrap_err().to_string();
        assert!(text.contains("no tokenizer.json, vocab.txt, or vocab.json and merges.txt"), "{text}");
        let vocab = br#"{"<|endoftext|>": 0, "a": 1, "b": 2, "ab": 3}"#;
        files.files.insert(BPE_VOCAB_FILE.to_owned(), Rc::new(vocab.to_vec()));
        assert!(open(&files).unwrap_err().to_string().contains("no merges.txt beside vocab.json"));
        files.files.insert(MERGES_FILE.to_owned(), Rc::new(b"a b\n".to_vec()));
        let text = open(&files).unwrap_err().to_string();
        for part in ["as of GPT-2", "as of BERT", "a bert model", BPE_VOCAB_FILE] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let config = r#"{"model_type": "gpt2", "vocab_size": 4, "n_embd": 4, "n_head": 2, "n_layer": 1, "n_positions": 8}"#;
        files.files.insert(CONFIG_FILE.to_owned(), Rc::new(config.as_bytes().to_vec()));
        let model = open(&files).unwrap();
        assert_eq!(model.tokenizer.encode_plain("abb").unwrap(), [3, 2]);
        let names: Vec<&str> = model.tokenizer_files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [BPE_VOCAB_FILE, MERGES_FILE]);
    }

    #[test]
    fn shards_are_joined_and_missing_ones_named() {
        let mut files = files();
        let weights = files.files.remove(WEIGHTS_FILE).unwrap();
        let shard = "model-00001-of-00001.safetensors";
        let index = format!(r#"{{"weight_map": {{"bert.pooler.dense.bias": "{shard}"}}}}"#);
        files.files.insert(INDEX_FILE.to_owned(), Rc::new(index.into_bytes()));
        let text = open(&files).unwrap_err().to_string();
        assert!(text.contains(shard), "{text}");
        files.files.insert(shard.to_owned(), weights);
        assert_eq!(open(&files).unwrap().checkpoint.tensors.len(), 1);
        assert!(ModelFiles::is_wanted(shard) && !ModelFiles::is_wanted("pytorch_model.bin"));
    }
}
