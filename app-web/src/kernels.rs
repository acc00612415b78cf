//! Every kernel's source, so that a test can let the browser's own compiler read all of them.

use dsee_core::ops::KERNELS;
use wasm_bindgen::prelude::*;

/// JSON: a list of `{ name, source }`, with the constants at their defaults.
#[wasm_bindgen(js_name = kernelSources)]
pub fn kernel_sources() -> String {
    let kernels = KERNELS.iter().flat_map(|op| op.iter());
    let sources =
        kernels.map(|kernel| serde_json::json!({ "name": kernel.name, "source": kernel.specialised(&[]) }));
    serde_json::Value::from_iter(sources).to_string()
}
