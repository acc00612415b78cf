//! Every field of a run, read from loose settings: given, recommended by the task, or the method's default.

use super::{
    Method, Pruning, RunConfig, RunConfigDraft, SchedulerType, Strategy, TaskType,
    model::SHORTEST_TEXT,
    reader::{NOT_NEGATIVE, PERCENTAGE, POSITIVE, Reader, SHARE},
};
use crate::{
    builtin::{self, EmbeddedData},
    omega::OmegaMethod,
    tasks::Task,
    tuning::criterion::PruneCriterion,
};

/// Reads every field. A field that cannot be read leaves an error and some value behind, which nobody will see.
pub(super) fn read_config(r: &mut Reader) -> RunConfig {
    let method = r.choice("method").unwrap_or(Method::Dsee);
    let task = r.choice("task");
    r.recommended =
        task.map_or_else(|| settings_of_embedded(r.draft), |task| recommended(r.draft, task, method));
    // Settings of an update are not even looked at where the method has none.
    let rank = if method.has_update() { r.count("rank", 1) } else { 0 };
    let nnz = if method == Method::Dsee { r.count("nnz", 1) } else { 0 };
    let learning_rate = r.optional_number("learning_rate", POSITIVE).unwrap_or(default_learning_rate(method));
    let is_searched = method == Method::EarlyBert;
    let num_train_epochs = r.number("num_train_epochs", POSITIVE);
    let per_device_train_batch_size = r.count("per_device_train_batch_size", 1);
    let task_type = r.choice("task_type").unwrap_or(TaskType::Auto);
    let generation = r.generation();
    let is_text = matches!(task_type, TaskType::Generation | TaskType::LanguageModeling);
    RunConfig {
        model: r.text("model"),
        task,
        dataset_name: r.text("dataset_name"),
        dataset_config_name: r.text("dataset_config_name"),
        train_file: r.text("train_file"),
        validation_file: r.text("validation_file"),
        validation_mismatched_file: r.text("validation_mismatched_file"),
        validation_split_percentage: r.number("validation_split_percentage", PERCENTAGE),
        text_column: r.text("text_column"),
        text_pair_column: r.text("text_pair_column"),
        label_column: r.text("label_column"),
        task_type,
        max_length: r.count("max_length", SHORTEST_TEXT),
        max_train_samples: r.optional_count("max_train_samples", 1),
        max_eval_samples: r.optional_count("max_eval_samples", 1),
        output_dir: r.text("output_dir"),
        run_name: r.text("run_name"),
        seed: r.count("seed", 0) as u64,
        method,
        rank,
        alpha: r.number("alpha", POSITIVE),
        nnz,
        omega: r.choice("omega").unwrap_or(OmegaMethod::Grebsmo),
        target_modules: r.choices("target_modules"),
        bottleneck_size: if method == Method::Adapters {
            r.optional_count("bottleneck_size", 1).unwrap_or(0)
        } else {
            0
        },
        prefix_length: if method.has_prefix() {
            r.optional_count("prefix_length", 1).unwrap_or(default_prefix_length(method))
        } else {
            0
        },
        prefix_hidden_size: if method == Method::Prefix { r.count("prefix_hidden_size", 1) } else { 0 },
        neuron_sparsity: is_searched.then(|| r.number("neuron_sparsity", SHARE)),
        prune: if r.draft.has("prune") { r.pruning("prune") } else { default_pruning(method) },
        prune_criterion: r.choice("prune_criterion").unwrap_or(default_criterion(method)),
        retune_epochs: r.optional_number("retune_epochs", NOT_NEGATIVE).unwrap_or(if is_searched {
            2.0
        } else {
            num_train_epochs
        }),
        retune_learning_rate: r.optional_number("retune_learning_rate", POSITIVE).unwrap_or(if is_searched {
            4e-5
        } else {
            learning_rate
        }),
        num_train_epochs,
        max_steps: r.optional_count("max_steps", 1),
        per_device_train_batch_size,
        gradient_accumulation_steps: r.count("gradient_accumulation_steps", 1),
        per_device_eval_batch_size: r
            .optional_count("per_device_eval_batch_size", 1)
            .unwrap_or(per_device_train_batch_size),
        learning_rate,
        lr_scheduler_type: r.choice("lr_scheduler_type").unwrap_or(SchedulerType::Linear),
        warmup_steps: r.number("warmup_steps", NOT_NEGATIVE),
        weight_decay: r.number("weight_decay", NOT_NEGATIVE),
        adam_beta1: r.number("adam_beta1", SHARE),
        adam_beta2: r.number("adam_beta2", SHARE),
        adam_epsilon: r.number("adam_epsilon", POSITIVE),
        max_grad_norm: r.number("max_grad_norm", NOT_NEGATIVE),
        label_smoothing_factor: r.number("label_smoothing_factor", SHARE),
        dropout: r.optional_number("dropout", SHARE),
        generation: is_text.then_some(generation),
        eval_strategy: r.choice("eval_strategy").unwrap_or(Strategy::Epoch),
        eval_steps: r.count("eval_steps", 1),
        save_strategy: r.choice("save_strategy").unwrap_or(Strategy::Epoch),
        save_steps: r.count("save_steps", 1),
        save_total_limit: r.count("save_total_limit", 1),
        load_best_model_at_end: r.switch("load_best_model_at_end"),
        metric_for_best_model: r.choice("metric_for_best_model"),
        logging_steps: r.count("logging_steps", 1),
    }
}

