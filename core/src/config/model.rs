//! Settings against the sizes of a model.

use super::{FieldError, Method, Pruning, RunConfig};

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
        if self.max_length > longest {
            let reason = format!("the model knows {longest} positions");
            errors.push(FieldError::new("max_length", self.max_length, reason, too_large(longest)));
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
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
    };

    #[test]
    fn everything_too_large_is_named() {
        let draft = RunConfigDraft::default().with("rank", "13").with("nnz", "145").with("prune", "heads:3");
        let errors = draft.check().unwrap().check_against(&TINY).unwrap_err();
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["rank", "nnz", "prune", "max_length"]);
    }

    #[test]
    fn the_largest_that_fits_passes() {
        let draft = RunConfigDraft::default().with("rank", "12").with("nnz", "144");
        let draft = draft.with("prune", "heads:2").with("max_length", "64");
        assert_eq!(draft.check().unwrap().check_against(&TINY), Ok(()));
    }
}
