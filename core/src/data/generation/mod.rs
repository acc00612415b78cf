//! Contexts and the texts that complete them: meaning representations with their references (Novikova et al. 2017,
//! Gardent et al. 2017, Nan et al. 2021), or prompts with answers.
//!
//! Whatever form a file has, it becomes examples of one context and all its texts, in file order. Contexts are
//! written as the LoRA recipe for GPT-2 writes them: attributes `name : value` and triples
//! `subject : property : object`, joined by ` | `.

mod attributes;
mod forms;
mod objects;
mod xml;

pub use forms::is_lines;

use std::collections::BTreeMap;

use super::check::DataWarning;
use super::columns::ColumnChoice;
use super::dataset::{DataFile, DataOptions};
use super::error::{DataError, DataErrors, DataProblem, Problems};
use super::split::{keep_some, take_share};
use super::table::decode;

/// A context and every text that may complete it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationExample {
    /// What the model is given.
    pub context: String,
    /// What it should write: the references, in file order; never empty.
    pub completions: Vec<String>,
    /// Whether the category of the meaning is one of the training set's, where the task tells (WebNLG's `cate`).
    pub seen: Option<bool>,
}

/// What a run trains on and is judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationSplits {
    /// The training set.
    pub train: Vec<GenerationExample>,
    /// The validation set.
    pub validation: Vec<GenerationExample>,
    /// Whether the validation set was taken out of the training file.
    pub validation_is_split: bool,
    /// What deserves a look but hinders nothing.
    pub warnings: Vec<DataWarning>,
}

/// One context with one text, as a line of a file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) context: String,
    pub(super) completion: String,
    pub(super) seen: Option<bool>,
}

/// What a form of file gives.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Whether a context may stand without a text: where it is written for, and not learned from.
    pub(super) contexts_only: bool,
    pub(super) pairs: Vec<Pair>,
    pub(super) n_blank_lines: usize,
    /// Meanings of which no text is good.
    pub(super) n_without_text: usize,
}

impl Pairs {
    /// Adds a pair, or says what is empty.
    pub(super) fn push(&mut self, line: usize, pair: Pair, problems: &mut Problems) {
        for (what, text) in [("context", &pair.context), ("completion", &pair.completion)] {
            if text.trim().is_empty() && !(self.contexts_only && what == "completion") {
                let found = format!("an empty {what}");
                problems.push(DataProblem::of_file(found, "some text", "mend or remove it").at_line(line));
                return;
            }
        }
        self.pairs.push(pair);
    }
}

/// Reads the training file and, if there is one, the validation file. A validation set that is taken out of the
/// training file has whole contexts; `max_train_samples` and `max_eval_samples` count contexts, too.
///
/// # Errors
/// Everything that is wrong with the files, of both at once.
pub fn load_generation_splits(
    train: DataFile<'_>,
    validation: Option<DataFile<'_>>,
    options: &DataOptions,
) -> Result<GenerationSplits, DataErrors> {
    let mut warnings = Vec::new();
    let of_train = load_generation(train, &options.columns, &mut warnings);
    let of_validation =
        validation.map(|file| load_generation(file, &options.columns, &mut warnings)).transpose();
    let (mut train, validation) = match (of_train, of_validation) {
        (Ok(train), Ok(validation)) => (train, validation),
        (train, validation) => {
            return Err(DataErrors { files: train.err().into_iter().chain(validation.err()).collect() });
        }
    };
    let validation_is_split = validation.is_none();
    if validation_is_split && train.len() < 2 {
        return Err(too_small(options).into());
    }
    let mut validation =
        validation.unwrap_or_else(|| take_share(&mut train, options.validation_share, options.seed));
    if let Some(n) = options.max_train_samples {
        keep_some(&mut train, n, options.seed);
    }
    warnings.extend(shared_contexts(&train, &validation));
    if let Some(n) = options.max_eval_samples {
        validation.truncate(n);
    }
    Ok(GenerationSplits { train, validation, validation_is_split, warnings })
}

/// Reads one file, in whatever form it is. Without a task the columns of the choice are context (`text`) and
/// completion (`label`) of a table or of JSON objects.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn load_generation(
    file: DataFile<'_>,
    choice: &ColumnChoice,
    warnings: &mut Vec<DataWarning>,
) -> Result<Vec<GenerationExample>, DataError> {
    load(file, choice, Pairs::default(), warnings)
}

/// The contexts of a file, each once, whether or not texts stand beside them.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn load_contexts(
    file: DataFile<'_>,
    choice: &ColumnChoice,
    warnings: &mut Vec<DataWarning>,
) -> Result<Vec<String>, DataError> {
    let contexts_only = Pairs { contexts_only: true, ..Pairs::default() };
    let examples = load(file, choice, contexts_only, warnings)?;
    Ok(examples.into_iter().map(|example| example.context).collect())
}

fn load(
    file: DataFile<'_>,
    choice: &ColumnChoice,
    pairs: Pairs,
    warnings: &mut Vec<DataWarning>,
) -> Result<Vec<GenerationExample>, DataError> {
    let text = decode(file.name, file.bytes)?;
    let mut problems = Problems::new(file.name);
    let pairs = forms::read(file.name, text, choice, pairs, &mut problems);
    if problems.is_empty() && pairs.pairs.is_empty() {
        let advice = "check the path, or that the export finished";
        problems.push(DataProblem::of_file("no text for any context", "contexts and their texts", advice));
    }
    let name = || file.name.to_owned();
    if pairs.n_blank_lines > 0 {
        warnings.push(DataWarning::BlankLines { file: name(), n_lines: pairs.n_blank_lines });
    }
    if pairs.n_without_text > 0 {
        warnings.push(DataWarning::NoGoodText { file: name(), n_meanings: pairs.n_without_text });
    }
    problems.or(grouped(pairs.pairs))
}

/// The examples as a file of lines `context||completion`, one for every text. Line ends inside become spaces.
#[must_use]
pub fn as_lines(examples: &[GenerationExample]) -> String {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = String::new();
    for example in examples {
        for completion in &example.completions {
            lines.extend([&one_line(&example.context), "||", &one_line(completion), "\n"]);
        }
    }
    lines
}

/// One example for each context, in the order in which contexts first occur.
fn grouped(pairs: Vec<Pair>) -> Vec<GenerationExample> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut examples: Vec<GenerationExample> = Vec::new();
    for Pair { context, completion, seen } in pairs {
        match places.get(&context) {
            Some(&place) => examples[place].completions.push(completion),
            None => {
                places.insert(context.clone(), examples.len());
                examples.push(GenerationExample { context, completions: vec![completion], seen });
            }
        }
    }
    examples
}

fn too_small(options: &DataOptions) -> DataError {
    let mut problems = Problems::new("the training file");
    problems.push(DataProblem::of_file(
        "one context",
        format!("at least two, of which {} % become the validation set", options.validation_share * 100.0),
        "give more examples, or a validation file",
    ));
    problems.into_error()
}

fn shared_contexts(train: &[GenerationExample], validation: &[GenerationExample]) -> Vec<DataWarning> {
    let known: std::collections::BTreeSet<&str> =
        train.iter().map(|example| example.context.as_str()).collect();
    let n_shared = validation.iter().filter(|example| known.contains(example.context.as_str())).count();
    let n_validation = validation.len();
    let shared = (n_shared > 0).then_some(DataWarning::SharedExamples { n_shared, n_validation });
    shared.into_iter().chain((n_validation == 1).then_some(DataWarning::OneValidationExample)).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
