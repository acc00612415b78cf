//! GPT-2 (Radford et al. 2019): pre-LN blocks with causal attention and learned positions, exactly transformers' numbers.
//! Its head predicts the next word through the word embedding, or classifies by the last token of a sequence.
//!
//! Files hold the maps transposed and query, key and value as one; here they are three sites of a layer.

use super::config::{HiddenAct, MAX_SIZE, ModelConfig, hidden_act};
use super::config_fields::Fields;
use super::family::{Family, Head, Parts, SizeCheck};
use super::parameter::{Parameter, ParameterList};
use super::{DropoutRates, Model, Norm, Output, Words, activation_number, linear};
use crate::checkpoint::load::NameRules;
use crate::nn::cached_inputs::CachedInputs;
use crate::nn::inputs::BatchInputs;
use crate::nn::linear::{After, Linear};
use crate::nn::outline::Place;
use crate::nn::site::{Role, Site};
use crate::ops::attention::{Heads, Pairing, attention};
use crate::ops::cache::{attention_cached, store_rows};
use crate::ops::dropout::dropout;
use crate::ops::gather::{RowNumbers, gather_rows, gather_sum};
use crate::ops::linear_cross_entropy::LmHead;
use crate::tape::{Tape, Tensor};
use crate::tokenizer::TokenizerKind;

const PREFIX: &str = "transformer";
const WORDS: &str = "transformer.wte.weight";
const POSITIONS: &str = "transformer.wpe.weight";
const LAST_NORM: &str = "transformer.ln_f";
const SCORE: &str = "score";
/// The linear maps of a layer with their roles, in the order of a forward pass.
const LAYER_SITES: [(&str, Role); 6] = [
    ("attn.c_attn.query", Role::Query),
    ("attn.c_attn.key", Role::Key),
    ("attn.c_attn.value", Role::Value),
    ("attn.c_proj", Role::AttentionOutput),
    ("mlp.c_fc", Role::FeedForwardUp),
    ("mlp.c_proj", Role::FeedForwardDown),
];

fn layer_module(layer: usize, module: &str) -> String {
    format!("{PREFIX}.h.{layer}.{module}")
}

/// The family.
#[derive(Debug)]
pub struct Gpt2;

