//! Generating text with a language model: greedy search, sampling, and beam search.
//!
//! A [`Search`] is a machine that is advanced one token at a time and never computes a logit: [`Search::step`] says what
//! to compute, [`Search::advance`] takes the logits. So an engine can show every token, and stop between two. No model is
//! named here; whoever has one implements [`Decoder`], with [`cache_rows::CacheRows`] to keep track of cached keys.

mod beams;
pub mod cache_rows;
mod config;
mod scores;
mod single;
#[cfg(test)]
mod tests;

pub use config::{BeamRule, GenerationConfig, GenerationError, GenerationProblem, Limits};

use beams::{PaperBeams, TransformersBeams};
use scores::Context;
use single::Single;

/// Tokens that are new to a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuation {
    /// Which sequence of the step before it goes on from; `None` if it begins here, with a prompt.
    pub parent: Option<usize>,
    /// The new tokens, at least one.
    pub tokens: Vec<u32>,
}

/// What to compute next: the logits after the last token of each sequence. Sequences of the step before that are
/// nobody's parent are over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// All living sequences.
    pub sequences: Vec<Continuation>,
}

/// A language model that goes on from where it was.
#[expect(async_fn_in_trait, reason = "the engine stays on one thread, its futures need not be Send")]
pub trait Decoder {
    /// What can go wrong while computing.
    type Error;

    /// The logits (sequences, V) of the token that follows each sequence of `step`, row by row.
    ///
    /// # Errors
    /// Whatever the model's device reports.
    async fn logits(&mut self, step: &Step) -> Result<Vec<f32>, Self::Error>;
}

/// Why a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// With an end token.
    EndToken,
    /// At `max_new_tokens`.
    Length,
    /// No token was left: all were forbidden, or no logit was a number.
    NothingAllowed,
}

/// A generated text.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// The tokens after the prompt, without the end token.
    pub tokens: Vec<u32>,
    /// Of a beam search Σ log p / length^length_penalty; else Σ log p of what was chosen, among what could be.
    pub score: f64,
    /// Why it ended; `None` while it has not.
    pub stop: Option<Stop>,
}

/// One way of searching.
trait Strategy: std::fmt::Debug {
    fn step(&self) -> Option<Step>;
    fn advance(&mut self, context: &Context, logits: &[f32]);
    fn best(&self) -> Hypothesis;
}

/// The search for one text.
#[derive(Debug)]
pub struct Search {
    context: Context,
    strategy: Box<dyn Strategy>,
}

impl Search {
    /// A search that goes on from `prompt`.
    ///
    /// # Errors
    /// Everything wrong with the settings and the prompt, at once.
    pub fn new(config: &GenerationConfig, limits: Limits, prompt: &[u32]) -> Result<Self, GenerationError> {
        config.check(limits, prompt)?;
        let (config, prompt) = (config.clone(), prompt.to_vec());
        let context = Context { config, prompt, n_vocab: limits.n_vocab };
        let strategy: Box<dyn Strategy> = match (context.config.num_beams, context.config.beam_rule) {
            (1, _) => Box::new(Single::new(&context)),
            (_, BeamRule::Transformers) => Box::new(TransformersBeams::new(&context)),
            (_, BeamRule::Paper) => Box::new(PaperBeams::new(&context)),
        };
        Ok(Self { context, strategy })
    }

    /// What to compute next; `None` when the search is over.
    #[must_use]
    pub fn step(&self) -> Option<Step> {
        self.strategy.step()
    }

    /// Takes the logits (sequences, V) of the current step.
    ///
    /// # Panics
    /// If their number is another: a mistake of the decoder.
    pub fn advance(&mut self, logits: &[f32]) {
        let n_sequences = self.step().map_or(0, |step| step.sequences.len());
        assert_eq!(logits.len(), n_sequences * self.context.n_vocab, "a row of logits for each sequence");
        if n_sequences > 0 {
            self.strategy.advance(&self.context, logits);
        }
    }

    /// Computes and takes one token; false if the search was over already.
    ///
    /// # Errors
    /// Those of the decoder; the search has then not moved.
    pub async fn advance_with<D: Decoder>(&mut self, decoder: &mut D) -> Result<bool, D::Error> {
        let Some(step) = self.step() else { return Ok(false) };
        let logits = decoder.logits(&step).await?;
        self.advance(&logits);
        Ok(true)
    }

    /// The best text so far. In a beam search it may become another one until the search is over.
    #[must_use]
    pub fn best(&self) -> Hypothesis {
        self.strategy.best()
    }
}
