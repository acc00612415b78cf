//! Reading data and saying what they are.

use std::rc::Rc;

use super::reading::read_all;
use super::refusal::problems_of;
use super::{Engine, Host, Refusal, say};
use crate::builtin;
use crate::config::{FieldSpec, RunConfig, RunConfigDraft};
use crate::data::{
    DataFile, DataOptions, DataSplits, EncodedDataset, Label, LabelSet, LengthHistogram, RunData,
    class_counts,
};
use crate::engine::corpus::labels_of;
use crate::protocol::{DataCard, Event, LengthBin, PreviewRow, Settings};
use crate::source::Attachment;
use crate::tokenizer::Tokenizer;

/// Rows of the preview.
const N_PREVIEW: usize = 20;
/// Heading of the settings that say how data are read.
const GROUP: &str = "Model and data";

/// Data that were read, with their bytes: a run whose settings differ reads them again.
pub struct LoadedData {
    /// Training file and validation file, name and bytes.
    pub files: Vec<(String, Vec<u8>)>,
    /// Whether they are the sentences inside the program.
    pub embedded: bool,
    /// How they were read.
    options: DataOptions,
    /// What was read.
    splits: Rc<RunData>,
}

impl LoadedData {
    fn read(files: Vec<(String, Vec<u8>)>, embedded: bool, options: DataOptions) -> Result<Self, Refusal> {
        let splits = Rc::new(splits(&files, &options)?);
        if splits.labelled().is_none() {
            return Err(Refusal::because(
                "texts without labels are learned on the command line: `dsee train` with the same settings",
            ));
        }
        Ok(Self { files, embedded, options, splits })
    }

    /// The labels of the task.
    pub fn labels(&self) -> LabelSet {
        labels_of(&self.splits)
    }

    /// The data as `options` ask for.
    pub fn with(&self, options: &DataOptions) -> Result<Rc<RunData>, Refusal> {
        if *options == self.options {
            Ok(self.splits.clone())
        } else {
            splits(&self.files, options).map(Rc::new)
        }
    }
}

fn splits(files: &[(String, Vec<u8>)], options: &DataOptions) -> Result<RunData, Refusal> {
    let mut files = files.iter().map(|(name, bytes)| DataFile { name, bytes });
    let Some(train) = files.next() else { return Err(Refusal::because("there is no file to train on")) };
    Ok(RunData::load(train, files.next(), options)?)
}

impl Engine {
    pub(super) async fn load_data(
        &mut self,
        settings: &Settings,
        attachments: &[Attachment],
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let Some(model) = self.model.clone() else {
            return Err(Refusal::because("load a model first: its tokenizer reads the data"));
        };
        if attachments.len() > 2 {
            let names: Vec<&str> = attachments.iter().map(|file| file.name.as_str()).collect();
            let names = names.join(", ");
            return Err(Refusal::because(format!(
                "give one file to train on and at most one to validate on; these are {}: {names}",
                attachments.len()
            )));
        }
        let config = data_config(settings)?;
        let embedded = attachments.is_empty();
        let files = if embedded {
            builtin::data_files().map(|(name, bytes)| (name.to_owned(), bytes)).into()
        } else {
            read_all(attachments, host).await?
        };
        let options = config.data_options(model.pretrained.config.id2label.clone());
        let data = LoadedData::read(files, embedded, options)?;
        let card = card(&data, &model.pretrained.tokenizer, config.max_length)?;
        self.data = Some(Rc::new(data));
        say(host, Event::DataLoaded(card));
        Ok(())
    }
}

/// The settings about data; what stands in the others is not looked at before a run starts.
fn data_config(settings: &Settings) -> Result<RunConfig, Refusal> {
    let mut draft = RunConfigDraft::default();
    for (name, value) in settings {
        if FieldSpec::find(name).is_none_or(|field| field.group == GROUP) {
            draft.set(name, value);
        }
    }
    draft.check().map_err(|errors| Refusal::Rejected(problems_of(errors)))
}

fn card(data: &LoadedData, tokenizer: &Tokenizer, max_length: usize) -> Result<DataCard, Refusal> {
    let Some(splits) = data.splits.labelled() else {
        unreachable!("others were refused when they were read")
    };
    let DataSplits { train, validation, columns, warnings, .. } = splits;
    let encoded = EncodedDataset::new(train, tokenizer, max_length)?;
    let histogram = LengthHistogram::new(&encoded, max_length);
    let preview = train.examples.iter().take(N_PREVIEW).map(|example| PreviewRow {
        text: example.text.clone(),
        text_pair: example.text_pair.clone(),
        label: label_text(example.label, &train.labels),
    });
    Ok(DataCard {
        name: data.files.first().map(|(name, _)| name.clone()).unwrap_or_default(),
        embedded: data.embedded,
        validation_name: data.files.get(1).map(|(name, _)| name.clone()),
        n_train: train.examples.len(),
        n_validation: validation.examples.len(),
        text_column: columns.text.clone(),
        text_pair_column: columns.text_pair.clone(),
        label_column: columns.label.clone().unwrap_or_default(),
        columns: columns.all.clone(),
        label_names: train.labels.names().to_vec(),
        class_counts: class_counts(train),
        preview: preview.collect(),
        tokens: if encoded.is_empty() { Vec::new() } else { tokenizer.tokens(encoded.input_ids(0)) },
        lengths: bins(&histogram),
        mean_length: histogram.mean,
        truncated_share: histogram.truncated_share(),
        warnings: warnings.iter().map(ToString::to_string).collect(),
    })
}

/// A label in words.
pub fn label_text(label: Label, labels: &LabelSet) -> String {
    match label {
        Label::Class(class) => labels.names().get(class as usize).cloned().unwrap_or_default(),
        Label::Score(score) => score.to_string(),
        Label::Unknown => String::new(),
    }
}

fn bins(histogram: &LengthHistogram) -> Vec<LengthBin> {
    let mut from = 1;
    let bin = |&(upper, count): &(u32, usize)| {
        let bin = LengthBin { from, to: upper as usize, count };
        from = bin.to + 1;
        bin
    };
    histogram.bins.iter().map(bin).collect()
}
