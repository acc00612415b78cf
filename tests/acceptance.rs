//! Proves what the method promises about a whole run (`dsee-method` 8, checks 1, 4 and 5). Checks 2 and 3 stand beside their
//! code, in `core/src/accounting.rs` and `core/src/omega/`.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use dsee_core::checkpoint::{NamedTensors, weights::StoredTensor};
use dsee_core::config::{RunConfig, RunConfigDraft};
use dsee_core::data::{DataFile, DataSplits, EncodedDataset, load_splits};
use dsee_core::engine::{BaseModel, Run, Session};
use dsee_core::models::family::Head;
use dsee_core::models::files::{ModelFiles, PretrainedModel, in_memory};
use dsee_core::protocol::{Phase, RunEvent};
use dsee_core::train::place::HostState;
use dsee_core::tuning::masks::n_removed;
use dsee_tests::{assert_close, device, golden};

fn model() -> PretrainedModel {
    let names = ["config.json", "model.safetensors", "tokenizer.json"];
    let read = |name: &str| (name.to_owned(), std::fs::read(golden("tiny_bert").join(name)).unwrap());
    let files = ModelFiles { name: "tiny".to_owned(), files: in_memory(names.map(read)) };
    pollster::block_on(files.open(&mut |_| ())).unwrap()
}

fn weights(base: &BaseModel) -> NamedTensors {
    pollster::block_on(base.parameters.read_where(|_| true)).unwrap()
}

fn data(config: &RunConfig) -> DataSplits {
    let mut text = "sentence\tlabel\n".to_owned();
    for i in 0..40 {
        text.push_str(&format!("the movie number {i} was good or bad\t{}\n", ["no", "yes", "maybe"][i % 3]));
    }
    let file = DataFile { name: "train.tsv", bytes: text.as_bytes() };
    load_splits(file, None, &config.data_options(None)).unwrap()
}

fn config(prune: &str) -> RunConfig {
    let settings = [
        ("max_length", "32"),
        ("rank", "4"),
        ("nnz", "8"),
        ("per_device_train_batch_size", "8"),
        ("num_train_epochs", "2"),
        ("learning_rate", "1e-2"),
        ("prune", prune),
    ];
    settings.into_iter().collect::<RunConfigDraft>().check().unwrap()
}

/// Logits of the validation texts.
fn logits(base: &BaseModel, state: &HostState) -> Vec<f32> {
    let config = config("none");
    let dataset = EncodedDataset::new(&data(&config).validation, &model().tokenizer, 32).unwrap();
    pollster::block_on(async {
        let mut session = Session::new(&device(), base, state, dataset, 8).await.unwrap();
        while !session.advance().await.unwrap() {}
        session.logits().to_vec()
    })
}

/// Advances a run; gives its state at the end of every phase.
fn states(prune: &str) -> (BaseModel, Vec<(Phase, HostState)>) {
    let config = config(prune);
    let mut run =
        pollster::block_on(Run::new(&device(), config.clone(), model(), &data(&config).into(), None))
            .unwrap();
    let mut states = Vec::new();
    while !run.is_finished() {
        for event in pollster::block_on(run.advance()).unwrap() {
            if let RunEvent::PhaseFinished(row) = event {
                states.push((row.phase, run.outcome().1.clone()));
            }
        }
    }
    (run.outcome().0.clone(), states)
}

fn of(states: &[(Phase, HostState)], phase: Phase) -> &HostState {
    &states.iter().find(|(found, _)| *found == phase).unwrap().1
}

#[test]
fn before_the_first_step_the_update_is_nothing() {
    let (base, states) = states("none");
    let start = of(&states, Phase::SelectOmega);
    assert_eq!(start.deltas.len(), 4);
    assert!(
        start
            .deltas
            .iter()
            .all(|delta| delta.s_indices.len() == 8 && delta.dense().iter().all(|&x| x == 0.0))
    );
    assert_eq!(logits(&base, start), logits(&base, &HostState::default()));
    let tuned = of(&states, Phase::Tune);
    assert!(tuned.deltas.iter().any(|delta| delta.dense().iter().any(|&x| x != 0.0)), "tuning changed it");
}

#[test]
fn retuning_changes_neither_weights_nor_masks_nor_places() {
    let (base, states) = states("unstructured:0.3");
    let (pruned, retuned) = (of(&states, Phase::Prune), of(&states, Phase::Retune));
    assert_eq!(pruned.pruned, retuned.pruned, "M is fixed");
    for (before, after) in pruned.deltas.iter().zip(&retuned.deltas) {
        assert_eq!(before.s_indices, after.s_indices, "Ω is fixed");
        assert_ne!(before.b, after.b, "{} was retuned", before.path);
    }
    let untouched = pollster::block_on(BaseModel::new(model(), Head::classes(3), 42)).unwrap();
    assert_eq!(weights(&base), weights(&untouched), "W is never altered");
    let zeros = |adapted: bool| {
        let names = retuned
            .pruned
            .masks
            .iter()
            .filter(|(name, _)| (name.contains("query") || name.contains("value")) == adapted);
        names.fold((0, 0), |(zeros, all), (_, mask)| (zeros + mask.len - mask.count_kept(), all + mask.len))
    };
    for (n_zeros, n_entries) in [zeros(true), zeros(false)] {
        assert_eq!(n_zeros, n_removed(0.3, n_entries), "exactly round(ratio · size) per group");
    }
}

#[test]
fn removed_heads_equal_zeroed_ones() {
    let (base, states) = states("heads:1");
    let shrunk = of(&states, Phase::Retune);
    assert_eq!(shrunk.pruned.heads.len(), 2);
    // The same state over a dense model whose removed heads have no way out.
    let mut dense = base.clone();
    let head_size = base.config.head_size();
    for (layer, heads) in &shrunk.pruned.heads {
        let name = format!("bert.encoder.layer.{layer}.attention.output.dense.weight");
        let mut weight = pollster::block_on(dense.parameters.read(&name)).unwrap();
        for row in weight.data.chunks_exact_mut(base.config.hidden_size) {
            heads.iter().for_each(|head| row[head * head_size..(head + 1) * head_size].fill(0.0));
        }
        dense.parameters.0.insert(name, StoredTensor::Memory(weight));
    }
    let mut full = shrunk.clone();
    full.pruned = dsee_core::tuning::state::PrunedState::default();
    assert_close("logits", &logits(&base, shrunk), &logits(&dense, &full), 1e-5, 0.0);
}
