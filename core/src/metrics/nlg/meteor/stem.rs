//! The English stemmer of METEOR 1.5: Porter's second stemmer ("Porter2", Snowball's `english`) as of 2010. Later
//! versions of Snowball have more exceptions and give other stems for a few words.

/// The stem of a lower-case word. Words of one or two characters are their own stems.
pub fn stem(word: &str) -> String {
    if let Some((_, stem)) = EXCEPTIONS.iter().find(|(exception, _)| *exception == word) {
        return (*stem).to_owned();
    }
    if word.chars().nth(2).is_none() {
        return word.to_owned();
    }
    let mut word = Word::new(word);
    word.possessive();
    word.plural();
    if !UNCHANGED_AFTER_PLURAL.contains(&word.text().as_str()) {
        word.past_and_gerund();
        word.final_y();
        word.step_2();
        word.step_3();
        word.step_4();
        word.final_e_or_l();
    }
    // Consonants stand as capitals in between.
    word.text().replace('Y', "y")
}

/// Words with a stem of their own.
const EXCEPTIONS: [(&str, &str); 18] = [
    ("skis", "ski"),
    ("skies", "sky"),
    ("dying", "die"),
    ("lying", "lie"),
    ("tying", "tie"),
    ("idly", "idl"),
    ("gently", "gentl"),
    ("ugly", "ugli"),
    ("early", "earli"),
    ("only", "onli"),
    ("singly", "singl"),
    ("sky", "sky"),
    ("news", "news"),
    ("howe", "howe"),
    ("atlas", "atlas"),
    ("cosmos", "cosmos"),
    ("bias", "bias"),
    ("andes", "andes"),
];

/// Words that only lose their plural.
const UNCHANGED_AFTER_PLURAL: [&str; 8] =
    ["inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed"];

/// Beginnings after which the first region starts, against the rule.
const REGION_PREFIXES: [&str; 3] = ["gener", "commun", "arsen"];

