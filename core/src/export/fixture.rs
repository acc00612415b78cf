//! A small tuned model for the tests of the exports.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

use serde_json::json;

use super::prefix::prefix_names;
use super::{ExportInput, PhaseFacts, RunFacts};
use crate::checkpoint::{HostTensor, NamedTensors};
use crate::models::config::{ModelConfig, tests::tiny};
use crate::models::family::Head;
use crate::nn::site::{Role, Site};
use crate::random::Random;
use crate::tuning::state::{Mask, PrunedState, SiteDelta};

/// Owns what an [`ExportInput`] borrows.
#[derive(Clone)]
pub(crate) struct Fixture {
    pub config: ModelConfig,
    pub head: Head,
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

/// Settings of two layers, hidden 8, 2 heads, 11 words.
fn settings(json: &[u8]) -> ModelConfig {
    ModelConfig::parse("config.json", json).unwrap()
}

fn decoder() -> ModelConfig {
    settings(
        br#"{"model_type":"gpt2","vocab_size":11,"n_embd":8,"n_layer":2,"n_head":2,"n_inner":12,"n_positions":6,
            "eos_token_id":10}"#,
    )
}

impl Fixture {
    /// Every family with its heads, tuned and pruned.
    pub fn all() -> Vec<Self> {
        let roberta = settings(
            br#"{"model_type":"roberta","vocab_size":11,"hidden_size":8,"num_hidden_layers":2,"num_attention_heads":2,
                "intermediate_size":12,"max_position_embeddings":8,"type_vocab_size":1}"#,
        );
        let cases = [
            (tiny(), Head::classes(3)),
            (tiny(), Head::MaskedLm),
            (roberta.clone(), Head::classes(3)),
            (roberta, Head::MaskedLm),
            (decoder(), Head::classes(3)),
            (decoder(), Head::CausalLm),
        ];
        let both = |(config, head): (ModelConfig, Head)| {
            let tuned = Self::new(config, head);
            [tuned.clone().prune(), tuned]
        };
        cases.into_iter().flat_map(both).collect()
    }

    /// Tuned: query and value of both layers, rank 2, five sparse entries each, three labels.
    pub fn tuned() -> Self {
        Self::new(tiny(), Head::classes(3))
    }

    /// The same in a decoder that classifies and names no padding token.
    pub fn decoder_classes() -> Self {
        Self::new(decoder(), Head::classes(3))
    }

    /// The same in a decoder that predicts words.
    pub fn decoder_words() -> Self {
        Self::new(decoder(), Head::CausalLm)
    }

    fn new(config: ModelConfig, head: Head) -> Self {
        let mut random = Random::new(11, 0);
        let mut tensor = |shape: &[usize]| HostTensor {
            shape: shape.to_vec(),
            data: (0..shape.iter().product()).map(|_| random.normal() as f32).collect(),
        };
        let parameters = config.family.parameters(&config, head);
        let base: NamedTensors =
            parameters.iter().map(|spec| (spec.name.clone(), tensor(&spec.shape))).collect();
        let all_sites = config.family.sites(&config, head);
        let heads = all_sites.iter().filter(|site| site.role == Role::Head);
        let trained = heads
            .flat_map(|site| [site.weight_name(), site.bias_name()])
            .filter_map(|name| Some((tensor(&base.get(&name)?.shape), name)))
            .map(|(tensor, name)| (name, tensor))
            .collect();
        let adapted = all_sites.iter().filter(|site| [Role::Query, Role::Value].contains(&site.role));
        let sites = adapted
            .enumerate()
            .map(|(seed, site)| random_site(&site.path, 8, 8, 2, 5, seed as u64))
            .collect();
        Self {
            config,
            head,
            base,
            sites,
            pruned: PrunedState::default(),
            trained,
            labels: match head {
                Head::SequenceClassification { .. } => ["no", "yes", "maybe"].map(str::to_owned).to_vec(),
                Head::MaskedLm | Head::CausalLm => Vec::new(),
            },
            base_id: Some("org/tiny".to_owned()),
            tokenizer_files: vec![("tokenizer.json".to_owned(), b"{}\n".to_vec())],
            facts: facts(),
        }
    }

    /// The same with masks on three weights and one head removed in layer 1.
    pub fn pruned() -> Self {
        Self::tuned().prune()
    }

    fn prune(mut self) -> Self {
        let sites = self.config.family.sites(&self.config, self.head);
        let first = |role| sites.iter().find(|site| site.role == role).map(Site::weight_name);
        for (seed, name) in
            [Role::Query, Role::FeedForwardUp, Role::Pooler].into_iter().filter_map(first).enumerate()
        {
            let n = self.base[&name].data.len();
            let mut mask = Mask::all_kept(n);
            Random::new(seed as u64, 2).permutation(n)[..n / 3].iter().for_each(|&i| mask.remove(i as usize));
            self.pruned.masks.insert(name, mask);
        }
        self.pruned.heads = BTreeMap::from([(1, vec![0])]);
        let is_second = |path: &str| sites.iter().any(|site| site.path == path && site.layer == Some(1));
        for site in self.sites.iter_mut().filter(|site| is_second(&site.path)) {
            site.b[..4 * site.rank].fill(0.0);
            let kept: Vec<usize> = (0..5).filter(|&k| site.s_indices[k] >= 32).collect();
            site.s_values = kept.iter().map(|&k| site.s_values[k]).collect();
            site.s_indices = kept.iter().map(|&k| site.s_indices[k]).collect();
        }
        self
    }

    /// The same with a prefix of `length` rows instead of updates.
    pub fn with_prefix(mut self, length: usize) -> Self {
        self.sites.clear();
        let mut random = Random::new(17, 0);
        for (name, columns) in prefix_names(&self.input()) {
            let data = (0..length * columns).map(|_| random.normal() as f32).collect();
            self.trained.insert(name, HostTensor { shape: vec![length, columns], data });
        }
        self
    }

    pub fn input(&self) -> ExportInput<'_> {
        ExportInput {
            config: &self.config,
            head: match self.head {
                Head::SequenceClassification { .. } => Head::classes(self.labels.len().max(1)),
                head => head,
            },
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