/// What the task recommends. Who sets the epochs or the rate of tuning means those of retuning, too.
fn recommended(draft: &RunConfigDraft, task: Task, method: Method) -> Vec<(&'static str, &'static str)> {
    let pairs = [("retune_epochs", "num_train_epochs"), ("retune_learning_rate", "learning_rate")];
    let is_meant = |name: &str| !pairs.iter().any(|(retune, tune)| *retune == name && draft.has(tune));
    task.settings(method).into_iter().filter(|(name, _)| is_meant(name)).collect()
}

/// An embedded decoder without data of the user's is tuned on the embedded meanings, which are for generation.
fn settings_of_embedded(draft: &RunConfigDraft) -> Vec<(&'static str, &'static str)> {
    let model = draft.text("model").and_then(|name| builtin::embedded(&name));
    let is_meanings = model.is_some_and(|model| model.data == EmbeddedData::Meanings);
    let has_data = draft.has("train_file") || draft.has("dataset_name");
    if is_meanings && !has_data { vec![("task_type", "generation")] } else { Vec::new() }
}

/// The rates of the released DSEE scripts, of BERT's fine-tuning recipe, of BitFit's search range, and of the scripts
/// released with LoRA (adapters), P-tuning v2 and prefix tuning: few trained numbers bear, and need, larger steps.
fn default_learning_rate(method: Method) -> f64 {
    match method {
        Method::Dsee | Method::Lora => 2e-4,
        Method::Full | Method::FtTop2 | Method::EarlyBert | Method::BertTickets => 2e-5,
        Method::Bitfit => 4e-4,
        Method::Adapters => 3e-4,
        Method::PTuning => 5e-3,
        Method::Prefix => 5e-5,
    }
}

/// The shortest prefix of P-tuning v2's released scripts, and prefix tuning's for E2E.
fn default_prefix_length(method: Method) -> usize {
    if method == Method::Prefix { 10 } else { 20 }
}

/// The sparsity that the paper compares tickets at; a search's heads depend on the model.
fn default_pruning(method: Method) -> Pruning {
    match method {
        Method::BertTickets => Pruning::Unstructured { sparsity: 0.5 },
        _ => Pruning::None,
    }
}

