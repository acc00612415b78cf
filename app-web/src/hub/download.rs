//! One download from its first request to the last byte.

use std::time::Duration;

use dsee_core::{
    checkpoint::safetensors_read::Header,
    hub::{
        AnswerHead, Endpoint, HubError, Identity, LENGTH_RANGE, Part, Plan, Repository, RepositoryKind,
        Retry, Revision, Start, Task, Token, check_weights, header_range, range_header, start_of,
    },
};
use wasm_bindgen::prelude::*;

use super::{
    bridge::{HubAnswer, HubStore},
    counter::{Counter, Progress},
};

/// Bytes at the end of a range that is open: more than any file has, so that the simple form of a range will do.
const FAR_END: u64 = 1 << 46;

/// Fetches all files of a model into the store; those that are there already are not fetched again.
///
/// # Errors
/// Everything that can go wrong between here and the hub; what has come is kept.
pub async fn fetch(
    store: HubStore,
    id: &str,
    revision: &str,
    token: Option<&str>,
    progress: Progress,
) -> Result<(), HubError> {
    let named = store.endpoint();
    let endpoint = if named.is_empty() { Endpoint::default() } else { Endpoint::new(&named)? };
    let repository = Repository {
        kind: RepositoryKind::Model,
        endpoint,
        id: id.parse()?,
        revision: Revision::new(revision)?,
    };
    let token = token.map(Token::new).transpose()?.flatten();
    let counter = Counter::new(id, progress, store.clone());
    let mut job = Job { store, repository, token, counter, config: Vec::new(), headers: Vec::new() };
    let mut plan = Plan::new(id);
    while let Some(task) = plan.next().cloned() {
        job.counter.begin(&task.file, plan.n_total());
        match job.carry_out(&task).await {
            Ok((n_bytes, text)) => plan.got(n_bytes, &text)?,
            Err(error) if error.is_missing_file() => plan.absent()?,
            Err(error) => return Err(error),
        }
        job.check_once_known(plan.next())?;
    }
    Ok(())
}

struct Job {
    store: HubStore,
    repository: Repository,
    token: Option<Token>,
    counter: Counter,
    config: Vec<u8>,
    headers: Vec<Header>,
}

impl Job {
    /// Does one task, with as many tries as it is worth. Gives the size of the file, and its text if it is asked for.
    async fn carry_out(&mut self, task: &Task) -> Result<(u64, Vec<u8>), HubError> {
        let mut retry = Retry::new();
        loop {
            let before = self.counter.n_done();
            let done = match task.part {
                Part::Text => self.text(task).await,
                Part::Header => self.header(task).await,
                Part::Whole => self.whole(task).await.map(|n_bytes| (n_bytes, Vec::new())),
            };
            let Err(error) = done else { return done };
            if self.counter.is_cancelled() {
                return Err(HubError::Cancelled);
            }
            if self.counter.n_done() > before {
                retry.progressed();
            }
            let Some(wait) = retry.after(&error) else { return Err(error) };
            self.wait(wait).await;
        }
    }

    async fn wait(&self, wait: Duration) {
        // A timer is only ever kept.
        let _ = self.store.sleep(wait.as_secs_f64() * 1e3).await;
    }

    async fn text(&mut self, task: &Task) -> Result<(u64, Vec<u8>), HubError> {
        let url = self.repository.url(&task.file);
        let text = match self.kept(&url).await {
            Some(_) => self.store.read(&url, f64::MAX).await.map_err(unkept)?.to_vec(),
            None => {
                let (answer, _) = self.ask(task, None).await?;
                let text = answer.bytes().await.map_err(|error| self.offline(&error))?.to_vec();
                // The answer may have pinned the revision: the file is kept under the address that never changes.
                let url = self.repository.url(&task.file);
                let id = self.repository.id.to_string();
                self.store.store(&url, &id, &task.file, &text).await.map_err(unkept)?;
                text
            }
        };
        self.counter.whole_file(text.len() as u64);
        if self.config.is_empty() {
            self.config.clone_from(&text);
        }
        Ok((text.len() as u64, text))
    }

    /// The header of a weight file: from the file if it is here, else by two small requests.
    async fn header(&mut self, task: &Task) -> Result<(u64, Vec<u8>), HubError> {
        let url = self.repository.url(&task.file);
        if let Some(n_total) = self.kept(&url).await {
            let length = self.store.read(&url, LENGTH_RANGE.end as f64).await.map_err(unkept)?.to_vec();
            if let Some(range) = header_range(&task.file, &length, n_total)? {
                let bytes = self.store.read(&url, range.end as f64).await.map_err(unkept)?.to_vec();
                self.headers.push(Header::parse(&task.file, &bytes, n_total)?);
            }
            return Ok((n_total, Vec::new()));
        }
        let (answer, head) = self.ask(task, Some(range_header(&LENGTH_RANGE))).await?;
        let n_total = head.identity().n_total.unwrap_or_default();
        if head.status != 206 {
            // A host without ranges: the file is checked when it is read.
            answer.discard();
            return Ok((n_total, Vec::new()));
        }
        let mut bytes = answer.bytes().await.map_err(|error| self.offline(&error))?.to_vec();
        if let Some(range) = header_range(&task.file, &bytes, n_total)? {
            let (answer, _) = self.ask(task, Some(range_header(&range))).await?;
            bytes.extend(answer.bytes().await.map_err(|error| self.offline(&error))?.to_vec());
            self.headers.push(Header::parse(&task.file, &bytes, n_total)?);
        }
        Ok((n_total, Vec::new()))
    }

