//! The GPU side of [`super::device::Device`].

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::adapter::{pick_adapter, report_of, request_device};
use super::batch::Batch;
use super::device::{AdapterKind, AdapterReport, Resident};
use super::error::GpuError;
use super::kernel::{Constant, Kernel};
use super::layout::Layout;
use super::pacing::{self, Chunk};
use super::recording::{Base, Command, Dispatch, Extent, Grid, Recording, Sizes, Slice, StepScalars, Value};

/// Bytes between the params blocks of two dispatches: WebGPU's alignment of uniform bindings.
const PARAMS_STRIDE: usize = 256;

/// The first error a device reported by callback, until somebody asks.
type ErrorSlot = Arc<Mutex<Option<GpuError>>>;

/// A wgpu device with its queue, pipelines and error state.
#[derive(Debug)]
pub struct WgpuDevice {
    device: wgpu::Device,
    queue: wgpu::Queue,
    max_buffer_bytes: u64,
    max_binding_bytes: u64,
    kind: AdapterKind,
    /// See [`super::pacing`].
    target_ms: Cell<f64>,
    error: ErrorSlot,
    pipelines: RefCell<BTreeMap<String, Pipeline>>,
    in_flight: RefCell<VecDeque<Fence>>,
}

#[derive(Clone, Debug)]
struct Pipeline {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
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

/// A recording made ready for replay.
#[derive(Debug)]
pub struct WgpuPlan {
    steps: Vec<Step>,
    params: wgpu::Buffer,
    /// Params template of all dispatches; what changes per step is patched in before upload.
    template: RefCell<Vec<u32>>,
    patches: Vec<(usize, Value)>,
    blocks: Vec<Resident>,
    /// Keeps the memory alive that the commands name.
    _residents: Vec<Resident>,
}

impl WgpuPlan {
    /// Dispatches of one run, the parts of those that were split counted each.
    pub fn n_dispatches(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step, Step::Dispatch { .. })).count()
    }
}

#[derive(Debug)]
enum Step {
    Dispatch {
        pipeline: wgpu::ComputePipeline,
        bindings: wgpu::BindGroup,
        grid: Grid,
        chunk: Chunk,
        load: Load,
    },
    Clear {
        to: Place,
        len: Extent,
    },
    Copy {
        from: Place,
        to: Place,
        len: Extent,
    },
}

/// Predicted operations of a dispatch at the capacity of its plan; of a step with fewer tokens they are at most that.
type Load = f64;

