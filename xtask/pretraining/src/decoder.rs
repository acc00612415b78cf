//! Makes the tiny decoder that is embedded in the program: `cargo xtask pretrain decoder`.
//!
//! It reads texts and representations of the meaning-to-text generator, but never one beside the other: it knows both
//! languages and has to be tuned to translate. A text said twice teaches it to look back.

use anyhow::Context as _;
use clap::Parser;
use dsee_core::{
    builtin,
    checkpoint::{HostTensor, NamedTensors, safetensors_read::read_safetensors},
    config::SchedulerType,
    data::{BatchOrder, causal::CausalDataset, generation::GenerationExample},
    gpu::{Device, Sizes, StepScalars},
    models::{
        DropoutRates,
        config::ModelConfig,
        family::{Head, Parts},
        load::load_model,
        parameter::file_tensors,
    },
    nn::{
        inputs::BatchInputs,
        parameters::{ArenaPart, Parameters, Trained},
        plan::TuningPlan,
    },
    omega::site_stream,
    ops::adamw::AdamW,
    random::Random,
    tokenizer::{Tokenizer, train_byte_level},
    train::{
        evaluate::Evaluator,
        schedule::Schedule,
        step::{Objective, RING_SLOTS, StepSettings, Trainer},
    },
};
use std::path::PathBuf;

use crate::files;

