//! Weights as bytes, and writing the folder.

use dsee_core::checkpoint::{
    NamedTensors,
    safetensors_read::read_safetensors,
    write::{TensorToWrite, Values, write_safetensors},
};
use std::{collections::BTreeMap, fs, io::Write as _, path::Path};

/// A safetensors file in half precision.
pub fn half_precision(weights: &NamedTensors) -> Vec<u8> {
    let list: Vec<TensorToWrite<'_>> = weights
        .iter()
        .map(|(name, tensor)| TensorToWrite {
            name: name.clone(),
            shape: tensor.shape.clone(),
            values: Values::F16(&tensor.data),
        })
        .collect();
    write_safetensors(&list, &BTreeMap::new())
}

/// The weights as everybody will read them, rounded.
pub fn read(bytes: &[u8]) -> anyhow::Result<NamedTensors> {
    Ok(read_safetensors("model.safetensors", bytes)?.tensors)
}

/// Writes each file under a temporary name and renames it.
pub fn write(folder: &Path, files: &[(&str, Vec<u8>)]) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, bytes) in files {
        let part = folder.join(format!(".{name}.part"));
        let mut file = fs::File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(part, folder.join(name))?;
    }
    Ok(())
}
