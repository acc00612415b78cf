//! The GPU side of [`super::device::Device`]: memory, the queue and what goes wrong. Its recordings: [`super::wgpu_plan`].

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::adapter::{pick_adapter, report_of, request_device};
use super::device::{AdapterKind, AdapterReport};
use super::error::GpuError;
use super::pacing;
use super::wgpu_plan::Pipeline;

/// The first error a device reported by callback, until somebody asks.
type ErrorSlot = Arc<Mutex<Option<GpuError>>>;

/// A wgpu device with its queue, pipelines and error state.
#[derive(Debug)]
pub struct WgpuDevice {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    max_buffer_bytes: u64,
    pub(super) max_binding_bytes: u64,
    kind: AdapterKind,
    /// See [`super::pacing`].
    target_ms: Cell<f64>,
    error: ErrorSlot,
    pub(super) pipelines: RefCell<BTreeMap<String, Pipeline>>,
    in_flight: RefCell<VecDeque<Fence>>,
}

#[derive(Debug)]
struct Fence {
    done: async_channel::Receiver<()>,
    #[cfg_attr(
        target_arch = "wasm32",
        allow(dead_code, reason = "browsers advance the queue by themselves")
    )]
    index: wgpu::SubmissionIndex,
}

impl WgpuDevice {
    /// Opens the best adapter that the environment variables `WGPU_BACKEND` and `WGPU_ADAPTER_NAME` allow.
    pub async fn open(allocated: Arc<AtomicU64>) -> Result<(Self, AdapterReport), GpuError> {
        let descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
        let instance = wgpu::Instance::new(descriptor);
        let adapter = pick_adapter(&instance).await?;
        let report = report_of(&adapter);
        let (device, queue) = request_device(&adapter).await?;
        let error = ErrorSlot::default();
        watch(&device, &error, allocated);
        let limits = device.limits();
        let opened = Self {
            max_buffer_bytes: limits.max_buffer_size,
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            kind: report.kind,
            target_ms: Cell::new(pacing::TARGET_MS),
            device,
            queue,
            error,
            pipelines: RefCell::default(),
            in_flight: RefCell::default(),
        };
        let report = AdapterReport {
            max_buffer_bytes: opened.max_buffer_bytes,
            max_binding_bytes: opened.max_binding_bytes,
            ..report
        };
        Ok((opened, report))
    }

    pub fn create(&self, label: &str, len: usize) -> Result<wgpu::Buffer, GpuError> {
        self.check()?;
        let needed = len as u64 * 4;
        if needed > self.max_buffer_bytes {
            return Err(GpuError::TooLarge {
                label: label.to_owned(),
                needed,
                available: self.max_buffer_bytes,
            });
        }
        use wgpu::BufferUsages as U;
        let usage = U::STORAGE | U::COPY_SRC | U::COPY_DST;
        let descriptor =
            wgpu::BufferDescriptor { label: Some(label), size: needed, usage, mapped_at_creation: false };
        Ok(self.device.create_buffer(&descriptor))
    }

    pub fn write(&self, buffer: &wgpu::Buffer, offset: usize, words: &[u32]) {
        // Large uploads go in pieces, each submitted, so that staging memory stays bounded.
        const PIECE: usize = 4 << 20;
        for (i, piece) in words.chunks(PIECE).enumerate() {
            let at = (offset + i * PIECE) as u64 * 4;
            self.queue.write_buffer(buffer, at, bytemuck::cast_slice(piece));
            if words.len() > PIECE {
                self.queue.submit([]);
            }
        }
    }

