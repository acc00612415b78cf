//! Recordings on the GPU: pipelines, bindings and params made once, then replayed.

use std::cell::RefCell;

use super::batch::Batch;
use super::device::Resident;
use super::error::GpuError;
use super::kernel::{Constant, Kernel};
use super::layout::Layout;
use super::pacing::{self, Chunk};
use super::recording::{Base, Command, Dispatch, Extent, Grid, Recording, Sizes, Slice, StepScalars, Value};
use super::wgpu_device::WgpuDevice;

/// Bytes between the params blocks of two dispatches: WebGPU's alignment of uniform bindings.
const PARAMS_STRIDE: usize = 256;

#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
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

    /// The params of the dispatch in `slot`: what is fixed goes into the template, the rest is patched in at every run.
    fn add_params(&mut self, slot: usize, dispatch: &Dispatch, chunk: Chunk) {
        let mut template = self.template.borrow_mut();
        for (i, (field, value)) in dispatch.kernel.params.iter().zip(&dispatch.params).enumerate() {
            let at = slot * PARAMS_STRIDE / 4 + i;
            let is_start = field.name == pacing::ROW_START;
            match if is_start { Value::U32(chunk.row_start) } else { *value } {
                fixed @ (Value::U32(_) | Value::F32(_)) => {
                    template[at] = fixed.bits(&Sizes::default(), &StepScalars::default());
                }
                varying => self.patches.push((at, varying)),
            }
        }
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
        let n_dispatches = chunks.iter().map(Vec::len).sum();
        let mut plan = self.empty_plan(n_dispatches, recording.residents(), blocks);
        let mut slot = 0;
        for (command, chunks) in recording.commands.into_iter().zip(chunks) {
            let place = |slice: &Slice| owned_place(slice, layout, &plan.blocks);
            match command {
                Command::Clear(slice) => {
                    plan.steps.push(Step::Clear { to: place(&slice), len: slice.len });
                }
                Command::Copy([from, to]) => {
                    plan.steps.push(Step::Copy { from: place(&from), to: place(&to), len: from.len });
                }
                Command::Dispatch(dispatch) => {
                    let pipeline = self.pipeline(dispatch.kernel, &dispatch.constants).await?;
                    let load = pacing::flop(&dispatch, capacity) / chunks.len() as f64;
                    for chunk in chunks {
                        let bindings = self.bind(&pipeline, &dispatch, slot, &plan, layout, capacity)?;
                        plan.add_params(slot, &dispatch, chunk);
                        let (pipeline, grid) = (pipeline.pipeline.clone(), dispatch.grid);
                        plan.steps.push(Step::Dispatch { pipeline, bindings, grid, chunk, load });
                        slot += 1;
                    }
                }
            }
        }
        self.check()?;
        Ok(plan)
    }

    fn empty_plan(&self, n_dispatches: usize, residents: Vec<Resident>, blocks: Vec<Resident>) -> WgpuPlan {
        let params = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("params"),
            size: (n_dispatches.max(1) * PARAMS_STRIDE) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        WgpuPlan {
            steps: Vec::new(),
            params,
            template: RefCell::new(vec![0; n_dispatches * PARAMS_STRIDE / 4]),
            patches: Vec::new(),
            blocks,
            _residents: residents,
        }
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
        self.note_submission(batch.submit());
        self.check()
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
