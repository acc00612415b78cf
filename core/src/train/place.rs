//! Puts a model from host data onto the device: masks applied, removed heads left out, trained parameters in the arena.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use crate::checkpoint::weights::{TensorSource, pieces};
use crate::checkpoint::{HostTensor, NamedTensors};
use crate::gpu::{Device, GpuError};
use crate::nn::added::PREFIX;
use crate::nn::head_layout::{HeadAxis, HeadLayout, LostHeads};
use crate::nn::linear::{delta_names, mask_name, sparse_name};
use crate::nn::parameters::{Parameters, Trained, matrix_shape};
use crate::nn::plan::TuningPlan;
use crate::nn::site::Site;
use crate::ops::mask::pack_bits;
use crate::tuning::shrink::{expand_delta, shrink_delta};
use crate::tuning::state::{PrunedState, SiteDelta};

/// Why a model cannot be put onto the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaceError<E> {
    /// The device has no room for it.
    Gpu(GpuError),
    /// Its weights cannot be read any more.
    Source(E),
}

impl<E> From<GpuError> for PlaceError<E> {
    fn from(error: GpuError) -> Self {
        Self::Gpu(error)
    }
}

impl From<PlaceError<Infallible>> for GpuError {
    fn from(error: PlaceError<Infallible>) -> Self {
        match error {
            PlaceError::Gpu(error) => error,
            PlaceError::Source(never) => match never {},
        }
    }
}

/// What a run has trained and removed, on the host, in full-size coordinates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostState {
    /// Updates of the adapted sites.
    pub deltas: Vec<SiteDelta>,
    /// Current values of the parameters that are trained themselves, and of those that the method has added.
    pub trained: NamedTensors,
    /// What pruning removed.
    pub pruned: PrunedState,
}

impl HostState {
    /// Takes on what pruning chose; updates lose what belonged to removed heads.
    pub fn prune(&mut self, sites: &[Site], heads: HeadShape, chosen: PrunedState) {
        for (layer, removed) in chosen.heads {
            let all = self.pruned.heads.entry(layer).or_default();
            all.extend(removed);
            all.sort_unstable();
            all.dedup();
        }
        self.pruned.masks.extend(chosen.masks);
        let placement = Placement::new(sites, heads, &self.pruned);
        for delta in &mut self.deltas {
            let small = placement.shrink_delta(delta);
            *delta = placement.expand_delta(small);
        }
    }
}

/// How heads lie in the matrices of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadShape {
    /// H of the pretrained model.
    pub n_heads: usize,
    /// D
    pub head_size: usize,
}

/// What the sites of a model keep after removing heads: the bridge between host and device coordinates.
#[derive(Debug)]
pub struct Placement {
    sites: Vec<Site>,
    heads: HeadShape,
    removed: BTreeMap<usize, Vec<usize>>,
}

impl Placement {
    /// For the sites of a model and the heads removed from it.
    #[must_use]
    pub fn new(sites: &[Site], heads: HeadShape, pruned: &PrunedState) -> Self {
        Self { sites: sites.to_vec(), heads, removed: pruned.heads.clone() }
    }

