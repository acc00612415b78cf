//! Metrics of regression, with SciPy's conventions: undefined correlations are None where SciPy says NaN.

/// Mean of (prediction - target)². 0 without values.
#[must_use]
pub fn mean_squared_error(predictions: &[f64], targets: &[f64]) -> f64 {
    let sum: f64 = predictions.iter().zip(targets).map(|(p, t)| (p - t).powi(2)).sum();
    sum / targets.len().max(1) as f64
}

/// Pearson's correlation coefficient of two equally long lists. None for fewer than two values, for a list of
/// equal values and where a value is not finite.
///
/// # Panics
/// If the lists differ in length.
#[must_use]
pub fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    assert_eq!(x.len(), y.len(), "a correlation is between lists of one length");
    if x.len() < 2 || !x.iter().chain(y).all(|value| value.is_finite()) {
        return None;
    }
    let (x, y) = (direction(x)?, direction(y)?);
    let cosine: f64 = x.iter().zip(&y).map(|(a, b)| a * b).sum();
    Some(cosine.clamp(-1.0, 1.0)) // rounding may leave it a little outside
}

/// Spearman's rank correlation: Pearson's of the ranks, ties sharing their mean rank. None as above.
///
/// # Panics
/// If the lists differ in length.
#[must_use]
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    if !x.iter().chain(y).all(|value| value.is_finite()) {
        return None;
    }
    pearson(&ranks(x), &ranks(y))
}

/// The deviations from the mean, scaled to length 1; None if there are none.
fn direction(values: &[f64]) -> Option<Vec<f64>> {
    if values.iter().all(|&value| value == values[0]) {
        return None;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let deviations: Vec<f64> = values.iter().map(|value| value - mean).collect();
    // Scaling by the largest first keeps the squares of tiny values from vanishing.
    let largest = deviations.iter().fold(0.0, |most: f64, d| most.max(d.abs()));
    let norm = largest * deviations.iter().map(|d| (d / largest).powi(2)).sum::<f64>().sqrt();
    (norm > 0.0).then(|| deviations.iter().map(|d| d / norm).collect())
}

/// Ranks from 1; equal values share the mean of the ranks they take up.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut n_before = 0;
    // Compared with `==` and not by the order's bits, so that 0 and -0 are a tie.
    for ties in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = n_before as f64 + (ties.len() as f64 + 1.0) / 2.0;
        ties.iter().for_each(|&index| ranks[index] = rank);
        n_before += ties.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(value: Option<f64>, expected: f64) {
        assert!(value.is_some_and(|value| (value - expected).abs() < 1e-12), "{value:?} is not {expected}");
    }

    #[test]
    fn correlations_by_hand() {
        close(pearson(&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0]), 0.5);
        close(pearson(&[1.0, 2.0, 3.0], &[-10.0, -20.0, -30.0]), -1.0);
        close(pearson(&[1.0, 2.0, 3.0, 4.0], &[1.0, 4.0, 9.0, 16.0]), 5.0 / (129.0_f64 / 5.0).sqrt());
        close(spearman(&[1.0, 2.0, 3.0, 4.0], &[1.0, 4.0, 9.0, 16.0]), 1.0);
        // Ranks 1.5, 1.5, 3 against 1, 2, 3.
        close(spearman(&[5.0, 5.0, 7.0], &[0.1, 0.2, 0.3]), 3_f64.sqrt() / 2.0);
        close(pearson(&[1e8 + 1.0, 1e8 + 2.0, 1e8 + 3.0], &[1.0, 3.0, 2.0]), 0.5);
        close(pearson(&[1e-200, 2e-200, 3e-200], &[1.0, 3.0, 2.0]), 0.5);
    }

    #[test]
    fn ties_share_their_mean_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 3.0, 2.0]), [4.0, 1.0, 4.0, 4.0, 2.0]);
        assert_eq!(ranks(&[0.0, -0.0]), [1.5, 1.5]);
    }

    #[test]
    fn undefined_correlations_are_none() {
        assert_eq!(pearson(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(spearman(&[1.0, 2.0], &[0.1, 0.1]), None);
        assert_eq!(pearson(&[1.0], &[1.0]), None);
        assert_eq!(pearson(&[f64::NAN, 1.0], &[1.0, 2.0]), None);
        assert_eq!(spearman(&[f64::INFINITY, 1.0], &[1.0, 2.0]), None);
    }

    #[test]
    fn squared_error_by_hand() {
        assert_eq!(mean_squared_error(&[1.0, 2.0], &[2.0, 4.0]), 2.5);
        assert_eq!(mean_squared_error(&[], &[]), 0.0);
    }
}
