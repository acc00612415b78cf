//! Batches for masked-language-model pretraining: 15 % of the tokens of a text are hidden and have to be
//! guessed (Devlin et al. 2019, section 3.1, task 1). Every epoch hides others.

use std::collections::BTreeSet;

use super::Chance;
use super::batch::{TokenBatch, batches_in_order, sum_of_longest};
use crate::checkpoint::hash::sha256_hex;
use crate::random::Random;
use crate::tokenizer::{Tokenizer, TokenizerError};

/// How many tokens are chosen to be guessed.
const MASKED_SHARE: f32 = 0.15;
/// Of the chosen, up to here the mask token is shown, ...
const SHOW_MASK: f32 = 0.8;
/// ... up to here a random token, and beyond the token itself.
const SHOW_RANDOM: f32 = 0.9;

/// Why texts cannot be used for pretraining.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MlmError {
    /// The tokenizer refused a text.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The tokenizer lacks a token that pretraining needs.
    #[error("the tokenizer has no {0} token; expected a tokenizer of a masked language model")]
    MissingToken(&'static str),
    /// There is no word in any text.
    #[error("the texts hold no token; expected some text to pretrain on")]
    NoText,
}

/// Sequences of a corpus, with special tokens, and what masking needs to know of the vocabulary.
#[derive(Clone, Debug)]
pub struct MlmCorpus {
    sequences: Vec<Vec<u32>>,
    mask: u32,
    /// Ids a hidden token may be replaced by: all that are not special.
    replacements: Vec<u32>,
    special: BTreeSet<u32>,
    /// Tokens that are hidden alone, and in what share of their sequences.
    favoured: (BTreeSet<u32>, f32),
}

