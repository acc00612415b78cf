//! A decoder for tests of the command line: tiny and random, with a tokenizer made here, and contexts with texts.
#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "tests fail by panicking, and no test file needs all of this"
)]

use super::put;
use dsee_core::{
    checkpoint::{HostTensor, NamedTensors, write::write_named},
    models::{config::ModelConfig, family::Head, parameter::file_tensors},
    random::Random,
    tokenizer::train_byte_level,
};
use std::path::Path;

/// Its sizes are no multiples of four, which the kernels for any size are for; the golden models are made for the others.
const CONFIG: &str = r#"{"model_type": "gpt2", "vocab_size": 300, "n_embd": 30, "n_layer": 1, "n_head": 2,
    "n_positions": 128, "eos_token_id": 0}"#;

/// A model folder `model`, and `train.txt` with twelve texts for six contexts.
pub fn tiny_decoder(folder: &Path) {
    let config = ModelConfig::parse("config.json", CONFIG.as_bytes()).unwrap();
    let parameters = config.family.parameters(&config, Head::CausalLm);
    let mut random = Random::new(5, 0);
    let tensors: NamedTensors = file_tensors(&parameters)
        .iter()
        .map(|tensor| {
            let is_norm = tensor.name.contains("ln_") && tensor.name.ends_with("weight");
            let mut value = || if is_norm { 1.0 } else { 0.05 * random.normal() as f32 };
            let data = (0..tensor.shape.iter().product()).map(|_| value()).collect();
            (tensor.name.to_owned(), HostTensor { shape: tensor.shape.clone(), data })
        })
        .collect();
    let names = ["Anna", "Bert", "Carl", "Dora", "Emil", "Frida"];
    let line = |i: usize| format!("name : {} | type : pub||{} is a pub .\n", names[i % 6], names[i % 6]);
    let lines: String = (0..12).map(line).collect();
    put(&folder.join("model/config.json"), CONFIG.as_bytes());
    put(&folder.join("model/model.safetensors"), &write_named(&tensors));
    put(&folder.join("model/tokenizer.json"), &train_byte_level(&[&lines], 300).unwrap());
    put(&folder.join("train.txt"), lines.as_bytes());
}
