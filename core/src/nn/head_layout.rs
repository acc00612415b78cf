//! Where attention heads lie in the parameters of a layer, and how removing them changes these (`dsee-method` 3.3): rows of
//! query, key and value (weight and bias), columns of the map that joins the heads, whose bias stays.
//! The one description of it: loading, placing, exports and updates all go by it.

use std::collections::BTreeMap;

use super::added::{COEFFICIENTS, PREFIX};
use super::site::{Role, Site};
use crate::checkpoint::HostTensor;

/// The axis of a parameter along which heads lie side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadAxis {
    /// Rows, or entries of a bias.
    Rows,
    /// Columns.
    Columns,
    /// One entry a head: its coefficient.
    Entries,
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

    /// The axis of a site's parameter, going by the end of its name. A prefix has the columns that the weight gives rows to;
    /// coefficients stand before the map that joins the heads.
    #[must_use]
    pub fn of_parameter(role: Role, name: &str) -> Option<Self> {
        if name.ends_with(PREFIX) {
            return Self::of_bias(role).map(|_| Self::Columns);
        }
        if name.ends_with(COEFFICIENTS) {
            return Self::of_weight(role).filter(|axis| *axis == Self::Columns).map(|_| Self::Entries);
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
        self.fill(shape, values, 0.0);
    }

    /// Sets what belongs to removed heads to `with`; `shape` is the full one.
    pub fn fill<T: Copy>(&self, shape: &[usize], values: &mut [T], with: T) {
        for (value, kept) in values.iter_mut().zip(self.kept(shape)) {
            if !kept {
                *value = with;
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
        let axis = if self.axis == HeadAxis::Columns { 1 } else { 0 };
        compact[axis] = (self.n_heads - self.removed.len()) * self.places_per_head();
        compact
    }

    /// The remaining rows or columns in full-size numbering, ascending.
    #[must_use]
    pub fn kept_places(&self) -> Vec<usize> {
        let n_places = self.n_heads * self.places_per_head();
        (0..n_places).filter(|place| !self.is_removed(*place)).collect()
    }

    fn places_per_head(&self) -> usize {
        if self.axis == HeadAxis::Entries { 1 } else { self.head_size }
    }

    fn is_removed(&self, place: usize) -> bool {
        self.removed.contains(&(place / self.places_per_head()))
    }

    /// Whether each value, row-major, belongs to a kept head.
    fn kept(&self, shape: &[usize]) -> impl Iterator<Item = bool> {
        let n_columns = shape.get(1).copied().unwrap_or(1);
        let n_values: usize = shape.iter().product();
        (0..n_values).map(move |i| {
            let place = if self.axis == HeadAxis::Columns { i % n_columns } else { i / n_columns };
            !self.is_removed(place)
        })
    }
}

/// The heads that a model has lost, by layer.
#[derive(Clone, Copy, Debug)]
pub struct LostHeads<'a> {
    /// H of the pretrained model.
    pub n_heads: usize,
    /// D
    pub head_size: usize,
    /// Layer → heads, in the original numbering.
    pub removed: &'a BTreeMap<usize, Vec<usize>>,
}

/// A model that has all of its heads.
#[cfg(test)]
pub const NO_HEADS_LOST: LostHeads<'static> =
    LostHeads { n_heads: 1, head_size: 1, removed: &BTreeMap::new() };

impl<'a> LostHeads<'a> {
    /// The lost heads of a layer.
    #[must_use]
    pub fn of(&self, layer: usize) -> &'a [usize] {
        self.removed.get(&layer).map_or(&[], Vec::as_slice)
    }

    /// Entries of a site's weight that belong to no lost head.
    #[must_use]
    pub fn n_left(&self, site: &Site) -> usize {
        let shape = [site.d_out, site.d_in];
        let layout = self.along(site, HeadAxis::of_weight(site.role));
        layout.map_or(site.n_entries(), |layout| layout.compact_shape(&shape).iter().product())
    }

    /// Sets the entries of a site's weight that belong to lost heads to `with`.
    pub fn fill<T: Copy>(&self, site: &Site, values: &mut [T], with: T) {
        if let Some(layout) = self.along(site, HeadAxis::of_weight(site.role)) {
            layout.fill(&[site.d_out, site.d_in], values, with);
        }
    }

    /// The layout of a site along an axis, where its layer has lost heads.
    #[must_use]
    pub fn along(&self, site: &Site, axis: Option<HeadAxis>) -> Option<HeadLayout<'a>> {
        let (axis, removed) = (axis?, self.of(site.layer?));
        let Self { n_heads, head_size, .. } = *self;
        (!removed.is_empty()).then_some(HeadLayout { axis, n_heads, head_size, removed })
    }

    /// The layout of a parameter in which some of the lost heads lie, and its site.
    #[must_use]
    pub fn of_parameter<'s>(&self, sites: &'s [Site], name: &str) -> Option<(HeadLayout<'a>, &'s Site)> {
        let (path, _) = name.rsplit_once('.')?;
        let site = sites.iter().find(|site| site.path == path)?;
        Some((self.along(site, HeadAxis::of_parameter(site.role, name))?, site))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::added::coefficients_name;

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

    #[test]
    fn heads_have_a_coefficient_each() {
        let name = coefficients_name("attention.output");
        assert_eq!(HeadAxis::of_parameter(Role::AttentionOutput, &name), Some(HeadAxis::Entries));
        assert_eq!(HeadAxis::of_parameter(Role::FeedForwardDown, &name), None);
        let entries = HeadLayout { axis: HeadAxis::Entries, n_heads: 3, head_size: 2, removed: &[1] };
        let full = HostTensor { shape: vec![3], data: vec![1.0, 2.0, 3.0] };
        let left = entries.shrink(&full);
        assert_eq!((left.shape.as_slice(), left.data.as_slice()), (&[2][..], &[1.0, 3.0][..]));
        assert_eq!(entries.expand(&left, &[3]).data, [1.0, 0.0, 3.0]);
        assert_eq!(entries.kept_places(), [0, 2]);
    }

    #[test]
    fn lost_heads_take_their_part_of_every_matrix() {
        let removed = BTreeMap::from([(1, vec![0])]);
        let lost = LostHeads { n_heads: 2, head_size: 2, removed: &removed };
        let site = |layer, role| Site { path: "x".into(), layer: Some(layer), role, d_out: 4, d_in: 4 };
        let left = |layer, role| {
            let site = site(layer, role);
            let mut values = vec![1u32; 16];
            lost.fill(&site, &mut values, 0);
            let n = values.iter().sum::<u32>() as usize;
            assert_eq!(n, lost.n_left(&site));
            n
        };
        assert_eq!(
            [Role::Query, Role::AttentionOutput, Role::FeedForwardUp].map(|role| left(1, role)),
            [8, 8, 16]
        );
        assert_eq!(left(0, Role::Query), 16);
    }
}
