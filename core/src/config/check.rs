//! From loose settings to checked ones, reporting everything that is wrong at once.

use super::{
    FieldError, Method, Pruning, RunConfig, RunConfigDraft, SchedulerType, Strategy, TaskType,
    error::did_you_mean,
    field::{FIELDS, FieldSpec},
    model::SHORTEST_TEXT,
    reader::{NOT_NEGATIVE, PERCENTAGE, POSITIVE, Reader, SHARE, show},
};
use crate::{
    builtin::{self, EmbeddedData},
    metrics::Metric,
    omega::OmegaMethod,
    tasks::Task,
    tuning::criterion::PruneCriterion,
};

impl RunConfigDraft {
    /// The checked settings.
    ///
    /// # Errors
    /// Every unknown setting, value of the wrong type or range, and combination that cannot be.
    pub fn check(&self) -> Result<RunConfig, Vec<FieldError>> {
        let mut reader = Reader { draft: self, recommended: Vec::new(), errors: self.unknown_fields() };
        let config = read_config(&mut reader);
        reader.check_combinations(&config);
        if reader.errors.is_empty() { Ok(config) } else { Err(reader.errors) }
    }

    fn unknown_fields(&self) -> Vec<FieldError> {
        let unknown = self.values.iter().filter(|(name, _)| FieldSpec::find(name).is_none());
        unknown
            .map(|(name, value)| FieldError::new(name, show(value), "there is no such setting", meant(name)))
            .collect()
    }
}

/// Reads every field. A field that cannot be read leaves an error and some value behind, which nobody will see.
fn read_config(r: &mut Reader) -> RunConfig {
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

impl Reader<'_> {
    /// What no single setting can know.
    fn check_combinations(&mut self, config: &RunConfig) {
        let mut wrong = |field: &str, value: &dyn std::fmt::Display, reason: &str, suggestion: &str| {
            self.errors.push(FieldError::new(field, value, reason, suggestion));
        };
        if config.method.has_update() && config.target_modules.is_empty() {
            wrong(
                "target_modules",
                &"[]",
                "the update needs at least one matrix",
                "the usual choice is query,value",
            );
        }
        let needs_update = !matches!(config.prune_criterion, PruneCriterion::Weight | PruneCriterion::Random);
        if !config.method.has_update() && needs_update {
            let reason = format!("method {} keeps no separate update to rank by", config.method);
            wrong("prune_criterion", &config.prune_criterion, &reason, "use weight or random");
        }
        if matches!(config.prune, Pruning::Heads { .. }) && !config.prune_criterion.scores_heads() {
            let reason = "there is no such score of a head";
            wrong("prune_criterion", &config.prune_criterion, reason, "use delta, sum, weight or random");
        }
        let (method, is_share) = (config.method, matches!(config.prune, Pruning::Unstructured { .. }));
        if method == Method::BertTickets && !is_share {
            let reason = "bert-tickets removes a share of the weights, round by round";
            wrong("prune", &config.prune, reason, "unstructured:0.5 is the usual choice");
        }
        if method == Method::EarlyBert && is_share {
            let reason = "earlybert removes whole heads and neurons";
            wrong("prune", &config.prune, reason, "use heads:N, or leave it out for a third of the heads");
        }
        if method.rewinds() && config.retune_epochs <= 0.0 {
            let reason = format!("{method} trains what is left from the pretrained weights");
            wrong("retune_epochs", &config.retune_epochs, &reason, "use 2, for example");
        }
        if let Some(text) = &config.text_column {
            for (field, other) in
                [("text_pair_column", &config.text_pair_column), ("label_column", &config.label_column)]
            {
                if other.as_ref() == Some(text) {
                    wrong(field, text, "is the same column as text_column", "name another one");
                }
            }
        }
        if let Some((metric, advice)) = config.metric_for_best_model.zip(foreign_metric(config)) {
            let reason = format!("is no figure of the task type {}", config.task_type);
            wrong("metric_for_best_model", &metric.name(), &reason, advice);
        }
        if let Some(task) = config.task.filter(|task| config.task_type.kind() != Some(task.spec().kind)) {
            let reason = format!("the task {task} is {}", task.spec().kind.name());
            wrong("task_type", &config.task_type, &reason, "leave it out, or leave the task out");
        }
        if config.validation_mismatched_file.is_some() && config.task.is_some_and(|task| task != Task::Mnli) {
            let value = config.validation_mismatched_file.as_deref().unwrap_or_default();
            wrong("validation_mismatched_file", &value, "only mnli has two validation sets", "leave it out");
        }
        if let (Some(name), Some(_)) = (&config.dataset_name, &config.train_file) {
            wrong("dataset_name", name, "there is a train_file, too", "name one of the two");
        }
        if let (None, Some(name)) = (&config.dataset_name, &config.dataset_config_name) {
            wrong("dataset_config_name", name, "of no data set", "name the data set with dataset_name");
        }
        if config.task_type == TaskType::Regression && config.label_smoothing_factor > 0.0 {
            let value = config.label_smoothing_factor;
            wrong(
                "label_smoothing_factor",
                &value,
                "regression has no classes to spread a label over",
                "use 0",
            );
        }
    }
}

