//! What a tuning method wants done: the only thing that models and methods share.

use std::collections::{BTreeMap, BTreeSet};

use super::outline::{Outline, Place};
use super::site::Site;

/// What is trained, as a method decided it from the outline of a model alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TuningPlan {
    /// Names of the pretrained parameters that are trained themselves.
    pub trained: BTreeSet<String>,
    /// Site path → the update it gets beside its frozen weight.
    pub deltas: BTreeMap<String, DeltaPlan>,
    /// Name → a parameter that is added to the model and trained. The name says what it does: see
    /// [`super::added`].
    pub added: BTreeMap<String, AddedPlan>,
    /// Share of the numbers of an added prefix that is dropped while training.
    pub prefix_dropout: f32,
    /// The loss of every pass grows by this times the sum of absolute values of all added coefficients.
    pub coefficient_penalty: f32,
}

/// The shape of an update ΔW = scale · (B A + P_Ω(S)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeltaPlan {
    /// Rank R of the low-rank part.
    pub rank: usize,
    /// Entries K of the sparse part; 0 for none.
    pub n_nonzero: usize,
    /// alpha / R.
    pub scale: f32,
}

impl DeltaPlan {
    /// Numbers in it, at this site.
    #[must_use]
    pub fn n_values(&self, site: &Site) -> usize {
        self.rank * (site.d_out + site.d_in) + self.n_nonzero
    }
}

/// A parameter that pretrained files do not have.
#[derive(Clone, Debug, PartialEq)]
pub struct AddedPlan {
    /// Its shape in full size.
    pub shape: Vec<usize>,
    /// Its values before training.
    pub first: FirstValues,
}

/// Values before training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FirstValues {
    /// All the same.
    Constant(f32),
    /// Normal around 0 with this standard deviation.
    Normal(f64),
    /// Uniform between minus and plus this.
    Uniform(f64),
}

impl AddedPlan {
    /// Numbers in it.
    #[must_use]
    pub fn n_values(&self) -> usize {
        self.shape.iter().product()
    }
}

impl TuningPlan {
    /// Numbers that the optimizer may change, without the task head (`dsee-method` 1.4), before anything is removed.
    /// `n_values` tells the size of a pretrained parameter.
    #[must_use]
    pub fn n_trainable(&self, model: &Outline, n_values: impl Fn(&str) -> usize) -> usize {
        let head: BTreeSet<String> = model.names(|place| place == Place::Head).collect();
        let whole: usize = self.trained.difference(&head).map(|name| n_values(name)).sum();
        let added: usize = self.added.values().map(AddedPlan::n_values).sum();
        let update = |site: &Site| self.deltas.get(&site.path).map_or(0, |delta| delta.n_values(site));
        whole + added + model.sites.iter().map(update).sum::<usize>()
    }

    /// Whether it searches for what to remove by trained coefficients.
    #[must_use]
    pub fn is_search(&self) -> bool {
        self.added.keys().any(|name| name.ends_with(super::added::COEFFICIENTS))
    }
}
