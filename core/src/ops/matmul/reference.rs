//! The products and activations in plain loops, to f64 accuracy.

use super::activation;
use crate::gpu::ReferenceCall;
use crate::ops::dropout::factor;

/// The error function to f64 accuracy: its series below 3, the continued fraction of erfc above.
fn erf(x: f64) -> f64 {
    let z = x.abs();
    let value = if z < 3.0 {
        let (mut term, mut sum) = (z, z);
        for n in 1..80 {
            term *= -z * z / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    } else {
        let fraction = (1..60).rev().fold(z, |f, n| z + f64::from(n) / 2.0 / f);
        1.0 - (-z * z).exp() / (fraction * std::f64::consts::PI.sqrt())
    };
    value.copysign(x)
}

/// The activation number `kind` and its derivative.
pub fn activate(kind: u32, x: f64) -> (f64, f64) {
    match kind {
        activation::GELU => {
            let cdf = 0.5 * (1.0 + erf(x / std::f64::consts::SQRT_2));
            let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
            (x * cdf, cdf + x * density)
        }
        activation::GELU_TANH => {
            let root = (2.0 / std::f64::consts::PI).sqrt();
            let t = (root * (x + 0.044_715 * x * x * x)).tanh();
            let inner = root * (1.0 + 3.0 * 0.044_715 * x * x);
            (0.5 * x * (1.0 + t), 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner)
        }
        activation::TANH => (x.tanh(), 1.0 - x.tanh().powi(2)),
        activation::SILU => {
            let s = 1.0 / (1.0 + (-x).exp());
            (x * s, s * (1.0 + x * (1.0 - s)))
        }
        activation::RELU if x > 0.0 => (x, 1.0),
        activation::RELU => (0.0, 0.0),
        _ => (x, 1.0),
    }
}

fn sizes(call: &ReferenceCall<'_>) -> (usize, usize, usize) {
    assert_eq!(call.uint("row_start"), 0, "the reference computes whole products");
    (call.uint("m"), call.uint("n"), call.uint("k"))
}

pub fn nt(call: &mut ReferenceCall<'_>) {
    let (m, n, k) = sizes(call);
    let (x, w) = (call.floats("x"), call.floats("w"));
    let (bias, residual) = (call.floats("bias"), call.floats("residual"));
    let kind = call.constant("ACTIVATION");
    let dropout = call.flag("HAS_DROPOUT");
    let (seed, stream) = (call.uint("dropout_seed") as u32, call.uint("dropout_stream") as u32);
    let rate = call.float("dropout_rate");
    let (has_bias, has_residual) = (call.flag("HAS_BIAS"), call.flag("HAS_RESIDUAL"));
    let (mut y, mut pre) = (vec![0f32; m * n], vec![0f32; m * n]);
    for at in 0..m * n {
        let (row, col) = (at / n, at % n);
        let products = x[row * k..][..k].iter().zip(&w[col * k..][..k]);
        let mut value: f64 = products.map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
        if has_bias {
            value += f64::from(bias[col]);
        }
        pre[at] = value as f32;
        let mut value = activate(kind, value).0 as f32;
        if dropout {
            value *= factor(seed, stream, at as u32, rate);
        }
        y[at] = value + if has_residual { residual[at] } else { 0.0 };
    }
    call.update("y", |out| out[..m * n].copy_from_slice(&y));
    if call.flag("STORE_PRE") {
        call.update("pre", |out| out[..m * n].copy_from_slice(&pre));
    }
}

pub fn nn(call: &mut ReferenceCall<'_>) {
    let (m, n, k) = sizes(call);
    let (dy, w, pre) = (call.floats("dy"), call.floats("w"), call.floats("pre"));
    let (kind, accumulate) = (call.constant("ACTIVATION"), call.flag("ACCUMULATE"));
    let (has_base, scale) = (call.flag("HAS_BASE"), f64::from(call.float("scale")));
    call.update("dx", |dx| {
        for (at, dx) in dx[..m * n].iter_mut().enumerate() {
            let (row, col) = (at / n, at % n);
            let mut value: f64 = (0..k).map(|i| f64::from(dy[row * k + i]) * f64::from(w[i * n + col])).sum();
            if kind != activation::NONE {
                value *= activate(kind, f64::from(pre[at])).1;
            }
            if has_base {
                value = f64::from(pre[at]) + scale * value;
            }
            *dx = value as f32 + if accumulate { *dx } else { 0.0 };
        }
    });
}

pub fn skinny(call: &mut ReferenceCall<'_>) {
    let (m, n, k) = sizes(call);
    let (x, f, k_first) = (call.floats("x"), call.floats("f"), call.flag("FACTOR_K_FIRST"));
    let factor = |col: usize, i: usize| f64::from(if k_first { f[i * n + col] } else { f[col * k + i] });
    call.update("z", |z| {
        for (at, z) in z[..m * n].iter_mut().enumerate() {
            let (row, col) = (at / n, at % n);
            *z = (0..k).map(|i| f64::from(x[row * k + i]) * factor(col, i)).sum::<f64>() as f32;
        }
    });
}

pub fn tn(call: &mut ReferenceCall<'_>) {
    let (m, n, k) = sizes(call);
    let (dy, x, scale) = (call.floats("dy"), call.floats("x"), call.float("scale"));
    let (accumulate, turned) = (call.flag("ACCUMULATE"), call.flag("TRANSPOSE_OUT"));
    call.update("dw", |dw| {
        for (at, dw) in dw[..m * n].iter_mut().enumerate() {
            let (row, col) = if turned { (at % m, at / m) } else { (at / n, at % n) };
            let value: f64 = (0..k).map(|t| f64::from(dy[t * m + row]) * f64::from(x[t * n + col])).sum();
            *dw = scale * value as f32 + if accumulate { *dw } else { 0.0 };
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erf_at_tabulated_points() {
        for (x, y) in
            [(0.5, 0.520_499_877_813_046_5), (2.0, 0.995_322_265_018_952_7), (3.5, 0.999_999_256_901_627_7)]
        {
            assert!((erf(x) - y).abs() < 1e-14, "erf({x}) = {}", erf(x));
            assert!((erf(-x) + y).abs() < 1e-14);
        }
    }

    #[test]
    fn derivatives_are_the_differences() {
        for kind in activation::NONE..=activation::RELU {
            for x in [-6.0, -1.3, -0.1, 0.0, 0.7, 2.5, 6.0] {
                if kind == activation::RELU && x == 0.0 {
                    continue; // There it has a corner.
                }
                let numeric = (activate(kind, x + 1e-5).0 - activate(kind, x - 1e-5).0) / 2e-5;
                assert!((activate(kind, x).1 - numeric).abs() < 1e-8, "activation {kind} at {x}");
            }
        }
    }
}
