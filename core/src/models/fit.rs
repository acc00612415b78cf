//! Whether a model can lie on an adapter at all, from its settings alone: asked before gigabytes of weights are read.

use super::config::ModelConfig;
use super::family::Head;
use crate::gpu::{AdapterReport, GpuError};

/// Bytes that every WebGPU device lets a kernel see of one buffer: a model whose matrices are no larger fits everywhere.
pub const GUARANTEED_BYTES: u64 = 128 << 20;

/// Name and size in bytes, as numbers of 32 bits, of the largest parameter that must lie in one buffer. Embedding tables
/// are split by rows, so they count with the rest of the memory and not here.
#[must_use]
pub fn largest_matrix(config: &ModelConfig) -> (String, u64) {
    let head = Head::SequenceClassification { n_labels: config.n_labels() };
    let whole = config.family.parameters(config, head).into_iter().filter(|parameter| !parameter.is_table);
    let sized = whole.map(|spec| {
        let n_bytes = spec.shape.iter().map(|&size| size as u64).product::<u64>() * 4;
        (spec.name, n_bytes)
    });
    // The first of equally large ones.
    sized.fold((String::new(), 0), |best, next| if next.1 > best.1 { next } else { best })
}

/// Checks the largest matrix against what the adapter binds at once.
///
/// # Errors
/// [`GpuError::TooLarge`] with the bytes needed and available.
pub fn check(config: &ModelConfig, adapter: &AdapterReport) -> Result<(), GpuError> {
    let (label, needed) = largest_matrix(config);
    let available = adapter.max_binding_bytes.min(adapter.max_buffer_bytes);
    if needed > available {
        return Err(GpuError::TooLarge { label, needed, available });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::gpu::Device;

    #[test]
    fn bert_fits_everywhere_and_a_giant_nowhere() {
        let config = |hidden: usize| {
            let json =
                format!(r#"{{"model_type": "bert", "hidden_size": {hidden}, "num_attention_heads": 8}}"#);
            ModelConfig::parse("config.json", json.as_bytes()).unwrap()
        };
        let (name, n_bytes) = largest_matrix(&config(768));
        assert_eq!(
            (name.as_str(), n_bytes),
            ("bert.encoder.layer.0.intermediate.dense.weight", 768 * 3072 * 4)
        );
        let mut adapter = Device::reference().report().clone();
        adapter.max_binding_bytes = GUARANTEED_BYTES;
        check(&config(768), &adapter).unwrap();
        let error = check(&config(65_536), &adapter).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("17179869184 bytes") && text.contains("134217728 are available"), "{text}");
        adapter.max_binding_bytes = u64::MAX;
        check(&config(65_536), &adapter).unwrap();
    }
}
