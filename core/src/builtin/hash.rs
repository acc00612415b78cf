//! The hash by which generated data are split into train and validation sets.

use crate::random::mix;

/// A hash that never changes between versions of Rust, as a split must not.
pub(super) fn hash(text: &str) -> u32 {
    text.bytes().fold(0x9e37_79b9, |state, byte| mix(state ^ u32::from(byte)))
}
