//! The rules of the tokenizer for everything that is longer than one sign. Each takes a text and a place, and answers
//! where its token ends if it has one there.

use super::super::marks::is_mark;

/// Abbreviations that keep their point.
const ABBREVIATIONS: &str = "adj adm adv al ala apr ariz assn assoc asst atty attys aug ave bancorp bhd bldg blvd \
    brig bros calif capt cf cie cmdr co col colo comdr conn corp cos cpl ct dak dec dept det dr drs elec ens esq est \
    etc ext feb fla fri ft ga gen gov govs hon inc ind insp intl invt jan jos jr jul jun kan kans ky lieut lt ltd maj \
    mar md messrs mfg mich minn mlle mme mo mon mont mr mrs ms msgr mt mtg natl neb nev nov oct okla penn pfc ph plc \
    ppte pres prof profs pte pty ptys pvt rd rep reps rev rt sen sens sep sept seq sfc sgt spc sq sr st ste supt supts \
    sys tel tenn thu thurs tue tues univ va vs vt wed wis wisc wm wyo";

/// Abbreviations that keep their point if they begin with a capital; otherwise they are words.
const CAPITAL_ABBREVIATIONS: &str = "ark az del ill la mass miss ore pa tex wash";

/// Abbreviations that keep their point before a number.
const BEFORE_NUMBERS: &str = "art ca fig figs no nos op pp prop";

/// Words that begin a sentence: a single letter with a point before one of them is the end of a sentence.
const SENTENCE_BEGINNINGS: &str = "A About According Additionally After An As At But Earlier He Her Here However If In \
    It Last Many More Now Once One Other Our She Since So Some Such That The Their Then There These They This We When \
    While What Yet You";

/// Words that are two tokens, and where they are cut.
const ASSIMILATIONS: [(&str, usize); 8] = [
    ("cannot", 3),
    ("gonna", 3),
    ("gotta", 3),
    ("lemme", 3),
    ("gimme", 3),
    ("wanna", 3),
    ("'tis", 2),
    ("'twas", 2),
];

/// What follows an apostrophe at the end of a word and is a token with it.
const AUXILIARIES: [&str; 6] = ["s", "m", "d", "re", "ve", "ll"];

/// Words that begin with an apostrophe.
const CLIPPED: [&str; 5] = ["em", "til", "till", "cause", "n"];

type Rule = fn(&[char], usize) -> Option<usize>;

/// The end of the longest token that a rule finds at `at`.
pub fn longest_rule(text: &[char], at: usize) -> Option<usize> {
    const RULES: [Rule; 11] =
        [word, joined, hyphenated, slashed, number, initials, abbreviation, ampersands, clipped, tag, email];
    let end = RULES.iter().filter_map(|rule| rule(text, at)).max()?;
    let lower: String = text[at..end].iter().map(|&c| if c == '’' { '\'' } else { c }).collect();
    let lower = lower.to_lowercase();
    let two = ASSIMILATIONS.iter().find(|(whole, _)| *whole == lower);
    Some(two.map_or_else(|| negated(text, at, end), |(_, first)| at + first))
}

/// The end of an auxiliary such as `'s` whose apostrophe is at `at`.
pub fn is_redaux_end(text: &[char], at: usize) -> Option<usize> {
    if !is_apostrophe(*text.get(at)?) {
        return None;
    }
    let letters = run(text, at + 1, is_letter);
    let word: String = text[at + 1..letters].iter().collect();
    AUXILIARIES.contains(&word.to_lowercase().as_str()).then_some(letters)
}

/// Leaves "n't" to the next token, or takes it as a token of its own.
fn negated(text: &[char], at: usize, end: usize) -> usize {
    let is = |at: usize, letter: char| text.get(at).is_some_and(|c| c.to_ascii_lowercase() == letter);
    let ends_here = |at: usize| {
        is(at, 'n')
            && text.get(at + 1).copied().is_some_and(is_apostrophe)
            && is(at + 2, 't')
            && !is_word_at(text, at + 3)
    };
    if ends_here(at) {
        at + 3
    } else if end > at + 1 && ends_here(end - 1) && is_letter(text[end - 2]) {
        end - 1
    } else {
        end
    }
}

/// Letters and digits, beginning with a letter; a full stop between letters does not end a word.
fn word(text: &[char], at: usize) -> Option<usize> {
    if !is_letter(*text.get(at)?) {
        return None;
    }
    let mut end = run(text, at, is_letter_or_digit);
    while text.get(end).is_some_and(|c| matches!(c, '.' | '!' | '?'))
        && text.get(end + 1).copied().is_some_and(is_letter)
    {
        end = run(text, end + 1, is_letter_or_digit);
    }
    Some(apostrophe_word(text, at).map_or(end, |other| other.max(end)))
}

