//! A model hub on this machine, as small as can be: it serves files of one model, knows ranges, remembers what it was
//! asked, and misbehaves on demand.

#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "tests fail by panicking, and no test file needs all of this"
)]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

/// The commit that every answer names.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// One request.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What for.
    pub path: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `Range` header.
    pub range: Option<String>,
}

/// Another answer than the right one.
#[derive(Clone, Debug)]
pub enum How {
    /// The connection ends after 60 % of a whole file.
    Cut,
    /// No file, but this status.
    Status(u16),
    /// The same path on another server.
    Redirect(String),
    /// The right bytes of a range under another etag, as if the file had changed.
    OtherEtag,
}

struct State {
    files: Mutex<Vec<(String, Vec<u8>)>>,
    seen: Mutex<Vec<Seen>>,
    /// File, what to do, how many times still.
    rules: Mutex<Vec<(String, How, usize)>>,
    stopped: AtomicBool,
}

/// The server; it ends with this value.
pub struct HubServer {
    address: std::net::SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl HubServer {
    /// Serves these files as those of every model.
    pub fn start(files: Vec<(String, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, rules) = (Mutex::default(), Mutex::default());
        let files = Mutex::new(files);
        let state = Arc::new(State { files, seen, rules, stopped: AtomicBool::new(false) });
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.stopped.load(Ordering::SeqCst) {
                    return;
                }
                // A client that hangs up early is what some tests are about.
                serve(&shared, stream).ok();
            }
        });
        Self { address, state, thread: Some(thread) }
    }

    /// Where it is.
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Misbehaves `times` times when asked for `file`. Earlier rules are used up first.
    pub fn rule(&self, file: &str, how: How, times: usize) {
        lock(&self.state.rules).push((file.to_owned(), how, times));
    }

    /// Serves this file, too, instead of one of the same name.
    pub fn serve_too(&self, file: &str, bytes: &[u8]) {
        let mut files = lock(&self.state.files);
        files.retain(|(name, _)| name != file);
        files.push((file.to_owned(), bytes.to_vec()));
    }

    /// What it was asked so far.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.state.seen).clone()
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // The listener wakes up by one more connection.
            TcpStream::connect(self.address).ok();
            thread.join().ok();
        }
    }
}

impl Drop for HubServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(state: &State, stream: TcpStream) -> std::io::Result<()> {
    let seen = read_request(&stream)?;
    lock(&state.seen).push(seen.clone());
    let answer = answer(state, &seen);
    let mut stream = stream;
    stream.write_all(&answer)?;
    stream.flush()?;
    stream.shutdown(Shutdown::Write)
}

fn read_request(stream: &TcpStream) -> std::io::Result<Seen> {
    let mut seen = Seen { path: String::new(), authorization: None, range: None };
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if seen.path.is_empty() {
            seen.path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        }
        match line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())) {
            Some((name, value)) if name == "authorization" => seen.authorization = Some(value),
            Some((name, value)) if name == "range" => seen.range = Some(value),
            _ => {}
        }
    }
    Ok(seen)
}

fn answer(state: &State, seen: &Seen) -> Vec<u8> {
    let file = seen.path.rsplit('/').next().unwrap_or_default();
    let files = lock(&state.files);
    let found = files.iter().find(|(name, _)| name == file);
    match (take_rule(state, file, seen.range.is_some()), found) {
        (Some(How::Status(status)), _) => head(status, "", 0),
        (Some(How::Redirect(to)), _) => head(302, &format!("location: {to}{}\r\n", seen.path), 0),
        (_, None) => head(404, "x-error-code: EntryNotFound\r\n", 0),
        (rule, Some((_, bytes))) => {
            let range = seen.range.as_deref().and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
            let range =
                range.and_then(|(first, last)| Some((first.parse().ok()?, last.parse::<usize>().ok()?)));
            let etag = if matches!(rule, Some(How::OtherEtag)) { "new" } else { "old" };
            let etag = format!("etag: \"{etag}\"\r\n");
            match range {
                Some((first, last)) if first <= last && last < bytes.len() => {
                    let range = format!("{etag}content-range: bytes {first}-{last}/{}\r\n", bytes.len());
                    [head(206, &range, last + 1 - first), bytes[first..=last].to_vec()].concat()
                }
                Some(_) => head(416, &format!("content-range: bytes */{}\r\n", bytes.len()), 0),
                None => {
                    let n_sent =
                        if matches!(rule, Some(How::Cut)) { bytes.len() * 6 / 10 } else { bytes.len() };
                    [head(200, &etag, bytes.len()), bytes[..n_sent].to_vec()].concat()
                }
            }
        }
    }
}

/// The rule that applies, if there is one; it is used up by one.
fn take_rule(state: &State, file: &str, is_range: bool) -> Option<How> {
    let mut rules = lock(&state.rules);
    let fits = |how: &How| match how {
        How::Cut => !is_range,
        How::OtherEtag => is_range,
        _ => true,
    };
    let at = rules.iter().position(|(name, how, times)| name == file && *times > 0 && fits(how))?;
    rules[at].2 -= 1;
    Some(rules[at].1.clone())
}

fn head(status: u16, headers: &str, n_bytes: usize) -> Vec<u8> {
    let fixed = format!("x-repo-commit: {COMMIT}\r\ncontent-length: {n_bytes}\r\nconnection: close\r\n");
    format!("HTTP/1.1 {status} Answer\r\n{fixed}{headers}\r\n").into_bytes()
}
