//! BERT (Devlin et al. 2019, arXiv 1810.04805): sites, and the forward pass for classification and for masked words.
//!
//! Post-LN blocks, exactly transformers' numbers. Two things that do not change them: a batch is the concatenation of
//! its sequences, and the last layer of a classifier works on first tokens only, because nothing else is read.

use crate::models::Model;
use crate::models::bert_names::{LAYER_SITES, layer_module};
use crate::models::config::{BertConfig, HiddenAct};
use crate::nn::inputs::BatchInputs;
use crate::nn::linear::{After, Linear};
use crate::nn::parameters::Parameters;
use crate::nn::plan::TuningPlan;
use crate::nn::site::{Role, Site};
use crate::ops::attention::{Heads, Pairing, attention};
use crate::ops::dropout::dropout;
use crate::ops::gather::{gather_rows, gather_sum};
use crate::ops::layer_norm::layer_norm;
use crate::ops::matmul::activation;
use crate::tape::{Tape, Tensor};

/// All sites of a classifier with `n_labels` outputs, in full size.
#[must_use]
pub fn sites(config: &BertConfig, n_labels: usize) -> Vec<Site> {
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
    let mut add = |path: &str, role, d_out| {
        sites.push(Site { path: path.into(), layer: None, role, d_out, d_in: hidden });
    };
    add("bert.pooler.dense", Role::Pooler, hidden);
    add("classifier", Role::Head, n_labels);
    sites
}

/// Dropout rates of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DropoutRates {
    /// On embeddings and the output of every block.
    pub hidden: f32,
    /// On attention probabilities.
    pub attention: f32,
    /// Before the classifier.
    pub classifier: f32,
}

impl DropoutRates {
    /// The model's own rates, or one rate everywhere.
    #[must_use]
    pub fn of(config: &BertConfig, everywhere: Option<f64>) -> Self {
        let rate = |own: f64| everywhere.unwrap_or(own) as f32;
        Self {
            hidden: rate(config.hidden_dropout_prob),
            attention: rate(config.attention_probs_dropout_prob),
            classifier: rate(config.classifier_dropout),
        }
    }
}

/// The encoder, its parameters found on the device. Weights may lack the rows of removed heads.
#[derive(Debug)]
pub struct Bert {
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
struct Norm {
    weight: Tensor,
    bias: Tensor,
    eps: f32,
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

impl Norm {
    fn find(parameters: &Parameters, path: &str, eps: f64) -> Self {
        let get = |name: &str| parameters.get(&format!("{path}.{name}")).clone();
        Self { weight: get("weight"), bias: get("bias"), eps: eps as f32 }
    }

