//! Why a command is not carried out: what the user gave is wrong, or something broke.

use crate::config::FieldError;
use crate::data::DataErrors;
use crate::data::causal::CausalError;
use crate::engine::EngineError;
use crate::generate::{GenerationError, GenerationProblem};
use crate::gpu::GpuError;
use crate::models::files::ModelErrors;
use crate::protocol::{FailureKind, FailureReport, Problem, RunId};
use crate::source::SourceError;
use crate::tokenizer::TokenizerError;

/// The end of a command other than its answer.
#[derive(Debug)]
pub enum Refusal {
    /// What the user gave is wrong: becomes `Rejected`.
    Rejected(Vec<Problem>),
    /// Something broke: becomes `Failed`.
    Failed(FailureReport),
}

impl Refusal {
    /// One problem that is about no setting.
    pub fn because(text: impl Into<String>) -> Self {
        Self::Rejected(vec![problem(text)])
    }
}

/// A problem that is about no setting.
pub fn problem(text: impl Into<String>) -> Problem {
    Problem { field: String::new(), text: text.into() }
}

/// Wrong settings as problems.
pub fn problems_of(errors: Vec<FieldError>) -> Vec<Problem> {
    errors.into_iter().map(|error| Problem { text: error.to_string(), field: error.field }).collect()
}

fn each<T: ToString>(errors: &[T]) -> Refusal {
    Refusal::Rejected(errors.iter().map(|error| problem(error.to_string())).collect())
}

impl From<SourceError> for Refusal {
    fn from(error: SourceError) -> Self {
        Self::because(error.to_string())
    }
}

impl From<ModelErrors> for Refusal {
    fn from(errors: ModelErrors) -> Self {
        each(&errors.problems)
    }
}

impl From<DataErrors> for Refusal {
    fn from(errors: DataErrors) -> Self {
        each(&errors.files)
    }
}

impl From<TokenizerError> for Refusal {
    fn from(error: TokenizerError) -> Self {
        Self::because(error.to_string())
    }
}

impl From<CausalError> for Refusal {
    fn from(error: CausalError) -> Self {
        Self::because(error.to_string())
    }
}

impl From<GenerationError> for Refusal {
    fn from(error: GenerationError) -> Self {
        let problem = |problem: GenerationProblem| match problem {
            GenerationProblem::Setting(error) => Problem { text: error.to_string(), field: error.field },
            other => self::problem(other.to_string()),
        };
        Self::Rejected(error.0.into_iter().map(problem).collect())
    }
}

impl From<GpuError> for Refusal {
    fn from(error: GpuError) -> Self {
        EngineError::from(error).into()
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Settings(errors) => Self::Rejected(problems_of(errors)),
            EngineError::Prune(errors) => each(&errors),
            EngineError::Model(_)
            | EngineError::NoSuchHead { .. }
            | EngineError::UntiedWords { .. }
            | EngineError::NoPadding { .. }
            | EngineError::Causal(_)
            | EngineError::Masked(_)
            | EngineError::Tokenizer(_)
            | EngineError::Checkpoint(_)
            | EngineError::Tensors(_) => Self::because(error.to_string()),
            broken => Self::Failed(failure(&broken, None, None)),
        }
    }
}

/// What to tell about an error of the engine.
pub fn failure(error: &EngineError, run: Option<RunId>, last_good_step: Option<usize>) -> FailureReport {
    let (kind, advice) = match error {
        EngineError::NotFinite { suggestion, .. } => (
            FailureKind::NotFinite,
            format!("Start again with a smaller learning rate, {suggestion:.1e} for example."),
        ),
        EngineError::Gpu(GpuError::DeviceLost { .. }) => (
            FailureKind::DeviceLost,
            "Go on from the last saved state and let the GPU work in shorter pieces; a smaller batch or shorter texts \
             help as well."
                .to_owned(),
        ),
        EngineError::Gpu(GpuError::OutOfMemory { .. } | GpuError::TooLarge { .. }) => (
            FailureKind::OutOfMemory,
            "Choose a smaller batch, shorter texts or a smaller model.".to_owned(),
        ),
        EngineError::Gpu(GpuError::NoAdapter { .. } | GpuError::NoDevice { .. }) => (
            FailureKind::NoDevice,
            "Check that a graphics driver is there and in use by no other program that keeps it.".to_owned(),
        ),
        _ => (FailureKind::Other, "Please report it with this message; the settings help to repeat it.".to_owned()),
    };
    FailureReport { kind, run, text: error.to_string(), advice, last_good_step }
}
