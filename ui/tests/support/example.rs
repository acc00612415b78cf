//! The example that the tests of the window show: cards of a model and of data, and everything a run tells.
#![allow(dead_code, reason = "every test file uses a part")]

use dsee_core::{
    gpu::{AdapterKind, AdapterReport},
    nn::site::Role,
    protocol::{
        CheckpointReason, DataCard, DataForm, Evaluation, Event, HeadOrigin, LengthBin, Loaded,
        MatrixSparsity, ModelCard, OmegaReport, Phase, PhaseRow, PreviewRow, PruneReport, RunEvent,
        RunSummary, SiteCard, StepReport,
    },
};
use std::collections::BTreeMap;

/// Steps of tuning and of retuning in the example run.
pub const TUNE_STEPS: usize = 225;
pub const RETUNE_STEPS: usize = 75;

/// The engine is there, on a GPU.
pub fn ready() -> Event {
    Event::Ready { adapter: adapter(AdapterKind::Hardware) }
}

pub fn adapter(kind: AdapterKind) -> AdapterReport {
    let name = if kind == AdapterKind::Hardware {
        "NVIDIA GeForce RTX 4070"
    } else {
        "llvmpipe (LLVM 19.1.7, 256 bits)"
    };
    AdapterReport {
        name: name.into(),
        driver: "565.57".into(),
        backend: "vulkan".into(),
        kind,
        max_buffer_bytes: 1 << 30,
        max_binding_bytes: 1 << 27,
        max_workgroup_invocations: 1024,
        features: vec!["subgroups".into()],
    }
}

/// The tiny encoder.
pub fn model_card() -> ModelCard {
    let roles = [Role::Query, Role::Key, Role::Value, Role::AttentionOutput];
    let path = |layer: usize, role: Role| format!("bert.encoder.layer.{layer}.attention.{role}");
    let sites = (0..2).flat_map(|layer| roles.map(|role| (layer, role)));
    ModelCard {
        name: "tiny encoder".into(),
        embedded: true,
        family: "bert".into(),
        vocab_size: 2000,
        hidden_size: 128,
        intermediate_size: 256,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        max_position_embeddings: 128,
        n_parameters: 685_952,
        n_biases: 4_480,
        n_top: 413_440,
        is_decoder: false,
        weight_bytes: 2_743_808,
        head: HeadOrigin::Fresh,
        notes: Vec::new(),
        sites: sites
            .map(|(layer, role)| SiteCard {
                path: path(layer, role),
                layer: Some(layer),
                role,
                d_out: 128,
                d_in: 128,
            })
            .collect(),
    }
}

/// The built-in sentences.
pub fn data_card() -> DataCard {
    let row = |text: &str, label: &str| PreviewRow {
        text: text.into(),
        label: label.into(),
        ..PreviewRow::default()
    };
    DataCard {
        name: "built-in sentences".into(),
        embedded: true,
        validation_name: None,
        n_train: 2400,
        n_validation: 400,
        text_column: "text".into(),
        text_pair_column: None,
        label_column: "label".into(),
        columns: vec!["text".into(), "label".into()],
        label_names: vec!["negative".into(), "positive".into()],
        class_counts: vec![1200, 1200],
        preview: vec![
            row("the room was not clean but the staff was very kind", "positive"),
            row("hardly anything about this film is good", "negative"),
            row("nobody could call the soup bland", "positive"),
        ],
        tokens: ["[CLS]", "the", "room", "was", "not", "clean", "[SEP]"].map(str::to_owned).into(),
        lengths: (0..6)
            .map(|i| LengthBin { from: 4 * i + 1, to: 4 * i + 4, count: [3, 220, 900, 840, 380, 57][i] })
            .collect(),
        mean_length: 12.4,
        truncated_share: 0.0,
        ..DataCard::default()
    }
}

