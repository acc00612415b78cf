//! When GreBsmo alternates again, grows its rank, or ends; the same on the host and on a device.

/// Alternations at one rank before the rank grows.
const MAX_ALTERNATIONS: usize = 20;
/// Relative decrease of the residual's norm below which a rank is done.
const STOP_DECREASE: f64 = 1e-4;

/// The course of one search.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Rank of U V now.
    pub rank: usize,
    /// Alternations done, over all ranks.
    pub iterations: usize,
    target: usize,
    alternations: usize,
    previous: f64,
}

/// What comes after an alternation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another alternation at this rank.
    Alternate,
    /// This many rows more, then go on.
    Grow(usize),
    /// The search is over.
    Done,
}

impl Schedule {
    /// A search up to rank `target`, which starts at its first step.
    #[must_use]
    pub fn new(target: usize) -> Self {
        Self { rank: rank_step(target), iterations: 0, target, alternations: 0, previous: f64::INFINITY }
    }

    /// Takes note of ‖W − U V − S‖ after an alternation.
    pub fn after(&mut self, error: f64) -> Next {
        self.iterations += 1;
        self.alternations += 1;
        // An exact fit has nothing left to decrease; this also ends the search on a zero matrix.
        if error == 0.0 {
            return Next::Done;
        }
        let stalls = self.previous - error < STOP_DECREASE * self.previous;
        if !stalls && self.alternations < MAX_ALTERNATIONS {
            self.previous = error;
            return Next::Alternate;
        }
        if self.rank == self.target {
            return Next::Done;
        }
        let more = rank_step(self.target).min(self.target - self.rank);
        (self.rank, self.alternations, self.previous) = (self.rank + more, 0, f64::INFINITY);
        Next::Grow(more)
    }
}

/// Δr: rows added per rank level, on the way to `target`.
fn rank_step(target: usize) -> usize {
    target.min(if target > 16 { 8 } else { 4 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_grow_to_the_target_and_stop_there() {
        for (target, expected) in
            [(1, vec![1]), (4, vec![4]), (6, vec![4, 6]), (16, vec![4, 8, 12, 16]), (20, vec![8, 16, 20])]
        {
            let mut schedule = Schedule::new(target);
            let mut ranks = vec![schedule.rank];
            loop {
                match schedule.after(1.0) {
                    Next::Alternate => {}
                    Next::Grow(_) => ranks.push(schedule.rank),
                    Next::Done => break,
                }
            }
            assert_eq!(ranks, expected);
            // An error that never falls is noticed at the second look.
            assert_eq!(schedule.iterations, 2 * ranks.len());
        }
    }

    #[test]
    fn a_falling_error_keeps_a_rank_for_twenty_alternations() {
        let mut schedule = Schedule::new(8);
        for i in 1..20 {
            assert_eq!(schedule.after(0.9f64.powi(i)), Next::Alternate);
        }
        assert_eq!(schedule.after(0.01), Next::Grow(4));
        assert_eq!(schedule.after(5.0), Next::Alternate);
        assert_eq!(schedule.after(5.0 * (1.0 - 0.9e-4)), Next::Done);
        assert_eq!(Schedule::new(8).after(0.0), Next::Done);
    }
}
