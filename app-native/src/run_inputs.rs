//! What a run works on: the data of its settings (files, a data set of the hub, or the embedded sentences), and what to
//! say about them.

use anyhow::{Context as _, bail};
use dsee_core::{
    builtin,
    config::{RunConfig, TaskType},
    data::{
        ColumnChoice, DataFile, Dataset, EncodedDataset, LengthHistogram, RunData, class_counts,
        generation::GenerationExample,
    },
    models::files::PretrainedModel,
    protocol::OmegaReport,
    tokenizer::Tokenizer,
};
use std::path::{Path, PathBuf};

use crate::{data_file, hub, model_folder};

/// The model and the data of a run.
pub struct Inputs {
    /// The pretrained encoder.
    pub model: PretrainedModel,
    /// Training and validation data.
    pub data: RunData,
    /// Places of sparse entries that another run has found already.
    pub found_omega: Vec<OmegaReport>,
}

/// The columns of a data file beside those of the run. Flags of verbs that read one.
#[derive(Clone, Debug, clap::Args)]
pub struct ColumnArgs {
    /// Column of the text, by name or number from 1 [default: as in the run].
    #[arg(long, alias = "text_column", value_name = "TEXT")]
    text_column: Option<String>,
    /// Column of the second text.
    #[arg(long, alias = "text_pair_column", value_name = "TEXT")]
    text_pair_column: Option<String>,
    /// Column of the label.
    #[arg(long, alias = "label_column", value_name = "TEXT")]
    label_column: Option<String>,
}

impl ColumnArgs {
    /// These columns, and those of the run's settings where none is named.
    pub fn over(&self, config: &RunConfig) -> ColumnChoice {
        let either = |flag: &Option<String>, setting: &Option<String>| flag.clone().or(setting.clone());
        ColumnChoice {
            text: either(&self.text_column, &config.text_column),
            text_pair: either(&self.text_pair_column, &config.text_pair_column),
            label: either(&self.label_column, &config.label_column),
            task: config.task,
        }
    }
}

/// Reads model and data.
///
/// # Errors
/// Everything that is wrong with both.
pub fn read(config: &RunConfig) -> anyhow::Result<Inputs> {
    let model = load_model(config);
    // The data are read even for a model that cannot be, so that all problems come at once.
    let labels = model.as_ref().ok().and_then(|model| model.config.id2label.clone());
    match (model, load_data(config, labels)) {
        (Ok(model), Ok(data)) => Ok(Inputs { model, data, found_omega: Vec::new() }),
        (Err(model), Err(data)) => bail!("{model:#}\n{data:#}"),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}

/// Reads the pretrained model: an embedded one, the folder that the settings name, or a model of the hub. Without a name
/// it is the embedded encoder.
///
/// # Errors
/// Everything that is wrong with the folder, and whatever keeps a model of the hub from being fetched.
pub fn load_model(config: &RunConfig) -> anyhow::Result<PretrainedModel> {
    let files = match config.model.as_deref().map(|model| (model, hub::embedded(model))) {
        Some((_, Some(embedded))) => embedded.files(),
        Some((model, None)) => {
            let mut files = model_folder::read(&hub::folder_of(model)?)?;
            if let Some(id) = hub::id_of(model) {
                files.name = id.to_string();
            }
            files
        }
        None => builtin::model_files(),
    };
    Ok(pollster::block_on(files.open(&mut |_| ()))?)
}

/// Reads training and validation data. `model_labels` are the class names in the model's settings.
///
/// # Errors
/// If a file cannot be read, or for everything that is wrong with both.
pub fn load_data(config: &RunConfig, model_labels: Option<Vec<String>>) -> anyhow::Result<RunData> {
    let files = data_files(config)?;
    let options = config.data_options(model_labels);
    let mut data = RunData::load(as_file(&files.train), files.validation.as_ref().map(as_file), &options)?;
    if let (Some(mismatched), RunData::Labelled(splits)) = (&files.mismatched, &mut data) {
        splits.read_mismatched(as_file(mismatched), &options)?;
    }
    Ok(data)
}

/// Name and bytes.
type NamedFile = (String, Vec<u8>);

/// The data of a run as files, wherever they come from.
pub struct DataFiles {
    /// For training.
    pub train: NamedFile,
    /// For evaluation.
    pub validation: Option<NamedFile>,
    /// The second set for evaluation.
    pub mismatched: Option<NamedFile>,
}

/// Reads the files that the settings name, those of the hub's data set, or an embedded set. A file that is named
/// wins over the data set's.
///
/// # Errors
/// If one cannot be read, or the data set cannot be fetched.
pub fn data_files(config: &RunConfig) -> anyhow::Result<DataFiles> {
    let read = |path: &Option<String>| path.as_ref().map(|path| data_file::read(Path::new(path))).transpose();
    let validation = read(&config.validation_file)?;
    let mismatched = read(&config.validation_mismatched_file)?;
    if let Some(train) = read(&config.train_file)? {
        return Ok(DataFiles { train, validation, mismatched });
    }
    if let Some((name, config_name)) = config.hub_dataset() {
        let found = hub::dataset(&name, config_name.as_deref()).with_context(|| instead(config))?;
        let read = |split: &[PathBuf]| (!split.is_empty()).then(|| data_file::read_all(split)).transpose();
        return Ok(DataFiles {
            train: data_file::read_all(&found.train)?,
            validation: validation.map_or_else(|| read(&found.validation), |file| Ok(Some(file)))?,
            mismatched: mismatched.map_or_else(|| read(&found.mismatched), |file| Ok(Some(file)))?,
        });
    }
    let files = match config.task_type {
        TaskType::Generation => builtin::meaning_files(),
        _ => builtin::data_files(),
    };
    let [train, embedded] = files.map(|(name, bytes)| (name.to_owned(), bytes));
    Ok(DataFiles { train, validation: Some(validation.unwrap_or(embedded)), mismatched })
}

/// What to name where the hub's data cannot be had.
fn instead(config: &RunConfig) -> String {
    let files = config.task.map_or(String::new(), |task| format!(" ({})", task.spec().files));
    format!(
        "no data; name files on this machine with --train-file and --validation-file{files}, or mend this"
    )
}

fn as_file((name, bytes): &NamedFile) -> DataFile<'_> {
    DataFile { name, bytes }
}

