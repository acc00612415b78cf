//! Proves that exported adapters are what peft itself writes, for every family: the same names, shapes, values and settings;
//! that transformers, versions 4 and 5, computes from our folders what we compute; and that a model without some heads is the
//! one whose heads are zero. Golden files: `tests/golden/README.md`.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use dsee_core::checkpoint::safetensors_read::read_safetensors;
use dsee_core::checkpoint::write::{TensorToWrite, Values, write_safetensors};
use dsee_core::export::adapter::export_adapter;
use dsee_core::export::merged::export_merged;
use dsee_core::export::verify::{verify_adapter, verify_merged};
use dsee_core::export::{ExportInput, OutputFile, RunFacts};
use dsee_core::gpu::Device;
use dsee_core::models::config::ModelConfig;
use dsee_core::models::family::Head;
use dsee_core::models::load::load_model;
use dsee_core::nn::added::prefix_length;
use dsee_core::train::place::HostState;
use dsee_core::tuning::state::{Mask, SiteDelta};
use dsee_tests::tiny_bert::TinyModel;
use dsee_tests::{assert_close, device, golden, golden_tensors, read_checkpoint};
use serde_json::Value;

const WEIGHTS: &str = "adapter_model.safetensors";

/// Settings of a LoRA adapter that say what the numbers mean; peft writes many more.
const LORA_KEYS: [&str; 11] = [
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

/// What goes with a tuned model into its files.
struct Export {
    model: TinyModel,
    labels: Vec<String>,
    base_id: String,
    facts: RunFacts,
}

impl Export {
    fn new(model: TinyModel, base_id: &str) -> Self {
        let labels = match model.head {
            Head::SequenceClassification { .. } => ["a", "b", "c"].map(str::to_owned).to_vec(),
            Head::MaskedLm | Head::CausalLm => Vec::new(),
        };
        Self { model, labels, base_id: base_id.to_owned(), facts: RunFacts::default() }
    }

    fn input(&self) -> ExportInput<'_> {
        ExportInput {
            config: &self.model.config,
            head: self.model.head,
            base: &self.model.base,
            sites: &self.model.state.deltas,
            pruned: &self.model.state.pruned,
            trained: &self.model.state.trained,
            labels: &self.labels,
            base_id: Some(&self.base_id),
            tokenizer_files: &[],
            facts: &self.facts,
        }
    }
}

/// A tuned model of which peft wrote the adapter too.
struct Case {
    adapter: &'static str,
    export: Export,
}

impl Case {
    /// The model in `folder` with the updates of `factors`.
    fn lora(folder: &str, head: Head, adapter: &'static str, factors: &str) -> Self {
        let mut case = Self::new(folder, head, adapter, "base_model.model.");
        let factors = golden_tensors(factors);
        let init = |path: &str, piece: &str| format!("init.{path}.{piece}");
        let adapted =
            case.export.model.sites().into_iter().filter(|site| factors.has(&init(&site.path, "a")));
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
        case.export.model.state.deltas = adapted.map(delta).collect();
        case
    }

    /// The model in `folder` with the prefixes that lie beside peft's adapter.
    fn prefix(folder: &str, head: Head, adapter: &'static str) -> Self {
        let mut case = Self::new(folder, head, adapter, "base_model.");
        let prefixes = read_checkpoint(&golden(&format!("{adapter}/init.safetensors"))).tensors;
        let added = prefixes.into_iter().map(|(name, tensor)| (name["init.".len()..].to_owned(), tensor));
        case.export.model.state.trained.extend(added);
        case
    }

    /// What was trained whole is in peft's own file, behind `outer`.
    fn new(folder: &str, head: Head, adapter: &'static str, outer: &str) -> Self {
        let mut model = TinyModel::of(folder, head, "bert_full.safetensors");
        let saved = read_checkpoint(&golden(&format!("{adapter}/{WEIGHTS}"))).tensors;
        let name =
            |name: &str| name.strip_prefix(outer).filter(|_| !name.contains(".lora_")).map(str::to_owned);
        model.state.trained =
            saved.into_iter().filter_map(|(saved, tensor)| Some((name(&saved)?, tensor))).collect();
        Self { adapter, export: Export::new(model, folder) }
    }

    /// Exports, and gives our settings and peft's.
    fn check(&self) -> [Value; 2] {
        let input = self.export.input();
        let exported = export_adapter(&input).unwrap();
        verify_adapter(&input, &exported).unwrap();
        let files: BTreeMap<String, Vec<u8>> =
            exported.into_iter().map(|file| (file.path, file.bytes)).collect();
        let ours = read_safetensors(WEIGHTS, &files[WEIGHTS]).unwrap();
        let peft = read_checkpoint(&golden(&format!("{}/{WEIGHTS}", self.adapter)));
        assert_eq!(ours.tensors, peft.tensors, "{}", self.adapter);
        assert_eq!(ours.metadata, peft.metadata);
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        let path = golden(self.adapter).join("adapter_config.json");
        let (config, theirs) = (json(&files["adapter_config.json"]), json(&std::fs::read(path).unwrap()));
        for (key, value) in config.as_object().unwrap() {
            assert!(theirs.get(key).is_some(), "peft does not know {key} = {value}");
        }
        [config, theirs]
    }

