//! The engine as a service: commands in, events out, one bounded piece of work at a time.
//!
//! [`serve`] owns everything that computes. Between two pieces of a run or of a long answer, one optimizer step or one
//! evaluation batch, it looks for commands, so that pause and stop act within a step and nobody waits for an end.

mod control;
mod data;
mod data_card;
mod export;
mod host;
mod inspect;
mod model;
mod pieces;
mod predict;
mod questions;
mod reading;
mod refusal;
mod running;
mod subject;
#[cfg(test)]
mod tests;
mod write;

pub use host::{Host, Reply, Request};

use crate::gpu::Device;
use crate::protocol::{Command, Event};
use crate::source::{Attachment, NamedBytes};
use data::LoadedData;
use model::LoadedModel;
use questions::Question;
use refusal::Refusal;
use running::CurrentRun;
use std::collections::VecDeque;
use std::rc::Rc;

/// What the engine holds between two commands.
#[derive(Default)]
struct Engine {
    device: Option<Device>,
    /// Milliseconds of GPU work at a stretch, if the app has asked for something else than usual.
    gpu_target_ms: Option<f64>,
    model: Option<Rc<LoadedModel>>,
    data: Option<Rc<LoadedData>>,
    /// The newest run: under way, waiting, or over and kept for predictions and exports.
    current: Option<CurrentRun>,
    /// What is being answered, the oldest first.
    questions: VecDeque<Question>,
}

/// Runs the engine until the app has gone. See the module documentation.
pub async fn serve(host: &mut impl Host) {
    let mut engine = Engine::default();
    if let Err(Refusal::Failed(report)) = engine.device(host).await {
        say(host, Event::Failed(report));
    }
    loop {
        let is_busy =
            !engine.questions.is_empty() || engine.current.as_ref().is_some_and(CurrentRun::is_busy);
        let request = match host.try_next() {
            None if !is_busy => match host.next().await {
                None => return,
                request => request,
            },
            request => request,
        };
        match request {
            None if host.is_gone() => return,
            Some(request) => engine.answer(request, host).await,
            // Somebody waits for an answer; the run goes on after it.
            None if !engine.questions.is_empty() => engine.advance_question(host).await,
            None => engine.advance(host).await,
        }
        host.breathe().await;
    }
}

impl Engine {
    /// The device; a new one if there is none yet, or the last one was lost.
    async fn device(&mut self, host: &mut impl Host) -> Result<Device, Refusal> {
        if let Some(device) = &self.device {
            return Ok(device.clone());
        }
        let device = Device::open().await?;
        if let Some(target_ms) = self.gpu_target_ms {
            device.set_target_ms(target_ms);
        }
        say(host, Event::Ready { adapter: device.report().clone() });
        self.device = Some(device.clone());
        Ok(device)
    }

    async fn answer(&mut self, request: Request, host: &mut impl Host) {
        let Request { command, attachments } = request;
        if let Err(refusal) = self.carry_out(&command, attachments, host).await {
            self.refuse(command, refusal, host);
        }
    }

    fn refuse(&mut self, command: Command, refusal: Refusal, host: &mut impl Host) {
        match refusal {
            Refusal::Rejected(problems) => say(host, Event::Rejected { command, problems }),
            Refusal::Failed(report) => {
                self.forget_lost_device(&report);
                say(host, Event::Failed(report));
            }
        }
    }

    async fn carry_out(
        &mut self,
        command: &Command,
        attachments: Vec<Attachment>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        match command {
            Command::LoadModel { name } => self.load_model(name, &attachments, host).await,
            Command::LoadData { settings } => self.load_data(settings, &attachments, host).await,
            Command::Start { run, settings, paused } => self.start(*run, settings, *paused, None, host).await,
            Command::Restore { run, settings, paused } => {
                let from = reading::read_all(&attachments, host).await?;
                self.start(*run, settings, *paused, Some(from), host).await
            }
            Command::Pause { run } => self.pause(*run, host).await,
            Command::Resume { run } => self.resume(*run, host),
            Command::Step { run } => self.step(*run),
            Command::Stop { run, keep } => self.stop(*run, *keep, host).await,
            Command::Evaluate { run } => self.evaluate(*run),
            Command::PruneNow { run } => self.prune_now(*run),
            Command::SaveCheckpoint { run } => self.save_checkpoint(*run, host).await,
            Command::Predict { request, texts, heads_off } => {
                self.predict(command, *request, texts, heads_off, host).await
            }
            Command::Write { request, prompt, settings, variants } => {
                self.write(command, (*request, prompt), settings, variants, host).await
            }
            Command::StopWriting { request } => self.stop_writing(*request),
            Command::Judge { run } => self.judge(command, *run, host).await,
            Command::Export { run, format } => self.export(command, *run, *format),
            Command::SetGpuTarget { target_ms } => self.set_gpu_target(*target_ms, host),
            Command::Inspect { request, path } => self.inspect(*request, path, host).await,
        }
    }
}

/// Hands over an event without bytes.
fn say(host: &mut impl Host, event: Event) {
    host.tell(Reply { event, attachments: Vec::new() });
}

/// Hands over an event with files.
fn say_with(host: &mut impl Host, event: Event, files: Vec<(String, Vec<u8>)>) {
    host.tell(with_files(event, files));
}

/// An event with files.
fn with_files(event: Event, files: Vec<(String, Vec<u8>)>) -> Reply {
    let attachments = files.into_iter().map(|(name, bytes)| NamedBytes { name, bytes }).collect();
    Reply { event, attachments }
}