/// Step 2: what becomes of a suffix in the first region.
const STEP_2: [(&str, &str); 22] = [
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("abli", "able"),
    ("entli", "ent"),
    ("izer", "ize"),
    ("ization", "ize"),
    ("ational", "ate"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("aliti", "al"),
    ("alli", "al"),
    ("fulness", "ful"),
    ("ousli", "ous"),
    ("ousness", "ous"),
    ("iveness", "ive"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("bli", "ble"),
    ("fulli", "ful"),
    ("lessli", "less"),
];

/// Step 3, likewise.
const STEP_3: [(&str, &str); 8] = [
    ("tional", "tion"),
    ("ational", "ate"),
    ("alize", "al"),
    ("icate", "ic"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
];

/// Step 4: suffixes that are dropped in the second region.
const STEP_4: [&str; 17] = [
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ism", "ate", "iti",
    "ous", "ive", "ize",
];

/// A word while it is cut.
struct Word {
    letters: Vec<char>,
    /// Where the first region begins: after the first consonant that follows a vowel.
    region_1: usize,
    /// Where the second begins: the same again inside the first.
    region_2: usize,
}

impl Word {
    fn new(word: &str) -> Self {
        let mut letters: Vec<char> = word.strip_prefix('\'').unwrap_or(word).chars().collect();
        for i in 0..letters.len() {
            if letters[i] == 'y' && (i == 0 || is_vowel(letters[i - 1])) {
                letters[i] = 'Y';
            }
        }
        let text: String = letters.iter().collect();
        let prefix = REGION_PREFIXES.iter().find(|prefix| text.starts_with(**prefix));
        let region_1 = prefix.map_or_else(|| region_after(&letters, 0), |prefix| prefix.len());
        let region_2 = region_after(&letters, region_1);
        Self { letters, region_1, region_2 }
    }

    fn text(&self) -> String {
        self.letters.iter().collect()
    }

    fn ends_with(&self, suffix: &str) -> bool {
        suffix.len() <= self.letters.len()
            && self.letters[self.before(suffix)..].iter().copied().eq(suffix.chars())
    }

    /// The longest of these suffixes that the word has.
    fn suffix<'a>(&self, suffixes: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        suffixes.into_iter().filter(|suffix| self.ends_with(suffix)).max_by_key(|suffix| suffix.len())
    }

    /// Number of letters before a suffix, which has only ASCII letters.
    fn before(&self, suffix: &str) -> usize {
        self.letters.len() - suffix.len()
    }

    fn replace(&mut self, suffix: &str, with: &str) {
        self.letters.truncate(self.before(suffix));
        self.letters.extend(with.chars());
    }

    fn has_vowel_before(&self, end: usize) -> bool {
        self.letters[..end].iter().any(|&letter| is_vowel(letter))
    }

    fn possessive(&mut self) {
        if let Some(suffix) = self.suffix(["'", "'s", "'s'"]) {
            self.replace(suffix, "");
        }
    }

    fn plural(&mut self) {
        let Some(suffix) = self.suffix(["sses", "ied", "ies", "s", "us", "ss"]) else { return };
        let before = self.before(suffix);
        match suffix {
            "sses" => self.replace(suffix, "ss"),
            "ied" | "ies" => self.replace(suffix, if before > 1 { "i" } else { "ie" }),
            "s" if before > 0 && self.has_vowel_before(before - 1) => self.replace(suffix, ""),
            _ => {}
        }
    }

    fn past_and_gerund(&mut self) {
        let Some(suffix) = self.suffix(["eed", "eedly", "ed", "edly", "ing", "ingly"]) else { return };
        let before = self.before(suffix);
        if suffix.starts_with("eed") {
            if before >= self.region_1 {
                self.replace(suffix, "ee");
            }
        } else if self.has_vowel_before(before) {
            self.replace(suffix, "");
            if self.suffix(["at", "bl", "iz"]).is_some() {
                self.letters.push('e');
            } else if self.suffix(["bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt"]).is_some() {
                self.letters.pop();
            } else if self.letters.len() == self.region_1 && self.ends_in_short_syllable(self.letters.len()) {
                self.letters.push('e');
            }
        }
    }

    fn final_y(&mut self) {
        let n = self.letters.len();
        if n > 2 && matches!(self.letters[n - 1], 'y' | 'Y') && !is_vowel(self.letters[n - 2]) {
            self.letters[n - 1] = 'i';
        }
    }

    fn step_2(&mut self) {
        let simple = STEP_2.iter().map(|(suffix, _)| *suffix);
        let Some(suffix) = self.suffix(simple.chain(["ogi", "li"])) else { return };
        let before = self.before(suffix);
        if before < self.region_1 {
            return;
        }
        let last = before.checked_sub(1).map(|i| self.letters[i]);
        match suffix {
            "ogi" if last == Some('l') => self.replace(suffix, "og"),
            "li" if last.is_some_and(|last| "cdeghkmnrt".contains(last)) => self.replace(suffix, ""),
            _ => self.replace_by(suffix, &STEP_2),
        }
    }

    fn step_3(&mut self) {
        let simple = STEP_3.iter().map(|(suffix, _)| *suffix);
        let Some(suffix) = self.suffix(simple.chain(["ative"])) else { return };
        let before = self.before(suffix);
        if suffix == "ative" && before >= self.region_2.max(self.region_1) {
            self.replace(suffix, "");
        } else if before >= self.region_1 {
            self.replace_by(suffix, &STEP_3);
        }
    }

    fn step_4(&mut self) {
        let Some(suffix) = self.suffix(STEP_4.into_iter().chain(["ion"])) else { return };
        let before = self.before(suffix);
        let last = before.checked_sub(1).map(|i| self.letters[i]);
        if before >= self.region_2 && (suffix != "ion" || matches!(last, Some('s' | 't'))) {
            self.replace(suffix, "");
        }
    }

    fn final_e_or_l(&mut self) {
        let Some(&last) = self.letters.last() else { return };
        let before = self.letters.len() - 1;
        let in_region_2 = before >= self.region_2;
        let drops = match last {
            'e' => in_region_2 || (before >= self.region_1 && !self.ends_in_short_syllable(before)),
            'l' => in_region_2 && before > 0 && self.letters[before - 1] == 'l',
            _ => false,
        };
        if drops {
            self.letters.pop();
        }
    }

    fn replace_by(&mut self, suffix: &str, table: &[(&str, &str)]) {
        if let Some((_, with)) = table.iter().find(|(from, _)| *from == suffix) {
            self.replace(suffix, with);
        }
    }

    /// Whether the first `end` letters end in consonant, vowel, consonant other than w, x, Y; or are vowel, consonant.
    fn ends_in_short_syllable(&self, end: usize) -> bool {
        match &self.letters[..end] {
            [.., a, b, c] if !is_vowel(*c) && !"wxY".contains(*c) && is_vowel(*b) && !is_vowel(*a) => true,
            [a, b] => is_vowel(*a) && !is_vowel(*b),
            _ => false,
        }
    }
}

fn is_vowel(letter: char) -> bool {
    "aeiouy".contains(letter)
}

/// The position after the first consonant that follows a vowel from `start` on, or the end.
fn region_after(letters: &[char], start: usize) -> usize {
    let vowel = letters[start..].iter().position(|&letter| is_vowel(letter)).map(|i| start + i + 1);
    let consonant = vowel.and_then(|start| {
        letters[start..].iter().position(|&letter| !is_vowel(letter)).map(|i| start + i + 1)
    });
    consonant.unwrap_or(letters.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_of_the_reference_stemmer() {
        // Stemmed with the stemmer inside meteor-1.5.jar.
        let pairs = "caresses:caress ponies:poni ties:tie cats:cat gas:gas agreed:agre feed:feed bleed:bleed \
            plastered:plaster motoring:motor sing:sing conflated:conflat troubled:troubl sized:size \
            hopping:hop falling:fall hoping:hope filing:file failing:fail happy:happi sky:sky cry:cri \
            say:say enjoying:enjoy relational:relat conditional:condit valenci:valenc digitizer:digit \
            operator:oper feudalism:feudal decisiveness:decis hopefulness:hope formality:formal \
            sensitivity:sensit sensibility:sensibl apology:apolog happily:happili usefully:use \
            triplicate:triplic formative:format formalize:formal electrical:electr hopeful:hope \
            goodness:good revival:reviv allowance:allow inference:infer adjustable:adjust defensible:defens \
            irritant:irrit replacement:replac adjustment:adjust dependent:depend adoption:adopt \
            communism:communism activate:activ angulariti:angular homologous:homolog effective:effect \
            bowdlerize:bowdler probate:probat rate:rate controll:control generously:generous \
            communities:communiti arsenal:arsenal dying:die early:earli news:news skies:sky inning:inning \
            exceeding:exceed proceeds:proceed o'reilly:o'reilli 's:'s boys':boy yearly:year youth:youth \
            royalty:royalti biology:biolog";
        for pair in pairs.split_whitespace() {
            let (word, expected) = pair.split_once(':').expect("every pair has a colon");
            assert_eq!(stem(word), expected, "{word}");
        }
    }

    #[test]
    fn odd_words_do_not_panic() {
        for word in ["", "'", "''s", "éing", "yyy", "'s'", "ing", "eed", "日本語", "ñs"] {
            let _ = stem(word);
        }
    }
}
