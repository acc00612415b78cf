//! What is inside the program: the sentence set of the first run and the meaning-to-text set ([`meaning_files`]), both
//! made by seeded generators, and a tiny model for each ([`EMBEDDED`]).
//!
//! Short reviews in plain English, two classes. Word counts do not decide them: negation, contrast, concession,
//! comparison and word order do (`docs/builtin-data.md`). The same grammar makes the unlabeled text on which the
//! embedded encoder is pretrained.

mod construction;
mod embedded;
mod grammar;
mod hash;
mod lexicon;
mod meaning;
mod pretraining;
#[cfg(test)]
mod reader;
mod sentences;

#[cfg(not(target_arch = "wasm32"))]
pub use embedded::model_files;
pub use embedded::{DECODER_NAME, EMBEDDED, EmbeddedData, EmbeddedModel, MODEL_NAME, embedded};
pub use grammar::LABEL_NAMES;
pub use meaning::{
    N_TRAIN_MEANINGS, N_VALIDATION_MEANINGS, descriptions, meaning_files, train_meanings, validation_meanings,
};
pub use pretraining::{SentencePair, pretraining_pairs, pretraining_sentences, telling_words};
pub use sentences::{N_TRAIN, N_VALIDATION, train_examples, validation_examples};

/// Seed of the sentence set that comes with the program.
pub const DATA_SEED: u64 = 1;

/// The sentence set as two files, for training and for validation: name and bytes.
#[must_use]
pub fn data_files() -> [(&'static str, Vec<u8>); 2] {
    let files = [
        ("embedded-train.tsv", train_examples(DATA_SEED)),
        ("embedded-validation.tsv", validation_examples(DATA_SEED)),
    ];
    files.map(|(name, examples)| (name, as_tsv(&examples).into_bytes()))
}

/// Examples as the bytes of a TSV file with a header, so that the embedded set is read as any other.
#[must_use]
pub fn as_tsv(examples: &[(String, u32)]) -> String {
    let mut text = String::from("sentence\tlabel\n");
    for (sentence, label) in examples {
        text.extend([sentence.as_str(), "\t", LABEL_NAMES[*label as usize], "\n"]);
    }
    text
}