/// Words with an apostrophe inside: c'est, O'Neil, ma'am, d'Ivoire.
fn apostrophe_word(text: &[char], at: usize) -> Option<usize> {
    let apostrophe = run(text, at, is_letter);
    if !text.get(apostrophe).copied().is_some_and(is_apostrophe)
        || apostrophe == at
        || is_redaux_end(text, apostrophe).is_some()
    {
        return None;
    }
    let end = run(text, apostrophe + 1, is_letter);
    let (n_after, last, next) =
        (end - apostrophe - 1, text[apostrophe - 1], text.get(apostrophe + 1).copied());
    let is_initial = apostrophe == at + 1
        && n_after > 1
        && (matches!(last, 'A'..='H' | 'J'..='X' | 'Z' | 'n') || "dol".contains(last));
    let is_between_vowels = "aeiouyAEIOUY".contains(last)
        && (apostrophe > at + 1 || last == 'y')
        && next.is_some_and(|c| "aeiou".contains(c) || c.is_ascii_uppercase());
    (is_initial || is_between_vowels).then_some(end)
}

/// Letters, digits and single hyphens or underscores between them; d', o' and l' may precede.
fn joined(text: &[char], at: usize) -> Option<usize> {
    let mut start = at;
    let has_prefix = text.get(at).is_some_and(|c| "dDoOlL".contains(*c))
        && text.get(at + 1).copied().is_some_and(is_apostrophe)
        && is_redaux_end(text, at + 1).is_none();
    if has_prefix && is_word_at(text, at + 2) {
        start = at + 2;
    }
    let mut end = run(text, start, is_letter_or_digit);
    if end == start {
        return None;
    }
    while text.get(end).is_some_and(|c| matches!(c, '-' | '_')) && is_word_at(text, end + 1) {
        end = run(text, end + 1, is_letter_or_digit);
    }
    Some(end)
}

/// As before with points and commas in the first part, and initials in the others: U.S.-based, ex-U.S.
fn hyphenated(text: &[char], at: usize) -> Option<usize> {
    if !text.get(at)?.is_ascii_alphanumeric() {
        return None;
    }
    let mut end = run(text, at, |c| c.is_ascii_alphanumeric() || c == '.' || c == ',');
    let mut longest = None;
    while text.get(end) == Some(&'-') {
        let next =
            initials(text, end + 1).unwrap_or(end).max(run(text, end + 1, |c| c.is_ascii_alphanumeric()));
        if next <= end + 1 {
            break;
        }
        end = next;
        longest = Some(end);
    }
    longest
}

/// Two or three parts between slashes, each with up to two hyphens before letters.
fn slashed(text: &[char], at: usize) -> Option<usize> {
    let part = |at: usize| {
        let mut end = run(text, at, |c| c.is_ascii_alphanumeric());
        for _ in 0..2 {
            let next = run(text, end + 1, |c| c.is_ascii_alphabetic());
            if end == at || text.get(end) != Some(&'-') || next == end + 1 {
                break;
            }
            end = next;
        }
        (end > at).then_some(end)
    };
    let mut end = part(at)?;
    let mut n_slashes = 0;
    while n_slashes < 2 && text.get(end) == Some(&'/') {
        let Some(next) = part(end + 1) else { break };
        end = next;
        n_slashes += 1;
    }
    (n_slashes > 0).then_some(end)
}

/// Digits with single points, commas and colons among them or before them, and a sign.
fn number(text: &[char], at: usize) -> Option<usize> {
    let start = if matches!(text.get(at)?, '+' | '-') { at + 1 } else { at };
    let mut end = run(text, start, |c| c.is_ascii_digit());
    while text.get(end).is_some_and(|c| matches!(c, '.' | ',' | ':'))
        && text.get(end + 1).is_some_and(char::is_ascii_digit)
    {
        end = run(text, end + 1, |c| c.is_ascii_digit());
    }
    // Digits that go on as a word belong to the word.
    (end > start
        && !(end == run(text, start, |c| c.is_ascii_digit())
            && text.get(end).copied().is_some_and(is_letter)))
    .then_some(end)
}

/// Single letters with points: a.m., U.S., J.; but not a last letter that ends a sentence.
fn initials(text: &[char], at: usize) -> Option<usize> {
    let mut end = at;
    while text.get(end).is_some_and(char::is_ascii_alphabetic) && text.get(end + 1) == Some(&'.') {
        end += 2;
    }
    if end == at {
        return None;
    }
    (end > at + 2 || !sentence_begins(text, end)).then_some(end)
}

