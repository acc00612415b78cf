//! One optimizer step: batch, forward, loss, backward, clip, update. Recorded once, replayed for every batch.

use crate::gpu::{Device, Dim, GpuError, Plan, Resident, Sizes, StepScalars};
use crate::models::{Model, Output, Words};
use crate::nn::inputs::BatchInputs;
use crate::nn::parameters::Parameters;
use crate::ops::adamw::{AdamW, adamw, record_metrics};
use crate::ops::add::add_in_place;
use crate::ops::cross_entropy::cross_entropy;
use crate::ops::gradient_norm::gradient_norm;
use crate::ops::linear_cross_entropy::linear_cross_entropy;
use crate::ops::mean_squared_error::mean_squared_error;
use crate::tape::{Mode, Tape};

/// What a model is trained to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Objective {
    /// Classes of sequences, by cross-entropy.
    Classification {
        /// Share of every label spread over all classes.
        label_smoothing: f32,
    },
    /// One number per sequence, by mean squared error.
    Regression,
    /// True words at predicted positions, by cross-entropy.
    Words {
        /// Share of every label spread over the vocabulary.
        label_smoothing: f32,
    },
}

/// What stays the same over a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepSettings {
    /// What is learned.
    pub objective: Objective,
    /// The optimizer.
    pub optimizer: AdamW,
    /// Global norm gradients are clipped to; 0 is off.
    pub max_grad_norm: f32,
    /// Forward and backward passes per update.
    pub accumulation: usize,
}

/// Loss and gradient norm of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepMetrics {
    /// Mean training loss of the step's batches.
    pub loss: f32,
    /// Global gradient norm before clipping.
    pub grad_norm: f32,
}

/// Steps that the ring of metrics holds before it must be read.
pub const RING_SLOTS: usize = 256;

/// The recorded step of one phase.
#[derive(Debug)]
pub struct Trainer {
    device: Device,
    settings: StepSettings,
    pass: Plan,
    /// Apart from the pass only where several passes make one update.
    update: Option<Plan>,
    ring: Resident,
    n_done: usize,
    n_read: usize,
}

impl Trainer {
    /// Records and compiles the step.
    ///
    /// # Errors
    /// Memory errors of the device, or a kernel the driver refuses.
    pub async fn new(
        device: &Device,
        model: &dyn Model,
        parameters: &Parameters,
        inputs: &BatchInputs,
        settings: StepSettings,
    ) -> Result<Self, GpuError> {
        let loss = device.create("loss", 1)?;
        let ring = device.create("metrics ring", RING_SLOTS * 2)?;
        let accumulate = settings.accumulation > 1;
        let new_tape =
            |accumulate| Tape::new(device.kind(), device.max_slice_len(), Mode::Training { accumulate });
        let mut tape = new_tape(accumulate);
        record_pass(&mut tape, model, inputs, &settings, &loss);
        let update = if accumulate {
            let mut update = new_tape(true);
            record_update(&mut update, model, parameters, &settings, &loss, &ring);
            Some(device.compile(update.finish(), Sizes::default()).await?)
        } else {
            record_update(&mut tape, model, parameters, &settings, &loss, &ring);
            None
        };
        let pass = device.compile(tape.finish(), inputs.capacity()).await?;
        let device = device.clone();
        Ok(Self { device, settings, pass, update, ring, n_done: 0, n_read: 0 })
    }

    /// Dispatches of one forward and backward pass.
    #[must_use]
    pub fn n_dispatches(&self) -> usize {
        self.pass.n_dispatches()
    }

    /// Runs one step. `write_batch(i)` fills the inputs for pass `i` and gives their sizes.
    ///
    /// # Errors
    /// Whatever went wrong on the device until then.
    pub async fn step(
        &mut self,
        scalars: StepScalars,
        write_batch: &mut dyn FnMut(usize) -> Sizes,
    ) -> Result<(), GpuError> {
        let ring_slot = (self.n_done % RING_SLOTS) as u32;
        for i in 0..self.settings.accumulation {
            let sizes = write_batch(i);
            let dropout_seed = crate::random::mix(scalars.dropout_seed.wrapping_add(i as u32));
            self.device.run(&self.pass, &sizes, &StepScalars { ring_slot, dropout_seed, ..scalars })?;
        }
        if let Some(update) = &self.update {
            self.device.run(update, &Sizes::default(), &StepScalars { ring_slot, ..scalars })?;
        }
        self.n_done += 1;
        // Enough to keep the device busy, few enough that pausing and stopping act at once.
        self.device.throttle(2).await
    }

