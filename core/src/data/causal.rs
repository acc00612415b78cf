//! Sequences in which a decoder guesses the next token: contexts with their completions, or plain text.
//!
//! A pair is `context SEP completion SEP`, where only the completion and the last separator are guessed (the loss mask
//! of the LoRA recipe for GPT-2, Hu et al. 2022); of plain text every token is. The separator is the tokenizer's mark
//! for the end of a text.

use super::batch::{TokenBatch, batches_in_order, sum_of_longest};
use super::generation::GenerationExample;
use super::mlm::even_pieces;
use crate::checkpoint::hash::sha256_hex;
use crate::tokenizer::{Tokenizer, TokenizerError};

/// Why texts cannot be trained on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CausalError {
    /// The tokenizer refused a text.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The tokenizer is not one of a decoder.
    #[error(
        "the tokenizer has no token for the end of a text; expected <|endoftext|> or </s>, as decoders have it"
    )]
    NoSeparator,
    /// Nothing is left to guess.
    #[error(
        "no text leaves a token to guess within {max_length} tokens; expected shorter contexts, or a larger max_length"
    )]
    NothingToGuess {
        /// What was asked for.
        max_length: usize,
    },
}

/// Sequences end to end. Sequence `i` is `offsets[i]..offsets[i + 1]` of the ids; its tokens from `first_guessed[i]` on
/// are guessed, each from those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CausalDataset {
    input_ids: Vec<u32>,
    offsets: Vec<u32>,
    first_guessed: Vec<u32>,
    n_truncated: usize,
    n_left_out: usize,
}

impl CausalDataset {
    /// One sequence for every text of every context, cut to `max_length` tokens. A pair whose context alone is as
    /// long as that is left out.
    ///
    /// # Errors
    /// If the tokenizer has no separator or refuses a text, or nothing is left.
    pub fn from_examples(
        examples: &[GenerationExample],
        tokenizer: &Tokenizer,
        max_length: usize,
    ) -> Result<Self, CausalError> {
        let separator = tokenizer.end_of_text().ok_or(CausalError::NoSeparator)?;
        let mut dataset = Self::empty();
        for example in examples {
            let prompt = prompt(&example.context, tokenizer)?;
            if prompt.len() >= max_length {
                dataset.n_left_out += example.completions.len();
                continue;
            }
            for completion in &example.completions {
                let mut sequence = prompt.clone();
                sequence.extend(tokenizer.encode_plain(&format!(" {}", completion.trim()))?);
                sequence.push(separator);
                dataset.n_truncated += usize::from(sequence.len() > max_length);
                sequence.truncate(max_length);
                dataset.push(&sequence, prompt.len());
            }
        }
        dataset.or_nothing(max_length)
    }

