//! Records a forward pass and, from it, the backward pass.
//!
//! Every op appends its dispatches and, when something below it is trained, a closure that appends its gradient
//! dispatches. [`Tape::backward`] calls the closures in reverse. What needs no gradient records none, so frozen
//! weights cost nothing and backward stops at the lowest trained site by itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::gpu::recording::StepScalar;
use crate::gpu::{AdapterKind, Constant, Dim, Extent, Grid, Kernel, Recording, Slice, Value};

/// A matrix on the device, (rows, cols), possibly with a gradient.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// The values.
    pub slice: Slice,
    /// Number of rows.
    pub rows: Dim,
    /// Number of columns.
    pub cols: usize,
    /// Whether a gradient with respect to it is wanted.
    pub requires_grad: bool,
    id: u32,
    /// Where the gradient of a trained parameter is kept between steps.
    parameter_gradient: Option<Slice>,
    /// For the output of an activation: which one, and its input.
    pub(crate) activation_of: Option<(u32, Box<Tensor>)>,
}

static NEXT_ID: AtomicU32 = AtomicU32::new(0);

impl Tensor {
    fn new(slice: Slice, rows: Dim, cols: usize, requires_grad: bool) -> Self {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Self { slice, rows, cols, requires_grad, id, parameter_gradient: None, activation_of: None }
    }

    /// Data or frozen weights that live outside the recording: no gradient.
    #[must_use]
    pub fn constant(slice: Slice, rows: impl Into<Dim>, cols: usize) -> Self {
        Self::new(slice, rows.into(), cols, false)
    }

    /// A trained parameter and the memory of its gradient.
    #[must_use]
    pub fn parameter(value: Slice, gradient: Slice, rows: usize, cols: usize) -> Self {
        let tensor = Self::new(value, Dim::Fixed(rows), cols, true);
        Self { parameter_gradient: Some(gradient), ..tensor }
    }

    /// Where the gradient of a trained parameter is kept; `None` of everything else.
    #[must_use]
    pub fn parameter_gradient(&self) -> Option<&Slice> {
        self.parameter_gradient.as_ref()
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> Extent {
        Extent { dim: self.rows, per: self.cols }
    }

    /// Whether it has no columns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cols == 0
    }

    /// Number of rows of a tensor whose rows do not depend on the batch.
    ///
    /// # Panics
    /// If they do: only weights are asked for this.
    #[must_use]
    pub fn fixed_rows(&self) -> usize {
        match self.rows {
            Dim::Fixed(rows) => rows,
            dim => unreachable!("a weight has fixed rows, not {dim:?}"),
        }
    }
}

/// Where an op writes a gradient, and whether it must add to what is there.
#[derive(Clone, Debug)]
pub struct GradTarget {
    /// The memory.
    pub slice: Slice,
    /// Whether another op has already written its share.
    pub accumulate: bool,
}

type Backward = Box<dyn FnOnce(&mut Tape)>;

/// A recording in the making. See the module documentation.
pub struct Tape {
    recording: Recording,
    kind: AdapterKind,
    training: bool,
    backward: Vec<Backward>,
    gradients: BTreeMap<u32, Slice>,
    /// Parameter gradients written so far, by id.
    written: std::collections::BTreeSet<u32>,
    accumulate_parameters: bool,
    scope: String,
    next_dropout_stream: u32,
    max_slice_len: usize,
}

/// How a tape records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Forward only, dropout off.
    Inference,
    /// Forward and backward, dropout on. With `accumulate`, parameter gradients are added to what they hold.
    Training {
        /// Whether parameter gradients add up over several runs.
        accumulate: bool,
    },
}

impl Tape {
    /// An empty tape for an adapter of this kind.
    #[must_use]
    pub fn new(kind: AdapterKind, max_slice_len: usize, mode: Mode) -> Self {
        Self {
            recording: Recording::default(),
            kind,
            training: mode != Mode::Inference,
            backward: Vec::new(),
            gradients: BTreeMap::new(),
            written: std::collections::BTreeSet::new(),
            accumulate_parameters: mode == Mode::Training { accumulate: true },
            scope: String::new(),
            next_dropout_stream: 1,
            max_slice_len,
        }
    }

    /// Records as for another kind of machine: how tests reach every design on one adapter.
    #[cfg(test)]
    pub fn set_kind(&mut self, kind: AdapterKind) {
        self.kind = kind;
    }

    /// What kind of machine the kernels will run on.
    #[must_use]
    pub fn kind(&self) -> AdapterKind {
        self.kind
    }

    /// Most elements that one kernel can see in one slice.
    #[must_use]
    pub fn max_slice_len(&self) -> usize {
        self.max_slice_len
    }

