//! How a text is searched: as the run's settings say, until the user sets something else.

use dsee_core::{
    protocol::{RunId, Settings},
    report::Setting,
};
use egui::{ComboBox, DragValue, RichText, Slider, Ui, vec2};

use crate::{state::AppState, theme::SPACE};

/// Beams where a run has searched with one.
const USUAL_BEAMS: usize = 4;

/// How a text is searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Way {
    /// The likeliest token, every time.
    #[default]
    Greedy,
    /// A token is drawn.
    Sample,
    /// Several beginnings side by side.
    Beams,
}

impl Way {
    const ALL: [Self; 3] = [Self::Greedy, Self::Sample, Self::Beams];

    fn name(self) -> &'static str {
        match self {
            Self::Greedy => "Likeliest token",
            Self::Sample => "Draw tokens",
            Self::Beams => "Beam search",
        }
    }
}

/// The controls, and what they are set to.
pub struct Decoding {
    /// The run whose settings they began with.
    of: Option<RunId>,
    way: Way,
    temperature: f64,
    top_k: usize,
    top_p: f64,
    seed: u64,
    num_beams: usize,
    length_penalty: f64,
    no_repeat_ngram_size: usize,
    max_new_tokens: usize,
}

impl Default for Decoding {
    fn default() -> Self {
        Self {
            of: None,
            way: Way::Greedy,
            temperature: 1.0,
            top_k: 50,
            top_p: 1.0,
            seed: 42,
            num_beams: USUAL_BEAMS,
            length_penalty: 1.0,
            no_repeat_ngram_size: 0,
            max_new_tokens: 64,
        }
    }
}

impl Decoding {
    /// Begins with the settings of another run, once it is the one that is shown.
    pub fn follow(&mut self, state: &AppState) {
        if self.of != state.current {
            let settings = state.run().map_or(&[][..], |run| &run.report.settings);
            *self = Self { of: state.current, ..Self::begin(settings) };
        }
    }

    fn begin(settings: &[Setting]) -> Self {
        let usual = Self::default();
        let num_beams = value(settings, "num_beams").unwrap_or(1);
        let way = if value(settings, "do_sample").unwrap_or(false) {
            Way::Sample
        } else if num_beams > 1 {
            Way::Beams
        } else {
            Way::Greedy
        };
        Self {
            of: None,
            way,
            temperature: value(settings, "temperature").unwrap_or(usual.temperature),
            top_k: value(settings, "top_k").unwrap_or(usual.top_k),
            top_p: value(settings, "top_p").unwrap_or(usual.top_p),
            seed: value(settings, "seed").unwrap_or(usual.seed),
            num_beams: if num_beams > 1 { num_beams } else { usual.num_beams },
            length_penalty: value(settings, "length_penalty").unwrap_or(usual.length_penalty),
            no_repeat_ngram_size: value(settings, "no_repeat_ngram_size")
                .unwrap_or(usual.no_repeat_ngram_size),
            max_new_tokens: value(settings, "max_new_tokens").unwrap_or(usual.max_new_tokens),
        }
    }

    /// The controls; what does not matter for the chosen way is not there.
    pub fn show(&mut self, ui: &mut Ui) {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(SPACE[2], SPACE[1]);
            let label = ui.label(RichText::new("How to choose tokens").small().weak());
            let combo = ComboBox::from_id_salt("way").selected_text(self.way.name());
            let combo = combo.show_ui(ui, |ui| {
                for way in Way::ALL {
                    ui.selectable_value(&mut self.way, way, way.name());
                }
            });
            combo.response.labelled_by(label.id);
            number(ui, "Most new tokens", &mut self.max_new_tokens, 1..=512);
            number(ui, "No n-gram twice", &mut self.no_repeat_ngram_size, 0..=64)
                .on_hover_text("so many tokens in a row never come again; 0: off");
            match self.way {
                Way::Greedy => {}
                Way::Sample => {
                    ui.add(
                        Slider::new(&mut self.temperature, 0.1..=2.0).fixed_decimals(2).text("temperature"),
                    );
                    ui.add(Slider::new(&mut self.top_p, 0.05..=1.0).fixed_decimals(2).text("top-p"));
                    number(ui, "top-k (0: all)", &mut self.top_k, 0..=1000);
                    number(ui, "Seed", &mut self.seed, 0..=u64::from(u32::MAX));
                }
                Way::Beams => {
                    number(ui, "Beams", &mut self.num_beams, 2..=64);
                    let penalty = Slider::new(&mut self.length_penalty, -4.0..=4.0).fixed_decimals(2);
                    ui.add(penalty.text("length penalty"));
                }
            }
        });
    }

    /// What a command says of it. The way is always said, because the run may have another one.
    pub fn settings(&self) -> Settings {
        let num_beams = if self.way == Way::Beams { self.num_beams } else { 1 };
        let mut settings = vec![
            ("max_new_tokens", self.max_new_tokens.to_string()),
            ("no_repeat_ngram_size", self.no_repeat_ngram_size.to_string()),
            ("do_sample", (self.way == Way::Sample).to_string()),
            ("num_beams", num_beams.to_string()),
        ];
        match self.way {
            Way::Greedy => {}
            Way::Sample => settings.extend([
                ("temperature", self.temperature.to_string()),
                ("top_k", self.top_k.to_string()),
                ("top_p", self.top_p.to_string()),
                ("seed", self.seed.to_string()),
            ]),
            Way::Beams => settings.push(("length_penalty", self.length_penalty.to_string())),
        }
        settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// The value of a run's setting, if the run has it.
fn value<T: std::str::FromStr>(settings: &[Setting], name: &str) -> Option<T> {
    settings.iter().find(|setting| setting.name == name)?.value.parse().ok()
}

fn number<N: egui::emath::Numeric>(
    ui: &mut Ui,
    name: &str,
    value: &mut N,
    range: std::ops::RangeInclusive<N>,
) -> egui::Response {
    // Not in a row of their own: within a row that wraps, such a row does not.
    let label = RichText::new(name).small().weak();
    let label = ui.add(egui::Label::new(label).wrap_mode(egui::TextWrapMode::Extend));
    ui.add(DragValue::new(value).range(range)).labelled_by(label.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_s_own_way_is_where_it_begins() {
        let setting = |(name, value): (&str, &str)| Setting { name: name.into(), value: value.into() };
        let paper =
            [("num_beams", "10"), ("length_penalty", "0.8"), ("no_repeat_ngram_size", "4")].map(setting);
        let said = Decoding::begin(&paper).settings();
        assert!(paper.iter().all(|setting| said[&setting.name] == setting.value), "{said:?}");
        let drawn = Decoding::begin(&[("do_sample", "true"), ("top_p", "0.9")].map(setting)).settings();
        assert!(
            drawn["num_beams"] == "1" && drawn["top_p"] == "0.9" && !drawn.contains_key("length_penalty")
        );
        let usual = Decoding::begin(&[]).settings();
        assert!(usual["do_sample"] == "false" && !usual.contains_key("top_p"), "{usual:?}");
    }
}