    /// The texts between separators, each cut into pieces of at most `max_length` tokens, as even as can be. Every
    /// token is guessed once; the first of a piece is the last of the piece before.
    ///
    /// # Errors
    /// As [`CausalDataset::from_examples`].
    pub fn from_texts<'a>(
        texts: impl IntoIterator<Item = &'a str>,
        tokenizer: &Tokenizer,
        max_length: usize,
    ) -> Result<Self, CausalError> {
        let separator = tokenizer.end_of_text().ok_or(CausalError::NoSeparator)?;
        let mut dataset = Self::empty();
        if max_length < 2 {
            return Err(CausalError::NothingToGuess { max_length });
        }
        for text in texts {
            let mut guessed = tokenizer.encode_plain(text)?;
            if guessed.is_empty() {
                continue;
            }
            guessed.push(separator);
            let mut before = separator;
            for piece in even_pieces(&guessed, max_length - 1) {
                dataset.push(&[&[before], piece].concat(), 1);
                before = *piece.last().unwrap_or(&separator);
            }
        }
        dataset.or_nothing(max_length)
    }

    fn empty() -> Self {
        Self {
            input_ids: Vec::new(),
            offsets: vec![0],
            first_guessed: Vec::new(),
            n_truncated: 0,
            n_left_out: 0,
        }
    }

    fn push(&mut self, sequence: &[u32], first_guessed: usize) {
        self.input_ids.extend_from_slice(sequence);
        assert!(u32::try_from(self.input_ids.len()).is_ok(), "a data set holds at most 2^32 tokens");
        self.offsets.push(self.input_ids.len() as u32);
        self.first_guessed.push(first_guessed as u32);
    }

    fn or_nothing(self, max_length: usize) -> Result<Self, CausalError> {
        if self.is_empty() { Err(CausalError::NothingToGuess { max_length }) } else { Ok(self) }
    }

    /// Number of sequences.
    #[must_use]
    pub fn len(&self) -> usize {
        self.first_guessed.len()
    }

    /// Whether there is no sequence; the constructors never give such a data set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first_guessed.is_empty()
    }

    /// What `max_length` took from the pairs of the `set`, in sentences for people.
    #[must_use]
    pub fn losses(&self, set: &str, max_length: usize) -> Vec<String> {
        let mut losses = Vec::new();
        if self.n_left_out > 0 {
            losses.push(format!(
                "{} {set} texts are left out: their contexts alone have {max_length} tokens or more; a larger max_length \
                 or shorter contexts keep them",
                self.n_left_out
            ));
        }
        if self.n_truncated > 0 {
            losses.push(format!(
                "{} of {} {set} texts lost their end, they are longer than {max_length} tokens with their context; a \
                 larger max_length keeps it",
                self.n_truncated,
                self.len()
            ));
        }
        losses
    }

    /// Tokens of sequence `i` that the model reads: all but the last, after which nothing is guessed.
    #[must_use]
    pub fn length(&self, i: usize) -> usize {
        self.sequence(i).len() - 1
    }

    /// Tokens of sequence `i` that are guessed.
    #[must_use]
    pub fn n_guessed(&self, i: usize) -> usize {
        self.sequence(i).len() - self.first_guessed[i] as usize
    }

    /// Tokens that the model reads in one epoch.
    #[must_use]
    pub fn n_tokens(&self) -> usize {
        self.input_ids.len() - self.len()
    }

    /// Length of the longest sequence that the model reads.
    #[must_use]
    pub fn longest(&self) -> usize {
        (0..self.len()).map(|i| self.length(i)).max().unwrap_or(0)
    }

    /// All tokens of sequence `i`, the last one included.
    #[must_use]
    pub fn sequence(&self, i: usize) -> &[u32] {
        &self.input_ids[self.offsets[i] as usize..self.offsets[i + 1] as usize]
    }

    /// T that no batch of `batch_size` sequences exceeds: the sum of the longest.
    #[must_use]
    pub fn max_tokens_bound(&self, batch_size: usize) -> usize {
        sum_of_longest((0..self.len()).map(|i| self.length(i)), batch_size)
    }

    /// P that no batch of `batch_size` sequences exceeds.
    #[must_use]
    pub fn max_guessed_bound(&self, batch_size: usize) -> usize {
        sum_of_longest((0..self.len()).map(|i| self.n_guessed(i)), batch_size)
    }

    /// Batches for evaluation: in order, as many sequences as fit in `token_budget` tokens and in `max_sequences`, at
    /// least one.
    #[must_use]
    pub fn evaluation_batches(&self, token_budget: usize, max_sequences: usize) -> Vec<Vec<u32>> {
        batches_in_order((0..self.len()).map(|i| self.length(i)), token_budget, max_sequences)
    }

    /// SHA-256 of everything that training sees of the data.
    #[must_use]
    pub fn sha256(&self) -> String {
        let parts = [&self.offsets, &self.input_ids, &self.first_guessed];
        let bytes = parts.iter().flat_map(|part| part.iter().flat_map(|word| word.to_le_bytes()));
        sha256_hex(&bytes.collect::<Vec<u8>>())
    }

    /// Joins sequences into a batch, in this order. The token after each of its positions is to be guessed there.
    #[must_use]
    pub fn pack(&self, sequences: &[u32]) -> TokenBatch {
        let mut packed = TokenBatch::default();
        for &number in sequences {
            let start = packed.batch.n_tokens() as u32;
            let sequence = self.sequence(number as usize);
            let (first, last) = (self.first_guessed[number as usize], sequence.len() as u32 - 1);
            packed.positions.extend((first - 1..last).map(|position| start + position));
            packed.target_ids.extend_from_slice(&sequence[first as usize..]);
            let read = &sequence[..last as usize];
            packed.batch.push_sequence(read, &vec![0; read.len()], number);
        }
        packed
    }
}

