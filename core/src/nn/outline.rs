//! What a tuning method is told of a model: its linear maps, where its parameters belong, and which way it reads.

use super::site::Site;

/// Where in a model a parameter belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Before the layers.
    Embedding,
    /// In the layer of this number.
    Layer(usize),
    /// Behind the last layer and still pretrained: the last layer norm of a decoder, the pooler of BERT.
    Top,
    /// The task head.
    Head,
}

/// A model as methods see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The linear maps.
    pub sites: Vec<Site>,
    /// Names of all parameters with their places.
    pub parameters: Vec<(String, Place)>,
    /// H, heads of a layer.
    pub n_heads: usize,
    /// Whether tokens see only what stands before them.
    pub is_decoder: bool,
}

impl Outline {
    /// L, the number of layers.
    #[must_use]
    pub fn n_layers(&self) -> usize {
        self.sites.iter().filter_map(|site| site.layer).max().map_or(0, |last| last + 1)
    }

    /// Names of the parameters whose place is one of those that `is_chosen` takes.
    pub fn names(&self, is_chosen: impl Fn(Place) -> bool) -> impl Iterator<Item = String> {
        self.parameters.iter().filter(move |(_, place)| is_chosen(*place)).map(|(name, _)| name.clone())
    }
}
