//! A run that was stopped and goes on gives every loss and every trained value of an unbroken one, bit for bit.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use dsee_core::{
    config::{RunConfig, RunConfigDraft},
    data::{DataFile, DataSplits, load_splits},
    engine::{Run, RunCheckpoint},
    gpu::Device,
    models::files::{ModelFiles, PretrainedModel, in_memory},
    protocol::{Phase, RunEvent},
    train::place::HostState,
};
use dsee_tests::{device, golden};

const N_EXAMPLES: usize = 48;

fn model() -> PretrainedModel {
    let names = ["config.json", "model.safetensors", "tokenizer.json"];
    let read = |name: &str| (name.to_owned(), std::fs::read(golden("tiny_bert").join(name)).unwrap());
    let files = ModelFiles { name: "tiny".to_owned(), files: in_memory(names.map(read)) };
    pollster::block_on(files.open(&mut |_| ())).unwrap()
}

fn data(config: &RunConfig) -> DataSplits {
    let words = ["good", "bad", "great", "not good", "the film", "un bad"];
    let mut text = "sentence\tlabel\n".to_owned();
    for i in 0..N_EXAMPLES {
        let (first, second) = (words[i % words.len()], words[i / 7 % words.len()]);
        text.push_str(&format!(
            "the movie was {first} and {second} {i}\t{}\n",
            ["no", "yes", "maybe"][i % 3]
        ));
    }
    let file = DataFile { name: "train.tsv", bytes: text.as_bytes() };
    load_splits(file, None, &config.data_options(None)).unwrap()
}

fn config(flags: &[(&str, &str)]) -> RunConfig {
    let common = [
        ("max_length", "32"),
        ("rank", "4"),
        ("nnz", "8"),
        ("dropout", "0.1"),
        ("per_device_train_batch_size", "8"),
        ("num_train_epochs", "2"),
        ("logging_steps", "1"),
        ("eval_strategy", "steps"),
        ("eval_steps", "4"),
        ("learning_rate", "1e-3"),
    ];
    let set = |draft: RunConfigDraft, (name, value): &(&str, &str)| draft.with(name, value);
    common.iter().chain(flags).fold(RunConfigDraft::default(), set).check().unwrap()
}

/// What a run told and left.
#[derive(Debug, Default, PartialEq)]
struct Told {
    /// Phase, step and bits of the loss of every step.
    losses: Vec<(Phase, usize, u64)>,
    /// Phase, step, bits of the validation loss, and whether it was the best, of every evaluation.
    evaluations: Vec<(Phase, usize, u64, bool)>,
}

impl Told {
    fn note(&mut self, events: &[RunEvent]) {
        for event in events {
            match event {
                RunEvent::Progress(step) => self.losses.push((step.phase, step.step, step.loss.to_bits())),
                RunEvent::Evaluated(e) => {
                    self.evaluations.push((e.phase, e.step, e.loss.to_bits(), e.is_best));
                }
                _ => {}
            }
        }
    }
}

fn start(device: &Device, config: &RunConfig, resume: Option<RunCheckpoint>) -> Run {
    pollster::block_on(Run::new(device, config.clone(), model(), &data(config), resume)).unwrap()
}

/// Runs to the end; at each of the steps in `stops`, right after that many pieces of work, everything is thrown away
/// but the files of a checkpoint.
fn run_to_end(config: &RunConfig, stops: &[usize]) -> (Told, HostState) {
    let device = device();
    let mut told = Told::default();
    let mut run = start(&device, config, None);
    let mut n_pieces = 0;
    while !run.is_finished() {
        told.note(&pollster::block_on(run.advance()).unwrap());
        n_pieces += 1;
        if stops.contains(&n_pieces) {
            let files = pollster::block_on(run.checkpoint()).unwrap().to_files();
            drop(run);
            run = start(&device, config, Some(RunCheckpoint::from_files(&files).unwrap()));
        }
    }
    let state = run.outcome().1.clone();
    (told, state)
}

/// Bits instead of values, so that equal means equal.
fn bits(state: &HostState) -> Vec<(String, Vec<u32>)> {
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let deltas = state.deltas.iter().flat_map(|delta| {
        let parts = [("a", &delta.a), ("b", &delta.b), ("s", &delta.s_values)];
        parts.map(|(part, values)| (format!("{}.{part}", delta.path), bits(values)))
    });
    let trained = state.trained.iter().map(|(name, tensor)| (name.clone(), bits(&tensor.data)));
    deltas.chain(trained).collect()
}

fn check(flags: &[(&str, &str)]) {
    let config = config(flags);
    let (unbroken, state) = run_to_end(&config, &[]);
    assert!(unbroken.losses.iter().any(|(phase, ..)| *phase == Phase::Retune), "both phases are tested");
    // Every few pieces: between matrices of Ω, mid-epoch, within evaluations, within pruning, and while retuning.
    let stops: Vec<usize> = (3..120).step_by(7).collect();
    let (broken, broken_state) = run_to_end(&config, &stops);
    assert_eq!(broken.losses, unbroken.losses);
    assert_eq!(broken.evaluations, unbroken.evaluations);
    assert_eq!(bits(&broken_state), bits(&state));
    assert_eq!(broken_state.pruned, state.pruned);
}

#[test]
fn with_masks() {
    check(&[("prune", "unstructured:0.4")]);
}

#[test]
fn with_removed_heads() {
    check(&[("prune", "heads:1"), ("gradient_accumulation_steps", "2")]);
}

#[test]
fn with_every_weight_trained() {
    check(&[("method", "full"), ("prune", "unstructured:0.4")]);
}