/// What was read, in lines for people: columns, classes, lengths.
///
/// # Errors
/// If the tokenizer refuses a text.
pub fn describe(data: &RunData, tokenizer: &Tokenizer, max_length: usize) -> anyhow::Result<String> {
    let splits = match data {
        RunData::Labelled(splits) => splits,
        RunData::Generation(splits) => {
            let line = |examples: &[GenerationExample]| {
                let n_texts: usize = examples.iter().map(|example| example.completions.len()).sum();
                format!("{} contexts with {n_texts} texts", examples.len())
            };
            return Ok(format!("train     {}\nvalidation {}", line(&splits.train), line(&splits.validation)));
        }
        RunData::Plain(splits) => {
            let (train, validation) = (splits.train.len(), splits.validation.len());
            return Ok(format!("train     {train} texts\nvalidation {validation} texts"));
        }
    };
    let encoded = EncodedDataset::new(&splits.train, tokenizer, max_length)?;
    let histogram = LengthHistogram::new(&encoded, max_length);
    let counts: Vec<String> = [("train", &splits.train), ("validation", &splits.validation)]
        .map(|(name, dataset)| format!("{name:<9} {}", class_line(dataset)))
        .into();
    Ok(format!("{}\n{}\n{histogram}", splits.columns, counts.join("\n")))
}

/// `8000 examples: 3600 negative, 4400 positive`.
fn class_line(dataset: &Dataset) -> String {
    let counts = class_counts(dataset);
    let classes: Vec<String> =
        counts.iter().zip(dataset.labels.names()).map(|(count, name)| format!("{count} {name}")).collect();
    let classes = if classes.is_empty() { "numbers".to_owned() } else { classes.join(", ") };
    format!("{} examples: {classes}", dataset.examples.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use dsee_core::config::RunConfigDraft;

    #[test]
    fn without_files_the_embedded_sentences_are_read() {
        let config = RunConfigDraft::default().with("max_eval_samples", "10").check().unwrap();
        let data = load_data(&config, None).unwrap();
        let splits = data.labelled().unwrap();
        assert_eq!(splits.train.examples.len(), builtin::N_TRAIN);
        assert_eq!(splits.validation.examples.len(), 10);
        assert_eq!(splits.train.labels.names(), builtin::LABEL_NAMES);
        let half = builtin::N_TRAIN / 2;
        assert!(class_line(&splits.train).contains(&format!("{half} negative, {half} positive")));
    }

    #[test]
    fn who_cannot_have_the_data_is_told_which_files_to_name() {
        let config = RunConfigDraft::default().with("task", "webnlg").check().unwrap();
        let text = instead(&config);
        assert!(text.contains("--train-file") && text.contains(".xml"), "{text}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let config = RunConfigDraft::default().with("train_file", "no/such.tsv").check().unwrap();
        assert!(load_data(&config, None).unwrap_err().to_string().contains("no/such.tsv"));
    }
}
