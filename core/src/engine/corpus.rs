//! What a run learns from, whatever its form: examples with labels, texts to continue, texts with hidden words.

use super::error::EngineError;
use crate::config::{FieldError, RunConfig};
use crate::data::causal::CausalDataset;
use crate::data::mlm::MlmCorpus;
use crate::data::{BatchOrder, EncodedDataset, LabelSet, RunData, TaskKind};
use crate::gpu::Sizes;
use crate::metrics::Metric;
use crate::models::config::ModelConfig;
use crate::models::family::Head;
use crate::nn::inputs::BatchInputs;
use crate::tokenizer::Tokenizer;
use crate::train::step::Objective;

/// What is predicted.
#[must_use]
pub fn labels_of(data: &RunData) -> LabelSet {
    match data {
        RunData::Labelled(splits) => splits.train.labels.clone(),
        RunData::Generation(_) | RunData::Plain(_) => LabelSet::Words,
    }
}

/// Whether the state to keep can be chosen by the figure that was asked for: the data have to have it.
///
/// # Errors
/// If they do not.
pub fn check_metric(config: &RunConfig, data: &RunData) -> Result<(), FieldError> {
    let Some(metric) = config.metric_for_best_model else { return Ok(()) };
    let has_mismatched = matches!(data, RunData::Labelled(splits) if splits.mismatched.is_some());
    let known = Metric::of(&labels_of(data), has_mismatched);
    if known.contains(&metric) {
        return Ok(());
    }
    let names: Vec<&str> = known.into_iter().map(Metric::name).collect();
    let advice = format!("use one of {}", names.join(", "));
    let reason = "an evaluation on these data has no such figure";
    Err(FieldError::new("metric_for_best_model", metric.name(), reason, advice))
}

/// The head that a model needs for data of this kind with these labels.
#[must_use]
pub fn head_for(kind: TaskKind, labels: &LabelSet, model: &ModelConfig) -> Head {
    match kind {
        TaskKind::Classification | TaskKind::Regression => Head::classes(labels.n_outputs()),
        TaskKind::LanguageModeling if !model.family.is_causal() => Head::MaskedLm,
        TaskKind::LanguageModeling | TaskKind::Generation => Head::CausalLm,
    }
}

/// The head for these data.
#[must_use]
pub fn head_of(data: &RunData, model: &ModelConfig) -> Head {
    let labels = labels_of(data);
    let kind = if let RunData::Generation(_) = data { TaskKind::Generation } else { labels.task() };
    head_for(kind, &labels, model)
}

/// Training and validation data as tokens.
///
/// # Errors
/// Texts that the tokenizer refuses, or that leave nothing to learn.
pub fn encode(
    data: &RunData,
    head: Head,
    tokenizer: &Tokenizer,
    config: &RunConfig,
) -> Result<[Corpus; 2], EngineError> {
    let length = config.max_length;
    Ok(match data {
        RunData::Labelled(splits) => {
            let encode = |dataset| EncodedDataset::new(dataset, tokenizer, length);
            let mut validation = encode(&splits.validation)?;
            if let Some(mismatched) = &splits.mismatched {
                validation.append_mismatched(&encode(mismatched)?);
            }
            [encode(&splits.train)?, validation].map(Corpus::Labelled)
        }
        RunData::Generation(splits) => {
            let encode =
                |examples| CausalDataset::from_examples(examples, tokenizer, length).map(Corpus::Next);
            [encode(&splits.train)?, encode(&splits.validation)?]
        }
        RunData::Plain(splits) => {
            let encode = |texts| encode_texts(texts, head, tokenizer, config);
            [encode(&splits.train)?, encode(&splits.validation)?]
        }
    })
}

/// Texts as tokens for a head.
///
/// # Errors
/// As [`encode`].
pub fn encode_texts(
    texts: &[String],
    head: Head,
    tokenizer: &Tokenizer,
    config: &RunConfig,
) -> Result<Corpus, EngineError> {
    let texts = texts.iter().map(String::as_str);
    if head == Head::MaskedLm {
        let corpus = MlmCorpus::new(texts, tokenizer, config.max_length)?;
        return Ok(Corpus::Hidden { corpus, seed: config.seed });
    }
    Ok(Corpus::Next(CausalDataset::from_texts(texts, tokenizer, config.max_length)?))
}

/// Data as tokens: what phases train on and are judged by.
#[derive(Clone, Debug)]
pub enum Corpus {
    /// Sequences with labels.
    Labelled(EncodedDataset),
    /// Sequences whose next tokens are guessed.
    Next(CausalDataset),
    /// Sequences with hidden tokens, others in every epoch.
    Hidden {
        /// The sequences.
        corpus: MlmCorpus,
        /// Seed of what is hidden.
        seed: u64,
    },
}

