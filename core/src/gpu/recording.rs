//! Recorded work: a plain list of dispatches, copies and clears over named sizes.
//!
//! A plan is recorded once for the largest batch. What differs between steps, the number of tokens, the learning
//! rate and so on, stands in it as a [`Dim`] or a [`StepScalar`] and is filled in at replay. So there is no
//! padding and no second plan for another length.

use super::device::Resident;
use super::kernel::{Constant, FieldKind, Kernel};

/// A size that may differ from step to step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dim {
    /// The same in every step.
    Fixed(usize),
    /// Tokens of the batch, all sequences together (T).
    Tokens,
    /// Sequences of the batch (B).
    Sequences,
    /// Predicted positions of the batch (masked tokens).
    Targets,
    /// So many rows before the tokens of the batch, and the tokens: keys with a trained prefix.
    Keys(usize),
}

impl From<usize> for Dim {
    fn from(n: usize) -> Self {
        Self::Fixed(n)
    }
}

/// Values of the [`Dim`]s in one step, or their maxima when a plan is compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Tokens of the batch.
    pub tokens: usize,
    /// Sequences of the batch.
    pub sequences: usize,
    /// Predicted positions of the batch.
    pub targets: usize,
}

impl Sizes {
    /// The value of `dim`.
    #[must_use]
    pub fn of(&self, dim: Dim) -> usize {
        match dim {
            Dim::Fixed(n) => n,
            Dim::Tokens => self.tokens,
            Dim::Sequences => self.sequences,
            Dim::Targets => self.targets,
            Dim::Keys(n_prefix) => n_prefix + self.tokens,
        }
    }

    /// The larger of both sizes, one by one.
    #[must_use]
    pub fn max(&self, other: &Sizes) -> Sizes {
        Sizes {
            tokens: self.tokens.max(other.tokens),
            sequences: self.sequences.max(other.sequences),
            targets: self.targets.max(other.targets),
        }
    }

    /// Whether a plan compiled for `capacity` can run this step.
    #[must_use]
    pub fn fit(&self, capacity: &Sizes) -> bool {
        self.tokens <= capacity.tokens
            && self.sequences <= capacity.sequences
            && self.targets <= capacity.targets
    }
}

/// A number of elements: `dim · per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The factor that may differ between steps.
    pub dim: Dim,
    /// The fixed factor.
    pub per: usize,
}

impl Extent {
    /// `dim · per` elements.
    #[must_use]
    pub fn new(dim: impl Into<Dim>, per: usize) -> Self {
        Self { dim: dim.into(), per }
    }

    /// The number under `sizes`.
    #[must_use]
    pub fn under(&self, sizes: &Sizes) -> usize {
        sizes.of(self.dim) * self.per
    }
}

/// Scalars the host sets before each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepScalar {
    /// Learning rate of this step.
    LearningRate,
    /// `1 − beta1^step`
    BiasCorrection1,
    /// `1 − beta2^step`
    BiasCorrection2,
    /// Seed of this step's dropout masks.
    DropoutSeed,
    /// Slot of the metrics ring that this step fills.
    RingSlot,
}

/// The values behind [`StepScalar`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepScalars {
    /// Learning rate of this step.
    pub learning_rate: f32,
    /// `1 − beta1^step`
    pub bias_correction1: f32,
    /// `1 − beta2^step`
    pub bias_correction2: f32,
    /// Seed of this step's dropout masks.
    pub dropout_seed: u32,
    /// Slot of the metrics ring that this step fills.
    pub ring_slot: u32,
}

impl StepScalars {
    fn bits(&self, scalar: StepScalar) -> u32 {
        match scalar {
            StepScalar::LearningRate => self.learning_rate.to_bits(),
            StepScalar::BiasCorrection1 => self.bias_correction1.to_bits(),
            StepScalar::BiasCorrection2 => self.bias_correction2.to_bits(),
            StepScalar::DropoutSeed => self.dropout_seed,
            StepScalar::RingSlot => self.ring_slot,
        }
    }
}

