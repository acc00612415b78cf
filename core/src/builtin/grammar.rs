//! The grammar of the generated reviews: a construction and a label in, a sentence with that label out.
//!
//! Nearly every construction has a twin of the other label made of the same words in another order or with the
//! polarity of one word exchanged, so that counting words cannot tell the two apart.

use super::construction::Construction;
use super::construction::Construction::{
    Change, Comparison, Concession, Contrast, Expectation, Hearsay, Holder, Negated, Paired, Plain, Wrapped,
};
use super::lexicon::{
    AFFIRMATIONS, BAD, BAD_EFFECTS, BAD_FEELINGS, CONCESSIONS, CONTRASTS, DEGREES, DENIALS, DOMAINS, Domain,
    GOOD, GOOD_EFFECTS, GOOD_FEELINGS, NEGATORS, OPENERS, OTHERS, PEOPLE, VERB_DEGREES,
};
use crate::random::Random;

/// Names of the classes; a label is an index into this.
pub const LABEL_NAMES: [&str; 2] = ["negative", "positive"];

/// A sentence before spelling.
#[derive(Clone, Debug)]
pub(super) struct Sentence {
    /// Words without capital letter and full stop; commas stand alone.
    pub(super) words: String,
    /// With the construction the key of the train-validation split: the word of praise or blame that decides,
    /// or what is compared.
    pub(super) key_word: &'static str,
}

/// Writes a sentence of the given construction that says `is_good`.
pub(super) fn write(
    random: &mut Random,
    domain: &Domain,
    construction: Construction,
    is_good: bool,
) -> Sentence {
    match construction {
        Plain | Negated => {
            let aspect = pick(random, domain.aspects);
            clause(random, domain, aspect, is_good, construction == Negated)
        }
        Paired => paired(random, domain, is_good),
        Wrapped => wrapped(random, domain, is_good),
        Contrast => contrast(random, domain, is_good),
        Concession => concession(random, domain, is_good),
        Comparison => comparison(random, domain, is_good),
        Expectation => expectation(random, domain, is_good),
        Hearsay => hearsay(random, domain, is_good),
        Holder => holder(random, domain, is_good),
        Change => change(random, domain, is_good),
    }
}

/// One of the domains.
pub(super) fn draw_domain(random: &mut Random) -> &'static Domain {
    &DOMAINS[random.below(DOMAINS.len() as u32) as usize]
}

/// The sentence as written text, one in five behind an opener that means nothing.
pub(super) fn spell_review(random: &mut Random, sentence: &Sentence) -> String {
    if random.below(5) == 0 {
        spell(&format!("{} {}", pick(random, &OPENERS), sentence.words))
    } else {
        spell(&sentence.words)
    }
}

/// One item of a list.
pub(super) fn pick<T: Copy>(random: &mut Random, list: &'static [T]) -> T {
    list[random.below(list.len() as u32) as usize]
}

fn coin(random: &mut Random) -> bool {
    random.below(2) == 0
}

/// Two different parts of the reviewed thing.
fn two_aspects(random: &mut Random, domain: &Domain) -> (&'static str, &'static str) {
    let n = domain.aspects.len() as u32;
    let first = random.below(n);
    let second = (first + 1 + random.below(n - 1)) % n;
    (domain.aspects[first as usize], domain.aspects[second as usize])
}

/// An adjective that says `is_good`; one third fit anything, the others the domain.
fn adjective(random: &mut Random, domain: &Domain, is_good: bool) -> &'static str {
    match (random.below(3) == 0, is_good) {
        (true, true) => pick(random, &GOOD),
        (true, false) => pick(random, &BAD),
        (false, true) => pick(random, domain.good),
        (false, false) => pick(random, domain.bad),
    }
}

/// A main clause about `aspect` that says `is_good`, by an adjective or a verb, negated or not.
fn clause(random: &mut Random, domain: &Domain, aspect: &str, is_good: bool, is_negated: bool) -> Sentence {
    let word_is_good = is_good != is_negated;
    match random.below(6) {
        0 => {
            let verbs = if word_is_good { &GOOD_FEELINGS } else { &BAD_FEELINGS };
            let (verb, words) = verb_phrase(random, verbs, is_negated);
            Sentence { words: format!("I {words} the {aspect}"), key_word: verb }
        }
        1 => {
            let verbs: &'static [_] = if word_is_good { &GOOD_EFFECTS } else { &BAD_EFFECTS };
            let (verb, words) = verb_phrase(random, verbs, is_negated);
            Sentence { words: format!("the {aspect} {words} it"), key_word: verb }
        }
        _ => {
            let word = adjective(random, domain, word_is_good);
            let phrase = adjective_phrase(random, word, is_negated);
            Sentence { words: format!("the {aspect} was {phrase}"), key_word: word }
        }
    }
}

/// The base form occurs negated ("did not love") and affirmed ("did love"), the past form too ("never loved"):
/// otherwise the form alone would give the label away.
fn verb_phrase(
    random: &mut Random,
    verbs: &'static [(&'static str, &'static str)],
    is_negated: bool,
) -> (&'static str, String) {
    let (past, base) = pick(random, verbs);
    let words = match (is_negated, coin(random)) {
        (true, true) => format!("did not {base}"),
        (true, false) => format!("{} {past}", if coin(random) { "never" } else { "hardly" }),
        (false, true) => format!("did {base}"),
        (false, false) => format!("{} {past}", pick(random, &VERB_DEGREES)),
    };
    (past, words)
}