    fn check_lora(&self) {
        let [config, theirs] = self.check();
        for key in LORA_KEYS {
            assert_eq!(config[key], theirs[key], "{}: {key}", self.adapter);
        }
        assert_eq!(config["lora_alpha"].as_f64(), theirs["lora_alpha"].as_f64());
        let input = self.export.input();
        verify_merged(&input, &export_merged(&input).unwrap()).unwrap();
    }

    fn check_prefix(&self) {
        let [config, mut theirs] = self.check();
        // peft lists them once more each time the model is wrapped.
        let saved: BTreeSet<String> =
            serde_json::from_value(theirs["modules_to_save"].take()).unwrap_or_default();
        let ours =
            serde_json::from_value::<Vec<String>>(config["modules_to_save"].clone()).unwrap_or_default();
        assert_eq!(ours, Vec::from_iter(saved), "{}", self.adapter);
        for (key, value) in config.as_object().unwrap().iter().filter(|(key, _)| *key != "modules_to_save") {
            assert_eq!(*value, theirs[key], "{}: {key}", self.adapter);
        }
    }
}

#[test]
fn adapters_of_encoders_are_what_peft_writes() {
    Case::lora("tiny_bert", Head::classes(3), "peft", "bert_lora.safetensors").check_lora();
    let factors = "peft_roberta/logits.safetensors";
    Case::lora("tiny_roberta", Head::classes(3), "peft_roberta", factors).check_lora();
}

#[test]
fn adapters_of_decoders_are_what_peft_writes() {
    Case::lora("tiny_gpt2", Head::CausalLm, "peft_gpt2", "peft_gpt2/logits.safetensors").check_lora();
    let factors = "peft_gpt2_classes/logits.safetensors";
    Case::lora("tiny_gpt2_classes", Head::classes(3), "peft_gpt2_classes", factors).check_lora();
}

#[test]
fn prefixes_are_what_peft_writes() {
    let classes = Head::classes(3);
    Case::prefix("tiny_bert", classes, "peft_prefix_bert").check_prefix();
    Case::prefix("tiny_roberta", classes, "peft_prefix_roberta").check_prefix();
    Case::prefix("tiny_gpt2", Head::CausalLm, "peft_prefix_gpt2").check_prefix();
    Case::prefix("tiny_gpt2_classes", classes, "peft_prefix_gpt2_classes").check_prefix();
}

/// A third of the weights of the first layer.
fn mask(mut model: TinyModel) -> TinyModel {
    for site in model.sites().iter().filter(|site| site.layer == Some(0)) {
        let mut mask = Mask::all_kept(site.d_out * site.d_in);
        (0..mask.len).step_by(3).for_each(|entry| mask.remove(entry));
        model.state.pruned.masks.insert(site.weight_name(), mask);
    }
    model
}

/// Every family tuned, tuned and pruned, with a prefix, with trained biases, and trained as a whole under masks.
fn tuned_models() -> Vec<(String, Export)> {
    let mut models = Vec::new();
    for (family, model) in TinyModel::families() {
        let tuned = model.clone().retrain_head().adapt(4, 16);
        let pruned = mask(tuned.clone().remove_heads());
        let prefix = model.clone().retrain_head().prefix(3);
        let biases = model.clone().retrain(|name| name.ends_with("bias"));
        let whole = mask(model.retrain(|_| true));
        let kinds =
            [("tuned", tuned), ("pruned", pruned), ("prefix", prefix), ("biases", biases), ("whole", whole)];
        for (kind, model) in kinds {
            models.push((format!("{family}-{kind}"), Export::new(model, "tiny")));
        }
    }
    models
}

/// The folders that a model is exported to.
fn folders(export: &Export) -> Vec<(&'static str, Vec<OutputFile>)> {
    let input = export.input();
    let state = &export.model.state;
    let has_prefix = prefix_length(&state.trained) > 0;
    let has_adapter = has_prefix || !state.deltas.is_empty();
    let adapter = has_adapter.then(|| ("adapter", export_adapter(&input).unwrap()));
    // No weights say what a prefix does.
    let merged = (!has_prefix).then(|| ("merged", export_merged(&input).unwrap()));
    [adapter, merged].into_iter().flatten().collect()
}

fn logits(device: &Device, model: &TinyModel) -> Vec<f32> {
    pollster::block_on(async { model.place(device, 0.0).await.unwrap().logits().await.unwrap() })
}

