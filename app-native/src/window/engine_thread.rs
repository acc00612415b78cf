//! The engine on a thread of its own, and the channels to it and back.

use dsee_core::{
    engine::service::{Host, Reply, Request},
    protocol::{Command, Event, FailureKind, FailureReport, Problem},
    source::{Attachment, NamedBytes},
};
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    rc::Rc,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::file_source::FileSource;

/// Wakes the window up; it sleeps while nothing happens.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// A command on its way to the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// What to do.
    pub command: Command,
    /// What travels beside it.
    pub files: Vec<EngineFile>,
}

/// A file on its way to the engine, which opens it itself: sources stay on one thread.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineFile {
    /// On the disk.
    Path {
        /// Its name for the engine.
        name: String,
        /// Where it is.
        path: PathBuf,
    },
    /// In memory.
    Bytes(NamedBytes),
}

/// What comes back.
pub enum FromEngine {
    /// An event with its bytes.
    Reply(Box<Reply>),
    /// The engine has ended: a mistake of this program.
    Gone(FailureReport),
}

/// Longest wait for the engine's end. It ends between two pieces of work, which are far shorter.
const LONGEST_END: Duration = Duration::from_secs(10);

/// The running engine. It ends when this is dropped.
pub struct EngineThread {
    orders: async_channel::Sender<Order>,
    replies: async_channel::Receiver<FromEngine>,
    thread: Option<JoinHandle<()>>,
}

impl EngineThread {
    /// Starts `engine` on a new thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(wake: Wake, engine: impl FnOnce(&mut NativeHost) + Send + 'static) -> io::Result<Self> {
        let (orders, taken) = async_channel::unbounded();
        let (told, replies) = async_channel::unbounded();
        let mut host = NativeHost { orders: taken, replies: told.clone(), wake: Arc::clone(&wake) };
        let body = move || {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| engine(&mut host))) {
                told.try_send(FromEngine::Gone(crash_report(panic.as_ref()))).ok();
                wake();
            }
        };
        let thread = thread::Builder::new().name("engine".to_owned()).spawn(body)?;
        Ok(Self { orders, replies, thread: Some(thread) })
    }

    /// Sends a command. After the engine has ended, it goes nowhere.
    pub fn send(&self, order: Order) {
        self.orders.try_send(order).ok();
    }

    /// The next thing the engine has told, if there is one.
    pub fn next(&self) -> Option<FromEngine> {
        self.replies.try_recv().ok()
    }
}

impl Drop for EngineThread {
    /// Waits until the engine has given its device back: a driver that still works while the program ends may crash it.
    fn drop(&mut self) {
        self.orders.close();
        let until = Instant::now() + LONGEST_END;
        let Some(thread) = self.thread.take() else { return };
        while !thread.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(2));
        }
        if thread.is_finished() {
            // What it panicked with has been told.
            thread.join().ok();
        }
    }
}

/// The engine's view of this program.
pub struct NativeHost {
    orders: async_channel::Receiver<Order>,
    replies: async_channel::Sender<FromEngine>,
    wake: Wake,
}

impl NativeHost {
    /// Opens the files of an order. If one of them cannot be opened, the order is refused.
    fn open(&mut self, order: Order) -> Option<Request> {
        let Order { command, files } = order;
        let (mut attachments, mut problems) = (Vec::new(), Vec::new());
        for file in files {
            match file {
                EngineFile::Bytes(NamedBytes { name, bytes }) => {
                    attachments.push(Attachment { name, source: Rc::new(bytes) });
                }
                EngineFile::Path { name, path } => match FileSource::open(&path) {
                    Ok(source) => {
                        attachments.push(Attachment { name, source: Rc::new(source) });
                    }
                    Err(error) => {
                        let text = format!("the file cannot be opened ({error}): {}", path.display());
                        problems.push(Problem { field: String::new(), text });
                    }
                },
            }
        }
        if problems.is_empty() {
            return Some(Request { command, attachments });
        }
        self.tell(Reply { event: Event::Rejected { command, problems }, attachments: Vec::new() });
        None
    }
}

