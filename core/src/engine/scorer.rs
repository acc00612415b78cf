//! Evaluates a data set in batches without padding, one batch per call.

use std::ops::Range;

use super::corpus::Corpus;
use super::error::EngineError;
use super::placed::Placed;
use crate::data::{EncodedDataset, Label, LabelSet};
use crate::metrics::MetricSet;
use crate::train::evaluate::Evaluator;

/// Tokens of an evaluation batch, as long as no single text is longer.
pub const EVALUATION_TOKENS: usize = 2048;

/// A recorded forward pass with the batches of a data set.
pub struct Scorer {
    evaluator: Evaluator,
    batches: Vec<Vec<u32>>,
}

/// An evaluation under way.
#[derive(Clone, Debug, Default)]
pub struct Scoring {
    outputs: Vec<f32>,
    next_batch: usize,
}

impl Scorer {
    /// Records the forward pass of a placed model.
    pub async fn new(placed: &Placed, dataset: &Corpus) -> Result<Self, EngineError> {
        let capacity = placed.inputs.capacity();
        let evaluator = Evaluator::new(&placed.device, placed.model.as_ref(), &placed.inputs).await?;
        let batches = dataset.evaluation_batches(&capacity, EVALUATION_TOKENS);
        Ok(Self { evaluator, batches })
    }

    /// Runs the next batch; true when it was the last.
    pub async fn advance(
        &self,
        placed: &Placed,
        dataset: &Corpus,
        scoring: &mut Scoring,
    ) -> Result<bool, EngineError> {
        if let Some(examples) = self.batches.get(scoring.next_batch) {
            let sizes = dataset.write(&placed.inputs, examples, 0);
            scoring.outputs.extend(self.evaluator.run(sizes).await?);
            scoring.next_batch += 1;
        }
        Ok(scoring.next_batch >= self.batches.len())
    }
}

impl Scoring {
    /// Logits so far, (B, N), or losses of the words so far, (P).
    pub fn outputs(&self) -> &[f32] {
        &self.outputs
    }

    /// The figures over a data set whose examples are all done. Of a mismatched set behind it, its accuracy alone.
    pub fn metrics(&self, dataset: &Corpus, labels: &LabelSet) -> MetricSet {
        let Corpus::Labelled(dataset) = dataset else { return MetricSet::from_word_losses(&self.outputs) };
        let n_matched = dataset.len() - dataset.n_mismatched();
        let matched = self.figures(dataset, labels, 0..n_matched);
        if dataset.n_mismatched() == 0 {
            return matched;
        }
        matched.with_mismatched(&self.figures(dataset, labels, n_matched..dataset.len()))
    }

    fn figures(&self, dataset: &EncodedDataset, labels: &LabelSet, examples: Range<usize>) -> MetricSet {
        let width = labels.n_outputs();
        let outputs = &self.outputs[examples.start * width..examples.end * width];
        let known = examples.map(|i| dataset.label(i));
        match labels {
            LabelSet::Classes(names) => {
                let classes: Vec<u32> =
                    known.map(|label| if let Label::Class(class) = label { class } else { 0 }).collect();
                MetricSet::from_logits(outputs, &classes, names.len())
            }
            LabelSet::Scores => {
                let scores: Vec<f32> =
                    known.map(|label| if let Label::Score(score) = label { score } else { 0.0 }).collect();
                MetricSet::from_predictions(outputs, &scores)
            }
            LabelSet::Words => unreachable!("words have no labels beside them"),
        }
    }
}
