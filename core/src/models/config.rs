//! Settings of a model as `config.json` spells them: parsed once, checked once, all problems together.
//! Field names and defaults are those of transformers; every family reads its own spelling of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::config_fields::{ConfigError, FieldProblem, Fields, short};
use super::family::{FAMILIES, Family};
use crate::nn::inputs::InputLayout;

/// Largest size accepted for any dimension; beyond it a file is damaged, not large.
pub(super) const MAX_SIZE: usize = 1 << 24;

/// The activation of the feed-forward layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HiddenAct {
    /// GELU through the error function: `gelu`.
    Gelu,
    /// GELU through the hyperbolic tangent: `gelu_new`, `gelu_pytorch_tanh`, `gelu_fast`.
    GeluTanh,
}

/// What the labels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemType {
    /// One number; mean-squared error.
    Regression,
    /// One of several classes; cross-entropy.
    SingleLabelClassification,
}

/// Settings of a model, whatever its family calls them.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// The family, by `model_type`.
    pub family: &'static dyn Family,
    /// V, rows of the word embedding.
    pub vocab_size: usize,
    /// C.
    pub hidden_size: usize,
    /// L.
    pub num_hidden_layers: usize,
    /// H, before any head was removed.
    pub num_attention_heads: usize,
    /// F.
    pub intermediate_size: usize,
    /// Activation between the two feed-forward maps.
    pub hidden_act: HiddenAct,
    /// Dropout on embeddings.
    pub embedding_dropout: f64,
    /// Dropout on the output of every block.
    pub hidden_dropout_prob: f64,
    /// Dropout on attention probabilities.
    pub attention_probs_dropout_prob: f64,
    /// Dropout before the classifier.
    pub classifier_dropout: f64,
    /// Rows of the position embedding.
    pub max_position_embeddings: usize,
    /// Row of the position embedding that the first token of a text uses.
    pub first_position: usize,
    /// Rows of the segment embedding; 0 where the family has none.
    pub type_vocab_size: usize,
    /// Standard deviation of fresh weights.
    pub initializer_range: f64,
    /// ε of every layer norm.
    pub layer_norm_eps: f64,
    /// Token id of padding, where the file names one.
    pub pad_token_id: Option<usize>,
    /// Token id that ends a text, where the family writes text.
    pub eos_token_id: Option<usize>,
    /// Label names by class index, where the file names labels.
    pub id2label: Option<Vec<String>>,
    /// Number of labels, where the file says it.
    pub num_labels: Option<usize>,
    /// Kind of labels, where the file says it.
    pub problem_type: Option<ProblemType>,
    /// Layer → heads that transformers (up to 4.57) removes on loading, in the original numbering.
    pub pruned_heads: BTreeMap<usize, Vec<usize>>,
    /// Whether the head that predicts words is the word embedding, as in transformers' defaults; another one is not read.
    pub ties_words: bool,
    /// Names of the classes the weights were saved from.
    pub architectures: Vec<String>,
    /// The whole object as read, so that writing it again loses nothing.
    pub raw: Map<String, Value>,
}

