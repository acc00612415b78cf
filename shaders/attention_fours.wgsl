// Heads read four numbers at a time, for sizes that are multiples of four. A piece of the attention kernels, which say
// HEAD_SIZE; attention_singles is its double for all other sizes.

alias Part = vec4<f32>;

// Parts of a head. Rounded up, so that no size makes an array of none.
const PARTS: u32 = (HEAD_SIZE + 3u) / 4u;

fn part_dot(a: Part, b: Part) -> f32 {
    return dot(a, b);
}