    /// A file as a whole, after what is there of it.
    async fn whole(&mut self, task: &Task) -> Result<u64, HubError> {
        let url = self.repository.url(&task.file);
        if let Some(n_bytes) = self.kept(&url).await {
            self.counter.whole_file(n_bytes);
            return Ok(n_bytes);
        }
        let partial = self.store.partial(&url).await.map_err(unkept)?;
        let mut n_have = partial.n_bytes() as u64;
        let mut identity: Identity = serde_json::from_str(&partial.identity()).unwrap_or_default();
        self.counter.start_file(n_have);
        let range = (n_have > 0).then(|| range_header(&(n_have..FAR_END)));
        let (answer, head) = self.ask(task, range).await?;
        match start_of(n_have, &identity, &head) {
            Start::Complete => return self.complete(&url, task, n_have).await,
            Start::Append => {}
            start => {
                self.store.drop_partial(&url).await.map_err(unkept)?;
                self.counter.start_file(0);
                n_have = 0;
                if start == Start::AskAgain {
                    answer.discard();
                    return Err(self.cut_off(task, 0, head.identity().n_total));
                }
            }
        }
        if n_have == 0 {
            identity = head.identity();
        }
        let words = serde_json::to_string(&identity).unwrap_or_default();
        let on_bytes = self.counter.listener();
        let end = self.store.keep_rest(&url, n_have as f64, &words, &answer, &on_bytes).await;
        let n_have = match &end {
            Ok(end) => end.as_f64().unwrap_or_default() as u64,
            Err(_) => self.store.partial(&url).await.map_err(unkept)?.n_bytes() as u64,
        };
        match (end, identity.n_total) {
            (_, Some(n_total)) if n_have < n_total => Err(self.cut_off(task, n_have, Some(n_total))),
            (Err(error), _) => Err(self.offline(&error)),
            (Ok(_), _) => self.complete(&url, task, n_have).await,
        }
    }

    async fn complete(&self, url: &str, task: &Task, n_bytes: u64) -> Result<u64, HubError> {
        let id = self.repository.id.to_string();
        self.store.complete(url, &id, &task.file).await.map_err(unkept)?;
        Ok(n_bytes)
    }

    /// Bytes of a file that is here as a whole. Only a pinned address is trusted: a branch moves.
    async fn kept(&self, url: &str) -> Option<u64> {
        let n_bytes = self.store.has(url).await.ok()?.as_f64()?;
        (self.repository.revision.is_commit() && n_bytes >= 0.0).then_some(n_bytes as u64)
    }

    async fn ask(&mut self, task: &Task, range: Option<String>) -> Result<(HubAnswer, AnswerHead), HubError> {
        let url = self.repository.url(&task.file);
        let token = self.token.as_ref().filter(|_| self.repository.endpoint.is_origin_of(&url));
        let authorization = token.map(Token::authorization);
        let answer = self.store.request(&url, range, authorization).await;
        let answer = answer.map_err(|error| self.offline(&error))?;
        let head = AnswerHead::read(answer.status(), |name| answer.header(name));
        if !matches!(head.status, 200 | 206 | 416) {
            answer.discard();
            return Err(HubError::of(&head, &self.repository, &task.file, self.token.is_some()));
        }
        self.repository.pin(head.commit.as_deref());
        Ok((answer, head))
    }

    /// As soon as settings and headers are here, and before anything large is fetched.
    fn check_once_known(&mut self, next: Option<&Task>) -> Result<(), HubError> {
        let known = next.is_some_and(|task| task.part == Part::Whole) && !self.headers.is_empty();
        if known {
            check_weights(&self.config, &std::mem::take(&mut self.headers))?;
        }
        Ok(())
    }

    fn offline(&self, error: &JsValue) -> HubError {
        let reason = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
        HubError::Offline {
            host: self.repository.endpoint.host().to_owned(),
            reason: reason.unwrap_or_else(|| "the browser gives no reason".to_owned()),
        }
    }

    fn cut_off(&self, task: &Task, n_have: u64, n_total: Option<u64>) -> HubError {
        HubError::CutOff { file: task.file.clone(), n_have, n_total: n_total.unwrap_or_default() }
    }
}

/// What the browser's storage says when it cannot be used at all; what merely does not fit stays in memory.
fn unkept(error: JsValue) -> HubError {
    let reason = String::from(js_sys::Error::from(error).message());
    HubError::Storage { reason: format!("{reason}; try a window that is not private") }
}
