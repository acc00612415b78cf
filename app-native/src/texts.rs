//! Texts written by the decoder of a run or by one as it came: for contexts, or plain text that goes on.

use anyhow::bail;
use dsee_core::{
    config::RunConfig,
    data::RunData,
    engine::{BaseModel, TextForm, Writer, writer::text_positions},
    generate::{GenerationConfig, Stop},
    gpu::Device,
    tokenizer::Tokenizer,
    train::{place::HostState, write::Room},
};

use crate::{interrupt, run_inputs::Inputs};

/// What messages show of a context.
const SHOWN_CHARACTERS: usize = 60;

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
    /// What its prompts are.
    pub form: TextForm,
}

/// A text, and whether it ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenText {
    /// The text, up to its end mark; one for a context also up to a blank line.
    pub text: String,
    /// Whether the decoder ended it, rather than the most tokens that were allowed.
    pub is_complete: bool,
}

/// How many tokens there are for a context and its text.
#[derive(Clone, Copy, Debug)]
struct Space {
    /// Positions of the model that no prefix takes.
    n_positions: usize,
    /// Those that one takes.
    n_prefix: usize,
    max_new_tokens: usize,
}

impl Space {
    /// The contexts as tokens, if a text fits behind each.
    fn prompts(
        self,
        form: TextForm,
        contexts: &[&str],
        tokenizer: &Tokenizer,
    ) -> anyhow::Result<Vec<Vec<u32>>> {
        let prompts = contexts.iter().map(|context| form.prompt(context, tokenizer));
        let prompts: Vec<Vec<u32>> = prompts.collect::<Result<_, _>>()?;
        let Self { n_positions, n_prefix, max_new_tokens } = self;
        let too_long = |prompt: &&Vec<u32>| prompt.len().saturating_add(max_new_tokens) > n_positions;
        let n_too_long = prompts.iter().filter(too_long).count();
        let lengths = prompts.iter().zip(1..).map(|(prompt, number)| (prompt.len(), number));
        if let Some((n_prompt, number)) = lengths.max().filter(|_| n_too_long > 0) {
            let prefix =
                if n_prefix > 0 { format!(" beside its prefix of {n_prefix}") } else { String::new() };
            let start: String = contexts[number - 1].chars().take(SHOWN_CHARACTERS).collect();
            let advice = if n_prompt < n_positions {
                "shorten it, or lower --max-new-tokens"
            } else {
                "shorten it, or leave it out"
            };
            bail!(
                "{n_too_long} of {} contexts are too long: the longest, number {number} ({start:?} …), has {n_prompt} \
                 tokens, with {max_new_tokens} new ones {}, and the model has {n_positions} positions{prefix}; {advice}",
                contexts.len(),
                n_prompt.saturating_add(max_new_tokens)
            );
        }
        Ok(prompts)
    }
}

/// Finds validation contexts that leave no room for a text, before anything is trained for them.
///
/// # Errors
/// If there is one, or the tokenizer refuses it.
pub fn check_contexts(config: &RunConfig, inputs: &Inputs) -> anyhow::Result<()> {
    let RunData::Generation(splits) = &inputs.data else { return Ok(()) };
    let contexts: Vec<&str> = splits.validation.iter().map(|example| example.context.as_str()).collect();
    let n_prefix = config.prefix_length;
    let space = Space {
        n_positions: inputs.model.config.longest().saturating_sub(n_prefix),
        n_prefix,
        max_new_tokens: config.generation.unwrap_or_default().max_new_tokens,
    };
    space.prompts(TextForm::ForContext, &contexts, &inputs.model.tokenizer).map(drop)
}

/// A decoder on the device with its contexts.
pub struct TextWriter<'a> {
    writer: Writer,
    config: GenerationConfig,
    prompts: Vec<Vec<u32>>,
    tokenizer: &'a Tokenizer,
    form: TextForm,
}

impl<'a> TextWriter<'a> {
    /// Places the decoder with room for the longest context.
    ///
    /// # Errors
    /// A context that the tokenizer refuses or that leaves no room for a text, and errors of the device.
    pub fn open(source: Source<'a>, contexts: &[&str]) -> anyhow::Result<Self> {
        let Source { base, state, tokenizer, config, form } = source;
        let settings = config.generation.unwrap_or_default();
        let (num_beams, max_new_tokens) = (settings.num_beams, settings.max_new_tokens);
        let n_positions = text_positions(base, state);
        let space = Space { n_positions, n_prefix: base.config.longest() - n_positions, max_new_tokens };
        let prompts = space.prompts(form, contexts, tokenizer)?;
        let n_prompt = prompts.iter().map(Vec::len).max().unwrap_or(1);
        let device = pollster::block_on(Device::open())?;
        let room = Room { n_prompt, num_beams, max_new_tokens };
        let writer = pollster::block_on(Writer::new(&device, base, state, room))?;
        let config = settings.with(form.end_tokens(tokenizer), config.seed);
        Ok(Self { writer, config, prompts, tokenizer, form })
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
        // Every context draws from a stream of its own, the first from that of the seed itself.
        let seed = self.config.seed ^ (context as u64) << 32;
        let config = GenerationConfig { seed, ..self.config.clone() };
        let mut search = self.writer.begin(&config, &self.prompts[context])?;
        while pollster::block_on(self.writer.advance(&mut search))? {
            if interrupt::requested() {
                return Ok(None);
            }
        }
        let best = search.best();
        let text = self.form.cut(&self.tokenizer.decode(&best.tokens)?).to_owned();
        Ok(Some(WrittenText { text, is_complete: best.stop == Some(Stop::EndToken) }))
    }
}
