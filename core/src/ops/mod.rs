//! One file per operation: kernel, CPU reference, backward and tests.

pub mod activation;
pub mod adamw;
pub mod add;
pub mod attention;
pub mod cache;
pub mod cholesky;
pub mod column_sum;
pub mod cross_entropy;
pub mod delta;
pub mod dropout;
pub mod gather;
pub mod gradient_norm;
pub mod layer_norm;
pub mod linear_cross_entropy;
pub mod mask;
pub mod matmul;
pub mod mean;
pub mod mean_squared_error;
pub mod omega_exchange;
pub mod prepend;
pub mod probe;
pub mod scale_columns;
pub mod select;
pub mod sparse;
#[cfg(test)]
mod testing;

use crate::gpu::Kernel;

/// Every kernel of the product, for the tests that hold for all of them.
pub const KERNELS: &[&[&Kernel]] = &[
    activation::KERNELS,
    adamw::KERNELS,
    add::KERNELS,
    attention::KERNELS,
    cache::KERNELS,
    cholesky::KERNELS,
    column_sum::KERNELS,
    cross_entropy::KERNELS,
    delta::KERNELS,
    dropout::KERNELS,
    gather::KERNELS,
    gradient_norm::KERNELS,
    layer_norm::KERNELS,
    linear_cross_entropy::KERNELS,
    mask::KERNELS,
    matmul::KERNELS,
    mean::KERNELS,
    mean_squared_error::KERNELS,
    omega_exchange::KERNELS,
    prepend::KERNELS,
    probe::KERNELS,
    scale_columns::KERNELS,
    select::KERNELS,
    sparse::KERNELS,
];

/// Workgroup size of row reductions. On a software adapter a barrier costs more than a longer loop, and eight
/// invocations fill its vector unit.
#[must_use]
pub fn reduction_workgroup(kind: crate::gpu::AdapterKind) -> u32 {
    match kind {
        crate::gpu::AdapterKind::Hardware => 64,
        crate::gpu::AdapterKind::Software
        | crate::gpu::AdapterKind::SoftwareOctets
        | crate::gpu::AdapterKind::Reference => 8,
    }
}

/// A grid of one invocation per element, for kernels with 64 invocations to a workgroup.
#[must_use]
pub fn elementwise(items: crate::gpu::Extent) -> crate::gpu::Grid {
    crate::gpu::Grid::Linear { items, per_workgroup: 64 }
}

/// A grid of one invocation per four elements, for kernels with 64 invocations to a workgroup. They handle whole groups of
/// four: slices begin at multiples of 64 elements, so what lies behind the last element belongs to nobody else.
#[must_use]
pub fn by_fours(items: crate::gpu::Extent) -> crate::gpu::Grid {
    crate::gpu::Grid::Linear { items, per_workgroup: 256 }
}
