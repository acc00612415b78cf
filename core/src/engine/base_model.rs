//! A pretrained model made ready for a task: full-size parameters, a head of the right size, its sites.

use std::collections::BTreeMap;

use super::error::EngineError;
use crate::accounting::ModelShape;
use crate::checkpoint::weights::{StoredTensor, Weights};
use crate::config::{FieldError, ModelFacts, Pruning};
use crate::models::config::ModelConfig;
use crate::models::family::{Head, Parts};
use crate::models::files::{CONFIG_FILE, PretrainedModel};
use crate::models::load::{match_model, restore_heads};
use crate::models::{DropoutRates, Model};
use crate::nn::head_layout::LostHeads;
use crate::nn::outline::Outline;
use crate::nn::parameters::Parameters;
use crate::nn::plan::TuningPlan;
use crate::nn::site::Site;
use crate::tokenizer::Tokenizer;
use crate::train::fresh::fresh_tensor;
use crate::train::place::{HeadShape, HostState};

/// What a run knows of its model.
#[derive(Clone, Debug)]
pub struct BaseModel {
    /// Settings of the model.
    pub config: ModelConfig,
    /// What follows its last layer.
    pub head: Head,
    /// All parameters in full size, fresh ones included; those of the file are read when they are needed.
    pub parameters: Weights,
    /// Parameters that were not in the file.
    pub fresh: Vec<String>,
    /// What to tell the user about the file.
    pub notes: Vec<String>,
    /// Heads that were already removed in the file.
    pub removed_heads: BTreeMap<usize, Vec<usize>>,
    /// The linear maps.
    pub sites: Vec<Site>,
}

impl BaseModel {
    /// Takes the parameters of a model with `head`; what the file lacks starts at random values drawn from `seed`, as
    /// transformers would.
    ///
    /// # Errors
    /// A head that the family does not have, and everything in which configuration and weights disagree.
    pub async fn new(model: PretrainedModel, head: Head, seed: u64) -> Result<Self, EngineError> {
        let PretrainedModel { config, checkpoint, tokenizer, .. } = model;
        Self::check_head(&config, head)?;
        let loaded = match_model(&config, CONFIG_FILE, checkpoint, head)?;
        let other_end = if head == Head::CausalLm { other_end(&config, &tokenizer) } else { None };
        let sites = config.family.sites(&config, head);
        let mut parameters = loaded.matched.params;
        if !loaded.removed_heads.is_empty() {
            for (name, stored) in &mut parameters {
                let tensor = stored.read().await?;
                let full = restore_heads(&config, &sites, &loaded.removed_heads, name, &tensor);
                if let Some(full) = full {
                    *stored = StoredTensor::Memory(full);
                }
            }
        }
        for parameter in config.family.parameters(&config, head) {
            if loaded.matched.fresh.contains(&parameter.name) {
                let tensor = fresh_tensor(&parameter.name, &parameter.shape, config.initializer_range, seed);
                parameters.insert(parameter.name, StoredTensor::Memory(tensor));
            }
        }
        Ok(Self {
            sites,
            config,
            head,
            parameters: Weights(parameters),
            fresh: loaded.matched.fresh,
            notes: loaded.matched.notes.into_iter().chain(other_end).collect(),
            removed_heads: loaded.removed_heads,
        })
    }

    /// Refuses a task that the family has no head for, a head for words that is not the word embedding, and a decoder that
    /// could not classify elsewhere: here nothing is padded, but whoever loads it needs a token to pad with, and an id
    /// beyond the vocabulary breaks it.
    ///
    /// # Errors
    /// [`EngineError::NoSuchHead`], [`EngineError::UntiedWords`] or [`EngineError::NoPadding`].
    pub fn check_head(config: &ModelConfig, head: Head) -> Result<(), EngineError> {
        let family = config.family.model_type();
        if config.family.class(head).is_none() {
            return Err(EngineError::NoSuchHead { family });
        }
        let classifies = matches!(head, Head::SequenceClassification { .. });
        if !classifies && !config.ties_words {
            return Err(EngineError::UntiedWords { family });
        }
        let (found, vocab_size) = (config.pad_token_id.or(config.eos_token_id), config.vocab_size);
        if classifies && config.family.is_causal() && found.is_none_or(|id| id >= vocab_size) {
            return Err(EngineError::NoPadding { family, found, vocab_size });
        }
        Ok(())
    }

    /// Whether every layer keeps a head when so many of those it still has are removed.
    ///
    /// # Errors
    /// If one does not.
    pub fn check_pruning(&self, prune: Pruning) -> Result<(), EngineError> {
        let Pruning::Heads { n_heads } = prune else { return Ok(()) };
        let most_lost = self.removed_heads.values().map(Vec::len).max().unwrap_or(0);
        let left = self.heads().n_heads - most_lost;
        if n_heads < left {
            return Ok(());
        }
        let reason = format!("{left} heads are left in a layer of this model, and at least one must stay");
        let advice = format!("use {} or less", left.saturating_sub(1));
        Err(EngineError::Settings(vec![FieldError::new("prune", prune, reason, advice)]))
    }

