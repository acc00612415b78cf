//! Gives transient buffers their memory: two may share a block when their lives do not overlap.

use super::recording::{Base, Recording, Sizes};

/// Which block each transient lives in, and how large each block must be.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    /// Transient → block.
    pub block_of: Vec<usize>,
    /// Elements of each block.
    pub blocks: Vec<usize>,
}

/// Assigns blocks in the order of first use, taking the free block that wastes least, and growing it if need be.
pub fn assign(recording: &Recording, capacity: &Sizes) -> Layout {
    let lives = lives(recording);
    let mut order: Vec<usize> = (0..lives.len()).filter(|&i| lives[i].is_some()).collect();
    order.sort_by_key(|&i| lives[i]);
    let mut blocks: Vec<usize> = Vec::new();
    let mut free_after: Vec<usize> = Vec::new();
    let mut block_of = vec![usize::MAX; lives.len()];
    for i in order {
        let Some((first, last)) = lives[i] else { continue };
        let len = recording.transients[i].len.under(capacity);
        let free = (0..blocks.len()).filter(|&b| free_after[b] < first);
        // Growing a block costs what it lacks, leaving part of it idle costs half of that part.
        let cost = |b: usize| len.saturating_sub(blocks[b]) * 2 + blocks[b].saturating_sub(len);
        match free.min_by_key(|&b| cost(b)).filter(|&b| cost(b) < len * 2) {
            Some(b) => {
                blocks[b] = blocks[b].max(len);
                free_after[b] = last;
                block_of[i] = b;
            }
            None => {
                blocks.push(len);
                free_after.push(last);
                block_of[i] = blocks.len() - 1;
            }
        }
    }
    Layout { block_of, blocks }
}

/// First and last command that touches each transient.
fn lives(recording: &Recording) -> Vec<Option<(usize, usize)>> {
    let mut lives: Vec<Option<(usize, usize)>> = vec![None; recording.transients.len()];
    for (time, command) in recording.commands.iter().enumerate() {
        for slice in command.slices() {
            if let Base::Transient(i) = slice.base {
                let first = lives[i].map_or(time, |(first, _)| first);
                lives[i] = Some((first, time));
            }
        }
    }
    lives
}

#[cfg(test)]
mod tests {
    use super::super::recording::Extent;
    use super::*;

    #[test]
    fn blocks_are_shared_only_by_separate_lives() {
        let mut recording = Recording::default();
        let slices: Vec<_> = (0..4).map(|_| recording.transient("x", Extent::new(100, 1))).collect();
        // 0 and 1 overlap; 2 starts when both are gone; 3 overlaps with 2.
        for i in [0, 1, 0, 2, 3, 2] {
            recording.clear(&slices[i]);
        }
        let layout = assign(&recording, &Sizes::default());
        assert_eq!(layout.blocks.len(), 2);
        assert_ne!(layout.block_of[0], layout.block_of[1]);
        assert_ne!(layout.block_of[2], layout.block_of[3]);
    }
}
