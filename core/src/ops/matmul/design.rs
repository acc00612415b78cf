//! The kernels of the matrix products, and the one place that chooses between them.

use super::epilogue::EPILOGUE;
use super::{Shape, reference};
use crate::gpu::kernel::{Field, float, read, uint, write};
use crate::gpu::{AdapterKind, Binding, Constant, Dim, Extent, Grid, Kernel, Slice, Value};
use crate::tape::Tape;
use crate::wgsl;

/// All kernels of this op.
pub const KERNELS: &[&Kernel] = &[
    &NT_PLAIN,
    &NN_PLAIN,
    &TN_PLAIN,
    &NT_TILED,
    &NN_TILED,
    &TN_TILED,
    &SKINNY_TILED,
    &NT_UNSTAGED,
    &NN_UNSTAGED,
    &TN_UNSTAGED,
    &SKINNY_UNSTAGED,
    &NT_SUBGROUP,
    &NN_SUBGROUP,
    &TN_SUBGROUP,
    &SKINNY_SUBGROUP,
    &EPILOGUE,
];

const NT_PARAMS: &[Field] = &[
    uint("m"),
    uint("n"),
    uint("k"),
    uint("row_start"),
    uint("dropout_seed"),
    uint("dropout_stream"),
    float("dropout_rate"),
];
const NN_PARAMS: &[Field] = TN_PARAMS;
const SKINNY_PARAMS: &[Field] = &[uint("m"), uint("n"), uint("k"), uint("row_start")];
const TN_PARAMS: &[Field] = &[uint("m"), uint("n"), uint("k"), uint("row_start"), float("scale")];

const NT_BINDINGS: &[Binding] =
    &[read("x"), read("w"), read("bias"), read("residual"), write("y"), write("pre")];
const NN_BINDINGS: &[Binding] = &[read("dy"), read("w"), read("pre"), write("dx")];
const TN_BINDINGS: &[Binding] = &[read("dy"), read("x"), write("dw")];
const SKINNY_BINDINGS: &[Binding] = &[read("x"), read("f"), write("z")];

