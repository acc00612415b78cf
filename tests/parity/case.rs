//! A golden file as a model with what is trained, masked and removed in it.

use std::collections::BTreeMap;

use dsee_core::checkpoint::{HostTensor, NamedTensors};
use dsee_core::config::RunConfigDraft;
use dsee_core::engine::outline_of;
use dsee_core::gpu::Sizes;
use dsee_core::models::Model;
use dsee_core::models::config::ModelConfig;
use dsee_core::models::family::Head;
use dsee_core::models::load::load_model;
use dsee_core::nn::inputs::BatchInputs;
use dsee_core::nn::linear::{delta_names, sparse_name};
use dsee_core::nn::outline::Place;
use dsee_core::nn::parameters::{ArenaPart, Parameters};
use dsee_core::nn::plan::{AddedPlan, DeltaPlan, FirstValues, TuningPlan};
use dsee_core::train::place::{HeadShape, HostState, Placement};
use dsee_core::train::step::Objective;
use dsee_core::tuning;
use dsee_core::tuning::state::{Mask, PrunedState, SiteDelta};
use dsee_tests::tiny_bert::config;
use dsee_tests::{Golden, golden, golden_tensors, read_checkpoint};

/// A model on a device, with memory for a batch.
pub type Placed = (Parameters, Box<dyn Model>, BatchInputs);

pub struct Case {
    pub golden: Golden,
    pub config: ModelConfig,
    pub head: Head,
    pub base: NamedTensors,
    pub state: HostState,
    pub plan: TuningPlan,
    pub objective: Objective,
    pub weight_decay: f32,
}

impl Case {
    pub fn new(file: &str) -> Self {
        Self::of("tiny_bert", Head::classes(3), file)
    }

    pub fn of(folder: &str, head: Head, file: &str) -> Self {
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

    pub fn train_all(mut self) -> Self {
        self.plan.trained = self.base.keys().cloned().collect();
        self
    }

    /// What a method trains before it has tuned anything.
    pub fn method(mut self, name: &str) -> Self {
        let config = RunConfigDraft::default().with("method", name).check().unwrap();
        self.plan = tuning::plan(&config, &outline_of(&self.config, self.head), false);
        self
    }

    /// Only the last of two layers, and what follows it.
    pub fn train_upper_layer(mut self) -> Self {
        let outline = outline_of(&self.config, self.head);
        self.plan.trained = outline.names(|place| place >= Place::Layer(1)).collect();
        self
    }

    /// LoRA or DSEE from the `init.` tensors of the file.
    pub fn adapt(mut self) -> Self {
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
    pub fn add(mut self) -> Self {
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

    pub fn mask(mut self) -> Self {
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

    pub fn remove_heads(mut self) -> Self {
        let heads = BTreeMap::from([(0, vec![1]), (1, vec![0, 3])]);
        self.state.pruned = PrunedState { heads, ..PrunedState::default() };
        self
    }

    pub fn sizes(&self) -> Sizes {
        let batch = self.golden.batch();
        let targets = if self.golden.has("mlm_labels") { self.golden.uints("mlm_labels").len() } else { 0 };
        Sizes { tokens: batch.n_tokens(), sequences: batch.n_sequences(), targets }
    }

    pub fn write(&self, inputs: &BatchInputs) -> Sizes {
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
    pub fn golden_name(&self, name: &str) -> String {
        for delta in &self.state.deltas {
            let [_, _, a, b] = delta_names(&delta.path);
            let pieces = [(a, "a"), (b, "b"), (sparse_name(&delta.path), "s_values")];
            if let Some((_, piece)) = pieces.into_iter().find(|(ours, _)| ours == name) {
                return format!("{}.{piece}", delta.path);
            }
        }
        name.to_owned()
    }

    pub fn placement(&self) -> Placement {
        let heads =
            HeadShape { n_heads: self.config.num_attention_heads, head_size: self.config.head_size() };
        Placement::new(&self.config.family.sites(&self.config, self.head), heads, &self.state.pruned)
    }

    /// Full-size golden names and values of one part of the arena.
    pub async fn read(&self, parameters: &Parameters, part: ArenaPart) -> BTreeMap<String, Vec<f32>> {
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
}
