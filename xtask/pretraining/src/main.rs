//! Makes the tiny models that are embedded in the program: the encoder by `cargo xtask pretrain --text FILE…`, the
//! decoder by `cargo xtask pretrain decoder` ([`decoder`]). Of the encoder:
//!
//! A vocabulary, then BERT's two objectives, on public-domain text and on the text of our own generator, with our own
//! trainer. Every random choice comes from one seed. The result and its model card replace those in the repository.

mod card;
mod corpus;
mod decoder;
mod files;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use dsee_core::{
    gpu::Device,
    models::config::ModelConfig,
    ops::adamw::AdamW,
    train::{
        pretrain::{PretrainSettings, Pretrainer},
        schedule::Schedule,
        step::RING_SLOTS,
    },
};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;

/// Pretrain the embedded encoder, or the embedded decoder.
#[derive(Debug, Clone, Parser)]
#[command(
    bin_name = "cargo xtask pretrain",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Args {
    #[command(subcommand)]
    other: Option<Other>,
    /// Text files in the public domain; blank lines separate paragraphs.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    text: Vec<PathBuf>,
    /// Where model, card and tokenizer go.
    #[arg(long, value_name = "FOLDER", default_value = "core/src/builtin/model")]
    out: PathBuf,
    /// Optimizer steps.
    #[arg(long, default_value_t = 3200)]
    steps: usize,
    /// How many of them open the run: guessing verdicts from reviews.
    #[arg(long, default_value_t = 1700)]
    opening_steps: usize,
    /// Sequences of a step.
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Peak of the learning rate.
    #[arg(long, default_value_t = 1e-3)]
    learning_rate: f64,
    /// Hidden size.
    #[arg(long, default_value_t = 128)]
    hidden: usize,
    /// Layers.
    #[arg(long, default_value_t = 2)]
    layers: usize,
    /// Standard deviation of fresh weights.
    #[arg(long, default_value_t = 0.05)]
    initializer_range: f64,
    /// Tokens of the vocabulary, at most.
    #[arg(long, default_value_t = 2000)]
    vocab_size: usize,
    /// Seed of text, vocabulary, weights, order, masks and dropout.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What else there is to pretrain.
#[derive(Debug, Clone, Subcommand)]
enum Other {
    /// Pretrain the embedded decoder.
    Decoder(decoder::DecoderArgs),
}

/// Longest sequence of the model.
const MAX_POSITIONS: usize = 128;
/// Dropout while pretraining, and of the finished model.
const DROPOUT: f64 = 0.0;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match &args.other {
        Some(Other::Decoder(args)) => pollster::block_on(decoder::pretrain(args)),
        None => pollster::block_on(pretrain(&args)),
    }
}

async fn pretrain(args: &Args) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.opening_steps < args.steps && args.batch_size > 0,
        "expected fewer --opening-steps than --steps, and a --batch-size of at least 1"
    );
    let texts = corpus::read_texts(&args.text)?;
    let corpus = corpus::Corpus::new(&texts, args)?;
    let json = config_json(args, corpus.tokenizer.vocab_size());
    let config = ModelConfig::parse("config.json", json.as_bytes())?;
    let device = Device::open().await?;
    println!(
        "{} tokens in the vocabulary, {} sequences and {} pairs, on {}",
        corpus.tokenizer.vocab_size(),
        corpus.text.opening.len() + corpus.text.words.len(),
        corpus.text.pairs.len(),
        device.report().name
    );
    let settings = settings(args);
    let mut run = Pretrainer::new(&device, &config, corpus.text.clone(), settings).await?;
    train(&mut run, args.steps).await?;
    let weights = files::half_precision(&run.weights().await?);
    let score = corpus.held_out(args.seed)?.score(&device, &config, &files::read(&weights)?).await?;
    println!("{score:?}");
    let adapter = &device.report().name;
    let card = card::model_card(args, &config, &texts, &corpus, score, weights.len(), adapter);
    files::write(
        &args.out,
        &[
            ("config.json", json.into_bytes()),
            ("tokenizer.json", corpus.tokenizer_json),
            ("model.safetensors", weights),
            ("README.md", card.into_bytes()),
        ],
    )
    .with_context(|| format!("nothing was written: {}", args.out.display()))
}

/// Runs all steps, showing losses and the time left.
async fn train(run: &mut Pretrainer, n_steps: usize) -> anyhow::Result<()> {
    let bar = ProgressBar::new(n_steps as u64);
    bar.set_style(ProgressStyle::with_template("{pos}/{len} {bar:30} {msg}, {eta} left")?);
    let every = RING_SLOTS / 2;
    for step in 1..=n_steps {
        run.step().await?;
        bar.inc(1);
        if step % every == 0 || step == n_steps {
            let losses = run.losses().await?;
            let show = |loss: Option<f32>| loss.map_or("-".to_owned(), |loss| format!("{loss:.3}"));
            let line = format!("loss of words {}, of pairs {}", show(losses.words), show(losses.pairs));
            bar.set_message(line.clone());
            if bar.is_hidden() {
                println!("step {step}: {line}, {:.0} s", bar.elapsed().as_secs_f64());
            }
        }
    }
    bar.finish();
    Ok(())
}

fn settings(args: &Args) -> PretrainSettings {
    let schedule = Schedule {
        kind: dsee_core::config::SchedulerType::Linear,
        peak: args.learning_rate,
        warmup_steps: args.steps / 20,
        total_steps: args.steps,
    };
    PretrainSettings {
        n_steps: args.steps,
        n_opening_steps: args.opening_steps,
        batch_size: args.batch_size,
        schedule,
        optimizer: AdamW { beta1: 0.9, beta2: 0.98, eps: 1e-8, weight_decay: 0.01 },
        dropout: DROPOUT,
        seed: args.seed,
    }
}

fn config_json(args: &Args, vocab_size: usize) -> String {
    let json = serde_json::json!({
        "architectures": ["BertForPreTraining"],
        "attention_probs_dropout_prob": DROPOUT,
        "hidden_act": "gelu",
        "hidden_dropout_prob": DROPOUT,
        "hidden_size": args.hidden,
        "initializer_range": args.initializer_range,
        "intermediate_size": 4 * args.hidden,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": MAX_POSITIONS,
        "model_type": "bert",
        "num_attention_heads": 4,
        "num_hidden_layers": args.layers,
        "pad_token_id": 0,
        "type_vocab_size": 2,
        "vocab_size": vocab_size,
    });
    format!("{json:#}\n")
}
