//! What is done to the scores of the next token before one is chosen, in transformers' order.

use super::config::{BeamRule, GenerationConfig};

/// What stays the same during a search.
#[derive(Clone, Debug)]
pub struct Context {
    pub config: GenerationConfig,
    pub prompt: Vec<u32>,
    pub n_vocab: usize,
}

impl Context {
    pub fn ends(&self, token: u32) -> bool {
        self.config.eos_token_ids.contains(&token)
    }

    /// Applies `repetition_penalty`, `no_repeat_ngram_size` and `min_new_tokens` to the scores of what may follow
    /// `generated`, logits or log-probabilities. Forbidden tokens get −∞.
    pub fn process(&self, scores: &mut [f32], generated: &[u32]) {
        let prompt = match self.config.beam_rule {
            BeamRule::Transformers => self.prompt.as_slice(),
            BeamRule::Paper => &[],
        };
        let history: Vec<u32> = prompt.iter().chain(generated).copied().collect();
        self.penalise_repetition(scores, &history);
        self.forbid_ngrams(scores, &history);
        if generated.len() < self.config.min_new_tokens {
            for &end in &self.config.eos_token_ids {
                scores[end as usize] = f32::NEG_INFINITY;
            }
        }
    }

    fn penalise_repetition(&self, scores: &mut [f32], history: &[u32]) {
        let penalty = self.config.repetition_penalty;
        if penalty == 1.0 {
            return;
        }
        // Once for every token, however often it has occurred.
        let seen: std::collections::BTreeSet<u32> = history.iter().copied().collect();
        for token in seen {
            let score = &mut scores[token as usize];
            *score = if *score < 0.0 { *score * penalty } else { *score / penalty };
        }
    }

    fn forbid_ngrams(&self, scores: &mut [f32], history: &[u32]) {
        let n = self.config.no_repeat_ngram_size;
        if n == 0 || history.len() < n {
            return;
        }
        let suffix = &history[history.len() + 1 - n..];
        for ngram in history.windows(n).filter(|ngram| &ngram[..n - 1] == suffix) {
            scores[ngram[n - 1] as usize] = f32::NEG_INFINITY;
        }
    }

    /// Applies `temperature`, `top_k` and `top_p`.
    pub fn narrow(&self, scores: &mut [f32]) {
        let GenerationConfig { temperature, top_k, top_p, .. } = self.config;
        scores.iter_mut().for_each(|x| *x /= temperature);
        if top_k > 0 {
            keep_most_probable(scores, top_k);
        }
        if top_p < 1.0 {
            keep_nucleus(scores, f64::from(top_p));
        }
    }
}

fn keep(scores: &mut [f32], wanted: impl Fn(usize, f32) -> bool) {
    for (token, score) in scores.iter_mut().enumerate() {
        if !wanted(token, *score) {
            *score = f32::NEG_INFINITY;
        }
    }
}

/// Forbids all but the `count` likeliest tokens, and those that are as likely as the last of them.
fn keep_most_probable(scores: &mut [f32], count: usize) {
    let mut allowed: Vec<f32> = scores.iter().copied().filter(|score| score.is_finite()).collect();
    if count < allowed.len() {
        let (_, &mut least, _) = allowed.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
        keep(scores, |_, score| score >= least);
    }
}

/// Forbids the least likely tokens that together have at most probability 1 − top_p, never the likeliest (Holtzman et
/// al. 2020, arXiv 1904.09751).
fn keep_nucleus(scores: &mut [f32], top_p: f64) {
    let probabilities = probabilities(scores);
    let mut order: Vec<usize> = (0..scores.len()).filter(|&token| probabilities[token] > 0.0).collect();
    order.sort_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
    order.pop();
    let mut total = 0.0;
    for token in order {
        total += probabilities[token];
        if total > 1.0 - top_p {
            break;
        }
        scores[token] = f32::NEG_INFINITY;
    }
}

/// The `count` largest finite scores with their places, in falling order; the first of equal ones comes first.
pub fn largest(scores: impl Iterator<Item = f32>, count: usize) -> Vec<(usize, f32)> {
    let mut best: Vec<(usize, f32)> = Vec::new();
    for (i, score) in scores.enumerate().filter(|(_, score)| score.is_finite()) {
        if best.len() == count && best.last().is_none_or(|&(_, least)| score <= least) {
            continue;
        }
        best.insert(best.partition_point(|&(_, other)| other >= score), (i, score));
        best.truncate(count);
    }
    best
}

/// Turns scores into log-probabilities; what is forbidden stays so.
pub fn log_softmax(scores: &mut [f32]) {
    let largest = largest_of(scores);
    let total: f64 = scores.iter().map(|&x| f64::from(x - largest).exp()).filter(|p| p.is_finite()).sum();
    let log_total = f64::from(largest) + total.ln();
    scores.iter_mut().for_each(|x| *x = (f64::from(*x) - log_total) as f32);
}

/// softmax of the scores; what is no number has probability 0.
pub fn probabilities(scores: &[f32]) -> Vec<f64> {
    let largest = largest_of(scores);
    let weight = |x: f32| if x.is_finite() { f64::from(x - largest).exp() } else { 0.0 };
    let total: f64 = scores.iter().map(|&x| weight(x)).sum();
    scores.iter().map(|&x| weight(x) / total.max(f64::MIN_POSITIVE)).collect()
}

