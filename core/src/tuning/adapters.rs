//! Adapters (Houlsby et al. 2019, arXiv 1902.00751; `dsee-method` 5.1): bottlenecks `h + up(silu(down h))` between frozen
//! layers, and the task head. `up` starts at zero, so that the model starts as it was pretrained.

use super::initial::A_STANDARD_DEVIATION;
use crate::nn::added::bottleneck_paths;
use crate::nn::outline::Outline;
use crate::nn::plan::{AddedPlan, FirstValues, TuningPlan};
use crate::nn::site::{Role, Site};

/// Sites that have a bottleneck behind them: attention and feed-forward output in encoders; in decoders, whose adapters
/// the paper describes less closely, the feed-forward output alone, which gives the size in LoRA's table.
#[must_use]
pub fn is_place(role: Role, is_decoder: bool) -> bool {
    role == Role::FeedForwardDown || role == Role::AttentionOutput && !is_decoder
}

/// The size of bottlenecks where none is given: LoRA's for RoBERTa, and what its table says of GPT-2 medium.
#[must_use]
pub fn default_size(is_decoder: bool) -> usize {
    if is_decoder { 7 } else { 8 }
}

/// Numbers of one bottleneck of size m on d columns: 2dm + m + d.
#[must_use]
pub fn n_trainable(size: usize, d: usize) -> usize {
    2 * d * size + size + d
}

/// Adds bottlenecks of `size`, besides training `head`.
#[must_use]
pub fn plan(size: usize, model: &Outline, head: TuningPlan) -> TuningPlan {
    let sites = model.sites.iter().filter(|site| is_place(site.role, model.is_decoder));
    TuningPlan { added: sites.flat_map(|site| bottleneck(site, size)).collect(), ..head }
}

fn bottleneck(site: &Site, size: usize) -> [(String, AddedPlan); 4] {
    let [down, up] = bottleneck_paths(&site.path);
    let new = |name: String, shape: Vec<usize>, first| (name, AddedPlan { shape, first });
    let zero = FirstValues::Constant(0.0);
    [
        new(format!("{down}.weight"), vec![size, site.d_out], FirstValues::Normal(A_STANDARD_DEVIATION)),
        new(format!("{down}.bias"), vec![size], zero),
        new(format!("{up}.weight"), vec![site.d_out, size], zero),
        new(format!("{up}.bias"), vec![site.d_out], zero),
    ]
}
