//! Pretrains an encoder from fresh weights by BERT's two objectives (Devlin et al. 2019, section 3.1): masked words, and
//! whether a sentence follows another. It opens with masked words alone, on lines chosen by the caller; then the two
//! objectives take turns, on the same weights and moments.

use crate::checkpoint::NamedTensors;
use crate::data::mlm::MlmCorpus;
use crate::data::{BatchOrder, EncodedDataset};
use crate::gpu::{Device, GpuError, Sizes, StepScalars};
use crate::models::config::ModelConfig;
use crate::models::family::{Head, Parts};
use crate::models::{DropoutRates, Model};
use crate::nn::inputs::{BatchInputs, InputLayout};
use crate::nn::parameters::{ArenaPart, Parameters, Trained};
use crate::nn::plan::TuningPlan;
use crate::ops::adamw::AdamW;
use crate::random::mix;
use crate::train::fresh::fresh_tensor;
use crate::train::schedule::Schedule;
use crate::train::step::{Objective, StepSettings, Trainer};

/// The sentence-pair head: the second sentence follows, or does not.
pub const PAIRS: Head = Head::SequenceClassification { n_labels: 2 };
/// Path of the sentence-pair head here, and in transformers' files.
pub(super) const PAIR_HEAD: (&str, &str) = ("classifier", "cls.seq_relationship");

/// How long and how fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PretrainSettings {
    /// Optimizer steps, of both objectives together.
    pub n_steps: usize,
    /// How many of them open the run.
    pub n_opening_steps: usize,
    /// B
    pub batch_size: usize,
    /// Peak of the learning rate.
    pub schedule: Schedule,
    /// The optimizer.
    pub optimizer: AdamW,
    /// Dropout everywhere.
    pub dropout: f64,
    /// Seed of weights, order, masks and dropout.
    pub seed: u64,
}

/// The two objectives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Guess hidden words.
    Words,
    /// Tell whether the second sentence follows the first.
    Pairs,
}

/// Mean training losses since they were last asked for; `None` for an objective that had no step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PretrainLosses {
    /// Of masked words, in nats a word.
    pub words: Option<f32>,
    /// Of sentence pairs, in nats a pair.
    pub pairs: Option<f32>,
}

/// What is read.
#[derive(Clone, Debug)]
pub struct PretrainText {
    /// Sequences of the opening.
    pub opening: MlmCorpus,
    /// Sequences for masked words afterwards.
    pub words: MlmCorpus,
    /// Pairs; class 0 where the second sentence follows.
    pub pairs: EncodedDataset,
}

impl PretrainText {
    /// What step `step`, counted from 0, reads, and as the how manieth batch of that.
    fn reading(&self, n_opening_steps: usize, step: usize) -> (Task, &MlmCorpus, usize) {
        match step.checked_sub(n_opening_steps) {
            None => (Task::Words, &self.opening, step),
            Some(after) if after.is_multiple_of(2) => (Task::Pairs, &self.words, after / 2),
            Some(after) => (Task::Words, &self.words, after / 2),
        }
    }
}

/// A pretraining run, one step at a time.
pub struct Pretrainer {
    settings: PretrainSettings,
    parameters: Parameters,
    text: PretrainText,
    lessons: [Lesson; 2],
    n_done: usize,
}

/// One objective on the device.
struct Lesson {
    inputs: BatchInputs,
    trainer: Trainer,
    /// Parameters that this objective does not reach: their gradients are those of the other one's last step.
    unreached: Vec<(String, Vec<f32>)>,
}

impl Lesson {
    /// Records the step of one task; `sizes` are names and lengths of all parameters.
    async fn new(
        (device, layout, parameters, optimizer): (&Device, InputLayout, &Parameters, AdamW),
        task: Task,
        model: &dyn Model,
        capacity: Sizes,
        sizes: &[(String, usize)],
    ) -> Result<Self, GpuError> {
        let inputs = BatchInputs::new(device, capacity, layout)?;
        let objective = match task {
            Task::Words => Objective::Words { label_smoothing: 0.0 },
            Task::Pairs => Objective::Classification { label_smoothing: 0.0 },
        };
        let step = StepSettings { objective, optimizer, max_grad_norm: 1.0, accumulation: 1 };
        let trainer = Trainer::new(device, model, parameters, &inputs, step).await?;
        let unreached = sizes.iter().filter(|size| !task.reaches(&size.0));
        let unreached = unreached.map(|(name, len)| (name.clone(), vec![0.0; *len])).collect();
        Ok(Self { inputs, trainer, unreached })
    }
}