impl Family for Gpt2 {
    fn model_type(&self) -> &'static str {
        "gpt2"
    }

    fn tokenizer_kinds(&self) -> &'static [TokenizerKind] {
        &[TokenizerKind::Bytes]
    }

    fn class(&self, head: Head) -> Option<&'static str> {
        match head {
            Head::SequenceClassification { .. } => Some("GPT2ForSequenceClassification"),
            Head::CausalLm => Some("GPT2LMHeadModel"),
            Head::MaskedLm => None,
        }
    }

    fn read_config(&self, fields: &mut Fields) -> ModelConfig {
        for (field, only) in [("scale_attn_weights", true), ("scale_attn_by_inverse_layer_idx", false)] {
            if fields.get(field).and_then(serde_json::Value::as_bool) == Some(!only) {
                fields.reject(field, (!only).to_string(), only.to_string());
            }
        }
        let size = |fields: &mut Fields, name: &str, default| fields.size(name, default, 1..=MAX_SIZE);
        let rate = |fields: &mut Fields, name: &str| fields.number(name, 0.1, 0.0, 1.0);
        let hidden_size = size(fields, "n_embd", 768);
        let token = |fields: &mut Fields, name: &str, default: usize| {
            let given = fields.get(name).is_some();
            (given || name == "eos_token_id").then(|| fields.size(name, default, 0..=MAX_SIZE))
        };
        ModelConfig {
            vocab_size: size(fields, "vocab_size", 50_257),
            hidden_size,
            num_hidden_layers: fields.size("n_layer", 12, 1..=1024),
            num_attention_heads: fields.size("n_head", 12, 1..=1024),
            intermediate_size: size(fields, "n_inner", 4 * hidden_size),
            hidden_act: hidden_act(fields, "activation_function", HiddenAct::GeluTanh),
            embedding_dropout: rate(fields, "embd_pdrop"),
            hidden_dropout_prob: rate(fields, "resid_pdrop"),
            attention_probs_dropout_prob: rate(fields, "attn_pdrop"),
            max_position_embeddings: size(fields, "n_positions", 1024),
            initializer_range: fields.number("initializer_range", 0.02, 0.0, 1.0),
            layer_norm_eps: fields.number("layer_norm_epsilon", 1e-5, 0.0, 1.0),
            pad_token_id: token(fields, "pad_token_id", 0),
            eos_token_id: token(fields, "eos_token_id", 50_256),
            ..ModelConfig::empty(&Gpt2)
        }
    }

    fn size_fields(&self) -> [&'static str; 2] {
        ["n_embd", "n_head"]
    }

    fn parameters(&self, config: &ModelConfig, head: Head) -> Vec<Parameter> {
        let (hidden, feed_forward) = (config.hidden_size, config.intermediate_size);
        let mut list = ParameterList::default();
        list.table(WORDS.to_owned(), config.vocab_size, hidden);
        list.table(POSITIONS.to_owned(), config.max_position_embeddings, hidden);
        for layer in 0..config.num_hidden_layers {
            list.place = Place::Layer(layer);
            let path = |module: &str| layer_module(layer, module);
            let mut map = |module: &str, parts: &[&str], d_out, d_in| {
                let parts: Vec<String> = parts.iter().map(|part| path(part)).collect();
                list.conv1d(&path(module), &parts, d_out, d_in);
            };
            let attention = ["attn.c_attn.query", "attn.c_attn.key", "attn.c_attn.value"];
            map("attn.c_attn", &attention, hidden, hidden);
            map("attn.c_proj", &["attn.c_proj"], hidden, hidden);
            map("mlp.c_fc", &["mlp.c_fc"], feed_forward, hidden);
            map("mlp.c_proj", &["mlp.c_proj"], hidden, feed_forward);
            list.layer_norm(&path("ln_1"), hidden);
            list.layer_norm(&path("ln_2"), hidden);
        }
        list.place = Place::Top;
        list.layer_norm(LAST_NORM, hidden);
        if let Head::SequenceClassification { n_labels } = head {
            (list.optional, list.place) = (true, Place::Head);
            list.push(format!("{SCORE}.weight"), &[n_labels, hidden]);
        }
        list.parameters
    }

    fn sites(&self, config: &ModelConfig, head: Head) -> Vec<Site> {
        let (hidden, feed_forward) = (config.hidden_size, config.intermediate_size);
        let mut sites = Vec::new();
        for layer in 0..config.num_hidden_layers {
            for (module, role) in LAYER_SITES {
                let (d_out, d_in) = match role {
                    Role::FeedForwardUp => (feed_forward, hidden),
                    Role::FeedForwardDown => (hidden, feed_forward),
                    _ => (hidden, hidden),
                };
                sites.push(Site { path: layer_module(layer, module), layer: Some(layer), role, d_out, d_in });
            }
        }
        if let Head::SequenceClassification { n_labels } = head {
            let path = SCORE.to_owned();
            sites.push(Site { path, layer: None, role: Role::Head, d_out: n_labels, d_in: hidden });
        }
        sites
    }

    fn name_rules(&self) -> NameRules {
        // Buffers of the causal mask, the copy of the tied decoder, and the other head.
        let ignorable = ["*.attn.bias", "*.attn.masked_bias", "lm_head.weight", "score.weight"];
        NameRules { prefix: format!("{PREFIX}."), ignorable: ignorable.map(str::to_owned).to_vec() }
    }

    fn size_checks(&self, config: &ModelConfig) -> Vec<SizeCheck> {
        let check =
            |field, value, tensor: &str, axis| SizeCheck { field, value, tensor: tensor.to_owned(), axis };
        vec![
            check("vocab_size", config.vocab_size, "wte.weight", 0),
            check("n_embd", config.hidden_size, "wte.weight", 1),
            check("n_positions", config.max_position_embeddings, "wpe.weight", 0),
            check("n_inner", config.intermediate_size, "h.0.mlp.c_fc.weight", 1),
        ]
    }

    fn layer_prefix(&self) -> &'static str {
        "h."
    }

    fn classifier_module(&self) -> &'static str {
        SCORE
    }

    fn is_causal(&self) -> bool {
        true
    }

    fn build(&self, parts: &Parts<'_>, head: Head) -> Box<dyn Model> {
        let decoder = Decoder::find(parts);
        match head {
            Head::SequenceClassification { .. } => {
                let score = linear(parts.parameters, parts.plan, SCORE);
                Box::new(SequenceClassification { decoder, score })
            }
            Head::CausalLm | Head::MaskedLm => Box::new(CausalLm { decoder }),
        }
    }
}

