//! The meaning-to-text set inside the program: descriptions of invented places from attributes, made by a seeded
//! generator.
//!
//! A meaning is written `name : Oak Mill | type : cafe | pets : no | size : 3`, its attributes in random order. Its texts
//! cannot be had by copying: see [`realise`]. Train and validation meanings differ in more than names.

mod lexicon;
#[cfg(test)]
mod reader;
mod realise;

use std::collections::BTreeSet;

use self::lexicon::{AREAS, DAYS, FIRST_NAMES, KINDS, Kind, LAST_NAMES, PRICES};
use super::hash::hash;
use crate::data::generation::{GenerationExample, as_lines};
use crate::random::Random;

/// Meanings in the train set.
pub const N_TRAIN_MEANINGS: usize = 1500;
/// Meanings in the validation set.
pub const N_VALIDATION_MEANINGS: usize = 150;
/// Texts of each train meaning; a meaning that can be said in fewer ways has fewer.
const N_TRAIN_TEXTS: usize = 3;
/// Texts of each validation meaning.
const N_VALIDATION_TEXTS: usize = 4;
/// How often another text is tried for.
const N_TRIES: usize = 12;

const TRAIN_STREAM: u64 = 0x6d72_7472;
const VALIDATION_STREAM: u64 = 0x6d72_7661;
const TEXT_STREAM: u64 = 0x6d72_7478;

/// What is said of a place beside name and kind. The order is that of a usual text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Attribute {
    Area(usize),
    Price(usize),
    Near(Vec<String>),
    Size(usize),
    Stars(usize),
    Children(bool),
    Pets(bool),
    /// The day, or none.
    Closed(Option<usize>),
}

/// What a text says.
#[derive(Clone, Debug)]
struct Meaning {
    name: String,
    kind: &'static Kind,
    /// In the order of the representation.
    attributes: Vec<Attribute>,
}

impl Attribute {
    /// `name : value`, as representations have it.
    fn written(&self) -> String {
        let answer = |yes: bool| if yes { "yes" } else { "no" };
        match self {
            Self::Area(area) => format!("area : {}", AREAS[*area].0),
            Self::Price(price) => format!("price : {}", PRICES[*price].0),
            Self::Near(near) => format!("near : {}", near.join(", ")),
            Self::Size(n) => format!("size : {n}"),
            Self::Stars(n) => format!("stars : {n}"),
            Self::Children(yes) => format!("children : {}", answer(*yes)),
            Self::Pets(yes) => format!("pets : {}", answer(*yes)),
            Self::Closed(day) => format!("closed : {}", day.map_or("never", |day| DAYS[day])),
        }
    }
}

impl Meaning {
    /// A place with two to five attributes.
    fn draw(random: &mut Random) -> Self {
        let names = names(random);
        let kind = &KINDS[random.below(KINDS.len() as u32) as usize];
        let mut attributes = all_attributes(random, &names[1..]);
        random.shuffle(&mut attributes);
        attributes.truncate(2 + random.below(4) as usize);
        Self { name: names[0].clone(), kind, attributes }
    }

    fn area(&self) -> Option<usize> {
        self.attributes.iter().find_map(|a| if let Attribute::Area(area) = a { Some(*area) } else { None })
    }

    fn price(&self) -> Option<usize> {
        self.attributes.iter().find_map(|a| if let Attribute::Price(price) = a { Some(*price) } else { None })
    }

    /// The representation.
    fn written(&self) -> String {
        let attributes: Vec<String> = self.attributes.iter().map(Attribute::written).collect();
        format!("name : {} | type : {} | {}", self.name, self.kind.name, attributes.join(" | "))
    }

    /// Whether it is for validation, from what it says but for names: one sixth of all meanings, and all with one of
    /// an eighth of the pairs of kind and size.
    fn is_held_out(&self) -> bool {
        let without_names = |a: &Attribute| match a {
            Attribute::Near(near) => format!("near : {}", near.len()),
            other => other.written(),
        };
        let mut parts: Vec<String> = self.attributes.iter().map(without_names).collect();
        parts.sort_unstable();
        let size = parts.iter().find(|part| part.starts_with("size"));
        size.is_some_and(|size| hash(&format!("{} {size}", self.kind.name)).is_multiple_of(8))
            || hash(&format!("{} {}", self.kind.name, parts.join(" "))).is_multiple_of(6)
    }

