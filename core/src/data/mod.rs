//! From the bytes of a data file to packed batches.
//!
//! [`load_splits`] reads TSV, CSV or JSON into examples with labels and says everything that is wrong with
//! them at once; [`EncodedDataset`] holds their tokens; [`BatchOrder`] says which examples come when, and
//! [`EncodedDataset::pack`] joins them without padding.
//!
//! For text, [`generation`] reads contexts with their completions and [`plain`] texts; [`causal`] makes batches of them
//! in which a decoder guesses the next token, [`mlm`] those in which an encoder guesses hidden ones.

mod batch;
pub mod causal;
mod check;
mod columns;
mod dataset;
mod delimited;
mod encode;
mod error;
pub mod generation;
mod guess;
mod header;
mod histogram;
mod json;
mod labels;
pub mod mlm;
pub mod plain;
mod run_data;
mod split;
mod table;
mod task_columns;
mod task_labels;

pub use batch::{BatchOrder, EpochOrder, PackedBatch, TokenBatch};
pub use check::{DataWarning, class_counts};
pub use columns::{ColumnChoice, Columns};
pub use dataset::{
    DataFile, DataOptions, DataSplits, Dataset, Example, LoadedDataset, load_labelled, load_splits,
    load_texts,
};
pub use encode::EncodedDataset;
pub use error::{DataError, DataErrors, DataProblem, MAX_LISTED_PROBLEMS};
pub use histogram::LengthHistogram;
pub use labels::{Label, LabelSet, TaskKind};
pub use run_data::RunData;
pub use split::{sample, validation_split};
pub use table::DataFormat;

/// The choices about data that are left to chance. Each has its own family of random streams.
#[derive(Clone, Copy)]
enum Chance {
    /// Which examples become the validation set.
    ValidationSplit = 0x1001,
    /// Which training examples are kept.
    TrainSample = 0x1002,
    /// In which order an epoch visits the examples.
    EpochOrder = 0x1003,
    /// Which tokens an epoch masks.
    TokenMasks = 0x1004,
}

impl Chance {
    /// The stream of the `index`-th use, say of an epoch. The purpose stands in the upper half of the number,
    /// so that no two purposes share one.
    fn stream(self, index: u32) -> u64 {
        (self as u64) << 32 | u64::from(index)
    }
}
