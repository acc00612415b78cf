//! Texts for contexts, written by the decoder of a run or by one as it came.

use anyhow::bail;
use dsee_core::{
    config::RunConfig,
    data::causal,
    engine::{
        BaseModel, Writer,
        writer::{end_tokens, text_positions},
    },
    generate::{GenerationConfig, Stop},
    gpu::Device,
    tasks::normalise::hypothesis,
    tokenizer::Tokenizer,
    train::{place::HostState, write::Room},
};

use crate::interrupt;

/// A decoder with everything it needs to write.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The model.
    pub base: &'a BaseModel,
    /// What was trained and removed.
    pub state: &'a HostState,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// How it writes, and the seed of draws.
    pub config: &'a RunConfig,
}

/// A text, and whether it ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenText {
    /// The text, up to its end mark or a blank line.
    pub text: String,
    /// Whether the decoder ended it, rather than the most tokens that were allowed.
    pub is_complete: bool,
}

/// A decoder on the device with its contexts.
pub struct TextWriter<'a> {
    writer: Writer,
    config: GenerationConfig,
    prompts: Vec<Vec<u32>>,
    tokenizer: &'a Tokenizer,
}

impl<'a> TextWriter<'a> {
    /// Places the decoder with room for the longest context.
    ///
    /// # Errors
    /// A context that the tokenizer refuses or that leaves no room for a text, and errors of the device.
    pub fn open(source: Source<'a>, contexts: &[&str]) -> anyhow::Result<Self> {
        let Source { base, state, tokenizer, config } = source;
        let prompts = contexts.iter().map(|context| causal::prompt(context, tokenizer));
        let prompts: Vec<Vec<u32>> = prompts.collect::<Result<_, _>>()?;
        let settings = config.generation.unwrap_or_default();
        let n_prompt = prompts.iter().map(Vec::len).max().unwrap_or(1);
        let (num_beams, max_new_tokens) = (settings.num_beams, settings.max_new_tokens);
        let (found, longest) = (n_prompt + max_new_tokens, text_positions(base, state));
        if found > longest {
            let taken = base.config.longest() - longest;
            let prefix = if taken > 0 { format!(" beside its prefix of {taken}") } else { String::new() };
            bail!(
                "the longest context has {n_prompt} tokens, with {max_new_tokens} new ones {found}: the model has \
                 {longest} positions{prefix}; shorten the context, or lower --max-new-tokens"
            );
        }
        let device = pollster::block_on(Device::open())?;
        let room = Room { n_prompt, num_beams, max_new_tokens };
        let writer = pollster::block_on(Writer::new(&device, base, state, room))?;
        let config = settings.with(end_tokens(tokenizer), config.seed);
        Ok(Self { writer, config, prompts, tokenizer })
    }

    /// How it writes.
    pub fn config(&self) -> &GenerationConfig {
        &self.config
    }

    /// The text for a context; `None` if the user interrupts.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub fn write(&mut self, context: usize) -> anyhow::Result<Option<WrittenText>> {
        let mut search = self.writer.begin(&self.config, &self.prompts[context])?;
        while pollster::block_on(self.writer.advance(&mut search))? {
            if interrupt::requested() {
                return Ok(None);
            }
        }
        let best = search.best();
        let text = hypothesis(&self.tokenizer.decode(&best.tokens)?).to_owned();
        Ok(Some(WrittenText { text, is_complete: best.stop == Some(Stop::EndToken) }))
    }
}
