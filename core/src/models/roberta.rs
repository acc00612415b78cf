//! RoBERTa (Liu et al. 2019, arXiv 1907.11692): the shared encoder with positions that begin behind the padding id, no
//! pooler, and a classifier of two maps on the first token, or the head that predicts masked words.

use super::config::ModelConfig;
use super::config_fields::Fields;
use super::encoder::{self, Defaults, Encoder, MaskedLm, TANH};
use super::family::{Family, Head, Parts, SizeCheck};
use super::parameter::Parameter;
use super::{Model, Output, linear};
use crate::checkpoint::load::NameRules;
use crate::nn::inputs::BatchInputs;
use crate::nn::linear::{After, Linear};
use crate::nn::site::{Role, Site};
use crate::ops::dropout::dropout;
use crate::tape::Tape;
use crate::tokenizer::TokenizerKind;

const PREFIX: &str = "roberta";
const DENSE: &str = "classifier.dense";
const OUT: &str = "classifier.out_proj";
const TRANSFORM: &str = "lm_head.dense";
const TRANSFORM_NORM: &str = "lm_head.layer_norm";
const DECODER_BIAS: &str = "lm_head.bias";

/// The family.
#[derive(Debug)]
pub struct Roberta;

impl Family for Roberta {
    fn model_type(&self) -> &'static str {
        "roberta"
    }

    /// Its own, or that of models of this form in other languages.
    fn tokenizer_kinds(&self) -> &'static [TokenizerKind] {
        &[TokenizerKind::FramedBytes, TokenizerKind::WordPiece]
    }

    fn class(&self, head: Head) -> Option<&'static str> {
        match head {
            Head::SequenceClassification { .. } => Some("RobertaForSequenceClassification"),
            Head::MaskedLm => Some("RobertaForMaskedLM"),
            Head::CausalLm => None,
        }
    }

    fn read_config(&self, fields: &mut Fields) -> ModelConfig {
        let config = encoder::read_config(&Roberta, Defaults { vocab_size: 50_265, pad_token_id: 1 }, fields);
        let first_position = config.pad_token_id.map_or(0, |pad| pad + 1);
        if config.max_position_embeddings <= first_position {
            let found = config.max_position_embeddings.to_string();
            let expected = format!("more than {first_position}, because positions begin behind pad_token_id");
            fields.reject("max_position_embeddings", found, expected);
        }
        ModelConfig { first_position, ..config }
    }

    fn parameters(&self, config: &ModelConfig, head: Head) -> Vec<Parameter> {
        let hidden = config.hidden_size;
        let mut list = encoder::parameters(config, PREFIX);
        match head {
            Head::SequenceClassification { n_labels } => {
                list.linear(DENSE, hidden, hidden);
                list.linear(OUT, n_labels, hidden);
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
        let mut add = |path: &str, d_out| {
            sites.push(Site { path: path.to_owned(), layer: None, role: Role::Head, d_out, d_in });
        };
        match head {
            Head::SequenceClassification { n_labels } => {
                add(DENSE, d_in);
                add(OUT, n_labels);
            }
            Head::MaskedLm | Head::CausalLm => add(TRANSFORM, d_in),
        }
        sites
    }

    fn name_rules(&self) -> NameRules {
        // A buffer that old versions saved, the other heads with the copy of a tied weight, and a pooler that is not used.
        let ignorable = ["*position_ids", "lm_head.*", "classifier.*", "roberta.pooler.*", "pooler.*"];
        NameRules { prefix: format!("{PREFIX}."), ignorable: ignorable.map(str::to_owned).to_vec() }
    }

    fn size_checks(&self, config: &ModelConfig) -> Vec<SizeCheck> {
        encoder::size_checks(config)
    }

    fn layer_prefix(&self) -> &'static str {
        "encoder.layer."
    }

    fn build(&self, parts: &Parts<'_>, head: Head) -> Box<dyn Model> {
        match head {
            Head::SequenceClassification { .. } => Box::new(SequenceClassification {
                encoder: Encoder::find(parts, PREFIX),
                dense: linear(parts.parameters, parts.plan, DENSE),
                out: linear(parts.parameters, parts.plan, OUT),
            }),
            Head::MaskedLm | Head::CausalLm => {
                Box::new(MaskedLm::find(parts, PREFIX, TRANSFORM, TRANSFORM_NORM, DECODER_BIAS))
            }
        }
    }
}

/// The encoder with a classifier of two maps.
#[derive(Debug)]
struct SequenceClassification {
    encoder: Encoder,
    dense: Linear,
    out: Linear,
}

impl Model for SequenceClassification {
    fn output(&self, tape: &mut Tape, batch: &BatchInputs) -> Output {
        let rate = self.encoder.classifier_dropout();
        let first = self.encoder.encode_first(tape, batch);
        let first = dropout(tape, &first, rate);
        let dense = self.dense.forward(tape, &first, TANH);
        let dense = dropout(tape, &dense, rate);
        Output::Logits(self.out.forward(tape, &dense, After::default()))
    }

    fn linears(&self) -> Vec<&Linear> {
        self.encoder.linears().chain([&self.dense, &self.out]).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn roberta_large_has_its_published_size() {
        let config = ModelConfig::parse(
            "config.json",
            br#"{"model_type":"roberta","hidden_size":1024,"num_hidden_layers":24,"num_attention_heads":16,
                "intermediate_size":4096,"max_position_embeddings":514,"type_vocab_size":1,"layer_norm_eps":1e-5}"#,
        )
        .unwrap();
        assert_eq!((config.first_position, config.longest(), config.pad_token_id), (2, 512, Some(1)));
        let parameters = Roberta.parameters(&config, Head::SequenceClassification { n_labels: 2 });
        let n_values: usize = parameters.iter().map(|p| p.shape.iter().product::<usize>()).sum();
        // Section 1.4 of the method: encoder and embeddings, and the head.
        assert_eq!(n_values, 354_310_144 + 1_051_650);
    }

    #[test]
    fn too_few_positions_are_refused() {
        let error =
            ModelConfig::parse("config.json", br#"{"model_type":"roberta","max_position_embeddings":2}"#)
                .unwrap_err();
        assert_eq!(error.fields[0].field, "max_position_embeddings");
    }
}