/// The built-in decoder.
pub fn decoder_card() -> ModelCard {
    ModelCard {
        name: "dsee-tiny-decoder".into(),
        family: "gpt2".into(),
        is_decoder: true,
        head: HeadOrigin::Words,
        ..model_card()
    }
}

/// The built-in meanings.
pub fn meanings_card() -> DataCard {
    let row = |text: &str, references: &[&str]| PreviewRow {
        text: text.into(),
        references: references.iter().map(|text| (*text).into()).collect(),
        ..PreviewRow::default()
    };
    DataCard {
        name: "embedded-train.txt".into(),
        embedded: true,
        form: DataForm::Generation,
        n_train: 1500,
        n_validation: 150,
        n_texts: 4400,
        preview: vec![
            row("name : Ash Barn | type : pub | pets : yes", &["Ash Barn is a pub that welcomes pets."]),
            row("name : Elm Court | type : hotel | size : 2", &["Elm Court, a hotel, is small."]),
        ],
        held_out: vec![
            row("name : Oak Mill | type : cafe | pets : no", &["Oak Mill is a cafe without pets."]),
            row("name : Fir Lodge | type : hotel | stars : 4", &["Fir Lodge is a good hotel."]),
        ],
        tokens: ["name", "Ġ:", "ĠAsh", "ĠBarn", "<|endoftext|>"].map(str::to_owned).into(),
        lengths: (0..4)
            .map(|i| LengthBin { from: 16 * i + 1, to: 16 * i + 16, count: [40, 1900, 2100, 360][i] })
            .collect(),
        mean_length: 34.0,
        ..DataCard::default()
    }
}

/// What a run tells up to `until` steps of tuning.
pub fn tuning_until(until: usize) -> Vec<RunEvent> {
    let mut events = vec![
        RunEvent::Adapter(adapter(AdapterKind::Hardware)),
        RunEvent::Loaded(Loaded {
            family: "bert".into(),
            n_parameters: 686_210,
            n_trainable: 16_706,
            n_kept: 16_706,
            fresh: vec!["classifier.weight".into(), "classifier.bias".into()],
            n_train_examples: 2400,
            n_validation_examples: 400,
            label_names: vec!["negative".into(), "positive".into()],
            predicts_words: false,
        }),
        RunEvent::PhaseStarted { phase: Phase::SelectOmega, planned_steps: 0 },
    ];
    let adapted =
        model_card().sites.into_iter().filter(|site| matches!(site.role, Role::Query | Role::Value));
    events.extend(adapted.enumerate().map(|(i, site)| {
        RunEvent::OmegaSelected(OmegaReport {
            path: site.path,
            d_out: 128,
            d_in: 128,
            indices: (0..16).map(|k| k * 1013 + i as u32).collect(),
            overlap_with_magnitude: 9,
            seconds: 0.01,
            n_done: i + 1,
            n_total: 4,
        })
    }));
    events.push(RunEvent::PhaseFinished(row(Phase::SelectOmega, None, 685_952, 0.1)));
    events.push(RunEvent::PhaseStarted { phase: Phase::Tune, planned_steps: TUNE_STEPS });
    events.extend(steps(Phase::Tune, until, TUNE_STEPS));
    events
}