/// Pretrain the embedded decoder.
#[derive(Debug, Clone, Parser)]
pub struct DecoderArgs {
    /// Where model, card and tokenizer go.
    #[arg(long, value_name = "FOLDER", default_value = "core/src/builtin/decoder")]
    out: PathBuf,
    /// Optimizer steps.
    #[arg(long, default_value_t = 240)]
    steps: usize,
    /// Sequences of a step.
    #[arg(long, default_value_t = 16)]
    batch_size: usize,
    /// Peak of the learning rate.
    #[arg(long, default_value_t = 2e-3)]
    learning_rate: f64,
    /// Hidden size.
    #[arg(long, default_value_t = 128)]
    hidden: usize,
    /// Layers.
    #[arg(long, default_value_t = 2)]
    layers: usize,
    /// Seed of text, vocabulary, weights and order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Tokens of the vocabulary, at most.
const VOCAB_SIZE: usize = 620;
/// Longest sequence of the model.
const MAX_POSITIONS: usize = 256;
/// Longest sequence that is read.
const MAX_LENGTH: usize = 128;
/// Texts that the vocabulary is learned from.
const VOCABULARY_LINES: usize = 6000;
/// Texts that are kept for scoring.
const HELD_OUT: usize = 200;
/// Seed of held-out texts, apart from those of training.
const HELD_OUT_SEED: u64 = 0x6865_6c64;

/// Trains, scores and writes the decoder.
pub async fn pretrain(args: &DecoderArgs) -> anyhow::Result<()> {
    anyhow::ensure!(args.steps > 0 && args.batch_size > 0, "expected a step and a sequence at least");
    let examples = examples(args);
    let tokenizer_json = vocabulary(args.seed)?;
    let tokenizer = Tokenizer::from_bytes("tokenizer.json", &tokenizer_json)?;
    let json = config_json(args, tokenizer.vocab_size());
    let config = ModelConfig::parse("config.json", json.as_bytes())?;
    let text = CausalDataset::from_examples(&examples, &tokenizer, MAX_LENGTH)?;
    let held_out = builtin::descriptions(HELD_OUT_SEED, HELD_OUT);
    let held_out = CausalDataset::from_texts(held_out.iter().map(String::as_str), &tokenizer, MAX_LENGTH)?;
    let device = Device::open().await?;
    let fresh = fresh_weights(&config, args.seed);
    let fresh_bytes = as_file(&config, &fresh);
    let weights = as_file(&config, &train(args, &device, &config, &text, fresh).await?);
    let before = perplexity(&device, &config, &fresh_bytes, &held_out).await?;
    let after = perplexity(&device, &config, &weights, &held_out).await?;
    println!("perplexity {before:.1} before, {after:.2} after");
    let mut card = include_str!("decoder_card.md").to_owned();
    for (blank, value) in [
        ("name", builtin::DECODER_NAME.to_owned()),
        ("layers", args.layers.to_string()),
        ("hidden", args.hidden.to_string()),
        ("feed_forward", config.intermediate_size.to_string()),
        ("positions", MAX_POSITIONS.to_string()),
        ("vocab_size", config.vocab_size.to_string()),
        ("n_bytes", weights.len().to_string()),
        ("steps", args.steps.to_string()),
        ("batch_size", args.batch_size.to_string()),
        ("n_tokens", text.n_tokens().to_string()),
        ("n_lines", examples.len().to_string()),
        ("learning_rate", args.learning_rate.to_string()),
        ("seed", args.seed.to_string()),
        ("adapter", device.report().name.clone()),
        ("held_out", HELD_OUT.to_string()),
        ("before", format!("{before:.1}")),
        ("after", format!("{after:.2}")),
    ] {
        card = card.replace(&format!("{{{blank}}}"), &value);
    }
    let written = [
        ("config.json", json.into_bytes()),
        ("tokenizer.json", tokenizer_json),
        ("model.safetensors", weights),
        ("README.md", card.into_bytes()),
    ];
    files::write(&args.out, &written).with_context(|| format!("nothing was written: {}", args.out.display()))
}

/// What is read, each but the representations once: half of it a text and the same again, a fifth a representation and the
/// text of something else, the rest a text.
fn examples(args: &DecoderArgs) -> Vec<GenerationExample> {
    let n = args.steps * args.batch_size;
    let contexts: Vec<String> =
        builtin::train_meanings(args.seed).into_iter().map(|example| example.context).collect();
    let texts = builtin::descriptions(args.seed, n).into_iter().enumerate();
    let example = |(i, text): (usize, String)| {
        let context = match i % 10 {
            0..5 => text.clone(),
            5 | 6 => contexts[i / 10 * 2 % contexts.len()].clone(),
            _ => String::new(),
        };
        GenerationExample { context, completions: vec![text], seen: None }
    };
    texts.map(example).collect()
}

/// The tokenizer's file, learned from texts and representations.
fn vocabulary(seed: u64) -> anyhow::Result<Vec<u8>> {
    let mut lines = builtin::descriptions(seed, VOCABULARY_LINES);
    lines.extend(builtin::train_meanings(seed).into_iter().map(|example| example.context));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    Ok(train_byte_level(&lines, VOCAB_SIZE)?)
}

fn config_json(args: &DecoderArgs, vocab_size: usize) -> String {
    let json = serde_json::json!({
        "activation_function": "gelu_new",
        "architectures": ["GPT2LMHeadModel"],
        "attn_pdrop": 0.0,
        "bos_token_id": vocab_size - 1,
        "embd_pdrop": 0.0,
        "eos_token_id": vocab_size - 1,
        "initializer_range": 0.05,
        "layer_norm_epsilon": 1e-5,
        "model_type": "gpt2",
        "n_embd": args.hidden,
        "n_head": 4,
        "n_layer": args.layers,
        "n_positions": MAX_POSITIONS,
        "pad_token_id": vocab_size - 1,
        "resid_pdrop": 0.0,
        "vocab_size": vocab_size,
    });
    format!("{json:#}\n")
}

/// All weights before training: matrices normal, biases zero, layer norms one.
fn fresh_weights(config: &ModelConfig, seed: u64) -> NamedTensors {
    let fresh = |name: &str, shape: Vec<usize>| {
        let mut random = Random::new(seed, site_stream(name));
        let mut value = || match (name.ends_with("bias"), shape.len()) {
            (true, _) => 0.0,
            (false, 1) => 1.0,
            _ => (random.normal() * config.initializer_range) as f32,
        };
        let data = (0..shape.iter().product()).map(|_| value()).collect();
        HostTensor { shape, data }
    };
    let parameters = config.family.parameters(config, Head::CausalLm);
    parameters.into_iter().map(|p| (p.name.clone(), fresh(&p.name, p.shape))).collect()
}

/// The weights as everybody will read them: in transformers' names and shapes, in half precision.
fn as_file(config: &ModelConfig, weights: &NamedTensors) -> Vec<u8> {
    let parameters = config.family.parameters(config, Head::CausalLm);
    let tensors = file_tensors(&parameters);
    let tensor = |tensor: &dsee_core::models::parameter::FileTensor<'_>| HostTensor {
        shape: tensor.shape.clone(),
        data: tensor.join(|name| weights[name].data.clone()),
    };
    files::half_precision(&tensors.iter().map(|t| (t.name.to_owned(), tensor(t))).collect())
}

