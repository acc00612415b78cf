//! Figures for generated text: how close one hypothesis per segment comes to one or more references.
//!
//! Every figure here has one published form, fixed by the program whose results papers print; the name says which.
//! Figures of the same family in another form (other tokens, other smoothing, another mean) differ by whole points
//! and must not be compared, so there is no metric "with options". Text goes in, one number comes out.

mod bleu;
mod chrf;
mod cider;
mod corpus;
mod marks;
mod meteor;
mod ngrams;
mod nist;
mod ptb;
mod registry;
mod rouge_l;
mod ter;
mod tercom;
pub(crate) mod tokenize;

pub use corpus::{Corpus, CorpusError, CorpusProblem};
pub use meteor::{MeteorTables, TableError};
pub use registry::{NlgMetric, Scale, Undefined};
