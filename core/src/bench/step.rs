//! Whole training steps on models with random weights: what a step costs depends on shapes and lengths alone.

use super::Clock;
use crate::checkpoint::{HostTensor, NamedTensors};
use crate::data::PackedBatch;
use crate::gpu::{Device, GpuError, Recording, Sizes, StepScalars};
use crate::models::config::ModelConfig;
use crate::models::family::{Head, Parts};
use crate::models::parameter::Parameter;
use crate::models::{DropoutRates, Model};
use crate::nn::inputs::{BatchInputs, InputLayout};
use crate::nn::parameters::Parameters;
use crate::nn::plan::{DeltaPlan, TuningPlan};
use crate::nn::site::{Role, Site};
use crate::ops::adamw::AdamW;
use crate::random::Random;
use crate::tape::{Mode, Tape};
use crate::train::place::{HeadShape, HostState, Placement};
use crate::train::step::{Objective, RING_SLOTS, StepSettings, Trainer, refresh_weights};
use crate::train::step::{record_pass, record_update};
use crate::tuning::state::{PrunedState, SiteDelta};

/// Rank and trained entries of the updates, at queries and values.
pub(super) const RANK: usize = 16;
pub(super) const N_NONZERO: usize = 16;
const N_LABELS: usize = 2;
const CLASSES: Head = Head::classes(N_LABELS);

/// What is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Low-rank and sparse updates of queries and values.
    Dsee,
    /// Low-rank updates of queries and values.
    Lora,
    /// As little as lets the gradient take the same way: the biases of the first layer's query and value. Forward
    /// and the gradients of activations are those of [`Method::Lora`], without its gradients of factors, effective
    /// weights, and all but a few of its updated numbers. The floor of any method that adapts the first layer.
    Frozen,
    /// Every parameter.
    Full,
}

/// A model and a batch for it.
#[derive(Clone, Debug)]
pub struct Scene {
    pub(super) config: ModelConfig,
    pub(super) base: NamedTensors,
    head: Head,
    batch: PackedBatch,
    /// Predicted positions and their true tokens, where the model predicts words.
    masked: Option<(Vec<u32>, Vec<u32>)>,
}

impl Scene {
    /// all-MiniLM-L6-v2's sizes with a batch of 32 sequences of SST-2's lengths, 419 tokens together.
    #[must_use]
    pub fn minilm() -> Self {
        Self::new(encoder([30_522, 384, 6, 12, 1536, 512]), CLASSES, &sst2_lengths())
    }

    fn new(config: ModelConfig, head: Head, lengths: &[usize]) -> Self {
        let base = random_weights(&config.family.parameters(&config, head));
        let batch = batch(&config, lengths);
        Self { config, base, head, batch, masked: None }
    }

    /// The same with every sequence padded to 128 tokens, as frameworks do that cannot pack.
    #[must_use]
    pub fn padded(self) -> Self {
        let batch = batch(&self.config, &[128; 32]);
        Self { batch, ..self }
    }

    /// Two layers of 256 with 8 sequences of 64 tokens. Words are predicted at 77 positions, as in pretraining,
    /// because a classifier's last layer would look at first tokens only.
    #[must_use]
    pub fn small() -> Self {
        let mut scene = Self::new(encoder([2000, 256, 2, 4, 1024, 64]), Head::MaskedLm, &[64; 8]);
        let positions: Vec<u32> = (0..scene.batch.n_tokens() as u32).step_by(7).take(77).collect();
        let tokens = positions.iter().map(|&at| scene.batch.input_ids[at as usize]).collect();
        scene.masked = Some((positions, tokens));
        scene
    }

    /// GPT-2 small with 8 sequences of 512 tokens.
    #[must_use]
    pub fn gpt2_small() -> Self {
        Self::decoder([50_257, 768, 12, 12, 1024], &[512; 8])
    }

    /// A decoder of `[vocabulary, hidden size, layers, heads, positions]`, and sequences of these lengths in which every
    /// next token is predicted.
    #[must_use]
    pub fn decoder([vocab, hidden, layers, heads, positions]: [usize; 5], lengths: &[usize]) -> Self {
        let config = parse(&serde_json::json!({
            "model_type": "gpt2", "vocab_size": vocab, "n_embd": hidden, "n_layer": layers, "n_head": heads,
            "n_positions": positions,
        }));
        let mut scene = Self::new(config, Head::CausalLm, lengths);
        let has_next = |bounds: &[u32]| bounds[0]..bounds[1] - 1;
        let positions: Vec<u32> = scene.batch.offsets.windows(2).flat_map(has_next).collect();
        let tokens = positions.iter().map(|&at| scene.batch.input_ids[at as usize + 1]).collect();
        scene.masked = Some((positions, tokens));
        scene
    }

