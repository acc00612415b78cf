//! One file per verb: its flags, and what it does.

pub mod bench;
pub mod env;
pub mod export;
pub mod inspect;
pub mod train;
