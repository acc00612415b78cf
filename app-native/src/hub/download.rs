//! Fetches one model, or files of one data set: file by file, and goes on where an earlier try ended.

use dsee_core::{
    checkpoint::safetensors_read::Header,
    hub::{
        AnswerHead, DatasetFiles, HubError, Identity, LENGTH_RANGE, Listing, Meter, Part, Plan, Repository,
        Retry, Start, Task, Token, check_weights, header_range, start_of,
    },
};
use std::{
    fs,
    io::Read as _,
    ops::Range,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use ureq::Body;

use super::{
    cache::Cache,
    part_file::{PartFile, storage},
    request::Client,
};
use crate::atomic;

/// Bytes that are read and written at once.
const CHUNK: usize = 1 << 16;
/// The list of a data set's files, kept beside them.
pub(super) const LISTING_FILE: &str = ".listing.json";
/// Largest file that is read into memory: settings and lists of shards are far smaller.
const LARGEST_TEXT: u64 = 1 << 26;

/// A model or a data set on its way.
pub struct Download {
    repository: Repository,
    client: Client,
    cache: Cache,
    cancel: Arc<AtomicBool>,
    first_wait: Duration,
    meter: Meter,
    began: Instant,
    /// Whether the hub has answered at all: before that, a mistake in the name is likelier than a broken line.
    answered: bool,
}

/// How a download stands.
pub struct Status<'a> {
    /// File under way.
    pub file: &'a str,
    /// Bytes, rate, time left.
    pub meter: &'a Meter,
}

/// What a task brought.
struct Got {
    n_total: u64,
    text: Vec<u8>,
    header: Option<Header>,
}

