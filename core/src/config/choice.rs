//! The settings that choose one of several named things.

use serde::{Serialize, Serializer};
use std::{fmt, str::FromStr};

use crate::{
    data::TaskKind, metrics::Metric, nn::site::Role, omega::OmegaMethod, tasks::Task,
    tuning::criterion::PruneCriterion,
};

/// A closed set of names, as written in `run.toml` and on the command line.
pub trait Choice: Sized + Copy + 'static {
    /// The names to offer, the usual one first. Other spellings and rarer choices may be read as well.
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

        impl $enum {
            /// Every variant, the usual one first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }

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
        /// The last two layers, what follows them, and the head.
        FtTop2 = "ft-top2",
        /// Bottlenecks between frozen layers, and the head.
        Adapters = "adapters",
        /// A prefix of keys and values in every layer of an encoder, and the head.
        PTuning = "p-tuning-v2",
        /// A prefix of keys and values in every layer of a decoder, computed while tuning.
        Prefix = "prefix",
        /// A search for heads and neurons to remove, then every parameter that is left.
        EarlyBert = "earlybert",
        /// Rounds of full tuning and pruning, each from the pretrained weights.
        BertTickets = "bert-tickets",
    }
}

impl Method {
    /// Whether the target modules get an update ΔW of their own.
    #[must_use]
    pub fn has_update(self) -> bool {
        matches!(self, Self::Dsee | Self::Lora)
    }

    /// Whether a prefix of keys and values is trained.
    #[must_use]
    pub fn has_prefix(self) -> bool {
        matches!(self, Self::PTuning | Self::Prefix)
    }

    /// Whether stage 3 starts from the pretrained weights again, so that there is nothing without it.
    #[must_use]
    pub fn rewinds(self) -> bool {
        matches!(self, Self::EarlyBert | Self::BertTickets)
    }

    /// Whether every pretrained parameter is trained.
    #[must_use]
    pub fn is_full(self) -> bool {
        matches!(self, Self::Full) || self.rewinds()
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
        /// A text for every context, by a decoder.
        Generation = "generation",
        /// Plain text, one a line: the next token by a decoder, hidden ones by an encoder.
        LanguageModeling = "language-modeling",
    }
}

impl TaskType {
    /// The kind of task, unless the labels are to decide.
    #[must_use]
    pub fn kind(self) -> Option<TaskKind> {
        match self {
            Self::Auto => None,
            Self::Classification => Some(TaskKind::Classification),
            Self::Regression => Some(TaskKind::Regression),
            Self::Generation => Some(TaskKind::Generation),
            Self::LanguageModeling => Some(TaskKind::LanguageModeling),
        }
    }
}

// Choices that belong to other parts of the engine, which read and write their own names.

impl Choice for OmegaMethod {
    const NAMES: &'static [&'static str] = &["grebsmo", "grebsmo-ref", "magnitude", "random"];

    fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    fn name(self) -> &'static str {
        self.name()
    }
}

impl Choice for Task {
    const NAMES: &'static [&'static str] =
        &["sst2", "cola", "rte", "mrpc", "stsb", "qqp", "qnli", "mnli", "e2e", "webnlg", "dart"];

    fn from_name(name: &str) -> Option<Self> {
        Self::from_name(name)
    }

    fn name(self) -> &'static str {
        self.spec().name
    }
}

/// The maps of the attention block can get an update; a model has other roles, too, but the method is not for them.
impl Choice for Role {
    const NAMES: &'static [&'static str] = &["query", "key", "value", "output"];

    fn from_name(name: &str) -> Option<Self> {
        name.parse().ok().filter(|role: &Self| role.is_attention())
    }

    fn name(self) -> &'static str {
        self.name()
    }
}

impl Choice for PruneCriterion {
    const NAMES: &'static [&'static str] = &["delta", "sum", "weight", "random"];

    fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    fn name(self) -> &'static str {
        self.name()
    }
}

impl Choice for Metric {
    const NAMES: &'static [&'static str] = &[
        "accuracy",
        "accuracy_mm",
        "f1",
        "f1_macro",
        "matthews_correlation",
        "pearson",
        "spearmanr",
        "perplexity",
        "loss",
    ];

    fn from_name(name: &str) -> Option<Self> {
        Self::from_name(name)
    }

    fn name(self) -> &'static str {
        self.name()
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
        fn check<T: Choice>() {
            for name in T::NAMES {
                assert_eq!(T::from_name(name).unwrap().name(), *name);
            }
        }
        check::<Method>();
        check::<OmegaMethod>();
        check::<Role>();
        check::<PruneCriterion>();
        check::<SchedulerType>();
        check::<Strategy>();
        check::<TaskType>();
        check::<Metric>();
        check::<Task>();
        assert_eq!(Task::NAMES.len(), Task::ALL.len());
        assert_eq!(<Role as Choice>::from_name("pooler"), None);
        assert_eq!(OmegaMethod::from_name("grebsmo-card"), Some(OmegaMethod::Grebsmo));
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
