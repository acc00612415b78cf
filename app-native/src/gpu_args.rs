//! How the GPU is used: flags that say nothing about a run, only about the machine it is on.

use clap::Args;
use dsee_core::gpu::{
    Device, GpuError,
    pacing::{self, TARGET_MS, TARGETS_MS},
};

/// Flags of verbs that train.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct GpuArgs {
    /// Milliseconds the GPU works at a stretch; shorter helps where the driver takes it away [default: 50].
    #[arg(long, value_name = "MS", value_parser = target)]
    gpu_target_ms: Option<f64>,
}

impl GpuArgs {
    /// Opens the adapter and paces it.
    ///
    /// # Errors
    /// If there is none, or it gives no device.
    pub fn open_device(self) -> Result<Device, GpuError> {
        let device = pollster::block_on(Device::open())?;
        if let Some(target_ms) = self.gpu_target_ms {
            device.set_target_ms(target_ms);
        }
        Ok(device)
    }

    /// The flag to try next if the device was lost.
    pub fn shorter_flag(self) -> String {
        format!("--gpu-target-ms {}", pacing::shorter(self.gpu_target_ms.unwrap_or(TARGET_MS)))
    }
}

fn target(text: &str) -> Result<f64, String> {
    let target_ms = text.parse().ok().filter(|target_ms| TARGETS_MS.contains(target_ms));
    let (shortest, longest) = (TARGETS_MS.start(), TARGETS_MS.end());
    target_ms.ok_or_else(|| format!("expected milliseconds from {shortest} to {longest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sensible_targets_are_taken() {
        assert_eq!(target("12.5"), Ok(12.5));
        for wrong in ["0", "-3", "NaN", "2000", "soon"] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
        assert_eq!(GpuArgs::default().shorter_flag(), "--gpu-target-ms 12.5");
        assert_eq!(GpuArgs { gpu_target_ms: Some(12.5) }.shorter_flag(), "--gpu-target-ms 3.125");
    }
}
