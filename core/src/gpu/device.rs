//! One device behind one face: the GPU, or the CPU references.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::error::GpuError;
use super::recording::{Base, Extent, Recording, SLICE_ALIGNMENT, Sizes, Slice, StepScalars};
use super::reference::{HostMemory, ReferencePlan};
use super::wgpu_device::WgpuDevice;
use super::wgpu_plan::WgpuPlan;

/// What kind of machine the kernels run on; chooses between kernel designs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdapterKind {
    /// A real GPU: workgroup memory pays.
    Hardware,
    /// Shaders run on the CPU: wide register tiles pay, workgroup memory and barriers cost.
    Software,
    /// The same, with subgroups of exactly eight invocations: loads can be shared among them.
    SoftwareOctets,
    /// The references in plain loops.
    Reference,
}

impl std::fmt::Display for AdapterKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Hardware => "GPU",
            Self::Software | Self::SoftwareOctets => "in software",
            Self::Reference => "plain loops",
        })
    }
}

/// What is known of the adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdapterReport {
    /// Name as the driver gives it.
    pub name: String,
    /// Driver and its version.
    pub driver: String,
    /// Graphics interface: vulkan, metal, dx12, webgpu, or none.
    pub backend: String,
    /// What kind of machine it is.
    pub kind: AdapterKind,
    /// Largest buffer in bytes.
    pub max_buffer_bytes: u64,
    /// Largest part of a buffer a kernel can see, in bytes.
    pub max_binding_bytes: u64,
    /// Largest number of invocations in a workgroup.
    pub max_workgroup_invocations: u32,
    /// Optional features of interest that the adapter has.
    pub features: Vec<String>,
}

/// A device to create buffers on and run plans with. Cheap to clone; not for sharing between threads.
#[derive(Clone, Debug)]
pub struct Device {
    inner: Rc<Inner>,
}

#[derive(Debug)]
struct Inner {
    backing: Backing,
    report: AdapterReport,
    allocated: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Backing {
    Wgpu(WgpuDevice),
    Reference,
}

/// Memory on a device, freed with its last handle. Elements are 32 bits wide.
#[derive(Clone, Debug)]
pub struct Resident(Rc<ResidentInner>);

#[derive(Debug)]
struct ResidentInner {
    label: String,
    len: usize,
    memory: Memory,
    allocated: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Memory {
    Wgpu(wgpu::Buffer),
    Host(HostMemory),
}

impl Drop for ResidentInner {
    fn drop(&mut self) {
        self.allocated.fetch_sub(self.len as u64 * 4, Ordering::Relaxed);
        if let Memory::Wgpu(buffer) = &self.memory {
            buffer.destroy();
        }
    }
}

impl PartialEq for Resident {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Resident {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    /// What it is for.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.0.label
    }

    /// A part of it: `len` elements from `offset`.
    ///
    /// # Panics
    /// If the offset is not aligned to [`SLICE_ALIGNMENT`].
    #[must_use]
    pub fn slice(&self, offset: usize, len: impl Into<Extent>) -> Slice {
        assert_eq!(offset % SLICE_ALIGNMENT, 0, "slices begin at aligned offsets");
        Slice { base: Base::Resident(self.clone()), offset, len: len.into() }
    }

    /// All of it.
    #[must_use]
    pub fn whole(&self) -> Slice {
        self.slice(0, self.0.len)
    }

    pub(super) fn host(&self) -> &HostMemory {
        match &self.0.memory {
            Memory::Host(memory) => memory,
            Memory::Wgpu(_) => unreachable!("a plan only holds buffers of its own device"),
        }
    }

