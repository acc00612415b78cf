//! Judging texts: by every state of the model side by side, and by the newest one over the validation data.

use std::collections::{BTreeMap, BTreeSet};

use super::data_card::label_text;
use super::pieces::Rest;
use super::subject::Subject;
use super::{Engine, Host, Refusal, with_files};
use crate::data::{Dataset, EncodedDataset, Example, Label, LabelSet};
use crate::engine::Corpus;
use crate::gpu::Device;
use crate::metrics::{ConfusionMatrix, argmax, softmax};
use crate::protocol::{
    ClassScores, Command, Event, Mistake, Predicted, Prediction, Quality, RunId, TextInput,
};
use crate::train::place::HostState;
use crate::tuning::state::PrunedState;

/// Mistakes that are shown.
const N_MISTAKES: usize = 12;

impl Engine {
    pub(super) async fn predict(
        &mut self,
        command: &Command,
        request: u64,
        texts: &[TextInput],
        heads_off: &BTreeMap<usize, Vec<usize>>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let device = self.device(host).await?;
        let subject = self.subject().await?;
        if subject.labels == LabelSet::Words {
            return Err(Refusal::because(
                "this model predicts words, not classes: have it write a text instead",
            ));
        }
        let heads_off = checked_heads(&subject, heads_off)?;
        let dataset =
            Dataset { examples: texts.iter().map(example).collect(), labels: subject.labels.clone() };
        let encoded =
            EncodedDataset::new(&dataset, &subject.model.pretrained.tokenizer, subject.max_length())?;
        let texts = texts.to_vec();
        self.ask(command, None, |rest| async move {
            let label_names = subject.labels.names().to_vec();
            let predictions = predictions(&device, &subject, &texts, &encoded, &heads_off, &rest).await?;
            Ok(with_files(Event::Predicted(Predicted { request, label_names, predictions }), Vec::new()))
        });
        Ok(())
    }

    pub(super) async fn judge(
        &mut self,
        command: &Command,
        id: RunId,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let device = self.device(host).await?;
        let current = self.run(id)?;
        let subject = current.subject().await?;
        if subject.labels == LabelSet::Scores {
            return Err(Refusal::because("the labels are numbers, which cannot be mistaken for one another"));
        }
        let Corpus::Labelled(encoded) = current.run.validation().clone() else {
            return Err(Refusal::because("words are judged by their loss, not by classes"));
        };
        let data = current.data.clone();
        self.ask(command, Some(id), |rest| async move {
            let what = Some("Judging the validation data");
            let logits = subject.logits(&device, subject.newest(), &encoded, what, &rest).await?;
            let Some(splits) = data.labelled() else { unreachable!("labelled as their tokens are") };
            let quality = quality(&splits.validation, &logits);
            Ok(with_files(Event::Judged { run: id, quality }, Vec::new()))
        });
        Ok(())
    }
}

/// What every state makes of the texts, state by state.
async fn predictions(
    device: &Device,
    subject: &Subject,
    texts: &[TextInput],
    encoded: &EncodedDataset,
    heads_off: &BTreeMap<usize, Vec<usize>>,
    rest: &Rest,
) -> Result<Vec<Prediction>, Refusal> {
    let prediction = |(i, input): (usize, &TextInput)| Prediction {
        input: input.clone(),
        tokens: subject.model.pretrained.tokenizer.tokens(encoded.input_ids(i)),
        scores: Vec::new(),
    };
    let mut predictions: Vec<Prediction> = texts.iter().enumerate().map(prediction).collect();
    for (&variant, state) in subject.states.iter().filter(|_| !texts.is_empty()) {
        let mut state = HostState::clone(state);
        let chosen = PrunedState { heads: heads_off.clone(), masks: BTreeMap::new() };
        state.prune(&subject.base.sites, subject.base.heads(), chosen);
        let logits = subject.logits(device, &state, encoded, None, rest).await?;
        let rows = logits.chunks_exact(subject.labels.n_outputs());
        for (prediction, logits) in predictions.iter_mut().zip(rows) {
            prediction.scores.push(ClassScores { variant, values: values(&subject.labels, logits) });
        }
    }
    Ok(predictions)
}