/// |ΔW| is the paper's; without a separate ΔW only the weight itself can be ranked.
fn default_criterion(method: Method) -> PruneCriterion {
    if method.has_update() { PruneCriterion::Delta } else { PruneCriterion::Weight }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::config::draft::draft;
    use crate::metrics::Metric;
    use crate::nn::site::Role;

    #[test]
    fn nothing_given_is_the_papers_recipe() {
        let config = RunConfigDraft::default().check().unwrap();
        assert_eq!((config.method, config.rank, config.nnz, config.alpha), (Method::Dsee, 16, 16, 32.0));
        assert_eq!(config.target_modules, [Role::Query, Role::Value]);
        assert_eq!((config.omega, config.learning_rate), (OmegaMethod::Grebsmo, 2e-4));
        assert_eq!((config.retune_epochs, config.retune_learning_rate), (3.0, 2e-4));
        assert_eq!(config.per_device_eval_batch_size, 32);
    }

    #[test]
    fn methods_bring_their_own_defaults() {
        let full = draft(&[("method", "full")]).check().unwrap();
        assert_eq!((full.learning_rate, full.rank, full.nnz), (2e-5, 0, 0));
        assert_eq!(full.prune_criterion, PruneCriterion::Weight);
        let lora = draft(&[("method", "lora")]).check().unwrap();
        assert_eq!((lora.learning_rate, lora.rank, lora.nnz), (2e-4, 16, 0));
        let search = draft(&[("method", "earlybert")]).check().unwrap();
        assert_eq!(
            (search.learning_rate, search.num_train_epochs, search.neuron_sparsity),
            (2e-5, 3.0, Some(0.4))
        );
        assert_eq!((search.retune_learning_rate, search.retune_epochs), (4e-5, 2.0));
        let prefixes = ["p-tuning-v2", "prefix", "adapters"];
        let lengths = prefixes.map(|method| draft(&[("method", method)]).check().unwrap().prefix_length);
        assert_eq!(lengths, [20, 10, 0]);
    }

    #[test]
    fn a_task_recommends_and_the_user_decides() {
        let rte = draft(&[("task", "rte")]).check().unwrap();
        assert_eq!((rte.num_train_epochs, rte.learning_rate), (5.0, 5e-4));
        assert_eq!((rte.retune_epochs, rte.retune_learning_rate), (10.0, 5e-4));
        assert_eq!((rte.metric_for_best_model, rte.max_length), (Some(Metric::Accuracy), 128));
        let own = draft(&[("task", "rte"), ("learning_rate", "1e-4"), ("num_train_epochs", "1")]);
        let own = own.with("metric_for_best_model", "loss").check().unwrap();
        assert_eq!((own.num_train_epochs, own.learning_rate), (1.0, 1e-4));
        assert_eq!((own.retune_epochs, own.retune_learning_rate), (1.0, 1e-4));
        assert_eq!(own.metric_for_best_model, Some(Metric::Loss));
        let full = draft(&[("task", "mrpc"), ("method", "full")]).check().unwrap();
        assert_eq!((full.num_train_epochs, full.learning_rate, full.retune_epochs), (5.0, 2e-5, 5.0));
        let cola = draft(&[("task", "cola"), ("method", "bitfit")]).check().unwrap();
        assert_eq!((cola.num_train_epochs, cola.learning_rate), (10.0, 4e-4));
        assert_eq!(cola.metric_for_best_model, Some(Metric::MatthewsCorrelation));
        let e2e = draft(&[("task", "e2e"), ("num_beams", "2")]).check().unwrap();
        assert_eq!((e2e.rank, e2e.max_length, e2e.max_grad_norm), (4, 512, 0.0));
        let generation = e2e.generation.unwrap();
        assert_eq!((generation.num_beams, generation.length_penalty), (2, 0.8));
    }

    #[test]
    fn the_embedded_decoder_brings_its_data_unless_others_are_named() {
        let task_type = |more: &[(&str, &str)]| {
            let pairs = [&[("model", builtin::DECODER_NAME)][..], more].concat();
            draft(&pairs).check().unwrap().task_type
        };
        assert_eq!(task_type(&[]), TaskType::Generation);
        assert_eq!(task_type(&[("task_type", "language-modeling")]), TaskType::LanguageModeling);
        assert_eq!(task_type(&[("train_file", "a.tsv")]), TaskType::Auto);
        assert_eq!(draft(&[("model", builtin::MODEL_NAME)]).check().unwrap().task_type, TaskType::Auto);
    }
}
