//! Beam search by either rule of [`super::BeamRule`]. A beam is a hypothesis that goes on.

use super::scores::{Context, largest, log_softmax};
use super::{Continuation, Hypothesis, Step, Stop, Strategy};

/// A hypothesis that goes on.
#[derive(Clone, Debug)]
struct Beam {
    /// Which beam of the step before it goes on from.
    parent: Option<usize>,
    tokens: Vec<u32>,
    /// Σ log p
    score: f32,
}

/// A token after one of the beams.
struct Candidate {
    beam: usize,
    token: u32,
    score: f32,
    ends: bool,
}

/// What both rules share.
#[derive(Debug)]
struct Beams {
    live: Vec<Beam>,
    stop: Option<Stop>,
    prompt: Vec<u32>,
}

impl Beams {
    fn new(context: &Context) -> Self {
        let live = vec![Beam { parent: None, tokens: Vec::new(), score: 0.0 }];
        Self { live, stop: None, prompt: context.prompt.clone() }
    }

    fn step(&self) -> Option<Step> {
        let continuation = |beam: &Beam| Continuation {
            parent: beam.parent,
            tokens: beam.tokens.last().map_or_else(|| self.prompt.clone(), |&token| vec![token]),
        };
        self.stop.is_none().then(|| Step { sequences: self.live.iter().map(continuation).collect() })
    }

    /// The `count` best candidates from the log-probabilities (beams, V), in falling order.
    fn candidates(&self, context: &Context, log_probabilities: &[f32], count: usize) -> Vec<Candidate> {
        let n_vocab = context.n_vocab;
        let rows = log_probabilities.chunks_exact(n_vocab).zip(&self.live);
        let scores = rows.flat_map(|(row, beam)| row.iter().map(|x| beam.score + x));
        let candidate = |(i, score): (usize, f32)| {
            let token = (i % n_vocab) as u32;
            Candidate { beam: i / n_vocab, token, score, ends: context.ends(token) }
        };
        largest(scores, count).into_iter().map(candidate).collect()
    }

    fn extend(&self, candidate: &Candidate) -> Beam {
        let mut tokens = self.live[candidate.beam].tokens.clone();
        tokens.push(candidate.token);
        Beam { parent: Some(candidate.beam), tokens, score: candidate.score }
    }

    /// The best of the ended hypotheses, or while there is none the best beam, without the penalty.
    fn best(&self, ended: Option<&Hypothesis>) -> Hypothesis {
        let going = || self.live.first().map_or_else(Vec::new, |beam| beam.tokens.clone());
        let score = || self.live.first().map_or(0.0, |beam| f64::from(beam.score));
        match ended {
            Some(best) => best.clone(),
            None => Hypothesis { tokens: going(), score: score(), stop: self.stop },
        }
    }
}

/// Σ log p / length^penalty of a hypothesis, its end token counted in `len` and not among `tokens`.
fn hypothesis(context: &Context, candidate: &Beam, ends: bool) -> Hypothesis {
    let len = candidate.tokens.len();
    let score = f64::from(candidate.score) / (len as f64).powf(context.config.length_penalty);
    let tokens = candidate.tokens[..len - usize::from(ends)].to_vec();
    Hypothesis { tokens, score, stop: Some(if ends { Stop::EndToken } else { Stop::Length }) }
}

/// [`super::BeamRule::Transformers`].
#[derive(Debug)]
pub struct TransformersBeams {
    beams: Beams,
    /// At most num_beams, in falling order.
    ended: Vec<Hypothesis>,
}

impl TransformersBeams {
    pub fn new(context: &Context) -> Self {
        Self { beams: Beams::new(context), ended: Vec::new() }
    }

    fn set_aside(&mut self, hypothesis: Hypothesis, num_beams: usize) {
        let place = self.ended.partition_point(|other| other.score >= hypothesis.score);
        self.ended.insert(place, hypothesis);
        self.ended.truncate(num_beams);
    }