    /// The same where the word behind the last token alone is asked for.
    #[must_use]
    pub fn asking_for_the_last(mut self) -> Self {
        self.masked = Some((vec![self.batch.n_tokens() as u32 - 1], vec![0]));
        self
    }

    /// T of the batch.
    #[must_use]
    pub fn n_tokens(&self) -> usize {
        self.batch.n_tokens()
    }

    /// Its tokens.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        &self.batch.input_ids
    }

    /// Its sequences, and the length of the longest.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        [self.batch.n_sequences(), self.batch.longest()]
    }

    /// Its linear maps.
    #[must_use]
    pub fn sites(&self) -> Vec<Site> {
        self.config.family.sites(&self.config, self.head)
    }

    /// Puts its batch in the place made for it.
    pub(super) fn write(&self, inputs: &BatchInputs) -> Sizes {
        inputs.write(&self.batch, slices(&self.masked))
    }

    fn sizes(&self) -> Sizes {
        let targets = self.masked.as_ref().map_or(0, |(positions, _)| positions.len());
        Sizes { tokens: self.batch.n_tokens(), sequences: self.batch.n_sequences(), targets }
    }

    fn objective(&self) -> Objective {
        match self.masked {
            Some(_) => Objective::Words { label_smoothing: 0.0 },
            None => Objective::Classification { label_smoothing: 0.0 },
        }
    }

    /// What `method` trains, and the updates it starts from.
    fn method(&self, method: Method) -> (TuningPlan, Vec<SiteDelta>) {
        let mut plan = TuningPlan::default();
        let mut deltas = Vec::new();
        let sites = self.sites();
        let adapted = sites.iter().filter(|site| matches!(site.role, Role::Query | Role::Value));
        plan.trained.extend(["classifier.weight", "classifier.bias"].map(str::to_owned));
        match method {
            Method::Full => plan.trained = self.base.keys().cloned().collect(),
            Method::Frozen => {
                plan.trained
                    .extend(adapted.filter(|site| site.layer == Some(0)).map(|site| site.bias_name()));
            }
            Method::Dsee | Method::Lora => {
                let n_nonzero = if method == Method::Dsee { N_NONZERO } else { 0 };
                for (i, site) in adapted.enumerate() {
                    let delta = random_delta(&site.path, site.d_out, site.d_in, n_nonzero, i as u64);
                    plan.deltas
                        .insert(site.path.clone(), DeltaPlan { rank: RANK, n_nonzero, scale: delta.scale });
                    deltas.push(delta);
                }
            }
        }
        (plan, deltas)
    }
}

fn encoder([vocab, hidden, layers, heads, feed_forward, positions]: [usize; 6]) -> ModelConfig {
    parse(&serde_json::json!({
        "model_type": "bert", "vocab_size": vocab, "hidden_size": hidden, "num_hidden_layers": layers,
        "num_attention_heads": heads, "intermediate_size": feed_forward, "max_position_embeddings": positions,
    }))
}

fn parse(json: &serde_json::Value) -> ModelConfig {
    let parsed = ModelConfig::parse("the bench's own settings", json.to_string().as_bytes());
    parsed.unwrap_or_else(|error| unreachable!("our own settings are right: {error}"))
}

/// Uniform weights with the families' standard deviation 0.02, layer norms at 1.
fn random_weights(specs: &[Parameter]) -> NamedTensors {
    let tensor = |(i, spec): (usize, &Parameter)| {
        let mut random = Random::new(1, i as u64);
        let len = spec.shape.iter().product();
        let is_norm = spec.name.contains("LayerNorm") || spec.name.contains("ln_");
        let data = if is_norm && spec.name.ends_with("weight") {
            vec![1.0; len]
        } else {
            (0..len).map(|_| (random.uniform() - 0.5) * 0.07).collect()
        };
        (spec.name.clone(), HostTensor { shape: spec.shape.clone(), data })
    };
    specs.iter().enumerate().map(tensor).collect()
}

