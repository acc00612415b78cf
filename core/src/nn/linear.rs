//! The only code that carries out a plan at a site: `y = act(x Wᵀ + b)`, dropped out, plus a residual, where W is the
//! frozen or trained weight, or the effective weight `W⊙M + s (B A + P_Ω(S))` of an adapted site.

use crate::gpu::{Dim, Slice};
use crate::nn::added::Added;
use crate::nn::parameters::Parameters;
use crate::nn::plan::TuningPlan;
use crate::ops::column_sum::bias_gradient;
use crate::ops::delta::{LowRank, Sparse, refresh};
use crate::ops::mask::mask;
use crate::ops::matmul::{Epilogue, Factor, Shape, activation, nn, nt, skinny, tn};
use crate::ops::{activation::activation_backward, dropout, sparse};
use crate::tape::{Tape, Tensor};

/// One linear map with everything that belongs to it.
#[derive(Clone, Debug)]
pub struct Linear {
    path: String,
    /// What forward and the gradient of the input use, (d_out, d_in).
    weight: Tensor,
    /// (1, d_out)
    bias: Option<Tensor>,
    delta: Option<Delta>,
    /// Which entries of a trained weight stay, one bit each; frozen weights are masked when they are uploaded.
    keep: Option<Slice>,
    /// What the method adds around the product.
    added: Added,
}

/// The update beside a frozen weight.
#[derive(Clone, Debug)]
pub struct Delta {
    /// The frozen weight, masked, (d_out, d_in).
    base: Tensor,
    low_rank: LowRank,
    sparse: Option<Sparse>,
    scale: f32,
}

/// Names under which the pieces of an update are found among the parameters.
#[must_use]
pub fn delta_names(path: &str) -> [String; 4] {
    [".effective", ".omega", ".lora_a", ".lora_b"].map(|piece| format!("{path}{piece}"))
}

/// Name of the sparse values among the parameters.
#[must_use]
pub fn sparse_name(path: &str) -> String {
    format!("{path}.s_values")
}

/// Name of the mask of a trained weight among the parameters.
#[must_use]
pub fn mask_name(weight: &str) -> String {
    format!("{weight}.mask")
}

/// What follows the product.
#[derive(Clone, Copy, Debug, Default)]
pub struct After<'a> {
    /// See [`activation`].
    pub activation: u32,
    /// Share dropped while training.
    pub dropout: f32,
    /// Added last.
    pub residual: Option<&'a Tensor>,
}

impl Linear {
    /// Finds the map at `path` among the parameters, with all that `plan` wants done there.
    #[must_use]
    pub fn find(parameters: &Parameters, plan: &TuningPlan, path: &str) -> Self {
        let added = Added::find(parameters, plan, path);
        let weight = parameters.get(&format!("{path}.weight")).clone();
        let bias = format!("{path}.bias");
        let bias = parameters.contains(&bias).then(|| parameters.get(&bias).clone());
        let [effective, omega, a, b] = delta_names(path);
        if !parameters.contains(&a) {
            let mask = mask_name(&format!("{path}.weight"));
            let keep = parameters.contains(&mask).then(|| parameters.get(&mask).slice.clone());
            return Self { path: path.to_owned(), weight, bias, delta: None, keep, added };
        }
        let values = sparse_name(path);
        let sparse = parameters.contains(&values).then(|| Sparse {
            indices: parameters.get(&omega).slice.clone(),
            values: parameters.get(&values).clone(),
        });
        let low_rank = LowRank { a: parameters.get(&a).clone(), b: parameters.get(&b).clone() };
        let scale = plan.deltas.get(path).map_or(1.0, |delta| delta.scale);
        let delta = Delta { base: weight, low_rank, sparse, scale };
        Self {
            path: path.to_owned(),
            weight: parameters.get(&effective).clone(),
            bias,
            delta: Some(delta),
            keep: None,
            added,
        }
    }