fn adjective_phrase(random: &mut Random, word: &str, is_negated: bool) -> String {
    if is_negated {
        let tail = if random.below(4) == 0 { " at all" } else { "" };
        return match pick(random, &NEGATORS) {
            "not" => format!("not {word}{tail}"),
            negator => format!("{negator} {word}"),
        };
    }
    match random.below(3) {
        0 => word.to_owned(),
        _ => format!("{} {word}", pick(random, &DEGREES)),
    }
}

/// A clause inside a larger sentence; one in five is negated.
fn inner_clause(random: &mut Random, domain: &Domain, aspect: &str, is_good: bool) -> Sentence {
    let is_negated = random.below(5) == 0;
    clause(random, domain, aspect, is_good, is_negated)
}

fn paired(random: &mut Random, domain: &Domain, is_good: bool) -> Sentence {
    let (first, second) = two_aspects(random, domain);
    let is_negated = coin(random);
    let word = adjective(random, domain, is_good != is_negated);
    let words = if is_negated {
        format!("neither the {first} nor the {second} was {word}")
    } else {
        format!("both the {first} and the {second} were {word}")
    };
    Sentence { words, key_word: word }
}

fn wrapped(random: &mut Random, domain: &Domain, is_good: bool) -> Sentence {
    let is_denied = random.below(4) > 0;
    let wrapper = if is_denied { pick(random, &DENIALS) } else { pick(random, &AFFIRMATIONS) };
    let is_negated = coin(random);
    let aspect = pick(random, domain.aspects);
    let inner = clause(random, domain, aspect, is_good != is_denied, is_negated);
    Sentence { words: format!("{wrapper} {}", inner.words), ..inner }
}

fn contrast(random: &mut Random, domain: &Domain, is_good: bool) -> Sentence {
    let (first, second) = two_aspects(random, domain);
    let other = inner_clause(random, domain, first, !is_good);
    let decides = inner_clause(random, domain, second, is_good);
    let words = format!("{} , {} {}", other.words, pick(random, &CONTRASTS), decides.words);
    Sentence { words, ..decides }
}

fn concession(random: &mut Random, domain: &Domain, is_good: bool) -> Sentence {
    let (first, second) = two_aspects(random, domain);
    let other = inner_clause(random, domain, first, !is_good).words;
    let decides = inner_clause(random, domain, second, is_good);
    let concession = pick(random, &CONCESSIONS);
    let words = if coin(random) {
        format!("{concession} {other} , {}", decides.words)
    } else {
        format!("{} , {concession} {other}", decides.words)
    };
    Sentence { words, ..decides }
}

fn comparison(random: &mut Random, domain: &Domain, is_good: bool) -> Sentence {
    let item = pick(random, domain.items);
    let this = format!("this {item}");
    let other = pick(random, &OTHERS);
    let this_is_first = coin(random);
    let word = if is_good == this_is_first { "better" } else { "worse" };
    let degree = pick(random, &["", "much ", "far ", "even "]);
    let verb = pick(random, &["is", "was", "looked", "felt"]);
    let words = if this_is_first {
        format!("{this} {verb} {degree}{word} than {other}")
    } else {
        format!("{other} {verb} {degree}{word} than {this}")
    };
    Sentence { words, key_word: item }
}

fn expectation(random: &mut Random, domain: &Domain, is_good: bool) -> Sentence {
    let item = pick(random, domain.items);
    let (expected, found) = (general_adjective(random, !is_good), general_adjective(random, is_good));
    let verb = pick(random, &["expected", "imagined", "had read of"]);
    Sentence { words: format!("I {verb} a {expected} {item} and got a {found} one"), key_word: found }
}

/// A general adjective that may follow the article "a" directly.
fn general_adjective(random: &mut Random, is_good: bool) -> &'static str {
    let words = if is_good { &GOOD } else { &BAD };
    loop {
        let word = pick(random, words);
        if !word.starts_with(['a', 'e', 'i']) {
            return word;
        }
    }
}

fn hearsay(random: &mut Random, domain: &Domain, is_good: bool) -> Sentence {
    let is_right = coin(random);
    let aspect = pick(random, domain.aspects);
    let said = inner_clause(random, domain, aspect, is_good == is_right);
    let verdict = if is_right { "that was right" } else { "that was wrong" };
    Sentence { words: format!("{} said that {} , and {verdict}", pick(random, &PEOPLE), said.words), ..said }
}

fn holder(random: &mut Random, domain: &Domain, is_good: bool) -> Sentence {
    let aspect = pick(random, domain.aspects);
    let (theirs, mine) = (adjective(random, domain, !is_good), adjective(random, domain, is_good));
    let person = pick(random, &PEOPLE);
    let words = if coin(random) {
        format!("{person} found the {aspect} {theirs} , while I found it {mine}")
    } else {
        format!("I found the {aspect} {mine} , while {person} found it {theirs}")
    };
    Sentence { words, key_word: mine }
}

fn change(random: &mut Random, domain: &Domain, is_good: bool) -> Sentence {
    let aspect = pick(random, domain.aspects);
    let (before, now) = (adjective(random, domain, !is_good), adjective(random, domain, is_good));
    let words = if coin(random) {
        format!("the {aspect} used to be {before} , and now it is {now}")
    } else {
        format!("the {aspect} is {now} now , and it used to be {before}")
    };
    Sentence { words, key_word: now }
}

/// The words as written text: capital letter, commas at their word, full stop.
pub(super) fn spell(words: &str) -> String {
    let text = words.replace(" ,", ",");
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}