impl ModelConfig {
    /// Parses a `config.json`.
    ///
    /// # Errors
    /// Every field that cannot be used, with what would be right.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, ConfigError> {
        let mut fields = Fields::parse(file, bytes)?;
        let Some(family) = family(&mut fields) else {
            return Err(ConfigError { file: file.to_owned(), fields: fields.problems });
        };
        for field in ["is_decoder", "add_cross_attention"] {
            if fields.get(field) == Some(&Value::Bool(true)) {
                fields.reject(field, "true", "false: models that attend to another text are not read");
            }
        }
        let mut config = family.read_config(&mut fields);
        config.problem_type = problem_type(&mut fields);
        config.architectures = architectures(&fields);
        config.ties_words = fields.get("tie_word_embeddings") != Some(&Value::Bool(false));
        config.check_divisible(&mut fields);
        config.read_labels(&mut fields);
        config.read_pruned_heads(&mut fields);
        config.raw.clone_from(&fields.object);
        fields.finish(file, config)
    }

    /// Settings without sizes, for a family to fill in.
    pub(super) fn empty(family: &'static dyn Family) -> Self {
        Self {
            family,
            vocab_size: 0,
            hidden_size: 0,
            num_hidden_layers: 0,
            num_attention_heads: 0,
            intermediate_size: 0,
            hidden_act: HiddenAct::Gelu,
            embedding_dropout: 0.0,
            hidden_dropout_prob: 0.0,
            attention_probs_dropout_prob: 0.0,
            classifier_dropout: 0.0,
            max_position_embeddings: 0,
            first_position: 0,
            type_vocab_size: 0,
            initializer_range: 0.0,
            layer_norm_eps: 0.0,
            pad_token_id: None,
            eos_token_id: None,
            id2label: None,
            num_labels: None,
            problem_type: None,
            pruned_heads: BTreeMap::new(),
            ties_words: true,
            architectures: Vec::new(),
            raw: Map::new(),
        }
    }

    /// Longest sequence, in tokens.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.max_position_embeddings - self.first_position
    }

    /// What a batch for this model looks like.
    #[must_use]
    pub fn inputs(&self) -> InputLayout {
        InputLayout {
            max_length: self.longest(),
            first_position: self.first_position as u32,
            is_causal: self.family.is_causal(),
        }
    }

    /// D, the size of one head.
    #[must_use]
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Number of labels of the file: as many as it names, else `num_labels`, else 2 as in transformers.
    #[must_use]
    pub fn n_labels(&self) -> usize {
        self.id2label.as_ref().map(Vec::len).or(self.num_labels).unwrap_or(2)
    }

    fn check_divisible(&self, fields: &mut Fields) {
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            let [hidden, heads] = self.family.size_fields();
            let expected = format!("a multiple of {heads} = {}", self.num_attention_heads);
            fields.reject(hidden, self.hidden_size.to_string(), expected);
        }
    }

    /// `id2label`, `label2id` and `num_labels`, which have to agree.
    fn read_labels(&mut self, fields: &mut Fields) {
        if fields.get("num_labels").is_some() {
            self.num_labels = Some(fields.size("num_labels", 2, 1..=MAX_SIZE));
        }
        let Some(value) = fields.get("id2label").cloned() else { return };
        let Some(labels) = labels_in_order(&value) else {
            fields.reject("id2label", short(&value), r#"an object {"0": label, "1": label, …} without gaps"#);
            return;
        };
        if let Some(n) = self.num_labels.filter(|&n| n != labels.len()) {
            fields.reject("num_labels", n.to_string(), format!("{}, as many as id2label has", labels.len()));
        }
        if let Some(inverse) = fields.get("label2id").cloned() {
            let agrees = labels
                .iter()
                .enumerate()
                .all(|(id, label)| inverse.get(label).is_some_and(|found| found.as_u64() == Some(id as u64)));
            if !agrees {
                fields.reject("label2id", short(&inverse), "the inverse of id2label");
            }
        }
        self.id2label = Some(labels);
    }

    fn read_pruned_heads(&mut self, fields: &mut Fields) {
        let Some(value) = fields.get("pruned_heads").cloned() else { return };
        let parsed = value.as_object().and_then(|layers| {
            layers.iter().map(|(layer, heads)| self.heads_of_layer(layer, heads)).collect::<Option<_>>()
        });
        match parsed {
            Some(heads) => self.pruned_heads = heads,
            None => fields.reject(
                "pruned_heads",
                short(&value),
                format!(
                    "{{layer: [heads]}} with layers below {} and heads below {}, not all heads of a layer",
                    self.num_hidden_layers, self.num_attention_heads
                ),
            ),
        }
    }

    /// One entry of `pruned_heads`; heads ascending, each once.
    fn heads_of_layer(&self, layer: &str, heads: &Value) -> Option<(usize, Vec<usize>)> {
        let layer = layer.parse().ok().filter(|&layer| layer < self.num_hidden_layers)?;
        let head = |value: &Value| {
            let head = usize::try_from(value.as_u64()?).ok()?;
            (head < self.num_attention_heads).then_some(head)
        };
        let mut heads = heads.as_array()?.iter().map(head).collect::<Option<Vec<_>>>()?;
        heads.sort_unstable();
        heads.dedup();
        (heads.len() < self.num_attention_heads).then_some((layer, heads))
    }
}

