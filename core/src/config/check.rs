//! From loose settings to checked ones, reporting everything that is wrong at once.

use super::{
    FieldError, Method, Pruning, RunConfig, RunConfigDraft, TaskType,
    error::did_you_mean,
    field::{FIELDS, FieldSpec},
    read::read_config,
    reader::{Reader, show},
};
use crate::{metrics::Metric, tasks::Task, tuning::criterion::PruneCriterion};

impl RunConfigDraft {
    /// The checked settings.
    ///
    /// # Errors
    /// Every unknown setting, value of the wrong type or range, and combination that cannot be.
    pub fn check(&self) -> Result<RunConfig, Vec<FieldError>> {
        let mut reader = Reader { draft: self, recommended: Vec::new(), errors: self.unknown_fields() };
        let config = read_config(&mut reader);
        reader.errors.extend(wrong_combinations(&config));
        if reader.errors.is_empty() { Ok(config) } else { Err(reader.errors) }
    }

    fn unknown_fields(&self) -> Vec<FieldError> {
        let unknown = self.values.iter().filter(|(name, _)| FieldSpec::find(name).is_none());
        unknown
            .map(|(name, value)| FieldError::new(name, show(value), "there is no such setting", meant(name)))
            .collect()
    }
}

/// What no single setting can know: everything that is wrong with them together.
fn wrong_combinations(config: &RunConfig) -> Vec<FieldError> {
    [of_method(config), of_data(config), of_task(config)].concat()
}

/// Width of what a method adds, at most.
const MOST_WIDTH: usize = 16_384;

/// Update, criterion, pruning and retuning.
fn of_method(config: &RunConfig) -> Vec<FieldError> {
    let (method, criterion, mut wrong) = (config.method, config.prune_criterion, Vec::new());
    if method.has_update() && config.target_modules.is_empty() {
        let (reason, advice) = ("the update needs at least one matrix", "the usual choice is query,value");
        wrong.push(FieldError::new("target_modules", "[]", reason, advice));
    }
    let needs_update = !matches!(criterion, PruneCriterion::Weight | PruneCriterion::Random);
    if !method.has_update() && needs_update {
        let reason = format!("method {method} keeps no separate update to rank by");
        wrong.push(FieldError::new("prune_criterion", criterion, reason, "use weight or random"));
    }
    if matches!(config.prune, Pruning::Heads { .. }) && !criterion.scores_heads() {
        let (reason, advice) = ("there is no such score of a head", "use delta, sum, weight or random");
        wrong.push(FieldError::new("prune_criterion", criterion, reason, advice));
    }
    let is_share = matches!(config.prune, Pruning::Unstructured { .. });
    if method == Method::BertTickets && !is_share {
        let reason = "bert-tickets removes a share of the weights, round by round";
        wrong.push(FieldError::new("prune", config.prune, reason, "unstructured:0.5 is the usual choice"));
    }
    if method == Method::EarlyBert && is_share {
        let advice = "use heads:N, or leave it out for a third of the heads";
        wrong.push(FieldError::new(
            "prune",
            config.prune,
            "earlybert removes whole heads and neurons",
            advice,
        ));
    }
    for (field, size) in
        [("bottleneck_size", config.bottleneck_size), ("prefix_hidden_size", config.prefix_hidden_size)]
    {
        if size > MOST_WIDTH {
            let reason = "wider than any layer of the models it is made for";
            wrong.push(FieldError::new(field, size, reason, format!("use {MOST_WIDTH} or less")));
        }
    }
    if method.rewinds() && config.retune_epochs <= 0.0 {
        let reason = format!("{method} trains what is left from the pretrained weights");
        wrong.push(FieldError::new("retune_epochs", config.retune_epochs, reason, "use 2, for example"));
    }
    wrong
}

/// Columns, files and data sets.
fn of_data(config: &RunConfig) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let others = [("text_pair_column", &config.text_pair_column), ("label_column", &config.label_column)];
    for (field, other) in others {
        if let Some(column) = other.as_ref().filter(|other| config.text_column.as_ref() == Some(other)) {
            wrong.push(FieldError::new(
                field,
                column,
                "is the same column as text_column",
                "name another one",
            ));
        }
    }
    if let Some(file) = &config.validation_mismatched_file
        && config.task.is_some_and(|task| task != Task::Mnli)
    {
        let reason = "only mnli has two validation sets";
        wrong.push(FieldError::new("validation_mismatched_file", file, reason, "leave it out"));
    }
    match (&config.dataset_name, &config.dataset_config_name) {
        (Some(name), _) if config.train_file.is_some() => {
            wrong.push(FieldError::new(
                "dataset_name",
                name,
                "there is a train_file, too",
                "name one of the two",
            ));
        }
        (None, Some(name)) => {
            let advice = "name the data set with dataset_name";
            wrong.push(FieldError::new("dataset_config_name", name, "of no data set", advice));
        }
        _ => {}
    }
    wrong
}

/// The kind of task, and what it is judged and taught by.
fn of_task(config: &RunConfig) -> Vec<FieldError> {
    let (task_type, mut wrong) = (config.task_type, Vec::new());
    if let Some((metric, advice)) = config.metric_for_best_model.zip(foreign_metric(config)) {
        let reason = format!("is no figure of the task type {task_type}");
        wrong.push(FieldError::new("metric_for_best_model", metric.name(), reason, advice));
    }
    if let Some(task) = config.task.filter(|task| task_type.kind() != Some(task.spec().kind)) {
        let reason = format!("the task {task} is {}", task.spec().kind.name());
        wrong.push(FieldError::new("task_type", task_type, reason, "leave it out, or leave the task out"));
    }
    if task_type == TaskType::Regression && config.label_smoothing_factor > 0.0 {
        let (value, reason) =
            (config.label_smoothing_factor, "regression has no classes to spread a label over");
        wrong.push(FieldError::new("label_smoothing_factor", value, reason, "use 0"));
    }
    wrong
}

/// Which figures to choose the best state by instead, if the task type does not have the one that was chosen.
fn foreign_metric(config: &RunConfig) -> Option<&'static str> {
    let metric = config.metric_for_best_model.filter(|metric| *metric != Metric::Loss)?;
    let of_regression = matches!(metric, Metric::Pearson | Metric::Spearmanr);
    let of_words = metric == Metric::Perplexity;
    match config.task_type {
        TaskType::Classification if of_regression || of_words => Some("use accuracy, f1 or loss"),
        TaskType::Regression if !of_regression => Some("use pearson or loss"),
        TaskType::Generation | TaskType::LanguageModeling if !of_words => Some("use loss or perplexity"),
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
    use crate::config::draft::draft;

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
            let from_pairs: RunConfigDraft = config.to_pairs().into_iter().collect();
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
    fn impossible_combinations_are_named() {
        let cases: [(&[(&str, &str)], &str); 17] = [
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
            (&[("task", "rte"), ("metric_for_best_model", "perplexity")], "metric_for_best_model"),
            (&[("method", "adapters"), ("bottleneck_size", "1000000000000")], "bottleneck_size"),
            (&[("method", "prefix"), ("prefix_hidden_size", "1000000000000")], "prefix_hidden_size"),
            (&[("task_type", "generation"), ("num_beams", "1001")], "num_beams"),
        ];
        let words = [("task_type", "language-modeling"), ("metric_for_best_model", "perplexity")];
        assert!(draft(&words).check().is_ok());
        for (pairs, field) in cases {
            let errors = draft(pairs).check().unwrap_err();
            assert_eq!(errors.iter().map(|e| e.field.as_str()).collect::<Vec<_>>(), [field]);
        }
    }
}
