//! A reader that finds the meaning of a generated description in its text alone, and checks its grammar on the way:
//! generator and reader share the word lists and nothing else.

use super::lexicon::{AREAS, DAYS, FIRST_NAMES, KINDS, NUMBERS, PRICES};

/// The parts of a representation in one order: `name : X`, `type : Y` and so on; neighbours in order of their names.
pub(super) fn normal(context: &str) -> Vec<String> {
    let mut parts: Vec<String> = context.split(" | ").map(str::to_owned).collect();
    if let Some(near) = parts.iter_mut().find(|part| part.starts_with("near : ")) {
        let mut names: Vec<&str> = near["near : ".len()..].split(", ").collect();
        names.sort_unstable();
        *near = format!("near : {}", names.join(", "));
    }
    parts.sort_unstable();
    parts
}

/// The same of a text.
pub(super) fn read(text: &str) -> Vec<String> {
    let kind = KINDS.iter().find(|kind| words(text).contains(&kind.name)).expect("a kind is named");
    let (name, mut near) = split_names(text);
    near.sort_unstable();
    let mut parts = vec![format!("name : {name}"), format!("type : {}", kind.name)];
    if !near.is_empty() {
        parts.push(format!("near : {}", near.join(", ")));
    }
    let lower = text.to_lowercase();
    parts.extend(AREAS.iter().filter(|area| lower.contains(area.1)).map(|area| format!("area : {}", area.0)));
    for (value, adjective, prices) in PRICES {
        if text.contains(adjective) || text.contains(&format!("{prices} prices")) {
            let article = if adjective.starts_with('e') { "an" } else { "a" };
            assert!(!text.contains(adjective) || lower.contains(&format!("{article} {adjective}")), "{text}");
            parts.push(format!("price : {value}"));
        }
    }
    parts.extend(count(text, "star", "stars").map(|n| format!("stars : {n}")));
    parts.extend(count(text, kind.parts.0, kind.parts.1).map(|n| format!("size : {n}")));
    parts.extend(welcome(text, "children").map(|answer| format!("children : {answer}")));
    parts.extend(welcome(text, "pets").map(|answer| format!("pets : {answer}")));
    let day = DAYS.iter().find(|day| {
        text.contains(&format!("every day except {day}")) || text.contains(&format!("closed on {day}"))
    });
    match day {
        Some(day) => parts.push(format!("closed : {day}")),
        None if text.contains("open every day") => parts.push("closed : never".to_owned()),
        None => {}
    }
    parts.sort_unstable();
    parts
}

fn words(text: &str) -> Vec<&str> {
    text.split([' ', '.', ',']).filter(|word| !word.is_empty()).collect()
}

/// The name of the place itself, which comes first, and those of its neighbours.
fn split_names(text: &str) -> (String, Vec<String>) {
    let words = words(text);
    let pairs = words.windows(2).filter(|pair| FIRST_NAMES.contains(&pair[0]));
    let mut names: Vec<String> = pairs.map(|pair| pair.join(" ")).collect();
    // Neighbours are told by one clause, which may not come before the name.
    let name = names.remove(0);
    assert!(
        names.is_empty()
            || ["next to", "between", "as its neighbor"].iter().any(|clause| text.contains(clause))
    );
    let plural = text.contains("neighbors");
    assert!(!plural || names.len() == 2, "{text}");
    (name, names)
}

/// The number before a noun, which has to agree with it.
fn count(text: &str, one: &str, several: &str) -> Option<usize> {
    let words = words(text);
    let at = words.iter().position(|word| *word == one || *word == several)?;
    let n =
        1 + NUMBERS.iter().position(|number| *number == words[at - 1]).expect("a number stands before it");
    assert_eq!(words[at] == one, n == 1, "{text}");
    Some(n)
}

/// Whether they are welcome, if the text says so.
fn welcome(text: &str, who: &str) -> Option<&'static str> {
    let other = if who == "pets" { "children" } else { "pets" };
    let says = |phrases: &[String]| phrases.iter().any(|phrase| text.contains(phrase));
    let no = [
        format!("not welcome {who}"),
        format!("no place for {who}"),
        "welcomes neither children nor pets".to_owned(),
        format!("welcomes {other} but no {who}"),
    ];
    let yes = [
        format!("welcomes {who}"),
        format!("good place for {who}"),
        "welcomes both children and pets".to_owned(),
    ];
    match (says(&yes), says(&no)) {
        (true, false) => Some("yes"),
        (false, true) => Some("no"),
        (false, false) => None,
        (true, true) => panic!("it says both of {who}: {text}"),
    }
}