/// A params field: fixed, or filled in at replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A fixed `u32`.
    U32(u32),
    /// A fixed `f32`.
    F32(f32),
    /// A size of the step, as `u32`.
    Size(Extent),
    /// A scalar of the step.
    Step(StepScalar),
}

impl From<usize> for Value {
    fn from(x: usize) -> Self {
        Self::U32(x as u32)
    }
}
impl From<u32> for Value {
    fn from(x: u32) -> Self {
        Self::U32(x)
    }
}
impl From<f32> for Value {
    fn from(x: f32) -> Self {
        Self::F32(x)
    }
}
impl From<Dim> for Value {
    fn from(dim: Dim) -> Self {
        Self::Size(Extent { dim, per: 1 })
    }
}
impl From<Extent> for Value {
    fn from(extent: Extent) -> Self {
        Self::Size(extent)
    }
}
impl From<StepScalar> for Value {
    fn from(scalar: StepScalar) -> Self {
        Self::Step(scalar)
    }
}

impl Value {
    /// The bits of the field in this step.
    #[must_use]
    pub fn bits(&self, sizes: &Sizes, scalars: &StepScalars) -> u32 {
        match self {
            Self::U32(x) => *x,
            Self::F32(x) => x.to_bits(),
            Self::Size(extent) => extent.under(sizes) as u32,
            Self::Step(scalar) => scalars.bits(*scalar),
        }
    }

    fn kind(&self) -> FieldKind {
        match self {
            Self::U32(_) | Self::Size(_) | Self::Step(StepScalar::DropoutSeed | StepScalar::RingSlot) => {
                FieldKind::U32
            }
            Self::F32(_) | Self::Step(_) => FieldKind::F32,
        }
    }
}

/// Workgroups of a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// `ceil(items / per_workgroup)` workgroups in a row. More than 65,535 continue on the y axis, so kernels
    /// number workgroups as `y · num_workgroups.x + x` and test for the end.
    Linear {
        /// Items in all.
        items: Extent,
        /// Items one workgroup handles.
        per_workgroup: usize,
    },
    /// `ceil(cols / tile_cols)` by `ceil(rows / tile_rows)` workgroups.
    Tiles {
        /// Columns, along x.
        cols: Extent,
        /// Columns of one tile.
        tile_cols: usize,
        /// Rows, along y.
        rows: Extent,
        /// Rows of one tile.
        tile_rows: usize,
    },
}

/// Largest number of workgroups along one axis that every WebGPU device accepts.
pub const MAX_WORKGROUPS: usize = 65_535;

impl Grid {
    /// One item per workgroup.
    #[must_use]
    pub fn per_item(items: impl Into<Dim>) -> Self {
        Self::Linear { items: Extent::new(items, 1), per_workgroup: 1 }
    }

    /// Workgroups along x and y under `sizes`; zero where there is nothing to do.
    #[must_use]
    pub fn workgroups(&self, sizes: &Sizes) -> [u32; 2] {
        match self {
            Self::Linear { items, per_workgroup } => {
                let n = items.under(sizes).div_ceil(*per_workgroup);
                if n <= MAX_WORKGROUPS {
                    return [n as u32, 1];
                }
                let rows = n.div_ceil(MAX_WORKGROUPS);
                [n.div_ceil(rows) as u32, rows as u32]
            }
            Self::Tiles { cols, tile_cols, rows, tile_rows } => {
                [cols.under(sizes).div_ceil(*tile_cols) as u32, rows.under(sizes).div_ceil(*tile_rows) as u32]
            }
        }
    }
}

/// Where a slice lives.
#[derive(Clone, Debug, PartialEq)]
pub enum Base {
    /// Memory of this recording only, given out when it is compiled.
    Transient(usize),
    /// Memory that outlives the recording.
    Resident(Resident),
}

/// A part of a buffer, in 32-bit elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// The buffer.
    pub base: Base,
    /// First element; a multiple of [`SLICE_ALIGNMENT`].
    pub offset: usize,
    /// Number of elements.
    pub len: Extent,
}

/// Slices begin at multiples of this many elements: WebGPU aligns bindings to 256 bytes.
pub const SLICE_ALIGNMENT: usize = 64;

