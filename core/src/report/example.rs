//! Records for the tests: a complete run, a run without pruning, both with plausible shapes and numbers.

use super::{
    LayerHeads, LedgerRow, LossPoint, MetricPoint, OmegaMatrix, Phase, PhaseRow, RatePoint, RunReport,
    Setting,
};
use crate::random::Random;

/// Tune, mask 20 %, remove heads, retune on a six-layer encoder.
pub(super) fn full() -> RunReport {
    let phase = |name: &str, first_step, last_step| Phase { name: name.into(), first_step, last_step };
    RunReport {
        title: "sst2-dsee-r16".into(),
        base_model: "all-MiniLM-L6-v2 (BERT, 6 layers, hidden 384, 22.7 M parameters)".into(),
        settings: settings(),
        adapter: "llvmpipe (lavapipe, software), Vulkan".into(),
        dataset: "sst2/train.tsv, 8,000 of 67,349 rows, 2 classes; validated on 872 rows".into(),
        phases: vec![
            phase("omega", 0, 0),
            phase("tune", 0, 250),
            phase("masks", 250, 250),
            phase("retune", 250, 375),
        ],
        losses: losses(375),
        metrics: metrics(),
        learning_rates: (1..=375).map(|step| RatePoint { step, rate: rate(step) }).collect(),
        phase_rows: phase_rows(),
        omega: omega(),
        heads: heads(),
        ledger: ledger(),
        warnings: vec!["3 of 8,000 training texts are longer than 128 tokens and were cut.".into()],
        text_figures: vec![Setting { name: "BLEU-4 (E2E)".into(), value: "0.6512 (fraction)".into() }],
        how_to_load:
            "from peft import PeftModel\nfrom transformers import AutoModelForSequenceClassification\n\n\
            base = AutoModelForSequenceClassification.from_pretrained(\"all-MiniLM-L6-v2\", num_labels=2)\n\
            model = PeftModel.from_pretrained(base, \"adapter\")\n"
                .into(),
    }
}

/// The same run stopped after tuning with `bitfit`: no Ω, no heads, no ledger.
pub(super) fn unpruned() -> RunReport {
    let mut report = full();
    report.phases.truncate(2);
    report.losses.truncate(1);
    report.phase_rows.truncate(1);
    (report.omega, report.heads, report.ledger) = Default::default();
    (report.metrics, report.learning_rates, report.warnings) = Default::default();
    report
}

fn settings() -> Vec<Setting> {
    let pairs = [
        ("method", "dsee"),
        ("rank", "16"),
        ("alpha", "32"),
        ("nnz", "16"),
        ("omega", "grebsmo"),
        ("target_modules", "query, value"),
        ("prune", "unstructured:0.2"),
        ("prune_criterion", "delta"),
        ("learning_rate", "0.001"),
        ("batch_size", "32"),
        ("max_length", "128"),
        ("seed", "1"),
    ];
    pairs.map(|(name, value)| Setting { name: name.into(), value: value.into() }).into()
}

fn losses(n: u64) -> Vec<LossPoint> {
    let mut random = Random::new(5, 1);
    let falling = |step: u64| 0.30 + 0.4 * (-(step as f64) / 60.0).exp();
    let rising = |step: u64| if step > 250 { 0.25 * (-((step - 250) as f64) / 25.0).exp() } else { 0.0 };
    (1..=n)
        .map(|step| LossPoint { step, loss: falling(step) + rising(step) + 0.05 * random.normal() })
        .collect()
}

fn rate(step: u64) -> f64 {
    let (start, length) = if step <= 250 { (0, 250) } else { (250, 125) };
    1e-3 * (1.0 - (step - start) as f64 / f64::from(length))
}

fn metrics() -> Vec<MetricPoint> {
    let values = [
        (0, 0.491, false),
        (50, 0.742, false),
        (100, 0.803, false),
        (150, 0.821, false),
        (200, 0.836, true),
        (250, 0.833, false),
        (250, 0.509, false),
        (300, 0.751, false),
        (350, 0.779, false),
        (375, 0.7844, true),
    ];
    values.map(|(step, value, best)| MetricPoint { step, name: "accuracy".into(), value, best }).into()
}

fn phase_rows() -> Vec<PhaseRow> {
    let row = |phase: &str, value, trainable, nonzero, seconds| PhaseRow {
        phase: phase.into(),
        metric_name: "accuracy".into(),
        metric_value: Some(value),
        trainable_parameters: trainable,
        nonzero_weights: nonzero,
        total_weights: 22_713_216,
        flops_linear: 2_717_908_992,
        flops_with_attention: 2_868_903_936,
        seconds,
    };
    vec![
        row("pretrained", 0.491, 0, 22_713_216, 4.1),
        row("tuned", 0.836, 147_456, 22_713_216, 318.4),
        row("masked", 0.509, 0, 20_554_512, 0.4),
        row("retuned", 0.7844, 147_456, 20_554_512, 161.9),
    ]
}

fn omega() -> Vec<OmegaMatrix> {
    let mut random = Random::new(9, 2);
    let sites = (0..6).flat_map(|l| ["query", "value"].map(|m| (l, m)));
    sites
        .map(|(layer, module)| {
            // Half of Ω shares a few columns, as outlier dimensions of real encoders do.
            let mut indices: Vec<u32> = (0..16)
                .map(|k| {
                    let col = if k % 2 == 0 { 97 + 60 * random.below(2) } else { random.below(384) };
                    random.below(384) * 384 + col
                })
                .collect();
            indices.sort_unstable();
            indices.dedup();
            OmegaMatrix {
                path: format!("bert.encoder.layer.{layer}.attention.self.{module}"),
                d_out: 384,
                d_in: 384,
                indices,
                overlap_with_magnitude: Some(random.below(9) as usize),
            }
        })
        .collect()
}

fn heads() -> Vec<LayerHeads> {
    let mut random = Random::new(3, 3);
    (0..6)
        .map(|layer| {
            let scores: Vec<f64> = (0..12).map(|_| f64::from(20.0 + 80.0 * random.uniform())).collect();
            let mut order: Vec<usize> = (0..12).collect();
            order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
            LayerHeads { layer, scores, removed: order[..3].to_vec() }
        })
        .collect()
}

fn ledger() -> Vec<LedgerRow> {
    let modules = [
        ("attention.self.query", 147_456, 41_102),
        ("attention.self.key", 147_456, 27_310),
        ("attention.self.value", 147_456, 17_880),
        ("attention.output.dense", 147_456, 33_025),
        ("intermediate.dense", 589_824, 120_144),
        ("output.dense", 589_824, 114_421),
    ];
    let rows = (0..6u64).flat_map(|layer| {
        modules.map(|(module, size, zeros)| LedgerRow {
            matrix: format!("bert.encoder.layer.{layer}.{module}.weight"),
            size,
            zeros: zeros + 311 * layer,
        })
    });
    rows.collect()
}
