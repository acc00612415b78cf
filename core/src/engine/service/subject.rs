//! What questions are about: a model, and the states of it that there are.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::model::{LoadedModel, own_labels};
use super::refusal::problems_of;
use super::running::CurrentRun;
use super::{Engine, Host, Refusal, say};
use crate::config::{RunConfig, RunConfigDraft};
use crate::data::{EncodedDataset, LabelSet};
use crate::engine::{BaseModel, Session};
use crate::gpu::Device;
use crate::models::family::Head;
use crate::protocol::{Event, Variant};
use crate::train::place::HostState;

/// A model with every state that it can be asked in.
pub struct Subject<'a> {
    /// The pretrained model with a head.
    pub base: Cow<'a, BaseModel>,
    /// What it tells apart.
    pub labels: LabelSet,
    /// The model as it was loaded.
    pub model: &'a LoadedModel,
    /// Settings of the run, or the defaults before any.
    pub config: Cow<'a, RunConfig>,
    /// The states; the untouched one always.
    pub states: BTreeMap<Variant, Cow<'a, HostState>>,
    /// Optimizer steps of the newest state.
    pub step: usize,
}

impl Engine {
    /// The newest run, or the loaded model with a fresh head before any.
    pub(super) async fn subject(&self) -> Result<Subject<'_>, Refusal> {
        if let Some(current) = &self.current {
            return current.subject().await;
        }
        let model = self.model.as_deref().ok_or_else(|| Refusal::because("load a model first"))?;
        let config =
            RunConfigDraft::default().check().map_err(|errors| Refusal::Rejected(problems_of(errors)))?;
        let labels = self.data.as_ref().map_or_else(|| named(model), |data| data.labels());
        let base =
            BaseModel::new(model.pretrained.clone(), Head::classes(labels.n_outputs()), config.seed).await?;
        let states = [(Variant::Base, Cow::Owned(base.untouched()))].into();
        let (base, config) = (Cow::Owned(base), Cow::Owned(config));
        Ok(Subject { base, labels, model, config, states, step: 0 })
    }
}

/// The labels in a model's own settings, or names for as many as it has.
fn named(model: &LoadedModel) -> LabelSet {
    let model = &model.pretrained;
    let numbered = || (0..own_labels(model)).map(|class| format!("LABEL_{class}")).collect();
    LabelSet::Classes(model.config.id2label.clone().unwrap_or_else(numbered))
}

impl CurrentRun {
    /// The run with its states so far, the present one among them.
    pub async fn subject(&self) -> Result<Subject<'_>, Refusal> {
        let (base, _, labels) = self.run.outcome();
        let mut states: BTreeMap<_, _> =
            self.states.iter().map(|(&variant, state)| (variant, Cow::Borrowed(state))).collect();
        states.insert(Variant::Base, Cow::Owned(base.untouched()));
        if self.run.is_in_phase() {
            states.insert(Variant::Present, Cow::Owned(self.run.present_state().await?));
        }
        Ok(Subject {
            base: Cow::Borrowed(base),
            labels: labels.clone(),
            model: &self.model,
            config: Cow::Borrowed(&self.config),
            states,
            step: self.run.step(),
        })
    }
}

impl Subject<'_> {
    /// The state that has seen most.
    pub fn newest(&self) -> &HostState {
        // Where there is a present state it is ahead of every finished phase.
        let newest = self.states.get(&Variant::Present).or(self.states.values().next_back());
        newest.unwrap_or_else(|| unreachable!("the untouched state is always there"))
    }

    /// The most tokens of a text.
    pub fn max_length(&self) -> usize {
        self.config.max_length.min(self.base.config.max_position_embeddings)
    }

    /// Logits of one state, (B, N), in the order of the data set. Says how far it is if it may take longer.
    pub async fn logits(
        &self,
        device: &Device,
        state: &HostState,
        dataset: &EncodedDataset,
        what: Option<&str>,
        host: &mut impl Host,
    ) -> Result<Vec<f32>, Refusal> {
        let n_sequences = self.config.per_device_eval_batch_size;
        let mut session = Session::new(device, &self.base, state, dataset.clone(), n_sequences).await?;
        while !session.advance().await? {
            if let Some(what) = what {
                let n_logits = dataset.len() * self.labels.n_outputs();
                let share = Some(session.logits().len() as f64 / n_logits as f64);
                say(host, Event::Working { what: what.to_owned(), share });
            }
            host.breathe().await;
        }
        Ok(session.logits().to_vec())
    }
}