    /// Whether no beam can become better than the worst that has ended, as far as can be guessed from the best one.
    fn is_settled(&self, context: &Context) -> bool {
        if self.ended.len() < context.config.num_beams {
            return false;
        }
        let Some((beam, worst)) = self.beams.live.first().zip(self.ended.last()) else { return true };
        context.config.early_stopping || hypothesis(context, beam, false).score <= worst.score
    }
}

impl Strategy for TransformersBeams {
    fn step(&self) -> Option<Step> {
        self.beams.step()
    }

    fn advance(&mut self, context: &Context, logits: &[f32]) {
        let num_beams = context.config.num_beams;
        let mut scores = logits.to_vec();
        for (row, beam) in scores.chunks_exact_mut(context.n_vocab).zip(&self.beams.live) {
            log_softmax(row);
            context.process(row, &beam.tokens);
        }
        // So many that num_beams go on even if every beam meets every end token.
        let count = num_beams * (1 + context.config.eos_token_ids.len()).max(2);
        let candidates = self.beams.candidates(context, &scores, count);
        let mut live = Vec::with_capacity(num_beams);
        let mut all_end = true;
        for (rank, candidate) in candidates.iter().enumerate() {
            let beam = self.beams.extend(candidate);
            let ends = candidate.ends || beam.tokens.len() == context.config.max_new_tokens;
            all_end &= ends;
            if !ends && live.len() < num_beams {
                live.push(beam);
            } else if ends && rank < num_beams {
                self.set_aside(hypothesis(context, &beam, candidate.ends), num_beams);
            }
        }
        if !all_end {
            self.beams.live = live;
        }
        if candidates.is_empty() && self.ended.is_empty() {
            self.beams.stop = Some(Stop::NothingAllowed);
        } else if all_end || self.is_settled(context) {
            self.beams.stop = self.ended.first().and_then(|best| best.stop);
        }
    }

    fn best(&self) -> Hypothesis {
        self.beams.best(self.ended.first())
    }
}

/// [`super::BeamRule::Paper`].
#[derive(Debug)]
pub struct PaperBeams {
    beams: Beams,
    ended: Option<Hypothesis>,
}

impl PaperBeams {
    pub fn new(context: &Context) -> Self {
        Self { beams: Beams::new(context), ended: None }
    }

    fn compete(&mut self, hypothesis: Hypothesis) {
        if self.ended.as_ref().is_none_or(|best| best.score < hypothesis.score) {
            self.ended = Some(hypothesis);
        }
    }
}

impl Strategy for PaperBeams {
    fn step(&self) -> Option<Step> {
        self.beams.step()
    }

    fn advance(&mut self, context: &Context, logits: &[f32]) {
        let mut scores = logits.to_vec();
        for (row, beam) in scores.chunks_exact_mut(context.n_vocab).zip(&self.beams.live) {
            context.process(row, &beam.tokens);
            log_softmax(row);
        }
        let candidates = self.beams.candidates(context, &scores, context.config.num_beams);
        let (ending, going): (Vec<_>, Vec<_>) = candidates.iter().partition(|candidate| candidate.ends);
        for candidate in ending {
            self.compete(hypothesis(context, &self.beams.extend(candidate), true));
        }
        let live: Vec<Beam> = going.into_iter().map(|candidate| self.beams.extend(candidate)).collect();
        let is_last = live.first().is_some_and(|beam| beam.tokens.len() == context.config.max_new_tokens);
        if is_last {
            live.iter().for_each(|beam| self.compete(hypothesis(context, beam, false)));
        }
        if is_last || live.is_empty() {
            let ended = self.ended.as_ref().and_then(|best| best.stop);
            self.beams.stop = Some(ended.unwrap_or(Stop::NothingAllowed));
        }
        self.beams.live = live;
    }

    fn best(&self) -> Hypothesis {
        self.beams.best(self.ended.as_ref())
    }
}
