//! The passes of attention, each in two forms: heads are read four numbers at a time where their size allows it, and one
//! at a time otherwise.

use super::reference;
use crate::gpu::Kernel;
use crate::gpu::kernel::{Field, float, read, uint, write};

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[
    FORWARD.fours,
    FORWARD.singles,
    BACKWARD_QUERY.fours,
    BACKWARD_QUERY.singles,
    BACKWARD_KEY_VALUE.fours,
    BACKWARD_KEY_VALUE.singles,
];

/// One pass over heads of any size.
pub(in crate::ops) struct Forms {
    /// For sizes that are multiples of four.
    pub fours: &'static Kernel,
    /// For all other sizes.
    pub singles: &'static Kernel,
}

impl Forms {
    /// The form for heads of this size.
    pub fn of(&self, head_size: usize) -> &'static Kernel {
        if head_size.is_multiple_of(4) { self.fours } else { self.singles }
    }
}

/// Both forms of the pass in a shader file, from its name, the common pieces it is joined with, and its interface.
macro_rules! forms {
    ($name:literal, [$($piece:literal),+], $params:expr, $bindings:expr, $reference:expr) => {
        $crate::ops::attention::Forms {
            fours: &$crate::gpu::Kernel {
                name: $name,
                source: $crate::wgsl!($name, "attention_fours", $($piece),+),
                params: $params,
                bindings: $bindings,
                reference: $reference,
            },
            singles: &$crate::gpu::Kernel {
                name: concat!($name, "_singles"),
                source: $crate::wgsl!($name, "attention_singles", $($piece),+),
                params: $params,
                bindings: $bindings,
                reference: $reference,
            },
        }
    };
}
pub(in crate::ops) use forms;

const PARAMS: &[Field] = &[
    uint("rows"),
    uint("heads"),
    float("scale"),
    uint("key_stride"),
    uint("dropout_seed"),
    uint("dropout_stream"),
    float("dropout_rate"),
    uint("n_prefix"),
];
/// The same for a pass over keys, with the number of query rows.
const KEY_PARAMS: &[Field] = &[
    uint("rows"),
    uint("heads"),
    float("scale"),
    uint("key_stride"),
    uint("dropout_seed"),
    uint("dropout_stream"),
    float("dropout_rate"),
    uint("n_prefix"),
    uint("query_rows"),
];

/// Output and log-sum-exp.
pub(super) const FORWARD: Forms = forms!(
    "attention_forward",
    ["common/grid", "common/random"],
    PARAMS,
    &[read("q"), read("k"), read("v"), read("ranges"), write("out"), write("stats")],
    reference::forward
);

/// The gradient of q.
pub(super) const BACKWARD_QUERY: Forms = forms!(
    "attention_backward_query",
    ["common/grid", "common/random"],
    PARAMS,
    &[
        read("q"),
        read("k"),
        read("v"),
        read("ranges"),
        read("out"),
        read("d_out"),
        write("stats"),
        write("dq"),
    ],
    reference::backward_query
);

/// The gradients of k and v.
pub(super) const BACKWARD_KEY_VALUE: Forms = forms!(
    "attention_backward_key_value",
    ["common/grid", "common/random"],
    KEY_PARAMS,
    &[
        read("q"),
        read("k"),
        read("v"),
        read("key_ranges"),
        read("d_out"),
        read("stats"),
        write("dk"),
        write("dv"),
    ],
    reference::backward_key_value
);
