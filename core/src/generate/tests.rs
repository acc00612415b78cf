//! Searches over small tables whose answers are computed by hand, or were by transformers.

use super::*;

/// A model whose next token depends on the last one and on the number of tokens so far. It follows parents, so a search
/// that confuses its beams gets other logits.
struct TableDecoder<F> {
    n_vocab: usize,
    logit: F,
    sequences: Vec<Vec<u32>>,
    fails: bool,
}

impl<F: Fn(usize, u32, u32) -> f32> Decoder for TableDecoder<F> {
    type Error = &'static str;

    async fn logits(&mut self, step: &Step) -> Result<Vec<f32>, Self::Error> {
        if std::mem::take(&mut self.fails) {
            return Err("the device is gone");
        }
        let sequence = |new: &Continuation| {
            let before = new.parent.map_or_else(Vec::new, |parent| self.sequences[parent].clone());
            [before, new.tokens.clone()].concat()
        };
        self.sequences = step.sequences.iter().map(sequence).collect();
        let rows = self.sequences.iter().flat_map(|sequence| {
            let (len, last) = (sequence.len(), *sequence.last().unwrap());
            (0..self.n_vocab as u32).map(move |next| (len, last, next))
        });
        Ok(rows.map(|(len, last, next)| (self.logit)(len, last, next)).collect())
    }
}

const A: u32 = 1;
const B: u32 = 2;
const END: u32 = 3;

/// Probabilities of 0, A, B and END after each of them.
fn markov(_: usize, last: u32, next: u32) -> f32 {
    const TABLE: [[f32; 4]; 4] =
        [[0.0, 0.6, 0.4, 0.0], [0.0, 0.35, 0.35, 0.3], [0.0, 0.05, 0.05, 0.9], [0.25; 4]];
    TABLE[last as usize][next as usize].ln()
}

fn decoder<F: Fn(usize, u32, u32) -> f32>(n_vocab: usize, logit: F) -> TableDecoder<F> {
    TableDecoder { n_vocab, logit, sequences: Vec::new(), fails: false }
}

fn search(config: &GenerationConfig, n_vocab: usize, prompt: &[u32]) -> Search {
    Search::new(config, Limits { n_vocab, n_positions: 64 }, prompt).unwrap()
}

fn generate<F: Fn(usize, u32, u32) -> f32>(
    config: &GenerationConfig,
    (n_vocab, logit): (usize, F),
    prompt: &[u32],
) -> Hypothesis {
    let (mut search, mut decoder) = (search(config, n_vocab, prompt), decoder(n_vocab, logit));
    while pollster::block_on(search.advance_with(&mut decoder)).unwrap() {}
    search.best()
}

fn check(config: &GenerationConfig, tokens: &[u32], score: f64, stop: Stop) {
    let found = generate(config, (4, markov), &[0]);
    assert_eq!((found.tokens.as_slice(), found.stop), (tokens, Some(stop)), "{config:?}");
    assert!((found.score - score).abs() < 1e-6, "{} but expected {score}", found.score);
}

fn settings(num_beams: usize, max_new_tokens: usize) -> GenerationConfig {
    let eos_token_ids = vec![END];
    GenerationConfig { num_beams, max_new_tokens, eos_token_ids, ..GenerationConfig::default() }
}

#[test]
fn greedy_search_takes_the_likeliest_and_the_first_of_equals() {
    check(&settings(1, 3), &[A, A, A], (0.6f64 * 0.35 * 0.35).ln(), Stop::Length);
    // With A used up, B is next, which ends.
    let once = GenerationConfig { no_repeat_ngram_size: 1, ..settings(1, 5) };
    check(&once, &[A, B], (0.6f64 * (0.35 / 0.65) * 1.0).ln(), Stop::EndToken);
}

