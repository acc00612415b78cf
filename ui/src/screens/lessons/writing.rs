//! Lesson 6: a decoder learns to write from meaning; the temperature decides how boldly it chooses words.

use std::collections::{BTreeMap, BTreeSet};

use dsee_core::protocol::{Command, Event, RunId, Settings, Variant, WrittenText};
use egui::{RichText, Slider, Ui};

use super::{
    class_run::{ClassRun, Learned},
    lesson::{Drive, Lesson, Scene, parse},
    texts::{Text, WRITING},
};
use crate::{
    screens::try_it::texts,
    shell::Action,
    state::{Activity, AppState},
    theme::SPACE,
    widgets::primary,
};

/// What is to be put into words.
const MEANING: &str = "name : Oak Mill | type : cafe | pets : no | size : 3";
/// Tenths of the largest temperature.
const LAST: usize = 20;
/// States that are compared; a run that was stopped has the present one instead of the tuned one.
const STATES: [Variant; 3] = [Variant::Base, Variant::Tuned, Variant::Present];

/// The lesson's state.
pub struct WriteFromMeaning {
    /// Temperature in tenths; 0 takes the likeliest token.
    position: usize,
    run: ClassRun,
    /// The run and its steps that the answers are about.
    of: Option<(RunId, usize)>,
    /// Position → the texts so far.
    answers: BTreeMap<usize, Vec<WrittenText>>,
    /// The request under way and its position.
    pending: Option<(u64, usize)>,
    problem: Option<String>,
}

impl Default for WriteFromMeaning {
    fn default() -> Self {
        Self {
            position: 0,
            run: ClassRun::new(Learned::Texts),
            of: None,
            answers: BTreeMap::new(),
            pending: None,
            problem: None,
        }
    }
}

impl WriteFromMeaning {
    /// The run with the built-in decoder that has learned something and holds still.
    fn tuned(state: &AppState) -> Option<(RunId, usize)> {
        let (id, run) = (state.current?, state.run()?);
        let holds_still = matches!(run.activity, Activity::Paused | Activity::Finished | Activity::Stopped);
        let is_embedded = state.writes() && state.data.as_ref().is_some_and(|data| data.embedded);
        (holds_still && is_embedded && !run.discarded && !run.steps.is_empty())
            .then_some((id, run.steps.last().map_or(0, |(step, _)| *step)))
    }

    fn is_done(&self, position: usize) -> bool {
        self.answers.contains_key(&position) && self.pending.is_none_or(|(_, p)| p != position)
    }

    /// Asks for the texts of the chosen temperature, once.
    fn ask(&mut self, scene: &mut Scene<'_>) {
        let is_known = self.answers.contains_key(&self.position);
        if is_known || self.pending.is_some() || self.problem.is_some() {
            return;
        }
        let draws = self.position > 0;
        let mut settings = vec![
            ("max_new_tokens", "48".to_owned()),
            ("seed", "1".to_owned()),
            ("num_beams", "1".to_owned()),
            ("do_sample", draws.to_string()),
        ];
        if draws {
            settings.push(("temperature", (self.position as f64 / 10.0).to_string()));
        }
        let settings: Settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let request = scene.state.next_number();
        let (prompt, variants) = (MEANING.to_owned(), STATES.to_vec());
        let command = Command::Write { request, prompt, settings, variants };
        self.pending = Some((request, self.position));
        scene.actions.push(Action::Send { command, files: Vec::new() });
    }

    /// What stands here while no run has tuned the decoder.
    fn offer(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        if self.run.activity(scene.state).is_some_and(Activity::is_under_way) {
            ui.label("The decoder is being tuned. It writes as soon as that is done.");
            self.run.show_progress(ui, scene.state);
            return;
        }
        ui.label("The decoder must learn what a meaning is first. A short run is enough.");
        match self.run.obstacle(scene.state) {
            Some(obstacle) => drop(ui.label(obstacle)),
            None => {
                if primary(ui, "Teach it to write").clicked() {
                    self.run.drive(Drive::Play, "none", scene);
                }
            }
        }
    }

