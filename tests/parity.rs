//! Proves that a tiny BERT computes what PyTorch and transformers compute: logits, loss, every gradient and ten AdamW
//! losses, for full tuning, LoRA, DSEE, DSEE under masks and DSEE without some heads; and that a model of which only a part
//! is trained has the same gradients there. Runs twice: on the CPU references and on the adapter (a software adapter is
//! enough). Golden files: `tests/golden/README.md`.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use dsee_core::checkpoint::{HostTensor, NamedTensors};
use dsee_core::config::RunConfigDraft;
use dsee_core::engine::outline_of;
use dsee_core::gpu::{Device, Sizes, StepScalars};
use dsee_core::models::config::ModelConfig;
use dsee_core::models::family::{Head, Parts};
use dsee_core::models::load::load_model;
use dsee_core::models::{DropoutRates, Model};
use dsee_core::nn::added::prefix_length;
use dsee_core::nn::inputs::BatchInputs;
use dsee_core::nn::linear::{delta_names, sparse_name};
use dsee_core::nn::outline::Place;
use dsee_core::nn::parameters::{ArenaPart, Parameters};
use dsee_core::nn::plan::{AddedPlan, DeltaPlan, FirstValues, TuningPlan};
use dsee_core::ops::adamw::AdamW;
use dsee_core::train::evaluate::Evaluator;
use dsee_core::train::place::{HeadShape, HostState, Placement};
use dsee_core::train::step::{Objective, StepSettings, Trainer, refresh_weights};
use dsee_core::tuning;
use dsee_core::tuning::state::{Mask, PrunedState, SiteDelta};
use dsee_tests::tiny_bert::config;
use dsee_tests::{Golden, assert_close, device, golden, golden_tensors, read_checkpoint};

const GRADIENT: (f32, f32) = (2e-6, 1e-4);

/// A model on a device, with memory for a batch.
type Placed = (Parameters, Box<dyn Model>, BatchInputs);

struct Case {
    golden: Golden,
    config: ModelConfig,
    head: Head,
    base: NamedTensors,
    state: HostState,
    plan: TuningPlan,
    objective: Objective,
    weight_decay: f32,
}

impl Case {
    fn new(file: &str) -> Self {
        Self::of("tiny_bert", Head::classes(3), file)
    }

    fn of(folder: &str, head: Head, file: &str) -> Self {
        let config = config(folder);
        let checkpoint = read_checkpoint(&golden(&format!("{folder}/model.safetensors")));
        let base = load_model(&config, "config.json", checkpoint, head).unwrap().matched.params;
        let objective = match head {
            Head::SequenceClassification { .. } => Objective::Classification { label_smoothing: 0.0 },
            Head::MaskedLm | Head::CausalLm => Objective::Words { label_smoothing: 0.0 },
        };
        let state = HostState::default();
        let golden = golden_tensors(&format!("{file}.safetensors"));
        Self { golden, config, head, base, state, plan: TuningPlan::default(), objective, weight_decay: 0.0 }
    }

    fn train_all(mut self) -> Self {
        self.plan.trained = self.base.keys().cloned().collect();
        self
    }

    /// What a method trains before it has tuned anything.
    fn method(mut self, name: &str) -> Self {
        let config = RunConfigDraft::default().with("method", name).check().unwrap();
        self.plan = tuning::plan(&config, &outline_of(&self.config, self.head), false);
        self
    }

    /// Only the last of two layers, and what follows it.
    fn train_upper_layer(mut self) -> Self {
        let outline = outline_of(&self.config, self.head);
        self.plan.trained = outline.names(|place| place >= Place::Layer(1)).collect();
        self
    }

