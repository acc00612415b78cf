//! What is shown of data before a run: sizes, first rows, lengths in tokens, by the form they have.

use super::Refusal;
use super::data::LoadedData;
use crate::config::RunConfig;
use crate::data::causal::CausalDataset;
use crate::data::generation::{GenerationExample, GenerationSplits};
use crate::data::plain::PlainSplits;
use crate::data::{DataSplits, EncodedDataset, Label, LabelSet, LengthHistogram, RunData, class_counts};
use crate::engine::corpus::encode_texts;
use crate::models::family::Head;
use crate::protocol::{DataCard, DataForm, LengthBin, PreviewRow};
use crate::tokenizer::Tokenizer;

/// Rows of the preview.
const N_PREVIEW: usize = 20;
/// Rows of the validation data that a model can be tried with.
const N_HELD_OUT: usize = 8;

/// The card of data that a model with `head` is to learn from.
///
/// # Errors
/// Texts that the tokenizer refuses, or that leave nothing to learn.
pub fn card(
    data: &LoadedData,
    head: Head,
    tokenizer: &Tokenizer,
    config: &RunConfig,
) -> Result<DataCard, Refusal> {
    let (card, histogram) = match &*data.splits {
        RunData::Labelled(splits) => labelled(splits, tokenizer, config.max_length)?,
        RunData::Generation(splits) => generation(splits, tokenizer, config.max_length)?,
        RunData::Plain(splits) => plain(splits, head, tokenizer, config)?,
    };
    Ok(DataCard {
        name: data.files.first().map(|(name, _)| name.clone()).unwrap_or_default(),
        embedded: data.embedded,
        validation_name: data.files.get(1).map(|(name, _)| name.clone()),
        lengths: bins(&histogram),
        mean_length: histogram.mean,
        truncated_share: histogram.truncated_share(),
        warnings: data.splits.warnings().iter().map(ToString::to_string).collect(),
        ..card
    })
}

fn labelled(
    splits: &DataSplits,
    tokenizer: &Tokenizer,
    max_length: usize,
) -> Result<(DataCard, LengthHistogram), Refusal> {
    let DataSplits { train, validation, columns, .. } = splits;
    let encoded = EncodedDataset::new(train, tokenizer, max_length)?;
    let preview = train.examples.iter().take(N_PREVIEW).map(|example| PreviewRow {
        text: example.text.clone(),
        text_pair: example.text_pair.clone(),
        label: label_text(example.label, &train.labels),
        references: Vec::new(),
    });
    let card = DataCard {
        n_train: train.examples.len(),
        n_validation: validation.examples.len(),
        text_column: columns.text.clone(),
        text_pair_column: columns.text_pair.clone(),
        label_column: columns.label.clone().unwrap_or_default(),
        columns: columns.all.clone(),
        label_names: train.labels.names().to_vec(),
        class_counts: class_counts(train),
        preview: preview.collect(),
        tokens: if encoded.is_empty() { Vec::new() } else { tokenizer.tokens(encoded.input_ids(0)) },
        ..DataCard::default()
    };
    Ok((card, LengthHistogram::new(&encoded, max_length)))
}

/// Meanings with their texts. A length is that of a meaning with one of its texts.
fn generation(
    splits: &GenerationSplits,
    tokenizer: &Tokenizer,
    max_length: usize,
) -> Result<(DataCard, LengthHistogram), Refusal> {
    let GenerationSplits { train, validation, .. } = splits;
    // Uncut, for the lengths before any cut; that something is left after it is checked on the way.
    CausalDataset::from_examples(train, tokenizer, max_length)?;
    let encoded = CausalDataset::from_examples(train, tokenizer, usize::MAX)?;
    let rows = |examples: &[GenerationExample], n: usize| {
        let row = |example: &GenerationExample| PreviewRow {
            text: example.context.clone(),
            references: example.completions.clone(),
            ..PreviewRow::default()
        };
        examples.iter().take(n).map(row).collect()
    };
    let card = DataCard {
        form: DataForm::Generation,
        n_train: train.len(),
        n_validation: validation.len(),
        n_texts: encoded.len(),
        preview: rows(train, N_PREVIEW),
        held_out: rows(validation, N_HELD_OUT),
        tokens: tokenizer.tokens(encoded.sequence(0)),
        ..DataCard::default()
    };
    let lengths = (0..encoded.len()).map(|i| encoded.sequence(i).len() as u32).collect();
    Ok((card, LengthHistogram::of_lengths(lengths, max_length)))
}

/// Texts alone. Long ones are cut into several sequences and lose nothing, so the lengths are those of the sequences.
fn plain(
    splits: &PlainSplits,
    head: Head,
    tokenizer: &Tokenizer,
    config: &RunConfig,
) -> Result<(DataCard, LengthHistogram), Refusal> {
    let PlainSplits { train, validation, .. } = splits;
    let corpus = encode_texts(train, head, tokenizer, config)?;
    let rows = |texts: &[String], n: usize| {
        let row = |text: &String| PreviewRow { text: text.clone(), ..PreviewRow::default() };
        texts.iter().take(n).map(row).collect()
    };
    let first = tokenizer.encode_plain(train.first().map_or("", String::as_str))?;
    let card = DataCard {
        form: DataForm::Plain,
        n_train: train.len(),
        n_validation: validation.len(),
        preview: rows(train, N_PREVIEW),
        held_out: rows(validation, N_HELD_OUT),
        tokens: tokenizer.tokens(&first[..first.len().min(config.max_length)]),
        ..DataCard::default()
    };
    let lengths = (0..corpus.len()).map(|i| corpus.length(i) as u32).collect();
    Ok((card, LengthHistogram::of_lengths(lengths, config.max_length)))
}

/// A label in words.
pub fn label_text(label: Label, labels: &LabelSet) -> String {
    match label {
        Label::Class(class) => labels.names().get(class as usize).cloned().unwrap_or_default(),
        Label::Score(score) => score.to_string(),
        Label::Unknown => String::new(),
    }
}

fn bins(histogram: &LengthHistogram) -> Vec<LengthBin> {
    let mut from = 1;
    let bin = |&(upper, count): &(u32, usize)| {
        let bin = LengthBin { from, to: upper as usize, count };
        from = bin.to + 1;
        bin
    };
    histogram.bins.iter().map(bin).collect()
}