impl Pretrainer {
    /// Draws fresh weights and records both steps.
    ///
    /// # Errors
    /// Memory errors of the device, or a kernel the driver refuses.
    pub async fn new(
        device: &Device,
        config: &ModelConfig,
        text: PretrainText,
        settings: PretrainSettings,
    ) -> Result<Self, GpuError> {
        let trained = fresh_parameters(config, settings.seed);
        let sizes: Vec<(String, usize)> =
            trained.iter().map(|parameter| (parameter.name.clone(), parameter.value.data.len())).collect();
        let parameters = Parameters::new(device, &NamedTensors::new(), trained)?;
        let plan = TuningPlan {
            trained: sizes.iter().map(|size| size.0.clone()).collect(),
            ..TuningPlan::default()
        };
        let rates = DropoutRates::of(config, Some(settings.dropout));
        let parts = Parts { config, parameters: &parameters, plan: &plan, rates };
        let [word_model, pair_model] = [Head::MaskedLm, PAIRS].map(|head| config.family.build(&parts, head));
        let batch_size = settings.batch_size;
        let tokens = text.opening.max_tokens_bound(batch_size).max(text.words.max_tokens_bound(batch_size));
        let word_capacity = Sizes { tokens, sequences: batch_size, targets: tokens };
        let tokens = text.pairs.max_tokens_bound(batch_size);
        let pair_capacity = Sizes { tokens, sequences: batch_size, targets: 0 };
        let shared = (device, config.inputs(), &parameters, settings.optimizer);
        let lessons = [
            Lesson::new(shared, Task::Words, word_model.as_ref(), word_capacity, &sizes).await?,
            Lesson::new(shared, Task::Pairs, pair_model.as_ref(), pair_capacity, &sizes).await?,
        ];
        Ok(Self { settings, parameters, text, lessons, n_done: 0 })
    }

    /// Steps done.
    #[must_use]
    pub fn n_done(&self) -> usize {
        self.n_done
    }

    /// Does one step.
    ///
    /// # Errors
    /// Whatever went wrong on the device until then.
    pub async fn step(&mut self) -> Result<(), GpuError> {
        let PretrainSettings { schedule, optimizer, seed, batch_size, .. } = self.settings;
        let (task, words, batch) = self.text.reading(self.settings.n_opening_steps, self.n_done);
        let pairs = &self.text.pairs;
        let n_examples = if task == Task::Words { words.len() } else { pairs.len() };
        let order = BatchOrder { seed, n_examples, batch_size };
        let epoch = (batch / order.n_batches()) as u32;
        let epoch_order = order.epoch(epoch);
        let examples = epoch_order.batch(batch % order.n_batches());
        let Lesson { inputs, trainer, unreached } = &mut self.lessons[task as usize];
        for (name, zeros) in unreached {
            self.parameters.write(ArenaPart::Gradient, name, zeros);
        }
        let mut write = |_| match task {
            Task::Pairs => inputs.write(&pairs.pack(examples), None),
            Task::Words => {
                let hidden = words.pack(examples, seed, epoch);
                inputs.write(&hidden.batch, Some((&hidden.positions, &hidden.target_ids)))
            }
        };
        let power = |beta: f32| 1.0 - f64::from(beta).powi(self.n_done as i32 + 1);
        let scalars = StepScalars {
            learning_rate: schedule.learning_rate(self.n_done) as f32,
            bias_correction1: power(optimizer.beta1) as f32,
            bias_correction2: power(optimizer.beta2) as f32,
            dropout_seed: mix(mix(seed as u32).wrapping_add(self.n_done as u32)),
            ..StepScalars::default()
        };
        trainer.step(scalars, &mut write).await?;
        self.n_done += 1;
        Ok(())
    }

    /// Mean losses of the steps since the last call, of which there may be at most [`RING_SLOTS`] for each objective.
    ///
    /// [`RING_SLOTS`]: super::step::RING_SLOTS
    ///
    /// # Errors
    /// Whatever went wrong on the device until then.
    pub async fn losses(&mut self) -> Result<PretrainLosses, GpuError> {
        let mut means = [None; 2];
        for (lesson, mean) in self.lessons.iter_mut().zip(&mut means) {
            let metrics = lesson.trainer.metrics().await?;
            let sum: f32 = metrics.iter().map(|metrics| metrics.loss).sum();
            *mean = (!metrics.is_empty()).then(|| sum / metrics.len() as f32);
        }
        let [words, pairs] = means;
        Ok(PretrainLosses { words, pairs })
    }

    /// The weights as they are now, in transformers' names for `BertForPreTraining`.
    ///
    /// # Errors
    /// Whatever went wrong on the device until then.
    pub async fn weights(&self) -> Result<NamedTensors, GpuError> {
        let values = self.parameters.read(ArenaPart::Value).await?;
        let (ours, theirs) = PAIR_HEAD;
        let rename =
            |name: String| name.strip_prefix(ours).map_or(name.clone(), |rest| format!("{theirs}{rest}"));
        Ok(values.into_iter().map(|(name, tensor)| (rename(name), tensor)).collect())
    }
}

