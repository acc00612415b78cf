//! How text is generated: search or sampling, and when it ends. Names and meanings are those of transformers'
//! `GenerationConfig`.

use serde::Serialize;

use super::{
    FieldError,
    reader::{POSITIVE, Reader, Rule},
};

/// Settings of generation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GenerationSettings {
    /// Hypotheses kept beside each other; 1 is greedy search, or sampling.
    pub num_beams: usize,
    /// Most tokens added to the context.
    pub max_new_tokens: usize,
    /// The sum of log probabilities is divided by length to this power.
    pub length_penalty: f64,
    /// No sequence of this many generated tokens comes twice; 0 is off.
    pub no_repeat_ngram_size: usize,
    /// Logits of tokens that were generated are divided by this where positive, multiplied where negative.
    pub repetition_penalty: f64,
    /// Whether tokens are drawn instead of taking the most probable.
    pub do_sample: bool,
    /// Logits are divided by this before drawing.
    pub temperature: f64,
    /// Draw among this many most probable tokens; 0 is among all.
    pub top_k: usize,
    /// Draw among the fewest tokens that have this probability together, in (0, 1].
    pub top_p: f64,
}

impl Default for GenerationSettings {
    fn default() -> Self {
        Self {
            num_beams: 1,
            max_new_tokens: 64,
            length_penalty: 1.0,
            no_repeat_ngram_size: 0,
            repetition_penalty: 1.0,
            do_sample: false,
            temperature: 1.0,
            top_k: 50,
            top_p: 1.0,
        }
    }
}

const FINITE: Rule = (|x| x.is_finite(), "must be a finite number");
const PROBABILITY: Rule = (|x| x > 0.0 && x <= 1.0, "must lie in (0, 1]");

impl Reader<'_> {
    /// Reads them, and reports what cannot be together.
    pub(super) fn generation(&mut self) -> GenerationSettings {
        let settings = GenerationSettings {
            num_beams: self.count("num_beams", 1),
            max_new_tokens: self.count("max_new_tokens", 1),
            length_penalty: self.number("length_penalty", FINITE),
            no_repeat_ngram_size: self.count("no_repeat_ngram_size", 0),
            repetition_penalty: self.number("repetition_penalty", POSITIVE),
            do_sample: self.switch("do_sample"),
            temperature: self.number("temperature", POSITIVE),
            top_k: self.count("top_k", 0),
            top_p: self.number("top_p", PROBABILITY),
        };
        if settings.do_sample && settings.num_beams > 1 {
            let reason = "tokens are drawn for one hypothesis only";
            let error =
                FieldError::new("num_beams", settings.num_beams, reason, "use 1, or set do_sample to false");
            self.errors.push(error);
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::super::RunConfigDraft;
    use super::*;

    #[test]
    fn the_tables_defaults_are_those_of_the_type() {
        let config = RunConfigDraft::default().with("task_type", "generation").check().unwrap();
        assert_eq!(config.generation, Some(GenerationSettings::default()));
        assert_eq!(RunConfigDraft::default().check().unwrap().generation, None);
    }

    #[test]
    fn what_cannot_be_generated_with_is_named() {
        let cases = [
            ("num_beams", "0", "at least 1"),
            ("max_new_tokens", "0", "at least 1"),
            ("temperature", "0", "larger than 0"),
            ("top_p", "0", "(0, 1]"),
            ("top_p", "1.1", "(0, 1]"),
            ("repetition_penalty", "-1", "larger than 0"),
            ("length_penalty", "inf", "finite"),
        ];
        for (name, value, reason) in cases {
            // A beam that cannot be is wrong for whatever task.
            for task_type in ["generation", "auto"] {
                let draft = RunConfigDraft::default().with("task_type", task_type).with(name, value);
                let errors = draft.check().unwrap_err();
                assert_eq!(errors.len(), 1, "{name}: {errors:?}");
                assert!(errors[0].field == name && errors[0].reason.contains(reason), "{}", errors[0]);
            }
        }
        let draft = RunConfigDraft::default().with("do_sample", "true").with("num_beams", "4");
        assert_eq!(draft.check().unwrap_err()[0].field, "num_beams");
    }
}
