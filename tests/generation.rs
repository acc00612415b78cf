//! Proves that a tiny GPT-2 writes what transformers writes, and what the paper's beam search does, token by token, and that
//! what it remembers changes no logit.
//! Golden file: `tests/golden/gpt2_generate.json`. Runs on the CPU references and on the adapter.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use dsee_core::checkpoint::NamedTensors;
use dsee_core::config::RunConfigDraft;
use dsee_core::data::PackedBatch;
use dsee_core::engine::outline_of;
use dsee_core::generate::{Continuation, Decoder, GenerationConfig, Limits, Search, Step};
use dsee_core::gpu::{Device, Sizes};
use dsee_core::models::config::ModelConfig;
use dsee_core::models::family::{Head, Parts};
use dsee_core::models::load::load_model;
use dsee_core::models::{DropoutRates, Model};
use dsee_core::nn::added::prefix_length;
use dsee_core::nn::inputs::BatchInputs;
use dsee_core::nn::parameters::Parameters;
use dsee_core::nn::plan::TuningPlan;
use dsee_core::train::evaluate::Evaluator;
use dsee_core::train::place::{HeadShape, HostState, Placement};
use dsee_core::train::write::{CachedDecoder, Room};
use dsee_core::tuning::{initial::initial_added, plan, prefix};
use dsee_tests::tiny_bert::config;
use dsee_tests::{assert_close, device, golden, read_checkpoint};
use serde_json::Value;

struct Tiny {
    config: ModelConfig,
    parameters: Parameters,
    n_prefix: usize,
}

impl Tiny {
    fn new(device: &Device, added: &NamedTensors) -> Self {
        let config = config("tiny_gpt2");
        let checkpoint = read_checkpoint(&golden("tiny_gpt2/model.safetensors"));
        let weights: NamedTensors =
            load_model(&config, "config.json", checkpoint, Head::CausalLm).unwrap().matched.params;
        let heads = HeadShape { n_heads: config.num_attention_heads, head_size: config.head_size() };
        let (state, plan) =
            (HostState { trained: added.clone(), ..HostState::default() }, TuningPlan::default());
        let sites = config.family.sites(&config, Head::CausalLm);
        let placement = Placement::new(&sites, heads, &state.pruned);
        let parameters = pollster::block_on(placement.place(device, &weights, &state, &plan)).unwrap();
        Self { config, parameters, n_prefix: prefix_length(added) }
    }

    fn model(&self) -> Box<dyn Model> {
        let (plan, rates) = (TuningPlan::default(), DropoutRates::default());
        let parts = Parts { config: &self.config, parameters: &self.parameters, plan: &plan, rates };
        self.config.family.build(&parts, Head::CausalLm)
    }
}

async fn writes_as_transformers(device: &Device) {
    let text = std::fs::read(golden("gpt2_generate.json")).unwrap();
    let golden: Value = serde_json::from_slice(&text).unwrap();
    let numbers = |value: &Value| -> Vec<u32> { serde_json::from_value(value.clone()).unwrap() };
    let tiny = Tiny::new(device, &NamedTensors::new());
    let model = tiny.model();
    let max_new_tokens = golden["max_new_tokens"].as_u64().unwrap() as usize;
    let room = Room { n_prompt: 8, num_beams: 10, max_new_tokens };
    let mut decoder = CachedDecoder::new(device, model.as_ref(), room).await.unwrap();
    let eos = golden["eos_token_id"].as_u64().unwrap() as u32;
    for case in golden["cases"].as_array().unwrap() {
        let mut settings: GenerationConfig = serde_json::from_value(case["settings"].clone()).unwrap();
        settings.max_new_tokens = max_new_tokens;
        if settings.eos_token_ids.is_empty() {
            settings.eos_token_ids = vec![eos];
        }
        let limits = Limits { n_vocab: tiny.config.vocab_size, n_positions: tiny.config.longest() };
        decoder.forget();
        let mut search = Search::new(&settings, limits, &numbers(&case["prompt"])).unwrap();
        while search.advance_with(&mut decoder).await.unwrap() {}
        let mut expected = numbers(&case["tokens"]);
        if expected.last().is_some_and(|last| settings.eos_token_ids.contains(last)) {
            expected.pop();
        }
        assert_eq!(search.best().tokens, expected, "{} after {}", case["name"], case["prompt"]);
    }
}

