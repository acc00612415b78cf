//! `dsee env`: what a bug report should begin with.

use dsee_core::gpu::Device;
use serde_json::json;

use crate::failure::Failure;

/// Flags of `dsee env`: none of its own.
#[derive(Debug, clap::Args)]
pub struct EnvArgs {}

/// Prints versions, adapter and limits.
pub fn run(_: &EnvArgs, json: bool) -> Result<(), Failure> {
    let device = pollster::block_on(Device::open())?;
    let adapter = device.report();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if json {
        let report = json!({
            "version": env!("CARGO_PKG_VERSION"), "os": std::env::consts::OS, "arch": std::env::consts::ARCH,
            "threads": threads, "adapter": adapter,
        });
        tell!("{report:#}");
        return Ok(());
    }
    let features = if adapter.features.is_empty() { "none".to_owned() } else { adapter.features.join(", ") };
    tell!("dsee      {}", env!("CARGO_PKG_VERSION"));
    tell!("system    {} {}, {threads} threads", std::env::consts::OS, std::env::consts::ARCH);
    tell!("adapter   {} ({})", adapter.name, adapter.kind);
    tell!("driver    {} {}", adapter.backend, adapter.driver);
    tell!(
        "buffers   up to {} MiB, {} MiB in one binding",
        adapter.max_buffer_bytes >> 20,
        adapter.max_binding_bytes >> 20
    );
    tell!("features  {features}");
    Ok(())
}
