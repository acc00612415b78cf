//! Penn-Treebank words as the COCO and E2E scorers see them: the tokens of Stanford's PTBTokenizer 3.4.1 in lower case,
//! without punctuation.
//!
//! That tokenizer is a grammar of some hundred rules, of which the longest match wins. `rules.rs` has those that decide
//! in short English texts: contractions, hyphens, abbreviations, numbers, currencies, brackets and dashes. Nothing is
//! known about smileys, telephone numbers, mark-up and addresses of pages. On the 70,000 reference texts of the E2E,
//! WebNLG and DART development data the words are the same but for a handful of lines.

mod rules;

use rules::{is_redaux_end, longest_rule};

/// Tokens the scorers leave out. They look for brackets in capitals, which lower-case text does not have.
const LEFT_OUT: [&str; 13] = ["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"];

/// Characters of the next line that are looked at, more than the longest word that matters.
const MAX_LOOK_AHEAD: usize = 32;

/// The words of every line of a file. Whether a point after a single letter ends a sentence may depend on the first word
/// of the next line.
pub fn words_of_lines(lines: &[&str]) -> Vec<Vec<String>> {
    let next = lines.iter().skip(1).map(Some).chain([None]);
    lines.iter().zip(next).map(|(line, next)| words(line, next.copied().unwrap_or_default())).collect()
}

/// The words of a line without punctuation.
fn words(line: &str, next: &str) -> Vec<String> {
    let mut words = tokens(line, next);
    words.retain(|word| !LEFT_OUT.contains(&word.as_str()));
    words
}

/// The tokens of a line, in lower case.
fn tokens(line: &str, next: &str) -> Vec<String> {
    let mut text: Vec<char> = line.chars().collect();
    let n_line = text.len();
    text.push('\n');
    text.extend(next.chars().take(MAX_LOOK_AHEAD));
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < n_line {
        let end = token_end(&text, at);
        if !text[at].is_whitespace() {
            tokens.extend(normalized(&text[at..end]));
        }
        at = end;
    }
    tokens
}

/// Where the token at `at` ends, after it in any case.
fn token_end(text: &[char], at: usize) -> usize {
    if let Some(end) = longest_rule(text, at) {
        return end;
    }
    let c = text[at];
    let n_same = text[at..].iter().take_while(|&&other| other == c).count();
    match c {
        // Dashes and points in a row are one token.
        '-' | '_' | '@' => at + n_same,
        '.' if n_same > 2 => at + n_same,
        '?' | '!' => at + text[at..].iter().take_while(|c| matches!(c, '?' | '!')).count(),
        '&' if text[at..].starts_with(&['&', 'a', 'm', 'p', ';']) => at + 5,
        '\'' | '’' if is_redaux_end(text, at).is_some() => is_redaux_end(text, at).unwrap_or(at + 1),
        _ => at + 1,
    }
}

/// A token in lower case, and in the spelling of the Penn Treebank; none for characters the tokenizer deletes.
fn normalized(token: &[char]) -> Option<String> {
    let replacement = match token {
        ['£'] => "#",
        ['€' | '¤'] => "$",
        ['¢'] => "cents",
        ['('] => "-lrb-",
        [')'] => "-rrb-",
        ['['] => "-lsb-",
        [']'] => "-rsb-",
        ['{'] => "-lcb-",
        ['}'] => "-rcb-",
        ['"' | '“' | '”' | '„' | '«' | '»'] => "''",
        ['\'' | '‘' | '’' | '‚' | '‛' | '‹' | '›'] => "'",
        ['…'] => "...",
        ['.', '.', '.', ..] => "...",
        ['&', 'a', ..] => "&",
        ['–' | '—' | '―'] | ['-', '-', ..] => "--",
        ['½'] => "1/2",
        ['¼'] => "1/4",
        ['¾'] => "3/4",
        ['⅓'] => "1/3",
        ['⅔'] => "2/3",
        ['\u{20a0}'..='\u{20cf}'] if !matches!(token, ['\u{20a0}' | '\u{20a4}']) => return None,
        [sign] if *sign >= '\u{2c00}' && !sign.is_alphanumeric() && !is_cjk_or_wide_sign(*sign) => {
            return None;
        }
        _ => {
            let text: String = token.iter().map(|&c| if c == '’' { '\'' } else { c }).collect();
            return Some(text.to_lowercase());
        }
    };
    Some(replacement.to_owned())
}

