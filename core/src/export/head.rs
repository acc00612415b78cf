//! What transformers and peft call the heads of a model.

use crate::models::family::Head;

impl Head {
    /// peft's `task_type`; it has none for hidden words.
    #[must_use]
    pub const fn task_type(self) -> Option<&'static str> {
        match self {
            Self::SequenceClassification { .. } => Some("SEQ_CLS"),
            Self::MaskedLm => None,
            Self::CausalLm => Some("CAUSAL_LM"),
        }
    }

    /// transformers' class that finds the right model by its configuration.
    #[must_use]
    pub const fn auto_class(self) -> &'static str {
        match self {
            Self::SequenceClassification { .. } => "AutoModelForSequenceClassification",
            Self::MaskedLm => "AutoModelForMaskedLM",
            Self::CausalLm => "AutoModelForCausalLM",
        }
    }

    /// The model hub's name of what such a model is for.
    #[must_use]
    pub const fn pipeline_tag(self) -> &'static str {
        match self {
            Self::SequenceClassification { .. } => "text-classification",
            Self::MaskedLm => "fill-mask",
            Self::CausalLm => "text-generation",
        }
    }
}
