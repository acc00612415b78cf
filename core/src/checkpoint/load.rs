//! Matches the tensors of a file with the parameters of a model: names as families of files spell them,
//! shapes, what may be absent and what is left over. Knows no model: it is told names and rules.

use std::collections::{BTreeMap, BTreeSet};

use super::dtype::Dtype;
use super::error::{CheckpointError, TensorProblem};
use super::{Checkpoint, HostTensor, Shaped};

/// One parameter of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamSpec {
    /// Full name, with the prefix of the model.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Whether the file may lack it (a new head); it then starts fresh.
    pub optional: bool,
}

/// How names in files may differ from the names of parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameRules {
    /// Prefix that files may leave out, with its dot, for example `bert.`.
    pub prefix: String,
    /// Tensors that are expected but not needed; `*` stands for any text, at the beginning or the end.
    pub ignorable: Vec<String>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matched<T = HostTensor> {
    /// Parameters by full name, with the asked shapes.
    pub params: BTreeMap<String, T>,
    /// Optional parameters that have to be initialised.
    pub fresh: Vec<String>,
    /// Tensors of the file that were not used.
    pub ignored: Vec<String>,
    /// What a user should know about it, one sentence each.
    pub notes: Vec<String>,
}

/// Which tensor of a file becomes which parameter; made from names and shapes alone, so that a large file can be
/// decoded tensor by tensor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchPlan {
    /// Parameter → tensor of the file.
    pub sources: BTreeMap<String, String>,
    /// As in [`Matched`].
    pub fresh: Vec<String>,
    /// As in [`Matched`].
    pub ignored: Vec<String>,
    /// As in [`Matched`].
    pub notes: Vec<String>,
}

/// Name → type and shape of the tensors in a file.
pub type FoundShapes = BTreeMap<String, (Dtype, Vec<usize>)>;

/// Takes the parameters `specs` out of a checkpoint.
///
/// # Errors
/// All missing, ambiguous, wrongly typed and wrongly shaped parameters.
pub fn match_parameters<T: Shaped>(
    specs: &[ParamSpec],
    mut found: Checkpoint<T>,
    rules: &NameRules,
) -> Result<Matched<T>, CheckpointError> {
    let plan = plan_match(specs, &found.shapes(), rules, &found.file)?;
    let mut params = BTreeMap::new();
    for (name, source) in plan.sources {
        if let Some(tensor) = found.tensors.remove(&source) {
            params.insert(name, tensor);
        }
    }
    Ok(Matched { params, fresh: plan.fresh, ignored: plan.ignored, notes: plan.notes })
}

/// Decides which tensor becomes which parameter.
///
/// # Errors
/// As [`match_parameters`].
pub fn plan_match(
    specs: &[ParamSpec],
    found: &FoundShapes,
    rules: &NameRules,
    file: &str,
) -> Result<MatchPlan, CheckpointError> {
    let wanted: BTreeSet<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    let mut candidates: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut plan = MatchPlan::default();
    for name in found.keys() {
        match rules.canonical(name, &wanted) {
            Some(parameter) => candidates.entry(parameter).or_default().push(name),
            None => plan.ignored.push(name.clone()),
        }
    }
    let unexpected: Vec<&str> =
        plan.ignored.iter().map(String::as_str).filter(|name| !rules.is_ignorable(name)).collect();
    if !unexpected.is_empty() {
        plan.notes.push(format!(
            "{} tensors of the file are not part of this model and were left out: {}",
            unexpected.len(),
            unexpected.join(", ")
        ));
    }
    let mut problems = Vec::new();
    for spec in specs {
        let names = candidates.get(&spec.name).map_or(&[][..], Vec::as_slice);
        if let Err(problem) = choose(spec, names, found, &mut plan) {
            problems.push(problem);
        }
    }
    CheckpointError::check(file, problems, plan)
}

/// Finds the source of one parameter among the tensors that may be it.
fn choose(
    spec: &ParamSpec,
    names: &[&str],
    found: &FoundShapes,
    plan: &mut MatchPlan,
) -> Result<(), TensorProblem> {
    let name = spec.name.clone();
    let [source] = names else {
        if !names.is_empty() {
            return Err(TensorProblem::Ambiguous {
                name,
                found: names.iter().map(|n| (*n).to_owned()).collect(),
            });
        }
        if !spec.optional {
            return Err(TensorProblem::Missing { name, shape: spec.shape.clone() });
        }
        plan.fresh.push(name);
        return Ok(());
    };
    let (dtype, shape) = &found[*source];
    if !dtype.holds_weights() {
        let found = dtype.name().to_owned();
        return Err(TensorProblem::WrongDtype {
            name: (*source).to_owned(),
            found,
            expected: "F32, F16 or BF16",
        });
    }
    if *shape == spec.shape {
        plan.sources.insert(name, (*source).to_owned());
    } else if spec.optional {
        // A head for another number of labels is no use; the body around it is.
        plan.notes.push(format!(
            "`{source}` has shape {shape:?} in the file and {:?} in this task: it starts fresh",
            spec.shape
        ));
        plan.ignored.push((*source).to_owned());
        plan.fresh.push(name);
    } else {
        let (name, found, expected) = ((*source).to_owned(), shape.clone(), spec.shape.clone());
        return Err(TensorProblem::WrongShape { name, found, expected });
    }
    Ok(())
}