    pub(super) fn buffer(&self) -> &wgpu::Buffer {
        match &self.0.memory {
            Memory::Wgpu(buffer) => buffer,
            Memory::Host(_) => unreachable!("a plan only holds buffers of its own device"),
        }
    }
}

impl From<usize> for Extent {
    fn from(len: usize) -> Self {
        Extent::new(len, 1)
    }
}

/// A compiled recording.
#[derive(Debug)]
pub struct Plan {
    backing: PlanBacking,
    capacity: Sizes,
}

#[derive(Debug)]
enum PlanBacking {
    Wgpu(Box<WgpuPlan>),
    Reference(ReferencePlan),
}

impl Plan {
    /// Number of dispatches of one run, the parts of those that were split counted each.
    #[must_use]
    pub fn n_dispatches(&self) -> usize {
        match &self.backing {
            PlanBacking::Wgpu(plan) => plan.n_dispatches(),
            PlanBacking::Reference(plan) => plan.n_dispatches(),
        }
    }
}

impl Device {
    /// Opens the best adapter, with its real limits.
    ///
    /// # Errors
    /// [`GpuError::NoAdapter`], [`GpuError::NoDevice`].
    pub async fn open() -> Result<Self, GpuError> {
        let allocated = Arc::new(AtomicU64::new(0));
        let (device, report) = WgpuDevice::open(allocated.clone()).await?;
        Ok(Self { inner: Rc::new(Inner { backing: Backing::Wgpu(device), report, allocated }) })
    }

    /// A device that runs the CPU references: slow, exact, for tests.
    #[must_use]
    pub fn reference() -> Self {
        Self::reference_of_slices(usize::MAX / 4)
    }

    /// The same with kernels that see this many elements of a slice at once, as GPUs have a limit.
    #[must_use]
    pub fn reference_of_slices(max_slice_len: usize) -> Self {
        let report = AdapterReport {
            name: "CPU reference".into(),
            driver: String::new(),
            backend: "none".into(),
            kind: AdapterKind::Reference,
            max_buffer_bytes: u64::MAX,
            max_binding_bytes: 4 * max_slice_len as u64,
            max_workgroup_invocations: u32::MAX,
            features: Vec::new(),
        };
        Self { inner: Rc::new(Inner { backing: Backing::Reference, report, allocated: Arc::default() }) }
    }

    /// What is known of the adapter.
    #[must_use]
    pub fn report(&self) -> &AdapterReport {
        &self.inner.report
    }

    /// What kind of machine the kernels run on.
    #[must_use]
    pub fn kind(&self) -> AdapterKind {
        self.inner.report.kind
    }

    /// Most elements a kernel can see in one slice, rounded down to whole aligned slices.
    #[must_use]
    pub fn max_slice_len(&self) -> usize {
        let report = &self.inner.report;
        let bytes = report.max_binding_bytes.min(report.max_buffer_bytes).min(1 << 40);
        (bytes / 4) as usize / SLICE_ALIGNMENT * SLICE_ALIGNMENT
    }

    /// Bytes of all living buffers of this device.
    #[must_use]
    pub fn allocated_bytes(&self) -> u64 {
        self.inner.allocated.load(Ordering::Relaxed)
    }

    /// New memory, set to zero.
    ///
    /// # Errors
    /// [`GpuError::TooLarge`] before asking the driver; running out of memory shows at the next wait.
    pub fn create(&self, label: &str, len: usize) -> Result<Resident, GpuError> {
        // Kernels may read a slice in units of four elements, and slices are aligned: round up.
        let len = len.max(1).next_multiple_of(SLICE_ALIGNMENT);
        let memory = match &self.inner.backing {
            Backing::Wgpu(device) => Memory::Wgpu(device.create(label, len)?),
            Backing::Reference => Memory::Host(Rc::new(RefCell::new(vec![0; len]))),
        };
        self.inner.allocated.fetch_add(len as u64 * 4, Ordering::Relaxed);
        let allocated = self.inner.allocated.clone();
        Ok(Resident(Rc::new(ResidentInner { label: label.to_owned(), len, memory, allocated })))
    }

    /// New memory holding `data`.
    ///
    /// # Errors
    /// As [`Device::create`].
    pub fn upload<T: bytemuck::Pod>(&self, label: &str, data: &[T]) -> Result<Resident, GpuError> {
        let resident = self.create(label, data.len())?;
        self.write(&resident, 0, data);
        Ok(resident)
    }

    /// Writes 32-bit elements from element `offset` on, before any work submitted later.
    ///
    /// # Panics
    /// If the data does not fit the memory.
    pub fn write<T: bytemuck::Pod>(&self, resident: &Resident, offset: usize, data: &[T]) {
        let words: &[u32] = bytemuck::cast_slice(data);
        assert!(offset + words.len() <= resident.len(), "writing past the end of {}", resident.label());
        match &self.inner.backing {
            Backing::Wgpu(device) => device.write(resident.buffer(), offset, words),
            Backing::Reference => {
                resident.host().borrow_mut()[offset..offset + words.len()].copy_from_slice(words);
            }
        }
    }

