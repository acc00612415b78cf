//! Unlabeled text in the words of the reviews, for masked-language-model pretraining.
//!
//! It holds what text has and single sentences lack: sentences that follow from each other. A blank after
//! "but" or before "I want my money back" can be filled only by a model that has understood the rest.

use super::construction::draw_construction;
use super::grammar::{draw_domain, pick, spell, spell_review, write};
use super::lexicon::{BAD_VERDICTS, Domain, GOOD_VERDICTS, PEOPLE, TIMES, TWIN_VERDICTS};
use super::sentences::{Side, side};
use crate::random::Random;

const PRETRAINING_STREAM: u64 = 0x7072_6574;
const PAIR_STREAM: u64 = 0x7061_6972;

/// Two sentences of unlabeled text, for next-sentence prediction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentencePair {
    /// The sentence that comes first.
    pub first: String,
    /// The other sentence.
    pub second: String,
    /// Whether the second follows from the first.
    pub follows: bool,
}

/// `n` lines of one to three sentences each. No line holds a sentence of any validation set; lines may repeat.
#[must_use]
pub fn pretraining_sentences(seed: u64, n: usize) -> Vec<String> {
    let mut random = Random::new(seed, PRETRAINING_STREAM);
    (0..n).map(|_| line(&mut random)).collect()
}

/// `n` pairs of a review and a verdict, in half of which the verdict belongs to a review that says the contrary.
/// No review is a sentence of any validation set; pairs may repeat.
#[must_use]
pub fn pretraining_pairs(seed: u64, n: usize) -> Vec<SentencePair> {
    let mut random = Random::new(seed, PAIR_STREAM);
    (0..n).map(|_| pair(&mut random)).collect()
}

/// The words of [`pretraining_sentences`] that only a model can guess that has understood the review beside them.
#[must_use]
pub fn telling_words() -> Vec<&'static str> {
    TWIN_VERDICTS.iter().flat_map(|&(_, praise, blame)| [praise, blame]).collect()
}

fn pair(random: &mut Random) -> SentencePair {
    let (domain, is_good) = (draw_domain(random), random.below(2) == 0);
    let follows = random.below(2) == 0;
    let review = review(random, domain, is_good);
    let verdict = verdict(random, is_good == follows);
    let (first, second) = if random.below(4) == 0 { (verdict, review) } else { (review, verdict) };
    SentencePair { first, second, follows }
}

/// Neutral lines, single reviews, reviews with their verdict in other words, and reviews that agree.
fn line(random: &mut Random) -> String {
    let (domain, is_good) = (draw_domain(random), random.below(2) == 0);
    match random.below(20) {
        0 => neutral(random, domain),
        1 | 2 => review(random, domain, is_good),
        3 | 4 => format!("{} {}", review(random, domain, is_good), review(random, domain, is_good)),
        5 => format!("{} {}", neutral(random, domain), review(random, domain, is_good)),
        6 => {
            let neutral = neutral(random, domain);
            format!("{neutral} {} {}", review(random, domain, is_good), verdict(random, is_good))
        }
        7..=12 => format!("{} {}", verdict(random, is_good), review(random, domain, is_good)),
        _ => format!("{} {}", review(random, domain, is_good), verdict(random, is_good)),
    }
}

/// A review sentence from the train side of the split.
fn review(random: &mut Random, domain: &Domain, is_good: bool) -> String {
    loop {
        let construction = draw_construction(random);
        let sentence = write(random, domain, construction, is_good);
        if side(construction, &sentence) == Side::Train {
            return spell_review(random, &sentence);
        }
    }
}

fn verdict(random: &mut Random, is_good: bool) -> String {
    if random.below(3) == 0 {
        return spell(if is_good { pick(random, &GOOD_VERDICTS) } else { pick(random, &BAD_VERDICTS) });
    }
    let (start, praise, blame) = pick(random, &TWIN_VERDICTS);
    spell(&format!("{start} {}", if is_good { praise } else { blame }))
}

/// A sentence that judges nothing.
fn neutral(random: &mut Random, domain: &Domain) -> String {
    let (item, aspect) = (pick(random, domain.items), pick(random, domain.aspects));
    let (person, time, met) = (pick(random, &PEOPLE), pick(random, &TIMES), domain.met);
    let words = match random.below(6) {
        0 => format!("we {met} this {item} {time}"),
        1 => format!("{person} and I {met} the {item} {time}"),
        2 => format!("{person} asked me about the {aspect} of this {item}"),
        3 => format!("{time} {person} told us about the {item}"),
        4 => format!("every {item} has a {aspect} , and this one has one too"),
        _ => format!("I {met} a {item} {time} and looked at the {aspect}"),
    };
    spell(&words)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use std::collections::BTreeSet;

    use super::super::{reader, validation_examples};
    use super::*;

    #[test]
    fn lines_are_varied_repeatable_and_hold_no_validation_sentence() {
        let lines = pretraining_sentences(3, 5000);
        assert!(lines.len() == 5000 && lines == pretraining_sentences(3, 5000));
        let distinct: BTreeSet<&String> = lines.iter().collect();
        assert!(distinct.len() > 4500, "{} of 5000 lines are different", distinct.len());
        let sentences: BTreeSet<&str> =
            lines.iter().flat_map(|l| l.trim_end_matches('.').split(". ")).collect();
        for (text, _) in validation_examples(1) {
            assert!(!sentences.contains(text.trim_end_matches('.')), "{text}");
        }
    }

    #[test]
    fn half_of_the_pairs_contradict_each_other_and_none_is_a_validation_sentence() {
        let pairs = pretraining_pairs(3, 4000);
        assert_eq!(pairs, pretraining_pairs(3, 4000));
        let n_following = pairs.iter().filter(|pair| pair.follows).count();
        assert!(n_following.abs_diff(2000) < 150, "{n_following} of 4000 pairs belong together");
        let is_praise = |verdict: &str| {
            let text = verdict.trim_end_matches('.').to_lowercase();
            let spoken = |list: &[&str]| list.iter().any(|v| v.to_lowercase() == text);
            let twin = |end: fn(&(&str, &str, &str)) -> String| {
                TWIN_VERDICTS.iter().any(|verdict| end(verdict).to_lowercase() == text)
            };
            match (
                spoken(&GOOD_VERDICTS) || twin(|v| format!("{} {}", v.0, v.1)),
                spoken(&BAD_VERDICTS) || twin(|v| format!("{} {}", v.0, v.2)),
            ) {
                (true, false) => Some(true),
                (false, true) => Some(false),
                _ => None,
            }
        };
        let held_out: BTreeSet<String> =
            validation_examples(1).into_iter().map(|example| example.0).collect();
        for pair in pairs {
            let (review, verdict) = match is_praise(&pair.second) {
                Some(verdict) => (pair.first, verdict),
                None => (pair.second, is_praise(&pair.first).unwrap()),
            };
            assert_eq!(reader::is_positive(&review) == verdict, pair.follows, "{review}");
            assert!(!held_out.contains(&review), "{review}");
        }
    }

    #[test]
    fn every_line_is_made_of_written_sentences() {
        for line in pretraining_sentences(4, 500) {
            assert!(line.ends_with('.') && line.starts_with(|c: char| c.is_ascii_uppercase()), "{line}");
            assert!(!line.contains("  ") && !line.contains(" ,"), "{line}");
        }
    }
}
