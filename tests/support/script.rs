//! An app in a script: drives the engine as a service and keeps everything it tells.

use std::collections::VecDeque;
use std::rc::Rc;

use dsee_core::engine::service::{Host, Reply, Request, serve};
use dsee_core::protocol::Command;
use dsee_core::source::Attachment;

/// An app that sends what a closure answers to each event, and goes when nothing is left to send.
struct Script<F> {
    queue: VecDeque<Request>,
    answer: F,
    replies: Vec<Reply>,
}

impl<F: FnMut(&Reply) -> Vec<Request>> Host for Script<F> {
    fn try_next(&mut self) -> Option<Request> {
        self.queue.pop_front()
    }

    async fn next(&mut self) -> Option<Request> {
        self.queue.pop_front()
    }

    fn tell(&mut self, reply: Reply) {
        self.queue.extend((self.answer)(&reply));
        self.replies.push(reply);
    }

    async fn breathe(&mut self) {}
}

/// Everything the engine tells when `first` is sent at once and `answer` follows its events.
pub fn play(first: Vec<Request>, answer: impl FnMut(&Reply) -> Vec<Request>) -> Vec<Reply> {
    let mut script = Script { queue: first.into(), answer, replies: Vec::new() };
    pollster::block_on(serve(&mut script));
    script.replies
}

/// A command without files.
#[must_use]
pub fn request(command: Command) -> Request {
    Request { command, attachments: Vec::new() }
}

/// A command with files in memory, name and bytes.
#[must_use]
pub fn with_files(command: Command, files: &[(&str, &[u8])]) -> Request {
    let attachment = |(name, bytes): &(&str, &[u8])| Attachment {
        name: (*name).to_owned(),
        source: Rc::new(bytes.to_vec()),
    };
    Request { command, attachments: files.iter().map(attachment).collect() }
}
