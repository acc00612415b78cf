//! How text is generated: the settings, by the names and with the defaults of transformers' `GenerationConfig`, and what
//! can be wrong with them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::FieldError;

/// How a beam search ranks, ends and forbids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BeamRule {
    /// As transformers' `generate`, token by token. Candidates that end are set aside if they rank among the first
    /// `num_beams`, as many others go on, and the search ends when none of these can beat the worst ended one. N-grams
    /// and repetitions are looked for in the prompt, too.
    #[default]
    Transformers,
    /// As the decoder of LoRA's GPT-2 experiments, which the DSEE paper's tables rest on: the best `num_beams`
    /// candidates are all there are, those that end leave their place to the others, and the search goes on to
    /// `max_new_tokens`. Forbidden tokens are taken out before the softmax. N-grams and repetitions are looked for in
    /// generated tokens only.
    Paper,
}

/// How to generate. The defaults are transformers'.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerationConfig {
    /// Most tokens after the prompt, the end token counted.
    pub max_new_tokens: usize,
    /// Tokens after the prompt before which no end token is chosen.
    pub min_new_tokens: usize,
    /// Hypotheses kept side by side; 1 is greedy search, or sampling.
    pub num_beams: usize,
    /// What a beam search goes by.
    pub beam_rule: BeamRule,
    /// Whether a beam search stops at `num_beams` ended hypotheses, even if others could become better.
    pub early_stopping: bool,
    /// Whether tokens are drawn at random rather than the likeliest chosen.
    pub do_sample: bool,
    /// Divides the logits before drawing: below 1 likely tokens gain, above 1 they lose.
    pub temperature: f32,
    /// Only the so many likeliest tokens are drawn; 0 for all.
    pub top_k: usize,
    /// Only the likeliest tokens that together reach this probability are drawn; 1 for all.
    pub top_p: f32,
    /// A hypothesis scores Σ log p / length^length_penalty, its end token counted: above 0, long ones gain.
    pub length_penalty: f64,
    /// No so many tokens in a row occur twice; 0 to allow it.
    pub no_repeat_ngram_size: usize,
    /// Divides positive scores and multiplies negative ones of tokens that have occurred; 1 to leave them.
    pub repetition_penalty: f32,
    /// Tokens that end a text.
    pub eos_token_ids: Vec<u32>,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for GenerationConfig {
    fn default() -> Self {
        Self {
            max_new_tokens: 20,
            min_new_tokens: 0,
            num_beams: 1,
            beam_rule: BeamRule::Transformers,
            early_stopping: false,
            do_sample: false,
            temperature: 1.0,
            top_k: 50,
            top_p: 1.0,
            length_penalty: 1.0,
            no_repeat_ngram_size: 0,
            repetition_penalty: 1.0,
            eos_token_ids: Vec::new(),
            seed: 0,
        }
    }
}

/// What the model allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// V
    pub n_vocab: usize,
    /// Most tokens of a text, prompt and generated: the model's positions.
    pub n_positions: usize,
}

/// One reason why a text cannot be generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GenerationProblem {
    /// A setting that cannot be.
    Setting(FieldError),
    /// There is nothing to go on from.
    EmptyPrompt,
    /// A token of the prompt that the model does not know.
    UnknownToken {
        /// Its number.
        token: u32,
        /// Its place in the prompt.
        position: usize,
        /// V
        n_vocab: usize,
    },
    /// Prompt and generated tokens exceed the model's positions.
    TooLong {
        /// Tokens of the prompt.
        n_prompt: usize,
        /// Tokens to generate.
        max_new_tokens: usize,
        /// Tokens the model can take.
        n_positions: usize,
    },
}

impl fmt::Display for GenerationProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(error) => error.fmt(f),
            Self::EmptyPrompt => f.write_str("the prompt has no tokens; give at least one"),
            Self::UnknownToken { token, position, n_vocab } => {
                write!(f, "token {token} at place {position} of the prompt; the model knows 0 to ")?;
                write!(f, "{}", n_vocab.saturating_sub(1))
            }
            Self::TooLong { n_prompt, max_new_tokens, n_positions } => write!(
                f,
                "a prompt of {n_prompt} tokens and {max_new_tokens} new ones exceed the model's {n_positions} \
                 positions; shorten the prompt or max_new_tokens"
            ),
        }
    }
}

/// More beams than any search has use for; each keeps keys and values of its own.
const MOST_BEAMS: usize = 1000;

/// All reasons why a text cannot be generated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct GenerationError(pub Vec<GenerationProblem>);

