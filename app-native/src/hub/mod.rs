//! Models and data sets from the hub: fetched once, kept, used without a connection from then on.
//!
//! What to ask for and what answers mean is decided by `dsee_core::hub`; here are the requests and the disk.

mod cache;
mod dataset;
mod download;
mod part_file;
mod request;
#[cfg(test)]
#[path = "../../../tests/cli_support/hub_server.rs"]
mod server;

pub use cache::Cache;
pub use dataset::dataset;
pub use download::{Download, Status};

use anyhow::{Context as _, bail};
use dsee_core::{
    builtin::{self, EmbeddedModel},
    hub::{DEFAULT_REVISION, Endpoint, HubError, ModelId, Repository, RepositoryKind, Revision, Token},
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

/// Names the hub, as other tools know it.
const ENDPOINT_VARIABLE: &str = "HF_ENDPOINT";
/// Holds an access token, as other tools know it.
const TOKEN_VARIABLE: &str = "HF_TOKEN";

/// The hub that is meant: the one in `HF_ENDPOINT`, or the public one.
///
/// # Errors
/// If the variable holds no address.
pub fn endpoint() -> Result<Endpoint, HubError> {
    match std::env::var(ENDPOINT_VARIABLE) {
        Ok(address) if !address.trim().is_empty() => Ok(Endpoint::new(&address)?),
        _ => Ok(Endpoint::default()),
    }
}

/// The access token in `HF_TOKEN`, if there is one.
///
/// # Errors
/// If it cannot be one.
pub fn token() -> Result<Option<Token>, HubError> {
    Ok(Token::new(&std::env::var(TOKEN_VARIABLE).unwrap_or_default())?)
}

/// The embedded model of this name, unless there is a folder of the same name.
pub fn embedded(model: &str) -> Option<&'static EmbeddedModel> {
    if Path::new(model).exists() { None } else { builtin::embedded(model) }
}

/// The id in the place of a model, if it is no folder and not embedded but can be an id.
pub fn id_of(model: &str) -> Option<ModelId> {
    // A path with a dot in front or a slash at its end is meant as one.
    if Path::new(model).exists() || embedded(model).is_some() { None } else { model.parse().ok() }
}

/// The folder that `model` means on the command line: a folder, or a model of the hub, which is fetched if it is not
/// there yet. Progress goes to stderr.
///
/// # Errors
/// If it is neither, or cannot be fetched.
pub fn folder_of(model: &str) -> anyhow::Result<PathBuf> {
    let path = PathBuf::from(model);
    if path.is_dir() {
        return Ok(path);
    }
    let Some(id) = id_of(model) else {
        bail!(
            "there is no such model folder, and a name on the model hub would be `name` or `organisation/name`; a \
             model folder holds config.json, model.safetensors and tokenizer.json; {}: {model}",
            in_the_program()
        );
    };
    let cache = Cache::of_this_user()?;
    if let Some(folder) = cache.find(&id, DEFAULT_REVISION) {
        return Ok(folder);
    }
    fetch_with_bar(cache, id).with_context(|| {
        let known = in_the_program();
        format!("there is no folder {model}, {known}, and it could not be fetched from the model hub")
    })
}

/// Which names need neither folder nor hub.
fn in_the_program() -> String {
    let names: Vec<&str> = builtin::EMBEDDED.iter().map(|model| model.name).collect();
    format!("the program itself holds {}", names.join(" and "))
}

fn fetch_with_bar(cache: Cache, id: ModelId) -> anyhow::Result<PathBuf> {
    let repository = repository(RepositoryKind::Model, id, DEFAULT_REVISION)?;
    with_bar(repository, |repository, show| {
        Ok(Download::new(repository, token()?, cache).run(&mut |status| show(status))?)
    })
}

/// A state of something on the hub that is meant.
fn repository(kind: RepositoryKind, id: ModelId, revision: &str) -> Result<Repository, HubError> {
    Ok(Repository { kind, endpoint: endpoint()?, id, revision: Revision::new(revision)? })
}

/// Fetches with a progress bar on stderr.
fn with_bar<T>(
    repository: Repository,
    fetch: impl FnOnce(Repository, &mut dyn FnMut(&Status<'_>)) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    say!("fetching  {} from {}", repository.id, repository.endpoint.host());
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    let template = "{msg:<24} [{bar:24}] {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
    bar.set_style(ProgressStyle::with_template(template)?.progress_chars("=> "));
    let mut show = |status: &Status<'_>| {
        bar.set_length(status.meter.n_total());
        bar.set_position(status.meter.n_done());
        bar.set_message(status.file.to_owned());
    };
    let fetched = fetch(repository, &mut show);
    bar.finish_and_clear();
    fetched
}
