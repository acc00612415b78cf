//! `dsee generate`: texts that a decoder writes, tuned by a run or as it came.

use anyhow::{Context as _, bail};
use dsee_core::{
    config::{FieldError, FieldSpec, RunConfig, RunConfigDraft, TaskType},
    data::{
        DataFile,
        generation::{is_lines, load_contexts},
        plain::load_plain,
    },
    engine::{BaseModel, TextForm},
    models::family::Head,
    tokenizer::Tokenizer,
    train::place::HostState,
};
use serde_json::json;
use std::{
    fs,
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
};

use crate::{
    failure::Failure,
    run_folder::{RunFolder, SETTINGS_FILE},
    run_inputs,
    saved_run::SavedRun,
    settings_args::{SettingsArgs, as_flags, checked, given, is_of_writing, read_draft, refuse},
    texts::{Source, TextWriter, WrittenText},
};

/// Flags of `dsee generate`.
#[derive(Debug, clap::Args)]
pub struct GenerateArgs {
    /// What to write for: a context as `name : value | …`; or, where no task of texts for contexts is named (--task-type
    /// generation) or run, the beginning of a plain text, which goes on.
    #[arg(value_name = "TEXT", required_unless_present = "input", conflicts_with = "input")]
    texts: Vec<String>,
    /// A file of contexts: the data of a task (E2E, WebNLG, DART), with texts beside them or without, a column of
    /// contexts, or one text a line in a .txt file; of beginnings a column of texts, too.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The run whose decoder writes; without it, the model that --model names, as it came.
    #[arg(long, value_name = "FOLDER")]
    run: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// A decoder, read from its files.
struct Opened {
    base: BaseModel,
    state: HostState,
    tokenizer: Tokenizer,
    config: RunConfig,
    form: TextForm,
}

/// Writes a text for every context and prints it, one a line.
pub fn run(args: &GenerateArgs, json: bool) -> Result<(), Failure> {
    let Opened { base, state, tokenizer, config, form } = open(args)?;
    let contexts = contexts(args, &config, form)?;
    let source = Source { base: &base, state: &state, tokenizer: &tokenizer, config: &config, form };
    let each: Vec<&str> = contexts.iter().map(String::as_str).collect();
    let mut writer = TextWriter::open(source, &each)?;
    for (number, context) in each.iter().enumerate() {
        say_progress(number, contexts.len());
        let Some(WrittenText { text, is_complete }) = writer.write(number)? else { break };
        if json {
            tell!("{}", json!({ "context": context, "text": text, "complete": is_complete }));
        } else {
            tell!("{}", text.replace('\n', " "));
        }
    }
    say_progress(contexts.len(), contexts.len());
    Ok(())
}

/// The decoder of a run, or a pretrained one.
fn open(args: &GenerateArgs) -> Result<Opened, Failure> {
    refuse(given(&args.settings.flags, trains, "it does nothing where texts are written"))?;
    let draft = args.settings.draft()?;
    let draft = match &args.run {
        Some(run) => {
            let folder = RunFolder::open(run)?;
            read_draft(&folder.path().join(SETTINGS_FILE))?.overridden_by(&draft)
        }
        None => draft,
    };
    let (config, form) = settled(draft, &args.settings.flags, args.run.is_some())?;
    if let Some(run) = &args.run {
        let saved = SavedRun::open(run, config.model.as_ref().map(PathBuf::from).as_deref())?;
        let SavedRun { base, state, tokenizer, .. } = saved;
        return Ok(Opened { base, state, tokenizer, config, form });
    }
    let model = run_inputs::load_model(&config)?;
    let tokenizer = model.tokenizer.clone();
    let base = pollster::block_on(BaseModel::new(model, Head::CausalLm, config.seed));
    let base = base.map_err(anyhow::Error::from)?;
    base.notes.iter().for_each(|note| say!("warning   {note}"));
    let state = base.untouched();
    Ok(Opened { base, state, tokenizer, config, form })
}

/// Settings beside those of writing that say something here.
const ACTING: [&str; 6] = ["model", "task", "task_type", "seed", "text_column", "label_column"];

/// Leaves settings of training out of the help: they are refused.
pub fn hide_what_trains(arg: clap::Arg) -> clap::Arg {
    let is_hidden = FieldSpec::find(arg.get_id().as_str()).is_some_and(trains);
    arg.hide(is_hidden)
}

/// Whether only training has use for a setting.
fn trains(field: &FieldSpec) -> bool {
    !is_of_writing(field) && !ACTING.contains(&field.name)
}

/// The checked settings, and the form of prompts. A decoder that nothing was said of goes on with plain text, as it was
/// pretrained.
fn settled(
    draft: RunConfigDraft,
    flags: &RunConfigDraft,
    is_run: bool,
) -> Result<(RunConfig, TextForm), Failure> {
    let is_as_it_came = !is_run && draft.check().is_ok_and(|config| config.task_type == TaskType::Auto);
    if is_as_it_came {
        return Ok((checked(&draft.with("task_type", "language-modeling"), flags)?, TextForm::AsItIs));
    }
    let config = checked(&draft, flags)?;
    let form = TextForm::of(config.task_type).ok_or_else(|| {
        if is_run {
            return anyhow::anyhow!("this run judges texts instead of writing them: use `dsee predict`")
                .into();
        }
        let (reason, advice) = ("no text is written in this task", "use generation or language-modeling");
        Failure::Settings(as_flags(vec![FieldError::new("task_type", config.task_type, reason, advice)]))
    })?;
    Ok((config, form))
}

fn contexts(args: &GenerateArgs, config: &RunConfig, form: TextForm) -> anyhow::Result<Vec<String>> {
    let Some(path) = &args.input else { return Ok(args.texts.clone()) };
    let bytes = fs::read(path).with_context(|| format!("cannot read the contexts: {}", path.display()))?;
    let name = path.display().to_string();
    let text = std::str::from_utf8(&bytes).ok().filter(|_| name.ends_with(".txt"));
    let contexts: Vec<String> =
        if let Some(text) = text.filter(|text| form != TextForm::ForContext || !is_lines(text)) {
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
        } else if form != TextForm::ForContext {
            load_plain(DataFile { name: &name, bytes: &bytes }, &config.data_options(None).columns)?
        } else {
            let (columns, mut warnings) = (config.data_options(None).columns, Vec::new());
            let contexts = load_contexts(DataFile { name: &name, bytes: &bytes }, &columns, &mut warnings)?;
            warnings.iter().for_each(|warning| say!("warning   {warning}"));
            contexts
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn what_nothing_was_said_of_goes_on() {
        let form = |pairs: &[(&str, &str)]| {
            let draft: RunConfigDraft = pairs.iter().copied().collect();
            settled(draft, &RunConfigDraft::default(), false).ok().map(|(_, form)| form)
        };
        assert_eq!(form(&[("model", "gpt2")]), Some(TextForm::AsItIs));
        assert_eq!(form(&[("model", "dsee-tiny-decoder")]), Some(TextForm::ForContext));
        assert_eq!(form(&[("model", "gpt2"), ("task", "e2e")]), Some(TextForm::ForContext));
        assert_eq!(form(&[("model", "gpt2"), ("task_type", "generation")]), Some(TextForm::ForContext));
        assert_eq!(
            form(&[("model", "dsee-tiny-decoder"), ("task_type", "language-modeling")]),
            Some(TextForm::GoingOn)
        );
        assert_eq!(form(&[("model", "gpt2"), ("task", "sst2")]), None);
    }
}
