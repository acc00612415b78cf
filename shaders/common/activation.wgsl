// Activations and their derivatives by number: 0 none, 1 GELU by erf (BERT), 2 GELU by tanh (GPT-2), 3 tanh (pooler),
// 4 SiLU (adapters), 5 ReLU. Arguments of exp are clamped, so no input gives an infinity or a NaN.

// The standard normal distribution function, 0.5·erfc(-x/√2).
// erfc(z) = exp(-z²)·p(1/(1+z/2)) with p fitted by least squares at Chebyshev nodes on 0 ≤ z ≤ 4.2: error below 1e-7
// before rounding, 3e-7 in f32. The negative tail is returned as it stands, so it keeps its relative accuracy.
fn normal_cdf(x: f32) -> f32 {
    let z = min(abs(x) * 0.70710678, 9.0);
    let t = 1.0 / (1.0 + 0.5 * z);
    var p = fma(t, 0.0746331736, -0.288452208);
    p = fma(t, p, 0.247863144);
    p = fma(t, p, 0.193984672);
    p = fma(t, p, 0.182222575);
    p = fma(t, p, 0.313955724);
    p = fma(t, p, 0.275219768);
    p = fma(t, p, 0.000573225669);
    let tail = 0.5 * p * exp(-z * z);
    return select(1.0 - tail, tail, x < 0.0);
}

// The logistic function; beyond ±40 it is 0 or 1 to f32.
fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(-clamp(x, -40.0, 40.0)));
}

// The tanh form of GELU is x·sigmoid(2u); u is √(2/π)·(x + 0.044715·x³), here doubled.
fn gelu_twice_u(x: f32) -> f32 {
    return 1.59576912 * x * fma(0.044715 * x, x, 1.0);
}

// The activation numbered `kind` at x.
fn activation(kind: u32, x: f32) -> f32 {
    switch kind {
        case 1u: { return x * normal_cdf(x); }
        case 2u: { return x * sigmoid(gelu_twice_u(x)); }
        case 3u: { return 2.0 * sigmoid(2.0 * x) - 1.0; }
        case 4u: { return x * sigmoid(x); }
        case 5u: { return max(x, 0.0); }
        default: { return x; }
    }
}

// The derivative at the pre-activation x.
fn activation_derivative(kind: u32, x: f32) -> f32 {
    // Outside ±12 the derivatives of the first three are 0 or 1 to f32; the clamp keeps powers of x finite.
    let c = clamp(x, -12.0, 12.0);
    switch kind {
        case 1u: { return fma(0.39894228 * c, exp(-0.5 * c * c), normal_cdf(c)); }
        case 2u: {
            let s = sigmoid(gelu_twice_u(c));
            return fma(c * s * (1.0 - s), 1.59576912 * fma(0.134145 * c, c, 1.0), s);
        }
        case 3u: {
            let s = sigmoid(2.0 * c);
            return 4.0 * s * (1.0 - s);
        }
        case 4u: {
            let s = sigmoid(x);
            return s * fma(clamp(x, -40.0, 40.0), 1.0 - s, 1.0);
        }
        case 5u: { return select(0.0, 1.0, x > 0.0); }
        default: { return 1.0; }
    }
}

// The same for the four values of a vector.
fn activation4(kind: u32, x: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(activation(kind, x.x), activation(kind, x.y), activation(kind, x.z), activation(kind, x.w));
}

fn activation_derivative4(kind: u32, x: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(
        activation_derivative(kind, x.x), activation_derivative(kind, x.y),
        activation_derivative(kind, x.z), activation_derivative(kind, x.w),
    );
}
