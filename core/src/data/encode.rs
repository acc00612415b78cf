//! A data set as token ids, all sequences end to end in flat arrays.

use super::batch::PackedBatch;
use super::dataset::Dataset;
use super::labels::Label;
use crate::checkpoint::hash::sha256_hex;
use crate::tokenizer::{Encoding, Tokenizer, TokenizerError, first_characters};

/// The tokens and labels of all examples. Sequence `i` is `offsets[i]..offsets[i + 1]` of the flat arrays.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodedDataset {
    input_ids: Vec<u32>,
    token_type_ids: Vec<u32>,
    offsets: Vec<u32>,
    labels: Vec<Label>,
    lengths_before: Vec<u32>,
    /// The last so many examples are of a second, mismatched set.
    n_mismatched: usize,
}

impl Default for EncodedDataset {
    fn default() -> Self {
        Self {
            input_ids: Vec::new(),
            token_type_ids: Vec::new(),
            offsets: vec![0],
            labels: Vec::new(),
            lengths_before: Vec::new(),
            n_mismatched: 0,
        }
    }
}

impl EncodedDataset {
    /// SHA-256 of everything that training sees of the data: tokens, segments and labels, in their order.
    #[must_use]
    pub fn sha256(&self) -> String {
        let labels: Vec<u32> = self
            .labels
            .iter()
            .map(|label| match label {
                Label::Class(class) => *class,
                Label::Score(score) => score.to_bits(),
                Label::Unknown => u32::MAX,
            })
            .collect();
        let parts = [&self.offsets, &self.input_ids, &self.token_type_ids, &labels];
        let bytes = parts.iter().flat_map(|part| part.iter().flat_map(|word| word.to_le_bytes()));
        sha256_hex(&bytes.collect::<Vec<u8>>())
    }

    /// Encodes every example to at most `max_length` tokens.
    ///
    /// # Errors
    /// If `max_length` leaves no room beside the special tokens, the tokenizer refuses a text, or a text has no tokens.
    pub fn new(dataset: &Dataset, tokenizer: &Tokenizer, max_length: usize) -> Result<Self, TokenizerError> {
        let mut encoded = Self::default();
        for (i, example) in dataset.examples.iter().enumerate() {
            let encoding = tokenizer.encode(&example.text, example.text_pair.as_deref(), max_length)?;
            if encoding.input_ids.is_empty() {
                let (number, of) = (i + 1, dataset.examples.len());
                return Err(TokenizerError::NoTokens { number, of, start: first_characters(&example.text) });
            }
            encoded.push(&encoding, example.label);
        }
        Ok(encoded)
    }

    /// Adds one example at the end.
    ///
    /// # Panics
    /// If the data set would exceed 2^32 tokens.
    pub fn push(&mut self, encoding: &Encoding, label: Label) {
        self.input_ids.extend_from_slice(&encoding.input_ids);
        self.token_type_ids.extend_from_slice(&encoding.token_type_ids);
        assert!(u32::try_from(self.input_ids.len()).is_ok(), "a data set holds at most 2^32 tokens");
        self.offsets.push(self.input_ids.len() as u32);
        self.labels.push(label);
        self.lengths_before.push(encoding.length_before as u32);
    }

    /// Adds a second set behind all examples, which is evaluated with them and counted for itself (MNLI).
    ///
    /// # Panics
    /// If there is one already, or both together would exceed 2^32 tokens.
    pub fn append_mismatched(&mut self, second: &Self) {
        assert_eq!(self.n_mismatched, 0, "there are two sets at most");
        let n_before = self.input_ids.len();
        self.input_ids.extend_from_slice(&second.input_ids);
        self.token_type_ids.extend_from_slice(&second.token_type_ids);
        assert!(u32::try_from(self.input_ids.len()).is_ok(), "a data set holds at most 2^32 tokens");
        self.offsets.extend(second.offsets[1..].iter().map(|offset| n_before as u32 + offset));
        self.labels.extend_from_slice(&second.labels);
        self.lengths_before.extend_from_slice(&second.lengths_before);
        self.n_mismatched = second.len();
    }

    /// How many of the examples, the last ones, are of the mismatched set.
    #[must_use]
    pub fn n_mismatched(&self) -> usize {
        self.n_mismatched
    }

    /// Number of examples, those of the mismatched set counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no example.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Tokens of all examples together.
    #[must_use]
    pub fn n_tokens(&self) -> usize {
        self.input_ids.len()
    }

    /// Tokens of example `i`.
    #[must_use]
    pub fn length(&self, i: usize) -> usize {
        (self.offsets[i + 1] - self.offsets[i]) as usize
    }

    /// Length of each example before it was cut, special tokens included.
    #[must_use]
    pub fn lengths_before(&self) -> &[u32] {
        &self.lengths_before
    }

    /// The token ids of example `i`.
    #[must_use]
    pub fn input_ids(&self, i: usize) -> &[u32] {
        &self.input_ids[self.range(i)]
    }

    /// The label of example `i`.
    #[must_use]
    pub fn label(&self, i: usize) -> Label {
        self.labels[i]
    }

    /// Joins the given examples into one batch, in this order and without padding.
    #[must_use]
    pub fn pack(&self, examples: &[u32]) -> PackedBatch {
        let mut batch = PackedBatch::default();
        for &example in examples {
            let range = self.range(example as usize);
            batch.push_sequence(&self.input_ids[range.clone()], &self.token_type_ids[range], example);
            match self.labels[example as usize] {
                Label::Class(class) => batch.classes.push(class),
                Label::Score(score) => batch.targets.push(score),
                Label::Unknown => {}
            }
        }
        batch
    }

    fn range(&self, i: usize) -> std::ops::Range<usize> {
        self.offsets[i] as usize..self.offsets[i + 1] as usize
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::data::{Example, LabelSet};
    use crate::tokenizer::{CaseRule, train_byte_level};

    #[test]
    fn a_text_without_tokens_is_refused_where_no_frame_stands_around_it() {
        let example = |text: &str| Example { text: text.to_owned(), text_pair: None, label: Label::Unknown };
        let examples = ["fine", "", "bad"].map(example).to_vec();
        let dataset = Dataset { examples, labels: LabelSet::Scores };
        let bytes = train_byte_level(&["fine bad"], 300).unwrap();
        let bytes = Tokenizer::from_bytes("tokenizer.json", &bytes).unwrap();
        let error = EncodedDataset::new(&dataset, &bytes, 8).unwrap_err().to_string();
        assert!(error.contains("text 2 of 3 has no tokens"), "{error}");
        let vocabulary = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfine\nbad\n";
        let framed = Tokenizer::from_vocab("vocab.txt", vocabulary, CaseRule::Lower).unwrap();
        assert_eq!(EncodedDataset::new(&dataset, &framed, 8).unwrap().length(1), 2);
    }
}
