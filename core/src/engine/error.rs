//! Why a run could not start or go on.

use thiserror::Error;

use crate::checkpoint::error::CheckpointError;
use crate::config::FieldError;
use crate::data::causal::CausalError;
use crate::data::mlm::MlmError;
use crate::gpu::GpuError;
use crate::models::family::names;
use crate::models::files::CONFIG_FILE;
use crate::models::load::LoadError;
use crate::omega::OmegaError;
use crate::source::SourceError;
use crate::tokenizer::TokenizerError;
use crate::train::place::PlaceError;
use crate::train::write::WriteError;
use crate::tuning::criterion::{PruneError, PruneFailure};

/// An error of a run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Settings that ask for more than the model has.
    #[error("{}", list(.0))]
    Settings(Vec<FieldError>),
    /// The model's files.
    #[error(transparent)]
    Model(#[from] LoadError),
    /// A task that the family of the model has no head for.
    #[error(
        "a {family} model cannot do this task: encoders ({}) classify and fill in words, decoders ({}) classify and write \
         text; take a model of the other kind, or another task",
        names(false),
        names(true)
    )]
    NoSuchHead {
        /// The family.
        family: &'static str,
    },
    /// A head that predicts words by a matrix of its own.
    #[error(
        "tie_word_embeddings is false in {CONFIG_FILE}, expected true: words are predicted by the word embedding here, and \
         this {family} model has a matrix of its own for that; take a model without it, or train this one on labels"
    )]
    UntiedWords {
        /// The family.
        family: &'static str,
    },
    /// A classifier without a token to fill batches with.
    #[error(
        "{CONFIG_FILE} names no pad_token_id, and {}, while the vocabulary has {vocab_size} tokens: a {family} classifier \
         takes batches only with a padding token; add \"pad_token_id\" with an id below {vocab_size}",
        instead(*found)
    )]
    NoPadding {
        /// The family.
        family: &'static str,
        /// The end of a text, which would do instead.
        found: Option<usize>,
        /// V
        vocab_size: usize,
    },
    /// A text the tokenizer refuses.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// Texts that a decoder cannot learn from.
    #[error(transparent)]
    Causal(#[from] CausalError),
    /// Texts that an encoder cannot learn from.
    #[error(transparent)]
    Masked(#[from] MlmError),
    /// The model's file, while it was read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The adapter.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The search for trained positions.
    #[error("{path}: {source}")]
    Omega {
        /// The site.
        path: String,
        /// What went wrong there.
        source: OmegaError,
    },
    /// Choosing masks or heads.
    #[error("{}", list(.0))]
    Prune(Vec<PruneError>),
    /// The next word cannot be had.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Training went astray.
    #[error(
        "the loss is not finite at step {step} of {phase} (learning rate {learning_rate:.3e}, last finite loss \
         {last_loss}): nothing was updated by that step; try a smaller learning rate, {suggestion:.1e} for example"
    )]
    NotFinite {
        /// Phase.
        phase: crate::protocol::Phase,
        /// Optimizer step of the phase, from 1.
        step: usize,
        /// Learning rate of that step.
        learning_rate: f64,
        /// Loss of the step before.
        last_loss: f32,
        /// A learning rate to try.
        suggestion: f64,
    },
    /// A checkpoint that cannot be used.
    #[error("the checkpoint cannot be used: {0}")]
    Checkpoint(String),
    /// Tensors of a checkpoint.
    #[error(transparent)]
    Tensors(#[from] CheckpointError),
}

impl From<PlaceError<SourceError>> for EngineError {
    fn from(error: PlaceError<SourceError>) -> Self {
        match error {
            PlaceError::Gpu(error) => error.into(),
            PlaceError::Source(error) => error.into(),
        }
    }
}

impl From<PruneFailure<SourceError>> for EngineError {
    fn from(failure: PruneFailure<SourceError>) -> Self {
        match failure {
            PruneFailure::Problems(problems) => Self::Prune(problems),
            PruneFailure::Source(error) => error.into(),
        }
    }
}

fn instead(found: Option<usize>) -> String {
    match found {
        Some(id) => format!("the id that stands for it is {id}"),
        None => "no eos_token_id to stand for it".to_owned(),
    }
}

fn list<T: ToString>(errors: &[T]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
