//! Proves that a tiny BERT computes what PyTorch and transformers compute: logits, loss, every gradient and ten AdamW
//! losses, for full tuning, LoRA, DSEE, DSEE under masks and DSEE without some heads; and that a model of which only a part
//! is trained has the same gradients there. Runs twice: on the CPU references and on the adapter (a software adapter is
//! enough). Golden files: `tests/golden/README.md`.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod case;
mod check;

use case::Case;
use dsee_core::checkpoint::HostTensor;
use dsee_core::gpu::Device;
use dsee_core::models::family::Head;
use dsee_core::train::step::Objective;

#[test]
fn full_tuning() {
    Case::new("bert_full").train_all().check_everywhere();
}

#[test]
fn full_tuning_with_weight_decay() {
    let mut case = Case::new("bert_full_decay").train_all();
    case.weight_decay = case.golden.floats("weight_decay")[0];
    case.check_everywhere();
}

#[test]
fn lora() {
    Case::new("bert_lora").adapt().check_everywhere();
}

#[test]
fn dsee() {
    Case::new("bert_dsee").adapt().check_everywhere();
}

#[test]
fn dsee_under_masks() {
    Case::new("bert_dsee_masked").adapt().mask().check_everywhere();
}

#[test]
fn full_tuning_under_masks() {
    Case::new("bert_full_masked").train_all().mask().check_everywhere();
}

#[test]
fn dsee_without_some_heads() {
    Case::new("bert_dsee_heads").adapt().remove_heads().check_everywhere();
}

#[test]
fn regression() {
    let mut case = Case::new("bert_mse");
    for (name, shape) in [("classifier.weight", vec![1, 32]), ("classifier.bias", vec![1])] {
        let data = case.golden.floats(&format!("init.{name}"));
        case.base.insert(name.to_owned(), HostTensor { shape, data });
    }
    case.head = Head::classes(1);
    case.objective = Objective::Regression;
    case.train_all().check_everywhere();
}

#[test]
fn a_trained_part_has_the_gradients_of_the_whole() {
    let one_of = |name: &str, parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let is_embedding = |name: &str| one_of(name, &[".embeddings.", ".wte.", ".wpe."]);
    for (folder, head, file) in [
        ("tiny_bert", Head::classes(3), "bert_full"),
        ("tiny_roberta", Head::classes(3), "roberta_full"),
        ("tiny_gpt2", Head::CausalLm, "gpt2_full"),
    ] {
        let case = || Case::of(folder, head, file);
        let is_bias_or_head = |name: &str| name.ends_with(".bias") || name.starts_with("classifier.");
        case().method("bitfit").check_part_everywhere(is_bias_or_head);
        // These models have two layers.
        case().method("ft-top2").check_part_everywhere(|name| !is_embedding(name));
        let is_upper = |name: &str| !is_embedding(name) && !one_of(name, &[".layer.0.", ".h.0."]);
        case().train_upper_layer().check_part_everywhere(is_upper);
    }
}

#[test]
fn masked_words() {
    Case::of("tiny_bert_mlm", Head::MaskedLm, "bert_mlm").train_all().check_everywhere();
}

/// A table that no kernel sees whole is split by rows: tied to the head and trained, or frozen.
#[test]
fn a_word_table_in_parts() {
    let device = Device::reference_of_slices(64 * 32);
    let words = Case::of("tiny_bert_mlm", Head::MaskedLm, "bert_mlm").train_all();
    for case in [words, Case::new("bert_dsee").adapt()] {
        let placed = pollster::block_on(case.place(&device));
        let parts = placed.0.parts("bert.embeddings.word_embeddings.weight");
        assert_eq!(parts.iter().map(|part| part.fixed_rows()).collect::<Vec<_>>(), [64, 56]);
        pollster::block_on(case.check_training(&device, &placed));
    }
}

#[test]
fn roberta_classifies() {
    Case::of("tiny_roberta", Head::classes(3), "roberta_full").train_all().check_everywhere();
}

#[test]
fn roberta_fills_in_words() {
    Case::of("tiny_roberta_mlm", Head::MaskedLm, "roberta_mlm").train_all().check_everywhere();
}

#[test]
fn gpt2_classifies() {
    Case::of("tiny_gpt2_classes", Head::classes(3), "gpt2_classes").train_all().check_everywhere();
}

#[test]
fn gpt2_predicts_the_next_word() {
    Case::of("tiny_gpt2", Head::CausalLm, "gpt2_full").train_all().check_everywhere();
}

#[test]
fn dsee_in_a_decoder() {
    Case::of("tiny_gpt2", Head::CausalLm, "gpt2_dsee").adapt().check_everywhere();
}

#[test]
fn adapters_in_an_encoder() {
    Case::new("bert_adapters").add().check_everywhere();
}

#[test]
fn adapters_in_a_decoder() {
    Case::of("tiny_gpt2", Head::CausalLm, "gpt2_adapters").add().check_everywhere();
}

#[test]
fn a_prefix_in_an_encoder() {
    Case::new("bert_prefix").add().check_everywhere();
}

#[test]
fn a_computed_prefix_in_a_decoder() {
    Case::of("tiny_gpt2", Head::CausalLm, "gpt2_prefix").add().check_everywhere();
}

#[test]
fn searched_coefficients() {
    Case::new("bert_search").train_all().add().check_everywhere();
}