    /// Reads 32-bit elements back, after all work submitted before.
    ///
    /// # Errors
    /// Whatever went wrong on the device until then.
    pub async fn read<T: bytemuck::Pod>(
        &self,
        resident: &Resident,
        offset: usize,
        len: usize,
    ) -> Result<Vec<T>, GpuError> {
        assert!(offset + len <= resident.len(), "reading past the end of {}", resident.label());
        let words = match &self.inner.backing {
            Backing::Wgpu(device) => device.read(resident.buffer(), offset, len).await?,
            Backing::Reference => resident.host().borrow()[offset..offset + len].to_vec(),
        };
        Ok(bytemuck::allocation::pod_collect_to_vec(&words))
    }

    /// Compiles a recording for steps up to `capacity`.
    ///
    /// # Errors
    /// [`GpuError::Pipeline`] for a kernel the driver refuses; memory errors.
    pub async fn compile(&self, recording: Recording, capacity: Sizes) -> Result<Plan, GpuError> {
        let backing = match &self.inner.backing {
            Backing::Wgpu(device) => {
                let layout = super::layout::assign(&recording, &capacity);
                let block = |(i, &len): (usize, &usize)| self.create(&format!("block {i}"), len);
                let blocks = layout.blocks.iter().enumerate().map(block).collect::<Result<Vec<_>, _>>()?;
                PlanBacking::Wgpu(Box::new(device.compile(recording, &capacity, &layout, blocks).await?))
            }
            Backing::Reference => PlanBacking::Reference(ReferencePlan::new(recording, &capacity)),
        };
        Ok(Plan { backing, capacity })
    }

    /// Sets how many milliseconds a submission, and a dispatch of plans compiled from now on, is predicted to take at
    /// most; 50 at first. After a lost device, shorter work may get through where longer did not.
    ///
    /// # Panics
    /// If it is not positive.
    pub fn set_target_ms(&self, target_ms: f64) {
        assert!(target_ms > 0.0, "work takes time");
        if let Backing::Wgpu(device) = &self.inner.backing {
            device.set_target_ms(target_ms);
        }
    }

    /// How many milliseconds of work are aimed at; `None` where nothing is paced.
    #[must_use]
    pub fn target_ms(&self) -> Option<f64> {
        match &self.inner.backing {
            Backing::Wgpu(device) => Some(device.target_ms()),
            Backing::Reference => None,
        }
    }

    /// Submits one run of a plan.
    ///
    /// # Errors
    /// An error the device reported since the last call.
    ///
    /// # Panics
    /// If the step is larger than the plan's capacity.
    pub fn run(&self, plan: &Plan, sizes: &Sizes, scalars: &StepScalars) -> Result<(), GpuError> {
        assert!(sizes.fit(&plan.capacity), "{sizes:?} exceeds the plan's {:?}", plan.capacity);
        match (&self.inner.backing, &plan.backing) {
            (Backing::Wgpu(device), PlanBacking::Wgpu(plan)) => device.run(plan, sizes, scalars),
            (_, PlanBacking::Reference(plan)) => {
                plan.run(sizes, scalars);
                Ok(())
            }
            (Backing::Reference, PlanBacking::Wgpu(_)) => unreachable!("a plan runs on its own device"),
        }
    }

    /// Waits until at most `in_flight` submitted runs are unfinished.
    ///
    /// # Errors
    /// An error the device reported since the last call.
    pub async fn throttle(&self, in_flight: usize) -> Result<(), GpuError> {
        match &self.inner.backing {
            Backing::Wgpu(device) => device.throttle(in_flight).await,
            Backing::Reference => Ok(()),
        }
    }

    /// Destroys the device, as a driver reset would: everything after it fails with [`GpuError::DeviceLost`].
    pub fn destroy(&self) {
        if let Backing::Wgpu(device) = &self.inner.backing {
            device.destroy();
        }
    }
}
