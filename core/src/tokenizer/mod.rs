//! Text to token ids, exactly as transformers' fast tokenizers do it.
//!
//! The work is done by Hugging Face's own `tokenizers` package; this module builds it from the files of a
//! model folder, takes padding and truncation out of its hands and names what can go wrong.

mod bpe;
mod train;
mod vocab;

use std::collections::BTreeSet;

use tokenizers::{PostProcessor as _, TruncationDirection, TruncationParams, TruncationStrategy};

pub use train::{train_byte_level, train_word_pieces};
pub use vocab::CaseRule;

/// What can go wrong between a tokenizer file and token ids.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenizerError {
    /// The file is no tokenizer that can be read.
    #[error(
        "the tokenizer cannot be read: {problem}; expected a tokenizer.json of Hugging Face tokenizers: \
         {file}"
    )]
    Unreadable {
        /// Name of the file.
        file: String,
        /// What the reader said.
        problem: String,
    },
    /// A vocabulary lacks tokens that BERT's encoding needs, or holds none.
    #[error(
        "the vocabulary lacks {}; expected one WordPiece token a line, as in BERT's vocab.txt: {file}",
        .missing.join(", ")
    )]
    MissingTokens {
        /// Name of the file.
        file: String,
        /// The tokens.
        missing: Vec<String>,
    },
    /// A byte-level BPE vocabulary is neither RoBERTa's nor GPT-2's.
    #[error(
        "the vocabulary lacks {}; expected RoBERTa's special tokens or GPT-2's <|endoftext|>: {file}",
        .missing.join(", ")
    )]
    MissingBpeTokens {
        /// Name of the file.
        file: String,
        /// The tokens of either family that are not there.
        missing: Vec<String>,
    },
    /// A byte-level BPE vocabulary or its merges cannot be used.
    #[error(
        "the byte-level BPE tokenizer cannot be read: {}; expected tokens with their ids in vocab.json and a pair of \
         tokens a line in merges.txt: {file}",
        .problems.join("; ")
    )]
    BadBpe {
        /// Name of the file.
        file: String,
        /// What is wrong.
        problems: Vec<String>,
    },
    /// Tokenizer and model belong to different families.
    #[error(
        "the tokenizer is {found}; expected {}, because the model is a {model_type} model: {file} may come \
         from another model",
        .expected.iter().map(ToString::to_string).collect::<Vec<_>>().join(", or ")
    )]
    WrongKind {
        /// Name of the tokenizer's file.
        file: String,
        /// The family of the model.
        model_type: String,
        /// What the tokenizer is.
        found: TokenizerKind,
        /// What the model can do with.
        expected: &'static [TokenizerKind],
    },
    /// A tokenizer whose special tokens are not what the model reads.
    #[error(
        "the tokenizer, {kind}, {found}; expected {expected}, as a {model_type} model reads texts: complete {file}, or \
         take the tokenizer that the model was trained with"
    )]
    WrongSpecials {
        /// Name of the tokenizer's file.
        file: String,
        /// The family of the model.
        model_type: String,
        /// What the tokenizer is.
        kind: TokenizerKind,
        /// What it does.
        found: String,
        /// What it should do.
        expected: String,
    },
    /// No room for text beside the special tokens.
    #[error(
        "a max_length of {max_length} leaves no room for text beside {n_special} special tokens; expected \
         more than {n_special}"
    )]
    MaxLengthTooSmall {
        /// What was asked for.
        max_length: usize,
        /// Special tokens of one sequence.
        n_special: usize,
    },
    /// A text of a data set that is nothing to the model: its attention would have nothing to look at.
    #[error(
        "text {number} of {of} has no tokens: {start:?}; expected at least one character, so leave it out or fill it in"
    )]
    NoTokens {
        /// Its number in the data, from 1.
        number: usize,
        /// Texts in all.
        of: usize,
        /// First characters of the text.
        start: String,
    },
    /// The package refused a text.
    #[error("the text starting with {start:?} cannot be tokenized: {problem}")]
    Text {
        /// First characters of the text.
        start: String,
        /// What the package said.
        problem: String,
    },
}

/// One text or pair of texts as the model reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// (T) Token ids, special tokens included.
    pub input_ids: Vec<u32>,
    /// (T) 0 in the first text, 1 in the second (always 0 where the model knows no segments).
    pub token_type_ids: Vec<u32>,
    /// Whether tokens were cut off.
    pub truncated: bool,
    /// Number of tokens before the cut, special tokens included.
    pub length_before: usize,
}

