//! `dsee compare`: several methods on one model and one data set, as one table.

use dsee_core::{
    config::{Choice as _, FieldError, Method},
    study::{Arm, OWN_DATA, Study},
};
use std::collections::BTreeMap;

use crate::{
    failure::Failure,
    study::{self, Assignment, StudyArgs, own_settings},
};

/// What `compare` decides itself.
const RESERVED: [(&str, &str); 3] = [
    ("method", "use --methods"),
    ("seed", "use --seeds"),
    ("run_name", "leave it out: runs are named by method and seed"),
];

/// Flags of `dsee compare`.
#[derive(Debug, clap::Args)]
pub struct CompareArgs {
    /// Methods with commas; settings of one of them behind it: `dsee,dsee+nnz=64,full+learning_rate=1e-5`.
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "lora,dsee,full,bitfit")]
    methods: Vec<String>,
    #[command(flatten)]
    study: StudyArgs,
}

/// Runs them.
pub fn run(args: &CompareArgs, json: bool) -> Result<(), Failure> {
    let arms = arms(&args.methods).map_err(Failure::Settings)?;
    let task = args.study.settings.draft()?.text("task").unwrap_or_else(|| OWN_DATA.to_owned());
    let study = Study {
        name: "compare".into(),
        title: args.methods.join(", "),
        tasks: vec![task],
        arms,
        ..Study::default()
    };
    let assignment = Assignment { study, files: BTreeMap::new(), reserved: &RESERVED, seeds: &[1, 2, 3] };
    study::run(assignment, &args.study, json)
}

/// Everything that is wrong with the list comes at once.
fn arms(methods: &[String]) -> Result<Vec<Arm>, Vec<FieldError>> {
    let (mut arms, mut errors): (Vec<Arm>, Vec<FieldError>) = (Vec::new(), Vec::new());
    for text in methods {
        match arm(text) {
            Ok(arm) if arms.iter().any(|other| other.id == arm.id) => {
                errors.push(FieldError::new("--methods", text, "is named twice", "leave one out"));
            }
            Ok(arm) => arms.push(arm),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(arms) } else { Err(errors) }
}

fn arm(text: &str) -> Result<Arm, FieldError> {
    let (method, own) = own_settings::read("--methods", text, &RESERVED)?;
    if Method::from_name(method).is_none() {
        let known = format!("known are {}", Method::NAMES.join(", "));
        return Err(FieldError::new("--methods", text, format!("there is no method `{method}`"), known));
    }
    let settings = [vec![("method".to_owned(), method.to_owned())], own].concat();
    let id = text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' });
    Ok(Arm { id: id.collect(), row: text.replace('+', " "), variant: String::new(), settings })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn methods_bring_their_settings() {
        let arm = arm("dsee+nnz=64+prune=heads:1").unwrap();
        assert_eq!(
            (arm.id.as_str(), arm.row.as_str()),
            ("dsee-nnz-64-prune-heads-1", "dsee nnz=64 prune=heads:1")
        );
        let names: Vec<&str> = arm.settings.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["method", "nnz", "prune"]);
    }

    #[test]
    fn all_wrong_methods_are_named() {
        let list = ["dsee", "dsee", "ia3", "lora+rnak=3", "full+seed=3"].map(str::to_owned);
        let errors: Vec<String> = arms(&list).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 4, "{errors:?}");
        for (error, part) in errors.iter().zip(["twice", "known are", "rnak=3", "`seed`"]) {
            assert!(error.contains(part), "{error}");
        }
    }
}