#[test]
fn transformers_computes_from_our_folders_what_we_compute() {
    let models = tuned_models();
    models.iter().for_each(|(name, export)| write_folders(name, export));
    let (device, versions) = (Device::reference(), ["exports_v4", "exports_v5"]);
    let versions = versions.map(|file| golden_tensors(&format!("{file}.safetensors")));
    let mut n_compared = 0;
    for (name, export) in models {
        let ours = logits(&device, &export.model);
        for (form, _) in folders(&export) {
            for (version, theirs) in [4, 5].into_iter().zip(&versions) {
                let name = format!("{name}.{form}");
                // Version 4 with its peft fails on every prefix of this classifier.
                if version == 4 && name == "roberta-prefix.adapter" {
                    continue;
                }
                assert_close(&name, &ours, &theirs.floats(&name), 1e-5, 1e-5);
                n_compared += 1;
            }
        }
    }
    assert_eq!(n_compared, versions.iter().map(|file| file.names().len()).sum::<usize>());
}

/// Leaves everything that make_golden_exports.py needs in the folder for temporary files of tests, below `exports`.
fn write_folders(name: &str, export: &Export) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("exports").join(name);
    let files = folders(export).into_iter().flat_map(|(form, files)| {
        files.into_iter().map(move |file| (format!("{form}/{}", file.path), file.bytes))
    });
    for (path, bytes) in files.chain([("batch.safetensors".to_owned(), batch_file(&export.model))]) {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::File::create(path).unwrap().write_all(&bytes).unwrap();
    }
}

/// The batch and our own logits of it, for Python.
fn batch_file(model: &TinyModel) -> Vec<u8> {
    let run = pollster::block_on(model.place(&Device::reference(), 0.0)).unwrap();
    let logits = pollster::block_on(run.logits()).unwrap();
    let positions = run.words.map(|(positions, _)| positions);
    let n_rows = positions.as_ref().map_or(run.batch.n_sequences(), Vec::len);
    let numbers = [
        ("input_ids", Some(run.batch.input_ids)),
        ("token_type_ids", Some(run.batch.token_type_ids)),
        ("offsets", Some(run.batch.offsets)),
        ("mlm_positions", positions),
    ];
    let numbers = numbers.map(|(name, numbers)| {
        (name, numbers.map(|numbers| numbers.into_iter().map(|n| n as i32).collect::<Vec<_>>()))
    });
    let mut tensors: Vec<TensorToWrite<'_>> = numbers
        .iter()
        .filter_map(|(name, numbers)| {
            let numbers = numbers.as_ref()?;
            Some(TensorToWrite {
                name: (*name).to_owned(),
                shape: vec![numbers.len()],
                values: Values::I32(numbers),
            })
        })
        .collect();
    tensors.push(TensorToWrite {
        name: "logits".to_owned(),
        shape: vec![n_rows, logits.len() / n_rows],
        values: Values::F32(&logits),
    });
    write_safetensors(&tensors, &BTreeMap::new())
}

/// The dense model of a merged export: everything in its place, removed heads as zeros.
fn dense(export: &Export) -> TinyModel {
    let files = export_merged(&export.input()).unwrap();
    let bytes = |path: &str| &files.iter().find(|file| file.path == path).unwrap().bytes;
    let config = ModelConfig::parse("config.json", bytes("config.json")).unwrap();
    let weights = read_safetensors("model.safetensors", bytes("model.safetensors")).unwrap();
    let mut model = export.model.clone();
    model.base = load_model(&config, "config.json", weights, model.head).unwrap().matched.params;
    model.state = HostState::default();
    model.config = config;
    model
}

#[test]
fn a_model_without_some_heads_is_the_one_whose_heads_are_zero() {
    for device in [Device::reference(), device()] {
        for (family, model) in TinyModel::families() {
            let whole = model.retrain_head().adapt(4, 16);
            let export = Export::new(whole.clone().remove_heads(), "tiny");
            let mut zeroed = dense(&export);
            zeroed.plan.deltas.clear();
            assert!(zeroed.state.pruned.heads.is_empty(), "it is computed with all heads");
            let n_zeros = |model: &TinyModel| {
                model.base.values().flat_map(|tensor| &tensor.data).filter(|value| **value == 0.0).count()
            };
            // Three heads of 8 in weights and biases of query, key and value, and in the map behind them, of 32 numbers.
            assert!(n_zeros(&zeroed) >= n_zeros(&whole) + 3 * 8 * (4 * 32 + 3), "{family}");
            let [found, expected] = [&export.model, &zeroed].map(|model| logits(&device, model));
            assert_close(family, &found, &expected, 0.0, 1e-5);
            let before = logits(&device, &whole);
            assert!(before.iter().zip(&found).any(|(a, b)| (a - b).abs() > 1e-2), "{family}: heads matter");
        }
    }
}
