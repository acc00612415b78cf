//! What a tuning method wants done: the only thing that models and methods share.

use std::collections::{BTreeMap, BTreeSet};

/// What is trained, as a method decided it from the sites alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TuningPlan {
    /// Names of the pretrained parameters that are trained themselves.
    pub trained: BTreeSet<String>,
    /// Site path → the update it gets beside its frozen weight.
    pub deltas: BTreeMap<String, DeltaPlan>,
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
