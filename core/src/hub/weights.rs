//! Whether a model can be used at all, from its settings and the headers of its weights: a few kilobytes instead of
//! hundreds of megabytes.

use std::ops::Range;

use super::error::HubError;
use crate::checkpoint::{error::CheckpointError, load::FoundShapes, safetensors_read::Header};
use crate::models::{config::ModelConfig, files::CONFIG_FILE, load::check_shapes};

/// The bytes that tell how long the header of a safetensors file is.
pub const LENGTH_RANGE: Range<u64> = 0..8;

/// The bytes of the rest of the header, from those of [`LENGTH_RANGE`] and the length of the file. `None` if there
/// are none. Both together are what [`Header::parse`] takes.
///
/// # Errors
/// If this is no safetensors file.
pub fn header_range(file: &str, length: &[u8], n_total: u64) -> Result<Option<Range<u64>>, CheckpointError> {
    let end = Header::n_bytes(file, length, n_total)?;
    Ok((end > LENGTH_RANGE.end).then_some(LENGTH_RANGE.end..end))
}

/// Checks what `config.json` and the headers of all weight files say.
///
/// # Errors
/// Settings that cannot be used, and tensors that are missing or have other types or shapes than they should.
pub fn check_weights(config: &[u8], headers: &[Header]) -> Result<(), HubError> {
    let config = ModelConfig::parse(CONFIG_FILE, config)?;
    let entries = headers.iter().flat_map(|header| &header.entries);
    let found: FoundShapes =
        entries.map(|entry| (entry.name.clone(), (entry.dtype, entry.shape.clone()))).collect();
    let file = headers.first().map(|header| header.file.as_str()).unwrap_or_default();
    Ok(check_shapes(&config, CONFIG_FILE, &found, file)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::builtin;
    use crate::checkpoint::shards::WEIGHTS_FILE;

    fn embedded() -> (Vec<u8>, Header) {
        let files = builtin::model_files().files;
        let read = |name: &str| pollster::block_on(files[name].read(0..files[name].len())).unwrap();
        let bytes = read(WEIGHTS_FILE);
        let n_total = bytes.len() as u64;
        let rest = header_range(WEIGHTS_FILE, &bytes[..8], n_total).unwrap().unwrap();
        let header = Header::parse(WEIGHTS_FILE, &bytes[..rest.end as usize], n_total).unwrap();
        (read(CONFIG_FILE), header)
    }

    #[test]
    fn a_good_model_passes_by_its_header_alone() {
        let (config, header) = embedded();
        check_weights(&config, &[header]).unwrap();
    }

    #[test]
    fn wrong_sizes_types_and_families_are_known_from_the_header() {
        let (config, mut header) = embedded();
        assert!(matches!(check_weights(b"{\"model_type\": \"t5\"}", &[]), Err(HubError::Config(_))));
        header.entries.retain(|entry| !entry.name.ends_with("embeddings.word_embeddings.weight"));
        let error = check_weights(&config, &[header]).unwrap_err();
        assert!(error.to_string().contains("word_embeddings"), "{error}");
        assert!(matches!(error, HubError::Contradiction(_)));
        let error = header_range(WEIGHTS_FILE, b"PK\x03\x04....", 1000).unwrap_err();
        assert!(error.to_string().contains("pickled"), "{error}");
    }
}
