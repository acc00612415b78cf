//! The table of all settings: name, kind, default and meaning, once for file, command line and window.

use super::choice::{Choice, Method, SchedulerType, Strategy, TaskType};
use crate::{
    generate::BeamRule, metrics::Metric, nn::site::Role, omega::OmegaMethod, tasks::Task,
    tuning::criterion::PruneCriterion,
};

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// Key in `run.toml`; on the command line with `-` for `_`.
    pub name: &'static str,
    /// Heading it belongs under.
    pub group: &'static str,
    /// What values it takes.
    pub kind: FieldKind,
    /// The default as it would be written, or empty where there is none or it depends on other settings.
    pub default: &'static str,
    /// Its meaning in one line.
    pub help: &'static str,
}

/// What a setting's value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Any text, a path for example.
    Text,
    /// A whole number, not negative.
    Count,
    /// A number.
    Number,
    /// true or false.
    Switch,
    /// One of these names.
    Choice(&'static [&'static str]),
    /// A list of these names, with commas on the command line.
    Choices(&'static [&'static str]),
    /// `none`, `unstructured:SHARE` or `heads:N`.
    Pruning,
}

impl FieldSpec {
    /// The setting called `name`, if there is one.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        FIELDS.iter().find(|field| field.name == name)
    }
}

/// Shorthand for a row of the table.
const fn field(
    group: &'static str,
    name: &'static str,
    kind: FieldKind,
    default: &'static str,
    help: &'static str,
) -> FieldSpec {
    FieldSpec { name, group, kind, default, help }
}

const DATA: &str = "Model and data";
const METHOD: &str = "Method";
const PRUNE: &str = "Pruning and retuning";
const TRAIN: &str = "Training";
/// The group of settings that say how text is written.
pub const GENERATION: &str = "Generation";
const REPORT: &str = "Evaluation, checkpoints and logs";

/// Settings that are, or may be, paths: they tell of a machine, not of a run.
pub const PATHS: [&str; 5] =
    ["model", "train_file", "validation_file", "validation_mismatched_file", "output_dir"];