    /// LoRA or DSEE from the `init.` tensors of the file.
    fn adapt(mut self) -> Self {
        if let Head::SequenceClassification { .. } = self.head {
            self.plan.trained = ["classifier.weight", "classifier.bias"].map(str::to_owned).into();
        }
        let scale = self.golden.floats("scale")[0];
        for site in self.config.family.sites(&self.config, self.head) {
            let init = |piece: &str| format!("init.{}.{piece}", site.path);
            if !self.golden.has(&init("a")) {
                continue;
            }
            let sparse = self.golden.has(&init("s_values"));
            let (d_out, d_in, rank) = (site.d_out, site.d_in, 4);
            self.state.deltas.push(SiteDelta {
                path: site.path.clone(),
                d_out,
                d_in,
                rank,
                scale,
                a: self.golden.floats(&init("a")),
                b: self.golden.floats(&init("b")),
                s_indices: if sparse { self.golden.uints(&init("s_indices")) } else { Vec::new() },
                s_values: if sparse { self.golden.floats(&init("s_values")) } else { Vec::new() },
            });
            let n_nonzero = if sparse { 5 } else { 0 };
            self.plan.deltas.insert(site.path, DeltaPlan { rank, n_nonzero, scale });
        }
        self
    }

    /// What a method adds, from the other `init.` tensors of the file.
    fn add(mut self) -> Self {
        for init in self.golden.names() {
            let Some(name) = init.strip_prefix("init.") else { continue };
            let (shape, data) = (self.golden.shape(&init), self.golden.floats(&init));
            let planned = AddedPlan { shape: shape.clone(), first: FirstValues::Constant(0.0) };
            self.plan.added.insert(name.to_owned(), planned);
            self.state.trained.insert(name.to_owned(), HostTensor { shape, data });
        }
        if let Head::SequenceClassification { .. } = self.head {
            self.plan.trained.extend(["classifier.weight", "classifier.bias"].map(str::to_owned));
        }
        if self.golden.has("penalty") {
            self.plan.coefficient_penalty = self.golden.floats("penalty")[0];
        }
        self
    }

    fn mask(mut self) -> Self {
        for name in self.golden.names() {
            let Some(parameter) = name.strip_prefix("mask.") else { continue };
            let kept = self.golden.bytes(&name);
            let mut mask = Mask::all_kept(kept.len());
            (0..kept.len()).filter(|&i| kept[i] == 0).for_each(|i| mask.remove(i));
            self.state.pruned.masks.insert(parameter.to_owned(), mask);
        }
        assert_eq!(self.state.pruned.masks.len(), 13);
        self
    }

    fn remove_heads(mut self) -> Self {
        let heads = BTreeMap::from([(0, vec![1]), (1, vec![0, 3])]);
        self.state.pruned = PrunedState { heads, ..PrunedState::default() };
        self
    }

    fn sizes(&self) -> Sizes {
        let batch = self.golden.batch();
        let targets = if self.golden.has("mlm_labels") { self.golden.uints("mlm_labels").len() } else { 0 };
        Sizes { tokens: batch.n_tokens(), sequences: batch.n_sequences(), targets }
    }

    fn write(&self, inputs: &BatchInputs) -> Sizes {
        let mut batch = self.golden.batch();
        match self.objective {
            Objective::Classification { .. } => batch.classes = self.golden.uints("labels"),
            Objective::Regression => batch.targets = self.golden.floats("labels"),
            Objective::Words { .. } => {
                let (positions, labels) =
                    (self.golden.uints("mlm_positions"), self.golden.uints("mlm_labels"));
                return inputs.write(&batch, Some((&positions, &labels)));
            }
        }
        inputs.write(&batch, None)
    }

    /// The golden name of a trained tensor.
    fn golden_name(&self, name: &str) -> String {
        for delta in &self.state.deltas {
            let [_, _, a, b] = delta_names(&delta.path);
            let pieces = [(a, "a"), (b, "b"), (sparse_name(&delta.path), "s_values")];
            if let Some((_, piece)) = pieces.into_iter().find(|(ours, _)| ours == name) {
                return format!("{}.{piece}", delta.path);
            }
        }
        name.to_owned()
    }

    fn placement(&self) -> Placement {
        let heads =
            HeadShape { n_heads: self.config.num_attention_heads, head_size: self.config.head_size() };
        Placement::new(&self.config.family.sites(&self.config, self.head), heads, &self.state.pruned)
    }