fn random_delta(path: &str, d_out: usize, d_in: usize, n_nonzero: usize, stream: u64) -> SiteDelta {
    let mut random = Random::new(2, stream);
    let mut numbers = |n: usize| (0..n).map(|_| (random.uniform() - 0.5) * 0.02).collect();
    let (a, b, s_values) = (numbers(RANK * d_in), numbers(d_out * RANK), numbers(n_nonzero));
    // Spread over the matrix; where they lie does not change what they cost.
    let stride = d_out * d_in / N_NONZERO + 1;
    let s_indices = (0..n_nonzero).map(|k| (k * stride) as u32).collect();
    let scale = 32.0 / RANK as f32;
    SiteDelta { path: path.to_owned(), d_out, d_in, rank: RANK, scale, a, b, s_indices, s_values }
}

fn batch(config: &ModelConfig, lengths: &[usize]) -> PackedBatch {
    let mut random = Random::new(3, 0);
    let mut batch = PackedBatch::default();
    for (i, &length) in lengths.iter().enumerate() {
        let ids: Vec<u32> = (0..length).map(|_| random.below(config.vocab_size as u32)).collect();
        batch.push_sequence(&ids, &vec![0; length], i as u32);
        batch.classes.push(i as u32 % N_LABELS as u32);
    }
    batch
}

/// 32 lengths with SST-2's mean of 13 tokens and its long tail: quantiles of a shifted exponential distribution,
/// the longest brought to the measured mean of 419 tokens a batch.
fn sst2_lengths() -> Vec<usize> {
    let quantile = |i: usize| 3.0 - 10.1 * (1.0 - (i as f64 + 0.5) / 32.0).ln();
    let mut lengths: Vec<usize> = (0..32).map(|i| quantile(i).round() as usize).collect();
    let rest: usize = lengths[..31].iter().sum();
    lengths[31] = 419 - rest;
    Random::new(4, 0).shuffle(&mut lengths);
    lengths
}

/// A model on the device, ready to be trained on the batch of its scene again and again.
#[derive(Debug)]
pub struct StepJob {
    trainer: Trainer,
    inputs: BatchInputs,
    batch: PackedBatch,
    masked: Option<(Vec<u32>, Vec<u32>)>,
    prepare_seconds: f64,
    plan_bytes: u64,
}

/// A model on the device.
pub(super) struct Placed {
    pub parameters: Parameters,
    pub model: Box<dyn Model>,
    pub inputs: BatchInputs,
    settings: StepSettings,
}

impl StepJob {
    /// Uploads the model and records its step.
    ///
    /// # Errors
    /// Memory errors of the device, or a kernel the driver refuses.
    pub async fn new(
        device: &Device,
        clock: &dyn Clock,
        scene: &Scene,
        method: Method,
    ) -> Result<Self, GpuError> {
        let placed = place(device, scene, method).await?;
        let (start, allocated) = (clock.wall(), device.allocated_bytes());
        let Placed { parameters, model, inputs, settings } = placed;
        let trainer = Trainer::new(device, model.as_ref(), &parameters, &inputs, settings).await?;
        let prepare_seconds = clock.wall() - start;
        let plan_bytes = device.allocated_bytes() - allocated;
        let (batch, masked) = (scene.batch.clone(), scene.masked.clone());
        Ok(Self { trainer, inputs, batch, masked, prepare_seconds, plan_bytes })
    }

    /// Dispatches of a step.
    #[must_use]
    pub fn n_dispatches(&self) -> usize {
        self.trainer.n_dispatches()
    }

    /// Wall seconds for pipelines and recording.
    #[must_use]
    pub fn prepare_seconds(&self) -> f64 {
        self.prepare_seconds
    }

    /// Bytes that the recorded step takes beside weights, trained numbers and the batch: what forward leaves for backward,
    /// and gradients on their way.
    #[must_use]
    pub fn plan_bytes(&self) -> u64 {
        self.plan_bytes
    }

    /// One step, the upload of its batch included.
    ///
    /// # Errors
    /// Whatever went wrong on the device until then.
    pub async fn run(&mut self) -> Result<(), GpuError> {
        let Self { trainer, inputs, batch, masked, .. } = self;
        let scalars = StepScalars {
            learning_rate: 1e-5,
            bias_correction1: 0.1,
            bias_correction2: 0.001,
            dropout_seed: 1,
            ring_slot: 0,
        };
        trainer.step(scalars, &mut |_| inputs.write(batch, slices(masked))).await
    }
}

