//! Data types of the safetensors format: their sizes, and how those that hold weights become f32.

use half::{bf16, f16};

/// A data type of the format. Values are read from the first three; indices and bits from `I32` and `U8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the format")]
pub enum Dtype {
    F32,
    F16,
    BF16,
    F64,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
    F8E5M2,
    F8E4M3,
}

/// Every data type with its name in the header and its bytes per value.
const TABLE: [(Dtype, &str, u64); 15] = [
    (Dtype::F32, "F32", 4),
    (Dtype::F16, "F16", 2),
    (Dtype::BF16, "BF16", 2),
    (Dtype::F64, "F64", 8),
    (Dtype::I64, "I64", 8),
    (Dtype::I32, "I32", 4),
    (Dtype::I16, "I16", 2),
    (Dtype::I8, "I8", 1),
    (Dtype::U64, "U64", 8),
    (Dtype::U32, "U32", 4),
    (Dtype::U16, "U16", 2),
    (Dtype::U8, "U8", 1),
    (Dtype::Bool, "BOOL", 1),
    (Dtype::F8E5M2, "F8_E5M2", 1),
    (Dtype::F8E4M3, "F8_E4M3", 1),
];

impl Dtype {
    /// The data type with this name in a header, if it is known.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// The name in a header.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Bytes per value.
    #[must_use]
    pub fn n_bytes(self) -> u64 {
        self.row().2
    }

    /// Whether weights may be stored in this type.
    #[must_use]
    pub fn holds_weights(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::BF16)
    }

    fn row(self) -> &'static (Self, &'static str, u64) {
        // The table is in the order of the variants, which a test holds.
        &TABLE[self as usize]
    }

    /// Little-endian bytes as f32; F16 and BF16 widen exactly. `None` for types that hold no weights.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> Option<Vec<f32>> {
        let halves = || bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
        match self {
            Self::F32 => {
                Some(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
            }
            Self::F16 => Some(halves().map(|bits| f16::from_bits(bits).to_f32()).collect()),
            Self::BF16 => Some(halves().map(|bits| bf16::from_bits(bits).to_f32()).collect()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_in_the_order_of_the_variants() {
        for (i, (dtype, name, _)) in TABLE.iter().enumerate() {
            assert_eq!(*dtype as usize, i);
            assert_eq!(Dtype::from_name(name), Some(*dtype));
            assert_eq!(dtype.name(), *name);
        }
    }

    #[test]
    fn halves_widen_exactly() {
        let values = [0.0f32, -1.5, 0.333_251_95, 65504.0];
        let f16: Vec<u8> = values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
        assert_eq!(Dtype::F16.decode(&f16), Some(values.to_vec()));
        // BF16 is the upper half of an f32.
        let bf16: Vec<u8> =
            [1.0f32, -2.5].iter().flat_map(|v| v.to_bits().to_le_bytes()[2..].to_vec()).collect();
        assert_eq!(Dtype::BF16.decode(&bf16), Some(vec![1.0, -2.5]));
        assert_eq!(Dtype::I64.decode(&[0; 8]), None);
    }
}