fn example(input: &TextInput) -> Example {
    Example { text: input.text.clone(), text_pair: input.text_pair.clone(), label: Label::Unknown }
}

/// Probabilities of the classes, or the one number.
fn values(labels: &LabelSet, logits: &[f32]) -> Vec<f64> {
    match labels {
        LabelSet::Classes(_) => softmax(logits),
        LabelSet::Scores | LabelSet::Words => logits.iter().map(|&score| f64::from(score)).collect(),
    }
}

/// The heads to switch off, if the model has them and every state keeps one in each layer.
fn checked_heads(
    subject: &Subject,
    heads_off: &BTreeMap<usize, Vec<usize>>,
) -> Result<BTreeMap<usize, Vec<usize>>, Refusal> {
    let (n_layers, n_heads) = (subject.base.config.num_hidden_layers, subject.base.heads().n_heads);
    let off = heads_off.iter().filter(|(_, off)| !off.is_empty());
    let heads: BTreeMap<usize, Vec<usize>> = off.map(|(&layer, off)| (layer, off.clone())).collect();
    let is_known =
        |(&layer, off): (&usize, &Vec<usize>)| layer < n_layers && off.iter().all(|&head| head < n_heads);
    if !heads.iter().all(is_known) {
        return Err(Refusal::because(format!("the model has {n_layers} layers of {n_heads} heads each")));
    }
    for state in subject.states.values() {
        for (layer, off) in &heads {
            let removed = state.pruned.heads.get(layer).into_iter().flatten();
            let all: BTreeSet<usize> = removed.chain(off).copied().collect();
            if all.len() >= n_heads {
                return Err(Refusal::because(format!(
                    "no head of layer {layer} would be left, with those that pruning has removed: leave one on"
                )));
            }
        }
    }
    Ok(heads)
}

/// Counts right and wrong answers, and finds those of which the model is surest.
fn quality(validation: &Dataset, logits: &[f32]) -> Quality {
    let names = validation.labels.names();
    let n_classes = names.len();
    let mut matrix = ConfusionMatrix::new(n_classes);
    let mut mistakes = Vec::new();
    for (example, logits) in validation.examples.iter().zip(logits.chunks_exact(n_classes.max(1))) {
        let Label::Class(class) = example.label else { continue };
        let predicted = argmax(logits);
        matrix.add(class as usize, predicted);
        if predicted != class as usize {
            mistakes.push(Mistake {
                input: TextInput { text: example.text.clone(), text_pair: example.text_pair.clone() },
                expected: label_text(example.label, &validation.labels),
                predicted: names[predicted].clone(),
                confidence: softmax(logits)[predicted],
            });
        }
    }
    mistakes.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    mistakes.truncate(N_MISTAKES);
    let row = |class| (0..n_classes).map(|predicted| matrix.count(class, predicted) as usize).collect();
    Quality { label_names: names.to_vec(), confusion: (0..n_classes).map(row).collect(), mistakes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surest_mistake_comes_first() {
        let example = |text: &str, class| Example {
            text: text.to_owned(),
            text_pair: None,
            label: Label::Class(class),
        };
        let names = ["bad", "good"].map(str::to_owned).to_vec();
        let examples = vec![example("right", 1), example("unsure", 0), example("sure", 0)];
        let validation = Dataset { examples, labels: LabelSet::Classes(names) };
        let quality = quality(&validation, &[0.0, 1.0, 0.0, 0.1, 0.0, 5.0]);
        assert_eq!(quality.confusion, [[0, 2], [0, 1]]);
        let texts: Vec<&str> = quality.mistakes.iter().map(|mistake| mistake.input.text.as_str()).collect();
        assert_eq!(texts, ["sure", "unsure"]);
        assert_eq!(
            (quality.mistakes[0].expected.as_str(), quality.mistakes[0].predicted.as_str()),
            ("bad", "good")
        );
        assert!(quality.mistakes[0].confidence > 0.99);
    }
}