#[test]
fn beams_find_what_greedy_search_passes_by() {
    // B END is likelier, 0.36, than all that begins with A; A B END follows with 0.189.
    check(&settings(2, 3), &[B], 0.36f64.ln() / 2.0, Stop::EndToken);
    let long = GenerationConfig { length_penalty: 3.0, ..settings(2, 3) };
    check(&long, &[A, B], 0.189f64.ln() / 27.0, Stop::EndToken);
}

#[test]
fn by_the_papers_rule_ended_beams_leave_their_place() {
    let paper =
        |length_penalty| GenerationConfig { beam_rule: BeamRule::Paper, length_penalty, ..settings(2, 3) };
    check(&paper(0.8), &[B], 0.36f64.ln() / 2f64.powf(0.8), Stop::EndToken);
    // A B was not among the best two, so only A A goes on; of its equal successors the first is kept.
    check(&paper(3.0), &[A, A, A], 0.0735f64.ln() / 27.0, Stop::Length);
    let (mut search, mut decoder) = (search(&paper(0.8), 4, &[0]), decoder(4, markov));
    let prompt = Step { sequences: vec![Continuation { parent: None, tokens: vec![0] }] };
    assert_eq!(search.step(), Some(prompt));
    for expected in [vec![(Some(0), vec![A]), (Some(0), vec![B])], vec![(Some(0), vec![A])]] {
        assert!(pollster::block_on(search.advance_with(&mut decoder)).unwrap());
        let step = search.step().unwrap().sequences;
        let found: Vec<_> = step.into_iter().map(|new| (new.parent, new.tokens)).collect();
        assert_eq!(found, expected);
    }
    assert_eq!(search.best().stop, Some(Stop::EndToken));
}

#[test]
fn draws_follow_the_probabilities_and_the_seed() {
    let draw = |seed| {
        let config = GenerationConfig { do_sample: true, seed, ..settings(1, 1) };
        generate(&config, (4, markov), &[0])
    };
    let n_a = (0..2000).filter(|&seed| draw(seed).tokens == [A]).count();
    assert!((1120..1280).contains(&n_a), "{n_a} of 2000 draws at probability 0.6");
    assert_eq!(draw(7), draw(7));
    let score = draw(0).score;
    assert!([0.6f64, 0.4].iter().any(|p| (p.ln() - score).abs() < 1e-6), "{score}");
}

#[test]
fn a_search_ends_where_nothing_is_allowed() {
    let config = GenerationConfig { no_repeat_ngram_size: 1, eos_token_ids: Vec::new(), ..settings(1, 9) };
    let found = generate(&config, (4, markov), &[0]);
    assert_eq!((found.tokens, found.stop), (vec![A, B, END], Some(Stop::NothingAllowed)));
    for (beam_rule, num_beams) in [BeamRule::Transformers, BeamRule::Paper].into_iter().zip([2, 3]) {
        let config = GenerationConfig { beam_rule, num_beams, ..config.clone() };
        let found = generate(&config, (4, |_, _, _| f32::NAN), &[0]);
        assert_eq!((found.tokens, found.stop), (Vec::new(), Some(Stop::NothingAllowed)));
    }
}

#[test]
fn an_error_of_the_decoder_leaves_the_search_where_it_was() {
    let (mut search, mut decoder) = (search(&settings(2, 3), 4, &[0]), decoder(4, markov));
    let before = search.step();
    decoder.fails = true;
    assert_eq!(pollster::block_on(search.advance_with(&mut decoder)), Err("the device is gone"));
    assert_eq!(search.step(), before);
    assert_eq!(pollster::block_on(search.advance_with(&mut decoder)), Ok(true));
}

/// Logits between −3 and 3 that look random.
fn toy(len: usize, last: u32, next: u32) -> f32 {
    let n = len as u32;
    let x = last * 31 + next * 17 + last * next * 7 + n * n * 5 + n * next * 3;
    (x % 97) as f32 / 97.0 * 6.0 - 3.0
}

