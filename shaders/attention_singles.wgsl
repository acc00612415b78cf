// Heads read one number at a time, for sizes that are no multiples of four. A piece of the attention kernels, which say
// HEAD_SIZE; attention_fours is its double.

alias Part = f32;

// Parts of a head.
const PARTS: u32 = HEAD_SIZE;

fn part_dot(a: Part, b: Part) -> f32 {
    return a * b;
}
