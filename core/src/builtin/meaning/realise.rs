//! From a meaning to an English text that says all of it and nothing else.
//!
//! The order of a text is not that of the representation, numbers become words that agree with what they count, a no
//! becomes a negation, two like answers are told together, and clauses that disagree are joined by `but`.

use super::lexicon::{AREAS, DAYS, NUMBERS, PRICES};
use super::{Attribute, Meaning};
use crate::random::Random;

/// Something said of a place by a verb.
struct Clause {
    words: String,
    /// Praise is 1, blame -1, and what is neither 0.
    polarity: i32,
}

impl Clause {
    fn new(words: impl Into<String>, polarity: i32) -> Self {
        Self { words: words.into(), polarity }
    }
}

/// One of the texts for a meaning.
pub(super) fn realise(random: &mut Random, meaning: &Meaning) -> String {
    let mut clauses = clauses(random, meaning);
    let (opening, price_is_told) = open(random, meaning, &mut clauses);
    if let Some(price) = meaning.price().filter(|_| !price_is_told) {
        let polarity = 1 - price as i32;
        clauses.push(Clause::new(format!("has {} prices", PRICES[price].2), polarity));
    }
    let mut text = opening;
    let mut rest = clauses.into_iter().peekable();
    while let Some(clause) = rest.next() {
        let subject =
            if random.below(3) == 0 { format!("The {}", meaning.kind.name) } else { "It".to_owned() };
        text += &format!(" {subject} {}", clause.words);
        // Not every sentence takes a second clause.
        if let Some(second) = rest.next_if(|_| random.below(3) > 0) {
            text += &format!(" {} {}", conjunction(&clause, &second), second.words);
        }
        text.push('.');
    }
    text
}

/// `but` between praise and blame, else `and`.
fn conjunction(first: &Clause, second: &Clause) -> &'static str {
    if first.polarity * second.polarity < 0 { "but" } else { "and" }
}

/// The first sentence: name, kind, perhaps price, place. It may take the first clause along.
fn open(random: &mut Random, meaning: &Meaning, clauses: &mut Vec<Clause>) -> (String, bool) {
    let price_is_told = meaning.price().is_none() || random.below(4) > 0;
    let kind = match meaning.price().filter(|_| price_is_told) {
        Some(price) => format!("{} {}", PRICES[price].1, meaning.kind.name),
        None => meaning.kind.name.to_owned(),
    };
    let kind = format!("{} {kind}", if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" });
    let area = meaning.area().map(|area| AREAS[area].1);
    let place = area.map_or_else(String::new, |area| format!(" {area}"));
    let name = &meaning.name;
    let sentence = match random.below(4) {
        0 => format!("There is {kind} called {name}{place}."),
        1 => match area {
            Some(area) => format!("{}, you find {name}, {kind}.", capital(area)),
            None => format!("You may know {name}, {kind}."),
        },
        2 if !clauses.is_empty() => {
            let clause = clauses.remove(0);
            format!("{name}, {kind}{place}, {}.", clause.words)
        }
        _ => format!("{name} is {kind}{place}."),
    };
    (sentence, price_is_told)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

/// What is said by verbs, in an order of the writer's own.
fn clauses(random: &mut Random, meaning: &Meaning) -> Vec<Clause> {
    let (mut children, mut pets) = (None, None);
    let mut clauses = Vec::new();
    let mut attributes = meaning.attributes.clone();
    attributes.sort_unstable();
    if random.below(3) == 0 {
        attributes.reverse();
    }
    for attribute in attributes {
        match attribute {
            Attribute::Area(_) | Attribute::Price(_) => {}
            Attribute::Children(welcome) => children = Some(welcome),
            Attribute::Pets(welcome) => pets = Some(welcome),
            Attribute::Stars(n) => clauses.push(stars(random, n)),
            Attribute::Size(n) => {
                let verb = if random.below(2) == 0 { "has" } else { "offers" };
                let (one, several) = meaning.kind.parts;
                clauses.push(Clause::new(format!("{verb} {}", counted(n, one, several)), 0));
            }
            Attribute::Closed(day) => clauses.push(closed(random, day)),
            Attribute::Near(ref near) => clauses.push(Clause::new(neighbours(random, near), 0)),
        }
    }
    let at = random.below(clauses.len() as u32 + 1) as usize;
    let guests = guests(random, children, pets);
    clauses.splice(at..at, guests);
    clauses
}

fn counted(n: usize, one: &str, several: &str) -> String {
    format!("{} {}", NUMBERS[n - 1], if n == 1 { one } else { several })
}

fn stars(random: &mut Random, n: usize) -> Clause {
    let stars = counted(n, "star", "stars");
    let words = if random.below(2) == 0 { format!("has {stars}") } else { format!("is rated with {stars}") };
    Clause::new(words, (n as i32 - 3).signum())
}

fn closed(random: &mut Random, day: Option<usize>) -> Clause {
    match day.map(|day| DAYS[day]) {
        None => Clause::new("is open every day", 0),
        Some(day) if random.below(2) == 0 => Clause::new(format!("is closed on {day}"), 0),
        Some(day) => Clause::new(format!("is open every day except {day}"), 0),
    }
}

fn neighbours(random: &mut Random, near: &[String]) -> String {
    match near {
        [one] if random.below(2) == 0 => format!("is next to {one}"),
        [one] => format!("has {one} as its neighbor"),
        [first, second, ..] if random.below(2) == 0 => format!("lies between {first} and {second}"),
        [first, second, ..] => format!("has {first} and {second} as its neighbors"),
        [] => "has no neighbors".to_owned(),
    }
}

/// Who may come in. Two answers may become one clause.
fn guests(random: &mut Random, children: Option<bool>, pets: Option<bool>) -> Vec<Clause> {
    if let (Some(children), Some(pets)) = (children, pets)
        && random.below(3) > 0
    {
        return vec![match (children, pets) {
            (true, true) => Clause::new("welcomes both children and pets", 1),
            (false, false) => Clause::new("welcomes neither children nor pets", -1),
            (true, false) => Clause::new("welcomes children but no pets", 0),
            (false, true) => Clause::new("welcomes pets but no children", 0),
        }];
    }
    let one = |random: &mut Random, welcome: bool, who: &str| match (welcome, random.below(2)) {
        (true, 0) => Clause::new(format!("welcomes {who}"), 1),
        (true, _) => Clause::new(format!("is a good place for {who}"), 1),
        (false, 0) => Clause::new(format!("does not welcome {who}"), -1),
        (false, _) => Clause::new(format!("is no place for {who}"), -1),
    };
    let children = children.map(|welcome| one(random, welcome, "children"));
    let pets = pets.map(|welcome| one(random, welcome, "pets"));
    children.into_iter().chain(pets).collect()
}
