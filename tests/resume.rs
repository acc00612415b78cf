//! A run that was stopped and goes on gives every loss and every trained value of an unbroken one, bit for bit.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use dsee_core::{
    config::{RunConfig, RunConfigDraft},
    data::{DataFile, RunData, TaskKind},
    engine::{Run, RunCheckpoint, Session},
    gpu::Device,
    metrics::{Metric, MetricSet},
    models::files::{ModelFiles, PretrainedModel, in_memory},
    protocol::{Phase, RunEvent},
    train::place::HostState,
    tuning::state::{PrunedState, SiteDelta},
};
use dsee_tests::{device, golden, tiny_bert::TinyModel};

const N_EXAMPLES: usize = 48;

/// The golden model for labels, or for hidden words.
fn model(config: &RunConfig) -> PretrainedModel {
    let folder = if is_about_words(config) { "tiny_bert_mlm" } else { "tiny_bert" };
    let names = ["config.json", "model.safetensors", "tokenizer.json"];
    let read = |name: &str| (name.to_owned(), std::fs::read(golden(folder).join(name)).unwrap());
    let files = ModelFiles { name: "tiny".to_owned(), files: in_memory(names.map(read)) };
    pollster::block_on(files.open(&mut |_| ())).unwrap()
}

fn is_about_words(config: &RunConfig) -> bool {
    config.task_type.kind() == Some(TaskKind::LanguageModeling)
}

fn data(config: &RunConfig) -> RunData {
    let words = ["good", "bad", "great", "not good", "the film", "un bad"];
    let mut text = "sentence\tlabel\n".to_owned();
    for i in 0..N_EXAMPLES {
        let (first, second) = (words[i % words.len()], words[i / 7 % words.len()]);
        text.push_str(&format!(
            "the movie was {first} and {second} {i}\t{}\n",
            ["no", "yes", "maybe"][i % 3]
        ));
    }
    // Texts alone are read from the same file: the labels are part of them.
    let name = if is_about_words(config) { "train.txt" } else { "train.tsv" };
    let file = DataFile { name, bytes: text.as_bytes() };
    RunData::load(file, None, &config.data_options(None)).unwrap()
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
    common.iter().chain(flags).copied().collect::<RunConfigDraft>().check().unwrap()
}

/// What a run told and left.
#[derive(Debug, Default, PartialEq)]
struct Told {
    /// Phase, step and bits of the loss of every step.
    losses: Vec<(Phase, usize, u64)>,
    /// Phase, step, bits of the validation loss, and whether it was the best, of every evaluation.
    evaluations: Vec<(Phase, usize, u64, bool)>,
    /// Phase and bits of the metric of every row of the phase table.
    rows: Vec<(Phase, Option<u64>)>,
}

impl Told {
    fn note(&mut self, events: &[RunEvent]) {
        for event in events {
            match event {
                RunEvent::Progress(step) => self.losses.push((step.phase, step.step, step.loss.to_bits())),
                RunEvent::Evaluated(e) => {
                    self.evaluations.push((e.phase, e.step, e.loss.to_bits(), e.is_best));
                }
                RunEvent::PhaseFinished(row) => self.rows.push((row.phase, row.metric.map(f64::to_bits))),
                _ => {}
            }
        }
    }
}