type Show<'a> = &'a mut dyn FnMut(&Status<'_>);

impl Download {
    /// A download that has not begun.
    pub fn new(repository: Repository, token: Option<Token>, cache: Cache) -> Self {
        Self {
            repository,
            client: Client::new(token),
            cache,
            cancel: Arc::default(),
            first_wait: Duration::from_millis(500),
            meter: Meter::default(),
            began: Instant::now(),
            answered: false,
        }
    }

    /// Stops the download when it is set.
    pub fn cancel_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.cancel)
    }

    /// Fetches everything that is not there yet, tells `show` how it stands, and gives the folder.
    ///
    /// # Errors
    /// See [`HubError`]; what has come stays for the next try.
    pub fn run(mut self, show: Show<'_>) -> Result<PathBuf, HubError> {
        let asked = self.repository.revision.clone();
        let mut plan = Plan::new(self.repository.id.as_str());
        let (mut config, mut headers) = (Vec::new(), Vec::new());
        while let Some(task) = plan.next().cloned() {
            match self.carry_out(&task, show) {
                Ok(got) => {
                    plan.got(got.n_total, &got.text)?;
                    if config.is_empty() {
                        config = got.text;
                    }
                    headers.extend(got.header);
                }
                Err(error) if task.optional && error.is_missing_file() => plan.absent()?,
                Err(error) => return Err(error),
            }
            self.meter.set_total(plan.n_total());
            show(&Status { file: &task.file, meter: &self.meter });
            let headers_are_there = plan.next().is_some_and(|next| next.part == Part::Whole);
            if headers_are_there && !headers.is_empty() {
                check_weights(&config, &std::mem::take(&mut headers))?;
            }
        }
        let commit = self.repository.revision.as_str();
        let complete = self.cache.complete(&self.repository.id, asked.as_str(), commit);
        complete.map_err(|error| HubError::Storage { reason: format!("{error:#}") })?;
        Ok(self.folder())
    }

    /// Fetches the files of a data set that are not there yet, and gives its folder and which they are.
    ///
    /// # Errors
    /// See [`HubError`]; what has come stays for the next try.
    pub fn run_dataset(
        mut self,
        config: Option<&str>,
        show: Show<'_>,
    ) -> Result<(PathBuf, DatasetFiles), HubError> {
        let asked = self.repository.revision.clone();
        let (listing, text) = self.listing()?;
        let files = DatasetFiles::choose(self.repository.id.as_str(), config, &listing)?;
        self.meter.set_total(files.all().filter_map(|file| listing.size_of(file)).sum());
        for file in files.all() {
            let task = Task { file: file.clone(), optional: false, part: Part::Whole };
            self.carry_out(&task, show)?;
        }
        let commit = self.repository.revision.as_str();
        let listed = atomic::write(&self.folder().join(LISTING_FILE), &text);
        listed.map_err(|error| HubError::Storage { reason: error.to_string() })?;
        let complete = self.cache.complete(&self.repository.id, asked.as_str(), commit);
        complete.map_err(|error| HubError::Storage { reason: format!("{error:#}") })?;
        Ok((self.folder(), files))
    }

    fn listing(&mut self) -> Result<(Listing, Vec<u8>), HubError> {
        let (head, body) = self.client.get_listing(&self.repository)?;
        self.answered = true;
        let text = read_small(body, "the list of files", head.content_length)?;
        let listing = Listing::parse(self.repository.endpoint.host(), &text)?;
        self.repository.pin(listing.commit.as_deref().or(head.commit.as_deref()));
        Ok((listing, text))
    }

    /// Where the files go; known for good after the first answer.
    fn folder(&self) -> PathBuf {
        self.cache.folder(&self.repository.id, self.repository.revision.as_str())
    }

    /// Tries a task until it is done or there is no use in trying.
    fn carry_out(&mut self, task: &Task, show: Show<'_>) -> Result<Got, HubError> {
        let mut retry = Retry::waiting(self.first_wait);
        let mut is_first = true;
        loop {
            let n_before = self.meter.n_done();
            let done = match task.part {
                Part::Text => self.text(&task.file),
                Part::Header => self.header(&task.file),
                Part::Whole => self.whole(&task.file, is_first, show),
            };
            is_first = false;
            let error = match done {
                Ok(got) => return Ok(got),
                Err(error) => error,
            };
            if self.meter.n_done() > n_before {
                retry.progressed();
            }
            match retry.after(&error) {
                Some(wait) if self.answered => self.sleep(wait)?,
                _ => return Err(error),
            }
        }
    }

    fn get(&mut self, file: &str, range: Option<&Range<u64>>) -> Result<(AnswerHead, Body), HubError> {
        self.check_cancel()?;
        let answer = self.client.get(&self.repository, file, range);
        self.answered |= !matches!(answer, Err(HubError::Offline { .. }));
        let (head, body) = answer?;
        self.repository.pin(head.commit.as_deref());
        Ok((head, body))
    }

    /// A small file, kept and shown.
    fn text(&mut self, file: &str) -> Result<Got, HubError> {
        let (head, body) = self.get(file, None)?;
        let text = read_small(body, file, head.content_length)?;
        self.meter.add_received(self.seconds(), text.len() as u64);
        let folder = self.folder();
        fs::create_dir_all(&folder).map_err(|error| storage(&error))?;
        let written = atomic::write(&folder.join(file), &text);
        written.map_err(|error| HubError::Storage { reason: error.to_string() })?;
        Ok(Got { n_total: text.len() as u64, text, header: None })
    }

    /// The header of a weight file; only its size if the host gives no parts of files.
    fn header(&mut self, file: &str) -> Result<Got, HubError> {
        let (head, body) = self.get(file, Some(&LENGTH_RANGE))?;
        let n_total = head.identity().n_total.unwrap_or_default();
        if head.status != 206 || n_total == 0 {
            return Ok(Got { n_total, text: Vec::new(), header: None });
        }
        let mut first = read_small(body, file, Some(LENGTH_RANGE.end))?;
        if let Some(range) = header_range(file, &first, n_total)? {
            let (_, body) = self.get(file, Some(&range))?;
            first.extend(read_small(body, file, Some(range.end - range.start))?);
        }
        Ok(Got { n_total, text: Vec::new(), header: Some(Header::parse(file, &first, n_total)?) })
    }

    /// A file of any size, kept. The meter counts what is there of it, from the first try on.
    fn whole(&mut self, file: &str, is_first: bool, show: Show<'_>) -> Result<Got, HubError> {
        let path = self.folder().join(file);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| storage(&error))?;
        }
        if let Ok(there) = fs::metadata(&path) {
            self.meter.add_kept(there.len());
            return Ok(Got { n_total: there.len(), text: Vec::new(), header: None });
        }
        let (mut part, kept) = PartFile::find(&path);
        self.meter.add_kept(if is_first { part.n_have() } else { 0 });
        let n_total = match kept.n_total {
            Some(n_total) if n_total == part.n_have() => return self.finish(part),
            Some(n_total) if (1..n_total).contains(&part.n_have()) => {
                self.go_on(file, n_total, &kept, &mut part, show)?
            }
            _ => self.begin(file, &mut part, show)?,
        };
        let n_have = part.n_have();
        match n_total {
            Some(n_total) if n_have < n_total => {
                Err(HubError::CutOff { file: file.to_owned(), n_have, n_total })
            }
            Some(n_total) if n_have > n_total => {
                self.clear(&mut part)?;
                Err(HubError::CutOff { file: file.to_owned(), n_have: 0, n_total })
            }
            _ => self.finish(part),
        }
    }

    /// Fetches the rest of a file; all of it where the rest does not fit. Gives the length of the whole file.
    fn go_on(
        &mut self,
        file: &str,
        n_total: u64,
        kept: &Identity,
        part: &mut PartFile,
        show: Show<'_>,
    ) -> Result<Option<u64>, HubError> {
        let (head, body) = self.get(file, Some(&(part.n_have()..n_total)))?;
        match start_of(part.n_have(), kept, &head) {
            Start::Append => self.receive(body, part, file, show).map(|()| Some(n_total)),
            Start::Anew => self.replace(&head, body, file, part, show),
            Start::Complete => Ok(Some(part.n_have())),
            Start::AskAgain => self.begin(file, part, show),
        }
    }

    /// Fetches a file from its first byte. Gives its length, if the host says it.
    fn begin(&mut self, file: &str, part: &mut PartFile, show: Show<'_>) -> Result<Option<u64>, HubError> {
        let (head, body) = self.get(file, None)?;
        self.replace(&head, body, file, part, show)
    }

    /// Takes a body as the whole file, in place of what is there.
    fn replace(
        &mut self,
        head: &AnswerHead,
        body: Body,
        file: &str,
        part: &mut PartFile,
        show: Show<'_>,
    ) -> Result<Option<u64>, HubError> {
        self.clear(part)?;
        let identity = head.identity();
        part.note(&identity)?;
        self.receive(body, part, file, show)?;
        Ok(identity.n_total)
    }

    fn clear(&mut self, part: &mut PartFile) -> Result<(), HubError> {
        self.meter.drop_kept(part.n_have());
        part.clear()
    }

    fn finish(&self, part: PartFile) -> Result<Got, HubError> {
        let n_total = part.n_have();
        part.finish()?;
        Ok(Got { n_total, text: Vec::new(), header: None })
    }

    /// Reads a body to its end or to where it breaks off.
    fn receive(
        &mut self,
        body: Body,
        part: &mut PartFile,
        file: &str,
        show: Show<'_>,
    ) -> Result<(), HubError> {
        let mut reader = body.into_reader();
        let mut chunk = vec![0; CHUNK];
        loop {
            self.check_cancel()?;
            let n_read = match reader.read(&mut chunk) {
                // A broken line is a short file: what came is kept, and the length tells.
                Ok(0) | Err(_) => return Ok(()),
                Ok(n_read) => n_read,
            };
            part.append(&chunk[..n_read])?;
            self.meter.add_received(self.seconds(), n_read as u64);
            show(&Status { file, meter: &self.meter });
        }
    }

    fn sleep(&self, wait: Duration) -> Result<(), HubError> {
        let until = Instant::now() + wait;
        while Instant::now() < until {
            self.check_cancel()?;
            std::thread::sleep(wait.min(Duration::from_millis(50)));
        }
        Ok(())
    }

    fn check_cancel(&self) -> Result<(), HubError> {
        if self.cancel.load(Ordering::Relaxed) { Err(HubError::Cancelled) } else { Ok(()) }
    }

    fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}

/// All of a small body, or a temporary error if it breaks off.
fn read_small(body: Body, file: &str, expected: Option<u64>) -> Result<Vec<u8>, HubError> {
    let mut bytes = Vec::new();
    let read = body.into_reader().take(LARGEST_TEXT).read_to_end(&mut bytes);
    let n_have = bytes.len() as u64;
    let n_total = expected.unwrap_or(n_have);
    if read.is_err() || n_have != n_total {
        return Err(HubError::CutOff { file: file.to_owned(), n_have, n_total });
    }
    Ok(bytes)
}

#[cfg(test)]
#[path = "download_tests.rs"]
mod tests;
