//! Reading data.

use std::rc::Rc;

use super::reading::read_all;
use super::refusal::problems_of;
use super::{Engine, Host, Refusal, data_card, say};
use crate::builtin;
use crate::config::{FieldSpec, RunConfig, RunConfigDraft, TaskType};
use crate::data::{DataFile, DataOptions, LabelSet, RunData};
use crate::engine::BaseModel;
use crate::engine::corpus::{head_of, labels_of};
use crate::models::config::ModelConfig;
use crate::models::family::Head;
use crate::protocol::{Event, Settings};
use crate::source::Attachment;

/// Heading of the settings that say how data are read.
const GROUP: &str = "Model and data";

/// Data that were read, with their bytes: a run whose settings differ reads them again.
pub struct LoadedData {
    /// Training file and validation file, name and bytes.
    pub files: Vec<(String, Vec<u8>)>,
    /// Whether they are a set inside the program.
    pub embedded: bool,
    /// How they were read.
    options: DataOptions,
    /// What was read.
    pub splits: Rc<RunData>,
}

impl LoadedData {
    fn read(files: Vec<(String, Vec<u8>)>, embedded: bool, options: DataOptions) -> Result<Self, Refusal> {
        let splits = Rc::new(splits(&files, &options)?);
        Ok(Self { files, embedded, options, splits })
    }

    /// The labels of the task.
    pub fn labels(&self) -> LabelSet {
        labels_of(&self.splits)
    }

    /// The head that a model needs for them.
    pub fn head(&self, model: &ModelConfig) -> Head {
        head_of(&self.splits, model)
    }

    /// Whether they are texts alone.
    pub fn is_plain(&self) -> bool {
        matches!(*self.splits, RunData::Plain(_))
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
            let files = match config.task_type {
                TaskType::Generation => builtin::meaning_files(),
                _ => builtin::data_files(),
            };
            files.map(|(name, bytes)| (name.to_owned(), bytes)).into()
        } else {
            read_all(attachments, host).await?
        };
        let options = config.data_options(model.pretrained.config.id2label.clone());
        let data = LoadedData::read(files, embedded, options)?;
        // What a run would say at its start is said now, as the command line does.
        let head = data.head(&model.pretrained.config);
        BaseModel::check_head(&model.pretrained.config, head)?;
        let card = data_card::card(&data, head, &model.pretrained.tokenizer, &config)?;
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
