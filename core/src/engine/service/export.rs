//! Tuned models as files, read back before they are handed out.

use super::reading::file_name;
use super::refusal::problem;
use super::running::{CurrentRun, Mode};
use super::{Engine, Host, Refusal, say_with};
use crate::engine::{ExportParts, Origin};
use crate::export::OutputFile;
use crate::protocol::{
    Event, ExportFormat, Exported, ExportedFile, FailureKind, FailureReport, RunId, Variant,
};
use crate::train::place::HostState;

impl Engine {
    pub(super) async fn export(
        &mut self,
        id: RunId,
        format: ExportFormat,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let current = self.run(id)?;
        let state = current.finished_state()?;
        let origin = current.origin();
        let parts = ExportParts::gather(&current.run, state, &origin).await?;
        let input = parts.input();
        let files =
            format.export(&input).map_err(|error| Refusal::Rejected(vec![problem(error.to_string())]))?;
        let verified = format.verify(&input, &files).map_err(|error| {
            Refusal::Failed(FailureReport {
                kind: FailureKind::Other,
                run: Some(id),
                text: format!("what was written reads back differently: {error}"),
                advice: "Nothing was handed out; please report it with this message.".to_owned(),
                last_good_step: None,
            })
        })?;
        let size =
            |file: &OutputFile| ExportedFile { path: file.path.clone(), n_bytes: file.bytes.len() as u64 };
        let exported = Exported {
            format,
            files: files.iter().map(size).collect(),
            verified_tensors: verified.tensors,
            max_difference: verified.max_difference,
            how_to_load: format.how_to_load(input.n_labels()),
        };
        let files = files.into_iter().map(|file| (file.path, file.bytes)).collect();
        say_with(host, Event::Exported { run: id, exported }, files);
        Ok(())
    }
}

impl CurrentRun {
    /// The state that a run ended with, or that its last phase left.
    fn finished_state(&self) -> Result<&HostState, Refusal> {
        let stopped = self.states.get(&Variant::Present).filter(|_| self.mode == Mode::Over);
        let phases = [Variant::Retuned, Variant::Pruned, Variant::Tuned];
        let newest = phases.iter().find_map(|variant| self.states.get(variant));
        stopped.or(newest).ok_or_else(|| {
            Refusal::because(
                "nothing is trained yet: wait for the end of tuning, or stop the run and keep it",
            )
        })
    }

    fn origin(&self) -> Origin {
        let own = self.files.files.first().filter(|_| !self.files.embedded);
        let dataset = own.map(|(name, bytes)| (stem(name), bytes.as_slice()));
        Origin::new(&self.config, &self.model.pretrained, dataset)
    }
}

/// A file's name without folder and extension.
fn stem(name: &str) -> &str {
    let name = file_name(name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}
