//! Helpers shared by the test files.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};

use dsee_core::checkpoint::{Checkpoint, NamedTensors};
use dsee_core::data::PackedBatch;
use dsee_core::gpu::Device;

pub mod asking;
pub mod repository;
pub mod script;
pub mod tiny_bert;

/// The folder of golden files.
#[must_use]
pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

/// A golden safetensors file, integers included.
#[must_use]
pub fn golden_tensors(name: &str) -> Golden {
    let bytes = std::fs::read(golden(name)).unwrap();
    Golden { bytes, name: name.to_owned() }
}

/// The bytes of a golden file, read tensor by tensor.
#[derive(Debug)]
pub struct Golden {
    bytes: Vec<u8>,
    name: String,
}

impl Golden {
    fn file(&self) -> safetensors::SafeTensors<'_> {
        safetensors::SafeTensors::deserialize(&self.bytes).unwrap()
    }

    /// Names of all tensors, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.file().names().into_iter().map(ToString::to_string).collect();
        names.sort();
        names
    }

    /// Whether there is a tensor of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.file().tensor(name).is_ok()
    }

    /// An F32 tensor.
    #[must_use]
    pub fn floats(&self, name: &str) -> Vec<f32> {
        let file = self.file();
        let tensor = file.tensor(name).unwrap_or_else(|e| panic!("{}: {name}: {e}", self.name));
        tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    /// An I32 tensor of numbers that are not negative.
    #[must_use]
    pub fn uints(&self, name: &str) -> Vec<u32> {
        self.floats(name).into_iter().map(f32::to_bits).collect()
    }

    /// A U8 tensor.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        self.file().tensor(name).unwrap().data().to_vec()
    }

    /// Shape of a tensor.
    #[must_use]
    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.file().tensor(name).unwrap().shape().to_vec()
    }

    /// The packed batch of a training file; labels are left to the caller.
    #[must_use]
    pub fn batch(&self) -> PackedBatch {
        let offsets = self.uints("offsets");
        let n = offsets.len() - 1;
        let position_ids = offsets.windows(2).flat_map(|pair| 0..pair[1] - pair[0]).collect();
        PackedBatch {
            input_ids: self.uints("input_ids"),
            token_type_ids: self.uints("token_type_ids"),
            position_ids,
            offsets,
            classes: Vec::new(),
            targets: Vec::new(),
            example_indices: (0..n as u32).collect(),
        }
    }
}

/// All float tensors of a weight file.
#[must_use]
pub fn read_checkpoint(path: &Path) -> Checkpoint {
    let bytes = std::fs::read(path).unwrap();
    dsee_core::checkpoint::safetensors_read::read_safetensors(&path.display().to_string(), &bytes).unwrap()
}

/// The adapter; a machine without one fails with the install command.
#[must_use]
pub fn device() -> Device {
    pollster::block_on(Device::open()).unwrap_or_else(|error| panic!("{error}"))
}

/// Fails with the first bad index, both values and the largest difference. The allowance is `absolute` plus
/// `relative` times the largest expected value.
pub fn assert_close(what: &str, got: &[f32], expected: &[f32], absolute: f32, relative: f32) {
    assert_eq!(got.len(), expected.len(), "{what}: length");
    let largest = expected.iter().fold(0f32, |m, x| m.max(x.abs()));
    let allowed = absolute + relative * largest;
    let worst = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    for (i, (a, b)) in got.iter().zip(expected).enumerate() {
        let close = (a - b).abs() <= allowed;
        assert!(close, "{what}[{i}]: {a}, expected {b} (largest difference {worst:e}, allowed {allowed:e})");
    }
}

/// The tensors of `found` by name, for tests that only need parameters.
#[must_use]
pub fn named(found: Checkpoint) -> NamedTensors {
    found.tensors
}
