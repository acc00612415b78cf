//! `dsee eval`: the figures of a finished run, on its own validation data or on another file.

use anyhow::bail;
use dsee_core::{
    config::RunConfig,
    data::{
        DataFile, EncodedDataset, RunData, TaskKind,
        causal::CausalDataset,
        generation::{GenerationExample, load_generation},
        load_labelled,
        plain::load_plain,
    },
    engine::{
        Corpus, Session,
        corpus::{encode, encode_texts},
    },
    gpu::Device,
};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

use super::score::as_table;
use crate::{
    data_file,
    failure::Failure,
    meteor_tables::MeteorArgs,
    run_folder::SETTINGS_FILE,
    run_inputs::{self, ColumnArgs},
    saved_run::{RunArgs, SavedRun},
    settings_args::{WritingArgs, checked, given, is_of_writing, read_draft, refuse},
    study::this_command,
    text_evaluation::{self, Evaluation, TEXTS_FOLDER, TextFigures},
};

/// Flags of `dsee eval`.
#[derive(Debug, clap::Args)]
pub struct EvalArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Labelled text to evaluate on [default: the validation data of the run].
    #[arg(long, alias = "validation_file", value_name = "FILE")]
    validation_file: Option<PathBuf>,
    #[command(flatten)]
    columns: ColumnArgs,
    /// Leave out the texts that a decoder writes for every context, and their figures (BLEU and others).
    #[arg(long)]
    no_generate: bool,
    /// Folder of those texts, their references and figures [default: in the run folder, texts and what is not the run's own].
    #[arg(long, alias = "texts_dir", value_name = "FOLDER")]
    texts_dir: Option<PathBuf>,
    #[command(flatten)]
    meteor: MeteorArgs,
    #[command(flatten)]
    writing: WritingArgs,
}

/// What is evaluated: as tokens, and where text is written the contexts with their references.
struct Evaluated {
    corpus: Corpus,
    examples: Option<Vec<GenerationExample>>,
}

/// Evaluates and prints the figures.
pub fn run(args: &EvalArgs, json: bool) -> Result<(), Failure> {
    let saved = args.run.open()?;
    let writing = writing_config(args, &saved)?;
    let Evaluated { corpus, examples } = match &args.validation_file {
        Some(path) => named_file(&saved, path, &args.columns)?,
        None => own_validation(&saved)?,
    };
    let losses = corpus.losses("validation", saved.config.max_length);
    losses.iter().for_each(|loss| say!("warning   {loss}"));
    let n_mismatched = corpus.n_mismatched();
    let n_examples = corpus.len() - n_mismatched;
    let session = score(&saved, corpus)?;
    let figures = session.metrics(&saved.labels()).entries();
    drop(session);
    let texts = match (writing, examples) {
        (Some(config), Some(examples)) => {
            let folder = texts_folder(args, &saved);
            let how = Evaluation { config: &config, meteor: &args.meteor, again: &this_command() };
            let figures = text_evaluation::evaluate(&saved, how, &examples, &folder)?;
            // The report is about the run's own data and settings.
            if folder == saved.folder.path().join(TEXTS_FOLDER) {
                text_evaluation::note_in_report(&saved.folder, &figures)?;
            }
            Some(figures)
        }
        _ => None,
    };
    if json {
        tell!("{:#}", as_json([n_examples, n_mismatched], &figures, texts.as_ref()));
    } else {
        print_all([n_examples, n_mismatched], &figures, texts.as_ref());
    }
    Ok(())
}

