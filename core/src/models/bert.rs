//! BERT (Devlin et al. 2019, arXiv 1810.04805): the shared encoder, a tanh pooler and a classifier on the first token,
//! or the head that predicts masked words.

use super::config::ModelConfig;
use super::config_fields::Fields;
use super::encoder::{self, Defaults, Encoder, MaskedLm, TANH};
use super::family::{Family, Head, Parts, SizeCheck};
use super::parameter::Parameter;
use super::{Model, Output, linear};
use crate::checkpoint::load::NameRules;
use crate::nn::inputs::BatchInputs;
use crate::nn::linear::{After, Linear};
use crate::nn::outline::Place;
use crate::nn::site::{Role, Site};
use crate::ops::dropout::dropout;
use crate::tape::Tape;
use crate::tokenizer::TokenizerKind;

const PREFIX: &str = "bert";
const POOLER: &str = "bert.pooler.dense";
const CLASSIFIER: &str = "classifier";
const TRANSFORM: &str = "cls.predictions.transform.dense";
const TRANSFORM_NORM: &str = "cls.predictions.transform.LayerNorm";
const DECODER_BIAS: &str = "cls.predictions.bias";

/// The family.
#[derive(Debug)]
pub struct Bert;

impl Family for Bert {
    fn model_type(&self) -> &'static str {
        "bert"
    }

    fn tokenizer_kinds(&self) -> &'static [TokenizerKind] {
        &[TokenizerKind::WordPiece]
    }

    fn class(&self, head: Head) -> Option<&'static str> {
        match head {
            Head::SequenceClassification { .. } => Some("BertForSequenceClassification"),
            Head::MaskedLm => Some("BertForMaskedLM"),
            Head::CausalLm => None,
        }
    }

    fn read_config(&self, fields: &mut Fields) -> ModelConfig {
        encoder::read_config(&Bert, Defaults { vocab_size: 30_522, pad_token_id: 0 }, fields)
    }

    /// The classifier may be absent from a file, and so may the pooler, which encoders trained for masked words alone do
    /// not have.
    fn parameters(&self, config: &ModelConfig, head: Head) -> Vec<Parameter> {
        let hidden = config.hidden_size;
        let mut list = encoder::parameters(config, PREFIX);
        match head {
            Head::SequenceClassification { n_labels } => {
                list.place = Place::Top;
                list.linear(POOLER, hidden, hidden);
                list.place = Place::Head;
                list.linear(CLASSIFIER, n_labels, hidden);
            }
            Head::MaskedLm | Head::CausalLm => {
                list.push(DECODER_BIAS.to_owned(), &[config.vocab_size]);
                list.linear(TRANSFORM, hidden, hidden);
                list.layer_norm(TRANSFORM_NORM, hidden);
            }
        }
        list.parameters
    }

    fn sites(&self, config: &ModelConfig, head: Head) -> Vec<Site> {
        let d_in = config.hidden_size;
        let mut sites = encoder::sites(config, PREFIX);
        let mut add = |path: &str, role, d_out| {
            sites.push(Site { path: path.to_owned(), layer: None, role, d_out, d_in });
        };
        match head {
            Head::SequenceClassification { n_labels } => {
                add(POOLER, Role::Pooler, d_in);
                add(CLASSIFIER, Role::Head, n_labels);
            }
            Head::MaskedLm | Head::CausalLm => add(TRANSFORM, Role::Head, d_in),
        }
        sites
    }

    fn name_rules(&self) -> NameRules {
        // A buffer that old versions saved, the other heads, and a pooler where the model asked for has none.
        let ignorable = ["*position_ids", "cls.*", "bert.pooler.*", "pooler.*", "classifier.*"];
        NameRules { prefix: format!("{PREFIX}."), ignorable: ignorable.map(str::to_owned).to_vec() }
    }

    fn size_checks(&self, config: &ModelConfig) -> Vec<SizeCheck> {
        encoder::size_checks(config)
    }

    fn layer_prefix(&self) -> &'static str {
        "encoder.layer."
    }

    fn has_pooler(&self) -> bool {
        true
    }

    fn build(&self, parts: &Parts<'_>, head: Head) -> Box<dyn Model> {
        match head {
            Head::SequenceClassification { .. } => Box::new(SequenceClassification::find(parts)),
            Head::MaskedLm | Head::CausalLm => {
                Box::new(MaskedLm::find(parts, PREFIX, TRANSFORM, TRANSFORM_NORM, DECODER_BIAS))
            }
        }
    }
}

/// The encoder with pooler and classifier.
#[derive(Debug)]
struct SequenceClassification {
    encoder: Encoder,
    pooler: Linear,
    classifier: Linear,
}

impl SequenceClassification {
    fn find(parts: &Parts<'_>) -> Self {
        Self {
            encoder: Encoder::find(parts, PREFIX),
            pooler: linear(parts.parameters, parts.plan, POOLER),
            classifier: linear(parts.parameters, parts.plan, CLASSIFIER),
        }
    }
}

impl Model for SequenceClassification {
    fn output(&self, tape: &mut Tape, batch: &BatchInputs) -> Output {
        let first = self.encoder.encode_first(tape, batch);
        let pooled = self.pooler.forward(tape, &first, TANH);
        let pooled = dropout(tape, &pooled, self.encoder.classifier_dropout());
        Output::Logits(self.classifier.forward(tape, &pooled, After::default()))
    }

    fn linears(&self) -> Vec<&Linear> {
        self.encoder.linears().chain([&self.pooler, &self.classifier]).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn bert_base_has_its_published_size() {
        let config = ModelConfig::parse("config.json", br#"{"model_type":"bert"}"#).unwrap();
        let parameters = Bert.parameters(&config, Head::SequenceClassification { n_labels: 2 });
        let n_values: usize = parameters.iter().map(|p| p.shape.iter().product::<usize>()).sum();
        // Section 1.4 of the method: 109,482,240 without the classifier of 1,538.
        assert_eq!(n_values, 109_482_240 + 1_538);
        assert_eq!(parameters.len(), 5 + 12 * 16 + 4);
        let name = "bert.encoder.layer.11.attention.output.LayerNorm.bias";
        assert!(parameters.iter().any(|p| p.name == name && p.shape == [768] && !p.optional));
        let optional: Vec<_> = parameters.iter().filter(|p| p.optional).map(|p| &p.name).collect();
        assert_eq!(
            optional,
            ["bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"]
        );
    }

    #[test]
    fn masked_language_head_is_tied() {
        let config = crate::models::config::tests::tiny();
        let parameters = Bert.parameters(&config, Head::MaskedLm);
        let head: Vec<_> = parameters.iter().skip_while(|p| !p.name.starts_with("cls.")).collect();
        let names: Vec<_> = head.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "cls.predictions.bias",
                "cls.predictions.transform.dense.weight",
                "cls.predictions.transform.dense.bias",
                "cls.predictions.transform.LayerNorm.weight",
                "cls.predictions.transform.LayerNorm.bias"
            ]
        );
        assert_eq!(head[0].shape, [11]);
    }
}
