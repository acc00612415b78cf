//! Models from the hub for the window: fetched on a thread of their own, listed, deleted.

use dsee_core::hub::{HubError, Repository, RepositoryKind, Revision, Token};
use dsee_ui::{
    Notice, Purpose,
    shell::{Download as Shown, Storage},
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::held_files::HeldFiles;
use crate::hub::{self, Cache, Download};

/// Shortest time between two notices of a download.
const BETWEEN_NOTICES: Duration = Duration::from_millis(100);

/// Tells the window something, from any thread.
pub type Tell = Arc<dyn Fn(Notice) + Send + Sync>;

/// The models that are kept, and the one on its way.
pub struct ModelStore {
    cache: Option<Cache>,
    held: HeldFiles,
    tell: Tell,
    cancel: Option<Arc<AtomicBool>>,
}

impl ModelStore {
    /// A store over `cache`.
    pub fn new(cache: Option<Cache>, held: HeldFiles, tell: Tell) -> Self {
        Self { cache, held, tell, cancel: None }
    }

    /// Fetches a model in the background; uses the kept one if it is there.
    pub fn fetch(&mut self, id: &str, revision: &str, token: Option<&str>) {
        self.stop();
        let problem = |error: HubError| Shown {
            id: id.to_owned(),
            problem: Some(error.to_string()),
            ..Shown::default()
        };
        match self.begin(id, revision, token) {
            Ok(cancel) => self.cancel = cancel,
            Err(error) => (self.tell)(Notice::Download(Box::new(problem(error)))),
        }
    }

    fn begin(
        &self,
        id: &str,
        revision: &str,
        token: Option<&str>,
    ) -> Result<Option<Arc<AtomicBool>>, HubError> {
        let storage = |reason: String| HubError::Storage { reason };
        let cache = self.cache.clone();
        let cache = cache.ok_or_else(|| storage("name a folder for models in DSEE_CACHE".to_owned()))?;
        let (model, revision) = (id.parse()?, Revision::new(revision)?);
        let (held, tell, id) = (self.held.clone(), Arc::clone(&self.tell), id.to_owned());
        if let Some(folder) = cache.find(&model, revision.as_str()) {
            finish(&id, &folder, &held, &tell);
            return Ok(None);
        }
        let token = match token {
            Some(token) => Token::new(token)?,
            None => hub::token()?,
        };
        let repository =
            Repository { kind: RepositoryKind::Model, endpoint: hub::endpoint()?, id: model, revision };
        let download = Download::new(repository, token, cache);
        let cancel = download.cancel_flag();
        let body = move || run(download, &id, &held, &tell);
        thread::Builder::new()
            .name("download".to_owned())
            .spawn(body)
            .map_err(|error| storage(error.to_string()))?;
        Ok(Some(cancel))
    }

    /// Stops the download under way.
    pub fn stop(&mut self) {
        if let Some(cancel) = self.cancel.take() {
            cancel.store(true, Ordering::Relaxed);
        }
    }

    /// Tells what is kept.
    pub fn list(&self) {
        let models = self.cache.as_ref().map(Cache::list).unwrap_or_default();
        let models: Vec<(String, u64)> =
            models.into_iter().map(|model| (model.id.to_string(), model.n_bytes)).collect();
        let n_used = models.iter().map(|(_, n_bytes)| n_bytes).sum();
        (self.tell)(Notice::Storage(Storage { models, n_used, n_available: None }));
    }

    /// Hands the files of a kept model to the window.
    pub fn open(&self, id: &str) {
        let folder = id.parse().ok().and_then(|id| self.cache.as_ref()?.find_any(&id));
        match folder {
            Some(folder) => finish(id, &folder, &self.held, &self.tell),
            None => (self.tell)(Notice::Problem(format!(
                "{id} is not here completely: fetch it again, the download goes on where it stopped."
            ))),
        }
    }

    /// Removes a kept model, and tells what is left.
    pub fn delete(&self, id: &str) {
        let deleted = id.parse().ok().zip(self.cache.as_ref()).map(|(id, cache)| cache.delete(&id));
        if let Some(Err(error)) = deleted {
            (self.tell)(Notice::Problem(format!("{error:#}")));
        }
        self.list();
    }
}

/// Carries a download out and tells of it.
fn run(download: Download, id: &str, held: &HeldFiles, tell: &Tell) {
    let mut told_at: Option<Instant> = None;
    let mut shown = Shown { id: id.to_owned(), ..Shown::default() };
    let fetched = download.run(&mut |status| {
        shown.file = status.file.to_owned();
        (shown.n_done, shown.n_total) = (status.meter.n_done(), status.meter.n_total());
        shown.rate = status.meter.rate();
        if told_at.is_none_or(|at| at.elapsed() >= BETWEEN_NOTICES) {
            told_at = Some(Instant::now());
            tell(Notice::Download(Box::new(shown.clone())));
        }
    });
    match fetched {
        Ok(folder) => {
            shown.finished = true;
            tell(Notice::Download(Box::new(shown)));
            finish(id, &folder, held, tell);
        }
        Err(error) => {
            shown.problem = Some(error.to_string());
            tell(Notice::Download(Box::new(shown)));
        }
    }
}

fn finish(id: &str, folder: &Path, held: &HeldFiles, tell: &Tell) {
    let files = held.hold_folder(folder);
    tell(Notice::Files { purpose: Purpose::Model, name: id.to_owned(), files });
}
