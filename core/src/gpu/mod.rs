//! The only place that names wgpu: devices, buffers, recorded work and its execution.
//!
//! Work is described first ([`recording::Recording`], plain data) and run later: by the GPU
//! ([`device::Device::open`]) or, kernel by kernel, by the CPU references ([`device::Device::reference`]).

mod adapter;
mod batch;
pub mod device;
pub mod error;
pub mod kernel;
mod layout;
pub mod pacing;
pub mod recording;
mod reference;
mod wgpu_device;
mod wgpu_plan;

pub use device::{AdapterKind, AdapterReport, Device, Plan, Resident};
pub use error::GpuError;
pub use kernel::{Binding, Constant, Field, Kernel, ReferenceCall};
pub use recording::{Dim, Extent, Grid, Recording, Sizes, Slice, StepScalars, Value};
