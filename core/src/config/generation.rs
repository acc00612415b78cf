//! How text is generated: search or sampling, and when it ends. Names and meanings are those of transformers'
//! `GenerationConfig`.

use serde::Serialize;

use super::{
    FieldError, RunConfigDraft,
    choice::Choice,
    reader::{Reader, Rule},
};
use crate::generate::{BeamRule, GenerationConfig};

/// Settings of generation that a run keeps; model and seed bring the rest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GenerationSettings {
    /// Hypotheses kept beside each other; 1 is greedy search, or sampling.
    pub num_beams: usize,
    /// How beam search ranks and ends.
    pub beam_rule: BeamRule,
    /// Most tokens added to the context.
    pub max_new_tokens: usize,
    /// No text ends before this many tokens are added.
    pub min_new_tokens: usize,
    /// Whether beam search ends with as many finished hypotheses as beams, even if others could become better.
    pub early_stopping: bool,
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
            beam_rule: BeamRule::Transformers,
            max_new_tokens: 64,
            min_new_tokens: 0,
            early_stopping: false,
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

impl GenerationSettings {
    /// The whole of it for one model and one seed. `eos_token_ids` end a text.
    #[must_use]
    pub fn with(&self, eos_token_ids: Vec<u32>, seed: u64) -> GenerationConfig {
        GenerationConfig {
            max_new_tokens: self.max_new_tokens,
            min_new_tokens: self.min_new_tokens,
            early_stopping: self.early_stopping,
            num_beams: self.num_beams,
            beam_rule: self.beam_rule,
            do_sample: self.do_sample,
            temperature: self.temperature as f32,
            top_k: self.top_k,
            top_p: self.top_p as f32,
            length_penalty: self.length_penalty,
            no_repeat_ngram_size: self.no_repeat_ngram_size,
            repetition_penalty: self.repetition_penalty as f32,
            eos_token_ids,
            seed,
        }
    }
}

impl GenerationSettings {
    /// Settings among those that were `given` that change nothing beside the others: whoever gave them meant more.
    #[must_use]
    pub fn idle(&self, given: &RunConfigDraft) -> Vec<FieldError> {
        let usual = Self::default();
        let drawing = [
            ("temperature", self.temperature.total_cmp(&usual.temperature).is_ne()),
            ("top_k", self.top_k != usual.top_k),
            ("top_p", self.top_p.total_cmp(&usual.top_p).is_ne()),
        ];
        let searching = [
            ("length_penalty", self.length_penalty.total_cmp(&usual.length_penalty).is_ne()),
            ("early_stopping", self.early_stopping),
        ];
        let greedy =
            ("nothing is drawn, the most probable token is taken", "set do_sample = true, or leave it out");
        let single = ("there is one hypothesis only", "set num_beams to 2 or more, or leave it out");
        let drawing = drawing.into_iter().filter(|_| !self.do_sample).map(|setting| (setting, greedy));
        let searching =
            searching.into_iter().filter(|_| self.num_beams == 1).map(|setting| (setting, single));
        let idle = drawing.chain(searching).filter(|((_, is_set), _)| *is_set);
        idle.filter_map(|((name, _), (reason, advice))| {
            Some(FieldError::new(name, given.text(name)?, reason, advice))
        })
        .collect()
    }
}

impl Choice for BeamRule {
    const NAMES: &'static [&'static str] = &["transformers", "paper"];

    fn from_name(name: &str) -> Option<Self> {
        match name {
            "transformers" => Some(Self::Transformers),
            "paper" => Some(Self::Paper),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Transformers => "transformers",
            Self::Paper => "paper",
        }
    }
}

/// What a number may be is said by [`GenerationConfig::problems`].
const ANY: Rule = (|_| true, "");

impl Reader<'_> {
    /// Reads them, and reports what cannot be.
    pub(super) fn generation(&mut self) -> GenerationSettings {
        let n_errors = self.errors.len();
        let settings = GenerationSettings {
            num_beams: self.count("num_beams", 0),
            beam_rule: self.choice("beam_rule").unwrap_or_default(),
            max_new_tokens: self.count("max_new_tokens", 0),
            min_new_tokens: self.count("min_new_tokens", 0),
            early_stopping: self.switch("early_stopping"),
            length_penalty: self.number("length_penalty", ANY),
            no_repeat_ngram_size: self.count("no_repeat_ngram_size", 0),
            repetition_penalty: self.number("repetition_penalty", ANY),
            do_sample: self.switch("do_sample"),
            temperature: self.number("temperature", ANY),
            top_k: self.count("top_k", 0),
            top_p: self.number("top_p", ANY),
        };
        // A value that cannot be read is 0 by now, which is no problem of its own.
        if self.errors.len() == n_errors {
            self.errors.extend(settings.with(Vec::new(), 0).problems());
        }
        settings
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::config::draft::draft;

    #[test]
    fn the_tables_defaults_are_those_of_the_type() {
        let config = RunConfigDraft::default().with("task_type", "generation").check().unwrap();
        assert_eq!(config.generation, Some(GenerationSettings::default()));
        assert_eq!(RunConfigDraft::default().check().unwrap().generation, None);
    }

    #[test]
    fn what_was_given_and_changes_nothing_is_named() {
        let idle = |given: &[(&str, &str)], inherited: &[(&str, &str)]| {
            let all = draft(inherited).with("task_type", "generation").overridden_by(&draft(given));
            let idle = all.check().unwrap().generation.unwrap().idle(&draft(given));
            idle.into_iter().map(|error| error.field).collect::<Vec<_>>()
        };
        let drawing = [("temperature", "0.7"), ("top_k", "5"), ("top_p", "0.9")];
        assert_eq!(idle(&drawing, &[]), ["temperature", "top_k", "top_p"]);
        assert_eq!(idle(&drawing, &[("do_sample", "true")]), [""; 0]);
        assert_eq!(
            idle(&[("top_p", "1.0"), ("do_sample", "false")], &drawing),
            [""; 0],
            "inherited, or as usual"
        );
        assert_eq!(
            idle(&[("early_stopping", "true"), ("length_penalty", "2")], &[]),
            ["length_penalty", "early_stopping"]
        );
        assert_eq!(idle(&[("early_stopping", "true")], &[("num_beams", "4")]), [""; 0]);
        let paper = draft(&[("task", "e2e"), ("early_stopping", "true")]);
        assert!(paper.check().unwrap_err()[0].reason.contains("goes on to the end"));
    }

    #[test]
    fn what_cannot_be_generated_with_is_named() {
        let cases = [
            ("num_beams", "0", "nothing is searched"),
            ("num_beams", "-1", "at least 0"),
            ("max_new_tokens", "0", "nothing is generated"),
            ("min_new_tokens", "65", "more than max_new_tokens"),
            ("early_stopping", "soon", "true or false"),
            ("temperature", "0", "divided by it"),
            ("temperature", "warm", "must be a number"),
            ("top_p", "0", "not a probability"),
            ("top_p", "1.1", "not a probability"),
            ("repetition_penalty", "-1", "divided by it"),
            ("length_penalty", "inf", "not a number"),
            ("beam_rule", "mine", "one of transformers, paper"),
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
        assert_eq!(draft.check().unwrap_err()[0].field, "do_sample");
    }
}