/// How a tokenizer cuts words, as far as models differ in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenizerKind {
    /// WordPiece, as BERT's.
    WordPiece,
    /// Byte-level BPE with special tokens around the text, as RoBERTa's.
    FramedBytes,
    /// Byte-level BPE without, as GPT-2's.
    Bytes,
    /// Another one, of which nothing is known here.
    Other,
}

impl std::fmt::Display for TokenizerKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::WordPiece => "WordPiece, as of BERT",
            Self::FramedBytes => "byte-level BPE with <s> and </s>, as of RoBERTa",
            Self::Bytes => "byte-level BPE, as of GPT-2",
            Self::Other => "of another kind",
        })
    }
}

/// Ids of the special tokens that have a part in training.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Stands before the text: `[CLS]` or `<s>`.
    pub cls: Option<u32>,
    /// Stands after each text: `[SEP]` or `</s>`.
    pub sep: Option<u32>,
    /// Stands for a hidden token: `[MASK]` or `<mask>`.
    pub mask: Option<u32>,
    /// All ids marked as special, these among them.
    pub all: BTreeSet<u32>,
}

/// A tokenizer with its vocabulary.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    direction: TruncationDirection,
    vocab_size: usize,
    has_segments: bool,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`. Padding stored in it is dropped, of truncation only its side is kept.
    ///
    /// # Errors
    /// If the file is not one.
    pub fn from_bytes(file: &str, bytes: &[u8]) -> Result<Self, TokenizerError> {
        let unreadable = |problem: String| TokenizerError::Unreadable { file: file.to_owned(), problem };
        let mut inner =
            tokenizers::Tokenizer::from_bytes(bytes).map_err(|error| unreadable(error.to_string()))?;
        let direction = inner.get_truncation().map_or(TruncationDirection::Right, |stored| stored.direction);
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| unreadable(error.to_string()))?;
        let largest_id = inner.get_vocab(true).into_values().max();
        let vocab_size = largest_id.map_or(0, |id| id as usize + 1);
        if vocab_size == 0 {
            return Err(unreadable("its vocabulary is empty".to_owned()));
        }
        Ok(Self { inner, direction, vocab_size, has_segments: true })
    }

    /// For a model that does not tell the two texts of a pair apart: all tokens are of the first segment.
    #[must_use]
    pub fn without_segments(self) -> Self {
        Self { has_segments: false, ..self }
    }

    /// Builds BERT's WordPiece tokenizer from a `vocab.txt`, one token a line, the line number its id.
    ///
    /// # Errors
    /// If the file is not UTF-8 or lacks one of BERT's special tokens.
    pub fn from_vocab(file: &str, bytes: &[u8], case: CaseRule) -> Result<Self, TokenizerError> {
        Self::from_bytes(file, vocab::tokenizer_json(file, bytes, case)?.to_string().as_bytes())
    }

    /// Builds the byte-level BPE tokenizer of RoBERTa or GPT-2 from `vocab.json` and `merges.txt`, each with its name.
    /// RoBERTa's special tokens in the vocabulary make it RoBERTa's: `<s> a </s></s> b </s>`. `settings` are the bytes
    /// of `tokenizer_config.json`; with `add_prefix_space` there, a text begins as if after a space.
    ///
    /// # Errors
    /// If a file is not what it should be, or lacks the special tokens of both.
    pub fn from_bpe(
        vocab: (&str, &[u8]),
        merges: (&str, &[u8]),
        settings: Option<&[u8]>,
    ) -> Result<Self, TokenizerError> {
        let json = bpe::tokenizer_json(vocab, merges, settings)?;
        Self::from_bytes(vocab.0, json.to_string().as_bytes())
    }

    /// Encodes a text or a pair with special tokens, cut to `max_length` tokens in all by taking tokens from
    /// the end of the longer text first (transformers' `truncation="longest_first"`).
    ///
    /// # Errors
    /// If `max_length` leaves no room for text.
    pub fn encode(
        &self,
        text: &str,
        pair: Option<&str>,
        max_length: usize,
    ) -> Result<Encoding, TokenizerError> {
        let n_special = self.n_special(pair.is_some());
        if max_length <= n_special {
            return Err(TokenizerError::MaxLengthTooSmall { max_length, n_special });
        }
        let failed = |error: tokenizers::Error| refused(text, &error);
        let first = self.inner.encode_fast(text, false).map_err(failed)?;
        let second = pair
            .map(|pair| {
                let mut second = self.inner.encode_fast(pair, false)?;
                // Alone it was a first text; not every template sets the segments anew.
                second.set_type_ids(vec![1; second.get_ids().len()]);
                Ok(second)
            })
            .transpose()
            .map_err(failed)?;
        let n_text = first.len() + second.as_ref().map_or(0, tokenizers::Encoding::len);
        let cut = TruncationParams {
            direction: self.direction,
            max_length: max_length - n_special,
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
        };
        let (first, second) = tokenizers::truncate_encodings(first, second, &cut).map_err(failed)?;
        let whole = self.inner.post_process(first, second, true).map_err(failed)?;
        let segment = |&id: &u32| if self.has_segments { id } else { 0 };
        Ok(Encoding {
            input_ids: whole.get_ids().to_vec(),
            token_type_ids: whole.get_type_ids().iter().map(segment).collect(),
            truncated: n_text > cut.max_length,
            length_before: n_text + n_special,
        })
    }

    /// The ids of a text alone, without special tokens and of any length.
    ///
    /// # Errors
    /// If the package refuses the text.
    pub fn encode_plain(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let encoding = self.inner.encode_fast(text, false).map_err(|error| refused(text, &error))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// How it cuts words.
    #[must_use]
    pub fn kind(&self) -> TokenizerKind {
        use tokenizers::{ModelWrapper, PreTokenizerWrapper};
        let is_byte_level = matches!(self.inner.get_pre_tokenizer(), Some(PreTokenizerWrapper::ByteLevel(_)));
        match self.inner.get_model() {
            ModelWrapper::WordPiece(_) => TokenizerKind::WordPiece,
            ModelWrapper::BPE(_) if is_byte_level && self.n_special(false) > 0 => TokenizerKind::FramedBytes,
            ModelWrapper::BPE(_) if is_byte_level => TokenizerKind::Bytes,
            _ => TokenizerKind::Other,
        }
    }

    /// How many rows of the embedding the ids can name: one more than the largest id.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Special tokens that an encoding of one text, or of a pair, has.
    #[must_use]
    pub fn n_special(&self, is_pair: bool) -> usize {
        self.inner.get_post_processor().map_or(0, |processor| processor.added_tokens(is_pair))
    }

    /// The token with this id, as the vocabulary writes it.
    #[must_use]
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The id of a token as the vocabulary writes it.
    #[must_use]
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The tokens of some ids, for display; an id outside the vocabulary shows as its number.
    #[must_use]
    pub fn tokens(&self, ids: &[u32]) -> Vec<String> {
        ids.iter().map(|&id| self.id_to_token(id).unwrap_or_else(|| format!("<{id}>"))).collect()
    }

    /// The text of some ids, special tokens left out. Bytes that are no UTF-8, as of a character whose tokens are not all
    /// there yet, show as U+FFFD.
    ///
    /// # Errors
    /// If the package refuses the ids.
    pub fn decode(&self, ids: &[u32]) -> Result<String, TokenizerError> {
        self.inner.decode(ids, true).map_err(|error| refused(&format!("{ids:?}"), &error))
    }

    /// The id of the token that ends a text and stands between context and completion: `<|endoftext|>`, or `</s>` where
    /// there is none.
    #[must_use]
    pub fn end_of_text(&self) -> Option<u32> {
        [bpe::END_OF_TEXT, "</s>"].into_iter().find_map(|token| self.token_to_id(token))
    }

    /// The special tokens by their usual names.
    #[must_use]
    pub fn special_tokens(&self) -> SpecialTokens {
        let first_of = |names: [&str; 2]| names.iter().find_map(|name| self.token_to_id(name));
        let decoder = self.inner.get_added_tokens_decoder();
        let all = decoder.iter().filter(|(_, token)| token.special).map(|(&id, _)| id).collect();
        SpecialTokens {
            cls: first_of(["[CLS]", "<s>"]),
            sep: first_of(["[SEP]", "</s>"]),
            mask: first_of(["[MASK]", "<mask>"]),
            all,
        }
    }
}

fn refused(text: &str, error: &tokenizers::Error) -> TokenizerError {
    TokenizerError::Text { start: first_characters(text), problem: error.to_string() }
}

/// What a message shows of a text.
pub(crate) fn first_characters(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
