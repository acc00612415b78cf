//! All metrics of generated text by name.

use super::{Corpus, MeteorTables, bleu, chrf, cider, meteor, nist, rouge_l, ter, tercom};

/// What the numbers of a metric are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// 0 to 1.
    Fraction,
    /// 0 to 100.
    Percent,
    /// 0 upwards.
    Open,
}

impl Scale {
    /// One word for tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fraction => "fraction",
            Self::Percent => "percent",
            Self::Open => "number",
        }
    }
}

/// Why a metric has no value for a text. The program it follows stops there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undefined {
    /// A division by the number of n-grams.
    #[error("the hypotheses have no {n}-grams to divide by; NIST needs longer texts")]
    NoNgrams {
        /// Words in the n-grams.
        n: usize,
    },
    /// A division by the number of words.
    #[error("there is no word in the hypotheses")]
    NoWords,
    /// The tables that are not part of this program were not given.
    #[error("METEOR needs its synonym and paraphrase tables; meteor-exact-stem needs none")]
    NoTables,
    /// A segment that would take hours.
    #[error("segment {segment} has {n_words} words, more than the {most} that can be compared: divide it")]
    TooLong {
        /// Its number, from 1.
        segment: usize,
        /// Its words, or those of a reference.
        n_words: usize,
        /// As many as are compared.
        most: usize,
    },
}

/// One metric in one published form.
#[derive(Debug)]
pub struct NlgMetric {
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// Its usual name.
    pub title: &'static str,
    /// The program whose numbers it equals.
    pub form: &'static str,
    /// What its numbers are.
    pub scale: Scale,
    /// Whether more is better.
    pub greater_is_better: bool,
    /// Words of a segment beyond which comparing takes too long: it grows with their square.
    most_words: Option<usize>,
    function: fn(&Corpus, &MeteorTables) -> Result<f64, Undefined>,
}

/// Most words of a segment where words are aligned, and where the longest common sequence is looked for.
const MOST_ALIGNED: usize = 2_000;
const MOST_COMMON: usize = 20_000;

impl NlgMetric {
    /// All metrics, in the order in which they are shown.
    pub const ALL: &'static [Self] = ALL;

    /// The metrics of the E2E challenge, TER and chrF: what is shown unless the user says otherwise.
    pub const DEFAULT: [&'static str; 7] =
        ["bleu", "nist", "meteor-exact-stem", "ter", "rouge-l", "cider", "chrf"];

    /// The metric with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|metric| metric.name == name)
    }

    /// The figure of a whole text.
    ///
    /// # Errors
    /// If it is undefined for this text.
    pub fn score(&self, corpus: &Corpus, tables: &MeteorTables) -> Result<f64, Undefined> {
        if let Some(most) = self.most_words
            && let Some((segment, n_words)) = corpus.longer_than(most)
        {
            return Err(Undefined::TooLong { segment, n_words, most });
        }
        (self.function)(corpus, tables)
    }
}

/// E2E's own scorer.
const E2E: &str = "e2e-metrics, measure_scores.py -p";
const SACREBLEU: &str = "sacrebleu 2";

const ALL: &[NlgMetric] = &[
    NlgMetric {
        name: "bleu",
        title: "BLEU-4",
        form: E2E,
        scale: Scale::Fraction,
        greater_is_better: true,
        most_words: None,
        function: |corpus, _| bleu::e2e(corpus),
    },
    NlgMetric {
        name: "bleu-moses",
        title: "BLEU-4",
        form: "GenerationEval, multi-bleu-detok.perl",
        scale: Scale::Percent,
        greater_is_better: true,
        most_words: None,
        function: |corpus, _| bleu::moses(corpus),
    },
    NlgMetric {
        name: "sacrebleu",
        title: "BLEU-4",
        form: SACREBLEU,
        scale: Scale::Percent,
        greater_is_better: true,
        most_words: None,
        function: |corpus, _| bleu::sacrebleu(corpus),
    },
    NlgMetric {
        name: "nist",
        title: "NIST-5",
        form: E2E,
        scale: Scale::Open,
        greater_is_better: true,
        most_words: None,
        function: |corpus, _| nist::score(corpus),
    },
    NlgMetric {
        name: "meteor",
        title: "METEOR 1.5",
        form: E2E,
        scale: Scale::Fraction,
        greater_is_better: true,
        most_words: Some(MOST_ALIGNED),
        function: meteor::full,
    },
    NlgMetric {
        name: "meteor-exact-stem",
        title: "METEOR 1.5, matchers exact and stem only",
        form: "meteor-1.5.jar -m \"exact stem\" on PTB tokens",
        scale: Scale::Fraction,
        greater_is_better: true,
        most_words: Some(MOST_ALIGNED),
        function: |corpus, _| meteor::exact_stem(corpus),
    },
    NlgMetric {
        name: "ter",
        title: "TER",
        form: "GenerationEval, pyter",
        scale: Scale::Fraction,
        greater_is_better: false,
        most_words: Some(MOST_ALIGNED),
        function: |corpus, _| ter::score(corpus),
    },
    NlgMetric {
        name: "ter-tercom",
        title: "TER",
        form: SACREBLEU,
        scale: Scale::Percent,
        greater_is_better: false,
        most_words: Some(MOST_ALIGNED),
        function: |corpus, _| tercom::score(corpus),
    },
    NlgMetric {
        name: "rouge-l",
        title: "ROUGE-L",
        form: E2E,
        scale: Scale::Fraction,
        greater_is_better: true,
        most_words: Some(MOST_COMMON),
        function: |corpus, _| rouge_l::score(corpus),
    },
    NlgMetric {
        name: "cider",
        title: "CIDEr-D",
        form: E2E,
        scale: Scale::Open,
        greater_is_better: true,
        most_words: None,
        function: |corpus, _| cider::score(corpus),
    },
    NlgMetric {
        name: "chrf",
        title: "chrF2",
        form: SACREBLEU,
        scale: Scale::Percent,
        greater_is_better: true,
        most_words: None,
        function: |corpus, _| chrf::chrf(corpus),
    },
    NlgMetric {
        name: "chrf++",
        title: "chrF2++",
        form: SACREBLEU,
        scale: Scale::Percent,
        greater_is_better: true,
        most_words: None,
        function: |corpus, _| chrf::chrf_plus_plus(corpus),
    },
];