/// The decoder, its parameters found on the device. Weights may lack the rows of removed heads.
#[derive(Debug)]
struct Decoder {
    words: Vec<Tensor>,
    positions: Vec<Tensor>,
    layers: Vec<Layer>,
    last_norm: Norm,
    rates: DropoutRates,
}

#[derive(Clone, Debug)]
struct Layer {
    attention_norm: Norm,
    query: Linear,
    key: Linear,
    value: Linear,
    attention_output: Linear,
    feed_forward_norm: Norm,
    up: Linear,
    down: Linear,
    heads: Heads,
    activation: u32,
    dropout: f32,
}

impl Layer {
    fn find(parts: &Parts<'_>, layer: usize) -> Self {
        let Parts { config, parameters, plan, rates } = *parts;
        let [query, key, value, attention_output, up, down] =
            LAYER_SITES.map(|(module, _)| linear(parameters, plan, &layer_module(layer, module)));
        let head_size = config.head_size();
        let heads = Heads { n_heads: query.d_out() / head_size, head_size, dropout: rates.attention };
        let norm = |module: &str| Norm::find(parameters, &layer_module(layer, module), config.layer_norm_eps);
        Self {
            attention_norm: norm("ln_1"),
            query,
            key,
            value,
            attention_output,
            feed_forward_norm: norm("ln_2"),
            up,
            down,
            heads,
            activation: activation_number(config.hidden_act),
            dropout: rates.hidden,
        }
    }

    /// x (T, C) → (rows that ask, C): all of x, or those that `asking` picks. `attend` lets queries meet keys and values.
    fn forward(
        &self,
        tape: &mut Tape,
        x: &Tensor,
        asking: Option<&RowNumbers>,
        attend: impl FnOnce(&mut Tape, [&Tensor; 3], Heads) -> Tensor,
    ) -> Tensor {
        let plain = After::default();
        let normed = self.attention_norm.forward(tape, x);
        let key = self.key.forward(tape, &normed, plain);
        let value = self.value.forward(tape, &normed, plain);
        let (x, normed) = match asking {
            Some(rows) => (gather_rows(tape, x, rows), gather_rows(tape, &normed, rows)),
            None => (x.clone(), normed),
        };
        let query = self.query.forward(tape, &normed, plain);
        let context = attend(tape, [&query, &key, &value], self.heads);
        let onto = |residual| After { dropout: self.dropout, residual: Some(residual), ..After::default() };
        let attended = self.attention_output.forward(tape, &context, onto(&x));
        let normed = self.feed_forward_norm.forward(tape, &attended);
        let activated = After { activation: self.activation, ..After::default() };
        let up = self.up.forward(tape, &normed, activated);
        self.down.forward(tape, &up, onto(&attended))
    }

    /// The layer as it takes new tokens where the prefix lies in the pools already.
    fn without_prefix(&self) -> Self {
        Self { key: self.key.without_prefix(), value: self.value.without_prefix(), ..self.clone() }
    }

    fn linears(&self) -> [&Linear; 6] {
        [&self.query, &self.key, &self.value, &self.attention_output, &self.up, &self.down]
    }
}

