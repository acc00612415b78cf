//! `dsee predict`: labels and probabilities for texts without labels.

use anyhow::{Context as _, bail};
use dsee_core::{
    config::RunConfig,
    data::{DataFile, Dataset, EncodedDataset, Example, Label, LabelSet, load_texts},
    metrics::{argmax, softmax},
};
use serde_json::{Map, Value, json};
use std::{fmt::Write as _, fs, io::Read as _, path::Path};

use super::eval::score;
use crate::{
    failure::Failure,
    run_inputs::ColumnArgs,
    saved_run::{RunArgs, SavedRun},
};

/// What `--input` says to mean the standard input.
const STDIN: &str = "-";

/// Flags of `dsee predict`.
#[derive(Debug, clap::Args)]
pub struct PredictArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Texts to judge.
    #[arg(value_name = "TEXT", required_unless_present = "input", conflicts_with = "input")]
    texts: Vec<String>,
    /// A file of texts (.tsv, .csv, .jsonl, or .txt with one text a line), or - for the standard input.
    #[arg(long, value_name = "FILE")]
    input: Option<String>,
    #[command(flatten)]
    columns: ColumnArgs,
    /// Form of the output; --json is short for jsonl.
    #[arg(long, value_enum, default_value_t = Format::Tsv)]
    format: Format,
}

/// How predictions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A header, then one line per text, columns separated by tabs.
    Tsv,
    /// One JSON object a line.
    Jsonl,
}

/// Judges the texts and prints one line for each.
pub fn run(args: &PredictArgs, json: bool) -> Result<(), Failure> {
    let saved = args.run.open()?;
    let labels = saved.labels();
    if labels == LabelSet::Words {
        return Err(anyhow::anyhow!("this run writes text instead of judging it: use `dsee generate`").into());
    }
    let dataset = match &args.input {
        Some(input) => read(input, &saved, &args.columns)?,
        None => {
            let example =
                |text: &String| Example { text: text.clone(), text_pair: None, label: Label::Unknown };
            Dataset { examples: args.texts.iter().map(example).collect(), labels: labels.clone() }
        }
    };
    check_pairs(&saved.config, &dataset)?;
    let encoded = EncodedDataset::new(&dataset, &saved.tokenizer, saved.config.max_length);
    let session = score(&saved, encoded.map_err(anyhow::Error::from)?.into())?;
    let rows = session.logits().chunks_exact(labels.n_outputs());
    let format = if json { Format::Jsonl } else { args.format };
    if format == Format::Tsv {
        tell!("{}", tsv_header(&labels));
    }
    for (example, logits) in dataset.examples.iter().zip(rows) {
        match format {
            Format::Tsv => tell!("{}", tsv_row(&labels, logits)),
            Format::Jsonl => tell!("{}", json_row(&labels, example, logits)),
        }
    }
    Ok(())
}

/// Whether texts come as they did in training, alone or in pairs, where the settings tell.
fn check_pairs(config: &RunConfig, dataset: &Dataset) -> anyhow::Result<()> {
    let of_task = || Some(config.task?.spec().columns.first()?.text_pair.is_some());
    let Some(in_pairs) = config.text_pair_column.as_ref().map(|_| true).or_else(of_task) else {
        return Ok(());
    };
    match dataset.examples.iter().any(|example| example.text_pair.is_some() != in_pairs) {
        false => Ok(()),
        true if in_pairs => bail!("this run judges pairs of texts: give a file with both by --input"),
        true => {
            bail!("this run judges texts alone, and the file has pairs: name one column by --text-column")
        }
    }
}

fn read(input: &str, saved: &SavedRun, columns: &ColumnArgs) -> anyhow::Result<Dataset> {
    let mut bytes = Vec::new();
    // Without a name the first characters decide about the format; lines of plain text are texts.
    let name = if input == STDIN { "stdin.txt" } else { input };
    if input == STDIN {
        std::io::stdin().read_to_end(&mut bytes).context("cannot read the standard input")?;
    } else {
        bytes = fs::read(Path::new(input)).with_context(|| format!("cannot read the data file: {input}"))?;
    }
    let loaded = load_texts(DataFile { name, bytes: &bytes }, &columns.over(&saved.config), &saved.labels())?;
    say!("{}", loaded.columns);
    loaded.warnings.iter().for_each(|warning| say!("warning   {warning}"));
    if loaded.dataset.examples.is_empty() {
        bail!("there is no text in {name}");
    }
    Ok(loaded.dataset)
}

/// `label`, then `p(name)` for every class; `score` for regression.
fn tsv_header(labels: &LabelSet) -> String {
    match labels {
        LabelSet::Scores | LabelSet::Words => "score".to_owned(),
        LabelSet::Classes(names) => {
            names.iter().fold("label".to_owned(), |header, name| header + "\tp(" + name + ")")
        }
    }
}

fn tsv_row(labels: &LabelSet, logits: &[f32]) -> String {
    let LabelSet::Classes(names) = labels else { return logits[0].to_string() };
    let mut row = names[argmax(logits)].clone();
    for probability in softmax(logits) {
        write!(row, "\t{probability:.6}").expect("writing to a string cannot fail");
    }
    row
}

fn json_row(labels: &LabelSet, example: &Example, logits: &[f32]) -> Value {
    let mut row = json!({ "text": example.text });
    if let Some(pair) = &example.text_pair {
        row["text_pair"] = json!(pair);
    }
    match labels {
        LabelSet::Scores | LabelSet::Words => row["score"] = json!(logits[0]),
        LabelSet::Classes(names) => {
            row["label"] = json!(names[argmax(logits)]);
            let named: Map<String, Value> =
                names.iter().zip(softmax(logits)).map(|(name, p)| (name.clone(), p.into())).collect();
            row["probabilities"] = named.into();
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_name_the_most_probable_class() {
        let labels = LabelSet::Classes(vec!["bad".to_owned(), "good".to_owned()]);
        assert_eq!(tsv_header(&labels), "label\tp(bad)\tp(good)");
        assert_eq!(tsv_row(&labels, &[0.0, 3f32.ln()]), "good\t0.250000\t0.750000");
        assert_eq!(tsv_row(&labels, &[500.0, 500.0]), "bad\t0.500000\t0.500000");
        assert_eq!(tsv_row(&LabelSet::Scores, &[2.5]), "2.5");
    }
}