/// Pruning, retuning and the end.
pub fn after_tuning() -> Vec<RunEvent> {
    let low_rank = row(Phase::LowRankOnly, Some(0.9575), 685_952, 0.2);
    let mut events = vec![
        RunEvent::PhaseFinished(PhaseRow { trainable_parameters: 16_384, ..low_rank }),
        RunEvent::PhaseFinished(row(Phase::Tune, Some(0.9625), 685_952, 10.5)),
        RunEvent::Checkpoint { step: TUNE_STEPS, reason: CheckpointReason::PhaseEnd },
        RunEvent::PhaseStarted { phase: Phase::Prune, planned_steps: 0 },
        RunEvent::Pruned(pruned()),
        RunEvent::Evaluated(evaluation(Phase::Prune, 0, 0.9275, false)),
        RunEvent::PhaseFinished(row(Phase::Prune, Some(0.9275), 579_520, 0.3)),
        RunEvent::PhaseStarted { phase: Phase::Retune, planned_steps: RETUNE_STEPS },
    ];
    events.extend(steps(Phase::Retune, RETUNE_STEPS, RETUNE_STEPS));
    let retuned = row(Phase::Retune, Some(0.9625), 579_520, 3.5);
    let evaluated = row(Phase::Evaluate, Some(0.9625), 579_520, 0.3);
    events.push(RunEvent::PhaseFinished(retuned.clone()));
    events.push(RunEvent::PhaseStarted { phase: Phase::Evaluate, planned_steps: 0 });
    events.push(RunEvent::PhaseFinished(evaluated.clone()));
    events.push(RunEvent::Finished(RunSummary {
        phases: vec![retuned, evaluated],
        metrics: BTreeMap::from([("accuracy".to_owned(), 0.9625)]),
        n_steps: TUNE_STEPS + RETUNE_STEPS,
        seconds: 14.7,
    }));
    events
}

fn pruned() -> PruneReport {
    let matrix = |site: SiteCard| MatrixSparsity {
        name: format!("{}.weight", site.path),
        n_entries: site.d_out * site.d_in,
        n_zeros: 4_900,
    };
    PruneReport { matrices: model_card().sites.into_iter().map(matrix).collect(), ..PruneReport::default() }
}

/// Steps `1..=until` of a phase, with an evaluation every 25.
fn steps(phase: Phase, until: usize, total: usize) -> Vec<RunEvent> {
    let mut events = Vec::new();
    for step in 1..=until {
        events.push(RunEvent::Progress(step_report(phase, step, total)));
        if step % 25 == 0 {
            let start = if phase == Phase::Tune { 0.52 } else { 0.9275 };
            let accuracy = 0.9625 - (0.9625 - start) * (-3.0 * step as f64 / total as f64).exp();
            events.push(RunEvent::Evaluated(evaluation(phase, step, accuracy, true)));
        }
    }
    events
}

/// One step, with a loss that falls and trembles.
pub fn step_report(phase: Phase, step: usize, total: usize) -> StepReport {
    let share = step as f64 / total as f64;
    let tremble = f64::from((step as u32).wrapping_mul(2_654_435_761) >> 16) / 65_536.0 - 0.5;
    let top = if phase == Phase::Tune { 0.70 } else { 0.30 };
    StepReport {
        phase,
        step,
        total_steps: total,
        epoch: step as f64 / 75.0,
        loss: 0.12 + (top - 0.12) * (-3.0 * share).exp() + 0.12 * tremble,
        learning_rate: 2e-3 * (1.0 - share),
        grad_norm: 0.6 + 0.8 * (-2.0 * share).exp() + 0.3 * tremble,
        tokens_per_second: 8_450.0,
        gpu_bytes: 41_500_000,
        elapsed_seconds: step as f64 * 0.046,
        remaining_seconds: (total - step) as f64 * 0.046,
    }
}

fn evaluation(phase: Phase, step: usize, accuracy: f64, is_best: bool) -> Evaluation {
    Evaluation {
        phase,
        step,
        epoch: step as f64 / 75.0,
        metrics: BTreeMap::from([("accuracy".to_owned(), accuracy)]),
        loss: 1.0 - accuracy,
        is_best,
        n_examples: 400,
        seconds: 0.2,
    }
}

fn row(phase: Phase, metric: Option<f64>, non_zero_weights: usize, seconds: f64) -> PhaseRow {
    PhaseRow {
        phase,
        metric_name: if metric.is_some() { "accuracy".into() } else { String::new() },
        metric,
        trainable_parameters: 16_448,
        non_zero_weights,
        total_weights: 685_952,
        flops_linear: 101_000_000,
        flops_with_attention: 117_000_000,
        seconds,
    }
}
