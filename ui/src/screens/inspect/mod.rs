//! Screen: a matrix of the model in all its parts, singular values, heads, and where the zeros are.

mod heads;
mod ledger;
mod matrix;
mod pictures;
mod spectrum;

pub use matrix::{Entry, Matrix};

use dsee_core::{
    protocol::{Command, Event, Phase, SiteCard},
    source::NamedBytes,
};
use egui::{ComboBox, Ui};

use crate::{
    shell::Action,
    state::{Activity, AppState, Screen},
    theme::SPACE,
    widgets::{card, empty_state, error_line, numbers::thousands, page::page, stats::stats},
};

/// Seconds between two looks at a matrix while a run is on.
const EVERY: f64 = 3.0;

/// What the screen remembers.
#[derive(Default)]
pub struct InspectScreen {
    /// Module path that was chosen.
    path: Option<String>,
    /// The newest picture.
    matrix: Option<Matrix>,
    /// The request under way; never a second one beside it.
    pending: Option<u64>,
    /// Time of the last request, in seconds of the window's clock.
    asked_at: f64,
    /// What the run was doing at the last request.
    seen: Option<(Activity, Option<Phase>)>,
    /// Why the last request gave nothing.
    problem: Option<String>,
    /// Row and column that are looked at.
    entry: (usize, usize),
}

impl InspectScreen {
    /// Takes what it needs of an event's bytes.
    pub fn event(&mut self, event: &Event, attachments: &[NamedBytes]) {
        match event {
            Event::Inspected(view) if Some(view.request) == self.pending => {
                self.pending = None;
                let matrix = Matrix::new(view, attachments);
                self.problem =
                    matrix.is_none().then(|| "The picture came incomplete: look again.".to_owned());
                self.matrix = matrix.or(self.matrix.take());
                // An entry of Ω is the most interesting one to begin with.
                if self.entry == (0, 0)
                    && let Some(&first) = view.s_indices.first()
                {
                    self.entry = (first as usize / view.d_in, first as usize % view.d_in);
                }
            }
            Event::Rejected { command: Command::Inspect { request, .. }, problems }
                if Some(*request) == self.pending =>
            {
                self.pending = None;
                self.problem = problems.first().map(|problem| problem.text.clone());
            }
            Event::Failed(_) => self.pending = None,
            // Another model: its matrices have other names and numbers.
            Event::ModelLoaded(_) => *self = Self::default(),
            _ => {}
        }
    }

    /// Draws it.
    pub fn show(&mut self, ui: &mut Ui, state: &mut AppState, actions: &mut Vec<Action>) {
        let Some(model) = state.model.clone().filter(|model| !model.sites.is_empty()) else {
            let text = "Load a model first: the built-in one is there at once. Then every matrix of it can be \
                        looked at here, also while a run is on.";
            if empty_state(ui, "No model yet", text, Some("Choose a model")) {
                state.screen = Screen::Model;
            }
            return;
        };
        if state.engine_gone {
            self.pending = None;
        }
        self.keep_up(ui, state, &model.sites, actions);
        page(ui, "inspect", |ui| {
            self.chooser(ui, state, &model.sites, actions);
            if let Some(matrix) = &mut self.matrix {
                pictures::show(ui, matrix, &mut self.entry);
            }
            self.figures(ui, state);
        });
    }