impl Host for NativeHost {
    fn try_next(&mut self) -> Option<Request> {
        while let Ok(order) = self.orders.try_recv() {
            if let Some(request) = self.open(order) {
                return Some(request);
            }
        }
        None
    }

    async fn next(&mut self) -> Option<Request> {
        loop {
            let order = self.orders.recv().await.ok()?;
            if let Some(request) = self.open(order) {
                return Some(request);
            }
        }
    }

    fn is_gone(&self) -> bool {
        self.orders.is_closed() && self.orders.is_empty()
    }

    fn tell(&mut self, reply: Reply) {
        // Without a window nobody listens any more; the engine ends by itself.
        self.replies.try_send(FromEngine::Reply(Box::new(reply))).ok();
        (self.wake)();
    }

    async fn breathe(&mut self) {
        // Messages come in from another thread: there is nothing to wait for.
    }
}

fn crash_report(panic: &(dyn std::any::Any + Send)) -> FailureReport {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    FailureReport {
        kind: FailureKind::Crashed,
        run: None,
        text: format!("The engine has crashed: {text}."),
        advice: "Start a new engine; the run can go on from its last autosave. Please report this message."
            .to_owned(),
        last_good_step: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::atomic;

    fn load(files: Vec<EngineFile>) -> Order {
        Order { command: Command::LoadModel { name: "m".to_owned() }, files }
    }

    fn wait(engine: &EngineThread) -> FromEngine {
        pollster::block_on(engine.replies.recv()).unwrap()
    }

    /// An engine that answers every command with the bytes that came beside it.
    fn echo(host: &mut NativeHost) {
        while let Some(request) = pollster::block_on(host.next()) {
            let read = |file: Attachment| {
                let bytes = pollster::block_on(file.source.read(0..file.source.len())).unwrap();
                NamedBytes { name: file.name, bytes }
            };
            let attachments = request.attachments.into_iter().map(read).collect();
            host.tell(Reply { event: Event::Resumed { run: 1 }, attachments });
        }
    }

    #[test]
    fn files_are_opened_on_the_engines_thread_and_missing_ones_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a");
        atomic::write(&path, b"on disk").unwrap();
        let engine = EngineThread::start(Arc::new(|| ()), echo).unwrap();
        let here = EngineFile::Path { name: "a".to_owned(), path };
        let bytes = EngineFile::Bytes(NamedBytes { name: "b".to_owned(), bytes: b"in memory".to_vec() });
        engine.send(load(vec![EngineFile::Path { name: "x".to_owned(), path: place.path().join("x") }]));
        engine.send(load(vec![here, bytes]));
        let FromEngine::Reply(refused) = wait(&engine) else { panic!("the engine has ended") };
        assert!(
            matches!(&refused.event, Event::Rejected { problems, .. } if problems[0].text.contains("opened"))
        );
        let FromEngine::Reply(echoed) = wait(&engine) else { panic!("the engine has ended") };
        let bytes: Vec<&[u8]> = echoed.attachments.iter().map(|file| file.bytes.as_slice()).collect();
        assert_eq!(bytes, [b"on disk".as_slice(), b"in memory"]);
    }

    #[test]
    fn the_engine_has_ended_when_it_is_dropped() {
        let (tell, told) = async_channel::unbounded();
        let busy = move |host: &mut NativeHost| {
            while !host.is_gone() {
                thread::sleep(Duration::from_millis(20));
            }
            tell.try_send("ended").unwrap();
        };
        drop(EngineThread::start(Arc::new(|| ()), busy).unwrap());
        assert_eq!(told.try_recv(), Ok("ended"));
    }

    #[test]
    fn a_crash_becomes_a_report_and_wakes_the_window() {
        let (woken, wakes) = async_channel::unbounded();
        let wake: Wake = Arc::new(move || {
            woken.try_send(()).ok();
        });
        let engine = EngineThread::start(wake, |_| panic!("step {} went wrong", 7)).unwrap();
        let FromEngine::Gone(report) = wait(&engine) else { panic!("the engine goes on") };
        assert_eq!(report.kind, FailureKind::Crashed);
        assert!(report.text.contains("step 7 went wrong") && report.advice.contains("new engine"));
        pollster::block_on(wakes.recv()).unwrap();
        engine.send(load(Vec::new()));
    }
}
