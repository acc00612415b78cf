// The order of selection: magnitudes as unsigned numbers.

fn select_key(x: f32) -> u32 {
    return bitcast<u32>(x) & 0x7fffffffu;
}
