//! Which rows of the pools of cached keys and values belong to which sequence: the host side of
//! [`crate::ops::cache`].
//!
//! Sequences that begin alike share rows, so rows are counted by their users and free when the last one is over.

use std::collections::BTreeSet;

use super::Step;

/// The rows of all living sequences.
#[derive(Clone, Debug)]
pub struct CacheRows {
    max_keys: usize,
    n_prefix: usize,
    /// Rows of every sequence, in the order of its tokens.
    sequences: Vec<Vec<u32>>,
    /// How many sequences use each row.
    users: Vec<u32>,
    free: BTreeSet<u32>,
}

/// What the device is told for one step. T are the new tokens of all sequences, one sequence after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheStep {
    /// (T) the tokens.
    pub input_ids: Vec<u32>,
    /// (T) position of every token: those of the prefix come first, as in training and as in transformers, where the
    /// prefix is a past that the model remembers.
    pub position_ids: Vec<u32>,
    /// (T) row of the pools where its key and value go.
    pub rows: Vec<u32>,
    /// (T, 2) its sequence, and how many keys it meets: the prefix and the tokens up to itself.
    pub places: Vec<u32>,
    /// (sequences, max_keys) rows of the keys of every sequence; 0 where it has none.
    pub key_rows: Vec<u32>,
    /// (sequences) the last of its tokens among T, whose logits are wanted.
    pub last: Vec<u32>,
}

/// Why a step finds no room; the sequences stay as they were.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// All rows are in use.
    #[error("{needed} new tokens need a row each in the cache, which has {available} left; make it larger")]
    Full {
        /// Rows for the new tokens.
        needed: usize,
        /// Rows that are free.
        available: usize,
    },
    /// A sequence has more keys than the table has columns.
    #[error("a sequence of {n_keys} keys exceeds the {max_keys} that the cache can name; make it larger")]
    TooLong {
        /// Keys of the sequence.
        n_keys: usize,
        /// Columns of the table.
        max_keys: usize,
    },
}

impl CacheRows {
    /// Pools of `n_rows` rows for sequences of at most `max_keys` keys. The first `n_prefix` rows hold a trained prefix,
    /// with which every sequence begins.
    ///
    /// # Panics
    /// If there is no room for the prefix.
    #[must_use]
    pub fn new(n_rows: usize, max_keys: usize, n_prefix: usize) -> Self {
        assert!(n_prefix <= n_rows.min(max_keys), "the cache holds the prefix");
        let mut users = vec![0; n_rows];
        users[..n_prefix].fill(1);
        let free = (n_prefix as u32..n_rows as u32).collect();
        Self { max_keys, n_prefix, sequences: Vec::new(), users, free }
    }

    /// Rows that are enough for a search: beams share the prompt and may have everything else of their own.
    #[must_use]
    pub fn n_rows_for(n_prefix: usize, n_prompt: usize, num_beams: usize, max_new_tokens: usize) -> usize {
        n_prefix + n_prompt + num_beams * max_new_tokens
    }

    /// Gives the new tokens of a step their rows, and frees those of sequences that are over.
    ///
    /// # Errors
    /// [`CacheError`], with nothing changed.
    ///
    /// # Panics
    /// If a parent is none of the sequences of the step before.
    pub fn advance(&mut self, step: &Step) -> Result<CacheStep, CacheError> {
        let mut next = self.clone();
        next.inherit(step);
        let needed = step.sequences.iter().map(|sequence| sequence.tokens.len()).sum();
        if needed > next.free.len() {
            return Err(CacheError::Full { needed, available: next.free.len() });
        }
        let described = next.append(step)?;
        *self = next;
        Ok(described)
    }

    /// Every sequence starts with the rows of its parent, or with the prefix.
    fn inherit(&mut self, step: &Step) {
        let prefix: Vec<u32> = (0..self.n_prefix as u32).collect();
        let before = std::mem::take(&mut self.sequences);
        for sequence in &step.sequences {
            let rows = sequence.parent.map_or(&prefix, |parent| &before[parent]).clone();
            rows.iter().for_each(|&row| self.users[row as usize] += 1);
            self.sequences.push(rows);
        }
        for &row in before.iter().flatten() {
            self.users[row as usize] -= 1;
            if self.users[row as usize] == 0 {
                self.free.insert(row);
            }
        }
    }