/// Whether white space and a word that begins sentences stand at `at`.
fn sentence_begins(text: &[char], at: usize) -> bool {
    let start = run(text, at, char::is_whitespace);
    let word: String = text[start..run(text, start, is_letter_or_digit)].iter().collect();
    let after = text.get(start + word.chars().count());
    start > at
        && word.starts_with(char::is_uppercase)
        && SENTENCE_BEGINNINGS.split_whitespace().any(|beginning| beginning.eq_ignore_ascii_case(&word))
        && after.is_some_and(|c| c.is_whitespace() || matches!(c, '?' | '!'))
}

/// An abbreviation with its point; every word is one where the sentence goes on after the point.
fn abbreviation(text: &[char], at: usize) -> Option<usize> {
    let end = run(text, at, is_letter);
    if end == at || text.get(end) != Some(&'.') {
        return None;
    }
    let word: String = text[at..end].iter().collect();
    let lower = word.to_lowercase();
    let is_in = |list: &str| list.split_whitespace().any(|other| other == lower);
    let is_number_next = || {
        let next = text.get(end + 1).filter(|c| !c.is_whitespace()).or(text.get(end + 2));
        next.is_some_and(char::is_ascii_digit)
    };
    let keeps = is_in(ABBREVIATIONS)
        || text.get(end + 1).is_some_and(|c| matches!(c, ',' | ';' | ':'))
        || (is_in(CAPITAL_ABBREVIATIONS) && word.starts_with(char::is_uppercase))
        || (is_in(BEFORE_NUMBERS) && is_number_next());
    keeps.then_some(end + 1)
}

/// Capitals joined by ampersands: R&B, AT&T; and capitals before a dollar sign.
fn ampersands(text: &[char], at: usize) -> Option<usize> {
    let is_capital = |c: char| c.is_ascii_uppercase();
    let mut end = run(text, at, is_capital);
    if end > at && text.get(end) == Some(&'$') {
        return Some(end + 1);
    }
    let mut longest = None;
    while end > at && text.get(end) == Some(&'&') {
        let next = run(text, end + 1, is_capital);
        if next == end + 1 || text.get(next).copied().is_some_and(is_letter_or_digit) {
            break;
        }
        end = next;
        longest = Some(end);
    }
    longest
}

/// Words without their beginnings: 'em, 'n', '90s.
fn clipped(text: &[char], at: usize) -> Option<usize> {
    if !is_apostrophe(*text.get(at)?) {
        return None;
    }
    let end = run(text, at + 1, is_letter_or_digit);
    let word: String = text[at + 1..end].iter().collect::<String>().to_lowercase();
    let is_decade = word.ends_with("0s") && word.len() == 3;
    let is_year = word.len() == 2
        && word.bytes().all(|byte| byte.is_ascii_digit())
        && text.get(end).is_none_or(|c| c.is_whitespace());
    if word == "n" && text.get(end).copied().is_some_and(is_apostrophe) {
        return Some(end + 1);
    }
    let is_whole =
        CLIPPED.contains(&word.as_str()) || is_decade || is_year || matches!(word.as_str(), "tis" | "twas");
    is_whole.then_some(end)
}

/// #tag and @name.
fn tag(text: &[char], at: usize) -> Option<usize> {
    let is_tag = matches!(text.get(at)?, '#' | '@') && text.get(at + 1).copied().is_some_and(is_letter);
    is_tag.then(|| run(text, at + 1, |c| is_letter_or_digit(c) || c == '_'))
}

/// A word, @ and more without spaces.
fn email(text: &[char], at: usize) -> Option<usize> {
    if !text.get(at)?.is_ascii_alphanumeric() {
        return None;
    }
    let end = run(text, at, |c| c.is_ascii_alphanumeric() || "._%+-".contains(c));
    let host = run(text, end + 1, |c| c.is_ascii_alphanumeric() || c == '.' || c == '-');
    (text.get(end) == Some(&'@') && host > end + 1).then_some(host)
}

/// Where a run of characters of one kind ends.
fn run(text: &[char], at: usize, is: impl Fn(char) -> bool) -> usize {
    let at = at.min(text.len());
    at + text[at..].iter().take_while(|&&c| is(c)).count()
}

fn is_word_at(text: &[char], at: usize) -> bool {
    text.get(at).copied().is_some_and(is_letter_or_digit)
}

fn is_letter_or_digit(c: char) -> bool {
    is_letter(c)
        || c.is_ascii_digit()
        || (c.is_numeric() && !matches!(c, '²' | '³' | '¹' | '\u{bc}'..='\u{be}' | '\u{2150}'..='\u{218b}'))
}

fn is_letter(c: char) -> bool {
    (c.is_alphabetic() && !matches!(c, 'ª' | 'º')) || is_mark(c)
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’')
}