    /// A map that shares its weight with another part of the model.
    #[must_use]
    pub fn tied(path: &str, weight: &Tensor, bias: Option<&Tensor>) -> Self {
        let (path, weight, bias) = (path.to_owned(), weight.clone(), bias.cloned());
        Self { path, weight, bias, delta: None, keep: None, added: Added::default() }
    }

    /// Module path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Rows of the weight.
    #[must_use]
    pub fn d_out(&self) -> usize {
        self.weight.fixed_rows()
    }

    /// Rows P of the prefix before what it gives; 0 without one.
    #[must_use]
    pub fn n_prefix(&self) -> usize {
        self.added.n_prefix()
    }

    /// That prefix, (P, d_out).
    pub fn prefix(&self, tape: &mut Tape) -> Option<Tensor> {
        tape.set_scope(&self.path);
        self.added.prefix(tape)
    }

    /// The same map without its prefix.
    #[must_use]
    pub fn without_prefix(&self) -> Self {
        Self { added: self.added.without_prefix(), ..self.clone() }
    }

    /// Records the mask over a trained weight, once after it is loaded; nothing elsewhere.
    pub fn record_mask(&self, tape: &mut Tape) {
        if let Some(keep) = &self.keep {
            tape.set_scope(&self.path);
            mask(tape, keep, &self.weight.slice, self.weight.len());
        }
    }

    /// Records the mask over the gradient of a trained weight. A pruned entry has none, as in `torch.nn.utils.prune`: it
    /// counts for no norm, gathers no moments, and so stays at zero.
    pub fn record_gradient_mask(&self, tape: &mut Tape) {
        if let (Some(keep), Some(gradient)) = (&self.keep, self.weight.parameter_gradient()) {
            tape.set_scope(&self.path);
            mask(tape, keep, gradient, self.weight.len());
        }
    }

    /// Records what follows an update of the parameters: the new effective weight of an adapted site, nothing elsewhere.
    pub fn record_refresh(&self, tape: &mut Tape) {
        if let Some(delta) = &self.delta {
            tape.set_scope(&self.path);
            let Delta { base, low_rank, sparse, scale } = delta;
            refresh(tape, base, low_rank, sparse.as_ref(), *scale, &self.weight.slice);
        }
    }

    fn is_trained(&self) -> bool {
        self.weight.requires_grad
            || self.bias.as_ref().is_some_and(|bias| bias.requires_grad)
            || self.delta.is_some()
    }

    /// x (rows, d_in) → (rows, d_out), or (P + rows, d_out) with a prefix of P rows.
    pub fn forward(&self, tape: &mut Tape, x: &Tensor, after: After<'_>) -> Tensor {
        tape.set_scope(&self.path);
        self.added.around(tape, x, after, |tape, x, after| self.product(tape, x, after))
    }

    fn product(&self, tape: &mut Tape, x: &Tensor, after: After<'_>) -> Tensor {
        let residual_grad = after.residual.is_some_and(|residual| residual.requires_grad);
        let requires_grad = x.requires_grad || self.is_trained() || residual_grad;
        let mut y = tape.output(x.rows, self.d_out(), requires_grad);
        let pre = (after.activation != activation::NONE && y.requires_grad)
            .then(|| tape.output(x.rows, self.d_out(), true));
        let dropped = tape.is_training() && after.dropout > 0.0;
        let dropout = dropped.then(|| (tape.dropout_stream(), after.dropout));
        let epilogue = Epilogue {
            bias: self.bias.as_ref().map(|bias| bias.slice.clone()),
            activation: after.activation,
            pre: pre.as_ref().map(|pre| pre.slice.clone()),
            dropout,
            residual: after.residual.map(|residual| residual.slice.clone()),
        };
        let shape = Shape { m: x.rows, n: self.d_out(), k: Dim::Fixed(x.cols) };
        nt(tape, shape, &x.slice, &self.weight.slice, &y.slice, &epilogue);
        y.activation_of = pre.map(|pre| (after.activation, Box::new(pre)));
        if y.requires_grad {
            let (linear, x, out, residual) = (self.clone(), x.clone(), y.clone(), after.residual.cloned());
            tape.on_backward(move |tape| linear.backward(tape, &x, &out, dropout, residual.as_ref()));
        }
        y
    }

