//! METEOR's own cutting of English text (`Normalizer.java` of METEOR 1.5, option `-norm`), for lower-case text.
//!
//! It runs on text that may have been cut into tokens before: most of it then only splits hyphenated words.

/// Prefixes that keep their point; those in capitals never meet lower-case text.
const ABBREVIATIONS: [&str; 5] = ["v", "vs", "i.e", "rev", "e.g"];
/// The one that keeps it before a number.
const NUMERIC_ABBREVIATION: &str = "pp";

/// Stands for the points of an ellipsis while single points are treated.
const ELLIPSIS_POINT: char = '\u{e000}';

/// The words of a lower-case text.
pub fn normalized_words(text: &str) -> Vec<String> {
    let mut line: Vec<char> = vec![' '];
    for c in text.chars() {
        if is_sign(c) { line.extend([' ', c, ' ']) } else { line.push(c) }
    }
    line.push(' ');
    let line = separate_ellipses(&line);
    let is_digit = |c: char| c.is_ascii_digit();
    let not_digit = |c: char| !c.is_ascii_digit();
    let line = between(&line, not_digit, ',', not_digit, " , ");
    let line = between(&line, is_digit, ',', not_digit, " , ");
    let line = between(&line, not_digit, ',', is_digit, " , ");
    let line = straighten_quotes(&line);
    let line = between(&line, |c| is_letter_or_digit(c) || c == '.', '-', is_letter_or_digit, " ");
    let line = separate_apostrophes(&line);
    let line: String = line.into_iter().collect();
    let words: Vec<&str> = line.split(is_java_space).filter(|word| !word.is_empty()).collect();
    let mut result = String::with_capacity(line.len());
    for (index, word) in words.iter().enumerate() {
        result.push_str(&with_final_point(word, words.get(index + 1).copied()));
        result.push(' ');
    }
    let result = result.replace(ELLIPSIS_POINT, ".");
    result
        .split(|c| is_java_space(c) || is_wide_space(c))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Latin, Cyrillic and phonetic letters, as listed in the program.
fn is_letter(c: char) -> bool {
    matches!(c,
        'a'..='z' | 'A'..='Z' | 'Š' | 'Ž' | 'š' | 'ž' | 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ž'
        | '\u{400}'..='\u{527}' | '\u{a640}'..='\u{a66e}' | '\u{a67e}'..='\u{a697}' | '\u{1d00}'..='\u{1d7f}')
}

fn is_letter_or_digit(c: char) -> bool {
    is_letter(c) || c.is_ascii_digit()
}

/// A character that is a word of its own.
fn is_sign(c: char) -> bool {
    !is_letter_or_digit(c)
        && !matches!(
            c,
            ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | '.' | '\'' | '`' | ',' | '-' | '‘' | '’'
        )
}

fn is_java_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

fn is_wide_space(c: char) -> bool {
    matches!(c, '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{a0}')
}

/// Two or more points in a row are one word.
fn separate_ellipses(line: &[char]) -> Vec<char> {
    let mut result = Vec::with_capacity(line.len());
    let mut at = 0;
    while at < line.len() {
        let n_points = line[at..].iter().take_while(|&&c| c == '.').count();
        if n_points > 1 {
            result.push(' ');
            result.extend(std::iter::repeat_n(ELLIPSIS_POINT, n_points));
            result.push(' ');
        } else {
            result.push(line[at]);
        }
        at += n_points.max(1);
    }
    result
}

/// Replaces `middle` between two characters of given kinds. All three belong to the replaced stretch, so that of
/// neighbouring places only every other one is changed, as where a regular expression replaces.
fn between(
    line: &[char],
    before: impl Fn(char) -> bool,
    middle: char,
    after: impl Fn(char) -> bool,
    replacement: &str,
) -> Vec<char> {
    let mut result = Vec::with_capacity(line.len() + 8);
    let mut at = 0;
    while at < line.len() {
        match line[at..] {
            [a, b, c, ..] if b == middle && before(a) && after(c) => {
                result.push(a);
                result.extend(replacement.chars());
                result.push(c);
                at += 3;
            }
            _ => {
                result.push(line[at]);
                at += 1;
            }
        }
    }
    result
}

/// Curly apostrophes become straight, two in a row a quotation mark; long dashes become hyphens.
fn straighten_quotes(line: &[char]) -> Vec<char> {
    let text: String = line.iter().map(|&c| if matches!(c, '`' | '‘' | '’') { '\'' } else { c }).collect();
    let text = text.replace(['“', '”'], " \" ").replace("''", " \" ").replace('–', "-").replace("--", "-");
    text.chars().collect()
}

/// An apostrophe belongs to the letters behind it if there are letters before it too, else it stands alone.
fn separate_apostrophes(line: &[char]) -> Vec<char> {
    let not_letter = |c: char| !is_letter(c);
    let line = between(line, not_letter, '\'', not_letter, " ' ");
    let line = between(&line, |c| not_letter(c) && !c.is_ascii_digit(), '\'', is_letter, " ' ");
    let line = between(&line, is_letter, '\'', not_letter, " ' ");
    let line = between(&line, is_letter, '\'', is_letter, " '");
    between(&line, |c| c.is_ascii_digit(), '\'', |c| c == 's', " '")
}

/// A word with the point at its end kept, dropped or cut off.
fn with_final_point(word: &str, next: Option<&str>) -> String {
    let Some(before) = word.strip_suffix('.').filter(|before| !before.is_empty()) else {
        return word.to_owned();
    };
    let next_is =
        |kind: fn(&char) -> bool| next.and_then(|next| next.chars().next()).as_ref().is_some_and(kind);
    if before.contains('.') && before.contains(is_letter) {
        word.replace('.', "")
    } else if ABBREVIATIONS.contains(&before)
        || next_is(char::is_ascii_lowercase)
        || (before == NUMERIC_ABBREVIATION && next_is(char::is_ascii_digit))
    {
        word.to_owned()
    } else {
        format!("{before} .")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_reference_normalizer() {
        // Lines and their words from the normalizer inside meteor-1.5.jar.
        let cases = [
            (
                "a kid-friendly bar, isn't it?  £20-25 ... well..ok",
                "a kid friendly bar , isn 't it ? £ 20 25 ... well .. ok",
            ),
            (
                "dr. ågren e.g. moved vs. the u.s. team. the end.",
                "dr . ågren eg moved vs. the us team. the end .",
            ),
            (
                "it’s 3,000 or 3,x x,3 ,x, 'quoted' 90's dogs' rock 'n' roll",
                "it 's 3,000 or 3 , x x , 3 , x, ' quoted ' 90 's dogs ' rock ' n ' roll",
            ),
            ("a-b-c d--e f–g “h” ''i'' pp. 5 pp. x", "a b-c d e f - g \" h \" \" i \" pp. 5 pp. x"),
            ("日本 ğ ñ ǎ x\u{a0}y.z z. 5.", "日 本 ğ ñ ǎ x y.z z . 5 ."),
            ("... .. . a. b", "... .. . a. b"),
        ];
        for (text, expected) in cases {
            assert_eq!(normalized_words(text).join(" "), expected, "{text}");
        }
    }
}
