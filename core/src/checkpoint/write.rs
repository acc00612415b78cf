//! Writes safetensors: the same tensors always give the same bytes.
//!
//! The header is laid out here and not by the `safetensors` crate, which writes the metadata in the random order
//! of a hash map; the tests read the result back with that crate. The metadata always say `format: pt`, without
//! which transformers 4.57 refuses the file.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::NamedTensors;
use super::dtype::Dtype;

/// Values to be written, borrowed.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// Numbers as they are.
    F32(&'a [f32]),
    /// Numbers rounded to the nearest of half precision.
    F16(&'a [f32]),
    /// Indices.
    I32(&'a [i32]),
    /// Bytes, for example packed bits.
    U8(&'a [u8]),
}

impl Values<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::F16(_) => Dtype::F16,
            Self::I32(_) => Dtype::I32,
            Self::U8(_) => Dtype::U8,
        }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::F32(values) => write_f32(bytes, values),
            Self::F16(values) => {
                values.iter().for_each(|&value| bytes.extend(half::f16::from_f32(value).to_le_bytes()));
            }
            Self::I32(values) => {
                values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()))
            }
            Self::U8(values) => bytes.extend_from_slice(values),
        }
    }
}

/// One tensor to be written.
#[derive(Clone, Debug)]
pub struct TensorToWrite<'a> {
    /// Name in the file.
    pub name: String,
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// As many values as the shape has.
    pub values: Values<'a>,
}

/// A safetensors file of f32 tensors.
#[must_use]
pub fn write_named(tensors: &NamedTensors) -> Vec<u8> {
    let shapes =
        tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice())).collect::<Vec<_>>();
    write_f32_with(&shapes, &BTreeMap::new(), |name, bytes| write_f32(bytes, &tensors[name].data))
}

/// A safetensors file of tensors of several types. Tensors are laid out by falling alignment, then by name.
///
/// # Panics
/// If a shape does not fit its values.
#[must_use]
pub fn write_safetensors(tensors: &[TensorToWrite<'_>], metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let mut order: Vec<&TensorToWrite<'_>> = tensors.iter().collect();
    order.sort_by(|a, b| (b.values.dtype().n_bytes(), &a.name).cmp(&(a.values.dtype().n_bytes(), &b.name)));
    let layout: Vec<_> =
        order.iter().map(|t| (t.name.as_str(), t.values.dtype(), t.shape.as_slice())).collect();
    let (mut bytes, total) = write_header(&layout, metadata);
    for tensor in order {
        tensor.values.write(&mut bytes);
    }
    assert_eq!(bytes.len(), total, "every shape fits its values");
    bytes
}

/// A safetensors file of f32 tensors whose values `fill` appends one after the other, so that a model is never
/// held in memory twice. `fill` is called once for each name, in the given order.
///
/// # Panics
/// If `fill` does not append as many bytes as the shape takes.
#[must_use]
pub fn write_f32_with(
    shapes: &[(&str, &[usize])],
    metadata: &BTreeMap<String, String>,
    mut fill: impl FnMut(&str, &mut Vec<u8>),
) -> Vec<u8> {
    let layout: Vec<_> = shapes.iter().map(|&(name, shape)| (name, Dtype::F32, shape)).collect();
    let (mut bytes, total) = write_header(&layout, metadata);
    for &(name, shape) in shapes {
        let begin = bytes.len();
        fill(name, &mut bytes);
        assert_eq!(bytes.len() - begin, 4 * shape.iter().product::<usize>(), "`{name}` fills its shape");
    }
    assert_eq!(bytes.len(), total, "the header describes the file");
    bytes
}

/// Appends values as little-endian bytes.
pub fn write_f32(bytes: &mut Vec<u8>, values: &[f32]) {
    bytes.reserve(4 * values.len());
    values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
}

/// Length and header of a file with this layout, and the length of the whole file.
fn write_header(layout: &[(&str, Dtype, &[usize])], metadata: &BTreeMap<String, String>) -> (Vec<u8>, usize) {
    let mut header = Map::new();
    let mut all_metadata = metadata.clone();
    all_metadata.insert("format".to_owned(), "pt".to_owned());
    header.insert("__metadata__".to_owned(), json!(all_metadata));
    let mut end = 0;
    for (name, dtype, shape) in layout {
        let begin = end;
        end += shape.iter().product::<usize>() * dtype.n_bytes() as usize;
        let entry = json!({"dtype": dtype.name(), "shape": shape, "data_offsets": [begin, end]});
        header.insert((*name).to_owned(), entry);
    }
    let mut json = Value::Object(header).to_string().into_bytes();
    // Data begin at a multiple of eight bytes, so that readers may map the file.
    json.resize(json.len().next_multiple_of(8), b' ');
    let total = 8 + json.len() + end;
    let mut bytes = Vec::with_capacity(total);
    bytes.extend_from_slice(&(json.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&json);
    (bytes, total)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::checkpoint::HostTensor;

    #[test]
    fn the_reference_reader_accepts_the_file() {
        let bits = [1u8, 2, 3];
        let tensors = [
            TensorToWrite { name: "bits".into(), shape: vec![3], values: Values::U8(&bits) },
            TensorToWrite { name: "h".into(), shape: vec![2], values: Values::F16(&[0.1, -1.0]) },
            TensorToWrite { name: "w".into(), shape: vec![2, 1], values: Values::F32(&[0.5, -1.0]) },
            TensorToWrite { name: "at".into(), shape: vec![2, 1], values: Values::I32(&[7, -8]) },
        ];
        let metadata = BTreeMap::from([("dsee_format".to_owned(), "1".to_owned())]);
        let bytes = write_safetensors(&tensors, &metadata);
        assert_eq!(bytes, write_safetensors(&tensors, &metadata), "the same tensors give the same bytes");
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.tensor("w").unwrap().data(), [0, 0, 0, 63, 0, 0, 128, 191]);
        assert_eq!(file.tensor("at").unwrap().shape(), [2, 1]);
        // 0.1 is nearest to 0x2e66 in half precision.
        assert_eq!(file.tensor("h").unwrap().data(), [0x66, 0x2e, 0x00, 0xbc]);
        assert_eq!(file.tensor("bits").unwrap().data(), bits);
        let (_, read) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let map = read.metadata().clone().unwrap();
        assert_eq!((map["format"].as_str(), map["dsee_format"].as_str()), ("pt", "1"));
    }

    #[test]
    fn named_tensors_come_back() {
        let tensor = HostTensor { shape: vec![2, 2], data: vec![1.0, 2.0, 3.0, f32::MIN_POSITIVE] };
        let scalar = HostTensor { shape: vec![], data: vec![9.0] };
        let tensors = NamedTensors::from([("a".to_owned(), tensor), ("b".to_owned(), scalar)]);
        let read =
            crate::checkpoint::safetensors_read::read_safetensors("f", &write_named(&tensors)).unwrap();
        assert_eq!(read.tensors, tensors);
        assert_eq!(read.metadata["format"], "pt");
    }
}
