//! Model cards: texts with their blanks filled in.

use dsee_core::{
    builtin::{DATA_SEED, MODEL_NAME},
    models::config::ModelConfig,
    train::pretrain_score::PretrainScore,
};

use crate::Args;
use crate::corpus::{Corpus, HELD_OUT, Text};

/// What was made, from what, how, and what it is good for.
pub fn model_card(
    args: &Args,
    config: &ModelConfig,
    texts: &[Text],
    corpus: &Corpus,
    score: PretrainScore,
    n_bytes: usize,
    adapter: &str,
) -> String {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let names: Vec<String> = texts.iter().map(|text| format!("  - {}", text.name)).collect();
    let n_paragraphs: usize = texts.iter().map(|text| text.paragraphs.len()).sum();
    let n_sequences = corpus.text.opening.len() + corpus.text.words.len();
    let blanks = [
        ("MODEL_NAME", MODEL_NAME.to_owned()),
        ("num_hidden_layers", config.num_hidden_layers.to_string()),
        ("hidden_size", config.hidden_size.to_string()),
        ("num_attention_heads", config.num_attention_heads.to_string()),
        ("intermediate_size", config.intermediate_size.to_string()),
        ("positions", config.max_position_embeddings.to_string()),
        ("vocab_size", config.vocab_size.to_string()),
        ("n_bytes", n_bytes.to_string()),
        ("n_generated", corpus.n_generated.to_string()),
        ("n_pairs", corpus.text.pairs.len().to_string()),
        ("n_paragraphs", n_paragraphs.to_string()),
        ("n_pieces", (n_sequences - corpus.n_generated).to_string()),
        ("names", names.join("\n")),
        ("opening_steps", args.opening_steps.to_string()),
        ("n_after", (args.steps - args.opening_steps).to_string()),
        ("n_read", ((args.steps - args.opening_steps) / 2 * args.batch_size).to_string()),
        ("batch_size", args.batch_size.to_string()),
        ("learning_rate", args.learning_rate.to_string()),
        ("seed", args.seed.to_string()),
        ("adapter", adapter.to_owned()),
        ("HELD_OUT", HELD_OUT.to_string()),
        ("word_loss", format!("{:.3}", score.word_loss)),
        ("chance_loss", format!("{:.3}", (config.vocab_size as f64).ln())),
        ("words", percent(score.words)),
        ("chance", percent(1.0 / config.vocab_size as f64)),
        ("telling", percent(score.favoured_words)),
        ("pairs", percent(score.pairs)),
        ("DATA_SEED", DATA_SEED.to_string()),
    ];
    filled(include_str!("card.md"), &blanks)
}

/// A text with its `{blanks}` filled in.
pub fn filled(text: &str, blanks: &[(&str, String)]) -> String {
    blanks.iter().fold(text.to_owned(), |text, (blank, value)| text.replace(&format!("{{{blank}}}"), value))
}
