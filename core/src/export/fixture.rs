//! A small tuned model for the tests of the exports.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

use serde_json::json;

use super::{ExportInput, PhaseFacts, RunFacts};
use crate::checkpoint::{HostTensor, NamedTensors};
use crate::models::config::{ModelConfig, tests::tiny};
use crate::models::family::Head;
use crate::random::Random;
use crate::tuning::state::{Mask, PrunedState, SiteDelta};

/// Owns what an [`ExportInput`] borrows.
pub(crate) struct Fixture {
    pub config: ModelConfig,
    pub base: NamedTensors,
    pub sites: Vec<SiteDelta>,
    pub pruned: PrunedState,
    pub trained: NamedTensors,
    pub labels: Vec<String>,
    pub base_id: Option<String>,
    pub tokenizer_files: Vec<(String, Vec<u8>)>,
    pub facts: RunFacts,
}

/// An update with random factors and `nnz` random positions.
pub(crate) fn random_site(
    path: &str,
    d_out: usize,
    d_in: usize,
    rank: usize,
    nnz: usize,
    seed: u64,
) -> SiteDelta {
    let mut random = Random::new(seed, 9);
    let mut values = |n: usize| (0..n).map(|_| random.normal() as f32 * 0.1).collect::<Vec<_>>();
    let (a, b, s_values) = (values(rank * d_in), values(d_out * rank), values(nnz));
    let mut s_indices = random.permutation(d_out * d_in)[..nnz].to_vec();
    s_indices.sort_unstable();
    SiteDelta { path: path.to_owned(), d_out, d_in, rank, scale: 2.0, a, b, s_indices, s_values }
}

impl Fixture {
    /// Tuned: query and value of both layers, rank 2, five sparse entries each, three labels.
    pub fn tuned() -> Self {
        let config = tiny();
        let mut random = Random::new(11, 0);
        let mut tensor = |shape: &[usize]| HostTensor {
            shape: shape.to_vec(),
            data: (0..shape.iter().product()).map(|_| random.normal() as f32).collect(),
        };
        let base: NamedTensors = config
            .family
            .parameters(&config, Head::classes(3))
            .iter()
            .map(|spec| (spec.name.clone(), tensor(&spec.shape)))
            .collect();
        let trained = NamedTensors::from([
            ("classifier.weight".to_owned(), tensor(&[3, 8])),
            ("classifier.bias".to_owned(), tensor(&[3])),
        ]);
        let site = |layer: u64, module: &str| {
            let path = format!("bert.encoder.layer.{layer}.attention.self.{module}");
            random_site(&path, 8, 8, 2, 5, layer * 10 + module.len() as u64)
        };
        let sites = vec![site(0, "query"), site(0, "value"), site(1, "query"), site(1, "value")];
        Self {
            config,
            base,
            sites,
            pruned: PrunedState::default(),
            trained,
            labels: ["no", "yes", "maybe"].map(str::to_owned).to_vec(),
            base_id: Some("org/tiny".to_owned()),
            tokenizer_files: vec![("tokenizer.json".to_owned(), b"{}\n".to_vec())],
            facts: facts(),
        }
    }

    /// The same with masks on three weights and one head removed in layer 1.
    pub fn pruned() -> Self {
        let mut fixture = Self::tuned();
        for (seed, name) in [
            "bert.encoder.layer.0.attention.self.query.weight",
            "bert.encoder.layer.0.intermediate.dense.weight",
            "bert.pooler.dense.weight",
        ]
        .into_iter()
        .enumerate()
        {
            let n = fixture.base[name].data.len();
            let mut mask = Mask::all_kept(n);
            Random::new(seed as u64, 2).permutation(n)[..n / 3].iter().for_each(|&i| mask.remove(i as usize));
            fixture.pruned.masks.insert(name.to_owned(), mask);
        }
        fixture.pruned.heads = BTreeMap::from([(1, vec![0])]);
        for site in fixture.sites.iter_mut().filter(|site| site.path.contains("layer.1")) {
            site.b[..4 * site.rank].fill(0.0);
            let kept: Vec<usize> = (0..5).filter(|&k| site.s_indices[k] >= 32).collect();
            site.s_values = kept.iter().map(|&k| site.s_values[k]).collect();
            site.s_indices = kept.iter().map(|&k| site.s_indices[k]).collect();
        }
        fixture
    }

    pub fn input(&self) -> ExportInput<'_> {
        ExportInput {
            config: &self.config,
            head: Head::classes(self.labels.len().max(1)),
            base: &self.base,
            sites: &self.sites,
            pruned: &self.pruned,
            trained: &self.trained,
            labels: &self.labels,
            base_id: self.base_id.as_deref(),
            tokenizer_files: &self.tokenizer_files,
            facts: &self.facts,
        }
    }
}

fn facts() -> RunFacts {
    let phase = PhaseFacts {
        phase: "tune".to_owned(),
        metric: Some(0.836),
        n_trainable: 1234,
        n_nonzero: 5678,
        flops: 91011,
        seconds: 2.5,
    };
    RunFacts {
        base_sha256: Some("00".repeat(32)),
        settings: [("rank", json!(2)), ("a|b", json!("c\nd"))]
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect(),
        dataset: Some("sst2".to_owned()),
        metric: "accuracy".to_owned(),
        phases: vec![phase],
        sparsity: vec![("prunable matrices".to_owned(), "30.0 %".to_owned())],
        ..RunFacts::default()
    }
}
