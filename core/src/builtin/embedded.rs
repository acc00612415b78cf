//! The tiny pretrained models inside the program; `model/README.md` and `decoder/README.md` are their cards,
//! `cargo xtask pretrain` their origin.
//!
//! In a browser they lie beside the program, and the engine's [`Host`](crate::engine::service::Host) fetches each when it
//! is asked for: the page opens before they are there.

#[cfg(not(target_arch = "wasm32"))]
use crate::models::files::{CONFIG_FILE, ModelFiles, TOKENIZER_FILE, in_memory};

/// Name of the embedded encoder, for messages and model cards.
pub const MODEL_NAME: &str = "dsee-tiny-encoder";
/// Name of the embedded decoder; `--model` takes it.
pub const DECODER_NAME: &str = "dsee-tiny-decoder";

/// The built-in set that an embedded model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbeddedData {
    /// Sentences with classes: [`super::data_files`].
    Sentences,
    /// Meanings with texts: [`super::meaning_files`].
    Meanings,
}

/// A pretrained model inside the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddedModel {
    /// Its name.
    pub name: &'static str,
    /// Hugging Face's `model_type`.
    pub family: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// What it is tuned on.
    pub data: EmbeddedData,
    /// Settings, tokenizer and weights.
    #[cfg(not(target_arch = "wasm32"))]
    files: [&'static [u8]; 3],
}

/// All of them; the first is the one that counts where none is named.
pub static EMBEDDED: &[EmbeddedModel] = &[
    EmbeddedModel {
        name: MODEL_NAME,
        family: "bert",
        about: "a tiny encoder that reads short reviews",
        data: EmbeddedData::Sentences,
        #[cfg(not(target_arch = "wasm32"))]
        files: [
            include_bytes!("model/config.json"),
            include_bytes!("model/tokenizer.json"),
            include_bytes!("model/model.safetensors"),
        ],
    },
    EmbeddedModel {
        name: DECODER_NAME,
        family: "gpt2",
        about: "a tiny decoder that describes invented places",
        data: EmbeddedData::Meanings,
        #[cfg(not(target_arch = "wasm32"))]
        files: [
            include_bytes!("decoder/config.json"),
            include_bytes!("decoder/tokenizer.json"),
            include_bytes!("decoder/model.safetensors"),
        ],
    },
];

/// The embedded model of this name.
#[must_use]
pub fn embedded(name: &str) -> Option<&'static EmbeddedModel> {
    EMBEDDED.iter().find(|model| model.name == name)
}

/// The files of the embedded encoder, as if read from a model folder.
#[cfg(not(target_arch = "wasm32"))]
#[must_use]
pub fn model_files() -> ModelFiles {
    EMBEDDED[0].files()
}

#[cfg(not(target_arch = "wasm32"))]
impl EmbeddedModel {
    /// Its files, as if read from a model folder.
    #[must_use]
    pub fn files(&self) -> ModelFiles {
        let names = [CONFIG_FILE, TOKENIZER_FILE, "model.safetensors"];
        let files = names.iter().zip(self.files).map(|(&name, bytes)| (name.to_owned(), bytes.to_vec()));
        ModelFiles { name: self.name.to_owned(), files: in_memory(files) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::super::{
        DATA_SEED, pretraining_pairs, pretraining_sentences, telling_words, validation_examples,
    };
    use super::*;
    use crate::checkpoint::weights::Weights;
    use crate::data::{EncodedDataset, Label, mlm::MlmCorpus};
    use crate::gpu::Device;
    use crate::models::family::Head;
    use crate::models::files::PretrainedModel;
    use crate::models::load::match_model;
    use crate::train::pretrain_score::score;

    fn open() -> PretrainedModel {
        pollster::block_on(model_files().open(&mut |_| ())).unwrap()
    }

    #[test]
    fn the_files_are_a_whole_encoder_of_small_size() {
        let files = model_files();
        let n_bytes: usize = files.files.values().map(|file| file.len() as usize).sum();
        assert!(n_bytes <= 2_500_000, "{n_bytes} bytes");
        let model = open();
        let loaded = match_model(&model.config, CONFIG_FILE, model.checkpoint, Head::classes(2)).unwrap();
        assert_eq!(loaded.matched.fresh, ["classifier.weight", "classifier.bias"]);
        assert!(loaded.matched.notes.is_empty(), "{:?}", loaded.matched.notes);
    }

    #[test]
    fn the_decoder_is_whole_small_and_speaks_the_language_of_its_set() {
        let model = embedded(DECODER_NAME).unwrap();
        let n_bytes: usize = model.files().files.values().map(|file| file.len() as usize).sum();
        assert!(model.data == EmbeddedData::Meanings && n_bytes <= 2_500_000, "{n_bytes} bytes");
        let open = pollster::block_on(model.files().open(&mut |_| ())).unwrap();
        assert_eq!(open.config.family.model_type(), model.family);
        for example in super::super::validation_meanings(DATA_SEED) {
            let ids = open.tokenizer.encode_plain(&example.context).unwrap();
            assert!(ids.len() < 128, "{} tokens: {}", ids.len(), example.context);
        }
        let loaded = match_model(&open.config, CONFIG_FILE, open.checkpoint, Head::CausalLm).unwrap();
        assert!(loaded.matched.fresh.is_empty() && loaded.matched.notes.is_empty());
    }

    #[test]
    fn every_sentence_is_made_of_whole_words() {
        let tokenizer = open().tokenizer;
        for (text, _) in validation_examples(DATA_SEED) {
            let tokens = tokenizer.tokens(&tokenizer.encode_plain(&text).unwrap());
            assert_eq!(tokens.concat(), text.to_lowercase().replace(' ', ""));
        }
        let rare = tokenizer.tokens(&tokenizer.encode_plain("Zymurgy, naïvely").unwrap());
        let joined: String = rare.iter().map(|token| token.trim_start_matches("##")).collect();
        assert_eq!(joined, "zymurgy,naively");
    }

    /// Chance is 50 % for telling words, even if the frame around them is known, and for pairs.
    #[test]
    fn it_understands_text_of_the_generator_that_it_was_not_trained_on() {
        let model = open();
        let tokenizer = &model.tokenizer;
        let lines = pretraining_sentences(0x7e57, 96);
        let telling = telling_words().into_iter().filter_map(|word| tokenizer.token_to_id(word));
        let words =
            MlmCorpus::new(lines.iter().map(String::as_str), tokenizer, 48).unwrap().favour(telling, 0.6);
        let mut pairs = EncodedDataset::default();
        for pair in pretraining_pairs(0x7e57, 96) {
            let encoding = tokenizer.encode(&pair.first, Some(&pair.second), 96).unwrap();
            pairs.push(&encoding, Label::Class(u32::from(!pair.follows)));
        }
        let weights = Weights(model.checkpoint.tensors);
        let weights = &pollster::block_on(weights.read_where(|_| true)).unwrap();
        let device = Device::reference();
        let scoring = score(&device, &model.config, weights, &words, &pairs, 1);
        let found = pollster::block_on(scoring).unwrap();
        println!("{found:?}");
        assert!(found.favoured_words > 0.75 && found.pairs > 0.8, "{found:?}");
        // A guess among all words would be right in one of two thousand cases and cost 7.6 nats.
        assert!(found.words > 0.2 && found.word_loss < 5.0, "{found:?}");
    }
}
