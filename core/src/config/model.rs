//! Settings against the sizes of a model.

use super::{FieldError, Method, Pruning, RunConfig, RunConfigDraft};
use crate::tuning::adapters;

/// The least `max_length`: a token between the two special ones.
pub(super) const SHORTEST_TEXT: usize = 3;

/// The sizes of a model that settings are compared with, in Hugging Face's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelFacts {
    /// C; the attention matrices are (C, C).
    pub hidden_size: usize,
    /// L.
    pub num_hidden_layers: usize,
    /// H.
    pub num_attention_heads: usize,
    /// Longest sequence, in tokens.
    pub max_position_embeddings: usize,
    /// Whether tokens see only what stands before them.
    pub is_decoder: bool,
}

impl RunConfigDraft {
    /// The checked settings for a model. A `max_length` that nobody chose leaves room for a prefix and for the model's
    /// positions.
    ///
    /// # Errors
    /// Those of [`RunConfigDraft::check`]; without any, those of [`RunConfig::check_against`].
    pub fn check_for(&self, model: &ModelFacts) -> Result<RunConfig, Vec<FieldError>> {
        let mut config = self.check()?;
        let room = model.max_position_embeddings.saturating_sub(config.prefix_length);
        if !self.has("max_length") {
            // Without any room, the prefix is what is too long.
            config.max_length = config.max_length.min(room.max(SHORTEST_TEXT));
        }
        config.check_against(model)?;
        Ok(config)
    }
}

impl RunConfig {
    /// Compares the settings with a model.
    ///
    /// # Errors
    /// Every setting that asks for more than the model has.
    pub fn check_against(&self, model: &ModelFacts) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        let (width, n_entries) = (model.hidden_size, model.hidden_size * model.hidden_size);
        if self.method.has_update() && self.rank > width {
            let reason =
                format!("the adapted matrices are {width} × {width}, so their rank is at most {width}");
            errors.push(FieldError::new("rank", self.rank, reason, too_large(width / 2)));
        }
        if self.method == Method::Dsee && self.nnz > n_entries {
            let reason = format!("the adapted matrices have only {n_entries} entries");
            errors.push(FieldError::new("nnz", self.nnz, reason, "16 is the paper's choice"));
        }
        let n_heads = model.num_attention_heads;
        if let Pruning::Heads { n_heads: removed } = self.prune
            && removed >= n_heads
        {
            let reason = format!("every layer has {n_heads} heads, and at least one must stay");
            errors.push(FieldError::new("prune", self.prune, reason, too_large(n_heads - 1)));
        }
        let longest = model.max_position_embeddings;
        let prefixed = self.max_length.saturating_add(self.prefix_length);
        if self.prefix_length.saturating_add(SHORTEST_TEXT) > longest {
            let reason = format!("the model knows {longest} positions, and texts need some of them");
            errors.push(FieldError::new("prefix_length", self.prefix_length, reason, too_large(longest / 2)));
        } else if self.max_length <= longest && prefixed > longest {
            let reason = format!(
                "the model knows {longest} positions, and texts take up to {} of them (max_length)",
                self.max_length
            );
            let most = longest - self.max_length;
            let suggestion = if most > 0 { too_large(most) } else { "use a smaller max_length".to_owned() };
            errors.push(FieldError::new("prefix_length", self.prefix_length, reason, suggestion));
        }
        if let Some((other, what)) = self.other_method(model) {
            let reason = format!("it is made for {what}");
            errors.push(FieldError::new("method", self.method, reason, format!("use {other}")));
        }
        if self.max_length > longest {
            let reason = format!("the model knows {longest} positions");
            errors.push(FieldError::new("max_length", self.max_length, reason, too_large(longest)));
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// The method to use instead where this one is made for models that read the other way, and which those are.
    fn other_method(&self, model: &ModelFacts) -> Option<(Method, &'static str)> {
        match (self.method, model.is_decoder) {
            (Method::PTuning, true) => Some((Method::Prefix, "encoders")),
            (Method::Prefix, false) => Some((Method::PTuning, "decoders")),
            _ => None,
        }
    }

    /// The settings with the defaults that depend on the model.
    #[must_use]
    pub fn for_model(mut self, model: &ModelFacts) -> Self {
        if self.method == Method::Adapters && self.bottleneck_size == 0 {
            self.bottleneck_size = adapters::default_size(model.is_decoder);
        }
        if self.method == Method::EarlyBert && self.prune == Pruning::None {
            self.prune = Pruning::Heads { n_heads: model.num_attention_heads / 3 };
        }
        self
    }
}

fn too_large(most: usize) -> String {
    format!("use {most} or less")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::config::RunConfigDraft;

    const TINY: ModelFacts = ModelFacts {
        hidden_size: 12,
        num_hidden_layers: 2,
        num_attention_heads: 3,
        max_position_embeddings: 64,
        is_decoder: false,
    };

    #[test]
    fn everything_too_large_is_named() {
        let draft = RunConfigDraft::default().with("rank", "13").with("nnz", "145").with("prune", "heads:3");
        let errors = draft.check().unwrap().check_against(&TINY).unwrap_err();
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["rank", "nnz", "prune", "max_length"]);
    }

