//! How well a pretrained encoder guesses hidden words and tells pairs that belong together from others.

use crate::checkpoint::NamedTensors;
use crate::data::EncodedDataset;
use crate::data::mlm::MlmCorpus;
use crate::gpu::{Device, GpuError, Sizes};
use crate::models::config::ModelConfig;
use crate::models::family::{Head, Parts};
use crate::models::{DropoutRates, Model};
use crate::nn::inputs::BatchInputs;
use crate::nn::parameters::Parameters;
use crate::nn::plan::TuningPlan;
use crate::train::evaluate::Evaluator;
use crate::train::pretrain::{PAIR_HEAD, PAIRS};

/// Sequences of one batch.
const BATCH: usize = 32;

/// Shares of right guesses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PretrainScore {
    /// Mean loss of the hidden words, in nats.
    pub word_loss: f64,
    /// Of all hidden words.
    pub words: f64,
    /// Of the hidden words among those the corpus favours.
    pub favoured_words: f64,
    /// Of the sentence pairs.
    pub pairs: f64,
}

/// Scores `weights`, in the names of `BertForPreTraining`, on `words` as hidden in epoch 0 of `seed`, and on `pairs`.
///
/// # Errors
/// Memory errors of the device, or a kernel the driver refuses.
pub async fn score(
    device: &Device,
    config: &ModelConfig,
    weights: &NamedTensors,
    words: &MlmCorpus,
    pairs: &EncodedDataset,
    seed: u64,
) -> Result<PretrainScore, GpuError> {
    let (ours, theirs) = PAIR_HEAD;
    let rename =
        |name: &String| name.strip_prefix(theirs).map_or(name.clone(), |rest| format!("{ours}{rest}"));
    let frozen = weights.iter().map(|(name, tensor)| (rename(name), tensor.clone())).collect();
    let parameters = Parameters::new(device, &frozen, Vec::new())?;
    let mut score = PretrainScore::default();
    score_words(device, config, &parameters, words, seed, &mut score).await?;
    score.pairs = score_pairs(device, config, &parameters, pairs).await?;
    Ok(score)
}

async fn score_words(
    device: &Device,
    config: &ModelConfig,
    parameters: &Parameters,
    words: &MlmCorpus,
    seed: u64,
    score: &mut PretrainScore,
) -> Result<(), GpuError> {
    let model = build(config, parameters, Head::MaskedLm);
    let tokens = words.max_tokens_bound(BATCH);
    let capacity = Sizes { tokens, sequences: BATCH, targets: tokens };
    let inputs = BatchInputs::new(device, capacity, config.inputs())?;
    let evaluator = Evaluator::of_logits(device, model.as_ref(), &inputs).await?;
    let (mut n_all, mut n_favoured) = (0, 0);
    let all: Vec<u32> = (0..words.len() as u32).collect();
    for batch in all.chunks(BATCH) {
        let hidden = words.pack(batch, seed, 0);
        let labels = &hidden.target_ids;
        let logits = evaluator.run(inputs.write(&hidden.batch, Some((&hidden.positions, labels)))).await?;
        for (logits, &label) in logits.chunks(config.vocab_size).zip(labels) {
            let right = f64::from(u8::from(largest(logits) == label as usize));
            score.word_loss += loss(logits, label as usize);
            score.words += right;
            n_all += 1;
            if words.favours(label) {
                score.favoured_words += right;
                n_favoured += 1;
            }
        }
    }
    score.word_loss /= f64::from(n_all.max(1));
    score.words /= f64::from(n_all.max(1));
    score.favoured_words /= f64::from(n_favoured.max(1));
    Ok(())
}

async fn score_pairs(
    device: &Device,
    config: &ModelConfig,
    parameters: &Parameters,
    pairs: &EncodedDataset,
) -> Result<f64, GpuError> {
    let model = build(config, parameters, PAIRS);
    let capacity = Sizes { tokens: pairs.max_tokens_bound(BATCH), sequences: BATCH, targets: 0 };
    let inputs = BatchInputs::new(device, capacity, config.inputs())?;
    let evaluator = Evaluator::new(device, model.as_ref(), &inputs).await?;
    let mut n_right = 0;
    let all: Vec<u32> = (0..pairs.len() as u32).collect();
    for batch in all.chunks(BATCH) {
        let batch = pairs.pack(batch);
        let logits = evaluator.logits(&inputs, &batch).await?;
        let guesses = logits.chunks(evaluator.n_outputs()).map(largest);
        n_right += guesses.zip(&batch.classes).filter(|(guess, class)| *guess == **class as usize).count();
    }
    Ok(n_right as f64 / pairs.len().max(1) as f64)
}

/// The model as it stands, without dropout.
fn build(config: &ModelConfig, parameters: &Parameters, head: Head) -> Box<dyn Model> {
    let (plan, rates) = (TuningPlan::default(), DropoutRates::default());
    config.family.build(&Parts { config, parameters, plan: &plan, rates }, head)
}

/// Index of the largest logit.
fn largest(logits: &[f32]) -> usize {
    logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |best| best.0)
}

/// Cross-entropy of one row.
fn loss(logits: &[f32], label: usize) -> f64 {
    let top = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - top).exp()).sum();
    top + sum.ln() - f64::from(logits[label])
}