    /// Full-size golden names and values of one part of the arena.
    async fn read(&self, parameters: &Parameters, part: ArenaPart) -> BTreeMap<String, Vec<f32>> {
        let mut state = self.state.clone();
        self.placement().update(&mut state, parameters.read(part).await.unwrap());
        let mut all: BTreeMap<String, Vec<f32>> =
            state.trained.into_iter().map(|(name, tensor)| (name, tensor.data)).collect();
        for (delta, before) in state.deltas.into_iter().zip(&self.state.deltas) {
            let [_, _, a, b] = delta_names(&delta.path);
            all.insert(self.golden_name(&a), delta.a);
            all.insert(self.golden_name(&b), delta.b);
            if !before.s_values.is_empty() {
                // Entries of removed heads have vanished; the golden file has zeros for them.
                let found = |index| delta.s_indices.iter().position(|i| i == index);
                let value = |index| found(index).map_or(0.0, |k| delta.s_values[k]);
                let values = before.s_indices.iter().map(value).collect();
                all.insert(self.golden_name(&sparse_name(&delta.path)), values);
            }
        }
        all
    }

    fn settings(&self) -> StepSettings {
        StepSettings {
            objective: self.objective,
            optimizer: AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: self.weight_decay },
            max_grad_norm: 1.0,
            accumulation: 1,
        }
    }

    async fn place(&self, device: &Device) -> Placed {
        let placement = self.placement();
        let parameters = placement.place(device, &self.base, &self.state, &self.plan).await.unwrap();
        let (config, rates) = (&self.config, DropoutRates::default());
        let parts = Parts { config, parameters: &parameters, plan: &self.plan, rates };
        let model = config.family.build(&parts, self.head);
        let mut layout = config.inputs();
        layout.first_position += prefix_length(&self.state.trained) as u32;
        let inputs = BatchInputs::new(device, self.sizes(), layout).unwrap();
        refresh_weights(device, model.as_ref()).await.unwrap();
        (parameters, model, inputs)
    }

    async fn check(&self, device: &Device) {
        let placed = self.place(device).await;
        if self.golden.has("logits") {
            let (_, model, inputs) = &placed;
            let sizes = self.write(inputs);
            let evaluator = Evaluator::of_logits(device, model.as_ref(), inputs).await.unwrap();
            let logits = evaluator.run(sizes).await.unwrap();
            assert_close("logits", &logits, &self.golden.floats("logits"), 1e-5, 1e-5);
        }
        self.check_training(device, &placed).await;
    }

    async fn check_training(&self, device: &Device, (parameters, model, inputs): &Placed) {
        let mut trainer =
            Trainer::new(device, model.as_ref(), parameters, inputs, self.settings()).await.unwrap();
        self.check_steps(&mut trainer, parameters, inputs, "").await;
    }

    async fn check_steps(
        &self,
        trainer: &mut Trainer,
        parameters: &Parameters,
        inputs: &BatchInputs,
        prefix: &str,
    ) {
        let golden = &self.golden;
        let rates =
            if golden.has("losses") { golden.floats(&format!("{prefix}learning_rates")) } else { vec![0.0] };
        for (i, &learning_rate) in rates.iter().enumerate() {
            let step = i as i32 + 1;
            let scalars = StepScalars {
                learning_rate,
                bias_correction1: (1.0 - 0.9f64.powi(step)) as f32,
                bias_correction2: (1.0 - 0.999f64.powi(step)) as f32,
                ..StepScalars::default()
            };
            trainer.step(scalars, &mut |_| self.write(inputs)).await.unwrap();
            if i == 0 {
                self.check_gradients(&self.read(parameters, ArenaPart::Gradient).await);
            }
        }
        let metrics = trainer.metrics().await.unwrap();
        let losses: Vec<f32> = metrics.iter().map(|metrics| metrics.loss).collect();
        if golden.has("losses") {
            let norms: Vec<f32> = metrics.iter().map(|metrics| metrics.grad_norm).collect();
            assert_close("losses", &losses, &golden.floats(&format!("{prefix}losses")), 1e-5, 1e-5);
            assert_close("norms", &norms, &golden.floats(&format!("{prefix}grad_norms")), 1e-5, 1e-4);
            self.check_final(&self.read(parameters, ArenaPart::Value).await);
        } else {
            assert_close("loss", &losses, &golden.floats("loss"), 1e-5, 1e-5);
        }
    }

    fn check_gradients(&self, gradients: &BTreeMap<String, Vec<f32>>) {
        let expected: Vec<String> =
            self.golden.names().into_iter().filter(|name| name.starts_with("grad.")).collect();
        for name in expected {
            let ours = &gradients[name.trim_start_matches("grad.")];
            assert_close(&name, ours, &self.golden.floats(&name), GRADIENT.0, GRADIENT.1);
        }
        if self.golden.has("losses") && self.golden.has("logits") {
            let n = self.golden.names().iter().filter(|name| name.starts_with("grad.")).count();
            assert_eq!(gradients.len(), n, "every trained tensor has a golden gradient");
        }
    }

    fn check_final(&self, values: &BTreeMap<String, Vec<f32>>) {
        for (name, ours) in values {
            // Its gradient is zero but for rounding, which AdamW divides by itself.
            if name.ends_with("key.bias") || !self.golden.has(&format!("final.{name}")) {
                continue;
            }
            assert_close(
                &format!("final.{name}"),
                ours,
                &self.golden.floats(&format!("final.{name}")),
                2e-4,
                0.0,
            );
        }
    }

    /// Exactly the parameters that `is_trained` takes have a gradient, which is that of training all of them.
    async fn check_part(&self, device: &Device, is_trained: &impl Fn(&str) -> bool) {
        let (parameters, model, inputs) = self.place(device).await;
        let mut trainer =
            Trainer::new(device, model.as_ref(), &parameters, &inputs, self.settings()).await.unwrap();
        let scalars = StepScalars { bias_correction1: 1.0, bias_correction2: 1.0, ..StepScalars::default() };
        trainer.step(scalars, &mut |_| self.write(&inputs)).await.unwrap();
        let loss = trainer.metrics().await.unwrap()[0].loss;
        assert_close("loss", &[loss], &self.golden.floats("losses")[..1], 1e-5, 1e-5);
        let found = self.read(&parameters, ArenaPart::Gradient).await;
        let names = self.golden.names();
        let all = names.iter().filter_map(|name| name.strip_prefix("grad."));
        let expected: BTreeSet<&str> = all.filter(|name| is_trained(name)).collect();
        assert_eq!(found.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected);
        for (name, ours) in &found {
            let whole = self.golden.floats(&format!("grad.{name}"));
            assert_close(name, ours, &whole, GRADIENT.0, GRADIENT.1);
        }
    }

    fn check_part_everywhere(&self, is_trained: impl Fn(&str) -> bool) {
        pollster::block_on(self.check_part(&Device::reference(), &is_trained));
        pollster::block_on(self.check_part(&device(), &is_trained));
    }

    fn check_everywhere(&self) {
        pollster::block_on(self.check(&Device::reference()));
        pollster::block_on(self.check(&device()));
    }
}