    #[test]
    fn prefixes_and_methods_must_suit_the_model() {
        let settings = |pairs: &[(&str, &str)]| {
            let draft = RunConfigDraft::default().with("max_length", "60");
            pairs.iter().fold(draft, |draft, (name, value)| draft.with(name, value)).check().unwrap()
        };
        let fault = |config: RunConfig, model: &ModelFacts| {
            let errors = config.check_against(model).unwrap_err();
            assert_eq!(errors.len(), 1, "{errors:?}");
            errors[0].to_string()
        };
        let long = fault(settings(&[("method", "p-tuning-v2"), ("prefix_length", "5")]), &TINY);
        assert!(
            long.contains("prefix_length") && long.contains("64 positions") && long.contains("use 4 or less")
        );
        let decoder = ModelFacts { is_decoder: true, ..TINY };
        let fits = ("prefix_length", "4");
        let foreign = fault(settings(&[("method", "p-tuning-v2"), fits]), &decoder);
        assert!(foreign.contains("made for encoders") && foreign.contains("use prefix"), "{foreign}");
        let foreign = fault(settings(&[("method", "prefix"), fits]), &TINY);
        assert!(foreign.contains("made for decoders") && foreign.contains("use p-tuning-v2"), "{foreign}");
        assert_eq!(settings(&[("method", "prefix"), fits]).check_against(&decoder), Ok(()));
    }

    #[test]
    fn some_defaults_depend_on_the_model() {
        let settings = |method: &str| RunConfigDraft::default().with("method", method).check().unwrap();
        assert_eq!(settings("adapters").for_model(&TINY).bottleneck_size, 8);
        let decoder = ModelFacts { is_decoder: true, ..TINY };
        assert_eq!(settings("adapters").for_model(&decoder).bottleneck_size, 7);
        assert_eq!(settings("earlybert").for_model(&TINY).prune, Pruning::Heads { n_heads: 1 });
        assert_eq!(settings("bert-tickets").for_model(&TINY).prune, Pruning::Unstructured { sparsity: 0.5 });
    }

    #[test]
    fn a_length_nobody_chose_leaves_room() {
        let length = |pairs: &[(&str, &str)]| {
            let draft = RunConfigDraft::default().with("rank", "2");
            let draft = pairs.iter().fold(draft, |draft, (name, value)| draft.with(name, value));
            draft.check_for(&TINY).map(|config| config.max_length)
        };
        assert_eq!(length(&[]), Ok(64));
        assert_eq!(length(&[("method", "p-tuning-v2")]), Ok(44));
        assert_eq!(length(&[("task", "rte"), ("method", "p-tuning-v2"), ("prefix_length", "4")]), Ok(60));
        let fields = |pairs: &[(&str, &str)]| -> Vec<String> {
            length(pairs).unwrap_err().into_iter().map(|error| error.field).collect()
        };
        assert_eq!(fields(&[("max_length", "65")]), ["max_length"]);
        assert_eq!(fields(&[("max_length", "60"), ("method", "p-tuning-v2")]), ["prefix_length"]);
        assert_eq!(fields(&[("method", "p-tuning-v2"), ("prefix_length", "63")]), ["prefix_length"]);
    }

    #[test]
    fn the_largest_that_fits_passes() {
        let draft = RunConfigDraft::default().with("rank", "12").with("nnz", "144");
        let draft = draft.with("prune", "heads:2").with("max_length", "64");
        assert_eq!(draft.check().unwrap().check_against(&TINY), Ok(()));
    }
}