/// A product's operands joined with a schedule: the shader files say what each of them does.
macro_rules! kernel {
    ($(#[$doc:meta])* $id:ident, $name:literal, $params:ident, $bindings:ident, $reference:ident, [$($file:literal),+]) => {
        $(#[$doc])*
        pub static $id: Kernel = Kernel {
            name: $name,
            source: wgsl!($($file),+),
            params: $params,
            bindings: $bindings,
            reference: reference::$reference,
        };
    };
}

kernel!(
    /// Any size, one output per invocation.
    NT_PLAIN, "matmul_nt_plain", NT_PARAMS, NT_BINDINGS, nt, ["matmul_nt_plain", "common/activation", "common/random"]
);
kernel!(
    /// Any size, one output per invocation.
    NN_PLAIN, "matmul_nn_plain", NN_PARAMS, NN_BINDINGS, nn, ["matmul_nn_plain", "common/activation"]
);
kernel!(
    /// Any size, one output per invocation.
    TN_PLAIN, "matmul_tn_plain", TN_PARAMS, TN_BINDINGS, tn, ["matmul_tn_plain"]
);
kernel!(
    /// For GPUs: through workgroup memory.
    NT_TILED, "matmul_nt_tiled", NT_PARAMS, NT_BINDINGS, nt, ["matmul_nt", "matmul_tiled", "common/activation", "common/random"]
);
kernel!(
    /// For GPUs: through workgroup memory.
    NN_TILED, "matmul_nn_tiled", NN_PARAMS, NN_BINDINGS, nn, ["matmul_nn", "matmul_tiled", "common/activation"]
);
kernel!(
    /// For GPUs: through workgroup memory.
    TN_TILED, "matmul_tn_tiled", TN_PARAMS, TN_BINDINGS, tn, ["matmul_tn", "matmul_tiled"]
);
kernel!(
    /// For GPUs: through workgroup memory.
    SKINNY_TILED, "matmul_skinny_tiled", SKINNY_PARAMS, SKINNY_BINDINGS, skinny, ["matmul_skinny", "matmul_tiled"]
);
kernel!(
    /// For software adapters: register blocks, no workgroup memory.
    NT_UNSTAGED, "matmul_nt_unstaged", NT_PARAMS, NT_BINDINGS, nt, ["matmul_nt", "matmul_unstaged", "common/activation", "common/random"]
);
kernel!(
    /// For software adapters: register blocks, no workgroup memory.
    NN_UNSTAGED, "matmul_nn_unstaged", NN_PARAMS, NN_BINDINGS, nn, ["matmul_nn", "matmul_unstaged", "common/activation"]
);
kernel!(
    /// For software adapters: register blocks, no workgroup memory.
    TN_UNSTAGED, "matmul_tn_unstaged", TN_PARAMS, TN_BINDINGS, tn, ["matmul_tn", "matmul_unstaged"]
);
kernel!(
    /// For software adapters: register blocks, no workgroup memory.
    SKINNY_UNSTAGED, "matmul_skinny_unstaged", SKINNY_PARAMS, SKINNY_BINDINGS, skinny, ["matmul_skinny", "matmul_unstaged"]
);
kernel!(
    /// For software adapters with subgroups of exactly eight invocations.
    NT_SUBGROUP, "matmul_nt_subgroup", NT_PARAMS, NT_BINDINGS, nt, ["matmul_nt", "matmul_subgroup", "common/activation", "common/random"]
);
kernel!(
    /// For software adapters with subgroups of exactly eight invocations.
    NN_SUBGROUP, "matmul_nn_subgroup", NN_PARAMS, NN_BINDINGS, nn, ["matmul_nn", "matmul_subgroup", "common/activation"]
);
kernel!(
    /// For software adapters with subgroups of exactly eight invocations.
    TN_SUBGROUP, "matmul_tn_subgroup", TN_PARAMS, TN_BINDINGS, tn, ["matmul_tn", "matmul_subgroup"]
);
kernel!(
    /// For software adapters with subgroups of exactly eight invocations.
    SKINNY_SUBGROUP, "matmul_skinny_subgroup", SKINNY_PARAMS, SKINNY_BINDINGS, skinny, ["matmul_skinny", "matmul_subgroup"]
);

/// The four forms of a product with their designs.
pub(super) struct Product {
    plain: Option<&'static Kernel>,
    tiled: &'static Kernel,
    unstaged: &'static Kernel,
    subgroup: &'static Kernel,
}

pub(super) const NT: Product =
    Product { plain: Some(&NT_PLAIN), tiled: &NT_TILED, unstaged: &NT_UNSTAGED, subgroup: &NT_SUBGROUP };
pub(super) const NN: Product =
    Product { plain: Some(&NN_PLAIN), tiled: &NN_TILED, unstaged: &NN_UNSTAGED, subgroup: &NN_SUBGROUP };
pub(super) const TN: Product =
    Product { plain: Some(&TN_PLAIN), tiled: &TN_TILED, unstaged: &TN_UNSTAGED, subgroup: &TN_SUBGROUP };
pub(super) const SKINNY: Product =
    Product { plain: None, tiled: &SKINNY_TILED, unstaged: &SKINNY_UNSTAGED, subgroup: &SKINNY_SUBGROUP };

/// A kernel with the size of the tile one workgroup computes.
pub(super) struct Design {
    kernel: &'static Kernel,
    constants: Vec<(&'static str, Constant)>,
    tile_rows: usize,
    tile_cols: usize,
}

/// Chooses how a product of `rows` by `cols` is computed. `by_fours` says whether every size that the designs read in
/// groups of four is a multiple of four.
pub(super) fn design(kind: AdapterKind, product: &Product, rows: Dim, cols: Dim, by_fours: bool) -> Design {
    let plain = product.plain.filter(|_| !by_fours || kind == AdapterKind::Reference);
    if let Some(kernel) = plain {
        return Design { kernel, constants: Vec::new(), tile_rows: 8, tile_cols: 8 };
    }
    match kind {
        AdapterKind::Hardware => {
            let large = |dim| !matches!(dim, Dim::Fixed(n) if n < 512);
            let side = if large(rows) && large(cols) { 16 } else { 8 };
            Design {
                kernel: product.tiled,
                constants: vec![("SIDE", (side as u32).into())],
                tile_rows: 4 * side,
                tile_cols: 4 * side,
            }
        }
        AdapterKind::SoftwareOctets => {
            // Few rows, as in the factors of an update, leave larger tiles half empty.
            let octets = match rows {
                Dim::Fixed(n) if n <= 8 => 1,
                Dim::Fixed(n) if n <= 16 => 2,
                _ => 4,
            };
            Design {
                kernel: product.subgroup,
                constants: vec![("OCTETS", (octets as u32).into())],
                tile_rows: 8 * octets,
                tile_cols: 32,
            }
        }
        AdapterKind::Software | AdapterKind::Reference => {
            Design { kernel: product.unstaged, constants: Vec::new(), tile_rows: 8, tile_cols: 64 }
        }
    }
}

pub(super) fn fours(dims: &[Dim]) -> bool {
    dims.iter().all(|dim| matches!(dim, Dim::Fixed(n) if n % 4 == 0))
}

impl Design {
    /// Records the product of `shape`, whose tiles cover `rows` by `cols`.
    pub(super) fn dispatch(
        &self,
        tape: &mut Tape,
        shape: Shape,
        [rows, cols]: [Dim; 2],
        constants: &[(&'static str, Constant)],
        extra: &[(&'static str, Value)],
        buffers: &[&Slice],
    ) {
        let all: Vec<_> = self.constants.iter().chain(constants).copied().collect();
        let mut params: Vec<(&'static str, Value)> = vec![
            ("m", shape.m.into()),
            ("n", shape.n.into()),
            ("k", shape.k.into()),
            ("row_start", 0u32.into()),
        ];
        params.extend(extra);
        let grid = Grid::Tiles {
            cols: Extent { dim: cols, per: 1 },
            tile_cols: self.tile_cols,
            rows: Extent { dim: rows, per: 1 },
            tile_rows: self.tile_rows,
        };
        tape.dispatch(self.kernel, &all, &params, buffers, grid);
    }
}
