//! The engine in a worker: commands come as messages, events go as messages, and between two pieces of work the
//! worker's event loop has its turn.

use dsee_core::{
    builtin::EmbeddedModel,
    engine::service::{self, Host, Reply, Request},
    models::files::ModelFiles,
    protocol::{Event, FailureKind, FailureReport},
};
use wasm_bindgen::prelude::*;

use crate::{
    bridge::{CommandMessage, EngineHost},
    crash,
    messages::{outgoing_bytes, read_files, read_request},
};

/// Runs the engine until its worker is ended. Called by `www/worker.js`.
#[wasm_bindgen(js_name = startEngine)]
pub async fn start_engine(host: EngineHost) {
    let on_panic = host.clone();
    crash::on_panic(move |reason| on_panic.crashed(reason));
    eframe::WebLogger::init(log::LevelFilter::Warn).ok();
    service::serve(&mut WorkerHost { host }).await;
}

struct WorkerHost {
    host: EngineHost,
}

impl WorkerHost {
    /// The request in a message. One that cannot be read is told and passed over: page and worker are of one
    /// version, so only a mistake of this program makes it.
    fn accept(&mut self, message: &CommandMessage) -> Option<Request> {
        match read_request(message) {
            Ok(request) => Some(request),
            Err(reason) => {
                let report = FailureReport {
                    kind: FailureKind::Other,
                    run: None,
                    text: format!("a command of the window is not understood: {reason}"),
                    advice: "Reload the page, so that its parts are of one version.".to_owned(),
                    last_good_step: None,
                };
                self.tell(Reply { event: Event::Failed(report), attachments: Vec::new() });
                None
            }
        }
    }
}

impl Host for WorkerHost {
    fn try_next(&mut self) -> Option<Request> {
        let message = self.host.try_next()?;
        self.accept(&message)
    }

    async fn next(&mut self) -> Option<Request> {
        loop {
            let message = self.host.next().await.ok()?;
            if let Some(request) = self.accept(&message) {
                return Some(request);
            }
        }
    }

    fn tell(&mut self, mut reply: Reply) {
        // Most browsers have no description of an adapter, where drivers have a name.
        if let Event::Ready { adapter } = &mut reply.event
            && adapter.name.is_empty()
        {
            adapter.name = self.host.adapter_name();
        }
        let checkpoint = match &reply.event {
            Event::CheckpointSaved { run, step } => Some(Box::from([*run as f64, *step as f64])),
            _ => None,
        };
        match serde_json::to_string(&reply.event) {
            Ok(event) => self.host.tell(&event, checkpoint, outgoing_bytes(&reply)),
            Err(error) => log::error!("an event cannot be written: {error}"),
        }
    }

    async fn breathe(&mut self) {
        // The promise is only ever kept.
        let _ = self.host.breathe().await;
    }

    async fn embedded_files(&mut self, model: &EmbeddedModel) -> Result<ModelFiles, String> {
        let reason = |error: JsValue| {
            let reason = String::from(js_sys::Error::from(error).message());
            format!(
                "{} could not be loaded: {reason}. Check the connection, and choose the model again.",
                model.name
            )
        };
        let files = self.host.model_files(model.name).await.map_err(reason)?;
        let files = read_files(&files).into_iter().map(|file| (file.name, file.source)).collect();
        Ok(ModelFiles { name: model.name.to_owned(), files })
    }
}
