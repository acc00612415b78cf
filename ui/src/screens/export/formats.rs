//! The forms a tuned model can take, each as a card: what loads it, how large it is, whether it reads back.

use dsee_core::protocol::{Command, ExportFormat, Exported, RunId};
use egui::{CollapsingHeader, Frame, RichText, Ui};

use super::{ExportScreen, Written};
use crate::{
    shell::Action,
    state::RunView,
    theme::{SPACE, colours, display},
    widgets::{
        self,
        form::{self, Tone},
        numbers::{bytes, thousands},
    },
};

/// A form as the screen describes it.
pub(super) struct Format {
    format: ExportFormat,
    name: &'static str,
    text: &'static str,
    loads: &'static str,
}

/// All forms, in the order in which they are shown.
const FORMATS: [Format; 4] = [
    Format {
        format: ExportFormat::Adapter,
        name: "Adapter",
        text: "A small file beside the base model, in the form of peft. Sparse entries travel exactly, as extra rank.",
        loads: "peft, transformers, and servers that read LoRA",
    },
    Format {
        format: ExportFormat::Merged,
        name: "Whole model",
        text: "All weights with the update added, pruned ones as zeros.",
        loads: "everything that reads the base model",
    },
    Format {
        format: ExportFormat::Compact,
        name: "Compact model",
        text: "The whole model without the heads that were removed, so its file is smaller.",
        loads: "transformers up to 4.57, and this program as a model folder",
    },
    Format {
        format: ExportFormat::Dsee,
        name: "DSEE state",
        text: "Low rank, sparse entries and masks as they are, without loss.",
        loads: "this program and the dsee command",
    },
];

/// The forms that differ for a run: without removed heads, a compact model is the whole one.
pub(super) fn forms(run: &RunView) -> impl Iterator<Item = &'static Format> {
    let lost_heads =
        run.pruned.as_ref().is_some_and(|report| report.removed_heads.iter().any(|heads| !heads.is_empty()));
    FORMATS.iter().filter(move |format| lost_heads || format.format != ExportFormat::Compact)
}

impl ExportScreen {
    /// Draws one form.
    pub(super) fn show_format(
        &mut self,
        ui: &mut Ui,
        format: &Format,
        id: RunId,
        run: &RunView,
        actions: &mut Vec<Action>,
    ) {
        let mut press = None;
        widgets::card(ui, format.name, |ui| {
            ui.label(format.text);
            ui.label(RichText::new(format!("Loads in: {}", format.loads)).small().weak());
            if format.format == ExportFormat::Adapter && run.pruned.is_some() {
                let text =
                    "This run pruned the base model, and the adapter belongs to the pruned one. On the \
                            original model it gives other answers: take the whole model instead."
                        .to_owned();
                form::call_out(ui, Tone::Warning, "Fits the pruned model only", &[text]);
            }
            press = self.show_present(ui, format, id, run, actions);
        });
        match press {
            Some(Press::Copy) => self.copied = Some(format.format),
            Some(Press::Make) => {
                self.waiting = Some((id, format.format));
                let command = Command::Export { run: id, format: format.format };
                actions.push(Action::Send { command, files: Vec::new() });
            }
            None => {}
        }
    }

    /// What is there of a form: its files, the wait for them, or the button that makes them.
    fn show_present(
        &mut self,
        ui: &mut Ui,
        format: &Format,
        id: RunId,
        run: &RunView,
        actions: &mut Vec<Action>,
    ) -> Option<Press> {
        let copied = self.copied == Some(format.format);
        let Some(written) = self.written.get_mut(&(id, format.format)) else {
            if self.waiting == Some((id, format.format)) {
                ui.horizontal(|ui| {
                    ui.spinner();
                    ui.label("Writing and reading back…");
                });
                return None;
            }
            let button = form::button_if(ui, self.waiting.is_none(), "Make");
            let pressed = form::named(button, &format!("Make {}", format.name)).clicked();
            return pressed.then_some(Press::Make);
        };
        let step = *written.step.get_or_insert(run.step());
        let mut press = show_written(ui, format, written, run, copied, actions);
        if step != run.step() {
            let text = format!("It is of step {step}; the run is at step {} now.", run.step());
            form::call_out(ui, Tone::Note, &text, &[]);
            if form::named(form::button(ui, "Make again"), &format!("Make {} again", format.name)).clicked() {
                press = Some(Press::Make);
            }
        }
        press
    }
}

/// What was pressed on a card.
enum Press {
    Make,
    Copy,
}

fn show_written(
    ui: &mut Ui,
    format: &Format,
    written: &Written,
    run: &RunView,
    copied: bool,
    actions: &mut Vec<Action>,
) -> Option<Press> {
    let exported = &written.exported;
    let total: u64 = exported.files.iter().map(|file| file.n_bytes).sum();
    ui.label(RichText::new(bytes(total)).text_style(display()).strong());
    form::call_out(ui, Tone::Good, &verified(exported), &[]);
    if form::named(widgets::primary(ui, "Save"), &format!("Save {}", format.name)).clicked() {
        let name = format!("{}-{}", super::report::file_name(&run.report.title), format.format.name());
        actions.push(Action::Save { name, files: written.files.clone() });
    }
    let title = format!("{} files", exported.files.len());
    CollapsingHeader::new(title).id_salt((format.name, "files")).show_unindented(ui, |ui| {
        for file in &exported.files {
            form::fact(ui, &file.path, &bytes(file.n_bytes));
        }
    });
    if exported.how_to_load.is_empty() {
        return None;
    }
    snippet(ui, &exported.how_to_load);
    let button = form::button(ui, if copied { "✔ Copied" } else { "Copy" });
    let pressed = form::named(button, &format!("Copy how to load {}", format.name)).clicked();
    if pressed {
        ui.ctx().copy_text(exported.how_to_load.clone());
    }
    pressed.then_some(Press::Copy)
}

/// `verified: 12 tensors read back, largest difference 0`
fn verified(exported: &Exported) -> String {
    let difference = match exported.max_difference {
        0.0 => "0".to_owned(),
        x => format!("{x:.1e}"),
    };
    format!(
        "verified: {} tensors read back, largest difference {difference}",
        thousands(exported.verified_tensors)
    )
}

/// Code on a ground of its own.
fn snippet(ui: &mut Ui, code: &str) {
    let fill = colours(ui).page;
    Frame::new().fill(fill).corner_radius(SPACE[0]).inner_margin(SPACE[1]).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.label(RichText::new(code).monospace());
    });
}