/// Positions and tokens as inputs take them.
fn slices(masked: &Option<(Vec<u32>, Vec<u32>)>) -> Option<(&[u32], &[u32])> {
    masked.as_ref().map(|(positions, tokens)| (positions.as_slice(), tokens.as_slice()))
}

/// Puts a model on the device, with memory for its batch.
///
/// # Errors
/// Memory errors of the device.
pub(super) async fn place(device: &Device, scene: &Scene, method: Method) -> Result<Placed, GpuError> {
    let config = &scene.config;
    let (mut plan, deltas) = scene.method(method);
    plan.trained.retain(|name| scene.base.contains_key(name));
    let state = HostState { deltas, ..HostState::default() };
    let heads = HeadShape { n_heads: config.num_attention_heads, head_size: config.head_size() };
    let placement = Placement::new(&scene.sites(), heads, &PrunedState::default());
    let parameters = placement.place(device, &scene.base, &state, &plan).await?;
    let rates = DropoutRates::of(config, None);
    let parts = Parts { config, parameters: &parameters, plan: &plan, rates };
    let model = config.family.build(&parts, scene.head);
    refresh_weights(device, model.as_ref()).await?;
    let layout = InputLayout { max_length: scene.batch.longest(), ..config.inputs() };
    let inputs = BatchInputs::new(device, scene.sizes(), layout)?;
    let optimizer = AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 };
    let settings =
        StepSettings { objective: scene.objective(), optimizer, max_grad_norm: 1.0, accumulation: 1 };
    Ok(Placed { parameters, model, inputs, settings })
}

/// The commands of a step with its batch in place, and the sizes they run under.
///
/// # Errors
/// Memory errors of the device, or a kernel the driver refuses.
pub async fn record(device: &Device, scene: &Scene, method: Method) -> Result<(Recording, Sizes), GpuError> {
    let Placed { parameters, model, inputs, settings } = place(device, scene, method).await?;
    let sizes = scene.write(&inputs);
    let (loss, ring) = (device.create("loss", 1)?, device.create("metrics ring", RING_SLOTS * 2)?);
    let mut tape = Tape::new(device.kind(), device.max_slice_len(), Mode::Training { accumulate: false });
    record_pass(&mut tape, model.as_ref(), &inputs, &settings, &loss);
    record_update(&mut tape, model.as_ref(), &parameters, &settings, &loss, &ring);
    Ok((tape.finish(), sizes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batch_is_as_long_as_sst2s() {
        let lengths = sst2_lengths();
        assert_eq!((lengths.len(), lengths.iter().sum::<usize>()), (32, 419));
        assert!(lengths.iter().all(|&n| (3..=64).contains(&n)), "{lengths:?}");
    }

    #[test]
    fn decoders_predict_every_next_token_of_every_sequence() {
        let scene = Scene::decoder([50, 8, 1, 2, 16], &[4, 1, 3]);
        let (positions, tokens) = scene.masked.clone().unwrap_or_default();
        assert_eq!(positions, [0, 1, 2, 5, 6]);
        assert_eq!(tokens, [1, 2, 3, 6, 7].map(|at| scene.tokens()[at]));
        assert_eq!(scene.shape(), [3, 4]);
        let (positions, _) = scene.asking_for_the_last().masked.unwrap_or_default();
        assert_eq!(positions, [7]);
    }

    #[test]
    fn methods_share_the_scene_and_differ_in_what_they_train() {
        let scene = Scene::small();
        let trained = |method| {
            let (plan, deltas) = scene.method(method);
            (plan.trained.len(), plan.deltas.len(), deltas.iter().map(SiteDelta::n_trainable).sum::<usize>())
        };
        let per_site = RANK * (256 + 256);
        assert_eq!(trained(Method::Lora), (2, 4, 4 * per_site));
        assert_eq!(trained(Method::Dsee), (2, 4, 4 * (per_site + N_NONZERO)));
        assert_eq!(trained(Method::Frozen), (4, 0, 0));
        assert_eq!(trained(Method::Full).0, scene.base.len());
    }
}