/// Which figures to choose the best state by instead, if the task type does not have the one that was chosen.
fn foreign_metric(config: &RunConfig) -> Option<&'static str> {
    let metric = config.metric_for_best_model.filter(|metric| *metric != Metric::Loss)?;
    let of_regression = matches!(metric, Metric::Pearson | Metric::Spearmanr);
    match config.task_type {
        TaskType::Classification if of_regression => Some("use accuracy, f1 or loss"),
        TaskType::Regression if !of_regression => Some("use pearson or loss"),
        TaskType::Generation | TaskType::LanguageModeling => Some("use loss"),
        _ => None,
    }
}

/// Names that other tools use, and ours.
const RENAMED: [(&str, &str); 5] = [
    ("warmup_ratio", "warmup_steps"),
    ("batch_size", "per_device_train_batch_size"),
    ("epochs", "num_train_epochs"),
    ("lr", "learning_rate"),
    ("lora_alpha", "alpha"),
];

/// A helpful sentence about an unknown setting.
fn meant(name: &str) -> String {
    let known = FIELDS.iter().map(|field| field.name);
    let snake = name.replace('-', "_");
    let renamed = RENAMED.iter().find(|(old, _)| *old == snake).map(|&(_, new)| new);
    match renamed.or_else(|| did_you_mean(&snake, known)) {
        Some(close) => format!("did you mean {close}?"),
        None => "remove it, or see `dsee train --help` for all settings".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::nn::site::Role;

    fn draft(pairs: &[(&str, &str)]) -> RunConfigDraft {
        pairs.iter().fold(RunConfigDraft::default(), |draft, (name, value)| draft.with(name, value))
    }

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
    fn a_data_set_of_the_hub_is_named_or_the_tasks_own() {
        let meant = |pairs: &[(&str, &str)]| draft(pairs).check().unwrap().hub_dataset();
        let named = |name: &str, config: Option<&str>| Some((name.to_owned(), config.map(str::to_owned)));
        assert_eq!(meant(&[]), None);
        assert_eq!(meant(&[("task", "rte")]), named("nyu-mll/glue", Some("rte")));
        assert_eq!(meant(&[("task", "rte"), ("train_file", "a.tsv")]), None);
        assert_eq!(
            meant(&[("task", "rte"), ("dataset_name", "nyu-mll/glue")]),
            named("nyu-mll/glue", Some("rte"))
        );
        let other = [("task", "rte"), ("dataset_name", "org/set"), ("dataset_config_name", "a")];
        assert_eq!(meant(&other), named("org/set", Some("a")));
        assert_eq!(meant(&[("dataset_name", "org/set")]), named("org/set", None));
        assert_eq!(meant(&[("task", "e2e")]), named("tuetschek/e2e_nlg", None), "it has no configurations");
        let webnlg = named("webnlg-challenge/web_nlg", Some("webnlg_challenge_2017"));
        assert_eq!(meant(&[("task", "webnlg")]), webnlg);
        let both = draft(&[("dataset_name", "org/set"), ("train_file", "a.tsv")]).check().unwrap_err();
        assert_eq!(both[0].field, "dataset_name");
        let of_nothing = draft(&[("dataset_config_name", "a")]).check().unwrap_err();
        assert_eq!(of_nothing[0].field, "dataset_config_name");
    }

    #[test]
    fn written_settings_read_the_same() {
        let drafts = [
            draft(&[]),
            draft(&[("task", "mnli"), ("validation_mismatched_file", "mm.tsv")]),
            draft(&[("task", "webnlg"), ("top_p", "0.5"), ("do_sample", "true"), ("num_beams", "1")]),
            draft(&[("method", "bitfit"), ("prune", "heads:3"), ("dropout", "0"), ("max_steps", "7")]),
            draft(&[("method", "adapters"), ("bottleneck_size", "3")]),
            draft(&[("method", "prefix"), ("prefix_length", "5"), ("prefix_hidden_size", "64")]),
            draft(&[("method", "earlybert"), ("neuron_sparsity", "0")]),
            draft(&[("method", "bert-tickets")]),
            draft(&[
                ("method", "lora"),
                ("text_column", "0"),
                ("metric_for_best_model", "f1"),
                ("run_name", "a \"b\""),
            ]),
        ];
        for draft in drafts {
            let config = draft.check().unwrap();
            let again = RunConfigDraft::from_toml(&config.to_toml()).unwrap();
            assert_eq!(again.check().unwrap(), config);
            let from_pairs =
                config.to_pairs().iter().fold(RunConfigDraft::default(), |d, (k, v)| d.with(k, v));
            assert_eq!(from_pairs.check().unwrap(), config);
            for name in again.values.keys() {
                assert!(FieldSpec::find(name).is_some(), "{name} is written but not a setting");
            }
        }
    }

    #[test]
    fn each_bad_value_gets_its_reason() {
        let cases = [
            ("rank", "0", "at least 1"),
            ("rank", "-3", "at least 1"),
            ("rank", "many", "whole number"),
            ("nnz", "0", "at least 1"),
            ("per_device_train_batch_size", "0", "at least 1"),
            ("gradient_accumulation_steps", "0", "at least 1"),
            ("prune", "unstructured:1", "[0, 1)"),
            ("prune", "unstructured:-0.2", "[0, 1)"),
            ("prune", "heads:0", "at least 1 head"),
            ("learning_rate", "0", "larger than 0"),
            ("learning_rate", "NaN", "larger than 0"),
            ("warmup_steps", "-1", "not be negative"),
            ("dropout", "1", "[0, 1)"),
            ("adam_beta2", "1.0", "[0, 1)"),
            ("max_length", "2", "at least 3"),
            ("validation_split_percentage", "100", "between 0 and 100"),
            ("target_modules", "query,valve", "may name"),
            ("omega", "svd", "must be one of grebsmo"),
            ("load_best_model_at_end", "maybe", "true or false"),
            ("text_column", "", "not empty"),
        ];
        for (name, value, reason) in cases {
            let errors = draft(&[(name, value)]).check().unwrap_err();
            assert_eq!(errors.len(), 1, "{name} = {value}: {errors:?}");
            assert_eq!(errors[0].field, name);
            assert!(errors[0].reason.contains(reason), "{}", errors[0]);
        }
    }

    #[test]
    fn all_problems_come_at_once_with_suggestions() {
        let text = "rnak = 4\nrank = 0\nomega = \"magnitud\"\nlr = 1\nmax_steps = 1.5\n";
        let errors = RunConfigDraft::from_toml(text).unwrap().check().unwrap_err();
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 5, "{lines:#?}");
        for part in
            ["mean rank?", "mean learning_rate?", "mean magnitude?", "max_steps = 1.5", "default is 16"]
        {
            assert!(lines.iter().any(|line| line.contains(part)), "{part} in {lines:#?}");
        }
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

    #[test]
    fn impossible_combinations_are_named() {
        let cases: [(&[(&str, &str)], &str); 13] = [
            (&[("task_type", "generation"), ("metric_for_best_model", "f1")], "metric_for_best_model"),
            (
                &[("task", "stsb"), ("task_type", "classification"), ("metric_for_best_model", "f1")],
                "task_type",
            ),
            (&[("task", "rte"), ("metric_for_best_model", "pearson")], "metric_for_best_model"),
            (&[("method", "bert-tickets"), ("prune", "heads:1")], "prune"),
            (&[("method", "earlybert"), ("prune", "unstructured:0.5")], "prune"),
            (&[("method", "earlybert"), ("retune_epochs", "0")], "retune_epochs"),
            (&[("method", "adapters"), ("prune_criterion", "delta")], "prune_criterion"),
            (&[("task", "rte"), ("validation_mismatched_file", "a")], "validation_mismatched_file"),
            (&[("method", "full"), ("prune_criterion", "delta")], "prune_criterion"),
            (&[("text_column", "a"), ("label_column", "a")], "label_column"),
            (&[("text_column", "a"), ("text_pair_column", "a")], "text_pair_column"),
            (&[("task_type", "regression"), ("metric_for_best_model", "f1")], "metric_for_best_model"),
            (&[("task_type", "regression"), ("label_smoothing_factor", "0.1")], "label_smoothing_factor"),
        ];
        for (pairs, field) in cases {
            let errors = draft(pairs).check().unwrap_err();
            assert_eq!(errors.iter().map(|e| e.field.as_str()).collect::<Vec<_>>(), [field]);
        }
    }
}
