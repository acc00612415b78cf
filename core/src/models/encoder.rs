//! The encoder that BERT (Devlin et al. 2019, arXiv 1810.04805) and RoBERTa share: post-LN blocks, exactly transformers'
//! numbers, names and defaults; the families differ in prefix, positions and heads.
//!
//! Two things that do not change the numbers: a batch is the concatenation of its sequences, and the last layer of a
//! classifier works on first tokens only, because nothing else is read.

use super::config::{HiddenAct, MAX_SIZE, ModelConfig, hidden_act};
use super::config_fields::Fields;
use super::family::{Family, Parts, SizeCheck};
use super::parameter::ParameterList;
use super::{DropoutRates, Model, Norm, Output, Words, activation_number, linear};
use crate::nn::inputs::BatchInputs;
use crate::nn::linear::{After, Linear};
use crate::nn::outline::Place;
use crate::nn::site::{Role, Site};
use crate::ops::attention::{Heads, Pairing, attention};
use crate::ops::dropout::dropout;
use crate::ops::gather::{gather_rows, gather_sum};
use crate::ops::linear_cross_entropy::LmHead;
use crate::ops::matmul::activation;
use crate::tape::{Tape, Tensor};

/// The linear maps of a layer with their roles, in the order of a forward pass.
const LAYER_SITES: [(&str, Role); 6] = [
    ("attention.self.query", Role::Query),
    ("attention.self.key", Role::Key),
    ("attention.self.value", Role::Value),
    ("attention.output.dense", Role::AttentionOutput),
    ("intermediate.dense", Role::FeedForwardUp),
    ("output.dense", Role::FeedForwardDown),
];

/// Path of a module in a layer, for example `bert.encoder.layer.0.attention.self.query`.
fn layer_module(prefix: &str, layer: usize, module: &str) -> String {
    format!("{prefix}.encoder.layer.{layer}.{module}")
}

/// Defaults in which the families differ.
#[derive(Clone, Copy, Debug)]
pub struct Defaults {
    /// V
    pub vocab_size: usize,
    /// Token id of padding.
    pub pad_token_id: usize,
}

/// Settings of an encoder. Positions count from 0.
pub fn read_config(family: &'static dyn Family, defaults: Defaults, fields: &mut Fields) -> ModelConfig {
    if let Some(kind) = fields.text("position_embedding_type").filter(|kind| kind != "absolute") {
        fields.reject("position_embedding_type", format!("`{kind}`"), "`absolute`");
    }
    let size = |fields: &mut Fields, name: &str, default| fields.size(name, default, 1..=MAX_SIZE);
    let rate = |fields: &mut Fields, name: &str, default| fields.number(name, default, 0.0, 1.0);
    let hidden_dropout_prob = rate(fields, "hidden_dropout_prob", 0.1);
    ModelConfig {
        vocab_size: size(fields, "vocab_size", defaults.vocab_size),
        hidden_size: size(fields, "hidden_size", 768),
        num_hidden_layers: fields.size("num_hidden_layers", 12, 1..=1024),
        num_attention_heads: fields.size("num_attention_heads", 12, 1..=1024),
        intermediate_size: size(fields, "intermediate_size", 3072),
        hidden_act: hidden_act(fields, "hidden_act", HiddenAct::Gelu),
        embedding_dropout: hidden_dropout_prob,
        hidden_dropout_prob,
        attention_probs_dropout_prob: rate(fields, "attention_probs_dropout_prob", 0.1),
        classifier_dropout: rate(fields, "classifier_dropout", hidden_dropout_prob),
        max_position_embeddings: size(fields, "max_position_embeddings", 512),
        first_position: 0,
        type_vocab_size: size(fields, "type_vocab_size", 2),
        initializer_range: rate(fields, "initializer_range", 0.02),
        layer_norm_eps: fields.number("layer_norm_eps", 1e-12, 0.0, 1.0),
        pad_token_id: Some(fields.size("pad_token_id", defaults.pad_token_id, 0..=MAX_SIZE)),
        ..ModelConfig::empty(family)
    }
}

/// What shapes say about the settings of an encoder.
pub fn size_checks(config: &ModelConfig) -> Vec<SizeCheck> {
    let embedding = |table| format!("embeddings.{table}_embeddings.weight");
    let check = |field, value, tensor, axis| SizeCheck { field, value, tensor, axis };
    let feed_forward = "encoder.layer.0.intermediate.dense.weight".to_owned();
    vec![
        check("vocab_size", config.vocab_size, embedding("word"), 0),
        check("hidden_size", config.hidden_size, embedding("word"), 1),
        check("max_position_embeddings", config.max_position_embeddings, embedding("position"), 0),
        check("type_vocab_size", config.type_vocab_size, embedding("token_type"), 0),
        check("intermediate_size", config.intermediate_size, feed_forward, 0),
    ]
}

