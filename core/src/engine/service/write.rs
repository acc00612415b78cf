//! Texts by every state of the model, token by token.

use super::pieces::Rest;
use super::refusal::{problem, problems_of};
use super::subject::Subject;
use super::{Engine, Host, Refusal, Reply, with_files};
use crate::config::{FieldSpec, GENERATION, GenerationSettings, RunConfig, RunConfigDraft};
use crate::engine::Writer;
use crate::engine::writer::text_positions;
use crate::generate::{GenerationConfig, Limits, Search, Stop};
use crate::gpu::Device;
use crate::models::family::{Head, names};
use crate::protocol::{Command, Event, Settings, Variant, Written, WrittenText};
use crate::train::place::HostState;
use crate::train::write::Room;

/// What is to be written.
struct Order {
    request: u64,
    prompt: String,
    /// The prompt as tokens.
    ids: Vec<u32>,
    config: GenerationConfig,
}

impl Engine {
    pub(super) async fn write(
        &mut self,
        command: &Command,
        (request, prompt): (u64, &str),
        settings: &Settings,
        variants: &[Variant],
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let device = self.device(host).await?;
        let mut subject = self.subject().await?;
        if subject.base.head != Head::CausalLm {
            return Err(Refusal::because(format!(
                "this model does not write: only a decoder ({}) with data without labels does",
                names(true)
            )));
        }
        subject.states.retain(|variant, _| variants.is_empty() || variants.contains(variant));
        if subject.states.is_empty() {
            return Err(Refusal::because("the run has not come to these states of the model yet"));
        }
        let order = order(&subject, request, prompt, settings)?;
        self.ask(command, None, |rest| async move { written(&device, &subject, order, &rest).await });
        Ok(())
    }
}

fn is_ours(name: &str) -> bool {
    name == "seed" || FieldSpec::find(name).is_some_and(|field| field.group == GENERATION)
}

/// How to write, and the seed: as the run's settings say, and those of the command over them.
fn generation(run: &RunConfig, settings: &Settings) -> Result<(GenerationSettings, u64), Refusal> {
    let given: RunConfigDraft = settings.iter().collect();
    let own: RunConfigDraft = run.to_pairs().into_iter().filter(|(name, _)| is_ours(name)).collect();
    let all = own.with("task_type", "generation").overridden_by(&given);
    let checked = all.check().map_err(|errors| Refusal::Rejected(problems_of(errors)))?;
    let generation = checked.generation.unwrap_or_default();
    let idle = generation.idle(&given);
    if idle.is_empty() { Ok((generation, checked.seed)) } else { Err(Refusal::Rejected(problems_of(idle))) }
}

/// Checks everything that can be wrong with a prompt and its settings.
fn order(subject: &Subject, request: u64, prompt: &str, settings: &Settings) -> Result<Order, Refusal> {
    let strange = settings.keys().filter(|name| !is_ours(name));
    let strange: Vec<_> =
        strange.map(|name| problem(format!("{name} is no setting of generation"))).collect();
    if !strange.is_empty() {
        return Err(Refusal::Rejected(strange));
    }
    let (generation, seed) = generation(&subject.config, settings)?;
    let tokenizer = &subject.model.pretrained.tokenizer;
    let config = generation.with(subject.form.end_tokens(tokenizer), seed);
    let prompt = prompt.trim();
    if prompt.is_empty() {
        return Err(Refusal::because(
            "there is nothing to write about: give a meaning, or the beginning of a text",
        ));
    }
    let ids = subject.form.prompt(prompt, tokenizer)?;
    let positions = subject.states.values().map(|state| text_positions(&subject.base, state));
    let n_positions = positions.min().unwrap_or_default();
    config.check(Limits { n_vocab: subject.base.config.vocab_size, n_positions }, &ids)?;
    Ok(Order { request, prompt: prompt.to_owned(), ids, config })
}

/// The texts of all states, one after the other.
async fn written(device: &Device, subject: &Subject, order: Order, rest: &Rest) -> Result<Reply, Refusal> {
    let mut texts = Vec::new();
    for (&variant, state) in &subject.states {
        if !rest.is_stopped() {
            texts.push(text(device, subject, (variant, state), &order, rest).await?);
        }
    }
    let Order { request, prompt, .. } = order;
    let written = Written { request, prompt, texts, is_stopped: rest.is_stopped() };
    Ok(with_files(Event::Written(written), Vec::new()))
}

/// The text of one state; rests after every token.
async fn text(
    device: &Device,
    subject: &Subject,
    (variant, state): (Variant, &HostState),
    order: &Order,
    rest: &Rest,
) -> Result<WrittenText, Refusal> {
    let GenerationConfig { num_beams, max_new_tokens, .. } = order.config;
    let room = Room { n_prompt: order.ids.len(), num_beams, max_new_tokens };
    let mut writer = Writer::new(device, &subject.base, state, room).await?;
    let mut search = writer.begin(&order.config, &order.ids)?;
    rest.between_pieces().await;
    while !rest.is_stopped() && writer.advance(&mut search).await? {
        let text = so_far(subject, variant, &search)?;
        rest.tell(Event::Writing { request: order.request, text });
        rest.between_pieces().await;
    }
    so_far(subject, variant, &search)
}

fn so_far(subject: &Subject, variant: Variant, search: &Search) -> Result<WrittenText, Refusal> {
    let best = search.best();
    let decoded = subject.model.pretrained.tokenizer.decode(&best.tokens)?;
    Ok(WrittenText {
        variant,
        text: subject.form.cut(&decoded).to_owned(),
        n_tokens: best.tokens.len(),
        is_complete: best.stop == Some(Stop::EndToken),
    })
}
