//! Logits of any number of examples, or losses of their words, without dropout and without gradients.

use crate::data::PackedBatch;
use crate::gpu::{Device, Dim, GpuError, Plan, Resident, Sizes, StepScalars};
use crate::models::{Model, Output, Words};
use crate::nn::inputs::BatchInputs;
use crate::ops::linear_cross_entropy::token_losses;
use crate::tape::{Mode, Tape, Tensor};

/// The recorded forward pass.
#[derive(Debug)]
pub struct Evaluator {
    device: Device,
    plan: Plan,
    logits: Resident,
    rows: Dim,
    n_outputs: usize,
}

impl Evaluator {
    /// Records and compiles the forward pass.
    ///
    /// # Errors
    /// Memory errors of the device, or a kernel the driver refuses.
    pub async fn new(device: &Device, model: &dyn Model, inputs: &BatchInputs) -> Result<Self, GpuError> {
        let mut tape = Tape::new(device.kind(), device.max_slice_len(), Mode::Inference);
        let output = match model.output(&mut tape, inputs) {
            Output::Logits(logits) => logits,
            Output::Words(Words { hidden, head }) => {
                token_losses(&mut tape, &hidden, &head, &inputs.labels(Dim::Targets))
            }
        };
        Self::of(device, tape, &output, inputs).await
    }

    /// The same with all logits of the words instead of their losses: for small vocabularies.
    ///
    /// # Errors
    /// As [`Evaluator::new`].
    pub async fn of_logits(
        device: &Device,
        model: &dyn Model,
        inputs: &BatchInputs,
    ) -> Result<Self, GpuError> {
        let mut tape = Tape::new(device.kind(), device.max_slice_len(), Mode::Inference);
        let output = model.output(&mut tape, inputs).logits(&mut tape);
        Self::of(device, tape, &output, inputs).await
    }

    async fn of(
        device: &Device,
        mut tape: Tape,
        output: &Tensor,
        inputs: &BatchInputs,
    ) -> Result<Self, GpuError> {
        let len = inputs.capacity().of(output.rows) * output.cols;
        let logits = device.create("logits", len)?;
        tape.keep(output, &logits);
        let plan = device.compile(tape.finish(), inputs.capacity()).await?;
        Ok(Self { device: device.clone(), plan, logits, rows: output.rows, n_outputs: output.cols })
    }

    /// N, the numbers per row of logits.
    #[must_use]
    pub fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    /// Logits of one batch, (B, N).
    ///
    /// # Errors
    /// Whatever went wrong on the device until then.
    pub async fn logits(&self, inputs: &BatchInputs, batch: &PackedBatch) -> Result<Vec<f32>, GpuError> {
        self.run(inputs.write(batch, None)).await
    }

    /// Logits of the inputs as they stand.
    ///
    /// # Errors
    /// Whatever went wrong on the device until then.
    pub async fn run(&self, sizes: Sizes) -> Result<Vec<f32>, GpuError> {
        self.device.run(&self.plan, &sizes, &StepScalars::default())?;
        self.device.throttle(0).await?;
        self.device.read(&self.logits, 0, sizes.of(self.rows) * self.n_outputs).await
    }
}
