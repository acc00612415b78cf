//! One hypothesis: greedy search, or sampling.

use super::scores::{Context, largest, probabilities};
use super::{Continuation, Hypothesis, Step, Stop, Strategy};
use crate::random::Random;

/// Stream of the draws.
const STREAM: u64 = 0x6765_6e65;

/// A text that grows by one token at a time.
#[derive(Debug)]
pub struct Single {
    tokens: Vec<u32>,
    score: f64,
    stop: Option<Stop>,
    random: Random,
    /// What the next step computes.
    next: Vec<u32>,
    is_first: bool,
}

impl Single {
    pub fn new(context: &Context) -> Self {
        let random = Random::new(context.config.seed, STREAM);
        let next = context.prompt.clone();
        Self { tokens: Vec::new(), score: 0.0, stop: None, random, next, is_first: true }
    }

    fn choose(&mut self, context: &Context, scores: &[f32]) -> Option<usize> {
        if context.config.do_sample {
            return draw(&probabilities(scores), self.random.uniform());
        }
        largest(scores.iter().copied(), 1).first().map(|&(token, _)| token)
    }
}

/// The token whose share of 0..1, tokens laid end to end, holds `at`.
fn draw(probabilities: &[f64], at: f32) -> Option<usize> {
    let mut end = 0.0;
    let mut last = None;
    for (token, &probability) in probabilities.iter().enumerate().filter(|(_, p)| **p > 0.0) {
        end += probability;
        last = Some(token);
        if f64::from(at) < end {
            break;
        }
    }
    last
}

impl Strategy for Single {
    fn step(&self) -> Option<Step> {
        if self.stop.is_some() {
            return None;
        }
        let parent = (!self.is_first).then_some(0);
        Some(Step { sequences: vec![Continuation { parent, tokens: self.next.clone() }] })
    }

    fn advance(&mut self, context: &Context, logits: &[f32]) {
        let mut scores = logits.to_vec();
        context.process(&mut scores, &self.tokens);
        if context.config.do_sample {
            context.narrow(&mut scores);
        }
        self.is_first = false;
        let Some(token) = self.choose(context, &scores) else {
            self.stop = Some(Stop::NothingAllowed);
            return;
        };
        self.score += probabilities(&scores)[token].ln();
        if context.ends(token as u32) {
            self.stop = Some(Stop::EndToken);
            return;
        }
        self.tokens.push(token as u32);
        self.next = vec![token as u32];
        if self.tokens.len() == context.config.max_new_tokens {
            self.stop = Some(Stop::Length);
        }
    }

    fn best(&self) -> Hypothesis {
        Hypothesis { tokens: self.tokens.clone(), score: self.score, stop: self.stop }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_falls_on_tokens_by_their_share() {
        let probabilities = [0.0, 0.25, 0.0, 0.75, 0.0];
        for (at, token) in [(0.0, 1), (0.2499, 1), (0.25, 3), (0.999, 3), (1.0, 3)] {
            assert_eq!(draw(&probabilities, at), Some(token), "{at}");
        }
        assert_eq!(draw(&[0.0, 0.0], 0.5), None);
    }
}
