//! `cargo xtask pretrain`: the embedded encoder, made again from text, and with `decoder` the embedded decoder.
//!
//! The work is done by a program of its own, so that the other tasks need not build the engine first.

use std::ffi::OsString;

use crate::{setup, shell};

/// Builds and runs the pretraining program.
///
/// # Errors
/// If there is no adapter and none can be installed, or the program fails.
pub fn pretrain(flags: &[OsString]) -> anyhow::Result<()> {
    setup::adapter()?;
    let run = &["run", "--quiet", "--package", "dsee-pretraining", "--"];
    shell::run(shell::cargo(run).args(flags))
}