fn largest_of(scores: &[f32]) -> f32 {
    scores.iter().copied().filter(|x| x.is_finite()).fold(f32::MIN, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: f32 = f32::NEG_INFINITY;

    fn context(config: GenerationConfig) -> Context {
        Context { config, prompt: vec![1, 2, 3], n_vocab: 4 }
    }

    #[test]
    fn repeated_tokens_lose_once_each() {
        let config = GenerationConfig { repetition_penalty: 2.0, ..GenerationConfig::default() };
        let mut scores = [1.0, 1.0, -1.0, 4.0];
        context(config.clone()).process(&mut scores, &[1]);
        assert_eq!(scores, [1.0, 0.5, -2.0, 2.0]);
        // The paper's rule looks at generated tokens only.
        let mut scores = [1.0, 1.0, -1.0, 4.0];
        context(GenerationConfig { beam_rule: BeamRule::Paper, ..config }).process(&mut scores, &[1]);
        assert_eq!(scores, [1.0, 0.5, -1.0, 4.0]);
    }

    #[test]
    fn ngrams_occur_once() {
        let config = GenerationConfig { no_repeat_ngram_size: 2, ..GenerationConfig::default() };
        let after = |config: &GenerationConfig, generated: &[u32]| {
            let mut scores = [0.0; 4];
            context(config.clone()).process(&mut scores, generated);
            scores
        };
        // The prompt holds 1 2 and 2 3; generated adds 3 1 and 1 1.
        assert_eq!(after(&config, &[1, 1]), [0.0, NEVER, NEVER, 0.0]);
        assert_eq!(after(&config, &[0]), [0.0; 4]);
        let paper = GenerationConfig { beam_rule: BeamRule::Paper, ..config };
        assert_eq!(after(&paper, &[1, 1]), [0.0, NEVER, 0.0, 0.0]);
        let unigrams = GenerationConfig { no_repeat_ngram_size: 1, ..GenerationConfig::default() };
        assert_eq!(after(&unigrams, &[]), [0.0, NEVER, NEVER, NEVER]);
    }

    #[test]
    fn no_end_before_the_least_length() {
        let config =
            GenerationConfig { min_new_tokens: 2, eos_token_ids: vec![0, 2], ..GenerationConfig::default() };
        for (generated, expected) in [(&[1][..], [NEVER, 0.0, NEVER, 0.0]), (&[1, 1], [0.0; 4])] {
            let mut scores = [0.0; 4];
            context(config.clone()).process(&mut scores, generated);
            assert_eq!(scores, expected);
        }
    }

    #[test]
    fn drawing_is_narrowed_to_the_likeliest() {
        let log = |p: [f32; 4]| p.map(f32::ln);
        let narrow = |top_k: usize, top_p: f32, temperature: f32| {
            let config = GenerationConfig { top_k, top_p, temperature, ..GenerationConfig::default() };
            let mut scores = log([0.1, 0.4, 0.2, 0.3]);
            context(config).narrow(&mut scores);
            probabilities(&scores).map_to(|p| (p * 100.0).round() / 100.0)
        };
        assert_eq!(narrow(0, 1.0, 1.0), [0.1, 0.4, 0.2, 0.3]);
        assert_eq!(narrow(2, 1.0, 1.0), [0.0, 0.57, 0.0, 0.43]);
        assert_eq!(narrow(usize::MAX, 1.0, 1.0), [0.1, 0.4, 0.2, 0.3], "more than there are is all");
        // 0.4 + 0.3 reach 0.65; 0.1 + 0.2 = 0.3 are at most 0.35.
        assert_eq!(narrow(0, 0.65, 1.0), [0.0, 0.57, 0.0, 0.43]);
        assert_eq!(narrow(0, 0.01, 1.0), [0.0, 1.0, 0.0, 0.0]);
        // At temperature 1/2 probabilities are squared: 1, 16, 4, 9 of 30.
        assert_eq!(narrow(0, 1.0, 0.5), [0.03, 0.53, 0.13, 0.3]);
    }

    trait MapTo {
        fn map_to(self, f: impl Fn(f64) -> f64) -> [f64; 4];
    }

    impl MapTo for Vec<f64> {
        fn map_to(self, f: impl Fn(f64) -> f64) -> [f64; 4] {
            [0, 1, 2, 3].map(|i| f(self[i]))
        }
    }

    #[test]
    fn the_first_of_equal_scores_comes_first_and_no_number_never() {
        let scores = [1.0, f32::NAN, 3.0, NEVER, 3.0, 2.0];
        assert_eq!(largest(scores.into_iter(), 3), [(2, 3.0), (4, 3.0), (5, 2.0)]);
        assert_eq!(largest([NEVER; 3].into_iter(), 2), []);
        let mut scores = [0.0, NEVER, 0.0];
        log_softmax(&mut scores);
        assert_eq!(scores, [-std::f32::consts::LN_2, NEVER, -std::f32::consts::LN_2]);
    }
}
