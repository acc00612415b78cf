//! What a decoder goes on from, and where its text ends: a text for a context, or plain text that goes on.

use crate::config::TaskType;
use crate::data::causal::{self, CausalError};
use crate::tasks::normalise::hypothesis;
use crate::tokenizer::Tokenizer;

/// What a prompt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextForm {
    /// A context, as in pairs: its text stands behind a separator and is one paragraph.
    ForContext,
    /// The beginning of a plain text, which goes on: as texts are learned, with their mark before them.
    GoingOn,
    /// The same for a decoder as it came: no mark before it, as in transformers. Nothing at all becomes the mark.
    AsItIs,
}

impl TextForm {
    /// The form in which a task writes; `None` if it writes no text.
    #[must_use]
    pub fn of(task_type: TaskType) -> Option<Self> {
        match task_type {
            TaskType::Generation => Some(Self::ForContext),
            TaskType::LanguageModeling => Some(Self::GoingOn),
            TaskType::Auto | TaskType::Classification | TaskType::Regression => None,
        }
    }

    /// What the decoder is given: as in training `context SEP` or `SEP beginning`, or the beginning alone.
    ///
    /// # Errors
    /// If the tokenizer has no separator or refuses the text.
    pub fn prompt(self, text: &str, tokenizer: &Tokenizer) -> Result<Vec<u32>, CausalError> {
        match self {
            Self::ForContext => causal::prompt(text, tokenizer),
            Self::AsItIs if !text.is_empty() => Ok(tokenizer.encode_plain(text)?),
            Self::GoingOn | Self::AsItIs => {
                let separator = tokenizer.end_of_text().ok_or(CausalError::NoSeparator)?;
                Ok([vec![separator], tokenizer.encode_plain(text)?].concat())
            }
        }
    }

    /// What ends a text: its mark; one for a context also a blank line, where that is a token (628 in GPT-2's
    /// vocabulary).
    #[must_use]
    pub fn end_tokens(self, tokenizer: &Tokenizer) -> Vec<u32> {
        let blank_line = match self {
            Self::ForContext => tokenizer.encode_plain("\n\n").ok().filter(|ids| ids.len() == 1),
            Self::GoingOn | Self::AsItIs => None,
        };
        tokenizer.end_of_text().into_iter().chain(blank_line.into_iter().flatten()).collect()
    }

    /// The text in what was decoded. One that goes on may begin with a space or inside a word, and have paragraphs.
    #[must_use]
    pub fn cut(self, decoded: &str) -> &str {
        match self {
            Self::ForContext => hypothesis(decoded),
            Self::GoingOn | Self::AsItIs => decoded.trim_end(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::tokenizer::train_byte_level;

    /// Bytes are tokens, and whatever occurs twice in `corpus`.
    fn tokenizer(corpus: &[&str]) -> Tokenizer {
        Tokenizer::from_bytes("tokenizer.json", &train_byte_level(corpus, 300).unwrap()).unwrap()
    }

    #[test]
    fn a_separator_stands_where_it_was_in_training() {
        let tokenizer = tokenizer(&["the cafe is cheap", "the cafe is open"]);
        let (ids, sep) = (tokenizer.encode_plain("the cafe").unwrap(), tokenizer.end_of_text().unwrap());
        let prompt = |form: TextForm| form.prompt("the cafe", &tokenizer).unwrap();
        assert_eq!(prompt(TextForm::ForContext), [&ids[..], &[sep]].concat());
        assert_eq!(prompt(TextForm::GoingOn), [&[sep], &ids[..]].concat());
        assert_eq!(prompt(TextForm::AsItIs), ids);
        assert_eq!(TextForm::AsItIs.prompt("", &tokenizer).unwrap(), [sep]);
        assert_eq!(TextForm::of(TaskType::LanguageModeling), Some(TextForm::GoingOn));
        assert_eq!(TextForm::of(TaskType::Auto), None);
    }

    #[test]
    fn a_blank_line_ends_a_text_for_a_context_where_it_is_a_token() {
        let with = tokenizer(&["a\n\n", "b\n\n"]);
        let without = tokenizer(&["a b", "b a"]);
        let blank_line = with.encode_plain("\n\n").unwrap();
        let ends = |form: TextForm, tokenizer: &Tokenizer| form.end_tokens(tokenizer);
        assert_eq!(blank_line.len(), 1, "a token of its own, as in GPT-2's vocabulary");
        let mark = |tokenizer: &Tokenizer| tokenizer.end_of_text().unwrap();
        assert_eq!(ends(TextForm::ForContext, &with), [mark(&with), blank_line[0]]);
        assert_eq!(ends(TextForm::ForContext, &without), [mark(&without)]);
        assert_eq!(ends(TextForm::GoingOn, &with), [mark(&with)], "plain text has paragraphs");
    }

    #[test]
    fn plain_text_keeps_its_paragraphs() {
        let decoded = "s cheap.\n\nIt is open. \n";
        assert_eq!(TextForm::ForContext.cut(decoded), "s cheap.");
        assert_eq!(TextForm::GoingOn.cut(decoded), "s cheap.\n\nIt is open.");
    }
}