/// What transformers 5.23 generates from [`toy`] over 13 tokens, with the score of a beam search.
#[test]
fn tokens_are_those_of_transformers() {
    let base = |num_beams, max_new_tokens, ends: &[u32]| GenerationConfig {
        eos_token_ids: ends.to_vec(),
        ..settings(num_beams, max_new_tokens)
    };
    let varied = GenerationConfig { repetition_penalty: 1.5, no_repeat_ngram_size: 2, ..base(1, 10, &[4]) };
    let penalty = |length_penalty| GenerationConfig { length_penalty, ..base(4, 12, &[4, 7]) };
    let early = GenerationConfig { early_stopping: true, ..penalty(0.0) };
    let varied_beams =
        GenerationConfig { repetition_penalty: 1.3, no_repeat_ngram_size: 2, ..base(3, 12, &[4]) };
    let at_least =
        |min_new_tokens| GenerationConfig { min_new_tokens, length_penalty: 0.8, ..base(3, 12, &[4]) };
    let long: &[u32] = &[1, 2, 0, 3, 9, 11, 1, 8, 2, 10, 0, 8];
    let other: &[u32] = &[1, 3, 2, 9, 11, 1, 8, 2, 10, 0, 8, 8];
    // Settings, prompt, text, score.
    type Case<'a> = (GenerationConfig, &'a [u32], &'a [u32], Option<f64>);
    let cases: Vec<Case<'_>> = vec![
        (base(1, 8, &[]), &[1, 2, 3], &[1, 2, 0, 3, 9, 11, 1, 8], None),
        (base(1, 8, &[4]), &[9, 0, 11, 2], &[1, 8, 7, 8, 0, 4], None),
        (varied.clone(), &[1, 2, 3], &[5, 8, 10, 11, 5, 9, 9, 7, 12, 4], None),
        (varied, &[9, 0, 11, 2], &[1, 8, 7, 8, 3, 10, 12, 5, 1, 6], None),
        (base(3, 12, &[4]), &[1, 2, 3], long, Some(-1.129_343_4)),
        (base(3, 12, &[4]), &[9, 0, 11, 2], other, Some(-1.097_949_3)),
        (penalty(0.8), &[1, 2, 3], &[1, 2, 0, 3, 4], Some(-1.692_372)),
        (penalty(0.8), &[9, 0, 11, 2], &[1, 8, 7], Some(-1.456_060_2)),
        (penalty(2.0), &[1, 2, 3], long, Some(-0.094_111_95)),
        (penalty(2.0), &[5], &[11, 8, 1, 2, 0, 3, 9, 11, 1, 8, 2, 10], Some(-0.099_003_59)),
        (early.clone(), &[1, 2, 3], &[7], Some(-1.991_707)),
        (early, &[9, 0, 11, 2], &[1, 8, 7], Some(-3.506_519_8)),
        (varied_beams.clone(), &[1, 2, 3], &[7, 6, 1, 11, 5, 9, 8, 4], Some(-1.249_432_1)),
        (varied_beams, &[9, 0, 11, 2], &[1, 3, 2, 9, 10, 9, 7, 12, 4], Some(-1.317_048_5)),
        (at_least(6), &[1, 2, 3], long, Some(-1.856_360_3)),
        (at_least(8), &[5], &[11, 7, 12, 8, 10, 11, 5, 9, 9, 7, 12, 9], Some(-1.893_530_8)),
    ];
    for (i, (config, prompt, expected, score)) in cases.into_iter().enumerate() {
        let found = generate(&config, (13, toy), prompt);
        // There the end token is part of the text.
        let ended = expected.split_last().filter(|(last, _)| config.eos_token_ids.contains(last));
        let (tokens, stop) = ended.map_or((expected, Stop::Length), |(_, text)| (text, Stop::EndToken));
        assert_eq!((found.tokens.as_slice(), found.stop), (tokens, Some(stop)), "case {i}");
        if let Some(score) = score {
            assert!((found.score - score).abs() < 2e-6, "case {i}: {} but expected {score}", found.score);
        }
    }
}