#[test]
fn full_tuning() {
    Case::new("bert_full").train_all().check_everywhere();
}

#[test]
fn full_tuning_with_weight_decay() {
    let mut case = Case::new("bert_full_decay").train_all();
    case.weight_decay = case.golden.floats("weight_decay")[0];
    case.check_everywhere();
}

#[test]
fn lora() {
    Case::new("bert_lora").adapt().check_everywhere();
}

#[test]
fn dsee() {
    Case::new("bert_dsee").adapt().check_everywhere();
}

#[test]
fn dsee_under_masks() {
    Case::new("bert_dsee_masked").adapt().mask().check_everywhere();
}

#[test]
fn full_tuning_under_masks() {
    Case::new("bert_full_masked").train_all().mask().check_everywhere();
}

#[test]
fn dsee_without_some_heads() {
    Case::new("bert_dsee_heads").adapt().remove_heads().check_everywhere();
}

#[test]
fn regression() {
    let mut case = Case::new("bert_mse");
    for (name, shape) in [("classifier.weight", vec![1, 32]), ("classifier.bias", vec![1])] {
        let data = case.golden.floats(&format!("init.{name}"));
        case.base.insert(name.to_owned(), HostTensor { shape, data });
    }
    case.head = Head::classes(1);
    case.objective = Objective::Regression;
    case.train_all().check_everywhere();
}