/// A buffer and an offset in bytes.
type Place = (wgpu::Buffer, u64);

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

    pub async fn compile(
        &self,
        recording: Recording,
        capacity: &Sizes,
        layout: &Layout,
        blocks: Vec<Resident>,
    ) -> Result<WgpuPlan, GpuError> {
        let budget = self.budget();
        let parts = |command: &Command| match command {
            Command::Dispatch(dispatch) => pacing::chunks(dispatch, capacity, budget),
            Command::Clear(_) | Command::Copy(_) => Vec::new(),
        };
        let chunks: Vec<Vec<Chunk>> = recording.commands.iter().map(parts).collect();
        let n_dispatches = chunks.iter().map(Vec::len).sum::<usize>();
        let params = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("params"),
            size: (n_dispatches.max(1) * PARAMS_STRIDE) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut plan = WgpuPlan {
            steps: Vec::with_capacity(recording.commands.len()),
            params,
            template: RefCell::new(vec![0; n_dispatches * PARAMS_STRIDE / 4]),
            patches: Vec::new(),
            blocks,
            _residents: recording.residents(),
        };
        let mut slot = 0;
        for (command, chunks) in recording.commands.into_iter().zip(chunks) {
            match command {
                Command::Clear(slice) => {
                    plan.steps
                        .push(Step::Clear { to: owned_place(&slice, layout, &plan.blocks), len: slice.len });
                }
                Command::Copy([from, to]) => {
                    let [source, target] = [&from, &to].map(|slice| owned_place(slice, layout, &plan.blocks));
                    plan.steps.push(Step::Copy { from: source, to: target, len: from.len });
                }
                Command::Dispatch(dispatch) => {
                    let pipeline = self.pipeline(dispatch.kernel, &dispatch.constants).await?;
                    let load = pacing::flop(&dispatch, capacity) / chunks.len() as f64;
                    for chunk in chunks {
                        let bindings = self.bind(&pipeline, &dispatch, slot, &plan, layout, capacity)?;
                        let fields = dispatch.kernel.params.iter().zip(&dispatch.params);
                        for (i, (field, value)) in fields.enumerate() {
                            let start = field.name == pacing::ROW_START;
                            let value = if start { Value::U32(chunk.row_start) } else { *value };
                            plan.patches.push((slot * PARAMS_STRIDE / 4 + i, value));
                        }
                        let (pipeline, grid) = (pipeline.pipeline.clone(), dispatch.grid);
                        plan.steps.push(Step::Dispatch { pipeline, bindings, grid, chunk, load });
                        slot += 1;
                    }
                }
            }
        }
        let fixed = |value: &Value| matches!(value, Value::U32(_) | Value::F32(_));
        for (at, value) in plan.patches.iter().filter(|(_, value)| fixed(value)) {
            plan.template.borrow_mut()[*at] = value.bits(&Sizes::default(), &StepScalars::default());
        }
        plan.patches.retain(|(_, value)| !fixed(value));
        self.check()?;
        Ok(plan)
    }

    fn bind(
        &self,
        pipeline: &Pipeline,
        dispatch: &Dispatch,
        slot: usize,
        plan: &WgpuPlan,
        layout: &Layout,
        capacity: &Sizes,
    ) -> Result<wgpu::BindGroup, GpuError> {
        let params_size = (dispatch.params.len() * 4).next_multiple_of(16) as u64;
        let mut entries = vec![wgpu::BindGroupEntry {
            binding: 0,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &plan.params,
                offset: (slot * PARAMS_STRIDE) as u64,
                size: std::num::NonZeroU64::new(params_size),
            }),
        }];
        for (i, slice) in dispatch.buffers.iter().enumerate() {
            let (buffer, offset) = place(slice, layout, &plan.blocks);
            // Kernels that read four elements at a time need whole groups of four.
            let size = slice.len.under(capacity).max(1).next_multiple_of(4) as u64 * 4;
            if size > self.max_binding_bytes {
                let (label, available) = (dispatch.label.clone(), self.max_binding_bytes);
                return Err(GpuError::TooLarge { label, needed: size, available });
            }
            entries.push(wgpu::BindGroupEntry {
                binding: i as u32 + 1,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer,
                    offset: offset as u64 * 4,
                    size: std::num::NonZeroU64::new(size),
                }),
            });
        }
        Ok(self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(&dispatch.label),
            layout: &pipeline.layout,
            entries: &entries,
        }))
    }

    async fn pipeline(
        &self,
        kernel: &'static Kernel,
        constants: &[(&'static str, Constant)],
    ) -> Result<Pipeline, GpuError> {
        let key = format!("{} {constants:?}", kernel.name);
        if let Some(pipeline) = self.pipelines.borrow().get(&key) {
            return Ok(pipeline.clone());
        }
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let pipeline = self.create_pipeline(kernel, &kernel.specialised(constants));
        if let Some(error) = scope.pop().await {
            return Err(GpuError::Pipeline { kernel: kernel.name.to_owned(), detail: error.to_string() });
        }
        self.pipelines.borrow_mut().insert(key, pipeline.clone());
        Ok(pipeline)
    }

    fn create_pipeline(&self, kernel: &'static Kernel, source: &str) -> Pipeline {
        let buffer = |binding: usize, ty: wgpu::BufferBindingType| wgpu::BindGroupLayoutEntry {
            binding: binding as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
            count: None,
        };
        let mut entries = vec![buffer(0, wgpu::BufferBindingType::Uniform)];
        for (i, binding) in kernel.bindings.iter().enumerate() {
            entries.push(buffer(i + 1, wgpu::BufferBindingType::Storage { read_only: !binding.writes }));
        }
        let label = Some(kernel.name);
        let layout = self
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label,
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        Pipeline { pipeline, layout }
    }

    pub fn run(&self, plan: &WgpuPlan, sizes: &Sizes, scalars: &StepScalars) -> Result<(), GpuError> {
        self.check()?;
        let mut words = plan.template.borrow_mut();
        for (at, value) in &plan.patches {
            words[*at] = value.bits(sizes, scalars);
        }
        self.queue.write_buffer(&plan.params, 0, bytemuck::cast_slice(&words));
        let mut batch = Batch::new(&self.device, &self.queue, self.budget());
        for step in &plan.steps {
            match step {
                Step::Clear { to: (buffer, offset), len } => {
                    let size = len.under(sizes) as u64 * 4;
                    batch.encoder().clear_buffer(buffer, *offset, Some(size));
                }
                Step::Copy { from: (source, start), to: (target, offset), len } => {
                    let size = len.under(sizes) as u64 * 4;
                    batch.encoder().copy_buffer_to_buffer(source, *start, target, *offset, size);
                }
                Step::Dispatch { pipeline, bindings, grid, chunk, load } => {
                    let [x, y] = chunk.workgroups(grid, sizes);
                    if x == 0 || y == 0 {
                        continue;
                    }
                    let pass = batch.pass(*load);
                    pass.set_pipeline(pipeline);
                    pass.set_bind_group(0, bindings, &[]);
                    pass.dispatch_workgroups(x, y, 1);
                }
            }
        }
        let index = batch.submit();
        let (sender, done) = async_channel::bounded(1);
        self.queue.on_submitted_work_done(move || {
            let _ = sender.try_send(());
        });
        self.in_flight.borrow_mut().push_back(Fence { done, index });
        self.check()
    }

    /// Changes how many milliseconds of work go to the queue at a stretch.
    pub fn set_target_ms(&self, target_ms: f64) {
        self.target_ms.set(target_ms);
    }

    pub fn target_ms(&self) -> f64 {
        self.target_ms.get()
    }

    fn budget(&self) -> f64 {
        pacing::budget(self.kind, self.target_ms.get())
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
    fn check(&self) -> Result<(), GpuError> {
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

/// The buffer and first element of a slice.
fn place<'a>(slice: &'a Slice, layout: &Layout, blocks: &'a [Resident]) -> (&'a wgpu::Buffer, usize) {
    match &slice.base {
        Base::Transient(i) => (blocks[layout.block_of[*i]].buffer(), slice.offset),
        Base::Resident(resident) => (resident.buffer(), slice.offset),
    }
}

fn owned_place(slice: &Slice, layout: &Layout, blocks: &[Resident]) -> Place {
    let (buffer, offset) = place(slice, layout, blocks);
    (buffer.clone(), offset as u64 * 4)
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