impl MlmCorpus {
    /// Cuts each text into sequences of at most `max_length` tokens, as even as can be, each between the
    /// special tokens that begin and end a text. Texts without a token that can be hidden are left out.
    ///
    /// # Errors
    /// If the tokenizer has no `[CLS]`, `[SEP]` or `[MASK]`, `max_length` leaves no room, or no text is left.
    pub fn new<'a>(
        texts: impl IntoIterator<Item = &'a str>,
        tokenizer: &Tokenizer,
        max_length: usize,
    ) -> Result<Self, MlmError> {
        let special = tokenizer.special_tokens();
        let cls = special.cls.ok_or(MlmError::MissingToken("[CLS]"))?;
        let sep = special.sep.ok_or(MlmError::MissingToken("[SEP]"))?;
        let mask = special.mask.ok_or(MlmError::MissingToken("[MASK]"))?;
        if max_length < 3 {
            return Err(TokenizerError::MaxLengthTooSmall { max_length, n_special: 2 }.into());
        }
        let mut sequences = Vec::new();
        for text in texts {
            for piece in even_pieces(&tokenizer.encode_plain(text)?, max_length - 2) {
                if piece.iter().any(|id| !special.all.contains(id)) {
                    sequences.push([&[cls], piece, &[sep]].concat());
                }
            }
        }
        if sequences.is_empty() {
            return Err(MlmError::NoText);
        }
        let is_token = |id: &u32| !special.all.contains(id) && tokenizer.id_to_token(*id).is_some();
        let replacements = (0..tokenizer.vocab_size() as u32).filter(is_token).collect();
        Ok(Self { sequences, mask, replacements, special: special.all, favoured: (BTreeSet::new(), 0.0) })
    }

    /// In this share of the sequences that hold some of these tokens, hides all of those and nothing else. Meant for
    /// words whose guess needs the rest of their text: among others they are hidden too seldom to be learned from.
    #[must_use]
    pub fn favour(mut self, tokens: impl IntoIterator<Item = u32>, share: f32) -> Self {
        self.favoured = (tokens.into_iter().collect(), share);
        self
    }

    /// Whether a token is one that is hidden alone.
    #[must_use]
    pub fn favours(&self, token: u32) -> bool {
        self.favoured.0.contains(&token)
    }

    /// Number of sequences.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Whether there is no sequence; [`MlmCorpus::new`] never gives such a corpus.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// Tokens of sequence `i`, special tokens included.
    #[must_use]
    pub fn length(&self, i: usize) -> usize {
        self.sequences[i].len()
    }

    /// Tokens of all sequences.
    #[must_use]
    pub fn n_tokens(&self) -> usize {
        self.sequences.iter().map(Vec::len).sum()
    }

    /// SHA-256 of the sequences.
    #[must_use]
    pub fn sha256(&self) -> String {
        let bytes = self.sequences.iter().flat_map(|sequence| {
            [&[sequence.len() as u32], sequence.as_slice()].concat().into_iter().flat_map(u32::to_le_bytes)
        });
        sha256_hex(&bytes.collect::<Vec<u8>>())
    }

    /// Batches for evaluation: in order, as many sequences as fit in `token_budget` tokens and in `max_sequences`, at
    /// least one.
    #[must_use]
    pub fn evaluation_batches(&self, token_budget: usize, max_sequences: usize) -> Vec<Vec<u32>> {
        batches_in_order(self.sequences.iter().map(Vec::len), token_budget, max_sequences)
    }

    /// T that no batch of `batch_size` sequences exceeds: the sum of the longest.
    #[must_use]
    pub fn max_tokens_bound(&self, batch_size: usize) -> usize {
        sum_of_longest(self.sequences.iter().map(Vec::len), batch_size)
    }

    /// Joins sequences into a batch and hides tokens. What is hidden in a sequence depends on `seed`, `epoch`
    /// and its number alone, not on the batch it is in.
    #[must_use]
    pub fn pack(&self, sequences: &[u32], seed: u64, epoch: u32) -> TokenBatch {
        let epoch_seed = Random::new(seed, Chance::TokenMasks.stream(epoch)).next_u32();
        let mut packed = TokenBatch::default();
        for &sequence in sequences {
            let start = packed.batch.n_tokens() as u32;
            let original = &self.sequences[sequence as usize];
            let mut random = Random::new(u64::from(epoch_seed), Chance::TokenMasks.stream(sequence));
            let mut shown = original.clone();
            for position in self.choose(original, &mut random) {
                packed.positions.push(start + position as u32);
                packed.target_ids.push(original[position]);
                shown[position] = self.replacement(original[position], &mut random);
            }
            packed.batch.push_sequence(&shown, &vec![0; shown.len()], sequence);
        }
        packed
    }

    /// The positions to guess: the favoured tokens, or each ordinary token with the same chance, and one at least.
    fn choose(&self, sequence: &[u32], random: &mut Random) -> Vec<usize> {
        let ordinary: Vec<usize> =
            (0..sequence.len()).filter(|&position| !self.special.contains(&sequence[position])).collect();
        let favoured: Vec<usize> =
            ordinary.iter().copied().filter(|&position| self.favours(sequence[position])).collect();
        if !favoured.is_empty() && random.uniform() < self.favoured.1 {
            return favoured;
        }
        let chosen: Vec<usize> =
            ordinary.iter().copied().filter(|_| random.uniform() < MASKED_SHARE).collect();
        if chosen.is_empty() { vec![ordinary[random.below(ordinary.len() as u32) as usize]] } else { chosen }
    }

    /// What the model sees in place of a token to guess.
    fn replacement(&self, token: u32, random: &mut Random) -> u32 {
        let draw = random.uniform();
        if draw < SHOW_MASK {
            self.mask
        } else if draw < SHOW_RANDOM {
            self.replacements[random.below(self.replacements.len() as u32) as usize]
        } else {
            token
        }
    }
}