    fn append(&mut self, step: &Step) -> Result<CacheStep, CacheError> {
        let max_keys = self.max_keys;
        let (mut input_ids, mut position_ids, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        let (mut places, mut key_rows, mut last) = (Vec::new(), Vec::new(), Vec::new());
        for (number, (sequence, keys)) in (0..).zip(step.sequences.iter().zip(&mut self.sequences)) {
            let n_keys = keys.len() + sequence.tokens.len();
            if n_keys > max_keys {
                return Err(CacheError::TooLong { n_keys, max_keys });
            }
            for &token in &sequence.tokens {
                let Some(row) = self.free.pop_first() else { unreachable!("the rows were counted") };
                self.users[row as usize] = 1;
                position_ids.push(keys.len() as u32);
                keys.push(row);
                input_ids.push(token);
                rows.push(row);
                places.extend([number, keys.len() as u32]);
            }
            last.push(input_ids.len().saturating_sub(1) as u32);
            key_rows.extend(keys.iter().copied().chain(std::iter::repeat_n(0, max_keys - n_keys)));
        }
        Ok(CacheStep { input_ids, position_ids, rows, places, key_rows, last })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Continuation;
    use super::*;

    fn step(sequences: &[(Option<usize>, &[u32])]) -> Step {
        let continuation = |&(parent, tokens): &(_, &[u32])| Continuation { parent, tokens: tokens.to_vec() };
        Step { sequences: sequences.iter().map(continuation).collect() }
    }

    #[test]
    fn beams_share_what_they_begin_with() {
        let mut cache = CacheRows::new(7, 5, 1);
        let prompt = cache.advance(&step(&[(None, &[8, 9])])).unwrap();
        let expected = CacheStep {
            input_ids: vec![8, 9],
            position_ids: vec![1, 2],
            rows: vec![1, 2],
            places: vec![0, 2, 0, 3],
            key_rows: vec![0, 1, 2, 0, 0],
            last: vec![1],
        };
        assert_eq!(prompt, expected);
        let two = cache.advance(&step(&[(Some(0), &[3]), (Some(0), &[4])])).unwrap();
        assert_eq!(two.key_rows, [0, 1, 2, 3, 0, 0, 1, 2, 4, 0]);
        assert_eq!((two.rows, two.position_ids), (vec![3, 4], vec![3, 3]));
        // Both go on from the second; row 3 is free and taken again at once.
        let turned = cache.advance(&step(&[(Some(1), &[5]), (Some(1), &[6])])).unwrap();
        assert_eq!(turned.key_rows, [0, 1, 2, 4, 3, 0, 1, 2, 4, 5]);
        assert_eq!(turned.places, [0, 5, 1, 5]);
    }

    #[test]
    fn a_step_without_room_changes_nothing() {
        let mut cache = CacheRows::new(4, 3, 0);
        cache.advance(&step(&[(None, &[1, 2])])).unwrap();
        let full = CacheError::Full { needed: 3, available: 2 };
        let three = step(&[(Some(0), &[1]), (Some(0), &[2]), (Some(0), &[3])]);
        assert_eq!(cache.advance(&three), Err(full));
        let too_long = CacheError::TooLong { n_keys: 4, max_keys: 3 };
        assert_eq!(cache.advance(&step(&[(Some(0), &[1, 2])])), Err(too_long));
        assert_eq!(cache.advance(&step(&[(Some(0), &[1])])).unwrap().key_rows, [0, 1, 2]);
    }

    #[test]
    fn a_search_never_needs_more_rows_than_it_is_said_to() {
        let (n_prompt, num_beams, n_new) = (3, 2, 4);
        let n_rows = CacheRows::n_rows_for(0, n_prompt, num_beams, n_new);
        let mut cache = CacheRows::new(n_rows, n_prompt + n_new, 0);
        cache.advance(&step(&[(None, &[0; 3])])).unwrap();
        cache.advance(&step(&[(Some(0), &[1]), (Some(0), &[2])])).unwrap();
        for _ in 1..n_new {
            cache.advance(&step(&[(Some(0), &[1]), (Some(1), &[2])])).unwrap();
        }
    }
}