/// Learns to guess the next token. Gives all weights, in our names.
async fn train(
    args: &DecoderArgs,
    device: &Device,
    config: &ModelConfig,
    text: &CausalDataset,
    fresh: NamedTensors,
) -> anyhow::Result<NamedTensors> {
    let trained =
        fresh.into_iter().map(|(name, value)| Trained { decays: value.shape.len() > 1, name, value });
    let trained: Vec<Trained> = trained.collect();
    let names = trained.iter().map(|parameter| parameter.name.clone()).collect();
    let parameters = Parameters::new(device, &NamedTensors::new(), trained)?;
    let plan = TuningPlan { trained: names, ..TuningPlan::default() };
    let parts = Parts { config, parameters: &parameters, plan: &plan, rates: DropoutRates::default() };
    let model = config.family.build(&parts, Head::CausalLm);
    let tokens = text.max_tokens_bound(args.batch_size);
    let capacity = Sizes { tokens, sequences: args.batch_size, targets: tokens };
    let inputs = BatchInputs::new(device, capacity, config.inputs())?;
    let optimizer = AdamW { beta1: 0.9, beta2: 0.98, eps: 1e-8, weight_decay: 0.01 };
    let objective = Objective::Words { label_smoothing: 0.0 };
    let settings = StepSettings { objective, optimizer, max_grad_norm: 1.0, accumulation: 1 };
    let mut trainer = Trainer::new(device, model.as_ref(), &parameters, &inputs, settings).await?;
    let (kind, total_steps) = (SchedulerType::Linear, args.steps);
    let schedule = Schedule { kind, peak: args.learning_rate, warmup_steps: args.steps / 20, total_steps };
    let order = BatchOrder { seed: args.seed, n_examples: text.len(), batch_size: args.batch_size };
    for step in 0..args.steps {
        let epoch = order.epoch((step / order.n_batches()) as u32);
        let packed = text.pack(epoch.batch(step % order.n_batches()));
        let mut write = |_| inputs.write(&packed.batch, Some((&packed.positions, &packed.target_ids)));
        let power = |beta: f32| 1.0 - f64::from(beta).powi(step as i32 + 1);
        let scalars = StepScalars {
            learning_rate: schedule.learning_rate(step) as f32,
            bias_correction1: power(optimizer.beta1) as f32,
            bias_correction2: power(optimizer.beta2) as f32,
            ..StepScalars::default()
        };
        trainer.step(scalars, &mut write).await?;
        if (step + 1) % (RING_SLOTS / 8) == 0 || step + 1 == args.steps {
            let losses = trainer.metrics().await?;
            let mean = losses.iter().map(|m| m.loss).sum::<f32>() / losses.len().max(1) as f32;
            println!("step {} of {}: loss {mean:.3}", step + 1, args.steps);
        }
    }
    Ok(parameters.read(ArenaPart::Value).await?)
}

/// Perplexity of stored weights.
async fn perplexity(
    device: &Device,
    config: &ModelConfig,
    file: &[u8],
    text: &CausalDataset,
) -> anyhow::Result<f64> {
    /// Sequences of one batch.
    const BATCH: usize = 16;
    let checkpoint = read_safetensors("model.safetensors", file)?;
    let weights = load_model(config, "config.json", checkpoint, Head::CausalLm)?.matched.params;
    let parameters = Parameters::new(device, &weights, Vec::new())?;
    let plan = TuningPlan::default();
    let parts = Parts { config, parameters: &parameters, plan: &plan, rates: DropoutRates::default() };
    let model = config.family.build(&parts, Head::CausalLm);
    let tokens = text.max_tokens_bound(BATCH);
    let capacity = Sizes { tokens, sequences: BATCH, targets: tokens };
    let inputs = BatchInputs::new(device, capacity, config.inputs())?;
    let evaluator = Evaluator::of_logits(device, model.as_ref(), &inputs).await?;
    let (mut sum, mut n) = (0.0, 0);
    let all: Vec<u32> = (0..text.len() as u32).collect();
    for batch in all.chunks(BATCH) {
        let packed = text.pack(batch);
        let sizes = inputs.write(&packed.batch, Some((&packed.positions, &packed.target_ids)));
        let logits = evaluator.run(sizes).await?;
        for (row, &target) in logits.chunks(config.vocab_size).zip(&packed.target_ids) {
            let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let total: f64 = row.iter().map(|&logit| f64::from(logit - top).exp()).sum();
            sum += total.ln() - f64::from(row[target as usize] - top);
            n += 1;
        }
    }
    Ok((sum / f64::from(n.max(1))).exp())
}
