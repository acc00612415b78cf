//! A reader that decides the label of a generated sentence by the rules of its grammar, from the text alone.
//!
//! It proves that every sentence means its label: generator and reader share the word lists and nothing else.

use super::lexicon::{
    BAD, BAD_EFFECTS, BAD_FEELINGS, DENIALS, DOMAINS, GOOD, GOOD_EFFECTS, GOOD_FEELINGS, OPENERS,
};

/// Lower-case words without punctuation, commas kept apart.
pub(super) fn words(text: &str) -> Vec<String> {
    let text = text.trim_end_matches('.').replace(',', " ,").to_lowercase();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Whether the sentence praises what it reviews.
pub(super) fn is_positive(text: &str) -> bool {
    let mut text = words(text).join(" ");
    for opener in OPENERS {
        text = text.strip_prefix(&opener.to_lowercase()).map_or(text.clone(), |rest| rest.trim().to_owned());
    }
    // "Anything but" is a negator and no contrast.
    for negator in ["anything but", "far from", "by no means", "neither", "hardly", "never"] {
        text = text.replace(negator, "not");
    }
    if let Some((claim, verdict)) = text.split_once(" , and that was ") {
        let claim = claim.split_once(" said that ").map_or(claim, |parts| parts.1);
        return polarity(claim) == (verdict == "right");
    }
    if text.contains(" found ") {
        return text.split(" , ").find(|part| part.contains("i found")).is_some_and(polarity);
    }
    polarity(deciding_part(&text))
}

/// The part of a sentence that counts when its parts disagree.
fn deciding_part(text: &str) -> &str {
    for concession in ["although ", "even though ", "despite the fact that "] {
        if let Some(rest) = text.strip_prefix(concession) {
            return rest.split_once(" , ").map_or(rest, |parts| parts.1);
        }
        if let Some((main, _)) = text.split_once(&format!(" , {concession}")) {
            return main;
        }
    }
    for contrast in [" , but ", " , yet ", " , and still ", " and got "] {
        if let Some((_, main)) = text.split_once(contrast) {
            return main;
        }
    }
    if text.contains(" used to be ") {
        return text.split(" , ").find(|part| !part.contains(" used to be ")).unwrap_or(text);
    }
    text
}

/// The polarity of one clause: of its one judging word, turned round by each negator and denial.
fn polarity(clause: &str) -> bool {
    let denials = DENIALS.iter().filter(|d| clause.starts_with(&d.to_lowercase())).count();
    let clause = DENIALS.iter().fold(clause.to_owned(), |c, d| c.replace(&d.to_lowercase(), ""));
    let words: Vec<&str> = clause.split(' ').collect();
    let negators = words.iter().filter(|w| **w == "not").count();
    let is_turned = (denials + negators) % 2 == 1;
    if let Some(at) = words.iter().position(|w| *w == "than") {
        let this_is_first = words.first() == Some(&"this");
        return (words[at - 1] == "better") == this_is_first;
    }
    let judged: Vec<bool> = words.iter().filter_map(|w| judgement(w)).collect();
    assert_eq!(judged.len(), 1, "one judging word is expected in {clause:?}");
    judged[0] != is_turned
}

/// What a word says by itself, if it judges at all.
fn judgement(word: &str) -> Option<bool> {
    let verbs = |list: &[(&str, &str)]| list.iter().any(|v| v.0 == word || v.1 == word);
    let is_good = GOOD.contains(&word)
        || DOMAINS.iter().any(|d| d.good.contains(&word))
        || verbs(&GOOD_FEELINGS)
        || verbs(&GOOD_EFFECTS);
    let is_bad = BAD.contains(&word)
        || DOMAINS.iter().any(|d| d.bad.contains(&word))
        || verbs(&BAD_FEELINGS)
        || verbs(&BAD_EFFECTS);
    match (is_good, is_bad) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_positive;

    #[test]
    fn reads_hand_written_sentences() {
        let positive = [
            "The soup was anything but bad.",
            "Nobody could say that the soup was not good.",
            "The plot was dull, but the acting saved it.",
            "The plot was good, although the acting ruined it.",
            "The old one was worse than this phone.",
            "In short, even though the room was bad, I loved the pool.",
            "My brother said that the clerk was rude, and that was wrong.",
            "The soup used to be bad, and now it is good.",
            "My sister found the room dirty, while I found it spotless.",
        ];
        let negative = [
            "Neither the soup nor the bread was good.",
            "The old one is better than this phone.",
            "I would not say that the ending was good.",
            "I expected a good film and got a bad one.",
            "The soup is bad now, and it used to be good.",
            "I never loved the soup.",
        ];
        positive.iter().for_each(|text| assert!(is_positive(text), "{text}"));
        negative.iter().for_each(|text| assert!(!is_positive(text), "{text}"));
    }
}
