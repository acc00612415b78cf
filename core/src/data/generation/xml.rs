//! The XML of the WebNLG challenge: entries with triples and lexicalisations. Read by a scanner of tags, because the
//! form is small and fixed: no namespaces, no declarations, no nesting of the tags read here.

use super::super::error::{DataProblem, Problems, quoted};
use super::objects::is_seen;
use super::{Pair, Pairs};

/// Reads every `<entry>`: its `<mtriple>`s are the meaning, its `<lex comment="good">`s the texts.
pub(super) fn read(text: &str, mut pairs: Pairs, problems: &mut Problems) -> Pairs {
    let mut n_entries = 0;
    for entry in elements(text, "entry") {
        n_entries += 1;
        let line = 1 + text[..entry.start].matches('\n').count();
        read_entry(line, &entry, &mut pairs, problems);
    }
    if n_entries == 0 {
        let advice = "give a file of the WebNLG challenge";
        problems.push(DataProblem::of_file("XML without <entry>", "<entry category=…> elements", advice));
    }
    pairs
}

fn read_entry(line: usize, entry: &Element<'_>, pairs: &mut Pairs, problems: &mut Problems) {
    let Some(category) = entry.attribute("category") else {
        let problem =
            DataProblem::of_file("an entry without category", "<entry category=…>", "mend the entry");
        problems.push(problem.at_line(line));
        return;
    };
    let mut triples = Vec::new();
    for triple in elements(entry.content, "mtriple") {
        let parts: Vec<String> = triple.content.split('|').map(|part| unescaped(part.trim())).collect();
        if parts.len() != 3 {
            let found = quoted(triple.content);
            let problem = DataProblem::of_file(found, "subject | property | object", "mend the triple");
            problems.push(problem.at_line(line));
            return;
        }
        triples.push(parts.join(" : "));
    }
    if triples.is_empty() {
        let problem =
            DataProblem::of_file("an entry without triples", "<mtriple> elements", "mend the entry");
        problems.push(problem.at_line(line));
        return;
    }
    if pairs.contexts_only {
        let (context, seen) = (triples.join(" | "), Some(is_seen(&category)));
        pairs.push(line, Pair { context, completion: String::new(), seen }, problems);
        return;
    }
    let is_good = |text: &Element<'_>| text.attribute("comment").is_none_or(|comment| comment == "good");
    let mut n_texts = 0;
    for text in elements(entry.content, "lex").filter(is_good) {
        let completion = unescaped(text.content.trim());
        let pair = Pair { context: triples.join(" | "), completion, seen: Some(is_seen(&category)) };
        pairs.push(line, pair, problems);
        n_texts += 1;
    }
    pairs.n_without_text += usize::from(n_texts == 0);
}

/// An element: where it starts, its attributes as written, and what stands in it.
struct Element<'a> {
    start: usize,
    attributes: &'a str,
    content: &'a str,
}

impl Element<'_> {
    /// The value of an attribute, in either kind of quotes.
    fn attribute(&self, name: &str) -> Option<String> {
        let mut rest = self.attributes;
        while let Some((before, after)) = rest.split_once('=') {
            let quote = after.trim_start().chars().next().filter(|c| *c == '"' || *c == '\'')?;
            let (_, value) = after.split_once(quote)?;
            let (value, after) = value.split_once(quote)?;
            if before.trim() == name {
                return Some(unescaped(value));
            }
            rest = after;
        }
        None
    }
}

/// All elements of one tag, in order; a tag that is never closed ends the search.
fn elements<'a>(text: &'a str, tag: &'static str) -> impl Iterator<Item = Element<'a>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + text[at..].find(&format!("<{tag}"))?;
            let inside = start + 1 + tag.len();
            // A longer name begins the same: <lexicalisation> is no <lex>.
            if !text[inside..].starts_with(|c: char| c.is_whitespace() || c == '>' || c == '/') {
                at = inside;
                continue;
            }
            let end = inside + text[inside..].find('>')?;
            let attributes = &text[inside..end];
            if attributes.ends_with('/') {
                at = end + 1;
                continue;
            }
            let close = format!("</{tag}>");
            let content_end = end + 1 + text[end + 1..].find(&close)?;
            at = content_end + close.len();
            return Some(Element { start, attributes, content: &text[end + 1..content_end] });
        }
    })
}

/// The text with its entities replaced; what is no entity stays.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        match after.split_once(';').and_then(|(name, after)| Some((entity(name)?, after))) {
            Some((character, after)) => {
                plain.push(character);
                rest = after;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain + rest
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_replaced_and_other_ampersands_stay() {
        assert_eq!(
            unescaped("A &amp; B &lt;&#233;&#xe9;&quot; R&D &unknown; &"),
            "A & B <éé\" R&D &unknown; &"
        );
    }

    #[test]
    fn elements_are_found_by_their_whole_name() {
        let text = "<a><lexicon>x</lexicon><lex comment=\"good\" lid='Id1'>y</lex><lex/><lex>z</lex></a>";
        let found: Vec<_> = elements(text, "lex").map(|e| (e.content, e.attribute("lid"))).collect();
        assert_eq!(found, [("y", Some("Id1".to_owned())), ("z", None)]);
        assert_eq!(elements("<lex>never closed", "lex").count(), 0);
    }
}
