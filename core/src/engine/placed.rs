//! A model on the device with memory for its batches: what training, evaluation and prediction share.

use super::base_model::BaseModel;
use super::error::EngineError;
use crate::gpu::{Device, Sizes};
use crate::models::Model;
use crate::nn::added::prefix_length;
use crate::nn::inputs::BatchInputs;
use crate::nn::linear::sparse_name;
use crate::nn::parameters::{ArenaPart, Parameters};
use crate::nn::plan::TuningPlan;
use crate::train::place::{HostState, Placement};
use crate::train::step::refresh_weights;

/// Parameters, forward pass and inputs on one device.
pub struct Placed {
    pub device: Device,
    pub parameters: Parameters,
    pub model: Box<dyn Model>,
    pub inputs: BatchInputs,
    placement: Placement,
}

impl Placed {
    /// Uploads `state` for batches up to `capacity`.
    pub async fn new(
        device: &Device,
        base: &BaseModel,
        state: &HostState,
        plan: &TuningPlan,
        dropout: Option<f64>,
        capacity: Sizes,
    ) -> Result<Self, EngineError> {
        let placement = Placement::new(&base.sites, base.heads(), &state.pruned);
        let parameters = placement.place(device, &base.parameters, state, plan).await?;
        let model = base.find(&parameters, plan, dropout);
        refresh_weights(device, model.as_ref()).await?;
        let mut layout = base.config.inputs();
        // The prefix stands at the first positions.
        layout.first_position += prefix_length(&state.trained) as u32;
        let inputs = BatchInputs::new(device, capacity, layout)?;
        Ok(Self { device: device.clone(), parameters, model, inputs, placement })
    }

    /// Brings the trained values of the device into the host state.
    pub async fn read_into(&self, state: &mut HostState) -> Result<(), EngineError> {
        self.placement.update(state, self.parameters.read(ArenaPart::Value).await?);
        Ok(())
    }

    /// Leaves the sparse part out of every update of `state`. Nothing is placed or recorded anew.
    pub async fn drop_sparse(&self, state: &HostState) -> Result<(), EngineError> {
        for delta in &state.deltas {
            self.parameters.clear(ArenaPart::Value, &sparse_name(&delta.path));
        }
        Ok(refresh_weights(&self.device, self.model.as_ref()).await?)
    }
}
