//! Proves that exported adapters are what peft itself writes, for every family: the same names, shapes, values and settings.
//! Golden files: `tests/golden/README.md`.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

use dsee_core::checkpoint::NamedTensors;
use dsee_core::export::adapter::export_adapter;
use dsee_core::export::merged::export_merged;
use dsee_core::export::verify::{verify_adapter, verify_merged};
use dsee_core::export::{ExportInput, RunFacts};
use dsee_core::models::config::ModelConfig;
use dsee_core::models::family::Head;
use dsee_core::models::load::load_model;
use dsee_core::tuning::state::{PrunedState, SiteDelta};
use dsee_tests::tiny_bert::config;
use dsee_tests::{golden, golden_tensors, read_checkpoint};
use serde_json::Value;

/// Settings that say what the numbers mean; peft writes many more.
const KEYS: [&str; 11] = [
    "peft_type",
    "task_type",
    "base_model_name_or_path",
    "r",
    "modules_to_save",
    "target_modules",
    "bias",
    "fan_in_fan_out",
    "rank_pattern",
    "alpha_pattern",
    "use_rslora",
];

/// A tuned model of which peft wrote the adapter too.
struct Case {
    folder: &'static str,
    adapter: &'static str,
    config: ModelConfig,
    head: Head,
    base: NamedTensors,
    sites: Vec<SiteDelta>,
    trained: NamedTensors,
    labels: Vec<String>,
}

impl Case {
    /// The model in `folder` with the updates of `factors`; what was trained whole is in peft's own file.
    fn new(folder: &'static str, head: Head, adapter: &'static str, factors: &str) -> Self {
        let config = config(folder);
        let checkpoint = read_checkpoint(&golden(&format!("{folder}/model.safetensors")));
        let base = load_model(&config, "config.json", checkpoint, head).unwrap().matched.params;
        let factors = golden_tensors(factors);
        let init = |path: &str, piece: &str| format!("init.{path}.{piece}");
        let all_sites = config.family.sites(&config, head);
        let adapted = all_sites.into_iter().filter(|site| factors.has(&init(&site.path, "a")));
        let delta = |site: dsee_core::nn::site::Site| SiteDelta {
            rank: 4,
            scale: 8.0,
            a: factors.floats(&init(&site.path, "a")),
            b: factors.floats(&init(&site.path, "b")),
            s_indices: Vec::new(),
            s_values: Vec::new(),
            path: site.path,
            d_out: site.d_out,
            d_in: site.d_in,
        };
        let sites = adapted.map(delta).collect();
        let saved = read_checkpoint(&golden(&format!("{adapter}/adapter_model.safetensors"))).tensors;
        let whole = saved.into_iter().filter(|(name, _)| !name.contains(".lora_"));
        let trained =
            whole.map(|(name, tensor)| (name["base_model.model.".len()..].to_owned(), tensor)).collect();
        let labels = match head {
            Head::SequenceClassification { .. } => ["a", "b", "c"].map(str::to_owned).to_vec(),
            Head::MaskedLm | Head::CausalLm => Vec::new(),
        };
        Self { folder, adapter, config, head, base, sites, trained, labels }
    }

    fn input<'a>(&'a self, pruned: &'a PrunedState, facts: &'a RunFacts) -> ExportInput<'a> {
        ExportInput {
            config: &self.config,
            head: self.head,
            base: &self.base,
            sites: &self.sites,
            pruned,
            trained: &self.trained,
            labels: &self.labels,
            base_id: Some(self.folder),
            tokenizer_files: &[],
            facts,
        }
    }

    fn check(&self) {
        let (pruned, facts) = (PrunedState::default(), RunFacts::default());
        let input = self.input(&pruned, &facts);
        let exported = export_adapter(&input).unwrap();
        verify_adapter(&input, &exported).unwrap();
        verify_merged(&input, &export_merged(&input).unwrap()).unwrap();
        let files: BTreeMap<String, Vec<u8>> =
            exported.into_iter().map(|file| (file.path, file.bytes)).collect();
        let name = "adapter_model.safetensors";
        let ours = dsee_core::checkpoint::safetensors_read::read_safetensors(name, &files[name]).unwrap();
        let peft = read_checkpoint(&golden(&format!("{}/{name}", self.adapter)));
        assert_eq!(ours.tensors, peft.tensors, "{}", self.adapter);
        assert_eq!(ours.metadata, peft.metadata);
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        let path = golden(self.adapter).join("adapter_config.json");
        let (config, theirs) = (json(&files["adapter_config.json"]), json(&std::fs::read(path).unwrap()));
        for key in KEYS {
            assert_eq!(config[key], theirs[key], "{}: {key}", self.adapter);
        }
        for (key, value) in config.as_object().unwrap() {
            assert!(theirs.get(key).is_some(), "peft does not know {key} = {value}");
        }
        assert_eq!(config["lora_alpha"].as_f64(), theirs["lora_alpha"].as_f64());
    }
}

#[test]
fn adapters_of_encoders_are_what_peft_writes() {
    Case::new("tiny_bert", Head::classes(3), "peft", "bert_lora.safetensors").check();
    Case::new("tiny_roberta", Head::classes(3), "peft_roberta", "peft_roberta/logits.safetensors").check();
}

#[test]
fn adapters_of_decoders_are_what_peft_writes() {
    Case::new("tiny_gpt2", Head::CausalLm, "peft_gpt2", "peft_gpt2/logits.safetensors").check();
    let factors = "peft_gpt2_classes/logits.safetensors";
    Case::new("tiny_gpt2_classes", Head::classes(3), "peft_gpt2_classes", factors).check();
}