impl GenerationConfig {
    /// Everything wrong with the settings themselves.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut problems = Vec::new();
        let mut check = |holds: bool, field: &str, value: String, reason: &str, suggestion: &str| {
            if !holds {
                problems.push(FieldError::new(field, value, reason, suggestion));
            }
        };
        let (beams, drawn) = (self.num_beams.to_string(), self.do_sample.to_string());
        let new_tokens = self.max_new_tokens.to_string();
        check(self.max_new_tokens > 0, "max_new_tokens", new_tokens, "nothing is generated", "at least 1");
        let at_least = self.min_new_tokens.to_string();
        let fits = self.min_new_tokens <= self.max_new_tokens;
        check(
            fits,
            "min_new_tokens",
            at_least,
            "more than max_new_tokens",
            "lower it, or raise max_new_tokens",
        );
        let is_read = !self.early_stopping || self.beam_rule == BeamRule::Transformers;
        let early = self.early_stopping.to_string();
        check(
            is_read,
            "early_stopping",
            early,
            "the paper's rule goes on to the end",
            "beam_rule = transformers",
        );
        let few = format!("use {MOST_BEAMS} or less");
        check(self.num_beams <= MOST_BEAMS, "num_beams", beams.clone(), "too many hypotheses to keep", &few);
        check(self.num_beams > 0, "num_beams", beams, "nothing is searched", "1 is greedy search");
        let either = !(self.do_sample && self.num_beams > 1);
        check(either, "do_sample", drawn, "beams are not drawn", "set num_beams = 1, or do_sample = false");
        let positive = |x: f32| x.is_finite() && x > 0.0;
        let temperature = self.temperature.to_string();
        let greedy = "above 0; for the likeliest token alone set do_sample = false";
        check(positive(self.temperature), "temperature", temperature, "logits are divided by it", greedy);
        let is_share = positive(self.top_p) && self.top_p <= 1.0;
        check(is_share, "top_p", self.top_p.to_string(), "not a probability", "above 0, at most 1");
        let penalty = self.repetition_penalty.to_string();
        let repeats = "above 0; 1 allows repetition";
        check(
            positive(self.repetition_penalty),
            "repetition_penalty",
            penalty,
            "scores are divided by it",
            repeats,
        );
        let length = self.length_penalty.to_string();
        check(self.length_penalty.is_finite(), "length_penalty", length, "not a number", "1 for the mean");
        problems
    }

    /// Everything that keeps a model within `limits` from going on from `prompt`.
    ///
    /// # Errors
    /// All problems at once.
    pub fn check(&self, limits: Limits, prompt: &[u32]) -> Result<(), GenerationError> {
        let Limits { n_vocab, n_positions } = limits;
        let mut problems: Vec<_> = self.problems().into_iter().map(GenerationProblem::Setting).collect();
        let unknown = |token: u32| token as usize >= n_vocab;
        for &end in self.eos_token_ids.iter().filter(|&&end| unknown(end)) {
            let reason = format!("the model has {n_vocab} tokens");
            let error = FieldError::new("eos_token_ids", end, reason, "give ids of the model's tokenizer");
            problems.push(GenerationProblem::Setting(error));
        }
        if prompt.is_empty() {
            problems.push(GenerationProblem::EmptyPrompt);
        }
        for (position, &token) in prompt.iter().enumerate().filter(|&(_, &token)| unknown(token)) {
            problems.push(GenerationProblem::UnknownToken { token, position, n_vocab });
        }
        let (n_prompt, max_new_tokens) = (prompt.len(), self.max_new_tokens);
        if n_prompt.saturating_add(max_new_tokens) > n_positions {
            problems.push(GenerationProblem::TooLong { n_prompt, max_new_tokens, n_positions });
        }
        if problems.is_empty() { Ok(()) } else { Err(GenerationError(problems)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { n_vocab: 10, n_positions: 24 };

    #[test]
    fn defaults_have_no_problems() {
        assert_eq!(GenerationConfig::default().check(LIMITS, &[1, 2, 3, 9]), Ok(()));
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let config = GenerationConfig {
            max_new_tokens: 0,
            num_beams: 0,
            temperature: 0.0,
            top_p: 1.5,
            repetition_penalty: f32::NAN,
            length_penalty: f64::INFINITY,
            eos_token_ids: vec![10],
            ..GenerationConfig::default()
        };
        let error = config.check(LIMITS, &[]).unwrap_err();
        assert_eq!(error.0.len(), 8, "{error}");
        let fields = ["max_new_tokens", "num_beams", "temperature", "top_p", "repetition_penalty"];
        for field in fields.into_iter().chain(["length_penalty", "eos_token_ids = 10", "no tokens"]) {
            assert!(error.to_string().contains(field), "{field} in {error}");
        }
    }

    #[test]
    fn a_text_longer_than_the_model_is_an_error_that_says_by_how_much() {
        let config = GenerationConfig::default();
        let error = config.check(LIMITS, &[1, 12, 3, 4, 5]).unwrap_err();
        let too_long = GenerationProblem::TooLong { n_prompt: 5, max_new_tokens: 20, n_positions: 24 };
        let unknown = GenerationProblem::UnknownToken { token: 12, position: 1, n_vocab: 10 };
        assert_eq!(error.0, [unknown, too_long]);
    }

    #[test]
    fn beams_are_not_drawn() {
        let config = GenerationConfig { num_beams: 2, do_sample: true, ..GenerationConfig::default() };
        assert_eq!(config.problems().iter().map(|p| p.field.as_str()).collect::<Vec<_>>(), ["do_sample"]);
    }
}
