//! Sets of settings that belong together, for those who want to press Start.

use dsee_core::protocol::Settings;

/// A set of settings with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub text: &'static str,
    /// What it sets; everything else that presets set goes back to its default.
    pub settings: &'static [(&'static str, &'static str)],
}

/// All presets.
pub const PRESETS: [Preset; 4] = [
    Preset {
        name: "LoRA",
        text: "Low rank only: the well-known baseline. Nothing is pruned.",
        settings: &[("method", "lora")],
    },
    Preset {
        name: "DSEE",
        text: "Low rank plus 16 sparse entries per matrix: the paper's default. Nothing is pruned.",
        settings: &[],
    },
    Preset {
        name: "DSEE 50 %",
        text: "As DSEE; then half of all weights are set to zero and the update is retuned.",
        settings: &[("prune", "unstructured:0.5")],
    },
    Preset {
        name: "DSEE 3 heads",
        text: "As DSEE; then three attention heads of every layer are removed and the update is retuned.",
        settings: &[("prune", "heads:3")],
    },
];

impl Preset {
    /// Puts these settings in place of what another preset set.
    pub fn apply(&self, settings: &mut Settings) {
        let preset_keys = PRESETS.iter().flat_map(|preset| preset.settings.iter().map(|(name, _)| *name));
        preset_keys.for_each(|name| drop(settings.remove(name)));
        settings.extend(pairs(self.settings));
    }
}

/// What the tiny encoder learns its sentences with in seconds: it bears a ten times larger rate than a model of
/// ordinary size, and short phases; the many evaluations make the curve worth watching.
const FIRST_RUN: &[(&str, &str)] = &[
    ("num_train_epochs", "3"),
    ("learning_rate", "2e-3"),
    ("prune", "unstructured:0.3"),
    ("retune_epochs", "1"),
    ("eval_strategy", "steps"),
    ("eval_steps", "25"),
    ("logging_steps", "2"),
];

/// The settings of the first run, with the model and the data inside the program.
#[must_use]
pub fn first_run() -> Settings {
    pairs(FIRST_RUN).collect()
}

/// What the tiny decoder learns to describe places with: after these few steps its texts say what the meaning says.
const FIRST_TEXT: &[(&str, &str)] = &[
    ("task_type", "generation"),
    ("max_steps", "120"),
    ("per_device_train_batch_size", "16"),
    ("learning_rate", "5e-3"),
    ("prune", "unstructured:0.3"),
    ("max_eval_samples", "40"),
    ("eval_strategy", "steps"),
    ("eval_steps", "30"),
    ("logging_steps", "2"),
];

/// The settings of the first run of text, with the decoder and the meanings inside the program.
#[must_use]
pub fn first_text() -> Settings {
    pairs(FIRST_TEXT).collect()
}

fn pairs(table: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    table.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use dsee_core::config::RunConfigDraft;

    fn draft(settings: &Settings) -> RunConfigDraft {
        let mut draft = RunConfigDraft::default();
        settings.iter().for_each(|(name, value)| draft.set(name, value));
        draft
    }

    #[test]
    fn every_preset_is_a_run_alone_and_after_every_other() {
        for first in &PRESETS {
            for second in &PRESETS {
                let (mut both, mut alone) = (first_run(), first_run());
                first.apply(&mut both);
                second.apply(&mut both);
                second.apply(&mut alone);
                assert_eq!(draft(&both).check().unwrap(), draft(&alone).check().unwrap());
            }
        }
    }

    #[test]
    fn the_first_run_of_text_is_a_run() {
        let config = draft(&first_text()).check().unwrap();
        assert_eq!(config.task_type, dsee_core::config::TaskType::Generation);
    }

    #[test]
    fn the_first_run_shows_tuning_pruning_and_retuning() {
        let config = draft(&first_run()).check().unwrap();
        assert!(config.prune != dsee_core::config::Pruning::None && config.retune_epochs > 0.0);
    }
}
