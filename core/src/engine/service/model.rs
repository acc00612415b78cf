//! Reading a model and saying what it is.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::reading::file_name;
use super::{Engine, Host, Refusal, say};
use crate::builtin;
use crate::checkpoint::weights::StoredTensor;
use crate::engine::BaseModel;
use crate::models::family::Head;
use crate::models::files::{ModelFiles, PretrainedModel};
use crate::nn::outline::Place;
use crate::nn::site::Role;
use crate::protocol::{Event, HeadOrigin, ModelCard, SiteCard};
use crate::source::Attachment;

/// Labels of a head whose file says nothing about them.
const DEFAULT_LABELS: usize = 2;

/// A model that was read, for every run that starts from it.
pub struct LoadedModel {
    /// Its parts.
    pub pretrained: PretrainedModel,
    /// What was told of it.
    pub card: ModelCard,
}

impl Engine {
    pub(super) async fn load_model(
        &mut self,
        name: &str,
        attachments: &[Attachment],
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let embedded = attachments.is_empty();
        let files = if embedded {
            let model = builtin::embedded(name).unwrap_or(&builtin::EMBEDDED[0]);
            host.embedded_files(model).await.map_err(Refusal::because)?
        } else {
            choose(name, attachments)?
        };
        let what = format!("Checking {}", files.name);
        say(host, Event::Working { what: what.clone(), share: None });
        host.breathe().await;
        let mut on_progress = |share| say(host, Event::Working { what: what.clone(), share: Some(share) });
        let pretrained = files.open(&mut on_progress).await?;
        let card = card(&pretrained, embedded).await?;
        self.model = Some(Rc::new(LoadedModel { pretrained, card: card.clone() }));
        say(host, Event::ModelLoaded(card));
        Ok(())
    }
}

/// The files of a model among those given. Where a folder has subfolders with models of their own, the outer one counts.
fn choose(name: &str, attachments: &[Attachment]) -> Result<ModelFiles, Refusal> {
    let depth = |file: &&Attachment| file.name.matches(['/', '\\']).count();
    let mut chosen: BTreeMap<&str, &Attachment> = BTreeMap::new();
    for file in attachments {
        let known = chosen.entry(file_name(&file.name)).or_insert(file);
        if depth(&file) < depth(known) {
            *known = file;
        }
    }
    if !chosen.keys().any(|name| ModelFiles::is_wanted(name)) {
        let names: Vec<&str> = chosen.keys().copied().collect();
        let (are, names) = (if names.len() == 1 { "is not one" } else { "are none" }, names.join(", "));
        return Err(Refusal::because(format!(
            "a model is a folder with config.json, model.safetensors and tokenizer.json; these {are} of them: {names}"
        )));
    }
    let name = if name.is_empty() { "model" } else { name };
    let mut files = ModelFiles { name: name.to_owned(), ..ModelFiles::default() };
    // The useless ones are listed, too, so that messages can name them.
    files.files = chosen.into_iter().map(|(name, file)| (name.to_owned(), file.source.clone())).collect();
    Ok(files)
}

/// How many classes the file itself speaks of.
pub fn own_labels(model: &PretrainedModel) -> usize {
    let named = model.config.id2label.as_ref().map(Vec::len);
    named.or(model.config.num_labels).unwrap_or(DEFAULT_LABELS).max(1)
}

/// What the file itself is for: a decoder that names no classes, and whose words can be read here, writes.
pub fn own_head(model: &PretrainedModel) -> Head {
    let config = &model.config;
    let writes = config.family.is_causal() && config.id2label.is_none() && config.ties_words;
    if writes { Head::CausalLm } else { Head::classes(own_labels(model)) }
}

async fn card(model: &PretrainedModel, embedded: bool) -> Result<ModelCard, Refusal> {
    // The whole model is put together once, so that bad weights are found now and not when a run starts.
    let base = BaseModel::new(model.clone(), own_head(model), 0).await?;
    let is_head = |name: &str| {
        let mut heads = base.sites.iter().filter(|site| site.role == Role::Head);
        heads.any(|site| name == site.weight_name() || name == site.bias_name())
    };
    let count = |suffix: &str| -> usize {
        let counted = base.parameters.0.iter().filter(|(name, _)| !is_head(name) && name.ends_with(suffix));
        counted.map(|(_, tensor)| tensor.n_values()).sum()
    };
    let all: usize = base.parameters.0.values().map(StoredTensor::n_values).sum();
    let head = if base.head == Head::CausalLm {
        HeadOrigin::Words
    } else if base.fresh.iter().any(|name| is_head(name)) {
        HeadOrigin::Fresh
    } else {
        HeadOrigin::Found { labels: model.config.id2label.clone().unwrap_or_default() }
    };
    Ok(ModelCard {
        name: model.name.clone(),
        embedded,
        family: base.family().to_owned(),
        vocab_size: model.config.vocab_size,
        hidden_size: model.config.hidden_size,
        intermediate_size: model.config.intermediate_size,
        num_hidden_layers: model.config.num_hidden_layers,
        num_attention_heads: model.config.num_attention_heads,
        max_position_embeddings: model.config.longest(),
        n_parameters: count(""),
        n_biases: count(".bias"),
        n_top: n_top(&base),
        is_decoder: base.config.family.is_causal(),
        weight_bytes: 4 * all as u64,
        head,
        notes: base.notes.clone(),
        sites: base.sites.iter().map(site_card).collect(),
    })
}

/// Numbers of the last two layers and of what follows them, without the head.
fn n_top(base: &BaseModel) -> usize {
    let outline = base.outline();
    let top = crate::tuning::ft_top2::plan(&outline).trained;
    let head: Vec<String> = outline.names(|place| place == Place::Head).collect();
    let names = top.iter().filter(|name| !head.contains(name));
    names.filter_map(|name| base.parameters.0.get(name)).map(StoredTensor::n_values).sum()
}

fn site_card(site: &crate::nn::site::Site) -> SiteCard {
    let crate::nn::site::Site { path, layer, role, d_out, d_in } = site.clone();
    SiteCard { path, layer, role, d_out, d_in }
}
