//! What can go wrong between us and a GPU.

/// An error of the adapter, the device or its memory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// There is nothing to compute on.
    #[error(
        "no GPU adapter was found ({detail}); install a Vulkan driver, or on Debian and Ubuntu the software \
         adapter: apt-get install mesa-vulkan-drivers"
    )]
    NoAdapter {
        /// What the system answered.
        detail: String,
    },
    /// The adapter refused to give a device.
    #[error("the adapter refused a device: {detail}")]
    NoDevice {
        /// What the adapter answered.
        detail: String,
    },
    /// One buffer is larger than the adapter allows.
    #[error(
        "the adapter is too small: {label} needs {needed} bytes in one buffer, {available} are available; a smaller batch, shorter \
         texts or fewer beams need less"
    )]
    TooLarge {
        /// What the buffer was for.
        label: String,
        /// Bytes asked for.
        needed: u64,
        /// The adapter's limit in bytes.
        available: u64,
    },
    /// The driver had no memory left.
    #[error(
        "out of GPU memory after {allocated} bytes ({detail}); use a smaller batch or a shorter maximum length"
    )]
    OutOfMemory {
        /// Bytes allocated by us at that time.
        allocated: u64,
        /// What the driver said.
        detail: String,
    },
    /// The device went away: driver reset, unplugged, or destroyed.
    #[error("the GPU device was lost ({detail}); resume from the last checkpoint")]
    DeviceLost {
        /// What the driver said.
        detail: String,
    },
    /// A kernel does not compile on this adapter.
    #[error("kernel {kernel} was refused by the driver: {detail}")]
    Pipeline {
        /// Name of the kernel.
        kernel: String,
        /// The compiler's message.
        detail: String,
    },
    /// The driver rejected a command: a mistake of this program.
    #[error("the GPU rejected a command: {detail}")]
    Validation {
        /// The driver's message.
        detail: String,
    },
}
