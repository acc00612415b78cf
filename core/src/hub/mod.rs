//! The model hub without its network: names, addresses, which files to get, what an answer means, what to say.
//!
//! Apps carry the requests out (a thread natively, `fetch` in a browser) and ask here what comes next:
//! [`Plan`] gives one [`Task`] after the other; [`Repository::url`] and [`range_header`] make its request;
//! [`AnswerHead`] and [`HubError::of`] read the answer; [`start_of`] tells whether the bytes go on from those that
//! are there; [`Retry`] tells whether to try again, and when; [`Meter`] counts.

mod address;
mod answer;
mod dataset;
mod error;
mod id;
mod meter;
mod plan;
mod retry;
mod token;
mod weights;

pub use address::{
    AddressError, DEFAULT_ENDPOINT, DEFAULT_REVISION, Endpoint, Repository, RepositoryKind, Revision,
};
pub use answer::{AnswerHead, ContentRange, Identity, Start, range_header, start_of};
pub use dataset::{CONVERTED_REVISION, DatasetFiles, Listing};
pub use error::HubError;
pub use id::{IdError, ModelId};
pub use meter::Meter;
pub use plan::{Part, Plan, Task};
pub use retry::Retry;
pub use token::{Token, TokenError};
pub use weights::{LENGTH_RANGE, check_weights, header_range};
