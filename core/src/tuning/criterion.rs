//! Which quantity pruning goes by, and what can stand in its way.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The quantity whose smallest values are pruned. ΔW = s (B A + S).
///
/// It scores the adapted matrices; every other matrix goes by |W| whatever the criterion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PruneCriterion {
    /// |ΔW|, the paper's criterion; `ABS` in the released code.
    #[default]
    Delta,
    /// |W + ΔW|; `WABS` in the released code, with s on both terms.
    Sum,
    /// |W|; `W` in the released code.
    Weight,
    /// Random numbers, the paper's baseline.
    Random,
    /// |s B A|, ΔW without S; `AB` in the released code.
    DeltaLowRank,
    /// |W + s B A|; `WAB` in the released code.
    SumLowRank,
    /// 1 / |ΔW|, which removes the largest updates first; `NABS` in the released code.
    InverseDelta,
    /// 1 / |s B A|; `NAB` in the released code.
    InverseDeltaLowRank,
}

impl PruneCriterion {
    /// Every criterion.
    pub const ALL: [Self; 8] = [
        Self::Delta,
        Self::Sum,
        Self::Weight,
        Self::Random,
        Self::DeltaLowRank,
        Self::SumLowRank,
        Self::InverseDelta,
        Self::InverseDeltaLowRank,
    ];

    /// The word for this criterion in settings and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delta => "delta",
            Self::Sum => "sum",
            Self::Weight => "weight",
            Self::Random => "random",
            Self::DeltaLowRank => "delta-low-rank",
            Self::SumLowRank => "sum-low-rank",
            Self::InverseDelta => "inverse-delta",
            Self::InverseDeltaLowRank => "inverse-delta-low-rank",
        }
    }

    /// Whether the criterion reads the pretrained weight.
    pub(super) const fn uses_weight(self) -> bool {
        matches!(self, Self::Sum | Self::Weight | Self::SumLowRank)
    }

    /// Whether the criterion means nothing without a trained ΔW.
    pub(super) const fn needs_delta(self) -> bool {
        !matches!(self, Self::Weight | Self::Random | Self::Sum | Self::SumLowRank)
    }

    /// Whether there is a head score of this kind.
    #[must_use]
    pub const fn scores_heads(self) -> bool {
        matches!(self, Self::Delta | Self::Sum | Self::Weight | Self::Random)
    }

    /// Whether S is left out of ΔW.
    pub(super) const fn is_low_rank(self) -> bool {
        matches!(self, Self::DeltaLowRank | Self::SumLowRank | Self::InverseDeltaLowRank)
    }

    /// Whether the order of the scores is turned round.
    pub(super) const fn is_inverse(self) -> bool {
        matches!(self, Self::InverseDelta | Self::InverseDeltaLowRank)
    }
}

impl fmt::Display for PruneCriterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no criterion.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown prune criterion \"{0}\": expected delta, sum, weight, random, delta-low-rank, sum-low-rank, \
     inverse-delta or inverse-delta-low-rank"
)]
pub struct UnknownPruneCriterion(pub String);

impl FromStr for PruneCriterion {
    type Err = UnknownPruneCriterion;

    fn from_str(word: &str) -> Result<Self, UnknownPruneCriterion> {
        Self::ALL
            .into_iter()
            .find(|criterion| criterion.name() == word)
            .ok_or_else(|| UnknownPruneCriterion(word.to_owned()))
    }
}

/// One thing that stands in the way of pruning.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PruneError {
    /// A site's weight is not among the tensors.
    #[error("the weight {name} is missing: pruning needs every prunable weight of the model")]
    MissingWeight {
        /// Parameter name.
        name: String,
    },
    /// A weight, or an update, that does not have its site's shape.
    #[error("{name} has shape {found:?}, expected {expected:?}")]
    WrongShape {
        /// Parameter name, or the module path of an update.
        name: String,
        /// Shape found.
        found: Vec<usize>,
        /// Shape of the site.
        expected: Vec<usize>,
    },
    /// An update for a module that the model does not have.
    #[error(
        "there is an update for {path}, which is no module of this model: use the run that belongs to it"
    )]
    UnknownSite {
        /// Module path of the update.
        path: String,
    },
    /// A criterion that reads ΔW in a run that trained none.
    #[error(
        "criterion {criterion} needs trained updates, and there are none: use weight or random, or tune with dsee or lora first"
    )]
    NoDelta {
        /// The criterion asked for.
        criterion: PruneCriterion,
    },
    /// A criterion that does not make head scores.
    #[error("criterion {criterion} does not score heads: use delta, sum, weight or random")]
    NotForHeads {
        /// The criterion asked for.
        criterion: PruneCriterion,
    },
    /// A sparsity that is not in [0, 1).
    #[error("sparsity {ratio} is outside 0 <= sparsity < 1")]
    RatioOutOfRange {
        /// The sparsity asked for.
        ratio: f64,
    },
    /// More heads to remove than a layer can lose.
    #[error("{n_removed} heads cannot be removed from layers of {n_heads}: at most {}", n_heads.saturating_sub(1))]
    TooManyHeads {
        /// Heads to remove from every layer.
        n_removed: usize,
        /// Heads of a layer.
        n_heads: usize,
    },
    /// Rows or columns that do not divide into heads.
    #[error("{path} has {size} rows or columns, which do not divide into {n_heads} heads")]
    UnevenHeads {
        /// Module path.
        path: String,
        /// Rows, or columns of the attention output.
        size: usize,
        /// Heads of a layer.
        n_heads: usize,
    },
}

/// Why nothing is pruned.
#[derive(Debug, PartialEq)]
pub enum PruneFailure<E> {
    /// Everything that stands in the way.
    Problems(Vec<PruneError>),
    /// A weight cannot be read any more.
    Source(E),
}

impl<E> From<Vec<PruneError>> for PruneFailure<E> {
    fn from(problems: Vec<PruneError>) -> Self {
        Self::Problems(problems)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn words_and_criteria_agree() {
        for criterion in PruneCriterion::ALL {
            assert_eq!(criterion.to_string().parse(), Ok(criterion));
            assert_eq!(serde_json::to_string(&criterion).unwrap(), format!("\"{criterion}\""));
            let message = "ABS".parse::<PruneCriterion>().unwrap_err().to_string();
            assert!(message.contains(criterion.name()), "{message}");
        }
    }
}