    /// Up to `n` different texts.
    fn texts(&self, random: &mut Random, n: usize) -> Vec<String> {
        let mut texts: Vec<String> = Vec::with_capacity(n);
        for _ in 0..N_TRIES {
            let text = realise::realise(random, self);
            if texts.len() < n && !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    }
}

/// Three different names.
fn names(random: &mut Random) -> Vec<String> {
    let n_last = LAST_NAMES.len() as u32;
    let numbers = random.permutation(FIRST_NAMES.len() * LAST_NAMES.len());
    let name =
        |&i: &u32| format!("{} {}", FIRST_NAMES[(i / n_last) as usize], LAST_NAMES[(i % n_last) as usize]);
    numbers[..3].iter().map(name).collect()
}

/// One attribute of every sort, with values drawn.
fn all_attributes(random: &mut Random, others: &[String]) -> Vec<Attribute> {
    let mut below = |n: usize| random.below(n as u32) as usize;
    let n_near = 1 + below(2);
    vec![
        Attribute::Area(below(AREAS.len())),
        Attribute::Price(below(PRICES.len())),
        Attribute::Near(others[..n_near].to_vec()),
        Attribute::Size(1 + below(5)),
        Attribute::Stars(1 + below(5)),
        Attribute::Children(below(2) == 0),
        Attribute::Pets(below(2) == 0),
        Attribute::Closed(below(DAYS.len() + 2).checked_sub(2)),
    ]
}

/// The train set of `seed`: [`N_TRAIN_MEANINGS`] different meanings, each with about three texts.
#[must_use]
pub fn train_meanings(seed: u64) -> Vec<GenerationExample> {
    examples(Random::new(seed, TRAIN_STREAM), N_TRAIN_MEANINGS, N_TRAIN_TEXTS, false)
}

/// The validation set of `seed`: [`N_VALIDATION_MEANINGS`] different meanings, each with about four texts. What they say
/// is said in the train set of no seed, whatever the names.
#[must_use]
pub fn validation_meanings(seed: u64) -> Vec<GenerationExample> {
    examples(Random::new(seed, VALIDATION_STREAM), N_VALIDATION_MEANINGS, N_VALIDATION_TEXTS, true)
}

/// `n` texts of train meanings without their representations: what a decoder is pretrained on.
#[must_use]
pub fn descriptions(seed: u64, n: usize) -> Vec<String> {
    let mut random = Random::new(seed, TEXT_STREAM);
    let drawn = std::iter::repeat_with(|| {
        let meaning = Meaning::draw(&mut random);
        let text = realise::realise(&mut random, &meaning);
        (!meaning.is_held_out()).then_some(text)
    });
    drawn.flatten().take(n).collect()
}

/// The set as two files of lines `context||completion`, for training and for validation: name and bytes.
#[must_use]
pub fn meaning_files() -> [(&'static str, Vec<u8>); 2] {
    let files = [
        ("embedded-meanings-train.txt", train_meanings(super::DATA_SEED)),
        ("embedded-meanings-validation.txt", validation_meanings(super::DATA_SEED)),
    ];
    files.map(|(name, examples)| (name, as_lines(&examples).into_bytes()))
}

fn examples(mut random: Random, n: usize, n_texts: usize, is_held_out: bool) -> Vec<GenerationExample> {
    let mut seen = BTreeSet::new();
    let mut examples = Vec::with_capacity(n);
    while examples.len() < n {
        let meaning = Meaning::draw(&mut random);
        let context = meaning.written();
        if meaning.is_held_out() == is_held_out && seen.insert(context.clone()) {
            let completions = meaning.texts(&mut random, n_texts);
            examples.push(GenerationExample { context, completions, seen: None });
        }
    }
    examples
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::data::{DataFile, DataOptions, generation::load_generation_splits};
    use crate::tokenizer::{Tokenizer, train_byte_level};

    /// What a representation says but for names, in one order.
    fn said(context: &str) -> String {
        let mut parts: Vec<&str> = context.split(" | ").skip(1).collect();
        parts.sort_unstable();
        let near = |part: &str| part.split(", ").count();
        let parts: Vec<String> =
            parts
                .iter()
                .map(|part| {
                    if part.starts_with("near") { format!("near {}", near(part)) } else { (*part).to_owned() }
                })
                .collect();
        parts.join(" ")
    }

    #[test]
    fn sets_are_distinct_disjoint_and_repeatable() {
        let (train, validation) = (train_meanings(1), validation_meanings(1));
        assert_eq!((train.len(), validation.len()), (N_TRAIN_MEANINGS, N_VALIDATION_MEANINGS));
        assert!(train == train_meanings(1) && train != train_meanings(2));
        let texts = |set: &[GenerationExample]| set.iter().map(|e| e.completions.len()).sum::<usize>();
        assert!(texts(&train) > 4000 && texts(&validation) > 500, "{} {}", texts(&train), texts(&validation));
        let all = |set: &[GenerationExample]| set.iter().map(|e| said(&e.context)).collect::<BTreeSet<_>>();
        let trained = all(&train).union(&all(&train_meanings(9))).cloned().collect::<BTreeSet<_>>();
        assert!(trained.is_disjoint(&all(&validation)));
    }

    #[test]
    fn a_reader_finds_the_whole_meaning_in_every_text() {
        for example in train_meanings(1).iter().chain(&validation_meanings(3)) {
            for text in &example.completions {
                assert_eq!(reader::read(text), reader::normal(&example.context), "{text}");
            }
        }
    }

    #[test]
    fn copying_does_not_say_it() {
        let (mut n_words, mut n_copied) = (0, 0);
        for example in train_meanings(1) {
            let context: BTreeSet<&str> = example.context.split([' ', ',']).collect();
            for text in &example.completions {
                let words: Vec<&str> = text.split([' ', '.', ',']).filter(|word| !word.is_empty()).collect();
                n_words += words.len();
                n_copied += words.iter().filter(|word| context.contains(*word)).count();
            }
        }
        let share = n_copied as f64 / n_words as f64;
        println!("{:.1} % of the words of the texts stand in their representation", 100.0 * share);
        assert!(share < 0.45, "{share}");
    }

    #[test]
    fn the_files_are_read_as_any_other() {
        let [train, validation] = meaning_files();
        let file = |file: &'static str, bytes| DataFile { name: file, bytes };
        let options = DataOptions::default();
        let splits = load_generation_splits(
            file(train.0, &train.1),
            Some(file(validation.0, &validation.1)),
            &options,
        );
        let splits = splits.unwrap();
        assert_eq!(splits.train, train_meanings(super::super::DATA_SEED));
        assert_eq!(splits.validation, validation_meanings(super::super::DATA_SEED));
        assert_eq!(splits.warnings, []);
    }

    #[test]
    fn a_small_vocabulary_covers_it() {
        let (train, texts) = (train_meanings(1), descriptions(1, 500));
        let contexts = train.iter().map(|example| example.context.as_str());
        let all: Vec<&str> = contexts.chain(texts.iter().map(String::as_str)).collect();
        let tokenizer =
            Tokenizer::from_bytes("tokenizer.json", &train_byte_level(&all, 640).unwrap()).unwrap();
        assert!(tokenizer.vocab_size() <= 640);
        let longest =
            train.iter().flat_map(|e| &e.completions).map(|t| tokenizer.encode_plain(t).unwrap().len());
        let longest = longest.max().unwrap();
        assert!(longest < 80, "the longest text has {longest} tokens");
        let tokens =
            tokenizer.tokens(&tokenizer.encode_plain(" welcomes neither children nor pets").unwrap());
        assert_eq!(tokens, ["Ġwelcomes", "Ġneither", "Ġchildren", "Ġnor", "Ġpets"]);
    }
}