#[test]
fn a_trained_part_has_the_gradients_of_the_whole() {
    let one_of = |name: &str, parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let is_embedding = |name: &str| one_of(name, &[".embeddings.", ".wte.", ".wpe."]);
    for (folder, head, file) in [
        ("tiny_bert", Head::classes(3), "bert_full"),
        ("tiny_roberta", Head::classes(3), "roberta_full"),
        ("tiny_gpt2", Head::CausalLm, "gpt2_full"),
    ] {
        let case = || Case::of(folder, head, file);
        let is_bias_or_head = |name: &str| name.ends_with(".bias") || name.starts_with("classifier.");
        case().method("bitfit").check_part_everywhere(is_bias_or_head);
        // These models have two layers.
        case().method("ft-top2").check_part_everywhere(|name| !is_embedding(name));
        let is_upper = |name: &str| !is_embedding(name) && !one_of(name, &[".layer.0.", ".h.0."]);
        case().train_upper_layer().check_part_everywhere(is_upper);
    }
}

#[test]
fn masked_words() {
    Case::of("tiny_bert_mlm", Head::MaskedLm, "bert_mlm").train_all().check_everywhere();
}

/// A table that no kernel sees whole is split by rows: tied to the head and trained, or frozen.
#[test]
fn a_word_table_in_parts() {
    let device = Device::reference_of_slices(64 * 32);
    let words = Case::of("tiny_bert_mlm", Head::MaskedLm, "bert_mlm").train_all();
    for case in [words, Case::new("bert_dsee").adapt()] {
        let placed = pollster::block_on(case.place(&device));
        let parts = placed.0.parts("bert.embeddings.word_embeddings.weight");
        assert_eq!(parts.iter().map(|part| part.fixed_rows()).collect::<Vec<_>>(), [64, 56]);
        pollster::block_on(case.check_training(&device, &placed));
    }
}

#[test]
fn roberta_classifies() {
    Case::of("tiny_roberta", Head::classes(3), "roberta_full").train_all().check_everywhere();
}

#[test]
fn roberta_fills_in_words() {
    Case::of("tiny_roberta_mlm", Head::MaskedLm, "roberta_mlm").train_all().check_everywhere();
}

#[test]
fn gpt2_classifies() {
    Case::of("tiny_gpt2_classes", Head::classes(3), "gpt2_classes").train_all().check_everywhere();
}

#[test]
fn gpt2_predicts_the_next_word() {
    Case::of("tiny_gpt2", Head::CausalLm, "gpt2_full").train_all().check_everywhere();
}

#[test]
fn dsee_in_a_decoder() {
    Case::of("tiny_gpt2", Head::CausalLm, "gpt2_dsee").adapt().check_everywhere();
}

#[test]
fn adapters_in_an_encoder() {
    Case::new("bert_adapters").add().check_everywhere();
}

#[test]
fn adapters_in_a_decoder() {
    Case::of("tiny_gpt2", Head::CausalLm, "gpt2_adapters").add().check_everywhere();
}

#[test]
fn a_prefix_in_an_encoder() {
    Case::new("bert_prefix").add().check_everywhere();
}

#[test]
fn a_computed_prefix_in_a_decoder() {
    Case::of("tiny_gpt2", Head::CausalLm, "gpt2_prefix").add().check_everywhere();
}

#[test]
fn searched_coefficients() {
    Case::new("bert_search").train_all().add().check_everywhere();
}