/// Cuts `ids` into the fewest pieces of at most `max` tokens, whose lengths differ by at most one.
pub(super) fn even_pieces(ids: &[u32], max: usize) -> impl Iterator<Item = &[u32]> {
    let n_pieces = ids.len().div_ceil(max);
    (0..n_pieces).map(move |k| &ids[ids.len() * k / n_pieces..ids.len() * (k + 1) / n_pieces])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::tokenizer::CaseRule;

    fn corpus(max_length: usize) -> MlmCorpus {
        let words: Vec<String> = (0..50).map(|i| format!("w{i}")).collect();
        let vocab = format!("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n{}\n", words.join("\n"));
        let tokenizer = Tokenizer::from_vocab("vocab.txt", vocab.as_bytes(), CaseRule::Lower).unwrap();
        let text: Vec<&str> = (0..2000).map(|i| words[i * 7 % 50].as_str()).collect();
        let text = text.join(" ");
        MlmCorpus::new([text.as_str(), "", "w3", "[SEP]"], &tokenizer, max_length).unwrap()
    }

    #[test]
    fn texts_are_cut_evenly() {
        let lengths = |n: u32, max| -> Vec<usize> {
            even_pieces(&(0..n).collect::<Vec<_>>(), max).map(<[u32]>::len).collect()
        };
        assert_eq!((lengths(10, 4), lengths(4, 4), lengths(0, 4)), (vec![3, 3, 4], vec![4], vec![]));
        let corpus = corpus(32);
        // 2000 tokens in pieces of at most 30, and the text of one word; the others hold nothing to guess.
        assert_eq!((corpus.len(), corpus.n_tokens()), (68, 2000 + 1 + 68 * 2));
        assert!((0..corpus.len() - 1).all(|i| (31..=32).contains(&corpus.length(i))));
        assert_eq!(corpus.max_tokens_bound(3), 96);
    }

    #[test]
    fn masks_have_the_right_shares_and_spare_special_tokens() {
        let corpus = corpus(128);
        let all: Vec<u32> = (0..corpus.len() as u32).collect();
        let original: Vec<u32> = corpus.sequences.concat();
        let (mut n_chosen, mut n_mask, mut n_same) = (0, 0, 0);
        for epoch in 0..40 {
            let masked = corpus.pack(&all, 9, epoch);
            assert!(masked.positions.is_sorted());
            let shown = &masked.batch.input_ids;
            for (&position, &label) in masked.positions.iter().zip(&masked.target_ids) {
                assert_eq!(original[position as usize], label);
                assert!(label >= 5, "a special token was chosen");
                n_mask += usize::from(shown[position as usize] == corpus.mask);
                n_same += usize::from(shown[position as usize] == label);
            }
            n_chosen += masked.positions.len();
            let n_changed = shown.iter().zip(&original).filter(|(a, b)| a != b).count();
            assert!(n_changed <= masked.positions.len());
            for sequence in masked.batch.offsets.windows(2) {
                assert!(masked.positions.iter().any(|p| (sequence[0]..sequence[1]).contains(p)));
            }
        }
        let share = n_chosen as f64 / (40.0 * 2001.0);
        assert!((share - 0.15).abs() < 0.01, "{share} of the tokens are chosen");
        let (mask, same) = (n_mask as f64 / n_chosen as f64, n_same as f64 / n_chosen as f64);
        // A random token is the same one by chance in one of fifty cases.
        assert!((mask - 0.8).abs() < 0.02 && (same - 0.102).abs() < 0.02, "{mask} masked, {same} the same");
    }

    #[test]
    fn masks_depend_on_seed_and_epoch_but_not_on_the_batch() {
        let corpus = corpus(32);
        let alone = corpus.pack(&[5], 1, 2);
        let together = corpus.pack(&[3, 5], 1, 2);
        let start = together.batch.offsets[1];
        assert_eq!(together.batch.input_ids[start as usize..], alone.batch.input_ids);
        assert!(
            together
                .positions
                .ends_with(&alone.positions.iter().map(|position| position + start).collect::<Vec<_>>())
        );
        assert_eq!(together.batch.example_indices, [3, 5]);
        let all: Vec<u32> = (0..corpus.len() as u32).collect();
        assert_ne!(corpus.pack(&all, 1, 2), corpus.pack(&all, 1, 3));
        assert_ne!(corpus.pack(&all, 1, 2), corpus.pack(&all, 2, 2));
    }

    #[test]
    fn favoured_tokens_are_hidden_alone() {
        let corpus = corpus(128).favour([8], 0.75);
        let n_alone = (0..40).flat_map(|epoch| (0..10).map(move |sequence| (sequence, epoch))).filter(
            |&(sequence, epoch)| {
                assert!(corpus.sequences[sequence as usize].contains(&8));
                corpus.pack(&[sequence], 9, epoch).target_ids.iter().all(|&id| corpus.favours(id))
            },
        );
        let share = n_alone.count() as f64 / 400.0;
        assert!((share - 0.75).abs() < 0.07, "{share} of the sequences hide their favoured tokens alone");
    }

    #[test]
    fn nothing_to_pretrain_on_is_an_error() {
        let vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nw\n";
        let tokenizer = Tokenizer::from_vocab("vocab.txt", vocab.as_bytes(), CaseRule::Lower).unwrap();
        assert_eq!(MlmCorpus::new([""], &tokenizer, 8).unwrap_err(), MlmError::NoText);
        assert!(MlmCorpus::new(["w"], &tokenizer, 2).unwrap_err().to_string().contains("max_length of 2"));
    }
}
