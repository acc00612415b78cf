//! Penn-Treebank words as the COCO and E2E scorers see them: the tokens of Stanford's PTBTokenizer 3.4.1 in lower case,
//! without punctuation.
//!
//! The tokenizer is a grammar of a few hundred rules, most of them for news text. Here are those that decide in short
//! English texts: contractions, hyphens, abbreviations, numbers, currencies, brackets and dashes. Nothing is said
//! about smileys, telephone numbers, mark-up or addresses of pages.

/// Tokens the scorers leave out. Brackets are left out in capitals only, and so stay.
const LEFT_OUT: [&str; 13] = ["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"];

/// Abbreviations that keep their point.
const ABBREVIATIONS: &str = "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri \
    ala ariz az ark calif colo conn ct dak del fla ga ill ind kan kans ky mass md mich minn miss mo mont neb nev okla \
    ore pa penn tenn tex va vt wash wis wisc wyo inc co cos corp pp ppts ltd plc bancorp bhd assn univ intl sys tel \
    est ext sq jr sr bros esq etc al seq mr mrs ms dr drs prof profs sen sens rep reps attys atty lt col gen messrs \
    gov govs adm rev maj sgt cpl pvt capt st ste ave pres lieut hon brig comdr codr pfc spc supt supts det mt ft adj \
    adv asst assoc ens insp mlle mme msgr sfc invt elec natl mfg mtg dept blvd rd bldg viz vs v wm jos cie";

/// Abbreviations that keep their point before a number.
const BEFORE_NUMBERS: [&str; 21] = [
    "ca", "ch", "chs", "fig", "figs", "prop", "no", "nos", "nr", "nrs", "vol", "vols", "sec", "secs", "sect", "art",
    "arts", "para", "paras", "p", "pp",
];

/// Words that are two tokens, and where they are cut.
const ASSIMILATIONS: [(&str, usize); 7] =
    [("cannot", 3), ("gonna", 3), ("gotta", 3), ("lemme", 3), ("gimme", 3), ("wanna", 3), ("'tis", 2)];

/// Endings that are tokens of their own.
const CONTRACTIONS: [&str; 6] = ["s", "m", "d", "re", "ve", "ll"];

/// The words of a text.
pub fn words_without_punctuation(text: &str) -> Vec<String> {
    let mut words = tokens(text);
    words.retain(|word| !LEFT_OUT.contains(&word.as_str()));
    words
}

/// The tokens of a text, in lower case.
fn tokens(text: &str) -> Vec<String> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let mut lexer = Lexer { text: &text, at: 0, tokens: Vec::new() };
    while lexer.at < text.len() {
        lexer.next();
    }
    lexer.tokens
}

struct Lexer<'a> {
    text: &'a [char],
    at: usize,
    tokens: Vec<String>,
}

impl Lexer<'_> {
    /// Reads one token, or passes over white space.
    fn next(&mut self) {
        let c = self.text[self.at];
        if c.is_whitespace() {
            self.at += 1;
        } else if is_word(c) || self.number_begins() {
            self.word();
        } else {
            self.sign(c);
        }
    }

    fn peek(&self, at: usize) -> Option<char> {
        self.text.get(at).copied()
    }

    fn push(&mut self, end: usize) {
        let token: String = self.text[self.at..end].iter().map(|&c| if is_apostrophe(c) { '\'' } else { c }).collect();
        self.tokens.push(token);
        self.at = end;
    }

    fn push_as(&mut self, token: &str, end: usize) {
        self.tokens.push(token.to_owned());
        self.at = end;
    }

    fn number_begins(&self) -> bool {
        false
    }

    fn word(&mut self) {
        let mut end = self.at;
        while self.peek(end).is_some_and(is_word) { end += 1; }
        self.push(end);
    }

    fn sign(&mut self, c: char) {
        match c {
            '£' => self.push_as("#", self.at + 1),
            '€' | '¤' => self.push_as("$", self.at + 1),
            '(' => self.push_as("-lrb-", self.at + 1),
            ')' => self.push_as("-rrb-", self.at + 1),
            _ => self.push(self.at + 1),
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’')
}