    fn lost(&self) -> LostHeads<'_> {
        let HeadShape { n_heads, head_size } = self.heads;
        LostHeads { n_heads, head_size, removed: &self.removed }
    }

    /// The heads of a site's weight, bias, prefix or coefficients, where some were removed.
    fn parameter_layout(&self, name: &str) -> Option<(HeadLayout<'_>, &Site)> {
        self.lost().of_parameter(&self.sites, name)
    }

    fn shrink(&self, name: &str, tensor: &HostTensor) -> HostTensor {
        self.parameter_layout(name).map_or_else(|| tensor.clone(), |(layout, _)| layout.shrink(tensor))
    }

    fn expand(&self, name: &str, tensor: HostTensor) -> HostTensor {
        let Some((layout, site)) = self.parameter_layout(name) else { return tensor };
        let shape = match tensor.shape.as_slice() {
            _ if layout.axis == HeadAxis::Entries => vec![layout.n_heads],
            [_] => vec![site.d_out],
            [n_rows, ..] if name.ends_with(PREFIX) => vec![*n_rows, site.d_out],
            _ => vec![site.d_out, site.d_in],
        };
        layout.expand(&tensor, &shape)
    }

    fn site(&self, path: &str) -> &Site {
        let site = self.sites.iter().find(|site| site.path == path);
        site.unwrap_or_else(|| unreachable!("updates belong to sites, {path} is none"))
    }

    fn delta_layout(&self, path: &str) -> Option<HeadLayout<'_>> {
        let site = self.site(path);
        self.lost().along(site, HeadAxis::of_weight(site.role))
    }

    fn shrink_delta(&self, delta: &SiteDelta) -> SiteDelta {
        self.delta_layout(&delta.path).map_or_else(|| delta.clone(), |layout| shrink_delta(delta, &layout))
    }

    fn expand_delta(&self, small: SiteDelta) -> SiteDelta {
        match self.delta_layout(&small.path) {
            Some(layout) => expand_delta(&small, &layout),
            None => small,
        }
    }

    /// Uploads everything a model needs; `base` has its pretrained parameters in full size. What needs no change on the
    /// way goes to the device in small pieces.
    ///
    /// # Errors
    /// Memory errors of the device, or a file that cannot be read any more.
    pub async fn place<S: TensorSource>(
        &self,
        device: &Device,
        base: &S,
        state: &HostState,
        plan: &TuningPlan,
    ) -> Result<Parameters, PlaceError<S::Error>> {
        let trained = self.trained(base, state, plan).await.map_err(PlaceError::Source)?;
        let mut parameters = Parameters::new(device, &NamedTensors::new(), trained)?;
        for (name, shape) in base.shapes() {
            if plan.trained.contains(&name) {
                if let Some(mask) = state.pruned.masks.get(&name) {
                    let mut ones = HostTensor { shape, data: vec![1.0; mask.len] };
                    mask.apply(&mut ones.data);
                    let bits = pack_bits(&self.shrink(&name, &ones).data);
                    parameters.add_words(&mask_name(&name), &bits)?;
                }
                continue;
            }
            let changes = state.trained.contains_key(&name)
                || state.pruned.masks.contains_key(&name)
                || self.parameter_layout(&name).is_some()
                || !base.has_rows(&name);
            if changes {
                let tensor = self.present_value(base, state, &name, &shape).await;
                let tensor = tensor.map_err(PlaceError::Source)?;
                parameters.add_frozen(&name, &tensor)?;
            } else {
                let (n_rows, cols) = matrix_shape(&shape);
                parameters.reserve_frozen(&name, &shape)?;
                for rows in pieces(n_rows, cols) {
                    let first = rows.start;
                    let values = base.rows(&name, rows).await.map_err(PlaceError::Source)?;
                    parameters.write_rows(&name, first, &values);
                }
            }
        }
        self.place_added(&mut parameters, base, state, plan)?;
        for delta in state.deltas.iter().map(|delta| self.shrink_delta(delta)) {
            let [effective, omega, _, _] = delta_names(&delta.path);
            // Only its size matters: the first refresh fills it.
            let data = vec![0.0; delta.d_out * delta.d_in];
            parameters.add_frozen(&effective, &HostTensor { shape: vec![delta.d_out, delta.d_in], data })?;
            if !delta.s_indices.is_empty() {
                parameters.add_words(&omega, &delta.s_indices)?;
            }
        }
        Ok(parameters)
    }

    /// Uploads what a method has added and this plan does not train.
    fn place_added<S: TensorSource>(
        &self,
        parameters: &mut Parameters,
        base: &S,
        state: &HostState,
        plan: &TuningPlan,
    ) -> Result<(), GpuError> {
        let pretrained: BTreeSet<String> = base.shapes().into_iter().map(|(name, _)| name).collect();
        let is_added = |name: &str| !pretrained.contains(name) && !plan.added.contains_key(name);
        for (name, tensor) in state.trained.iter().filter(|(name, _)| is_added(name)) {
            parameters.add_frozen(name, &self.shrink(name, tensor))?;
        }
        Ok(())
    }

    /// The trained or pretrained value of a parameter as the device holds it: masked, and without removed heads.
    async fn present_value<S: TensorSource>(
        &self,
        base: &S,
        state: &HostState,
        name: &str,
        shape: &[usize],
    ) -> Result<HostTensor, S::Error> {
        let mut tensor = match state.trained.get(name) {
            Some(tensor) => tensor.clone(),
            None => {
                let data = base.rows(name, 0..matrix_shape(shape).0).await?;
                HostTensor { shape: shape.to_vec(), data }
            }
        };
        if let Some(mask) = state.pruned.masks.get(name) {
            mask.apply(&mut tensor.data);
        }
        Ok(self.shrink(name, &tensor))
    }

    async fn trained<S: TensorSource>(
        &self,
        base: &S,
        state: &HostState,
        plan: &TuningPlan,
    ) -> Result<Vec<Trained>, S::Error> {
        let mut trained = Vec::new();
        for (name, shape) in base.shapes().into_iter().filter(|(name, _)| plan.trained.contains(name)) {
            let value = self.present_value(base, state, &name, &shape).await?;
            // As transformers: no decay on biases and layer norms, which are the one-dimensional parameters.
            trained.push(Trained { name, decays: value.shape.len() > 1, value });
        }
        for name in plan.added.keys() {
            let Some(tensor) = state.trained.get(name) else { unreachable!("{name} was given first values") };
            let value = self.shrink(name, tensor);
            trained.push(Trained { name: name.clone(), decays: value.shape.len() > 1, value });
        }
        for delta in state.deltas.iter().map(|delta| self.shrink_delta(delta)) {
            let [_, _, a, b] = delta_names(&delta.path);
            let mut add = |name: String, shape: [usize; 2], data: Vec<f32>| {
                let value = HostTensor { shape: shape.to_vec(), data };
                trained.push(Trained { name, value, decays: true });
            };
            add(a, [delta.rank, delta.d_in], delta.a);
            add(b, [delta.d_out, delta.rank], delta.b);
            if !delta.s_indices.is_empty() {
                add(sparse_name(&delta.path), [delta.s_indices.len(), 1], delta.s_values);
            }
        }
        Ok(trained)
    }

    /// Puts values read from the device into the host state, in full size again.
    pub fn update(&self, state: &mut HostState, mut values: NamedTensors) {
        for delta in &mut state.deltas {
            let mut small = self.shrink_delta(delta);
            let [_, _, a, b] = delta_names(&delta.path);
            let mut take = |name: &str, into: &mut Vec<f32>| {
                if let Some(tensor) = values.remove(name) {
                    *into = tensor.data;
                }
            };
            take(&a, &mut small.a);
            take(&b, &mut small.b);
            take(&sparse_name(&delta.path), &mut small.s_values);
            *delta = self.expand_delta(small);
        }
        for (name, tensor) in values {
            let tensor = self.expand(&name, tensor);
            state.trained.insert(name, tensor);
        }
    }
}