    /// Asks for the matrix on its own: at first, when a phase has ended, and every few seconds of a run.
    fn keep_up(&mut self, ui: &Ui, state: &mut AppState, sites: &[SiteCard], actions: &mut Vec<Action>) {
        if self.path.is_none() {
            self.path = sites.first().map(|site| site.path.clone());
        }
        let now = ui.input(|input| input.time);
        if self.pending.is_some() {
            // The seconds count from the answer on: a slow engine is not kept busy with pictures.
            self.asked_at = now;
        }
        let doing = state.run().map(|run| (run.activity, run.phase));
        let is_new = self.matrix.as_ref().map(|matrix| &matrix.view.path) != self.path.as_ref();
        let runs = matches!(doing, Some((Activity::Running, _)));
        let is_due = (is_new && self.problem.is_none())
            || doing != self.seen
            || (runs && now - self.asked_at >= EVERY);
        if is_due {
            self.ask(now, state, actions);
        }
        if runs {
            ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(EVERY));
        }
    }

    /// Sends the request unless one is under way or nobody would answer.
    fn ask(&mut self, now: f64, state: &mut AppState, actions: &mut Vec<Action>) {
        let Some(path) = self.path.clone().filter(|_| self.pending.is_none() && !state.engine_gone) else {
            return;
        };
        let request = state.next_number();
        self.pending = Some(request);
        self.problem = None;
        self.asked_at = now;
        self.seen = state.run().map(|run| (run.activity, run.phase));
        actions.push(Action::Send { command: Command::Inspect { request, path }, files: Vec::new() });
    }

    fn chooser(&mut self, ui: &mut Ui, state: &mut AppState, sites: &[SiteCard], actions: &mut Vec<Action>) {
        card(ui, "Matrix", |ui| {
            ui.horizontal_wrapped(|ui| {
                self.choose_site(ui, sites);
                if ui.add_enabled(self.pending.is_none(), egui::Button::new("Look again")).clicked() {
                    let now = ui.input(|input| input.time);
                    self.ask(now, state, actions);
                }
                if self.pending.is_some() {
                    ui.add(egui::Spinner::new().size(16.0));
                }
            });
            if let Some(problem) = &self.problem {
                error_line(ui, problem);
            }
            let Some(matrix) = &self.matrix else { return };
            let view = &matrix.view;
            ui.add_space(SPACE[1]);
            let share = 100.0 * view.n_zeros as f64 / (view.d_out * view.d_in).max(1) as f64;
            let mut numbers = vec![
                ("size", format!("{} × {}", view.d_out, view.d_in)),
                ("after step", view.step.to_string()),
                ("rank of B A", view.rank.to_string()),
                ("entries in Ω", view.s_indices.len().to_string()),
                ("pruned", format!("{} ({share:.1} %)", thousands(view.n_zeros))),
            ];
            if !view.removed_heads.is_empty() {
                let heads: Vec<String> = view.removed_heads.iter().map(usize::to_string).collect();
                numbers.push(("removed heads", heads.join(", ")));
            }
            stats(ui, &numbers, |_| {});
        });
    }

    /// Layer and module: changing the layer keeps the module where that layer has it.
    fn choose_site(&mut self, ui: &mut Ui, sites: &[SiteCard]) {
        let Some(now) = sites.iter().find(|site| Some(&site.path) == self.path.as_ref()) else {
            self.path = None;
            return;
        };
        let layer_name = |layer: Option<usize>| layer.map_or("outside".to_owned(), |n| format!("layer {n}"));
        let (mut layer, mut role) = (now.layer, now.role);
        choice(ui, "Layer", layer_name(layer), |ui| {
            let mut layers: Vec<Option<usize>> = sites.iter().map(|site| site.layer).collect();
            layers.dedup();
            for one in layers {
                ui.selectable_value(&mut layer, one, layer_name(one));
            }
        });
        let in_layer: Vec<&SiteCard> = sites.iter().filter(|site| site.layer == layer).collect();
        if !in_layer.iter().any(|site| site.role == role)
            && let Some(first) = in_layer.first()
        {
            role = first.role;
        }
        choice(ui, "Module", role.to_string(), |ui| {
            for site in &in_layer {
                ui.selectable_value(&mut role, site.role, site.role.to_string());
            }
        });
        if let Some(site) = in_layer.iter().find(|site| site.role == role)
            && Some(&site.path) != self.path.as_ref()
        {
            self.path = Some(site.path.clone());
            self.problem = None;
        }
    }

    /// Singular values, heads and zeros.
    fn figures(&self, ui: &mut Ui, state: &AppState) {
        if let Some(matrix) = self.matrix.as_ref().filter(|m| !m.view.weight_singular_values.is_empty()) {
            card(ui, "Singular values", |ui| spectrum::show(ui, matrix));
        }
        let Some(run) = state.run() else {
            card(ui, "Heads and zeros", |ui| {
                ui.label("Start a run with pruning: head scores and the zeros of every matrix appear here.");
            });
            return;
        };
        let pruned = run.pruned.as_ref();
        card(ui, "Head scores", |ui| match pruned.filter(|pruned| !pruned.head_scores.is_empty()) {
            Some(pruned) => heads::show(ui, &pruned.head_scores, &pruned.removed_heads),
            None => {
                drop(ui.label("Heads are scored by a run that prunes heads, for example \"DSEE 3 heads\"."))
            }
        });
        card(ui, "Zeros in every matrix", |ui| match pruned.filter(|pruned| !pruned.matrices.is_empty()) {
            Some(pruned) => ledger::show(ui, &pruned.matrices),
            None => drop(ui.label("Nothing has been pruned yet: every weight is still there.")),
        });
    }
}

/// A list to choose from, with its name before it.
fn choice(ui: &mut Ui, name: &str, chosen: String, list: impl FnOnce(&mut Ui)) {
    let label = ui.label(egui::RichText::new(name).weak());
    let shown = ComboBox::from_id_salt(name.to_owned()).selected_text(chosen).show_ui(ui, list);
    shown.response.labelled_by(label.id);
}
