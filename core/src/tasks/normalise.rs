//! What happens to generated text before it is scored, as in the reference scripts of the LoRA recipe (Hu et al. 2022).

use super::Task;
use crate::metrics::nlg::tokenize::plain_words;

/// Marks the end of a text in what a decoder writes.
const END_OF_TEXT: &str = "<|endoftext|>";

/// The hypothesis in what a decoder wrote: up to its end mark or a blank line, without space around it.
#[must_use]
pub fn hypothesis(decoded: &str) -> &str {
    let decoded = decoded.split(END_OF_TEXT).next().unwrap_or("");
    decoded.split("\n\n").next().unwrap_or("").trim()
}

/// A text as the task's metrics read it. E2E's are read as they stand; those of WebNLG and DART in small letters, with
/// a space around every character that is part of no word.
#[must_use]
pub fn for_scoring(task: Task, text: &str) -> String {
    match task {
        Task::Webnlg | Task::Dart => plain_words(text).join(" "),
        _ => text.trim().to_owned(),
    }
}

/// References as files hold them that want `n` of every context: missing ones are filled with the first.
#[must_use]
pub fn filled(references: &[String], n: usize) -> Vec<String> {
    let first = references.first().cloned().unwrap_or_default();
    let mut filled: Vec<String> = references.iter().take(n).cloned().collect();
    filled.resize(n, first);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hypothesis_ends_at_its_mark_or_a_blank_line() {
        assert_eq!(hypothesis(" The Mill is a pub .<|endoftext|> The"), "The Mill is a pub .");
        assert_eq!(hypothesis(" The Mill\nis a pub .\n\nThe"), "The Mill\nis a pub .");
        assert_eq!(hypothesis("<|endoftext|>"), "");
    }

    #[test]
    fn triples_are_scored_in_small_letters_and_split_words() {
        let text = "The A.C. Cesena's 23,900-seat ground (Stadio_Dino), naïve £5.";
        let split = "the a . c . cesena ' s 23 , 900 - seat ground ( stadio_dino ) , naïve £ 5 .";
        assert_eq!(for_scoring(Task::Webnlg, text), split);
        assert_eq!(for_scoring(Task::Dart, text), split);
        // As Python's \W: signs of vowels stand alone.
        assert_eq!(for_scoring(Task::Dart, "हिन्दी"), "ह ि न ् द ी");
        assert_eq!(for_scoring(Task::E2e, " The Mill is cheap . "), "The Mill is cheap .");
    }

    #[test]
    fn missing_references_are_filled_with_the_first() {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(filled(&texts(&["a", "b"]), 4), ["a", "b", "a", "a"]);
        assert_eq!(filled(&texts(&["a", "b", "c"]), 2), ["a", "b"]);
    }
}