/// Checks that a tokenizer's ids fit the word embedding.
///
/// # Errors
/// If the vocabulary has ids that the embedding has no row for.
pub fn check_vocabulary(tokenizer_vocab: usize, embedding_rows: usize) -> Result<(), FieldProblem> {
    if tokenizer_vocab <= embedding_rows {
        return Ok(());
    }
    Err(FieldProblem {
        field: "vocabulary of tokenizer.json".to_owned(),
        found: format!("{tokenizer_vocab} tokens"),
        expected: format!(
            "at most {embedding_rows}, the rows of the word embedding; is the tokenizer from another model?"
        ),
    })
}

/// The family that `model_type` names.
fn family(fields: &mut Fields) -> Option<&'static dyn Family> {
    let names: Vec<String> = FAMILIES.iter().map(|family| format!("`{}`", family.model_type())).collect();
    let names = names.join(", ");
    let Some(found) = fields.text("model_type") else {
        if fields.problems.is_empty() {
            let expected = format!("one of {names}; is this the config.json of a Hugging Face model?");
            fields.reject("model_type", "absent", expected);
        }
        return None;
    };
    let family = FAMILIES.into_iter().find(|family| family.model_type() == found);
    if family.is_none() {
        fields.reject(
            "model_type",
            format!("`{found}`"),
            format!("one of {names}, the families that are read"),
        );
    }
    family
}

/// The activation that `field` names.
pub(super) fn hidden_act(fields: &mut Fields, field: &str, default: HiddenAct) -> HiddenAct {
    match fields.text(field).as_deref() {
        None => default,
        Some("gelu" | "gelu_python") => HiddenAct::Gelu,
        Some("gelu_new" | "gelu_pytorch_tanh" | "gelu_fast") => HiddenAct::GeluTanh,
        Some(other) => {
            fields.reject(
                field,
                format!("`{other}`"),
                "one of `gelu`, `gelu_python`, `gelu_new`, `gelu_pytorch_tanh`, `gelu_fast`",
            );
            default
        }
    }
}

fn problem_type(fields: &mut Fields) -> Option<ProblemType> {
    match fields.text("problem_type")?.as_str() {
        "regression" => Some(ProblemType::Regression),
        "single_label_classification" => Some(ProblemType::SingleLabelClassification),
        other => {
            let found = format!("`{other}`");
            fields.reject("problem_type", found, "`regression` or `single_label_classification`");
            None
        }
    }
}

