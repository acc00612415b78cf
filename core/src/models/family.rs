//! What a family of models has to say about itself, so that loading, training and exporting need to know none by name.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::config::ModelConfig;
use super::config_fields::Fields;
use super::parameter::Parameter;
use super::{DropoutRates, Model, bert, gpt2, roberta};
use crate::checkpoint::load::NameRules;
use crate::nn::parameters::Parameters;
use crate::nn::plan::TuningPlan;
use crate::nn::site::Site;
use crate::tokenizer::TokenizerKind;

/// Every family that is read.
pub static FAMILIES: [&dyn Family; 3] = [&bert::Bert, &roberta::Roberta, &gpt2::Gpt2];

/// The families whose tokens see only what stands before them, or all others, as messages name them.
#[must_use]
pub fn names(is_causal: bool) -> String {
    let named = FAMILIES.iter().filter(|family| family.is_causal() == is_causal);
    named.map(|family| family.model_type()).collect::<Vec<_>>().join(", ")
}

/// What follows the last layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// One vector per sequence to N classes, or to one number.
    SequenceClassification {
        /// N
        n_labels: usize,
    },
    /// Hidden words.
    MaskedLm,
    /// The next word.
    CausalLm,
}

/// One setting that the shape of a tensor repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SizeCheck {
    /// Name of the setting in this family's `config.json`.
    pub field: &'static str,
    /// Its value.
    pub value: usize,
    /// The tensor, as files name it, without the prefix of the family.
    pub tensor: String,
    /// The axis of it.
    pub axis: usize,
}

/// A family of models: one file each.
pub trait Family: fmt::Debug + Sync {
    /// As `config.json` says it.
    fn model_type(&self) -> &'static str;

    /// How its tokenizers cut words, the usual way first. Others of no known kind are judged by their special tokens.
    fn tokenizer_kinds(&self) -> &'static [TokenizerKind];

    /// transformers' class for a head; `None` where the family has no such head.
    fn class(&self, head: Head) -> Option<&'static str>;

    /// Settings in this family's spelling and with its defaults; problems are noted in `fields`.
    fn read_config(&self, fields: &mut Fields) -> ModelConfig;

    /// The names of `hidden_size` and `num_attention_heads` here.
    fn size_fields(&self) -> [&'static str; 2] {
        ["hidden_size", "num_attention_heads"]
    }

    /// All parameters with a head, in the order of transformers' modules.
    fn parameters(&self, config: &ModelConfig, head: Head) -> Vec<Parameter>;

    /// All linear maps with a head, in full size.
    fn sites(&self, config: &ModelConfig, head: Head) -> Vec<Site>;

    /// How names in files may differ.
    fn name_rules(&self) -> NameRules;

    /// What shapes say about settings.
    fn size_checks(&self, config: &ModelConfig) -> Vec<SizeCheck>;

    /// What stands before the number of a layer, without the prefix of the family.
    fn layer_prefix(&self) -> &'static str;

    /// The module that holds the classification head, for files that store it apart.
    fn classifier_module(&self) -> &'static str {
        "classifier"
    }

    /// Whether a pooler belongs to the pretrained part.
    fn has_pooler(&self) -> bool {
        false
    }

    /// Whether tokens see only what stands before them.
    fn is_causal(&self) -> bool {
        false
    }

    /// The forward pass over placed parameters.
    fn build(&self, parts: &Parts<'_>, head: Head) -> Box<dyn Model>;
}

impl Head {
    /// One vector per sequence to N classes.
    #[must_use]
    pub const fn classes(n_labels: usize) -> Self {
        Self::SequenceClassification { n_labels }
    }
}

impl PartialEq for dyn Family {
    fn eq(&self, other: &Self) -> bool {
        self.model_type() == other.model_type()
    }
}

/// What a forward pass is made from.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// Settings.
    pub config: &'a ModelConfig,
    /// Everything on the device.
    pub parameters: &'a Parameters,
    /// What is trained.
    pub plan: &'a TuningPlan,
    /// Dropout.
    pub rates: DropoutRates,
}
