//! `dsee score`: figures of generated text against its references, for any two files.

use anyhow::Context as _;
use dsee_core::{
    config::FieldError,
    data::DataFile,
    metrics::nlg::{Corpus, NlgMetric},
    tasks::scoring::Scored,
};
use serde_json::{Map, Value, json};
use std::{fs, path::PathBuf};

use crate::{
    failure::Failure,
    meteor_tables::{METEOR, MeteorArgs},
};

/// Flags of `dsee score`.
#[derive(Debug, clap::Args)]
pub struct ScoreArgs {
    /// What to compute, separated by commas [default: bleu,nist,meteor-exact-stem,ter,rouge-l,cider,chrf].
    #[arg(long, alias = "metrics", value_name = "NAMES", value_delimiter = ',')]
    metric: Vec<String>,
    /// The generated text, one segment a line.
    #[arg(long, value_name = "FILE")]
    hypotheses: PathBuf,
    /// What it should say: one line a segment, or several lines and a blank one between segments. Give the flag again
    /// for more references, one line a segment in each file.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    references: Vec<PathBuf>,
    #[command(flatten)]
    meteor: MeteorArgs,
}

/// Computes the figures and prints them.
pub fn run(args: &ScoreArgs, json: bool) -> Result<(), Failure> {
    let metrics = metrics(args)?;
    let corpus = read_corpus(args)?;
    let tables = args.meteor.read(&corpus)?.unwrap_or_default();
    let scored: Vec<Scored> =
        metrics.into_iter().map(|metric| (metric, metric.score(&corpus, &tables))).collect();
    if json {
        tell!("{:#}", as_json(&corpus, &scored));
    } else {
        say!("{} segments, {} references", corpus.len(), corpus.n_references());
        tell!("{}", as_table(&scored).trim_end());
    }
    Ok(())
}

/// The metrics that were asked for, in that order.
fn metrics(args: &ScoreArgs) -> Result<Vec<&'static NlgMetric>, Failure> {
    let names: Vec<String> = if args.metric.is_empty() {
        let (full, part) = METEOR;
        let named = |name: &'static str| if name == part && args.meteor.is_given() { full } else { name };
        NlgMetric::DEFAULT.into_iter().map(|name| named(name).to_owned()).collect()
    } else {
        args.metric.iter().map(|name| name.trim().to_lowercase()).collect()
    };
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for name in names {
        match NlgMetric::from_name(&name) {
            Some(metric) if metric.name == METEOR.0 && !args.meteor.is_given() => {
                wrong.push(FieldError::new(
                    "metric",
                    &name,
                    "METEOR's synonyms and paraphrases are not part of this program",
                    format!(
                        "point at a folder of METEOR 1.5 with --meteor, or take {}, which needs none",
                        METEOR.1
                    ),
                ))
            }
            Some(metric) if found.iter().any(|other: &&NlgMetric| other.name == metric.name) => {}
            Some(metric) => found.push(metric),
            None => {
                let known: Vec<&str> = NlgMetric::ALL.iter().map(|metric| metric.name).collect();
                let known = known.join(", ");
                wrong.push(FieldError::new(
                    "metric",
                    &name,
                    "there is no such metric",
                    format!("one of {known}"),
                ));
            }
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(Failure::Settings(wrong)) }
}

fn read_corpus(args: &ScoreArgs) -> anyhow::Result<Corpus> {
    let mut files = Vec::new();
    for path in std::iter::once(&args.hypotheses).chain(&args.references) {
        let bytes = fs::read(path).with_context(|| format!("cannot read the file: {}", path.display()))?;
        files.push((path.display().to_string(), bytes));
    }
    let files: Vec<DataFile<'_>> = files.iter().map(|(name, bytes)| DataFile { name, bytes }).collect();
    Ok(Corpus::read(files[0], &files[1..])?)
}

fn as_json(corpus: &Corpus, scored: &[Scored]) -> Value {
    json!({
        "n_segments": corpus.len(), "n_references": corpus.n_references(), "metrics": values(scored),
        "about": about(scored),
    })
}

/// Figures by name; null where one is undefined.
pub fn values(scored: &[Scored]) -> Map<String, Value> {
    scored.iter().map(|(metric, score)| (metric.name.to_owned(), json!(score.as_ref().ok()))).collect()
}

/// What the figures are, by name, and why one is undefined.
pub fn about(scored: &[Scored]) -> Map<String, Value> {
    let about = |(metric, score): &Scored| {
        let mut about = json!({
            "title": metric.title, "form": metric.form, "scale": metric.scale.name(),
            "greater_is_better": metric.greater_is_better,
        });
        if let Err(reason) = score {
            about["undefined"] = json!(reason.to_string());
        }
        (metric.name.to_owned(), about)
    };
    scored.iter().map(about).collect()
}

/// Figures as a table for people.
pub fn as_table(scored: &[Scored]) -> String {
    let mut rows = vec![["metric", "value", "scale", "better", "form"].map(str::to_owned)];
    for (metric, score) in scored {
        let value = score.as_ref().map_or("undefined".to_owned(), |value| format!("{value:.4}"));
        let better = if metric.greater_is_better { "higher" } else { "lower" };
        let form = match score {
            Ok(_) => metric.form.to_owned(),
            Err(reason) => reason.to_string(),
        };
        rows.push([metric.name.to_owned(), value, metric.scale.name().to_owned(), better.to_owned(), form]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 4] = std::array::from_fn(width);
    let line = |[name, value, scale, better, form]: &[String; 5]| {
        let [a, b, c, d] = widths;
        format!("{name:<a$}  {value:>b$}  {scale:<c$}  {better:<d$}  {form}\n")
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use dsee_core::metrics::nlg::Undefined;

    #[test]
    fn tables_line_up_and_say_what_is_undefined() {
        let metric = |name| NlgMetric::from_name(name).unwrap();
        let table = as_table(&[(metric("bleu"), Ok(0.46622)), (metric("nist"), Err(Undefined::NoWords))]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "metric      value  scale     better  form");
        assert_eq!(lines[1], "bleu       0.4662  fraction  higher  e2e-metrics, measure_scores.py -p");
        assert_eq!(lines[2], "nist    undefined  number    higher  there is no word in the hypotheses");
    }
}