    /// Metrics of the steps since the last call, at most [`RING_SLOTS`].
    ///
    /// # Errors
    /// Whatever went wrong on the device until then.
    pub async fn metrics(&mut self) -> Result<Vec<StepMetrics>, GpuError> {
        let first = self.n_read.max(self.n_done.saturating_sub(RING_SLOTS));
        let ring: Vec<f32> = self.device.read(&self.ring, 0, RING_SLOTS * 2).await?;
        self.n_read = self.n_done;
        let slot = |step: usize| step % RING_SLOTS * 2;
        let metrics = |step| StepMetrics { loss: ring[slot(step)], grad_norm: ring[slot(step) + 1] };
        Ok((first..self.n_done).map(metrics).collect())
    }
}

/// Records forward, loss and backward.
pub(crate) fn record_pass(
    tape: &mut Tape,
    model: &dyn Model,
    inputs: &BatchInputs,
    settings: &StepSettings,
    loss: &Resident,
) {
    let output = model.output(tape, inputs);
    tape.set_scope("loss");
    let scale = 1.0 / settings.accumulation as f32;
    let batch_loss = tape.scratch(1, 1);
    match (settings.objective, output) {
        (Objective::Classification { label_smoothing }, Output::Logits(logits)) => {
            let labels = inputs.labels(Dim::Sequences);
            cross_entropy(tape, &logits, &labels, label_smoothing, scale, &batch_loss);
        }
        (Objective::Regression, Output::Logits(logits)) => {
            mean_squared_error(tape, &logits, &inputs.scores(), scale, &batch_loss);
        }
        (Objective::Words { label_smoothing }, Output::Words(Words { hidden, head })) => {
            let labels = inputs.labels(Dim::Targets);
            linear_cross_entropy(tape, &hidden, &head, &labels, label_smoothing, scale, &batch_loss);
        }
        (objective, _) => unreachable!("{objective:?} asks for another head than the model has"),
    }
    let total = loss.slice(0, 1);
    add_in_place(tape, &batch_loss, &total, 1.into(), scale);
    tape.backward();
}

/// Records clipping, the optimizer and the new effective weights.
pub(crate) fn record_update(
    tape: &mut Tape,
    model: &dyn Model,
    parameters: &Parameters,
    settings: &StepSettings,
    loss: &Resident,
    ring: &Resident,
) {
    for linear in model.linears() {
        linear.record_gradient_mask(tape);
    }
    tape.set_scope("optimizer");
    let pages = parameters.pages();
    let norm = tape.scratch(1, 3);
    let gradients: Vec<_> = pages.iter().map(|page| page.gradient.clone()).collect();
    gradient_norm(tape, &gradients, settings.max_grad_norm, &norm);
    for page in &pages {
        adamw(tape, settings.optimizer, page, &norm);
    }
    record_metrics(tape, &loss.slice(0, 1), &norm, &ring.whole());
    // The next step adds to these again.
    tape.clear(&loss.slice(0, 1));
    if settings.accumulation > 1 {
        gradients.iter().for_each(|gradient| tape.clear(gradient));
    }
    for linear in model.linears() {
        linear.record_refresh(tape);
    }
}

/// Masks trained weights and computes all effective ones once, before the first step and after loading a state.
///
/// # Errors
/// Memory errors of the device, or a kernel the driver refuses.
pub async fn refresh_weights(device: &Device, model: &dyn Model) -> Result<(), GpuError> {
    let mut tape = Tape::new(device.kind(), device.max_slice_len(), Mode::Inference);
    for linear in model.linears() {
        linear.record_mask(&mut tape);
        linear.record_refresh(&mut tape);
    }
    let plan = device.compile(tape.finish(), Sizes::default()).await?;
    device.run(&plan, &Sizes::default(), &StepScalars::default())
}
