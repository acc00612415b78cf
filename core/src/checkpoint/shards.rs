//! Which file of a model folder holds the weights, and models split over several files.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Checkpoint;
use super::error::{CheckpointError, TensorProblem};

/// Name of an unsplit weight file.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// Name of the index of a split one.
pub const INDEX_FILE: &str = "model.safetensors.index.json";

/// Where a model folder keeps its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightSource {
    /// In [`WEIGHTS_FILE`].
    Single,
    /// In the shards that [`INDEX_FILE`] names.
    Sharded,
}

impl WeightSource {
    /// Chooses among the files of a folder.
    ///
    /// # Errors
    /// If there are only pickled weights, or none.
    pub fn choose(folder: &str, files: &[&str]) -> Result<Self, CheckpointError> {
        if files.contains(&WEIGHTS_FILE) {
            return Ok(Self::Single);
        }
        if files.contains(&INDEX_FILE) {
            return Ok(Self::Sharded);
        }
        let pickled = |file: &&&str| {
            let extension = file.rsplit('.').next().unwrap_or_default();
            (file.starts_with("pytorch_model") && extension == "bin")
                || matches!(extension, "pt" | "pth" | "ckpt")
        };
        Err(match files.iter().find(pickled) {
            Some(file) => CheckpointError::one(file, TensorProblem::Pickle),
            None => CheckpointError::one(folder, TensorProblem::NoWeights),
        })
    }
}

/// A parsed `model.safetensors.index.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardIndex {
    /// Name of the index file, for messages.
    pub file: String,
    /// Tensor → file name of its shard.
    pub weight_map: BTreeMap<String, String>,
}

impl ShardIndex {
    /// Parses the index.
    ///
    /// # Errors
    /// Text that is not such an index, and shards outside the folder.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, CheckpointError> {
        let bad = |reason: String| TensorProblem::BadIndex { reason };
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|error| CheckpointError::one(file, bad(error.to_string())))?;
        let Some(map) = value.get("weight_map").and_then(Value::as_object) else {
            return Err(CheckpointError::one(file, bad("no object `weight_map`".to_owned())));
        };
        let mut weight_map = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, shard) in map {
            match shard.as_str() {
                // A shard lies beside its index; anything else would read where the user did not point.
                Some(shard) if !shard.contains(['/', '\\']) && shard.ends_with(".safetensors") => {
                    weight_map.insert(name.clone(), shard.to_owned());
                }
                _ => problems.push(bad(format!("`{name}` is in {shard}, which is no safetensors file name"))),
            }
        }
        CheckpointError::check(file, problems, Self { file: file.to_owned(), weight_map })
    }

    /// File names of the shards, sorted, each once.
    #[must_use]
    pub fn shards(&self) -> Vec<&str> {
        let mut shards: Vec<&str> = self.weight_map.values().map(String::as_str).collect();
        shards.sort_unstable();
        shards.dedup();
        shards
    }

    /// Joins the shards, each named as in the index, into one checkpoint.
    ///
    /// # Errors
    /// Shards that were not given, and tensors that are not in the shard the index names.
    pub fn join<T>(&self, shards: Vec<Checkpoint<T>>) -> Result<Checkpoint<T>, CheckpointError> {
        let mut by_file: BTreeMap<String, Checkpoint<T>> =
            shards.into_iter().map(|shard| (shard.file.clone(), shard)).collect();
        let (tensors, skipped, metadata) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut joined = Checkpoint { file: self.file.clone(), tensors, skipped, metadata };
        let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, shard) in &self.weight_map {
            let Some(found) = by_file.get_mut(shard) else {
                *missing.entry(shard).or_default() += 1;
                continue;
            };
            if let Some(tensor) = found.tensors.remove(name) {
                joined.tensors.insert(name.clone(), tensor);
            } else if let Some(dtype) = found.skipped.remove(name) {
                joined.skipped.insert(name.clone(), dtype);
            } else {
                problems.push(TensorProblem::NotInShard { name: name.clone(), shard: shard.clone() });
            }
        }
        problems.extend(
            missing
                .into_iter()
                .map(|(shard, n_tensors)| TensorProblem::MissingShard { shard: shard.to_owned(), n_tensors }),
        );
        CheckpointError::check(&self.file, problems, joined)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::checkpoint::HostTensor;

    #[test]
    fn pickles_are_refused_with_a_way_out() {
        let choose = |files: &[&str]| WeightSource::choose("my-model", files);
        assert_eq!(choose(&["config.json", WEIGHTS_FILE]).unwrap(), WeightSource::Single);
        assert_eq!(choose(&[INDEX_FILE]).unwrap(), WeightSource::Sharded);
        let pickled = choose(&["config.json", "pytorch_model.bin"]).unwrap_err().to_string();
        assert!(
            pickled.contains("model.safetensors") && pickled.contains("(pytorch_model.bin)"),
            "{pickled}"
        );
        let empty = choose(&["config.json"]).unwrap_err();
        assert_eq!(empty.problems, [TensorProblem::NoWeights]);
    }

    const INDEX: &[u8] = br#"{"metadata":{"total_size":8},
        "weight_map":{"a":"x-1.safetensors","b":"x-2.safetensors","c":"x-1.safetensors"}}"#;

    fn shard(file: &str, names: &[&str]) -> Checkpoint {
        let tensor = HostTensor { shape: vec![1], data: vec![1.0] };
        let tensors = names.iter().map(|&name| (name.to_owned(), tensor.clone())).collect();
        Checkpoint { file: file.to_owned(), tensors, ..Checkpoint::default() }
    }

    #[test]
    fn shards_join_and_gaps_are_listed() {
        let index = ShardIndex::parse(INDEX_FILE, INDEX).unwrap();
        assert_eq!(index.shards(), ["x-1.safetensors", "x-2.safetensors"]);
        let whole = index
            .join(vec![shard("x-1.safetensors", &["a", "c"]), shard("x-2.safetensors", &["b"])])
            .unwrap();
        assert_eq!(whole.tensors.len(), 3);
        let error = index.join(vec![shard("x-1.safetensors", &["a"])]).unwrap_err();
        assert_eq!(
            error.problems,
            [
                TensorProblem::NotInShard { name: "c".into(), shard: "x-1.safetensors".into() },
                TensorProblem::MissingShard { shard: "x-2.safetensors".into(), n_tensors: 1 },
            ]
        );
    }

    #[test]
    fn bad_indices_are_refused() {
        for bad in ["", "{}", r#"{"weight_map":{"a":"../secret.safetensors"}}"#, r#"{"weight_map":{"a":3}}"#]
        {
            assert!(ShardIndex::parse(INDEX_FILE, bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
