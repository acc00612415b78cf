//! Where attention heads lie in the parameters of a layer, and how removing them changes these (`dsee-method` 3.3): rows of
//! query, key and value (weight and bias), columns of the map that joins the heads, whose bias stays.
//! The one description of it: loading, placing, exports and updates all go by it.

use super::added::PREFIX;
use super::site::Role;
use crate::checkpoint::HostTensor;

/// The axis of a parameter along which heads lie side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadAxis {
    /// Rows, or entries of a bias.
    Rows,
    /// Columns.
    Columns,
}

impl HeadAxis {
    /// The axis along which heads lie in the weight of a site, if they do.
    #[must_use]
    pub const fn of_weight(role: Role) -> Option<Self> {
        match role {
            Role::Query | Role::Key | Role::Value => Some(Self::Rows),
            Role::AttentionOutput => Some(Self::Columns),
            Role::FeedForwardUp | Role::FeedForwardDown | Role::Pooler | Role::Head => None,
        }
    }

    /// The same for its bias. The bias behind the heads is shared by all of them and stays.
    #[must_use]
    pub fn of_bias(role: Role) -> Option<Self> {
        Self::of_weight(role).filter(|axis| *axis == Self::Rows)
    }

    /// The axis of a site's parameter, going by the end of its name. A prefix has the columns that the weight gives rows to.
    #[must_use]
    pub fn of_parameter(role: Role, name: &str) -> Option<Self> {
        if name.ends_with(PREFIX) {
            return Self::of_bias(role).map(|_| Self::Columns);
        }
        if name.ends_with(".bias") { Self::of_bias(role) } else { Self::of_weight(role) }
    }
}

/// The heads of one parameter and which of them are removed.
#[derive(Clone, Copy, Debug)]
pub struct HeadLayout<'a> {
    /// Where the heads lie.
    pub axis: HeadAxis,
    /// H of the pretrained model.
    pub n_heads: usize,
    /// D, the size of one head.
    pub head_size: usize,
    /// The removed heads in the original numbering.
    pub removed: &'a [usize],
}

impl HeadLayout<'_> {
    /// Sets what belongs to removed heads to zero; `shape` is the full one.
    pub fn zero(&self, shape: &[usize], values: &mut [f32]) {
        for (value, kept) in values.iter_mut().zip(self.kept(shape)) {
            if !kept {
                *value = 0.0;
            }
        }
    }

    /// The full-size tensor without what belongs to removed heads.
    #[must_use]
    pub fn shrink(&self, full: &HostTensor) -> HostTensor {
        let kept = self.kept(&full.shape);
        let data = full.data.iter().zip(kept).filter(|(_, kept)| *kept).map(|(&value, _)| value).collect();
        HostTensor { shape: self.compact_shape(&full.shape), data }
    }

    /// The full-size tensor of which `compact` is what was left, with zeros for removed heads.
    ///
    /// # Panics
    /// If `compact` has another shape than [`HeadLayout::compact_shape`] of `shape`.
    #[must_use]
    pub fn expand(&self, compact: &HostTensor, shape: &[usize]) -> HostTensor {
        assert_eq!(compact.shape, self.compact_shape(shape), "the compact tensor has the kept heads");
        let mut left = compact.data.iter();
        let data = self
            .kept(shape)
            .map(|kept| if kept { left.next().copied().unwrap_or(0.0) } else { 0.0 })
            .collect();
        HostTensor { shape: shape.to_vec(), data }
    }

    /// The shape that is left of a full shape.
    #[must_use]
    pub fn compact_shape(&self, shape: &[usize]) -> Vec<usize> {
        let mut compact = shape.to_vec();
        let axis = if self.axis == HeadAxis::Rows { 0 } else { 1 };
        compact[axis] = (self.n_heads - self.removed.len()) * self.head_size;
        compact
    }

    /// The remaining rows or columns in full-size numbering, ascending.
    #[must_use]
    pub fn kept_places(&self) -> Vec<usize> {
        let n_places = self.n_heads * self.head_size;
        (0..n_places).filter(|place| !self.removed.contains(&(place / self.head_size))).collect()
    }

    /// Whether each value, row-major, belongs to a kept head.
    fn kept(&self, shape: &[usize]) -> impl Iterator<Item = bool> {
        let n_columns = shape.get(1).copied().unwrap_or(1);
        let n_values: usize = shape.iter().product();
        (0..n_values).map(move |i| {
            let place = if self.axis == HeadAxis::Rows { i / n_columns } else { i % n_columns };
            !self.removed.contains(&(place / self.head_size))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinking_and_expanding_are_inverse_up_to_zeros() {
        let full = HostTensor { shape: vec![4, 6], data: (1..25u8).map(f32::from).collect() };
        let rows = HeadLayout { axis: HeadAxis::Rows, n_heads: 2, head_size: 2, removed: &[0] };
        let columns = HeadLayout { axis: HeadAxis::Columns, n_heads: 3, head_size: 2, removed: &[1] };
        assert_eq!(rows.shrink(&full).shape, [2, 6]);
        assert_eq!(rows.shrink(&full).data[0], 13.0);
        assert_eq!(columns.shrink(&full).shape, [4, 4]);
        assert_eq!(columns.shrink(&full).data[..5], [1.0, 2.0, 5.0, 6.0, 7.0]);
        for layout in [rows, columns] {
            let mut zeroed = full.clone();
            layout.zero(&full.shape, &mut zeroed.data);
            assert_eq!(layout.expand(&layout.shrink(&full), &full.shape), zeroed);
        }
        let bias = HostTensor { shape: vec![4], data: vec![1.0, 2.0, 3.0, 4.0] };
        assert_eq!(rows.shrink(&bias).data, [3.0, 4.0]);
    }
}
