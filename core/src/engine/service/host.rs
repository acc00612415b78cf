//! What the engine needs of the place it runs in: a thread natively, a worker in a browser.

use crate::builtin::EmbeddedModel;
use crate::models::files::ModelFiles;
use crate::protocol::{Command, Event};
use crate::source::{Attachment, NamedBytes};

/// A command with its files.
pub struct Request {
    /// What to do.
    pub command: Command,
    /// What travels beside it.
    pub attachments: Vec<Attachment>,
}

/// An event with its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// What happened.
    pub event: Event,
    /// What travels beside it.
    pub attachments: Vec<NamedBytes>,
}

/// The place the engine runs in.
#[expect(async_fn_in_trait, reason = "the engine stays on one thread, its futures need not be Send")]
pub trait Host {
    /// The next command if one waits; never blocks.
    fn try_next(&mut self) -> Option<Request>;

    /// The next command, however long it takes; `None` when the app has gone.
    async fn next(&mut self) -> Option<Request>;

    /// Whether the app has gone for good: then work under way is dropped. Where the app takes the engine with it, nobody
    /// asks.
    fn is_gone(&self) -> bool {
        false
    }

    /// Hands an event to the app.
    fn tell(&mut self, reply: Reply);

    /// Called between two pieces of work, so that messages can come in where that needs the thread to be free.
    async fn breathe(&mut self);

    /// The files of a model that comes with the program, or why they cannot be had.
    #[cfg(not(target_arch = "wasm32"))]
    async fn embedded_files(&mut self, model: &EmbeddedModel) -> Result<ModelFiles, String> {
        Ok(model.files())
    }

    /// The files of a model that comes with the program: in a browser they lie beside it. Or why they cannot be had.
    #[cfg(target_arch = "wasm32")]
    async fn embedded_files(&mut self, model: &EmbeddedModel) -> Result<ModelFiles, String>;
}
