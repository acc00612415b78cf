//! A model from the hub: its id, the download under way, and what went wrong with it.

use dsee_core::hub::ModelId;
use egui::{CollapsingHeader, Ui};

use crate::{
    shell::{Action, Download},
    state::AppState,
    theme::SPACE,
    widgets::{
        self,
        form::{self, Tone},
        numbers::{bytes, duration},
    },
};

/// What was typed.
#[derive(Default)]
pub(super) struct HubForm {
    id: String,
    revision: String,
    /// In memory only; it goes out with the download and nowhere else.
    token: String,
}

impl HubForm {
    /// Draws the form, and the download if there is one.
    pub(super) fn show(&mut self, ui: &mut Ui, state: &AppState, actions: &mut Vec<Action>) {
        widgets::card(ui, "From the Hugging Face hub", |ui| {
            self.show_fields(ui);
            let problem = self.id.parse::<ModelId>().err();
            let running = state.download.as_ref().is_some_and(|d| !d.finished && d.problem.is_none());
            let ready = problem.is_none() && !running;
            if let Some(problem) = problem.filter(|_| !self.id.trim().is_empty()) {
                widgets::error_line(ui, &problem.to_string());
            }
            ui.add_space(SPACE[0]);
            let pressed = form::button_if(ui, ready, "Download").clicked();
            if pressed {
                actions.push(self.action(self.id.trim()));
            }
            if let Some(download) = &state.download {
                self.show_download(ui, download, actions);
            }
        });
    }

    fn show_fields(&mut self, ui: &mut Ui) {
        form::field(ui, "Model id", &mut self.id, "organisation/name", false);
        CollapsingHeader::new("Revision and access token").id_salt("hub details").show_unindented(ui, |ui| {
            form::field(ui, "Revision: branch, tag or commit", &mut self.revision, "main", false);
            form::field(ui, "Access token, for private and gated models", &mut self.token, "hf_…", true);
            let text =
                "The token stays in memory until the program ends. It is sent to the hub and nowhere else.";
            ui.label(egui::RichText::new(text).small().weak());
        });
    }

    fn action(&self, id: &str) -> Action {
        let revision = match self.revision.trim() {
            "" => "main",
            revision => revision,
        };
        let token = self.token.trim();
        Action::Download {
            id: id.to_owned(),
            revision: revision.to_owned(),
            token: (!token.is_empty()).then(|| token.to_owned()),
        }
    }

    fn show_download(&self, ui: &mut Ui, download: &Download, actions: &mut Vec<Action>) {
        ui.add_space(SPACE[0]);
        if let Some(problem) = &download.problem {
            let title = format!("The download of {} stopped at {}", download.id, bytes(download.n_done));
            form::call_out(ui, Tone::Error, &title, std::slice::from_ref(problem));
            if form::button(ui, "Resume").clicked() {
                actions.push(self.action(&download.id));
            }
        } else if download.finished {
            let line = format!("{} is here: {}.", download.id, bytes(download.n_total));
            form::call_out(ui, Tone::Good, &line, &[]);
        } else {
            let share = download.n_done as f32 / download.n_total.max(1) as f32;
            form::progress(ui, share, &format!("{:.0} %", 100.0 * share));
            ui.label(format!("{} · {}", download.id, download.file));
            ui.label(egui::RichText::new(progress_line(download)).small().weak());
            if form::button(ui, "Cancel").clicked() {
                actions.push(Action::CancelDownload);
            }
        }
    }
}

/// Bytes, rate and time left.
fn progress_line(download: &Download) -> String {
    let mut line = format!("{} of {}", bytes(download.n_done), bytes(download.n_total));
    if download.rate > 0.0 {
        let left = download.n_total.saturating_sub(download.n_done) as f64 / download.rate;
        line += &format!(" · {}/s · {} left", bytes(download.rate as u64), duration(left));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_bytes_rate_and_time_left() {
        let download = Download { n_done: 30_000_000, n_total: 90_000_000, rate: 2e6, ..Download::default() };
        assert_eq!(progress_line(&download), "30.0 MB of 90.0 MB · 2.00 MB/s · 30 s left");
    }
}