    fn backward(
        &self,
        tape: &mut Tape,
        x: &Tensor,
        y: &Tensor,
        dropout: Option<(u32, f32)>,
        residual: Option<&Tensor>,
    ) {
        let Some(dy) = gradient_before_activation(tape, y) else { return };
        let d = match dropout {
            None => dy.clone(),
            Some((stream, rate)) => {
                let masked = tape.scratch(y.rows, y.cols);
                dropout::apply(tape, &dy, &masked, y.len(), stream, rate, false);
                masked
            }
        };
        if let Some(bias) = &self.bias {
            bias_gradient(tape, bias, &d, y.rows);
        }
        let shape = Shape { m: Dim::Fixed(y.cols), n: x.cols, k: x.rows };
        if let Some(target) = tape.grad_target(&self.weight) {
            tn(tape, shape, 1.0, &d, &x.slice, &target.slice, target.accumulate);
        }
        if let Some(delta) = &self.delta {
            delta.backward(tape, x, &d, y.cols);
        }
        self.backward_input(tape, x, &d);
        if let Some(residual) = residual {
            tape.hand_gradient(residual, &dy);
        }
    }

    /// The gradient of x; where x is the output of an activation, of what went into the activation.
    fn backward_input(&self, tape: &mut Tape, x: &Tensor, d: &Slice) {
        let (wanted, activation) = match &x.activation_of {
            Some((kind, pre)) => (pre.as_ref(), Some((*kind, &pre.slice))),
            None => (x, None),
        };
        let Some(target) = tape.grad_target(wanted) else { return };
        let shape = Shape { m: x.rows, n: x.cols, k: Dim::Fixed(self.d_out()) };
        nn(tape, shape, d, &self.weight.slice, &target.slice, target.accumulate, activation);
    }
}

/// The gradient at the output of the product: the linear maps above write it there at once, other ops leave it at the
/// output of the activation.
fn gradient_before_activation(tape: &mut Tape, y: &Tensor) -> Option<Slice> {
    let Some((kind, pre)) = &y.activation_of else { return tape.gradient(y) };
    if let Some(dy) = tape.gradient(y) {
        let target = tape.grad_target(pre)?;
        activation_backward(tape, *kind, &pre.slice, &dy, &target.slice, y.len(), target.accumulate);
    }
    tape.gradient(pre)
}

impl Delta {
    /// Gradients of A, B and S from the gradient d (rows, d_out) at the output and the input x (rows, d_in):
    /// dB = s dᵀ (x Aᵀ), dA = s (d B)ᵀ x, dS = s dᵀ x on Ω.
    fn backward(&self, tape: &mut Tape, x: &Tensor, d: &Slice, d_out: usize) {
        let (a, b) = (&self.low_rank.a, &self.low_rank.b);
        let rank = a.fixed_rows();
        if let Some(target) = tape.grad_target(b) {
            let projected = tape.scratch(x.rows, rank);
            let shape = Shape { m: x.rows, n: rank, k: Dim::Fixed(x.cols) };
            skinny(tape, shape, &x.slice, &a.slice, Factor::Rows, &projected);
            let shape = Shape { m: Dim::Fixed(d_out), n: rank, k: x.rows };
            tn(tape, shape, self.scale, d, &projected, &target.slice, target.accumulate);
        }
        if let Some(target) = tape.grad_target(a) {
            let projected = tape.scratch(x.rows, rank);
            let shape = Shape { m: x.rows, n: rank, k: Dim::Fixed(d_out) };
            skinny(tape, shape, d, &b.slice, Factor::Columns, &projected);
            let shape = Shape { m: Dim::Fixed(rank), n: x.cols, k: x.rows };
            tn(tape, shape, self.scale, &projected, &x.slice, &target.slice, target.accumulate);
        }
        if let Some(sparse) = &self.sparse {
            sparse::value_gradient(tape, sparse, self.scale, d, d_out, x);
        }
    }
}
