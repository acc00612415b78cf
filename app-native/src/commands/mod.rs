//! One file per verb: its flags, and what it does.

pub mod bench;
pub mod compare;
pub mod env;
pub mod eval;
pub mod export;
pub mod generate;
pub mod inspect;
pub mod predict;
pub mod prune;
pub mod reproduce;
pub mod score;
pub mod train;
pub mod window;
