//! What the methods beside DSEE promise: a model starts as it was pretrained, and what is kept of a computed prefix is what
//! was computed. And models with heads of any size compute alike on every device.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use dsee_core::checkpoint::NamedTensors;
use dsee_core::config::RunConfigDraft;
use dsee_core::engine::outline_of;
use dsee_core::gpu::{Device, Sizes};
use dsee_core::models::DropoutRates;
use dsee_core::models::family::{Head, Parts};
use dsee_core::models::load::load_model;
use dsee_core::nn::added::prefix_length;
use dsee_core::nn::inputs::BatchInputs;
use dsee_core::nn::plan::TuningPlan;
use dsee_core::train::evaluate::Evaluator;
use dsee_core::train::place::{HeadShape, HostState, Placement};
use dsee_core::tuning::{initial::initial_added, plan, prefix};
use dsee_tests::tiny_bert::{TinyModel, config};
use dsee_tests::{assert_close, device, golden, golden_tensors, read_checkpoint};

/// Logits of a golden model's own batch, with what was added to it.
fn logits(folder: &str, head: Head, file: &str, added: NamedTensors) -> Vec<f32> {
    let (device, config) = (Device::reference(), config(folder));
    let checkpoint = read_checkpoint(&golden(&format!("{folder}/model.safetensors")));
    let base = load_model(&config, "config.json", checkpoint, head).unwrap().matched.params;
    let mut layout = config.inputs();
    layout.first_position += prefix_length(&added) as u32;
    let state = HostState { trained: added, ..HostState::default() };
    let heads = HeadShape { n_heads: config.num_attention_heads, head_size: config.head_size() };
    let placement = Placement::new(&config.family.sites(&config, head), heads, &state.pruned);
    let (file, plan) = (golden_tensors(&format!("{file}.safetensors")), TuningPlan::default());
    let batch = file.batch();
    let targets = if head == Head::CausalLm { file.uints("mlm_positions") } else { Vec::new() };
    let words = if head == Head::CausalLm { file.uints("mlm_labels") } else { Vec::new() };
    let sizes = Sizes { tokens: batch.n_tokens(), sequences: batch.n_sequences(), targets: targets.len() };
    pollster::block_on(async {
        let parameters = placement.place(&device, &base, &state, &plan).await.unwrap();
        let rates = DropoutRates::default();
        let parts = Parts { config: &config, parameters: &parameters, plan: &plan, rates };
        let model = config.family.build(&parts, head);
        let inputs = BatchInputs::new(&device, sizes, layout).unwrap();
        let mut batch = batch;
        batch.classes = if head == Head::CausalLm { Vec::new() } else { file.uints("labels") };
        let words = (head == Head::CausalLm).then_some((targets.as_slice(), words.as_slice()));
        let sizes = inputs.write(&batch, words);
        let evaluator = Evaluator::new(&device, model.as_ref(), &inputs).await.unwrap();
        evaluator.run(sizes).await.unwrap()
    })
}

/// What a method adds to a golden model before training.
fn added(folder: &str, head: Head, settings: &[(&str, &str)]) -> NamedTensors {
    let draft: RunConfigDraft = settings.iter().copied().collect();
    let outline = outline_of(&config(folder), head);
    let plan = plan(&draft.check().unwrap(), &outline, false);
    plan.added.iter().map(|(name, added)| (name.clone(), initial_added(name, added, 1))).collect()
}

#[test]
fn adapters_and_searches_start_as_the_frozen_model() {
    for (folder, head, file) in
        [("tiny_bert", Head::classes(3), "bert_full"), ("tiny_gpt2", Head::CausalLm, "gpt2_full")]
    {
        let frozen = logits(folder, head, file, NamedTensors::new());
        for settings in [&[("method", "adapters"), ("bottleneck_size", "5")][..], &[("method", "earlybert")]]
        {
            let added = added(folder, head, settings);
            assert!(!added.is_empty());
            assert_close(folder, &logits(folder, head, file, added), &frozen, 1e-6, 0.0);
        }
    }
}

#[test]
fn a_folded_prefix_is_the_computed_one() {
    let (folder, head, file) = ("tiny_gpt2", Head::CausalLm, "gpt2_full");
    let settings = [("method", "prefix"), ("prefix_length", "4"), ("prefix_hidden_size", "6")];
    let computed = added(folder, head, &settings);
    let sites = outline_of(&config(folder), head).sites;
    let mut folded = computed.clone();
    prefix::fold(&mut folded, &sites);
    assert_eq!(folded.len(), 4, "keys and values of two layers");
    assert!(folded.values().all(|table| table.shape == [4, 32]));
    let [computed, folded] = [computed, folded].map(|added| logits(folder, head, file, added));
    assert_close("logits", &folded, &computed, 1e-5, 1e-5);
    let frozen = logits(folder, head, file, NamedTensors::new());
    assert!(computed.iter().zip(&frozen).any(|(a, b)| (a - b).abs() > 0.1), "a prefix is seen");
}

/// The golden models with heads of other sizes, which their weights fit as well.
#[test]
fn heads_of_any_size_compute_alike_on_every_device() {
    for n_heads in [16, 32] {
        for (family, mut model) in TinyModel::families() {
            model.config.num_attention_heads = n_heads;
            let model = model.train_all();
            let [expected, found] = [Device::reference(), device()].map(|device| losses(&device, &model));
            assert_close(&format!("{family} with {n_heads} heads"), &found, &expected, 1e-5, 1e-5);
        }
    }
}

/// Losses of three steps with dropout.
fn losses(device: &Device, model: &TinyModel) -> Vec<f32> {
    pollster::block_on(async {
        let run = model.place(device, 0.1).await.unwrap();
        let mut trainer = run.trainer().await.unwrap();
        for step in 0..3 {
            run.step(&mut trainer, step, 1).await.unwrap();
        }
        trainer.metrics().await.unwrap().iter().map(|metrics| metrics.loss).collect()
    })
}
