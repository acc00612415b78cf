//! The report of a run as a file to pass on.

use dsee_core::source::NamedBytes;
use egui::Ui;

use crate::{
    shell::Action,
    state::RunView,
    widgets::{self, form},
};

/// Offers the report in both of its forms.
pub(super) fn show(ui: &mut Ui, run: &RunView, actions: &mut Vec<Action>) {
    widgets::card(ui, "Report", |ui| {
        ui.label(
            "Settings, curves, the table of phases, Ω, heads and zeros of every matrix. One page that needs no \
             network, or the same as Markdown. It holds no row of your data.",
        );
        form::row(ui, |ui| {
            for (name, make) in [
                ("report.html", (|run| run.report.to_html()) as fn(&RunView) -> String),
                ("report.md", |run| run.report.to_markdown()),
            ] {
                if form::button(ui, &format!("Save {name}")).clicked() {
                    let file = NamedBytes { name: name.to_owned(), bytes: make(run).into_bytes() };
                    actions.push(Action::Save { name: name.to_owned(), files: vec![file] });
                }
            }
        });
    });
}

/// A title as a file can be called.
pub(super) fn file_name(title: &str) -> String {
    let letter = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = title.chars().map(letter).collect();
    match name.trim_matches('-') {
        "" => "run".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_become_names_of_files() {
        assert_eq!(file_name("dsee run"), "dsee-run");
        assert_eq!(file_name("../über/x"), "..-über-x");
        assert_eq!(file_name("  "), "run");
    }
}