fn start(device: &Device, config: &RunConfig, resume: Option<RunCheckpoint>) -> Run {
    pollster::block_on(Run::new(device, config.clone(), model(config), &data(config), resume)).unwrap()
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

fn check(flags: &[(&str, &str)]) -> HostState {
    let config = config(flags);
    let (unbroken, state) = run_to_end(&config, &[]);
    assert!(unbroken.losses.iter().any(|(phase, ..)| *phase == Phase::Retune), "both phases are tested");
    // Every few pieces: between matrices of Ω, mid-epoch, within evaluations, within pruning, and while retuning.
    let stops: Vec<usize> = (3..120).step_by(7).collect();
    let (broken, broken_state) = run_to_end(&config, &stops);
    assert_eq!(broken.losses, unbroken.losses);
    assert_eq!(broken.evaluations, unbroken.evaluations);
    assert_eq!(broken.rows, unbroken.rows);
    assert_eq!(bits(&broken_state), bits(&state));
    assert_eq!(broken_state.pruned, state.pruned);
    state
}

/// Up to the piece of work that tells a row about `phase`; the run before it, and the events of that piece.
fn run_until_row(run: &mut Run, phase: Phase, mut before: impl FnMut(&mut Run)) -> Vec<RunEvent> {
    loop {
        before(run);
        let events = pollster::block_on(run.advance()).unwrap();
        let is_told = |event: &RunEvent| matches!(event, RunEvent::PhaseFinished(row) if row.phase == phase);
        if events.iter().any(is_told) {
            return events;
        }
        assert!(!run.is_finished(), "no row of {phase}");
    }
}

fn metrics_of(events: &[RunEvent]) -> Vec<(Phase, Option<u64>)> {
    let mut told = Told::default();
    told.note(events);
    told.rows
}

/// S is taken away to measure UV alone: what is kept, resumed and retuned must not notice.
#[test]
fn measuring_the_low_rank_part_leaves_the_tuned_state_as_it_is() {
    let config = config(&[("prune", "heads:1"), ("learning_rate", "2e-2")]);
    let device = device();
    let mut run = start(&device, &config, None);
    let (mut present, mut saved) = (HostState::default(), RunCheckpoint::default());
    let events = run_until_row(&mut run, Phase::LowRankOnly, |run| {
        if run.is_in_phase() {
            present = pollster::block_on(run.present_state()).unwrap();
            saved = pollster::block_on(run.checkpoint()).unwrap();
        }
    });
    let [(Phase::LowRankOnly, low_rank), (Phase::Tune, tuned)] = metrics_of(&events)[..] else {
        panic!("{events:?}")
    };
    let state = run.outcome().1.clone();
    assert!(state.deltas.iter().all(|delta| delta.s_values.iter().any(|&value| value != 0.0)));
    assert_eq!(bits(&present), bits(&state), "the state while UV alone was measured");
    assert_eq!(saved.step(), run.step());

    // The same figures from the state itself, with and without S.
    let evaluate = |state: &HostState| {
        let (base, _, labels) = run.outcome();
        pollster::block_on(async {
            let mut session = Session::new(&device, base, state, run.validation().clone(), 8).await.unwrap();
            while !session.advance().await.unwrap() {}
            session.metrics(labels)
        })
    };
    let low_rank_state =
        HostState { deltas: state.deltas.iter().map(SiteDelta::low_rank_part).collect(), ..state.clone() };
    let (whole, part) = (evaluate(&state), evaluate(&low_rank_state));
    assert_ne!(whole.loss.to_bits(), part.loss.to_bits(), "S makes a difference");
    let accuracy = |figures: &MetricSet| figures.get(Metric::Accuracy).map(f64::to_bits);
    assert_eq!((accuracy(&part), accuracy(&whole)), (low_rank, tuned));

    let retuned = |mut run: Run| {
        let mut told = Told::default();
        while !run.is_finished() {
            told.note(&pollster::block_on(run.advance()).unwrap());
        }
        (told.losses, bits(run.outcome().1))
    };
    let unbroken = retuned(run);
    assert!(unbroken.0.iter().all(|(phase, ..)| *phase == Phase::Retune) && !unbroken.0.is_empty());
    let mut resumed = start(&device, &config, Some(RunCheckpoint::from_files(&saved.to_files()).unwrap()));
    let again = run_until_row(&mut resumed, Phase::LowRankOnly, |_| ());
    assert_eq!(metrics_of(&again), metrics_of(&events));
    assert!(retuned(resumed) == unbroken, "retuning after a resumed measuring");
}

#[test]
fn with_masks() {
    check(&[("prune", "unstructured:0.4")]);
}

#[test]
fn with_removed_heads() {
    check(&[("prune", "heads:1"), ("gradient_accumulation_steps", "2")]);
}

/// Which words are hidden is a matter of the epoch.
#[test]
fn with_hidden_words() {
    check(&[("task_type", "language-modeling"), ("prune", "unstructured:0.4")]);
}

#[test]
fn with_every_weight_trained() {
    check(&[("method", "full"), ("prune", "unstructured:0.4")]);
}

#[test]
fn with_adapters() {
    check(&[("method", "adapters"), ("bottleneck_size", "4"), ("prune", "heads:1")]);
}

#[test]
fn with_prefixes_of_the_heads_that_are_left() {
    check(&[("method", "p-tuning-v2"), ("prefix_length", "5"), ("prune", "heads:1")]);
}

/// Heads and neurons are gone, and what is left was trained without coefficients.
#[test]
fn a_search_for_heads_and_neurons() {
    let state = check(&[("method", "earlybert"), ("neuron_sparsity", "0.25")]);
    assert!(state.pruned.heads.values().all(|heads| heads.len() == 1) && state.pruned.heads.len() == 2);
    // 32 of 128 neurons, each a row of 32 in one matrix and a column of 32 in the other.
    let n_masked: usize = state.pruned.masks.values().map(|mask| mask.len - mask.count_kept()).sum();
    assert_eq!(n_masked, 32 * (32 + 32));
    assert!(state.trained.keys().all(|name| !name.ends_with("coefficients")));
}

/// Prunes, begins the phase after it, and gives the values it begins with.
fn values_after_pruning(run: &mut Run) -> HostState {
    run_until_row(run, Phase::Prune, |_| ());
    // The next piece of work places the model and does no step yet.
    pollster::block_on(run.advance()).unwrap();
    pollster::block_on(run.present_state()).unwrap()
}

#[test]
fn a_search_ends_early_and_what_is_left_is_trained_from_the_pretrained_values() {
    let mut run = start(&device(), &config(&[("method", "earlybert"), ("neuron_sparsity", "0.25")]), None);
    run_until_row(&mut run, Phase::Tune, |_| ());
    assert_eq!(run.step(), 2, "a fifth of an epoch of six batches");
    let pretrained = TinyModel::golden().base;
    let searched = run.outcome().1.clone();
    assert!(pretrained.iter().all(|(name, before)| searched.trained[name] != *before), "all was trained");
    let state = values_after_pruning(&mut run);
    assert!(state.trained.keys().eq(pretrained.keys()), "and no coefficient is left");
    for (name, tensor) in &state.trained {
        let pairs = || tensor.data.iter().zip(&pretrained[name].data);
        assert!(pairs().all(|(now, before)| now == before || *now == 0.0), "{name}");
        // One of four heads and a quarter of the neurons are gone.
        let n_kept = pairs().filter(|(now, before)| now == before).count();
        assert!(n_kept * 2 > tensor.data.len(), "{name}: {n_kept}");
    }
}

const TICKETS: [(&str, &str); 3] =
    [("method", "bert-tickets"), ("prune", "unstructured:0.2"), ("num_train_epochs", "1")];

/// Every round begins with the pretrained values under its masks, which only grow; the task head goes on.
#[test]
fn rounds_begin_with_the_pretrained_values_under_growing_masks() {
    let mut run = start(&device(), &config(&TICKETS), None);
    let pretrained = TinyModel::golden().base;
    let mut earlier = PrunedState::default();
    for round in 0..2 {
        run_until_row(&mut run, Phase::Tune, |_| ());
        let tuned = run.outcome().1.clone();
        let state = values_after_pruning(&mut run);
        assert!(state.trained.keys().eq(pretrained.keys()));
        for (name, tensor) in &state.trained {
            if name.starts_with("classifier.") {
                assert!(*tensor == tuned.trained[name] && *tensor != pretrained[name], "{name}");
                continue;
            }
            let mut expected = pretrained[name].data.clone();
            state.pruned.masks.get(name).inspect(|mask| mask.apply(&mut expected));
            assert!(tensor.data == expected, "{name} in round {round}");
        }
        for (name, mask) in &earlier.masks {
            let now = &state.pruned.masks[name];
            assert!((0..mask.len).all(|i| mask.get(i) || !now.get(i)), "{name} has got entries back");
        }
        let n_kept =
            |pruned: &PrunedState| pruned.masks.values().map(|mask| mask.count_kept()).sum::<usize>();
        assert!(round == 0 || n_kept(&state.pruned) < n_kept(&earlier));
        earlier = state.pruned;
    }
}

/// Two rounds and the last tuning: every one is a row.
#[test]
fn rounds_of_pruning_and_rewinding() {
    let state = check(&TICKETS);
    let (told, _) = run_to_end(&config(&TICKETS), &[]);
    let phases: Vec<Phase> = told.rows.iter().map(|(phase, _)| *phase).collect();
    let rounds = [Phase::Tune, Phase::Prune, Phase::Tune, Phase::Prune, Phase::Retune, Phase::Evaluate];
    assert_eq!(phases, rounds);
    let (mut n_entries, mut n_masked) = (0, 0);
    for (name, mask) in &state.pruned.masks {
        n_entries += mask.len;
        n_masked += mask.len - mask.count_kept();
        let weight = &state.trained[name].data;
        assert!((0..mask.len).all(|i| mask.get(i) || weight[i] == 0.0), "{name} is masked");
    }
    assert_eq!(n_masked, (0.2 * n_entries as f64).round() as usize);
}