/// One dispatch of a kernel.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// What runs.
    pub kernel: &'static Kernel,
    /// Values of its `override` constants.
    pub constants: Vec<(&'static str, Constant)>,
    /// Values of its params, in the order of the fields.
    pub params: Vec<Value>,
    /// Its buffers, in the order of the bindings.
    pub buffers: Vec<Slice>,
    /// How many workgroups.
    pub grid: Grid,
    /// Path for captures, errors and profiles: `layer.3.attention.query / matmul_nt`.
    pub label: String,
}

/// One recorded command.
#[derive(Clone, Debug)]
pub enum Command {
    /// Runs a kernel.
    Dispatch(Dispatch),
    /// Sets a slice to zero.
    Clear(Slice),
    /// Copies one slice onto another of the same length in another buffer.
    Copy([Slice; 2]),
}

/// Memory that lives only inside a recording.
#[derive(Clone, Debug)]
pub struct Transient {
    /// What it is for.
    pub label: String,
    /// Its size.
    pub len: Extent,
}

/// A list of commands and the transient memory they use. Contains no device object except [`Resident`] handles.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Transient buffers, by number.
    pub transients: Vec<Transient>,
    /// The commands in order.
    pub commands: Vec<Command>,
}

impl Recording {
    /// New transient memory.
    pub fn transient(&mut self, label: &str, len: Extent) -> Slice {
        self.transients.push(Transient { label: label.to_owned(), len });
        Slice { base: Base::Transient(self.transients.len() - 1), offset: 0, len }
    }

    /// Appends a dispatch after checking it against the kernel's interface.
    ///
    /// # Panics
    /// If params or buffers do not fit the kernel: a mistake of the op that records it.
    pub fn dispatch(
        &mut self,
        label: &str,
        kernel: &'static Kernel,
        constants: &[(&'static str, Constant)],
        params: &[(&'static str, Value)],
        buffers: &[&Slice],
        grid: Grid,
    ) {
        let name = kernel.name;
        assert_eq!(params.len(), kernel.params.len(), "{name}: number of params");
        for ((given, value), field) in params.iter().zip(kernel.params) {
            assert_eq!(*given, field.name, "{name}: params stand in the order of the fields");
            assert_eq!(value.kind(), field.kind, "{name}: type of {given}");
        }
        assert_eq!(buffers.len(), kernel.bindings.len(), "{name}: number of buffers");
        self.commands.push(Command::Dispatch(Dispatch {
            kernel,
            constants: constants.to_vec(),
            params: params.iter().map(|(_, value)| *value).collect(),
            buffers: buffers.iter().map(|slice| (*slice).clone()).collect(),
            grid,
            label: format!("{label} / {name}"),
        }));
    }

    /// Appends a command that sets `slice` to zero.
    pub fn clear(&mut self, slice: &Slice) {
        self.commands.push(Command::Clear(slice.clone()));
    }

    /// Appends a copy of `from` onto `to`, which lies in another buffer.
    pub fn copy(&mut self, from: &Slice, to: &Slice) {
        assert_eq!(from.len, to.len, "a copy has one length");
        self.commands.push(Command::Copy([from.clone(), to.clone()]));
    }

    /// The memory outside the recording that it names, each once.
    #[must_use]
    pub fn residents(&self) -> Vec<Resident> {
        let mut residents: Vec<Resident> = Vec::new();
        for slice in self.commands.iter().flat_map(Command::slices) {
            if let Base::Resident(resident) = &slice.base
                && !residents.contains(resident)
            {
                residents.push(resident.clone());
            }
        }
        residents
    }

    /// Number of dispatches.
    #[must_use]
    pub fn n_dispatches(&self) -> usize {
        self.commands.iter().filter(|command| matches!(command, Command::Dispatch(_))).count()
    }
}

impl Command {
    /// The slices this command touches.
    pub fn slices(&self) -> impl Iterator<Item = &Slice> {
        match self {
            Self::Dispatch(dispatch) => dispatch.buffers.as_slice(),
            Self::Clear(slice) => std::slice::from_ref(slice),
            Self::Copy(slices) => slices,
        }
        .iter()
    }
}