    pub async fn read(&self, buffer: &wgpu::Buffer, offset: usize, len: usize) -> Result<Vec<u32>, GpuError> {
        if len == 0 {
            return Ok(Vec::new());
        }
        let size = len as u64 * 4;
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("readback"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(buffer, offset as u64 * 4, &staging, 0, size);
        let index = self.queue.submit([encoder.finish()]);
        let (sender, receiver) = async_channel::bounded(1);
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            // The receiver is gone only when nobody waits any more.
            let _ = sender.try_send(result);
        });
        self.wait_for(&index)?;
        let mapped = receiver.recv().await.map_err(|_| self.lost("the map callback was dropped"))?;
        self.check()?;
        mapped.map_err(|error| self.lost(&error.to_string()))?;
        let range = staging.get_mapped_range(..).map_err(|error| self.lost(&error.to_string()))?;
        let words = bytemuck::allocation::pod_collect_to_vec(&range[..]);
        drop(range);
        staging.destroy();
        Ok(words)
    }

    /// Changes how many milliseconds of work go to the queue at a stretch.
    pub fn set_target_ms(&self, target_ms: f64) {
        self.target_ms.set(target_ms);
    }

    pub fn target_ms(&self) -> f64 {
        self.target_ms.get()
    }

    pub(super) fn budget(&self) -> f64 {
        pacing::budget(self.kind, self.target_ms.get())
    }

    /// Remembers work that was given to the queue, so that [`Self::throttle`] can wait for it.
    pub(super) fn note_submission(&self, index: wgpu::SubmissionIndex) {
        let (sender, done) = async_channel::bounded(1);
        self.queue.on_submitted_work_done(move || {
            // The receiver is gone only when nobody waits any more.
            let _ = sender.try_send(());
        });
        self.in_flight.borrow_mut().push_back(Fence { done, index });
    }

    pub async fn throttle(&self, in_flight: usize) -> Result<(), GpuError> {
        while self.in_flight.borrow().len() > in_flight {
            let Some(fence) = self.in_flight.borrow_mut().pop_front() else { break };
            #[cfg(not(target_arch = "wasm32"))]
            self.wait_for(&fence.index)?;
            if fence.done.recv().await.is_err() {
                return Err(self.lost("the queue dropped its work"));
            }
        }
        self.check()
    }

    /// Natively somebody must wait for the queue; in a browser it advances while we await.
    #[cfg(not(target_arch = "wasm32"))]
    fn wait_for(&self, index: &wgpu::SubmissionIndex) -> Result<(), GpuError> {
        let wait = wgpu::PollType::Wait { submission_index: Some(index.clone()), timeout: None };
        self.device.poll(wait).map_err(|error| self.lost(&error.to_string()))?;
        self.check()
    }

    #[cfg(target_arch = "wasm32")]
    fn wait_for(&self, _: &wgpu::SubmissionIndex) -> Result<(), GpuError> {
        self.check()
    }

    /// The error reported by callback, if any; it stays, because a device does not recover.
    pub(super) fn check(&self) -> Result<(), GpuError> {
        match self.error.lock() {
            Ok(slot) => slot.clone().map_or(Ok(()), Err),
            Err(_) => Err(GpuError::DeviceLost { detail: "an error handler panicked".into() }),
        }
    }

    fn lost(&self, detail: &str) -> GpuError {
        self.check().err().unwrap_or_else(|| GpuError::DeviceLost { detail: detail.to_owned() })
    }

    pub fn destroy(&self) {
        keep(&self.error, GpuError::DeviceLost { detail: "it was destroyed".into() });
        self.device.destroy();
    }
}

/// Keeps the first error, or the loss of the device that explains a rejected command.
fn keep(slot: &ErrorSlot, error: GpuError) {
    let Ok(mut slot) = slot.lock() else { return };
    let explains =
        matches!((&*slot, &error), (Some(GpuError::Validation { .. }), GpuError::DeviceLost { .. }));
    if slot.is_none() || explains {
        *slot = Some(error);
    }
}

/// Turns what the device reports by callback into a typed error, found by the next call.
fn watch(device: &wgpu::Device, slot: &ErrorSlot, allocated: Arc<AtomicU64>) {
    let errors = slot.clone();
    device.on_uncaptured_error(Arc::new(move |error| {
        let detail = error.to_string();
        let error = match error {
            wgpu::Error::OutOfMemory { .. } => {
                GpuError::OutOfMemory { allocated: allocated.load(Ordering::Relaxed), detail }
            }
            _ => GpuError::Validation { detail },
        };
        keep(&errors, error);
    }));
    let errors = slot.clone();
    device.set_device_lost_callback(move |_, detail| {
        keep(&errors, GpuError::DeviceLost { detail });
    });
}