/// Every setting of a run, in the order in which they are shown. Names and meanings follow transformers'
/// `TrainingArguments` and peft's `LoraConfig` wherever those have the setting.
#[rustfmt::skip]
pub const FIELDS: &[FieldSpec] = &{
    use FieldKind::{Choice as OneOf, Choices, Count, Number, Switch, Text};
    [
        field(DATA, "model", Text, "", "Hugging Face folder of the pretrained model, or its name on the hub; without it, the embedded tiny encoder; dsee-tiny-decoder is the embedded decoder"),
        field(DATA, "task", OneOf(Task::NAMES), "", "A task of the paper: sets columns, labels, metric and recommended settings; other settings win"),
        field(DATA, "dataset_name", Text, "", "Data set of the hub, fetched once; without it and without files, a task of GLUE takes GLUE's own, and e2e tuetschek/e2e_nlg"),
        field(DATA, "dataset_config_name", Text, "", "Configuration of the data set, where it has several"),
        field(DATA, "train_file", Text, "", "Labelled text: .tsv, .csv, .jsonl or .parquet; without it, the embedded sentences"),
        field(DATA, "validation_file", Text, "", "Labelled text to evaluate on; without it, a part of the training file is held out"),
        field(DATA, "validation_mismatched_file", Text, "", "A second file to evaluate on, from other sources than the training file (MNLI's mismatched one)"),
        field(DATA, "validation_split_percentage", Number, "10", "Share of the training file held out where there is no validation file, in percent"),
        field(DATA, "text_column", Text, "", "Column of the text, by name or number from 1; guessed if absent"),
        field(DATA, "text_pair_column", Text, "", "Column of the second text, for sentence pairs; guessed if absent"),
        field(DATA, "label_column", Text, "", "Column of the label; guessed if absent"),
        field(DATA, "task_type", OneOf(TaskType::NAMES), "auto", "What is predicted: classes, numbers, a text for a context, or the tokens of plain text; auto decides between the first two"),
        field(DATA, "max_length", Count, "128", "Tokens per example, special tokens included; longer texts are cut. Where the model has room for less, that is the default"),
        field(DATA, "max_train_samples", Count, "", "Use only this many training examples, the first of a seeded shuffle"),
        field(DATA, "max_eval_samples", Count, "", "Use only this many validation examples, the first ones"),
        field(DATA, "output_dir", Text, "", "Run folder; without it, runs/<date-time>-<name>"),
        field(DATA, "run_name", Text, "", "Name in the run folder's path and in the report"),
        field(DATA, "seed", Count, "42", "Seed of everything random"),

        field(METHOD, "method", OneOf(Method::NAMES), "dsee", "What is trained"),
        field(METHOD, "rank", Count, "16", "Rank of the low-rank update"),
        field(METHOD, "alpha", Number, "32", "The update is scaled by alpha / rank"),
        field(METHOD, "nnz", Count, "16", "Sparse entries per adapted matrix"),
        field(METHOD, "omega", OneOf(OmegaMethod::NAMES), "grebsmo", "How the positions of the sparse entries are found"),
        field(METHOD, "target_modules", Choices(Role::NAMES), "query,value", "Attention matrices that get an update"),

        field(METHOD, "bottleneck_size", Count, "", "Size of the bottlenecks of adapters [default: 8, in decoders 7]"),
        field(METHOD, "prefix_length", Count, "", "Rows of the prefix of p-tuning-v2 and prefix [default: 20 and 10]"),
        field(METHOD, "prefix_hidden_size", Count, "512", "Size of the hidden vectors that prefix computes its prefix from"),
        field(METHOD, "neuron_sparsity", Number, "0.4", "Share of the feed-forward neurons that earlybert removes; heads are set by prune"),

        field(PRUNE, "prune", FieldKind::Pruning, "none", "none, unstructured:SHARE or heads:N (N heads of every layer); left out, earlybert removes a third of the heads and bert-tickets half of the weights"),
        field(PRUNE, "prune_criterion", OneOf(PruneCriterion::NAMES), "", "What adapted weights and heads are ranked by [default: delta; weight for methods without an update]"),
        field(PRUNE, "retune_epochs", Number, "", "Epochs of retuning after pruning [default: num-train-epochs; 2 for earlybert]"),
        field(PRUNE, "retune_learning_rate", Number, "", "Learning rate of retuning [default: learning-rate; 4e-5 for earlybert]"),

        field(TRAIN, "num_train_epochs", Number, "3", "Passes over the training data; a fraction ends within a pass"),
        field(TRAIN, "max_steps", Count, "", "Optimizer steps per phase, instead of epochs"),
        field(TRAIN, "per_device_train_batch_size", Count, "32", "Examples per forward and backward pass"),
        field(TRAIN, "gradient_accumulation_steps", Count, "1", "Passes per optimizer step"),
        field(TRAIN, "per_device_eval_batch_size", Count, "", "Examples per evaluation pass [default: the training batch size]"),
        field(TRAIN, "learning_rate", Number, "", "Largest learning rate [default: 2e-4 for dsee and lora, 2e-5 where whole layers are trained, 4e-4 for bitfit, 3e-4 for adapters, 5e-3 for p-tuning-v2, 5e-5 for prefix]"),
        field(TRAIN, "lr_scheduler_type", OneOf(SchedulerType::NAMES), "linear", "Shape of the learning rate over the steps"),
        field(TRAIN, "warmup_steps", Number, "0", "Steps of linear warm-up; below 1, a share of all steps"),
        field(TRAIN, "weight_decay", Number, "0", "Decoupled weight decay of AdamW; biases and layer norms are exempt"),
        field(TRAIN, "adam_beta1", Number, "0.9", "Decay of the mean of gradients"),
        field(TRAIN, "adam_beta2", Number, "0.999", "Decay of the mean of squared gradients"),
        field(TRAIN, "adam_epsilon", Number, "1e-8", "Added to the root of the mean square"),
        field(TRAIN, "max_grad_norm", Number, "1", "Gradients are scaled down to this global norm; 0 turns it off"),
        field(TRAIN, "label_smoothing_factor", Number, "0", "Share of every label spread over all classes"),
        field(TRAIN, "dropout", Number, "", "Dropout probability everywhere [default: the model's own]"),

        field(GENERATION, "num_beams", Count, "1", "Hypotheses of beam search; 1 is greedy search or sampling"),
        field(GENERATION, "beam_rule", OneOf(BeamRule::NAMES), "transformers", "How beam search ranks and ends: as transformers, or as the paper's decoder"),
        field(GENERATION, "max_new_tokens", Count, "64", "Most tokens to generate"),
        field(GENERATION, "min_new_tokens", Count, "0", "Fewest tokens to generate before a text may end"),
        field(GENERATION, "early_stopping", Switch, "false", "End beam search with as many finished hypotheses as beams, even if others could become better"),
        field(GENERATION, "length_penalty", Number, "1", "Log probabilities are divided by length to this power"),
        field(GENERATION, "no_repeat_ngram_size", Count, "0", "No sequence of this many generated tokens comes twice; 0 turns it off"),
        field(GENERATION, "repetition_penalty", Number, "1", "Above 1, tokens that were generated become less likely"),
        field(GENERATION, "do_sample", Switch, "false", "Draw tokens instead of taking the most probable"),
        field(GENERATION, "temperature", Number, "1", "Below 1 likely tokens are drawn more often, above 1 less often"),
        field(GENERATION, "top_k", Count, "50", "Draw among this many most probable tokens; 0 is among all"),
        field(GENERATION, "top_p", Number, "1", "Draw among the fewest tokens that have this probability together"),

        field(REPORT, "eval_strategy", OneOf(Strategy::NAMES), "epoch", "When to evaluate during a phase"),
        field(REPORT, "eval_steps", Count, "500", "Steps between evaluations, for the strategy `steps`"),
        field(REPORT, "save_strategy", OneOf(Strategy::NAMES), "epoch", "When to write a checkpoint during a phase"),
        field(REPORT, "save_steps", Count, "500", "Steps between checkpoints, for the strategy `steps`"),
        field(REPORT, "save_total_limit", Count, "2", "Checkpoints to keep; the best one is never removed"),
        field(REPORT, "load_best_model_at_end", Switch, "true", "End every phase with the state that was best on validation"),
        field(REPORT, "metric_for_best_model", OneOf(Metric::NAMES), "", "What best means [default: accuracy, or pearson for regression]"),
        field(REPORT, "logging_steps", Count, "10", "Steps between two log lines"),
    ]
};