impl NameRules {
    /// The parameter among `wanted` that a tensor of this name is, if any.
    #[must_use]
    pub fn canonical(&self, name: &str, wanted: &BTreeSet<&str>) -> Option<String> {
        let modern = match (name.strip_suffix("LayerNorm.gamma"), name.strip_suffix("LayerNorm.beta")) {
            (Some(module), _) => format!("{module}LayerNorm.weight"),
            (_, Some(module)) => format!("{module}LayerNorm.bias"),
            _ => name.to_owned(),
        };
        if wanted.contains(modern.as_str()) {
            return Some(modern);
        }
        let prefixed = format!("{}{modern}", self.prefix);
        wanted.contains(prefixed.as_str()).then_some(prefixed)
    }

    fn is_ignorable(&self, name: &str) -> bool {
        self.ignorable.iter().any(|pattern| {
            if let Some(end) = pattern.strip_prefix('*') {
                name.ends_with(end)
            } else if let Some(start) = pattern.strip_suffix('*') {
                name.starts_with(start)
            } else {
                name == pattern
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn spec(name: &str, shape: &[usize], optional: bool) -> ParamSpec {
        ParamSpec { name: name.into(), shape: shape.to_vec(), optional }
    }

    fn rules() -> NameRules {
        NameRules { prefix: "bert.".into(), ignorable: vec!["cls.*".into(), "*position_ids".into()] }
    }

    fn checkpoint(tensors: &[(&str, &[usize])]) -> Checkpoint {
        let tensors = tensors
            .iter()
            .map(|(name, shape)| {
                let data = vec![0.5; shape.iter().product()];
                ((*name).to_owned(), HostTensor { shape: shape.to_vec(), data })
            })
            .collect();
        Checkpoint { file: "m.safetensors".into(), tensors, ..Checkpoint::default() }
    }

    #[test]
    fn bare_and_old_names_are_accepted() {
        let specs = [
            spec("bert.e.LayerNorm.weight", &[2], false),
            spec("bert.e.LayerNorm.bias", &[2], false),
            spec("classifier.weight", &[3, 2], true),
        ];
        let found = checkpoint(&[
            ("e.LayerNorm.gamma", &[2]),
            ("bert.e.LayerNorm.beta", &[2]),
            ("cls.predictions.bias", &[9]),
            ("bert.e.position_ids", &[1]),
            ("other", &[1]),
        ]);
        let matched = match_parameters(&specs, found, &rules()).unwrap();
        assert_eq!(
            matched.params.keys().collect::<Vec<_>>(),
            ["bert.e.LayerNorm.bias", "bert.e.LayerNorm.weight"]
        );
        assert_eq!(matched.fresh, ["classifier.weight"]);
        assert_eq!(matched.ignored, ["bert.e.position_ids", "cls.predictions.bias", "other"]);
        assert_eq!(matched.notes.len(), 1);
        assert!(matched.notes[0].ends_with(": other"), "{}", matched.notes[0]);
    }

    #[test]
    fn all_problems_at_once() {
        let specs = [
            spec("bert.a", &[2], false),
            spec("bert.b", &[2], false),
            spec("bert.c", &[2], false),
            spec("bert.d", &[2], false),
        ];
        let mut found = checkpoint(&[("bert.b", &[3]), ("bert.c", &[2]), ("c", &[2])]);
        found.skipped.insert("d".into(), Dtype::F64);
        let error = match_parameters(&specs, found, &rules()).unwrap_err();
        assert_eq!(
            error.problems,
            [
                TensorProblem::Missing { name: "bert.a".into(), shape: vec![2] },
                TensorProblem::WrongShape { name: "bert.b".into(), found: vec![3], expected: vec![2] },
                TensorProblem::Ambiguous { name: "bert.c".into(), found: vec!["bert.c".into(), "c".into()] },
                TensorProblem::WrongDtype {
                    name: "d".into(),
                    found: "F64".into(),
                    expected: "F32, F16 or BF16"
                },
            ]
        );
    }

    #[test]
    fn a_head_for_other_labels_starts_fresh_and_says_so() {
        let specs = [spec("classifier.weight", &[2, 4], true)];
        let matched =
            match_parameters(&specs, checkpoint(&[("classifier.weight", &[3, 4])]), &rules()).unwrap();
        assert_eq!(matched.fresh, ["classifier.weight"]);
        assert!(matched.notes[0].contains("[3, 4]") && matched.notes[0].contains("fresh"));
    }
}