/// The logits of all positions of a text at once, and one by one with a cache. Gives those of the first.
async fn remembers_exactly(device: &Device, added: &NamedTensors) -> Vec<f32> {
    let tiny = Tiny::new(device, added);
    let model = tiny.model();
    let text: Vec<u32> = (0..20u32).map(|i| (i * 37 + 11) % 120).collect();
    let n = text.len();
    let batch = PackedBatch {
        input_ids: text.clone(),
        token_type_ids: vec![0; n],
        position_ids: (0..n as u32).collect(),
        offsets: vec![0, n as u32],
        example_indices: vec![0],
        ..PackedBatch::default()
    };
    let capacity = Sizes { tokens: n, sequences: 1, targets: n };
    let mut layout = tiny.config.inputs();
    layout.first_position += tiny.n_prefix as u32;
    let inputs = BatchInputs::new(device, capacity, layout).unwrap();
    let evaluator = Evaluator::of_logits(device, model.as_ref(), &inputs).await.unwrap();
    let positions: Vec<u32> = (0..n as u32).collect();
    let whole = evaluator.run(inputs.write(&batch, Some((&positions, &text)))).await.unwrap();
    let room = Room { n_prompt: 5, num_beams: 1, max_new_tokens: n };
    let mut decoder = CachedDecoder::new(device, model.as_ref(), room).await.unwrap();
    let prompt = Continuation { parent: None, tokens: text[..5].to_vec() };
    // Twice, because what is before all texts must outlive one of them.
    for _ in 0..2 {
        decoder.forget();
        let mut logits = decoder.logits(&Step { sequences: vec![prompt.clone()] }).await.unwrap();
        for position in 4..n {
            let n_vocab = tiny.config.vocab_size;
            let expected = &whole[position * n_vocab..][..n_vocab];
            assert_close(&format!("logits at {position}"), &logits, expected, 1e-5, 1e-5);
            if position + 1 < n {
                let next = Continuation { parent: Some(0), tokens: vec![text[position + 1]] };
                logits = decoder.logits(&Step { sequences: vec![next] }).await.unwrap();
            }
        }
    }
    whole
}

/// A prefix of five rows that matters: as it is computed while tuning, and as the table that is kept.
fn prefixes() -> [NamedTensors; 2] {
    let settings = [("method", "prefix"), ("prefix_length", "5"), ("prefix_hidden_size", "6")];
    let draft: RunConfigDraft = settings.into_iter().collect();
    let outline = outline_of(&config("tiny_gpt2"), Head::CausalLm);
    let plan = plan(&draft.check().unwrap(), &outline, false);
    let mut computed: NamedTensors =
        plan.added.iter().map(|(name, added)| (name.clone(), initial_added(name, added, 1))).collect();
    computed.values_mut().flat_map(|tensor| &mut tensor.data).for_each(|value| *value *= 40.0);
    let mut table = computed.clone();
    prefix::fold(&mut table, &outline.sites);
    [computed, table]
}

#[test]
fn greedy_and_beam_search_write_what_transformers_writes() {
    pollster::block_on(writes_as_transformers(&Device::reference()));
    pollster::block_on(writes_as_transformers(&device()));
}

#[test]
fn the_cache_changes_no_logit() {
    let none = NamedTensors::new();
    pollster::block_on(remembers_exactly(&Device::reference(), &none));
    pollster::block_on(remembers_exactly(&device(), &none));
}

#[test]
fn a_text_goes_on_behind_a_prefix_as_in_training() {
    let bare = pollster::block_on(remembers_exactly(&Device::reference(), &NamedTensors::new()));
    for prefix in prefixes() {
        let prefixed = pollster::block_on(remembers_exactly(&Device::reference(), &prefix));
        let difference = bare.iter().zip(&prefixed).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(difference > 0.1, "the prefix is seen: {difference}");
        pollster::block_on(remembers_exactly(&device(), &prefix));
    }
}
