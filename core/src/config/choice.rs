//! The settings that choose one of several named things.

use serde::{Serialize, Serializer};
use std::{fmt, str::FromStr};

/// A closed set of names, as written in `run.toml` and on the command line.
pub trait Choice: Sized + Copy + 'static {
    /// Every name, the usual one first. Other spellings that are read as well are not listed.
    const NAMES: &'static [&'static str];

    /// The variant called `name`.
    fn from_name(name: &str) -> Option<Self>;

    /// The name of this variant.
    fn name(self) -> &'static str;
}

/// Declares an enum whose variants have names, and perhaps other spellings.
macro_rules! choices {
    ($(#[$meta:meta])* $enum:ident { $($(#[$doc:meta])* $variant:ident = $name:literal $(| $alias:literal)*,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $enum { $($(#[$doc])* $variant,)+ }

        impl Choice for $enum {
            const NAMES: &'static [&'static str] = &[$($name),+];

            fn from_name(name: &str) -> Option<Self> {
                match name { $($name $(| $alias)* => Some(Self::$variant),)+ _ => None }
            }

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        impl fmt::Display for $enum {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(self.name()) }
        }

        impl Serialize for $enum {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
}

choices! {
    /// What is trained.
    Method {
        /// Low-rank plus sparse update of the target modules, and the head.
        Dsee = "dsee",
        /// Low-rank update only: DSEE with no sparse entries.
        Lora = "lora",
        /// Every parameter.
        Full = "full",
        /// Biases and the head.
        Bitfit = "bitfit",
    }
}

impl Method {
    /// Whether the target modules get an update ΔW of their own.
    #[must_use]
    pub fn has_update(self) -> bool {
        matches!(self, Self::Dsee | Self::Lora)
    }
}

choices! {
    /// How Ω, the positions of the sparse entries, is found (`dsee-method` 2.4).
    OmegaSelector {
        /// GreBsmo with a cardinality step: the literal form of the paper's equation 1.
        Grebsmo = "grebsmo" | "grebsmo-card",
        /// The schedule of the authors' released code, with an exact top-c.
        GrebsmoRef = "grebsmo-ref",
        /// The largest entries of |W|.
        Magnitude = "magnitude",
        /// Uniform without replacement.
        Random = "random",
    }
}

choices! {
    /// A linear map of the attention block that can get an update.
    TargetModule {
        /// `attention.self.query`.
        Query = "query",
        /// `attention.self.key`.
        Key = "key",
        /// `attention.self.value`.
        Value = "value",
        /// `attention.output.dense`.
        Output = "output",
    }
}

choices! {
    /// What adapted weights and heads are ranked by (`dsee-method` 3.2, 3.3).
    PruneCriterion {
        /// |ΔW|, the paper's criterion.
        Delta = "delta",
        /// |W + ΔW|.
        Sum = "sum",
        /// |W|.
        Weight = "weight",
        /// Random numbers, the paper's baseline.
        Random = "random",
    }
}

choices! {
    /// The shape of the learning rate over the steps, in transformers' names.
    SchedulerType {
        /// Falls to zero on a line.
        Linear = "linear",
        /// Half a cosine wave down to zero.
        Cosine = "cosine",
        /// A cosine that starts again; with the one cycle of the default, the same as `cosine`.
        CosineWithRestarts = "cosine_with_restarts",
        /// Falls on a power (of 1) to 1e-7.
        Polynomial = "polynomial",
        /// Always the same, without warm-up.
        Constant = "constant",
        /// Always the same after the warm-up.
        ConstantWithWarmup = "constant_with_warmup",
        /// Falls as 1/√step.
        InverseSqrt = "inverse_sqrt",
    }
}

choices! {
    /// When something is done during training.
    Strategy {
        /// Only at the end of a phase.
        No = "no",
        /// Every so many steps.
        Steps = "steps",
        /// At the end of every epoch.
        Epoch = "epoch",
    }
}

choices! {
    /// What the labels are.
    TaskType {
        /// Decided from the label column: numbers with a fraction mean regression.
        Auto = "auto",
        /// Named classes.
        Classification = "classification",
        /// One number per example.
        Regression = "regression",
    }
}

choices! {
    /// The figure that decides which checkpoint is best.
    BestMetric {
        /// Share of right answers.
        Accuracy = "accuracy",
        /// Harmonic mean of precision and recall of the positive class.
        F1 = "f1",
        /// Matthews correlation.
        Matthews = "matthews_correlation",
        /// Pearson correlation, regression only.
        Pearson = "pearson",
        /// Spearman rank correlation, regression only.
        Spearman = "spearman" | "spearmanr",
        /// Validation loss; smaller is better.
        Loss = "loss" | "eval_loss",
    }
}

impl BestMetric {
    /// Whether a larger value is a better one.
    #[must_use]
    pub fn greater_is_better(self) -> bool {
        self != Self::Loss
    }
}

/// What stage 2 removes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pruning {
    /// Nothing; the run ends after tuning.
    None,
    /// This share of the weights, in two global groups.
    Unstructured {
        /// Share of zeros, in [0, 1).
        sparsity: f64,
    },
    /// This many heads of every layer.
    Heads {
        /// Heads to remove per layer.
        n_heads: usize,
    },
}

impl fmt::Display for Pruning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad("none"),
            Self::Unstructured { sparsity } => write!(f, "unstructured:{sparsity}"),
            Self::Heads { n_heads } => write!(f, "heads:{n_heads}"),
        }
    }
}

impl Serialize for Pruning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Pruning {
    type Err = String;

    /// Reads `none`, `unstructured:SHARE` or `heads:N`. The error says what is wrong.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "none" => Ok(Self::None),
            Some(("unstructured", share)) => match share.parse::<f64>() {
                Ok(sparsity) if (0.0..1.0).contains(&sparsity) => Ok(Self::Unstructured { sparsity }),
                Ok(_) => Err("the sparsity must lie in [0, 1)".to_owned()),
                Err(_) => Err(format!("`{share}` is not a number")),
            },
            Some(("heads", count)) => match count.parse::<usize>() {
                Ok(n_heads) if n_heads > 0 => Ok(Self::Heads { n_heads }),
                Ok(_) => Err("at least 1 head must go".to_owned()),
                Err(_) => Err(format!("`{count}` is not a number of heads")),
            },
            _ => Err("must be none, unstructured:SHARE or heads:N".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for name in OmegaSelector::NAMES {
            assert_eq!(OmegaSelector::from_name(name).unwrap().name(), *name);
        }
        assert_eq!(OmegaSelector::from_name("grebsmo-card"), Some(OmegaSelector::Grebsmo));
        assert_eq!(Method::from_name("DSEE"), None);
    }

    #[test]
    fn pruning_reads_what_it_writes() {
        for text in ["none", "unstructured:0.2", "heads:3"] {
            assert_eq!(text.parse::<Pruning>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn pruning_outside_its_range_is_refused() {
        let cases = [
            ("unstructured:1", "[0, 1)"),
            ("unstructured:-0.1", "[0, 1)"),
            ("unstructured:NaN", "[0, 1)"),
            ("unstructured:x", "not a number"),
            ("heads:0", "at least 1"),
            ("heads:-2", "not a number of heads"),
            ("neurons:3", "must be none"),
        ];
        for (text, reason) in cases {
            let error = text.parse::<Pruning>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
