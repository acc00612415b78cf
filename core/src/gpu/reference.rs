//! Runs recorded work on the CPU through the kernels' references, one dispatch after the other.

use std::cell::RefCell;
use std::rc::Rc;

use super::kernel::ReferenceCall;
use super::recording::{Base, Command, Recording, Sizes, Slice, StepScalars};

/// Memory of the reference device.
pub type HostMemory = Rc<RefCell<Vec<u32>>>;

/// The buffers of one reference dispatch.
#[derive(Debug)]
pub struct Buffers {
    views: Vec<(HostMemory, usize, usize)>,
}

impl Buffers {
    pub(super) fn read(&self, index: usize) -> Vec<u32> {
        let (memory, offset, len) = &self.views[index];
        memory.borrow()[*offset..offset + len].to_vec()
    }

    pub(super) fn write(&self, index: usize, words: &[u32]) {
        let (memory, offset, len) = &self.views[index];
        memory.borrow_mut()[*offset..offset + len].copy_from_slice(words);
    }
}

/// A recording with its transient memory.
#[derive(Debug)]
pub struct ReferencePlan {
    recording: Recording,
    transients: Vec<HostMemory>,
}

impl ReferencePlan {
    /// Gives every transient its own memory, filled with NaN so that reading before writing shows.
    pub fn new(recording: Recording, capacity: &Sizes) -> Self {
        let memory = |len| Rc::new(RefCell::new(vec![f32::NAN.to_bits(); len]));
        let transients = recording.transients.iter().map(|t| memory(t.len.under(capacity))).collect();
        Self { recording, transients }
    }

    /// Dispatches of one run.
    pub fn n_dispatches(&self) -> usize {
        self.recording.n_dispatches()
    }

    /// Runs every command in order.
    pub fn run(&self, sizes: &Sizes, scalars: &StepScalars) {
        for command in &self.recording.commands {
            match command {
                Command::Clear(slice) => {
                    let (memory, offset, len) = self.view(slice, sizes);
                    memory.borrow_mut()[offset..offset + len].fill(0);
                }
                Command::Copy([from, to]) => {
                    let (source, start, len) = self.view(from, sizes);
                    let words = source.borrow()[start..start + len].to_vec();
                    let (target, start, _) = self.view(to, sizes);
                    target.borrow_mut()[start..start + len].copy_from_slice(&words);
                }
                Command::Dispatch(dispatch) => {
                    let mut call = ReferenceCall {
                        kernel: dispatch.kernel,
                        constants: &dispatch.constants,
                        params: dispatch.params.iter().map(|value| value.bits(sizes, scalars)).collect(),
                        buffers: Buffers {
                            views: dispatch.buffers.iter().map(|slice| self.view(slice, sizes)).collect(),
                        },
                    };
                    (dispatch.kernel.reference)(&mut call);
                }
            }
        }
    }

    fn view(&self, slice: &Slice, sizes: &Sizes) -> (HostMemory, usize, usize) {
        let memory = match &slice.base {
            Base::Transient(i) => self.transients[*i].clone(),
            Base::Resident(resident) => resident.host().clone(),
        };
        (memory, slice.offset, slice.len.under(sizes))
    }
}