    /// Whether gradients and dropout are recorded.
    #[must_use]
    pub fn is_training(&self) -> bool {
        self.training
    }

    /// Sets the path that labels what is recorded next, for example `layer.3.attention`.
    pub fn set_scope(&mut self, scope: impl Into<String>) {
        self.scope = scope.into();
    }

    /// New memory for the output of an op.
    pub fn output(&mut self, rows: Dim, cols: usize, requires_grad: bool) -> Tensor {
        let slice = self.recording.transient(&self.scope, Extent { dim: rows, per: cols });
        Tensor::new(slice, rows, cols, requires_grad && self.training)
    }

    /// New memory that no gradient flows through.
    pub fn scratch(&mut self, rows: impl Into<Dim>, cols: usize) -> Slice {
        self.recording.transient(&self.scope, Extent { dim: rows.into(), per: cols })
    }

    /// Appends a dispatch; see [`Recording::dispatch`].
    pub fn dispatch(
        &mut self,
        kernel: &'static Kernel,
        constants: &[(&'static str, Constant)],
        params: &[(&'static str, Value)],
        buffers: &[&Slice],
        grid: Grid,
    ) {
        let scope = std::mem::take(&mut self.scope);
        self.recording.dispatch(&scope, kernel, constants, params, buffers, grid);
        self.scope = scope;
    }

    /// Sets memory to zero.
    pub fn clear(&mut self, slice: &Slice) {
        self.recording.clear(slice);
    }

    /// Copies a tensor to memory that outlives the recording.
    pub fn keep(&mut self, tensor: &Tensor, resident: &crate::gpu::Resident) {
        self.recording.copy(&tensor.slice, &resident.slice(0, tensor.len()));
    }

    /// Keeps what an op does on the way back. Not called while inferring.
    pub fn on_backward(&mut self, record: impl FnOnce(&mut Tape) + 'static) {
        if self.training {
            let scope = self.scope.clone();
            self.backward.push(Box::new(move |tape| {
                tape.scope = scope;
                record(tape);
            }));
        }
    }

    /// The gradient that has arrived at `tensor`, if any did.
    #[must_use]
    pub fn gradient(&self, tensor: &Tensor) -> Option<Slice> {
        self.gradients.get(&tensor.id).cloned()
    }

    /// Where to write the gradient of `tensor`; `None` if nobody wants it.
    pub fn grad_target(&mut self, tensor: &Tensor) -> Option<GradTarget> {
        if !tensor.requires_grad {
            return None;
        }
        if let Some(slice) = &tensor.parameter_gradient {
            let first = self.written.insert(tensor.id);
            return Some(GradTarget {
                slice: slice.clone(),
                accumulate: !first || self.accumulate_parameters,
            });
        }
        if let Some(slice) = self.gradients.get(&tensor.id) {
            return Some(GradTarget { slice: slice.clone(), accumulate: true });
        }
        let slice = self.recording.transient(&self.scope, tensor.len());
        self.gradients.insert(tensor.id, slice.clone());
        Some(GradTarget { slice, accumulate: false })
    }

    /// As [`Tape::grad_target`], but for ops that add to single places: the rest is set to zero first.
    pub fn grad_target_cleared(&mut self, tensor: &Tensor) -> Option<GradTarget> {
        let target = self.grad_target(tensor)?;
        if !target.accumulate {
            self.clear(&target.slice);
        }
        Some(GradTarget { accumulate: true, ..target })
    }

    /// Passes on a gradient that is equal to `gradient`, whose memory nobody else will write or read again.
    pub fn hand_gradient(&mut self, tensor: &Tensor, gradient: &Slice) {
        if !tensor.requires_grad {
            return;
        }
        let first = !self.gradients.contains_key(&tensor.id) && tensor.parameter_gradient.is_none();
        if first {
            self.gradients.insert(tensor.id, gradient.clone());
        } else if let Some(target) = self.grad_target_cleared(tensor) {
            crate::ops::add::add_in_place(self, gradient, &target.slice, tensor.len(), 1.0);
        }
    }

    /// A new stream of dropout numbers, different for every call on this tape.
    pub fn dropout_stream(&mut self) -> u32 {
        self.next_dropout_stream += 1;
        self.next_dropout_stream
    }

    /// The params `seed` of dropout: set by the host for every step.
    #[must_use]
    pub fn dropout_seed(&self) -> Value {
        StepScalar::DropoutSeed.into()
    }

    /// Appends the backward pass. The loss op has already recorded the gradient of its input.
    pub fn backward(&mut self) {
        while let Some(record) = self.backward.pop() {
            record(self);
        }
    }

    /// The finished recording.
    #[must_use]
    pub fn finish(self) -> Recording {
        self.recording
    }
}
