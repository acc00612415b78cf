//! Words as the scoring programs cut them: NIST's mteval-13a tokens, and the plain form of the WebNLG and DART
//! evaluation.

use super::marks::is_mark;

/// What Python calls white space: Unicode's, and the four separators of ASCII.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The words of a text as mteval-13a cuts them (`mteval-v13a.pl` of NIST; `multi-bleu-detok.perl` of Moses and
/// sacrebleu's `13a` repeat its rules): punctuation stands alone, but a point or comma between digits does not, and
/// neither does a hyphen unless a digit comes before it. Case is kept.
pub fn mteval_13a(text: &str) -> Vec<String> {
    let text = text.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    let text = text.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    let mut spaced = vec![' '];
    for c in text.chars() {
        if is_always_apart(c) { spaced.extend([' ', c, ' ']) } else { spaced.push(c) }
    }
    spaced.push(' ');
    let is_stop = |c: char| c == '.' || c == ',';
    let not_digit = |c: char| !c.is_ascii_digit();
    let spaced = replace_pairs(&spaced, not_digit, is_stop, |a, b| vec![a, ' ', b, ' ']);
    let spaced = replace_pairs(&spaced, is_stop, not_digit, |a, b| vec![' ', a, ' ', b]);
    let spaced = replace_pairs(&spaced, |c| c.is_ascii_digit(), |c| c == '-', |a, b| vec![a, ' ', b, ' ']);
    words(&spaced.into_iter().collect::<String>())
}

/// The words between white space.
pub fn words(text: &str) -> Vec<String> {
    text.split(is_space).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The words of a text in the form the WebNLG and DART scores of the low-rank adaptation papers are computed on:
/// lower case, every character that is neither letter, digit nor underscore a word of its own.
pub fn plain_words(text: &str) -> Vec<String> {
    let mut spaced = String::with_capacity(text.len() * 2);
    for c in text.to_lowercase().chars() {
        if (c.is_alphanumeric() && !is_mark(c)) || c == '_' {
            spaced.push(c);
        } else {
            spaced.extend([' ', c, ' ']);
        }
    }
    words(&spaced)
}

/// ASCII punctuation except `.`, `,`, `-` and the apostrophe.
fn is_always_apart(c: char) -> bool {
    c.is_ascii_punctuation() && !matches!(c, '.' | ',' | '-' | '\'')
}

/// Rewrites every pair of neighbours of two kinds, from left to right; a character belongs to one pair at most, as
/// where a regular expression replaces.
fn replace_pairs(
    text: &[char],
    first: impl Fn(char) -> bool,
    second: impl Fn(char) -> bool,
    rewrite: impl Fn(char, char) -> Vec<char>,
) -> Vec<char> {
    let mut result = Vec::with_capacity(text.len() * 2);
    let mut at = 0;
    while at < text.len() {
        match text.get(at + 1) {
            Some(&next) if first(text[at]) && second(next) => {
                result.extend(rewrite(text[at], next));
                at += 2;
            }
            _ => {
                result.push(text[at]);
                at += 1;
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_points_and_sentences_do_not() {
        let tokens = mteval_13a("It's 3.5, not 3,000: see (a-b) 20-25 &amp; more.");
        let expected = "It's 3.5 , not 3,000 : see ( a-b ) 20 - 25 & more .";
        assert_eq!(tokens.join(" "), expected);
        assert!(mteval_13a("  \n").is_empty());
    }

    #[test]
    fn pairs_do_not_overlap() {
        // The second point is part of the first pair; a point before the end is followed by the closing space.
        assert_eq!(mteval_13a("well...").join(" "), "well . . .");
        assert_eq!(mteval_13a("a,,b").join(" "), "a , , b");
    }

    #[test]
    fn plain_words_are_letters_digits_and_single_signs() {
        assert_eq!(plain_words("Café-Bar, n_1: 3.5!").join(" "), "café - bar , n_1 : 3 . 5 !");
        // Vowel signs are signs.
        assert_eq!(plain_words("கிழமை").join(" "), "க ி ழம ை");
    }
}