    fn forward(&self, tape: &mut Tape, x: &Tensor) -> Tensor {
        layer_norm(tape, x, &self.weight, &self.bias, self.eps)
    }
}

/// The linear map at `path`, with the scale of its update if the plan has one.
fn linear(parameters: &Parameters, plan: &TuningPlan, path: &str) -> Linear {
    Linear::find(parameters, path, plan.deltas.get(path).map_or(1.0, |delta| delta.scale))
}

impl Layer {
    fn find(
        config: &BertConfig,
        parameters: &Parameters,
        plan: &TuningPlan,
        rates: DropoutRates,
        layer: usize,
    ) -> Self {
        let path = |module: &str| layer_module(layer, module);
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

fn activation_number(act: HiddenAct) -> u32 {
    match act {
        HiddenAct::Gelu => activation::GELU,
        HiddenAct::GeluTanh => activation::GELU_TANH,
    }
}

impl Bert {
    /// Finds the encoder's parameters.
    #[must_use]
    pub fn find(
        config: &BertConfig,
        parameters: &Parameters,
        plan: &TuningPlan,
        rates: DropoutRates,
    ) -> Self {
        let table =
            |name: &str| parameters.parts(&format!("bert.embeddings.{name}_embeddings.weight")).to_vec();
        let embeddings = Embeddings {
            word: table("word"),
            position: table("position"),
            segment: table("token_type"),
            norm: Norm::find(parameters, "bert.embeddings.LayerNorm", config.layer_norm_eps),
        };
        let layers = (0..config.num_hidden_layers)
            .map(|layer| Layer::find(config, parameters, plan, rates, layer))
            .collect();
        Self { embeddings, layers, rates }
    }

    /// (T, C)
    fn embed(&self, tape: &mut Tape, batch: &BatchInputs) -> Tensor {
        tape.set_scope("bert.embeddings");
        let Embeddings { word, position, segment, norm } = &self.embeddings;
        let sum = gather_sum(
            tape,
            &[(word, batch.words()), (segment, batch.segments()), (position, batch.positions())],
        );
        let x = norm.forward(tape, &sum);
        dropout(tape, &x, self.rates.hidden)
    }

    /// The last hidden states of all tokens, (T, C).
    fn encode(&self, tape: &mut Tape, batch: &BatchInputs) -> Tensor {
        let mut x = self.embed(tape, batch);
        for layer in &self.layers {
            x = layer.forward(tape, &x, &x, &batch.all_pairs());
        }
        x
    }

    /// The last hidden states of the first tokens, (B, C).
    fn encode_first(&self, tape: &mut Tape, batch: &BatchInputs) -> Tensor {
        let mut x = self.embed(tape, batch);
        let Some((last, before)) = self.layers.split_last() else { unreachable!("an encoder has layers") };
        for layer in before {
            x = layer.forward(tape, &x, &x, &batch.all_pairs());
        }
        let first = gather_rows(tape, &x, &batch.first());
        last.forward(tape, &x, &first, &batch.first_pairs())
    }

    fn linears(&self) -> impl Iterator<Item = &Linear> {
        self.layers.iter().flat_map(Layer::linears)
    }
}

/// BERT with pooler and classifier.
#[derive(Debug)]
pub struct BertForSequenceClassification {
    bert: Bert,
    pooler: Linear,
    classifier: Linear,
}

impl BertForSequenceClassification {
    /// Finds the model's parameters.
    #[must_use]
    pub fn find(
        config: &BertConfig,
        parameters: &Parameters,
        plan: &TuningPlan,
        rates: DropoutRates,
    ) -> Self {
        Self {
            bert: Bert::find(config, parameters, plan, rates),
            pooler: linear(parameters, plan, "bert.pooler.dense"),
            classifier: linear(parameters, plan, "classifier"),
        }
    }
}

impl Model for BertForSequenceClassification {
    /// (B, N)
    fn logits(&self, tape: &mut Tape, batch: &BatchInputs) -> Tensor {
        let first = self.bert.encode_first(tape, batch);
        let tanh = After { activation: activation::TANH, ..After::default() };
        let pooled = self.pooler.forward(tape, &first, tanh);
        let pooled = dropout(tape, &pooled, self.bert.rates.classifier);
        self.classifier.forward(tape, &pooled, After::default())
    }

    fn linears(&self) -> Vec<&Linear> {
        self.bert.linears().chain([&self.pooler, &self.classifier]).collect()
    }
}

/// BERT with the head that predicts masked words; its decoder is the word embedding.
#[derive(Debug)]
pub struct BertForMaskedLm {
    bert: Bert,
    transform: Linear,
    norm: Norm,
    decoder_bias: Tensor,
}

impl BertForMaskedLm {
    /// Finds the model's parameters.
    #[must_use]
    pub fn find(
        config: &BertConfig,
        parameters: &Parameters,
        plan: &TuningPlan,
        rates: DropoutRates,
    ) -> Self {
        let head = "cls.predictions.transform";
        Self {
            bert: Bert::find(config, parameters, plan, rates),
            transform: linear(parameters, plan, &format!("{head}.dense")),
            norm: Norm::find(parameters, &format!("{head}.LayerNorm"), config.layer_norm_eps),
            decoder_bias: parameters.get("cls.predictions.bias").clone(),
        }
    }
}

impl Model for BertForMaskedLm {
    /// Logits of the predicted positions, (P, V).
    fn logits(&self, tape: &mut Tape, batch: &BatchInputs) -> Tensor {
        let x = self.bert.encode(tape, batch);
        let picked = gather_rows(tape, &x, &batch.targets());
        let after = After { activation: self.bert.layers[0].activation, ..After::default() };
        let transformed = self.transform.forward(tape, &picked, after);
        let normed = self.norm.forward(tape, &transformed);
        let [word] = self.bert.embeddings.word.as_slice() else {
            unreachable!("vocabularies that exceed a binding are not pretrained here")
        };
        Linear::tied("cls.predictions.decoder", word, &self.decoder_bias).forward(
            tape,
            &normed,
            After::default(),
        )
    }
    fn linears(&self) -> Vec<&Linear> {
        self.bert.linears().chain([&self.transform]).collect()
    }
}
