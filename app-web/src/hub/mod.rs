//! A model from the hub: asks for one file after the other as [`dsee_core::hub::Plan`] says, keeps what comes, and goes
//! on where it was cut.

mod bridge;
mod counter;
mod download;

pub use bridge::HubStore;
pub use counter::Progress;
pub use download::fetch;