/// What a decoder is given to write the text for a context: `context SEP`.
///
/// # Errors
/// If the tokenizer has no separator or refuses the context.
pub fn prompt(context: &str, tokenizer: &Tokenizer) -> Result<Vec<u32>, CausalError> {
    let separator = tokenizer.end_of_text().ok_or(CausalError::NoSeparator)?;
    let mut ids = tokenizer.encode_plain(context)?;
    ids.push(separator);
    Ok(ids)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::data::BatchOrder;
    use crate::tokenizer::{CaseRule, train_byte_level};

    fn tokenizer() -> Tokenizer {
        let json = train_byte_level(&["name : a | type : b", " a is b ."], 300).unwrap();
        Tokenizer::from_bytes("tokenizer.json", &json).unwrap()
    }

    fn example(context: &str, completions: &[&str]) -> GenerationExample {
        let completions = completions.iter().map(ToString::to_string).collect();
        GenerationExample { context: context.to_owned(), completions, seen: None }
    }

    #[test]
    fn only_the_completion_and_the_last_separator_are_guessed() {
        let tokenizer = tokenizer();
        let ids = |text| tokenizer.encode_plain(text).unwrap();
        let sep = tokenizer.end_of_text().unwrap();
        let examples = [example("name : a", &["a is b .", "b ."]), example("type : b", &["a ."])];
        let dataset = CausalDataset::from_examples(&examples, &tokenizer, 64).unwrap();
        let (context, completion) = (ids("name : a"), ids(" b ."));
        assert_eq!(dataset.sequence(1), [&context[..], &[sep], &completion, &[sep]].concat());
        let packed = dataset.pack(&[2, 1]);
        let start = dataset.length(2) as u32;
        assert_eq!(packed.batch.offsets, [0, start, start + dataset.length(1) as u32]);
        assert_eq!(packed.batch.position_ids[start as usize], 0);
        let n_guessed = dataset.n_guessed(1);
        assert_eq!(n_guessed, completion.len() + 1);
        assert_eq!(packed.target_ids[dataset.n_guessed(2)..], [&completion[..], &[sep]].concat());
        // The first guess is made at the separator after the context, the last at the last token of the completion.
        let positions = &packed.positions[dataset.n_guessed(2)..];
        let first = start + context.len() as u32;
        assert_eq!(positions, (first..first + n_guessed as u32).collect::<Vec<_>>());
        for (&position, &target) in packed.positions.iter().zip(&packed.target_ids) {
            let next = packed.batch.input_ids.get(position as usize + 1);
            let ends = packed.batch.offsets.contains(&(position + 1));
            assert!(if ends { target == sep } else { next == Some(&target) });
        }
        assert_eq!(prompt("name : a", &tokenizer).unwrap(), dataset.sequence(1)[..=context.len()]);
    }

    #[test]
    fn long_texts_are_cut_and_long_contexts_left_out() {
        let tokenizer = tokenizer();
        let n_context = tokenizer.encode_plain("name : a").unwrap().len();
        let examples =
            [example("name : a", &["a is b . a is b .", "b ."]), example("name : a | type : b name", &["a"])];
        let dataset = CausalDataset::from_examples(&examples, &tokenizer, n_context + 3).unwrap();
        let losses = dataset.losses("training", n_context + 3);
        assert!(losses.len() == 2 && losses[0].starts_with("1 training texts are left out"), "{losses:?}");
        assert!(losses[1].starts_with("2 of 2 training texts lost their end"), "{losses:?}");
        assert_eq!((dataset.sequence(0).len(), dataset.n_guessed(0)), (n_context + 3, 2));
        let error = CausalDataset::from_examples(&examples, &tokenizer, 1).unwrap_err();
        assert!(error.to_string().contains("within 1 tokens"), "{error}");
    }

    #[test]
    fn every_token_of_plain_text_is_guessed_once() {
        let tokenizer = tokenizer();
        let texts = ["a is b . a is b . a", "", "b"];
        let dataset = CausalDataset::from_texts(texts, &tokenizer, 5).unwrap();
        let all: Vec<u32> = (0..dataset.len() as u32).collect();
        let packed = dataset.pack(&all);
        let sep = tokenizer.end_of_text().unwrap();
        let ids = |text| tokenizer.encode_plain(text).unwrap();
        assert_eq!(packed.target_ids, [&ids(texts[0])[..], &[sep], &ids("b"), &[sep]].concat());
        assert_eq!(packed.positions.len(), packed.batch.n_tokens());
        assert!(dataset.longest() <= 4 && dataset.n_tokens() == packed.batch.n_tokens());
        assert_eq!(dataset.sequence(0)[0], sep);
    }

    #[test]
    fn batches_stay_within_their_bounds() {
        let tokenizer = tokenizer();
        let texts: Vec<String> = (1..20).map(|n| "a ".repeat(n)).collect();
        let dataset = CausalDataset::from_texts(texts.iter().map(String::as_str), &tokenizer, 16).unwrap();
        let order = BatchOrder { seed: 3, n_examples: dataset.len(), batch_size: 4 };
        let most = order.max_sum(|i| dataset.length(i), 2);
        let n_tokens = |k| dataset.pack(order.epoch(1).batch(k)).batch.n_tokens();
        assert!((0..order.n_batches()).all(|k| n_tokens(k) <= most) && most <= dataset.max_tokens_bound(4));
        let n_guessed = |k| dataset.pack(order.epoch(1).batch(k)).positions.len();
        assert!((0..order.n_batches()).all(|k| n_guessed(k) <= dataset.max_guessed_bound(4)));
        let batches = dataset.evaluation_batches(40, 3);
        assert_eq!(batches.concat(), (0..dataset.len() as u32).collect::<Vec<_>>());
        assert_ne!(dataset.sha256(), CausalDataset::from_texts(["a"], &tokenizer, 16).unwrap().sha256());
    }

    #[test]
    fn an_encoders_tokenizer_has_no_separator() {
        let vocabulary = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n";
        let tokenizer = Tokenizer::from_vocab("vocab.txt", vocabulary, CaseRule::Lower).unwrap();
        assert_eq!(CausalDataset::from_texts(["a"], &tokenizer, 8), Err(CausalError::NoSeparator));
    }
}