    fn name(position: usize) -> String {
        match position {
            0 => "the likeliest token".to_owned(),
            p => format!("temperature {:.1}", p as f64 / 10.0),
        }
    }

    /// What the newest state wrote at a position that is done.
    fn newest(&self, position: usize) -> Option<&str> {
        let texts = self.answers.get(&position).filter(|_| self.is_done(position))?;
        texts.iter().rfind(|text| text.variant != Variant::Base).map(|text| text.text.as_str())
    }
}

impl Lesson for WriteFromMeaning {
    fn text(&self) -> Text {
        WRITING
    }

    fn control(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        if Self::tuned(scene.state).is_none() || !scene.shows("temperature") {
            return;
        }
        let mut temperature = self.position as f64 / 10.0;
        let slider = Slider::new(&mut temperature, 0.0..=LAST as f64 / 10.0);
        if ui.add(slider.step_by(0.1).fixed_decimals(1).text("temperature")).changed() {
            self.position = (temperature * 10.0).round() as usize;
            self.problem = None;
        }
    }

    fn draw(&mut self, ui: &mut Ui, scene: &mut Scene<'_>) {
        let Some(of) = Self::tuned(scene.state) else {
            self.offer(ui, scene);
            return;
        };
        if self.of != Some(of) {
            self.of = Some(of);
            self.answers.clear();
            (self.pending, self.problem) = (None, None);
        }
        self.ask(scene);
        ui.label(RichText::new(MEANING).monospace());
        ui.label(RichText::new(format!("Written with {}", Self::name(self.position))).strong());
        if let Some(problem) = &self.problem {
            crate::widgets::error_line(ui, problem);
        }
        ui.add_space(SPACE[0]);
        match self.answers.get(&self.position) {
            Some(written) => texts(ui, written),
            None => drop(ui.weak("…")),
        }
    }

    fn advance(&mut self, scene: &mut Scene<'_>) -> bool {
        // The text that is under way is waited for.
        if self.is_done(self.position) && self.position < LAST {
            self.position += 1;
        }
        Self::tuned(scene.state).is_some() && self.problem.is_none() && self.position < LAST
    }

    fn reset(&mut self, _scene: &mut Scene<'_>) {
        self.position = 0;
        self.problem = None;
    }

    fn seen(&self, _scene: &Scene<'_>) -> Option<String> {
        let tried: Vec<usize> = self.answers.keys().copied().filter(|p| self.is_done(*p)).collect();
        let texts: BTreeSet<&str> = tried.iter().filter_map(|p| self.newest(*p)).collect();
        let greedy = self.newest(0)?;
        let same = tried.iter().filter(|p| **p > 0 && self.newest(**p) == Some(greedy)).count();
        Some(format!(
            "{} settings were tried, and the tuned decoder wrote {} different texts. {same} of the temperatures gave \
             the text of the likeliest tokens: “{greedy}”",
            tried.len(),
            texts.len(),
        ))
    }

    fn write(&self) -> Vec<(&'static str, String)> {
        vec![("temperature", self.position.to_string())]
    }

    fn read(&mut self, key: &str, value: &str) {
        if key == "temperature" {
            self.position = parse(value, LAST).unwrap_or(self.position);
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Writing { request, text } => {
                if let Some((_, position)) = self.pending.filter(|(pending, _)| pending == request) {
                    let texts = self.answers.entry(position).or_default();
                    texts.retain(|known| known.variant != text.variant);
                    texts.push(text.clone());
                }
            }
            Event::Written(written) => {
                if let Some((_, position)) = self.pending.take_if(|(pending, _)| *pending == written.request)
                {
                    self.answers.insert(position, written.texts.clone());
                }
            }
            Event::Rejected { command: Command::Write { request, .. }, problems }
                if self.pending.is_some_and(|(pending, _)| pending == *request) =>
            {
                self.pending = None;
                self.problem = problems.first().map(|problem| problem.text.clone());
            }
            Event::Failed(_) => self.pending = None,
            Event::ModelLoaded(_) => (self.pending, self.of) = (None, None),
            _ => {}
        }
    }
}