/// `n_examples` and `n_mismatched` of the sets, in this order.
fn print_all(
    [n_examples, n_mismatched]: [usize; 2],
    figures: &[(&'static str, f64)],
    texts: Option<&TextFigures>,
) {
    tell!("{:<22} {n_examples}", "examples");
    if n_mismatched > 0 {
        tell!("{:<22} {n_mismatched}", "examples, mismatched");
    }
    figures.iter().for_each(|(name, value)| tell!("{name:<22} {value:.4}"));
    if let Some(texts) = texts {
        tell!("{:<22} {}\n\n{}", "contexts", texts.n_contexts, as_table(&texts.scored).trim_end());
        tell!("\n{:<9} {}", "texts", texts.folder.display());
    }
}

fn as_json(
    [n_examples, n_mismatched]: [usize; 2],
    figures: &[(&'static str, f64)],
    texts: Option<&TextFigures>,
) -> Value {
    let mut metrics: Map<String, Value> =
        figures.iter().map(|&(name, value)| (name.to_owned(), value.into())).collect();
    let mut all = texts.map_or_else(|| json!({}), TextFigures::to_json);
    if let Some(texts) = texts {
        metrics.extend(texts.values());
        all["texts"] = json!(texts.folder);
    }
    if n_mismatched > 0 {
        all["n_mismatched"] = n_mismatched.into();
    }
    (all["metrics"], all["n_examples"]) = (metrics.into(), n_examples.into());
    all
}

/// How texts are written: as the run's settings say, and the flags over them. `None` where none are.
fn writing_config(args: &EvalArgs, saved: &SavedRun) -> Result<Option<RunConfig>, Failure> {
    let flags = &args.writing.flags;
    let is_writer = saved.config.task_type.kind() == Some(TaskKind::Generation);
    if is_writer && !args.no_generate {
        let draft = read_draft(&saved.folder.path().join(SETTINGS_FILE))?.overridden_by(flags);
        return Ok(Some(checked(&draft, flags)?));
    }
    let reason = if is_writer { "--no-generate asks for no text" } else { "this run writes no text" };
    refuse(given(flags, is_of_writing, reason)).map(|()| None)
}

/// Texts for another file than the run's own, or written by other settings, have a folder of their own: those of the
/// run itself stand in its report and in tables.
fn texts_folder(args: &EvalArgs, saved: &SavedRun) -> PathBuf {
    let stem = args.validation_file.as_deref().and_then(Path::file_stem);
    let stem = stem.map(|stem| stem.to_string_lossy().into_owned());
    let settings = args.writing.given().into_iter().map(|(name, value)| format!("{name}={value}"));
    let parts = std::iter::once(TEXTS_FOLDER.to_owned()).chain(stem).chain(settings);
    let name = parts.collect::<Vec<_>>().join("-");
    args.texts_dir.clone().unwrap_or_else(|| saved.folder.path().join(name))
}

/// Runs the model of `saved` over data.
///
/// # Errors
/// If there is no adapter, or the device fails.
pub fn score(saved: &SavedRun, data: Corpus) -> anyhow::Result<Session> {
    let device = pollster::block_on(Device::open())?;
    let n_sequences = saved.config.per_device_eval_batch_size;
    let mut session =
        pollster::block_on(Session::new(&device, &saved.base, &saved.state, data, n_sequences))?;
    while !pollster::block_on(session.advance())? {}
    Ok(session)
}

/// The validation data of a file, read as the run read its own.
fn named_file(saved: &SavedRun, path: &Path, columns: &ColumnArgs) -> anyhow::Result<Evaluated> {
    let (name, bytes) = data_file::read(path)?;
    let file = DataFile { name: &name, bytes: &bytes };
    let (columns, mut warnings) = (columns.over(&saved.config), Vec::new());
    let mut examples = None;
    let corpus = match saved.config.task_type.kind() {
        Some(TaskKind::Generation) => {
            let read = examples.insert(load_generation(file, &columns, &mut warnings)?);
            CausalDataset::from_examples(read, &saved.tokenizer, saved.config.max_length)?.into()
        }
        Some(TaskKind::LanguageModeling) => {
            let texts = load_plain(file, &columns)?;
            encode_texts(&texts, saved.base.head, &saved.tokenizer, &saved.config)?
        }
        _ => {
            let loaded = load_labelled(file, &columns, &saved.labels())?;
            say!("{}", loaded.columns);
            warnings = loaded.warnings;
            EncodedDataset::new(&loaded.dataset, &saved.tokenizer, saved.config.max_length)?.into()
        }
    };
    warnings.iter().for_each(|warning| say!("warning   {warning}"));
    Ok(Evaluated { corpus, examples })
}

/// The validation data the run was judged by, read as it read them.
fn own_validation(saved: &SavedRun) -> anyhow::Result<Evaluated> {
    let data = run_inputs::load_data(&saved.config, saved.base.config.id2label.clone())?;
    if data.labelled().is_some_and(|splits| splits.validation.labels != saved.labels()) {
        bail!("the training file's labels are not those of the run; name a file with --validation-file");
    }
    let [_, corpus] = encode(&data, saved.base.head, &saved.tokenizer, &saved.config)?;
    let examples = if let RunData::Generation(splits) = data { Some(splits.validation) } else { None };
    Ok(Evaluated { corpus, examples })
}