    /// The heads that are gone in a state: those the model came without, and those that were removed.
    #[must_use]
    pub fn lost_heads<'a>(&self, state: &'a HostState) -> LostHeads<'a> {
        let HeadShape { n_heads, head_size } = self.heads();
        LostHeads { n_heads, head_size, removed: &state.pruned.heads }
    }

    /// Nothing trained, and nothing removed but what the file lacks.
    #[must_use]
    pub fn untouched(&self) -> HostState {
        let mut state = HostState::default();
        state.pruned.heads.clone_from(&self.removed_heads);
        state
    }

    /// Name of the model family.
    #[must_use]
    pub fn family(&self) -> &'static str {
        self.config.family.model_type()
    }

    /// The sizes that settings are checked against.
    #[must_use]
    pub fn facts(&self) -> ModelFacts {
        facts_of(&self.config)
    }

    /// What tuning methods are told of it.
    #[must_use]
    pub fn outline(&self) -> Outline {
        outline_of(&self.config, self.head)
    }

    /// The sizes that counts are made from.
    #[must_use]
    pub fn shape(&self) -> ModelShape {
        shape_of(&self.config)
    }

    /// How heads lie in the attention matrices.
    #[must_use]
    pub fn heads(&self) -> HeadShape {
        HeadShape { n_heads: self.config.num_attention_heads, head_size: self.config.head_size() }
    }

    /// The forward pass over placed parameters.
    #[must_use]
    pub fn find(&self, parameters: &Parameters, plan: &TuningPlan, dropout: Option<f64>) -> Box<dyn Model> {
        let rates = DropoutRates::of(&self.config, dropout);
        self.config.family.build(&Parts { config: &self.config, parameters, plan, rates }, self.head)
    }
}

/// What to say where settings and tokenizer end a text with different tokens: here the tokenizer's counts.
fn other_end(config: &ModelConfig, tokenizer: &Tokenizer) -> Option<String> {
    let (settings, mark) = (config.eos_token_id?, tokenizer.end_of_text()?);
    (settings != mark as usize).then(|| {
        format!(
            "{CONFIG_FILE} ends texts with token {settings} (eos_token_id), the tokenizer with {mark} ({}): here the \
             tokenizer's counts, other programs may go on; set eos_token_id to {mark}",
            tokenizer.id_to_token(mark).unwrap_or_default()
        )
    })
}

/// The sizes that counts are made from, of a model of these settings.
#[must_use]
pub fn shape_of(config: &ModelConfig) -> ModelShape {
    ModelShape {
        vocab_size: config.vocab_size,
        max_position_embeddings: config.max_position_embeddings,
        type_vocab_size: config.type_vocab_size,
        hidden_size: config.hidden_size,
        intermediate_size: config.intermediate_size,
        num_hidden_layers: config.num_hidden_layers,
        num_attention_heads: config.num_attention_heads,
        has_pooler: config.family.has_pooler(),
    }
}

/// What tuning methods are told of a model of these settings with a head.
#[must_use]
pub fn outline_of(config: &ModelConfig, head: Head) -> Outline {
    let parameters = config.family.parameters(config, head);
    Outline {
        sites: config.family.sites(config, head),
        parameters: parameters.into_iter().map(|parameter| (parameter.name, parameter.place)).collect(),
        n_heads: config.num_attention_heads,
        is_decoder: config.family.is_causal(),
    }
}

/// The sizes that settings are checked against, of a model of these settings.
#[must_use]
pub fn facts_of(config: &ModelConfig) -> ModelFacts {
    ModelFacts {
        hidden_size: config.hidden_size,
        num_hidden_layers: config.num_hidden_layers,
        num_attention_heads: config.num_attention_heads,
        max_position_embeddings: config.longest(),
        is_decoder: config.family.is_causal(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn words_are_predicted_by_the_word_embedding_alone() {
        for (family, head) in
            [("bert", Head::MaskedLm), ("roberta", Head::MaskedLm), ("gpt2", Head::CausalLm)]
        {
            let parse = |is_tied: bool| {
                let json = format!(
                    r#"{{"model_type": "{family}", "tie_word_embeddings": {is_tied}, "pad_token_id": 0}}"#
                );
                ModelConfig::parse(CONFIG_FILE, json.as_bytes()).unwrap()
            };
            assert!(BaseModel::check_head(&parse(true), head).is_ok());
            let text = BaseModel::check_head(&parse(false), head).unwrap_err().to_string();
            for part in
                ["tie_word_embeddings is false in config.json", "expected true", family, "train this one"]
            {
                assert!(text.contains(part), "{part}: {text}");
            }
            // Classifiers read no such head.
            assert!(BaseModel::check_head(&parse(false), Head::classes(2)).is_ok());
        }
    }

    #[test]
    fn a_task_of_the_other_kind_of_model_is_refused_with_the_families() {
        let config = ModelConfig::parse(CONFIG_FILE, br#"{"model_type": "gpt2"}"#).unwrap();
        let text = BaseModel::check_head(&config, Head::MaskedLm).unwrap_err().to_string();
        assert!(text.contains("encoders (bert, roberta)") && text.contains("decoders (gpt2)"), "{text}");
    }
}
