//! What questions are about: a model, and the states of it that there are.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::model::{LoadedModel, own_head, own_labels};
use super::pieces::Rest;
use super::refusal::problems_of;
use super::running::CurrentRun;
use super::{Engine, Refusal};
use crate::config::{RunConfig, RunConfigDraft};
use crate::data::{EncodedDataset, LabelSet, RunData};
use crate::engine::{BaseModel, Session, TextForm};
use crate::gpu::Device;
use crate::models::family::Head;
use crate::protocol::{Event, Variant};
use crate::train::place::HostState;

/// A model with every state that it can be asked in, on its own: what is loaded or done meanwhile does not change it.
pub struct Subject {
    /// The pretrained model with a head.
    pub base: Rc<BaseModel>,
    /// What it tells apart.
    pub labels: LabelSet,
    /// The model as it was loaded.
    pub model: Rc<LoadedModel>,
    /// Settings of the run, or the defaults before any.
    pub config: RunConfig,
    /// What prompts are.
    pub form: TextForm,
    /// The states; the untouched one always.
    pub states: BTreeMap<Variant, Rc<HostState>>,
    /// Optimizer steps of the newest state.
    pub step: usize,
}

impl Engine {
    /// The newest run, or the loaded model with a fresh head before any.
    pub(super) async fn subject(&self) -> Result<Subject, Refusal> {
        if let Some(current) = &self.current {
            return current.subject().await;
        }
        let model = self.model.clone().ok_or_else(|| Refusal::because("load a model first"))?;
        let config =
            RunConfigDraft::default().check().map_err(|errors| Refusal::Rejected(problems_of(errors)))?;
        let (labels, head) = self.data.as_ref().map_or_else(
            || (named(&model), own_head(&model.pretrained)),
            |data| (data.labels(), data.head(&model.pretrained.config)),
        );
        let base = BaseModel::new(model.pretrained.clone(), head, config.seed).await?;
        // Without data the embedded decoder is asked for what it was made for, another one goes on as it came.
        let form = match &self.data {
            None if !model.card.embedded => TextForm::AsItIs,
            Some(data) if data.is_plain() => TextForm::GoingOn,
            _ => TextForm::ForContext,
        };
        let states = [(Variant::Base, Rc::new(base.untouched()))].into();
        Ok(Subject { base: Rc::new(base), labels, model, config, form, states, step: 0 })
    }
}

/// The labels in a model's own settings, or names for as many as it has.
fn named(model: &LoadedModel) -> LabelSet {
    let model = &model.pretrained;
    if own_head(model) == Head::CausalLm {
        return LabelSet::Words;
    }
    let numbered = || (0..own_labels(model)).map(|class| format!("LABEL_{class}")).collect();
    LabelSet::Classes(model.config.id2label.clone().unwrap_or_else(numbered))
}

impl CurrentRun {
    /// The run with its states so far, the present one among them.
    pub async fn subject(&self) -> Result<Subject, Refusal> {
        let (base, labels) = (self.run.base(), self.run.outcome().2.clone());
        let mut states = self.states.clone();
        states.insert(Variant::Base, Rc::new(base.untouched()));
        if self.run.is_in_phase() {
            states.insert(Variant::Present, Rc::new(self.run.present_state().await?));
        }
        Ok(Subject {
            base,
            labels,
            model: self.model.clone(),
            config: self.config.clone(),
            form: if let RunData::Plain(_) = *self.data { TextForm::GoingOn } else { TextForm::ForContext },
            states,
            step: self.run.step(),
        })
    }
}

impl Subject {
    /// The state that has seen most.
    pub fn newest(&self) -> &HostState {
        // Where there is a present state it is ahead of every finished phase.
        let newest = self.states.get(&Variant::Present).or(self.states.values().next_back());
        newest.unwrap_or_else(|| unreachable!("the untouched state is always there"))
    }

    /// The most tokens of a text.
    pub fn max_length(&self) -> usize {
        self.config.max_length.min(self.base.config.longest())
    }

    /// Logits of one state, (B, N), in the order of the data set. Says how far it is if it may take
    /// longer, and rests after every batch.
    pub async fn logits(
        &self,
        device: &Device,
        state: &HostState,
        dataset: &EncodedDataset,
        what: Option<&str>,
        rest: &Rest,
    ) -> Result<Vec<f32>, Refusal> {
        let n_sequences = self.config.per_device_eval_batch_size;
        let mut session = Session::new(device, &self.base, state, dataset.clone(), n_sequences).await?;
        rest.between_pieces().await;
        while !session.advance().await? {
            if let Some(what) = what {
                let n_logits = dataset.len() * self.labels.n_outputs();
                let share = Some(session.logits().len() as f64 / n_logits as f64);
                rest.tell(Event::Working { what: what.to_owned(), share });
            }
            rest.between_pieces().await;
        }
        Ok(session.logits().to_vec())
    }
}
