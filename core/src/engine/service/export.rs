//! Tuned models as files, read back before they are handed out.

use std::rc::Rc;

use super::pieces::Rest;
use super::reading::file_name;
use super::running::{CurrentRun, Mode};
use super::{Engine, Refusal, with_files};
use crate::engine::{ExportParts, Origin};
use crate::export::{ExportInput, OutputFile};
use crate::protocol::{
    Command, Event, ExportFormat, Exported, ExportedFile, FailureKind, FailureReport, RunId, Variant,
};
use crate::train::place::HostState;

impl Engine {
    pub(super) fn export(
        &mut self,
        command: &Command,
        id: RunId,
        format: ExportFormat,
    ) -> Result<(), Refusal> {
        let current = self.run(id)?;
        let (state, origin) = (current.finished_state()?, current.origin());
        let (base, labels) = (current.run.base(), current.run.outcome().2.clone());
        let rows = current.run.rows().to_vec();
        self.ask(command, Some(id), |rest| async move {
            let mut between_tensors = async || rest.between_pieces().await;
            let outcome = (base.as_ref(), state.as_ref(), &labels);
            let parts = ExportParts::gather(outcome, &rows, &origin, &mut between_tensors).await?;
            let (exported, files) = written(&parts.input(), format, id, &rest).await?;
            Ok(with_files(Event::Exported { run: id, exported }, files))
        });
        Ok(())
    }
}

/// Writes the files and reads them back.
async fn written(
    input: &ExportInput<'_>,
    format: ExportFormat,
    run: RunId,
    rest: &Rest,
) -> Result<(Exported, Vec<(String, Vec<u8>)>), Refusal> {
    let files = format.export(input).map_err(|error| Refusal::because(error.to_string()))?;
    rest.between_pieces().await;
    let verified = format.verify(input, &files).map_err(|error| {
        Refusal::Failed(FailureReport {
            kind: FailureKind::Other,
            run: Some(run),
            text: format!("what was written reads back differently: {error}"),
            advice: "Nothing was handed out; please report it with this message.".to_owned(),
            last_good_step: None,
        })
    })?;
    let size = |file: &OutputFile| ExportedFile { path: file.path.clone(), n_bytes: file.bytes.len() as u64 };
    let exported = Exported {
        format,
        files: files.iter().map(size).collect(),
        verified_tensors: verified.tensors,
        max_difference: verified.max_difference,
        how_to_load: format.how_to_load(input, format.name()),
    };
    Ok((exported, files.into_iter().map(|file| (file.path, file.bytes)).collect()))
}

impl CurrentRun {
    /// The state that a run ended with, or that its last phase left.
    fn finished_state(&self) -> Result<Rc<HostState>, Refusal> {
        let stopped = self.states.get(&Variant::Present).filter(|_| self.mode == Mode::Over);
        let phases = [Variant::Retuned, Variant::Pruned, Variant::Tuned];
        let newest = phases.iter().find_map(|variant| self.states.get(variant));
        stopped.or(newest).cloned().ok_or_else(|| {
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
