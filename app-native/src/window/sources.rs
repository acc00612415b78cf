//! Where the loaded model and data came from, so that a run's settings can name them.

use dsee_core::{
    config::RunConfig,
    protocol::{Command, Event},
    source::NamedBytes,
};
use std::path::Path;

use super::{
    engine_thread::{EngineFile, Order},
    held_files::name_of,
};
use crate::hub::Cache;

/// The model and the data that the engine has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sources {
    /// Folder or hub id; `None` for the embedded model.
    model: Option<String>,
    /// Training file, perhaps a validation file; none for the embedded sentences.
    data: Vec<EngineFile>,
}

/// The same, and what is on its way to the engine.
#[derive(Debug, Default)]
pub struct SourceTracker {
    loaded: Sources,
    model_on_its_way: Option<Option<String>>,
    data_on_their_way: Option<Vec<EngineFile>>,
}

impl SourceTracker {
    /// Takes note of a command.
    pub fn sent(&mut self, order: &Order, cache: Option<&Cache>) {
        match &order.command {
            Command::LoadModel { .. } => self.model_on_its_way = Some(model_place(&order.files, cache)),
            Command::LoadData { .. } => self.data_on_their_way = Some(order.files.clone()),
            _ => {}
        }
    }

    /// Takes note of an answer.
    pub fn told(&mut self, event: &Event) {
        match event {
            Event::ModelLoaded(_) => self.loaded.model = self.model_on_its_way.take().flatten(),
            Event::DataLoaded(_) => self.loaded.data = self.data_on_their_way.take().unwrap_or_default(),
            Event::Rejected { command: Command::LoadModel { .. }, .. } => self.model_on_its_way = None,
            Event::Rejected { command: Command::LoadData { .. }, .. } => self.data_on_their_way = None,
            _ => {}
        }
    }

    /// What a run that starts now works on.
    pub fn now(&self) -> Sources {
        self.loaded.clone()
    }
}

impl Sources {
    /// Names model and data in the settings of a run whose folder is `folder`. Data that were pasted get a file there:
    /// these are given back, to be written when the folder exists.
    pub fn name_in(&self, config: &mut RunConfig, folder: &Path) -> Vec<NamedBytes> {
        config.model.clone_from(&self.model);
        let mut pasted = Vec::new();
        let mut place = |file: &EngineFile| match file {
            EngineFile::Path { path, .. } => path.display().to_string(),
            EngineFile::Bytes(file) => {
                let name = format!("data-{}", name_of(Path::new(&file.name)));
                let path = folder.join(&name).display().to_string();
                pasted.push(NamedBytes { name, bytes: file.bytes.clone() });
                path
            }
        };
        config.train_file = self.data.first().map(&mut place);
        config.validation_file = self.data.get(1).map(&mut place);
        pasted
    }
}

/// The folder of the model's files, or its name on the hub if they lie in the cache.
fn model_place(files: &[EngineFile], cache: Option<&Cache>) -> Option<String> {
    let folder = files.iter().find_map(|file| match file {
        EngineFile::Path { path, .. } => path.parent(),
        EngineFile::Bytes(_) => None,
    })?;
    let id = cache.and_then(|cache| cache.id_of(folder)).map(|id| id.to_string());
    Some(id.unwrap_or_else(|| folder.display().to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use dsee_core::{
        config::RunConfigDraft,
        protocol::{DataCard, ModelCard, Problem, Settings},
    };

    fn path(text: &str) -> EngineFile {
        EngineFile::Path { name: name_of(Path::new(text)), path: text.into() }
    }

    fn load_model(text: &str) -> Order {
        Order { command: Command::LoadModel { name: String::new() }, files: vec![path(text)] }
    }

    #[test]
    fn a_run_names_what_was_loaded_and_not_what_was_refused() {
        let mut tracker = SourceTracker::default();
        let cache = Cache::new("/home/me/cache".into());
        tracker.sent(&load_model("/home/me/model/config.json"), Some(&cache));
        tracker.told(&Event::ModelLoaded(ModelCard::default()));
        let bad = load_model("/home/me/bad/config.json");
        tracker.sent(&bad, Some(&cache));
        tracker.told(&Event::Rejected { command: bad.command, problems: vec![Problem::default()] });
        let pasted = NamedBytes { name: "pasted.csv".to_owned(), bytes: b"text,label".to_vec() };
        let files = vec![path("/home/me/train.tsv"), EngineFile::Bytes(pasted)];
        tracker
            .sent(&Order { command: Command::LoadData { settings: Settings::new() }, files }, Some(&cache));
        tracker.told(&Event::DataLoaded(DataCard::default()));
        let mut config = RunConfigDraft::default().check().unwrap();
        let pasted = tracker.now().name_in(&mut config, Path::new("/home/me/runs/1"));
        assert_eq!(config.model.as_deref(), Some("/home/me/model"));
        assert_eq!(config.train_file.as_deref(), Some("/home/me/train.tsv"));
        assert!(config.validation_file.unwrap().ends_with("data-pasted.csv"));
        assert_eq!(pasted[0].name, "data-pasted.csv");
    }

    #[test]
    fn models_of_the_hub_are_named_by_their_id() {
        let cache = Cache::new("/home/me/cache".into());
        let id = "org/name".parse().unwrap();
        let file = cache.folder(&id, "0123").join("config.json");
        let mut tracker = SourceTracker::default();
        tracker.sent(&load_model(file.to_str().unwrap()), Some(&cache));
        tracker.told(&Event::ModelLoaded(ModelCard::default()));
        assert_eq!(tracker.now().model.as_deref(), Some("org/name"));
    }
}