impl Decoder {
    fn find(parts: &Parts<'_>) -> Self {
        let Parts { config, parameters, rates, .. } = *parts;
        Self {
            words: parameters.parts(WORDS).to_vec(),
            positions: parameters.parts(POSITIONS).to_vec(),
            layers: (0..config.num_hidden_layers).map(|layer| Layer::find(parts, layer)).collect(),
            last_norm: Norm::find(parameters, LAST_NORM, config.layer_norm_eps),
            rates,
        }
    }

    /// (T, C)
    fn embed(&self, tape: &mut Tape, words: RowNumbers, positions: RowNumbers) -> Tensor {
        tape.set_scope(PREFIX);
        let sum = gather_sum(tape, &[(&self.words, words), (&self.positions, positions)]);
        dropout(tape, &sum, self.rates.embedding)
    }

    /// The last hidden states of all tokens before the last layer norm, (T, C).
    fn decode(&self, tape: &mut Tape, batch: &BatchInputs) -> Tensor {
        let mut x = self.embed(tape, batch.words(), batch.positions());
        for layer in &self.layers {
            x = layer.forward(tape, &x, None, meeting(&batch.causal_pairs()));
        }
        x
    }

    /// The same of the last tokens alone, (B, C).
    fn decode_last(&self, tape: &mut Tape, batch: &BatchInputs) -> Tensor {
        let mut x = self.embed(tape, batch.words(), batch.positions());
        let Some((last, before)) = self.layers.split_last() else { unreachable!("a decoder has layers") };
        for layer in before {
            x = layer.forward(tape, &x, None, meeting(&batch.causal_pairs()));
        }
        last.forward(tape, &x, Some(&batch.last()), meeting(&batch.single_pairs()))
    }

    /// The last hidden states of the newest tokens before the last layer norm, (B, C). Keys and values of the new tokens
    /// go to the pools, where those of the old ones are.
    fn go_on(&self, tape: &mut Tape, inputs: &CachedInputs) -> Tensor {
        let mut x = self.embed(tape, inputs.words(), inputs.positions());
        for (number, layer) in self.layers.iter().enumerate() {
            let [keys, values] = inputs.pools(number);
            x = layer.without_prefix().forward(tape, &x, None, |tape, [query, key, value], heads| {
                store_rows(tape, key, &inputs.rows(), &keys);
                store_rows(tape, value, &inputs.rows(), &values);
                attention_cached(tape, query, [&keys, &values], &inputs.pairing(), heads)
            });
        }
        gather_rows(tape, &x, &inputs.last())
    }

    /// Every layer's prefix goes to the first rows of its pools.
    fn store_prefix(&self, tape: &mut Tape, inputs: &CachedInputs) {
        for (number, layer) in self.layers.iter().enumerate() {
            for (map, pool) in [&layer.key, &layer.value].into_iter().zip(&inputs.pools(number)) {
                if let Some(prefix) = map.prefix(tape) {
                    store_rows(tape, &prefix, &inputs.prefix_rows(), pool);
                }
            }
        }
    }

    fn linears(&self) -> impl Iterator<Item = &Linear> {
        self.layers.iter().flat_map(Layer::linears)
    }
}

/// Attention within the batch.
fn meeting(pairing: &Pairing) -> impl FnOnce(&mut Tape, [&Tensor; 3], Heads) -> Tensor {
    let pairing = pairing.clone();
    move |tape, [query, key, value], heads| attention(tape, query, key, value, &pairing, heads)
}

/// The decoder with a classifier on the last token.
#[derive(Debug)]
struct SequenceClassification {
    decoder: Decoder,
    score: Linear,
}

impl Model for SequenceClassification {
    fn output(&self, tape: &mut Tape, batch: &BatchInputs) -> Output {
        let last = self.decoder.decode_last(tape, batch);
        let normed = self.decoder.last_norm.forward(tape, &last);
        Output::Logits(self.score.forward(tape, &normed, After::default()))
    }

