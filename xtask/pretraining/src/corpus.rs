//! What the encoder is pretrained on: text of the public domain, and the text of our own generator.

use anyhow::Context as _;
use dsee_core::{
    builtin,
    checkpoint::NamedTensors,
    data::{EncodedDataset, Label, mlm::MlmCorpus},
    gpu::Device,
    models::config::ModelConfig,
    tokenizer::{Tokenizer, train_word_pieces},
    train::{
        pretrain::PretrainText,
        pretrain_score::{PretrainScore, score},
    },
};
use std::{fs, path::PathBuf};

use crate::Args;

/// Longest sequence of masked words.
const MAX_LENGTH: usize = 48;
/// Lines of the generator for every ten sequences of masked words that are read after the opening. All paragraphs join
/// them, so that about half of what is read is the generator's, and every line is read at most once.
const GENERATED_OF_TEN: usize = 9;
/// Lines of the generator from which the vocabulary is learned.
const VOCABULARY_LINES: usize = 20_000;
/// Share of the lines with a telling word in which that word alone is hidden, after the opening.
const TELLING_SHARE: f32 = 0.6;
/// Lines and pairs that are kept for scoring.
pub const HELD_OUT: usize = 500;
/// Seed of held-out text, apart from those of training.
const HELD_OUT_SEED: u64 = 0x6865_6c64;

/// A file and its paragraphs.
pub struct Text {
    /// Name of the file.
    pub name: String,
    /// Paragraphs, each on one line.
    pub paragraphs: Vec<String>,
}

/// Everything that training reads.
pub struct Corpus {
    /// The tokenizer's file.
    pub tokenizer_json: Vec<u8>,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// All sequences.
    pub text: PretrainText,
    /// How many of the sequences are the generator's.
    pub n_generated: usize,
}

/// Reads text files.
pub fn read_texts(paths: &[PathBuf]) -> anyhow::Result<Vec<Text>> {
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let text = text.replace("\r\n", "\n");
        let paragraphs = text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>());
        let paragraphs = paragraphs.map(|words| words.join(" ")).filter(|text| !text.is_empty()).collect();
        Ok(Text { name, paragraphs })
    };
    paths.iter().map(read).collect()
}

impl Corpus {
    /// Learns the vocabulary and encodes text for the opening steps and for those after it.
    pub fn new(texts: &[Text], args: &Args) -> anyhow::Result<Self> {
        let seed = args.seed;
        let n_after = (args.steps - args.opening_steps) * args.batch_size / 2;
        let lines = builtin::pretraining_sentences(seed, n_after * GENERATED_OF_TEN / 10);
        let opening = opening_lines(seed, args.opening_steps * args.batch_size);
        let paragraphs: Vec<&str> =
            texts.iter().flat_map(|text| &text.paragraphs).map(String::as_str).collect();
        let vocabulary_lines = lines.iter().take(VOCABULARY_LINES).map(String::as_str);
        let sample: Vec<&str> = paragraphs.iter().copied().chain(vocabulary_lines).collect();
        let tokenizer_json = train_word_pieces(&sample, args.vocab_size)?;
        let tokenizer = Tokenizer::from_bytes("tokenizer.json", &tokenizer_json)?;
        let text = PretrainText {
            opening: words(opening.iter().map(String::as_str), &tokenizer, 1.0)?,
            words: words(lines.iter().map(String::as_str).chain(paragraphs), &tokenizer, TELLING_SHARE)?,
            pairs: pairs(seed, n_after, &tokenizer)?,
        };
        // Its lines are short: each is one sequence.
        Ok(Self { tokenizer_json, tokenizer, text, n_generated: opening.len() + lines.len() })
    }

    /// Text of the generator that was not trained on, for this tokenizer.
    pub fn held_out(&self, seed: u64) -> anyhow::Result<HeldOut> {
        let seed = seed ^ HELD_OUT_SEED;
        let lines = builtin::pretraining_sentences(seed, HELD_OUT);
        let words = words(lines.iter().map(String::as_str), &self.tokenizer, TELLING_SHARE)?;
        Ok(HeldOut { words, pairs: pairs(seed, HELD_OUT, &self.tokenizer)?, seed })
    }
}

/// Text for scoring.
pub struct HeldOut {
    words: MlmCorpus,
    pairs: EncodedDataset,
    seed: u64,
}

impl HeldOut {
    /// Scores weights on it.
    pub async fn score(
        &self,
        device: &Device,
        config: &ModelConfig,
        weights: &NamedTensors,
    ) -> anyhow::Result<PretrainScore> {
        Ok(score(device, config, weights, &self.words, &self.pairs, self.seed).await?)
    }
}

/// Reviews with their verdicts, in which one word tells whether the rest was understood.
fn opening_lines(seed: u64, n: usize) -> Vec<String> {
    let telling = builtin::telling_words();
    let is_telling = |sentence: &str| telling.iter().any(|word| sentence.ends_with(&format!(" {word}.")));
    // Half of the pairs belong together, and two thirds of those have a telling word.
    let pairs = builtin::pretraining_pairs(seed, 3 * n);
    let pairs =
        pairs.iter().filter(|pair| pair.follows && (is_telling(&pair.first) || is_telling(&pair.second)));
    pairs.map(|pair| format!("{} {}", pair.first, pair.second)).collect()
}

fn words<'a>(
    texts: impl Iterator<Item = &'a str>,
    tokenizer: &Tokenizer,
    telling_share: f32,
) -> anyhow::Result<MlmCorpus> {
    let telling = builtin::telling_words().into_iter().filter_map(|word| tokenizer.token_to_id(word));
    Ok(MlmCorpus::new(texts, tokenizer, MAX_LENGTH)?.favour(telling, telling_share))
}

fn pairs(seed: u64, n: usize, tokenizer: &Tokenizer) -> anyhow::Result<EncodedDataset> {
    let mut encoded = EncodedDataset::default();
    for pair in builtin::pretraining_pairs(seed, n) {
        let encoding = tokenizer.encode(&pair.first, Some(&pair.second), 2 * MAX_LENGTH)?;
        encoded.push(&encoding, Label::Class(u32::from(!pair.follows)));
    }
    Ok(encoded)
}
