//! `dsee generate`: texts that a decoder writes, tuned by a run or as it came.

use anyhow::{Context as _, bail};
use dsee_core::{
    config::{GenerationSettings, RunConfig},
    data::{DataFile, causal, generation::load_generation},
    engine::{BaseModel, Writer},
    generate::{GenerationConfig, Stop},
    gpu::Device,
    models::family::Head,
    tasks::normalise::hypothesis,
    tokenizer::Tokenizer,
    train::{place::HostState, write::Room},
};
use serde_json::json;
use std::{
    fs,
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
};

use crate::{
    failure::Failure,
    run_folder::SETTINGS_FILE,
    run_inputs,
    saved_run::SavedRun,
    settings_args::{SettingsArgs, as_flags, read_draft},
};

/// Flags of `dsee generate`.
#[derive(Debug, clap::Args)]
pub struct GenerateArgs {
    /// What to go on from: a context as `name : value | …`, or any text.
    #[arg(value_name = "TEXT", required_unless_present = "input", conflicts_with = "input")]
    texts: Vec<String>,
    /// A file of contexts: the data of a task (E2E, WebNLG, DART), or one text a line in a .txt file.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The run whose decoder writes; without it, the model that --model names, as it came.
    #[arg(long, value_name = "FOLDER")]
    run: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// A decoder with everything it needs to write.
struct Source {
    base: BaseModel,
    state: HostState,
    tokenizer: Tokenizer,
    config: RunConfig,
}

/// Writes a text for every context and prints it, one a line.
pub fn run(args: &GenerateArgs, json: bool) -> Result<(), Failure> {
    let source = open(args)?;
    let contexts = contexts(args, &source.config)?;
    let tokenizer = &source.tokenizer;
    let prompts = contexts.iter().map(|context| causal::prompt(context, tokenizer));
    let prompts: Vec<Vec<u32>> = prompts.collect::<Result<_, _>>().map_err(anyhow::Error::from)?;
    let settings = source.config.generation.unwrap_or_default();
    let ends = tokenizer.end_of_text().into_iter().collect();
    let config = settings.with(ends, source.config.seed);
    let mut writer = open_writer(&source, &settings, &prompts)?;
    for (number, (context, prompt)) in contexts.iter().zip(&prompts).enumerate() {
        say_progress(number, contexts.len());
        let (text, stop) = write(&mut writer, &config, prompt, tokenizer)?;
        if json {
            println!(
                "{}",
                json!({ "context": context, "text": text, "complete": stop == Some(Stop::EndToken) })
            );
        } else {
            println!("{}", text.replace('\n', " "));
        }
    }
    say_progress(contexts.len(), contexts.len());
    Ok(())
}

fn write(
    writer: &mut Writer,
    config: &GenerationConfig,
    prompt: &[u32],
    tokenizer: &Tokenizer,
) -> anyhow::Result<(String, Option<Stop>)> {
    let mut search = writer.begin(config, prompt)?;
    while pollster::block_on(writer.advance(&mut search))? {}
    let best = search.best();
    let text = tokenizer.decode(&best.tokens)?;
    Ok((hypothesis(&text).to_owned(), best.stop))
}

fn open_writer(
    source: &Source,
    settings: &GenerationSettings,
    prompts: &[Vec<u32>],
) -> anyhow::Result<Writer> {
    let n_prompt = prompts.iter().map(Vec::len).max().unwrap_or(1);
    let (num_beams, max_new_tokens) = (settings.num_beams, settings.max_new_tokens);
    let (found, longest) = (n_prompt + max_new_tokens, source.base.config.longest());
    if found > longest {
        bail!(
            "the longest context has {n_prompt} tokens, with {max_new_tokens} new ones {found}: the model has {longest} \
             positions; shorten the context, or lower --max-new-tokens"
        );
    }
    let device = pollster::block_on(Device::open())?;
    let room = Room { n_prompt, num_beams, max_new_tokens };
    Ok(pollster::block_on(Writer::new(&device, &source.base, &source.state, room))?)
}

/// The decoder of a run, or a pretrained one.
fn open(args: &GenerateArgs) -> Result<Source, Failure> {
    let draft = args.settings.draft()?;
    let draft = match &args.run {
        Some(run) => read_draft(&run.join(SETTINGS_FILE))?.overridden_by(&draft),
        None => draft.with("task_type", "generation"),
    };
    let config = draft.check().map_err(|errors| Failure::Settings(as_flags(errors)))?;
    if let Some(run) = &args.run {
        let saved = SavedRun::open(run, config.model.as_ref().map(PathBuf::from).as_deref())?;
        let SavedRun { base, state, tokenizer, .. } = saved;
        return Ok(Source { base, state, tokenizer, config });
    }
    let model = run_inputs::load_model(&config)?;
    let tokenizer = model.tokenizer.clone();
    let base = pollster::block_on(BaseModel::new(model, Head::CausalLm, config.seed));
    let base = base.map_err(anyhow::Error::from)?;
    let state = base.untouched();
    Ok(Source { base, state, tokenizer, config })
}

fn contexts(args: &GenerateArgs, config: &RunConfig) -> anyhow::Result<Vec<String>> {
    let Some(path) = &args.input else { return Ok(args.texts.clone()) };
    let bytes = fs::read(path).with_context(|| format!("cannot read the contexts: {}", path.display()))?;
    let name = path.display().to_string();
    let contexts: Vec<String> = if name.ends_with(".txt") {
        let text = std::str::from_utf8(&bytes).with_context(|| format!("{name} is not UTF-8"))?;
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    } else {
        let (columns, mut warnings) = (config.data_options(None).columns, Vec::new());
        let examples = load_generation(DataFile { name: &name, bytes: &bytes }, &columns, &mut warnings)?;
        warnings.iter().for_each(|warning| eprintln!("warning   {warning}"));
        examples.into_iter().map(|example| example.context).collect()
    };
    if contexts.is_empty() {
        bail!("there is no context in {name}");
    }
    Ok(contexts)
}

/// A line that is written over, for people who watch.
fn say_progress(done: usize, all: usize) {
    if all > 1 && std::io::stderr().is_terminal() {
        let mut stderr = std::io::stderr();
        // Progress that cannot be shown hinders nothing.
        let _ = write!(stderr, "\r{done} of {all} texts{}", if done == all { "\n" } else { "" });
    }
}
