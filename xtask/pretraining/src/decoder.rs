//! The decoder: a vocabulary, then an ordinary run of `full` training from fresh weights.
//!
//! It reads texts and representations of the meaning-to-text generator, but never one beside the other: it knows both
//! languages and has to be tuned to translate. A text said twice teaches it to look back.

use anyhow::Context as _;
use clap::Parser;
use dsee_core::{
    builtin,
    checkpoint::{
        NamedTensors,
        write::{TensorToWrite, Values, write_safetensors},
    },
    config::{RunConfig, RunConfigDraft},
    data::{
        RunData,
        generation::{GenerationExample, GenerationSplits},
    },
    engine::{ExportParts, Origin, Run},
    export::format::ExportFormat,
    gpu::Device,
    models::{
        config::ModelConfig,
        family::Head,
        files::{CONFIG_FILE, ModelFiles, PretrainedModel, TOKENIZER_FILE, in_memory},
        parameter::file_tensors,
    },
    protocol::RunEvent,
    tokenizer::{Tokenizer, train_byte_level},
    train::fresh::fresh_tensor,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{collections::BTreeMap, path::PathBuf};

use crate::{card, files};

/// Pretrain the embedded decoder.
#[derive(Debug, Clone, Parser)]
pub struct DecoderArgs {
    /// Where model, card and tokenizer go.
    #[arg(long, value_name = "FOLDER", default_value = "core/src/builtin/decoder")]
    out: PathBuf,
    /// Optimizer steps.
    #[arg(long, default_value_t = 2000)]
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
    #[arg(long, default_value_t = 3)]
    layers: usize,
    /// Seed of text, vocabulary, weights and order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Longest sequence of the model.
const MAX_POSITIONS: usize = 256;
/// Heads of a layer.
const N_HEADS: usize = 4;
/// Longest sequence that is read.
const MAX_LENGTH: usize = 160;
/// Standard deviation of fresh weights.
const INITIALIZER_RANGE: f64 = 0.05;
/// Tokens of the vocabulary, at most.
const VOCAB_SIZE: usize = 620;
/// Texts from which the vocabulary is learned.
const VOCABULARY_LINES: usize = 6000;
/// Texts that are kept for scoring.
const HELD_OUT: usize = 200;
/// Seed of held-out text, apart from those of training.
const HELD_OUT_SEED: u64 = 0x6865_6c64;
/// Name of the weights in the folder of a model.
const WEIGHTS_FILE: &str = "model.safetensors";

/// Makes the decoder, its tokenizer and its card.
///
/// # Errors
/// If there is no adapter, or the result cannot be written.
pub async fn pretrain(args: &DecoderArgs) -> anyhow::Result<()> {
    let tokenizer_json = vocabulary(args.seed)?;
    let vocab_size = Tokenizer::from_bytes(TOKENIZER_FILE, &tokenizer_json)?.vocab_size();
    let json = config_json(args, vocab_size);
    let config = ModelConfig::parse(CONFIG_FILE, json.as_bytes())?;
    let model = open(fresh_weights(&config, args.seed), &json, &tokenizer_json).await?;
    let held_out = builtin::descriptions(args.seed ^ HELD_OUT_SEED, HELD_OUT);
    let data = GenerationSplits {
        train: examples(args),
        validation: held_out.into_iter().map(|text| example(String::new(), text)).collect(),
        validation_is_split: false,
        warnings: Vec::new(),
    };
    let device = Device::open().await?;
    let settings = settings(args)?;
    let origin = Origin::new(&settings, &model, None);
    let mut run = Run::new(&device, settings, model, &RunData::Generation(data), None).await?;
    let before = run_to_end(&mut run, args.steps).await?;
    // Runs over texts are judged by their loss.
    let after = run.rows().iter().rev().find_map(|row| row.metric).context("nothing was evaluated")?;
    let weights = files::half_precision(&trained(&run, &origin).await?);
    let adapter = &device.report().name;
    let card = model_card(args, &config, (before, after), weights.len(), adapter);
    let written = [
        (CONFIG_FILE, json.into_bytes()),
        (TOKENIZER_FILE, tokenizer_json),
        (WEIGHTS_FILE, weights),
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
    let sequence = |(i, text): (usize, String)| {
        let context = match i % 10 {
            0..5 => text.clone(),
            5 | 6 => contexts[i / 10 * 2 % contexts.len()].clone(),
            _ => String::new(),
        };
        example(context, text)
    };
    texts.map(sequence).collect()
}

fn example(context: String, text: String) -> GenerationExample {
    GenerationExample { context, completions: vec![text], seen: None }
}

/// The tokenizer's file, learned from texts and representations.
fn vocabulary(seed: u64) -> anyhow::Result<Vec<u8>> {
    let mut lines = builtin::descriptions(seed, VOCABULARY_LINES);
    lines.extend(builtin::train_meanings(seed).into_iter().map(|example| example.context));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    Ok(train_byte_level(&lines, VOCAB_SIZE)?)
}

/// A model of these weights, as if read from a folder.
async fn open(weights: Vec<u8>, config_json: &str, tokenizer_json: &[u8]) -> anyhow::Result<PretrainedModel> {
    let files = [
        (CONFIG_FILE.to_owned(), config_json.as_bytes().to_vec()),
        (TOKENIZER_FILE.to_owned(), tokenizer_json.to_vec()),
        (WEIGHTS_FILE.to_owned(), weights),
    ];
    let files = ModelFiles { name: builtin::DECODER_NAME.to_owned(), files: in_memory(files) };
    Ok(files.open(&mut |_| ()).await?)
}

/// The file of a model that has not learned anything.
fn fresh_weights(config: &ModelConfig, seed: u64) -> Vec<u8> {
    let parameters = config.family.parameters(config, Head::CausalLm);
    let fresh = |name: &str| {
        let parameter = parameters.iter().find(|parameter| parameter.name == name);
        parameter.map_or_else(Vec::new, |p| fresh_tensor(name, &p.shape, config.initializer_range, seed).data)
    };
    let tensors = file_tensors(&parameters);
    let values: Vec<Vec<f32>> = tensors.iter().map(|tensor| tensor.join(fresh)).collect();
    let list: Vec<TensorToWrite<'_>> = tensors
        .iter()
        .zip(&values)
        .map(|(tensor, values)| TensorToWrite {
            name: tensor.name.to_owned(),
            shape: tensor.shape.clone(),
            values: Values::F32(values),
        })
        .collect();
    write_safetensors(&list, &BTreeMap::new())
}

/// All phases, with progress. Gives the loss of the first step.
async fn run_to_end(run: &mut Run, n_steps: usize) -> anyhow::Result<f64> {
    let bar = ProgressBar::new(n_steps as u64);
    bar.set_style(ProgressStyle::with_template("{pos}/{len} {bar:30} {msg}, {eta} left")?);
    let mut first = None;
    while !run.is_finished() {
        for event in run.advance().await? {
            let RunEvent::Progress(step) = event else { continue };
            first = first.or(Some(step.loss));
            bar.set_position(step.step as u64);
            bar.set_message(format!("loss {:.3}", step.loss));
            if bar.is_hidden() {
                println!("step {}: loss {:.3}, {:.0} s", step.step, step.loss, bar.elapsed().as_secs_f64());
            }
        }
    }
    bar.finish();
    first.context("no step was taken")
}

/// The weights that the run ends with, as files hold them.
async fn trained(run: &Run, origin: &Origin) -> anyhow::Result<NamedTensors> {
    let parts = ExportParts::gather(run.outcome(), run.rows(), origin, &mut async || ()).await?;
    let exported = ExportFormat::Merged.export(&parts.input())?;
    let weights =
        exported.iter().find(|file| file.path == WEIGHTS_FILE).context("no weights were exported")?;
    files::read(&weights.bytes)
}

fn settings(args: &DecoderArgs) -> anyhow::Result<RunConfig> {
    let draft = [
        ("method", "full".to_owned()),
        ("task_type", "generation".to_owned()),
        ("max_length", MAX_LENGTH.to_string()),
        ("max_steps", args.steps.to_string()),
        ("per_device_train_batch_size", args.batch_size.to_string()),
        ("learning_rate", args.learning_rate.to_string()),
        ("warmup_steps", "0.05".to_owned()),
        ("weight_decay", "0.01".to_owned()),
        ("dropout", "0".to_owned()),
        ("eval_strategy", "no".to_owned()),
        ("save_strategy", "no".to_owned()),
        ("seed", args.seed.to_string()),
    ];
    let draft: RunConfigDraft = draft.into_iter().collect();
    draft.check().map_err(|errors| anyhow::anyhow!("{errors:?}"))
}

fn config_json(args: &DecoderArgs, vocab_size: usize) -> String {
    let json = serde_json::json!({
        "activation_function": "gelu_new",
        "architectures": ["GPT2LMHeadModel"],
        "attn_pdrop": 0.0,
        "bos_token_id": vocab_size - 1,
        "embd_pdrop": 0.0,
        "eos_token_id": vocab_size - 1,
        "initializer_range": INITIALIZER_RANGE,
        "layer_norm_epsilon": 1e-5,
        "model_type": "gpt2",
        "n_embd": args.hidden,
        "n_head": N_HEADS,
        "n_layer": args.layers,
        "n_positions": MAX_POSITIONS,
        "pad_token_id": vocab_size - 1,
        "resid_pdrop": 0.0,
        "vocab_size": vocab_size,
    });
    format!("{json:#}\n")
}

fn model_card(
    args: &DecoderArgs,
    config: &ModelConfig,
    (before, after): (f64, f64),
    n_bytes: usize,
    adapter: &str,
) -> String {
    let blanks = [
        ("name", builtin::DECODER_NAME.to_owned()),
        ("layers", config.num_hidden_layers.to_string()),
        ("hidden", config.hidden_size.to_string()),
        ("feed_forward", config.intermediate_size.to_string()),
        ("positions", config.max_position_embeddings.to_string()),
        ("vocab_size", config.vocab_size.to_string()),
        ("n_bytes", n_bytes.to_string()),
        ("n_lines", (args.steps * args.batch_size).to_string()),
        ("steps", args.steps.to_string()),
        ("batch_size", args.batch_size.to_string()),
        ("learning_rate", args.learning_rate.to_string()),
        ("seed", args.seed.to_string()),
        ("adapter", adapter.to_owned()),
        ("held_out", HELD_OUT.to_string()),
        ("after", format!("{after:.2}")),
        ("before", format!("{before:.2}")),
    ];
    card::filled(include_str!("decoder_card.md"), &blanks)
}