/// Only tells where a file comes from, so anything unreadable counts as absent.
fn architectures(fields: &Fields) -> Vec<String> {
    let names = fields.get("architectures").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The labels of an `id2label` object in the order of their ids, which must be 0, 1, ….
fn labels_in_order(value: &Value) -> Option<Vec<String>> {
    let object = value.as_object()?;
    if object.is_empty() {
        return None;
    }
    (0..object.len()).map(|id| object.get(&id.to_string())?.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    /// Two layers, hidden 8, 2 heads, feed-forward 12, 11 words, 6 positions.
    pub(crate) fn tiny() -> ModelConfig {
        ModelConfig::parse(
            "config.json",
            br#"{"model_type":"bert","vocab_size":11,"hidden_size":8,"num_hidden_layers":2,
                "num_attention_heads":2,"intermediate_size":12,"max_position_embeddings":6,
                "architectures":["BertModel"],"_name_or_path":"/home/me/model"}"#,
        )
        .unwrap()
    }

    #[test]
    fn defaults_are_those_of_transformers() {
        let config =
            ModelConfig::parse("config.json", br#"{"model_type":"bert","classifier_dropout":null}"#).unwrap();
        assert_eq!((config.vocab_size, config.hidden_size, config.num_hidden_layers), (30_522, 768, 12));
        assert_eq!((config.num_attention_heads, config.intermediate_size), (12, 3072));
        assert_eq!((config.max_position_embeddings, config.type_vocab_size), (512, 2));
        assert_eq!((config.layer_norm_eps, config.initializer_range), (1e-12, 0.02));
        assert_eq!((config.hidden_dropout_prob, config.classifier_dropout), (0.1, 0.1));
        assert_eq!((config.hidden_act, config.n_labels(), config.head_size()), (HiddenAct::Gelu, 2, 64));
    }

    #[test]
    fn labels_and_pruned_heads_are_read() {
        let config = ModelConfig::parse(
            "config.json",
            br#"{"model_type":"bert","hidden_act":"gelu_new","id2label":{"0":"no","1":"yes","2":"maybe"},
                "label2id":{"no":0,"yes":1,"maybe":2},"num_labels":3,"pruned_heads":{"11":[3,1]},
                "problem_type":"single_label_classification"}"#,
        )
        .unwrap();
        assert_eq!(config.id2label.as_ref().unwrap(), &["no", "yes", "maybe"]);
        assert_eq!((config.n_labels(), config.hidden_act), (3, HiddenAct::GeluTanh));
        assert_eq!(config.pruned_heads, BTreeMap::from([(11, vec![1, 3])]));
    }

    #[test]
    fn all_bad_fields_at_once() {
        let error = ModelConfig::parse(
            "config.json",
            br#"{"model_type":"bert","vocab_size":0,"hidden_size":770,"num_hidden_layers":"12",
                "intermediate_size":-1,"hidden_act":"relu","hidden_dropout_prob":1.5,"layer_norm_eps":"tiny",
                "max_position_embeddings":1e30,"id2label":{"0":"a","2":"b"},"pruned_heads":{"0":[12]},
                "problem_type":"multi_label_classification","is_decoder":true,
                "position_embedding_type":"relative_key"}"#,
        )
        .unwrap_err();
        let fields: Vec<&str> = error.fields.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "is_decoder",
                "position_embedding_type",
                "hidden_dropout_prob",
                "vocab_size",
                "num_hidden_layers",
                "intermediate_size",
                "hidden_act",
                "max_position_embeddings",
                "layer_norm_eps",
                "problem_type",
                "hidden_size",
                "id2label",
                "pruned_heads"
            ]
        );
        let text = error.to_string();
        assert_eq!(text.lines().count(), 13);
        assert!(text.lines().all(|line| line.ends_with("(config.json)")));
    }

    #[test]
    fn an_unknown_family_is_named_with_those_that_are_read() {
        let text = ModelConfig::parse("config.json", br#"{"model_type":"t5"}"#).unwrap_err().to_string();
        assert!(
            text.starts_with("`model_type` is `t5`, expected one of `bert`, `roberta`, `gpt2`"),
            "{text}"
        );
    }

    #[test]
    fn labels_that_contradict_each_other() {
        let parse = |json: &[u8]| ModelConfig::parse("config.json", json).unwrap_err().fields;
        let count = parse(br#"{"model_type":"bert","id2label":{"0":"a","1":"b"},"num_labels":3}"#);
        assert_eq!((count[0].field.as_str(), count[0].found.as_str()), ("num_labels", "3"));
        let inverse =
            parse(br#"{"model_type":"bert","id2label":{"0":"a","1":"b"},"label2id":{"a":1,"b":0}}"#);
        assert_eq!(inverse[0].field, "label2id");
    }

    #[test]
    fn files_that_are_no_config() {
        for bad in [&b"not json"[..], b"[1]", b"{}", b"", b"\xff\xfe"] {
            assert!(ModelConfig::parse("config.json", bad).is_err());
        }
    }

    #[test]
    fn a_vocabulary_must_fit_the_embedding() {
        assert!(check_vocabulary(100, 100).is_ok());
        let problem = check_vocabulary(101, 100).unwrap_err().to_string();
        assert!(problem.contains("101 tokens") && problem.contains("at most 100"), "{problem}");
    }
}
