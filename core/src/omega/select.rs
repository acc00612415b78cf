//! The positions of the c entries of largest magnitude, exactly c of them.
//!
//! A threshold would take more on ties and fewer on zeros (`dsee-method` 8, X3). Here the order is total:
//! larger magnitude first, then lower flat index.

use super::linalg::Real;

/// Flat indices of the `c` entries of largest |x|, ascending; ties go to the lowest index.
///
/// Takes time proportional to the number of entries.
///
/// # Panics
/// If there are fewer than `c` entries.
#[must_use]
pub fn largest<T: Real>(values: &[T], c: usize) -> Vec<u32> {
    assert!(c <= values.len(), "{c} of {} entries cannot be selected", values.len());
    if c == 0 {
        return Vec::new();
    }
    let mut keys: Vec<u64> = values.iter().map(|x| x.magnitude_key()).collect();
    let cut = values.len() - c;
    let (_, &mut threshold, above) = keys.select_nth_unstable(cut);
    let mut n_ties = c - above.iter().filter(|&&key| key > threshold).count();
    let mut chosen = Vec::with_capacity(c);
    for (i, x) in values.iter().enumerate() {
        let key = x.magnitude_key();
        let is_tie = key == threshold && n_ties > 0;
        n_ties -= usize::from(is_tie);
        if key > threshold || is_tie {
            chosen.push(i as u32);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn ties_go_to_the_lowest_index() {
        assert_eq!(largest(&[1.0f32, -3.0, 3.0, 2.0, -3.0], 2), [1, 2]);
        assert_eq!(largest(&[0.0f64; 5], 3), [0, 1, 2]);
        assert_eq!(largest(&[-0.0f32, 0.0, -1.0], 2), [0, 2]);
        assert!(largest::<f32>(&[], 0).is_empty());
        assert_eq!(largest(&[1.0f32, 2.0], 2), [0, 1]);
    }

    #[test]
    fn agrees_with_sorting() {
        let mut random = Random::new(4, 0);
        // Few distinct values, so that the cut falls inside a run of ties.
        let values: Vec<f64> = (0..1000).map(|_| f64::from(random.below(20)) - 10.0).collect();
        for c in [1, 7, 100, 500, 999, 1000] {
            let mut order: Vec<u32> = (0..1000).collect();
            order.sort_by(|&i, &j| {
                values[j as usize].abs().total_cmp(&values[i as usize].abs()).then(i.cmp(&j))
            });
            order.truncate(c);
            order.sort_unstable();
            assert_eq!(largest(&values, c), order, "{c} entries");
        }
    }
}