    fn linears(&self) -> Vec<&Linear> {
        self.decoder.linears().chain([&self.score]).collect()
    }
}

/// The decoder that predicts the next word through its word embedding.
#[derive(Debug)]
struct CausalLm {
    decoder: Decoder,
}

impl Model for CausalLm {
    fn output(&self, tape: &mut Tape, batch: &BatchInputs) -> Output {
        let x = self.decoder.decode(tape, batch);
        let picked = gather_rows(tape, &x, &batch.targets());
        let hidden = self.decoder.last_norm.forward(tape, &picked);
        let (weight, max_rows) = (self.decoder.words.clone(), batch.capacity().targets);
        Output::Words(Words { hidden, head: LmHead { weight, bias: None, max_rows } })
    }

    fn next_words(&self, tape: &mut Tape, inputs: &CachedInputs) -> Option<Words> {
        let x = self.decoder.go_on(tape, inputs);
        let hidden = self.decoder.last_norm.forward(tape, &x);
        let (weight, max_rows) = (self.decoder.words.clone(), inputs.capacity().sequences);
        Some(Words { hidden, head: LmHead { weight, bias: None, max_rows } })
    }

    fn cache_widths(&self) -> Vec<usize> {
        self.decoder.layers.iter().map(|layer| layer.key.d_out()).collect()
    }

    fn n_prefix(&self) -> usize {
        self.decoder.layers.iter().map(|layer| layer.key.n_prefix()).max().unwrap_or(0)
    }

    fn store_prefix(&self, tape: &mut Tape, inputs: &CachedInputs) {
        self.decoder.store_prefix(tape, inputs);
    }

    fn linears(&self) -> Vec<&Linear> {
        self.decoder.linears().collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::models::parameter::file_tensors;

    fn n_values(config: &ModelConfig, head: Head) -> usize {
        Gpt2.parameters(config, head).iter().map(|p| p.shape.iter().product::<usize>()).sum()
    }

    #[test]
    fn gpt2_medium_has_its_published_size() {
        let config = ModelConfig::parse(
            "config.json",
            br#"{"model_type":"gpt2","n_embd":1024,"n_layer":24,"n_head":16}"#,
        )
        .unwrap();
        // Section 1.4 of the method.
        assert_eq!(n_values(&config, Head::CausalLm), 354_823_168);
        assert_eq!((config.head_size(), config.eos_token_id, config.pad_token_id), (64, Some(50_256), None));
    }

    #[test]
    fn files_hold_query_key_and_value_as_one() {
        let config = ModelConfig::parse(
            "config.json",
            br#"{"model_type":"gpt2","n_embd":8,"n_layer":1,"n_head":2,"vocab_size":5,"n_positions":4}"#,
        )
        .unwrap();
        let parameters = Gpt2.parameters(&config, Head::CausalLm);
        let tensors = file_tensors(&parameters);
        let shape = |name: &str| tensors.iter().find(|tensor| tensor.name == name).unwrap().shape.clone();
        assert_eq!(shape("transformer.h.0.attn.c_attn.weight"), [8, 24]);
        assert_eq!(shape("transformer.h.0.attn.c_attn.bias"), [24]);
        assert_eq!(shape("transformer.h.0.mlp.c_fc.weight"), [8, 32]);
        assert_eq!(shape("transformer.h.0.mlp.c_proj.weight"), [32, 8]);
        assert_eq!(tensors.len(), 2 + 12 + 2);
        assert!(parameters.iter().any(|p| p.name == "transformer.h.0.attn.c_attn.value.weight"));
    }

    #[test]
    fn forms_that_compute_otherwise_are_refused() {
        let error = ModelConfig::parse(
            "config.json",
            br#"{"model_type":"gpt2","scale_attn_by_inverse_layer_idx":true,"n_head":7}"#,
        )
        .unwrap_err();
        let fields: Vec<&str> = error.fields.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["scale_attn_by_inverse_layer_idx", "n_embd"]);
    }
}