impl From<EncodedDataset> for Corpus {
    fn from(dataset: EncodedDataset) -> Self {
        Self::Labelled(dataset)
    }
}

impl From<CausalDataset> for Corpus {
    fn from(dataset: CausalDataset) -> Self {
        Self::Next(dataset)
    }
}

impl Corpus {
    /// Number of sequences.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Labelled(dataset) => dataset.len(),
            Self::Next(dataset) => dataset.len(),
            Self::Hidden { corpus, .. } => corpus.len(),
        }
    }

    /// How many of them, the last ones, are of a second, mismatched set.
    #[must_use]
    pub fn n_mismatched(&self) -> usize {
        if let Self::Labelled(dataset) = self { dataset.n_mismatched() } else { 0 }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tokens of sequence `i` that the model reads.
    #[must_use]
    pub fn length(&self, i: usize) -> usize {
        match self {
            Self::Labelled(dataset) => dataset.length(i),
            Self::Next(dataset) => dataset.length(i),
            Self::Hidden { corpus, .. } => corpus.length(i),
        }
    }

    /// Most tokens of sequence `i` that are predicted.
    fn n_targets(&self, i: usize) -> usize {
        match self {
            Self::Labelled(_) => 0,
            Self::Next(dataset) => dataset.n_guessed(i),
            Self::Hidden { corpus, .. } => corpus.length(i),
        }
    }

    /// Tokens of the longest sequence.
    #[must_use]
    pub fn longest(&self) -> usize {
        (0..self.len()).map(|i| self.length(i)).max().unwrap_or(1)
    }

    /// What the batches of `n_epochs` need, exactly.
    pub(super) fn training_sizes(&self, order: &BatchOrder, n_epochs: u32) -> Sizes {
        Sizes {
            tokens: order.max_sum(|i| self.length(i), n_epochs),
            sequences: order.batch_size,
            targets: order.max_sum(|i| self.n_targets(i), n_epochs),
        }
    }

    /// What batches for evaluation need that hold up to `tokens` tokens, or one sequence where it is longer.
    pub(super) fn evaluation_sizes(&self, tokens: usize, sequences: usize) -> Sizes {
        let tokens = tokens.max(self.longest());
        let targets = if let Self::Labelled(_) = self { 0 } else { tokens };
        Sizes { tokens, sequences, targets }
    }

    /// Batches for evaluation, in order.
    pub(super) fn evaluation_batches(&self, capacity: &Sizes, most_tokens: usize) -> Vec<Vec<u32>> {
        let tokens = capacity.tokens.min(most_tokens);
        match self {
            Self::Labelled(dataset) => dataset.evaluation_batches(tokens, capacity.sequences),
            Self::Next(dataset) => {
                dataset.evaluation_batches(tokens.min(capacity.targets), capacity.sequences)
            }
            Self::Hidden { corpus, .. } => {
                corpus.evaluation_batches(tokens.min(capacity.targets), capacity.sequences)
            }
        }
    }

    /// What `max_length` took from the texts of the `set`, in sentences for people. Of examples with labels their
    /// lengths tell, and plain texts lose nothing.
    #[must_use]
    pub fn losses(&self, set: &str, max_length: usize) -> Vec<String> {
        if let Self::Next(dataset) = self { dataset.losses(set, max_length) } else { Vec::new() }
    }

    /// SHA-256 of everything that training sees of the data.
    #[must_use]
    pub fn sha256(&self) -> String {
        match self {
            Self::Labelled(dataset) => dataset.sha256(),
            Self::Next(dataset) => dataset.sha256(),
            Self::Hidden { corpus, .. } => corpus.sha256(),
        }
    }

    /// Fills the inputs with some sequences, as they look in an epoch.
    pub(super) fn write(&self, inputs: &BatchInputs, sequences: &[u32], epoch: u32) -> Sizes {
        let packed = match self {
            Self::Labelled(dataset) => return inputs.write(&dataset.pack(sequences), None),
            Self::Next(dataset) => dataset.pack(sequences),
            Self::Hidden { corpus, seed } => corpus.pack(sequences, *seed, epoch),
        };
        inputs.write(&packed.batch, Some((&packed.positions, &packed.target_ids)))
    }

    /// What is learned from them.
    pub(super) fn objective(&self, labels: &LabelSet, label_smoothing: f32) -> Objective {
        match (self, labels) {
            (Self::Labelled(_), LabelSet::Scores) => Objective::Regression,
            (Self::Labelled(_), _) => Objective::Classification { label_smoothing },
            (Self::Next(_) | Self::Hidden { .. }, _) => Objective::Words { label_smoothing },
        }
    }
}
