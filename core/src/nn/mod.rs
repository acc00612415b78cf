//! Building blocks shared by the models: sites and what is done at them, parameters on the device, batches.

pub mod added;
pub mod head_layout;
pub mod inputs;
pub mod linear;
pub mod outline;
pub mod parameters;
pub mod plan;
pub mod site;
