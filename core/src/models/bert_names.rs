//! Names and shapes of BERT's parameters, exactly as transformers spells them.

use super::config::BertConfig;
use crate::checkpoint::load::{NameRules, ParamSpec};
use crate::nn::head_layout::HeadAxis;
use crate::nn::site::Role;

/// The linear maps of a layer with their roles, in the order of a forward pass.
pub const LAYER_SITES: [(&str, Role); 6] = [
    ("attention.self.query", Role::Query),
    ("attention.self.key", Role::Key),
    ("attention.self.value", Role::Value),
    ("attention.output.dense", Role::AttentionOutput),
    ("intermediate.dense", Role::FeedForwardUp),
    ("output.dense", Role::FeedForwardDown),
];

/// The layer and the head axis of a parameter, if heads lie in it.
#[must_use]
pub fn head_axis(parameter: &str) -> Option<(usize, HeadAxis)> {
    let (layer, inner) = parameter.strip_prefix("bert.encoder.layer.")?.split_once('.')?;
    let (module, _) = inner.rsplit_once('.')?;
    let (_, role) = LAYER_SITES.into_iter().find(|(name, _)| *name == module)?;
    Some((layer.parse().ok()?, HeadAxis::of_parameter(role, parameter)?))
}

/// Parameters of `BertForSequenceClassification` with `n_labels` outputs, in the order of its modules.
/// The classifier may be absent from a file, and so may the pooler, which encoders trained for
/// masked words alone do not have.
#[must_use]
pub fn bert_parameters(config: &BertConfig, n_labels: usize) -> Vec<ParamSpec> {
    let hidden = config.hidden_size;
    let mut list = encoder(config);
    list.optional = true;
    list.linear("bert.pooler.dense", hidden, hidden);
    list.linear("classifier", n_labels, hidden);
    list.specs
}

/// Parameters of `BertForMaskedLM`: the encoder without pooler, and the prediction head, whose decoder weight is
/// the word embedding.
#[must_use]
pub fn bert_mlm_parameters(config: &BertConfig) -> Vec<ParamSpec> {
    let hidden = config.hidden_size;
    let mut list = encoder(config);
    list.optional = true;
    list.push("cls.predictions.bias".to_owned(), &[config.vocab_size]);
    list.linear("cls.predictions.transform.dense", hidden, hidden);
    list.layer_norm("cls.predictions.transform.LayerNorm", hidden);
    list.specs
}

/// How names of BERT files may differ, and what such files hold beside the encoder.
#[must_use]
pub fn bert_name_rules() -> NameRules {
    // A buffer that old versions saved, the prediction heads, and a pooler where the model asked for has none.
    let ignorable = ["*position_ids", "cls.*", "bert.pooler.*", "pooler.*"];
    NameRules { prefix: "bert.".to_owned(), ignorable: ignorable.map(str::to_owned).to_vec() }
}

/// Path of a module in a layer, for example `bert.encoder.layer.0.attention.self.query`.
#[must_use]
pub fn layer_module(layer: usize, module: &str) -> String {
    format!("bert.encoder.layer.{layer}.{module}")
}

struct SpecList {
    specs: Vec<ParamSpec>,
    optional: bool,
}

impl SpecList {
    fn push(&mut self, name: String, shape: &[usize]) {
        self.specs.push(ParamSpec { name, shape: shape.to_vec(), optional: self.optional });
    }

    fn linear(&mut self, module: &str, d_out: usize, d_in: usize) {
        self.push(format!("{module}.weight"), &[d_out, d_in]);
        self.push(format!("{module}.bias"), &[d_out]);
    }

    fn layer_norm(&mut self, module: &str, size: usize) {
        self.push(format!("{module}.weight"), &[size]);
        self.push(format!("{module}.bias"), &[size]);
    }
}

/// Embeddings and layers.
fn encoder(config: &BertConfig) -> SpecList {
    let (hidden, feed_forward) = (config.hidden_size, config.intermediate_size);
    let mut list = SpecList { specs: Vec::new(), optional: false };
    for (table, rows) in [
        ("word", config.vocab_size),
        ("position", config.max_position_embeddings),
        ("token_type", config.type_vocab_size),
    ] {
        list.push(format!("bert.embeddings.{table}_embeddings.weight"), &[rows, hidden]);
    }
    list.layer_norm("bert.embeddings.LayerNorm", hidden);
    for layer in 0..config.num_hidden_layers {
        for (module, _) in LAYER_SITES.into_iter().filter(|(_, role)| role.is_attention()) {
            list.linear(&layer_module(layer, module), hidden, hidden);
        }
        list.layer_norm(&layer_module(layer, "attention.output.LayerNorm"), hidden);
        list.linear(&layer_module(layer, "intermediate.dense"), feed_forward, hidden);
        list.linear(&layer_module(layer, "output.dense"), hidden, feed_forward);
        list.layer_norm(&layer_module(layer, "output.LayerNorm"), hidden);
    }
    list
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn n_values(specs: &[ParamSpec]) -> usize {
        specs.iter().map(|spec| spec.shape.iter().product::<usize>()).sum()
    }

    #[test]
    fn bert_base_has_its_published_size() {
        let config = BertConfig::parse("config.json", br#"{"model_type":"bert"}"#).unwrap();
        let specs = bert_parameters(&config, 2);
        // Section 1.4 of the method: 109,482,240 without the classifier of 1,538.
        assert_eq!(n_values(&specs), 109_482_240 + 1_538);
        assert_eq!(specs.len(), 5 + 12 * 16 + 4);
        let name = "bert.encoder.layer.11.attention.output.LayerNorm.bias";
        assert!(specs.iter().any(|spec| spec.name == name && spec.shape == [768] && !spec.optional));
        let optional: Vec<_> = specs.iter().filter(|spec| spec.optional).map(|spec| &spec.name).collect();
        assert_eq!(
            optional,
            ["bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"]
        );
    }

    #[test]
    fn heads_are_found_by_name() {
        let at = |name: &str| head_axis(&format!("bert.encoder.layer.{name}"));
        assert_eq!(at("3.attention.self.key.bias"), Some((3, HeadAxis::Rows)));
        assert_eq!(at("0.attention.output.dense.weight"), Some((0, HeadAxis::Columns)));
        assert_eq!(at("0.attention.output.dense.bias"), None);
        assert_eq!(at("0.output.dense.weight"), None);
        assert_eq!(head_axis("classifier.weight"), None);
    }

    #[test]
    fn masked_language_head_is_tied() {
        let config = super::super::config::tests::tiny();
        let specs = bert_mlm_parameters(&config);
        let head: Vec<_> = specs.iter().skip_while(|spec| !spec.name.starts_with("cls.")).collect();
        let names: Vec<_> = head.iter().map(|spec| spec.name.as_str()).collect();
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
