//! What methods add at a site, found among the parameters by name and carried out around the site's product: coefficients
//! on its input, a bottleneck behind its output, a prefix before its rows.

use crate::checkpoint::NamedTensors;
use crate::nn::linear::{After, Linear};
use crate::nn::parameters::Parameters;
use crate::nn::plan::TuningPlan;
use crate::ops::add::add_in_place;
use crate::ops::dropout::dropout;
use crate::ops::matmul::activation;
use crate::ops::prepend::prepend;
use crate::ops::scale_columns::{l1_penalty, scale_columns};
use crate::tape::{Tape, Tensor};

/// Ending of the names of coefficients.
pub const COEFFICIENTS: &str = ".coefficients";
/// Ending of the names of prefixes.
pub const PREFIX: &str = ".prefix";
/// The P vectors that prefixes are computed from while tuning, (P, C).
pub const PREFIX_EMBEDDING: &str = "prefix.embedding";
/// The map from there to the hidden vectors, shared by all sites.
pub const PREFIX_DOWN: &str = "prefix.down";

/// Coefficients on the input of the site at `path`, (N), of d_in / N neighbouring columns each.
#[must_use]
pub fn coefficients_name(path: &str) -> String {
    format!("{path}{COEFFICIENTS}")
}

/// The prefix of the site at `path`, (P, d_out).
#[must_use]
pub fn prefix_name(path: &str) -> String {
    format!("{path}{PREFIX}")
}

/// The map from the shared hidden vectors to the prefix of the site at `path`.
#[must_use]
pub fn prefix_up(path: &str) -> String {
    format!("{path}.prefix_up")
}

/// Both maps of the bottleneck behind the site at `path`.
#[must_use]
pub fn bottleneck_paths(path: &str) -> [String; 2] {
    ["down", "up"].map(|map| format!("{path}.adapter_{map}"))
}

/// Rows P of the prefixes among a model's added parameters; 0 without any. Tokens begin at this position.
#[must_use]
pub fn prefix_length(trained: &NamedTensors) -> usize {
    let is_prefix = |name: &str| name == PREFIX_EMBEDDING || name.ends_with(PREFIX);
    let found = trained.iter().find(|(name, _)| is_prefix(name));
    found.and_then(|(_, tensor)| tensor.shape.first().copied()).unwrap_or(0)
}

/// Everything added at one site.
#[derive(Clone, Debug, Default)]
pub struct Added {
    coefficients: Option<(Tensor, f32)>,
    bottleneck: Option<Box<[Linear; 2]>>,
    prefix: Option<(Prefix, f32)>,
}

/// Where the prefix of a site comes from.
#[derive(Clone, Debug)]
enum Prefix {
    Table(Tensor),
    /// `up(tanh(down(embedding)))`, the reparameterisation of prefix tuning (Li and Liang 2021, section 4.3).
    Computed {
        embedding: Tensor,
        maps: Box<[Linear; 2]>,
    },
}

impl Added {
    /// Finds what there is at `path`.
    #[must_use]
    pub fn find(parameters: &Parameters, plan: &TuningPlan, path: &str) -> Self {
        let get = |name: &str| parameters.contains(name).then(|| parameters.get(name).clone());
        let find = |path: &str| Linear::find(parameters, plan, path);
        let [down, up] = bottleneck_paths(path);
        let has_map = |path: &str| parameters.contains(&format!("{path}.weight"));
        let table = get(&prefix_name(path)).map(Prefix::Table);
        let prefix = table.or_else(|| {
            let map = Some(prefix_up(path)).filter(|map| has_map(map))?;
            let maps = Box::new([find(PREFIX_DOWN), find(&map)]);
            Some(Prefix::Computed { embedding: get(PREFIX_EMBEDDING)?, maps })
        });
        Self {
            coefficients: get(&coefficients_name(path)).map(|c| (c, plan.coefficient_penalty)),
            bottleneck: has_map(&down).then(|| Box::new([find(&down), find(&up)])),
            prefix: prefix.map(|prefix| (prefix, plan.prefix_dropout)),
        }
    }

    /// Rows P of the prefix; 0 without one.
    #[must_use]
    pub fn n_prefix(&self) -> usize {
        self.prefix.as_ref().map_or(0, |(prefix, _)| prefix.len())
    }

    /// The prefix as it is after training, (P, d_out).
    pub fn prefix(&self, tape: &mut Tape) -> Option<Tensor> {
        self.prefix.as_ref().map(|(prefix, _)| prefix.rows(tape))
    }

    /// The same without the prefix.
    #[must_use]
    pub fn without_prefix(&self) -> Self {
        Self { prefix: None, ..self.clone() }
    }

    /// Records `product` on x with everything that belongs around it; `product` leaves out the residual if told to.
    pub fn around(
        &self,
        tape: &mut Tape,
        x: &Tensor,
        after: After<'_>,
        product: impl Fn(&mut Tape, &Tensor, After<'_>) -> Tensor,
    ) -> Tensor {
        let scaled = self.coefficients.as_ref().map(|(coefficients, penalty)| {
            if *penalty > 0.0 && coefficients.requires_grad {
                l1_penalty(tape, coefficients, *penalty);
            }
            scale_columns(tape, x, coefficients)
        });
        let x = scaled.as_ref().unwrap_or(x);
        if let Some(maps) = &self.bottleneck {
            let inner = product(tape, x, After { residual: None, ..after });
            return bottleneck(tape, maps, &inner, after.residual);
        }
        let y = product(tape, x, after);
        match &self.prefix {
            Some((prefix, rate)) => {
                let prefix = prefix.rows(tape);
                let prefix = dropout(tape, &prefix, *rate);
                prepend(tape, &prefix, &y)
            }
            None => y,
        }
    }
}

impl Prefix {
    fn len(&self) -> usize {
        match self {
            Self::Table(rows) | Self::Computed { embedding: rows, .. } => rows.fixed_rows(),
        }
    }

    /// (P, d_out)
    fn rows(&self, tape: &mut Tape) -> Tensor {
        match self {
            Self::Table(table) => table.clone(),
            Self::Computed { embedding, maps } => {
                let [down, up] = maps.as_ref();
                let tanh = After { activation: activation::TANH, ..After::default() };
                let hidden = down.forward(tape, embedding, tanh);
                up.forward(tape, &hidden, After::default())
            }
        }
    }
}

/// `h + up(silu(down h)) + residual` (Houlsby et al. 2019, arXiv 1902.00751).
fn bottleneck(tape: &mut Tape, [down, up]: &[Linear; 2], h: &Tensor, residual: Option<&Tensor>) -> Tensor {
    let silu = After { activation: activation::SILU, ..After::default() };
    let narrow = down.forward(tape, h, silu);
    let y = up.forward(tape, &narrow, After { residual: Some(h), ..After::default() });
    let Some(residual) = residual else { return y };
    add_in_place(tape, &residual.slice, &y.slice, y.len(), 1.0);
    let (residual, out) = (residual.clone(), y.clone());
    tape.on_backward(move |tape| {
        let Some(dy) = tape.gradient(&out) else { return };
        if let Some(target) = tape.grad_target_cleared(&residual) {
            add_in_place(tape, &dy, &target.slice, out.len(), 1.0);
        }
    });
    y
}