/// Parameters of embeddings and layers; what is added afterwards may be absent from files.
pub(super) fn parameters(config: &ModelConfig, prefix: &str) -> ParameterList {
    let (hidden, feed_forward) = (config.hidden_size, config.intermediate_size);
    let mut list = ParameterList::default();
    for (table, rows) in [
        ("word", config.vocab_size),
        ("position", config.max_position_embeddings),
        ("token_type", config.type_vocab_size),
    ] {
        list.table(format!("{prefix}.embeddings.{table}_embeddings.weight"), rows, hidden);
    }
    list.layer_norm(&format!("{prefix}.embeddings.LayerNorm"), hidden);
    for layer in 0..config.num_hidden_layers {
        list.place = Place::Layer(layer);
        let path = |module: &str| layer_module(prefix, layer, module);
        for (module, _) in LAYER_SITES.into_iter().filter(|(_, role)| role.is_attention()) {
            list.linear(&path(module), hidden, hidden);
        }
        list.layer_norm(&path("attention.output.LayerNorm"), hidden);
        list.linear(&path("intermediate.dense"), feed_forward, hidden);
        list.linear(&path("output.dense"), hidden, feed_forward);
        list.layer_norm(&path("output.LayerNorm"), hidden);
    }
    (list.optional, list.place) = (true, Place::Head);
    list
}

/// The linear maps of all layers, in full size.
pub fn sites(config: &ModelConfig, prefix: &str) -> Vec<Site> {
    let (hidden, feed_forward) = (config.hidden_size, config.intermediate_size);
    let mut sites = Vec::new();
    for layer in 0..config.num_hidden_layers {
        for (module, role) in LAYER_SITES {
            let (d_out, d_in) = match role {
                Role::FeedForwardUp => (feed_forward, hidden),
                Role::FeedForwardDown => (hidden, feed_forward),
                _ => (hidden, hidden),
            };
            let path = layer_module(prefix, layer, module);
            sites.push(Site { path, layer: Some(layer), role, d_out, d_in });
        }
    }
    sites
}

/// The encoder, its parameters found on the device. Weights may lack the rows of removed heads.
#[derive(Debug)]
pub struct Encoder {
    scope: String,
    embeddings: Embeddings,
    layers: Vec<Layer>,
    rates: DropoutRates,
}

#[derive(Debug)]
struct Embeddings {
    word: Vec<Tensor>,
    position: Vec<Tensor>,
    segment: Vec<Tensor>,
    norm: Norm,
}

#[derive(Debug)]
struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attention_output: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    output_norm: Norm,
    heads: Heads,
    activation: u32,
    dropout: f32,
}

impl Layer {
    fn find(parts: &Parts<'_>, prefix: &str, layer: usize) -> Self {
        let Parts { config, parameters, plan, rates } = *parts;
        let path = |module: &str| layer_module(prefix, layer, module);
        let [query, key, value, attention_output, up, down] =
            LAYER_SITES.map(|(module, _)| linear(parameters, plan, &path(module)));
        let head_size = config.head_size();
        let heads = Heads { n_heads: query.d_out() / head_size, head_size, dropout: rates.attention };
        let norm = |module: &str| Norm::find(parameters, &path(module), config.layer_norm_eps);
        Self {
            query,
            key,
            value,
            attention_output,
            attention_norm: norm("attention.output.LayerNorm"),
            up,
            down,
            output_norm: norm("output.LayerNorm"),
            heads,
            activation: activation_number(config.hidden_act),
            dropout: rates.hidden,
        }
    }

    /// x (T, C) → (rows of `asking`, C). `asking` are the rows that go on: x itself, or some of its rows.
    fn forward(&self, tape: &mut Tape, x: &Tensor, asking: &Tensor, pairing: &Pairing) -> Tensor {
        let plain = After::default();
        let query = self.query.forward(tape, asking, plain);
        let key = self.key.forward(tape, x, plain);
        let value = self.value.forward(tape, x, plain);
        let context = attention(tape, &query, &key, &value, pairing, self.heads);
        let onto = |residual| After { dropout: self.dropout, residual: Some(residual), ..After::default() };
        let attended = self.attention_output.forward(tape, &context, onto(asking));
        let attended = self.attention_norm.forward(tape, &attended);
        let activated = After { activation: self.activation, ..After::default() };
        let up = self.up.forward(tape, &attended, activated);
        let down = self.down.forward(tape, &up, onto(&attended));
        self.output_norm.forward(tape, &down)
    }