impl Task {
    /// Whether this objective has a gradient for a parameter.
    fn reaches(self, parameter: &str) -> bool {
        match self {
            Self::Words => !parameter.starts_with(PAIR_HEAD.0) && !parameter.starts_with("bert.pooler."),
            Self::Pairs => !parameter.starts_with("cls.predictions."),
        }
    }
}

/// Encoder, pooler and both heads before training.
fn fresh_parameters(config: &ModelConfig, seed: u64) -> Vec<Trained> {
    let mut specs = config.family.parameters(config, PAIRS);
    let words = config.family.parameters(config, Head::MaskedLm);
    let heads = words.into_iter().filter(|spec| specs.iter().all(|other| other.name != spec.name));
    let heads: Vec<_> = heads.collect();
    specs.extend(heads);
    specs
        .into_iter()
        .map(|spec| Trained {
            value: fresh_tensor(&spec.name, &spec.shape, config.initializer_range, seed),
            decays: spec.shape.len() > 1,
            name: spec.name,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::config::SchedulerType;
    use crate::data::Label;
    use crate::models::config::tests::tiny;
    use crate::tokenizer::{CaseRule, Tokenizer};

    const VOCABULARY: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\nf\n";

    fn pretrainer(device: &Device) -> Pretrainer {
        let tokenizer = Tokenizer::from_vocab("vocab.txt", VOCABULARY.as_bytes(), CaseRule::Lower).unwrap();
        let corpus = |lines: [&str; 2]| MlmCorpus::new(lines, &tokenizer, 6).unwrap();
        let mut pairs = EncodedDataset::default();
        for (second, label) in [("b", 0), ("c", 1)] {
            pairs.push(&tokenizer.encode("a", Some(second), 6).unwrap(), Label::Class(label));
        }
        let text =
            PretrainText { opening: corpus(["a b c", "b c d"]), words: corpus(["d e f", "e f a"]), pairs };
        let schedule =
            Schedule { kind: SchedulerType::Constant, peak: 0.01, warmup_steps: 0, total_steps: 40 };
        let optimizer = AdamW { beta1: 0.9, beta2: 0.98, eps: 1e-8, weight_decay: 0.0 };
        let settings = PretrainSettings {
            n_steps: 40,
            n_opening_steps: 2,
            batch_size: 2,
            schedule,
            optimizer,
            dropout: 0.0,
            seed: 3,
        };
        pollster::block_on(Pretrainer::new(device, &tiny(), text, settings)).unwrap()
    }

    fn values(run: &Pretrainer, part: ArenaPart, name: &str) -> Vec<f32> {
        pollster::block_on(run.parameters.read(part)).unwrap()[name].data.clone()
    }

    #[test]
    fn no_objective_moves_what_it_does_not_reach() {
        let mut run = pretrainer(&Device::reference());
        let pooler = "bert.pooler.dense.weight";
        let fresh = values(&run, ArenaPart::Value, pooler);
        pollster::block_on(async {
            run.step().await.unwrap();
            run.step().await.unwrap();
        });
        assert_eq!(values(&run, ArenaPart::Value, pooler), fresh, "the opening guesses words");
        pollster::block_on(run.step()).unwrap();
        assert_ne!(values(&run, ArenaPart::Value, pooler), fresh, "then pairs join in");
        let of_words = values(&run, ArenaPart::Gradient, "cls.predictions.bias");
        assert!(of_words.iter().all(|&gradient| gradient == 0.0), "{of_words:?}");
        pollster::block_on(run.step()).unwrap();
        let of_pairs = values(&run, ArenaPart::Gradient, pooler);
        assert!(of_pairs.iter().all(|&gradient| gradient == 0.0), "{of_pairs:?}");
        assert_eq!(run.n_done(), 4);
    }

    #[test]
    fn both_losses_fall_and_the_file_has_both_heads() {
        let mut run = pretrainer(&Device::reference());
        let mut losses = Vec::new();
        for _ in 0..4 {
            for _ in 0..10 {
                pollster::block_on(run.step()).unwrap();
            }
            losses.push(pollster::block_on(run.losses()).unwrap());
        }
        let (first, last) = (losses[0], losses[3]);
        assert!(last.words.unwrap() < 0.8 * first.words.unwrap(), "{losses:?}");
        assert!(last.pairs.unwrap() < 0.8 * first.pairs.unwrap(), "{losses:?}");
        let weights = pollster::block_on(run.weights()).unwrap();
        for name in ["cls.seq_relationship.weight", "cls.predictions.bias", "bert.pooler.dense.bias"] {
            assert!(weights.contains_key(name), "{name}");
        }
        assert!(!weights.contains_key("classifier.weight"));
    }
}
