//! How many numbers a method trains is said before a run, by the card of the model; when it begins and in its table, by the
//! engine; and in `counts`, by the plan of the method. All say the same, for every method and family.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use dsee_core::checkpoint::{HostTensor, NamedTensors, write::write_named};
use dsee_core::config::{Choice as _, Method, RunConfig, RunConfigDraft};
use dsee_core::data::{DataFile, RunData, load_splits};
use dsee_core::engine::{Run, facts_of, outline_of};
use dsee_core::gpu::Device;
use dsee_core::models::config::ModelConfig;
use dsee_core::models::family::{FAMILIES, Head};
use dsee_core::models::files::{ModelFiles, in_memory};
use dsee_core::models::parameter::file_tensors;
use dsee_core::protocol::{Command, Event, Loaded, ModelCard, Phase, PhaseRow, RunEvent};
use dsee_core::random::Random;
use dsee_core::tokenizer::train_byte_level;
use dsee_core::tuning;
use dsee_tests::script::{play, with_files};

const HEAD: Head = Head::classes(2);
const TEXT: &str = "a good film\na bad film\n";
const VOCABULARY: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\ngood\nbad\nfilm\n";

/// Two layers of three heads of size 2, by whatever names the family has for sizes.
fn settings(family: &str) -> String {
    let sizes = r#""hidden_size": 6, "n_embd": 6, "num_hidden_layers": 2, "n_layer": 2, "num_attention_heads": 3,
        "n_head": 3, "intermediate_size": 10, "n_inner": 10, "max_position_embeddings": 40, "n_positions": 40,
        "type_vocab_size": 1, "vocab_size": 300, "pad_token_id": 1"#;
    format!(r#"{{"model_type": "{family}", {sizes}}}"#)
}

fn config(family: &str) -> ModelConfig {
    ModelConfig::parse("config.json", settings(family).as_bytes()).unwrap()
}

/// A model folder with random weights.
fn files(family: &str) -> Vec<(String, Vec<u8>)> {
    let config = config(family);
    let mut random = Random::new(3, 0);
    let mut tensor = |shape: &[usize]| {
        let data = (0..shape.iter().product()).map(|_| 0.1 * random.normal() as f32).collect();
        HostTensor { shape: shape.to_vec(), data }
    };
    let parameters = config.family.parameters(&config, HEAD);
    let tensors = file_tensors(&parameters).into_iter();
    let tensors: NamedTensors = tensors.map(|file| (file.name.to_owned(), tensor(&file.shape))).collect();
    let tokenizer = if config.family.is_causal() {
        ("tokenizer.json", train_byte_level(&[TEXT], 300).unwrap())
    } else {
        ("vocab.txt", VOCABULARY.into())
    };
    let files =
        [("config.json", settings(family).into()), ("model.safetensors", write_named(&tensors)), tokenizer];
    files.map(|(name, bytes)| (name.to_owned(), bytes)).into()
}

fn card(family: &str) -> ModelCard {
    let files = files(family);
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let load = with_files(Command::LoadModel { name: family.to_owned() }, &files);
    match play(vec![load], |_| Vec::new()).pop().map(|reply| reply.event) {
        Some(Event::ModelLoaded(card)) => card,
        other => panic!("{other:?}"),
    }
}

/// What a run of one step tells as it begins, and the row of its tuning.
fn told(family: &str, config: &RunConfig) -> (Loaded, PhaseRow) {
    let lines: String = (0..8).map(|i| format!("a {} film\t{}\n", ["good", "bad"][i % 2], i % 2)).collect();
    let bytes = format!("sentence\tlabel\n{lines}");
    let file = DataFile { name: "train.tsv", bytes: bytes.as_bytes() };
    let data: RunData = load_splits(file, None, &config.data_options(None)).unwrap().into();
    let model = ModelFiles { name: family.to_owned(), files: in_memory(files(family)) };
    let model = pollster::block_on(model.open(&mut |_| ())).unwrap();
    let (device, mut loaded) = (Device::reference(), None);
    let mut run = pollster::block_on(Run::new(&device, config.clone(), model, &data, None)).unwrap();
    loop {
        for event in pollster::block_on(run.advance()).unwrap() {
            match event {
                RunEvent::Loaded(told) => loaded = Some(told),
                RunEvent::PhaseFinished(row) if row.phase == Phase::Tune => return (loaded.unwrap(), row),
                _ => {}
            }
        }
    }
}

/// Numbers by the plan while tuning and after it, by the card likewise, and what the run says.
fn check(family: &str, card: &ModelCard, config: &RunConfig) {
    let model = self::config(family);
    let parameters = model.family.parameters(&model, HEAD);
    let size = |name: &str| -> usize {
        parameters.iter().filter(|p| p.name == name).map(|p| p.shape.iter().product::<usize>()).sum()
    };
    let (outline, config) = (outline_of(&model, HEAD), config.clone().for_model(&facts_of(&model)));
    let plan =
        [false, true].map(|is_tuned| tuning::plan(&config, &outline, is_tuned).n_trainable(&outline, size));
    let (loaded, row) = told(family, &config);
    let what = format!("{family}, {}", config.method.name());
    assert!(plan[0] > 0, "{what}");
    assert_eq!([card.n_trainable(&config), card.n_kept(&config)], plan, "card and plan: {what}");
    assert_eq!([loaded.n_trainable, loaded.n_kept], plan, "run and plan: {what}");
    assert_eq!(row.trainable_parameters, plan[0], "table and plan: {what}");
    let is_transient = matches!(config.method, Method::Prefix | Method::EarlyBert);
    assert_eq!(plan[0] != plan[1], is_transient, "{what}");
}

#[test]
fn card_run_and_plan_count_alike() {
    for family in FAMILIES {
        let (family, facts) = (family.model_type(), facts_of(&config(family.model_type())));
        let card = card(family);
        let mut n_methods = 0;
        for method in Method::ALL {
            let settings = [
                ("method", method.name()),
                ("max_steps", "1"),
                ("max_length", "12"),
                ("rank", "2"),
                ("nnz", "3"),
                ("prefix_length", "4"),
                ("prefix_hidden_size", "5"),
                ("eval_strategy", "no"),
            ];
            let settings = settings.into_iter().filter(|(name, _)| match *name {
                "rank" => method.has_update(),
                "nnz" => *method == Method::Dsee,
                "prefix_length" => matches!(method, Method::Prefix | Method::PTuning),
                "prefix_hidden_size" => *method == Method::Prefix,
                _ => true,
            });
            let draft: RunConfigDraft = settings.collect();
            let config = draft.check().unwrap();
            if config.check_against(&facts).is_ok() {
                check(family, &card, &config);
                n_methods += 1;
            }
        }
        // One of the two prefixes is made for encoders, the other for decoders.
        assert_eq!(n_methods, Method::ALL.len() - 1, "{family}");
    }
}