    fn linears(&self) -> [&Linear; 6] {
        [&self.query, &self.key, &self.value, &self.attention_output, &self.up, &self.down]
    }
}

impl Encoder {
    /// Finds the encoder's parameters.
    #[must_use]
    pub fn find(parts: &Parts<'_>, prefix: &str) -> Self {
        let Parts { config, parameters, rates, .. } = *parts;
        let table =
            |name: &str| parameters.parts(&format!("{prefix}.embeddings.{name}_embeddings.weight")).to_vec();
        let scope = format!("{prefix}.embeddings");
        let embeddings = Embeddings {
            word: table("word"),
            position: table("position"),
            segment: table("token_type"),
            norm: Norm::find(parameters, &format!("{scope}.LayerNorm"), config.layer_norm_eps),
        };
        let layers = (0..config.num_hidden_layers).map(|layer| Layer::find(parts, prefix, layer)).collect();
        Self { scope, embeddings, layers, rates }
    }

    /// (T, C)
    fn embed(&self, tape: &mut Tape, batch: &BatchInputs) -> Tensor {
        tape.set_scope(&self.scope);
        let Embeddings { word, position, segment, norm } = &self.embeddings;
        let sum = gather_sum(
            tape,
            &[(word, batch.words()), (segment, batch.segments()), (position, batch.positions())],
        );
        let x = norm.forward(tape, &sum);
        dropout(tape, &x, self.rates.embedding)
    }

    /// The last hidden states of all tokens, (T, C).
    pub fn encode(&self, tape: &mut Tape, batch: &BatchInputs) -> Tensor {
        let mut x = self.embed(tape, batch);
        for layer in &self.layers {
            x = layer.forward(tape, &x, &x, &batch.all_pairs());
        }
        x
    }

    /// The last hidden states of the first tokens, (B, C).
    pub fn encode_first(&self, tape: &mut Tape, batch: &BatchInputs) -> Tensor {
        let mut x = self.embed(tape, batch);
        let Some((last, before)) = self.layers.split_last() else { unreachable!("an encoder has layers") };
        for layer in before {
            x = layer.forward(tape, &x, &x, &batch.all_pairs());
        }
        let first = gather_rows(tape, &x, &batch.first());
        last.forward(tape, &x, &first, &batch.single_pairs())
    }

    /// Every linear map.
    pub fn linears(&self) -> impl Iterator<Item = &Linear> {
        self.layers.iter().flat_map(Layer::linears)
    }

    /// Share dropped before a classifier.
    #[must_use]
    pub fn classifier_dropout(&self) -> f32 {
        self.rates.classifier
    }
}

/// `tanh` behind a product.
pub(super) const TANH: After<'static> = After { activation: activation::TANH, dropout: 0.0, residual: None };

/// The encoder with the head that predicts masked words; its decoder is the word embedding.
#[derive(Debug)]
pub struct MaskedLm {
    encoder: Encoder,
    transform: Linear,
    norm: Norm,
    decoder_bias: Tensor,
    activation: u32,
}

impl MaskedLm {
    /// Finds the model by the prefix of its encoder and the paths of the head's map, layer norm and bias.
    #[must_use]
    pub fn find(parts: &Parts<'_>, prefix: &str, transform: &str, norm: &str, bias: &str) -> Self {
        let Parts { config, parameters, plan, .. } = *parts;
        Self {
            encoder: Encoder::find(parts, prefix),
            transform: linear(parameters, plan, transform),
            norm: Norm::find(parameters, norm, config.layer_norm_eps),
            decoder_bias: parameters.get(bias).clone(),
            activation: activation_number(config.hidden_act),
        }
    }
}

impl Model for MaskedLm {
    fn output(&self, tape: &mut Tape, batch: &BatchInputs) -> Output {
        let x = self.encoder.encode(tape, batch);
        let picked = gather_rows(tape, &x, &batch.targets());
        let after = After { activation: self.activation, ..After::default() };
        let transformed = self.transform.forward(tape, &picked, after);
        let hidden = self.norm.forward(tape, &transformed);
        let (weight, max_rows) = (self.encoder.embeddings.word.clone(), batch.capacity().targets);
        let head = LmHead { weight, bias: Some(self.decoder_bias.clone()), max_rows };
        Output::Words(Words { hidden, head })
    }

    fn linears(&self) -> Vec<&Linear> {
        self.encoder.linears().chain([&self.transform]).collect()
    }
}
