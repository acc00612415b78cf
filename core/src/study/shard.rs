//! Dividing the runs of a study among machines that know nothing of each other.

use std::{fmt, str::FromStr};

/// The I-th of N parts, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    n: usize,
}

impl Shard {
    /// Everything.
    pub const WHOLE: Self = Self { index: 1, n: 1 };

    /// Whether there are other parts.
    #[must_use]
    pub fn is_part(self) -> bool {
        self.n > 1
    }

    /// Which of the runs belong to this part, ascending. `work` is what each is expected to cost.
    ///
    /// The costliest run goes first, each to the part that has least so far; of equal ones the first. So the parts
    /// differ by at most one run's cost, and every machine comes to the same division.
    #[must_use]
    pub fn of(self, work: &[u64]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..work.len()).collect();
        order.sort_by_key(|&i| (std::cmp::Reverse(work[i]), i));
        // Runs that cost nothing are dealt out, too.
        let mut loads = vec![(0, 0); self.n];
        let mut own = Vec::new();
        for i in order {
            let least = (0..self.n).min_by_key(|&part| (loads[part], part)).unwrap_or(0);
            loads[least].0 += work[i];
            loads[least].1 += 1;
            if least + 1 == self.index {
                own.push(i);
            }
        }
        own.sort_unstable();
        own
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.n)
    }
}

impl FromStr for Shard {
    type Err = String;

    /// Reads `I/N` with 1 ≤ I ≤ N. The error says what is wrong.
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            None => Err(format!("`{text}` is not I/N, 2/4 for example")),
            Some((_, 0)) => Err("there must be at least one shard".to_owned()),
            Some((index, n)) if index == 0 || index > n => {
                Err(format!("there is no shard {index} of {n}: they are counted from 1 to {n}"))
            }
            Some((index, n)) => Ok(Self { index, n }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn every_run_is_in_one_part_and_the_parts_are_balanced() {
        let cases: [Vec<u64>; 4] =
            [vec![5; 12], (1..30).collect(), vec![100, 1, 1, 1, 1, 1], vec![0, 0, 0, 0]];
        for work in cases {
            for n in 1..5 {
                let parts: Vec<Vec<usize>> = (1..=n).map(|index| Shard { index, n }.of(&work)).collect();
                let mut all: Vec<usize> = parts.concat();
                all.sort_unstable();
                assert_eq!(all, (0..work.len()).collect::<Vec<_>>());
                let loads = parts.iter().map(|part| part.iter().map(|&i| work[i]).sum::<u64>());
                let loads: Vec<u64> = loads.collect();
                let (least, most) = (*loads.iter().min().unwrap(), *loads.iter().max().unwrap());
                assert!(most - least <= *work.iter().max().unwrap(), "{work:?} in {n}: {loads:?}");
            }
        }
    }

    #[test]
    fn runs_without_cost_are_dealt_out() {
        assert_eq!(Shard { index: 2, n: 2 }.of(&[0; 4]), [1, 3]);
    }

    #[test]
    fn what_is_no_shard_is_refused() {
        assert_eq!("2/3".parse::<Shard>().unwrap().to_string(), "2/3");
        for (text, reason) in [("3/2", "no shard 3 of 2"), ("0/2", "no shard 0"), ("1/0", "at least one")] {
            let error = text.parse::<Shard>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        for text in ["", "2", "a/b", "1/2/3", "-1/2"] {
            assert!(text.parse::<Shard>().unwrap_err().contains("is not I/N"), "{text}");
        }
    }
}