fn is_cjk_or_wide_sign(c: char) -> bool {
    matches!(c, '\u{3001}'..='\u{3020}' | '\u{30fb}' | '\u{ff01}'..='\u{ff65}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(tokens(text, "").join(" "), expected, "{text}");
    }

    // What PTBTokenizer 3.4.1 prints for these lines with -lowerCase; the kinds of quotation marks, which nobody
    // counts, are not told apart here.

    #[test]
    fn contractions() {
        check("It's John's, isn't it?", "it 's john 's , is n't it ?");
        check(
            "they'd've can't cannot gonna 'tis dogs' 5-star's",
            "they 'd 've ca n't can not gon na 't is dogs ' 5-star 's",
        );
        check(
            "O'Reilly's o'clock d'Ivoire ma'am y'all rock 'n' roll '90s",
            "o'reilly 's o'clock d'ivoire ma'am y'all rock 'n' roll '90s",
        );
        check("it’s 3D’s", "it 's 3d 's");
    }

    #[test]
    fn points_and_abbreviations() {
        check("food.It is 5.It", "food.it is 5 . it");
        check("Mr. Smith at 3 p.m. in St. Mary. Sun. it", "mr. smith at 3 p.m. in st. mary . sun . it");
        check("no. 5, no. It; the Pa. or pa. law", "no. 5 , no . it ; the pa. or pa . law");
        check("Plan B. It is; plan B. is; the U.S. The", "plan b . it is ; plan b. is ; the u.s. the");
        assert_eq!(
            words_of_lines(&["Serie A.", "The club", "Serie B."]).concat().join(" "),
            "serie a the club serie b."
        );
        check("Math., Pol.; center.", "math. , pol. ; center .");
        check("hello... a...b wow!!", "hello ... a. . . b wow !!");
    }

    #[test]
    fn numbers_and_currencies() {
        check(
            "£20-25, $1,000.50 US$5 20p 5.5pm +5 -5 x-1,000",
            "# 20-25 , $ 1,000.50 us$ 5 20p 5.5 pm +5 -5 x-1 ,000",
        );
        check(
            "1/2 10/10/2010 24/7 and/or 1/2/3/4 5:30 50% 3½",
            "1/2 10/10/2010 24/7 and/or 1/2/3 / 4 5:30 50 % 3 1/2",
        );
        check("y,5 5,y .5 5.-6 -5-6", "y ,5 5 , y .5 5.-6 -5 -6");
    }

    #[test]
    fn hyphens_dashes_and_signs() {
        check("kid-friendly- -x a--b a—b 1990–1999", "kid-friendly - - x a -- b a -- b 1990 -- 1999");
        check("Cotto,family-friendly high-class,low-cost", "cotto,family-friendly high-class , low-cost");
        check(
            "AT&T R&B bar&cafe (a) [b] {c} #tag @home #1",
            "at&t r&b bar & cafe -lrb- a -rrb- -lsb- b -rsb- -lcb- c -rcb- #tag @home # 1",
        );
        check("Café-bar naïve x_y x__y ₹5 5¢", "café-bar naïve x_y x __ y 5 5 cents");
    }

    #[test]
    fn words_stay_and_punctuation_goes() {
        assert_eq!(
            words("The '(cheap)' pub - it's £5!", ""),
            ["the", "-lrb-", "cheap", "-rrb-", "pub", "it", "'s", "#", "5"]
        );
        assert!(words(" . ", "").is_empty());
    }
}
