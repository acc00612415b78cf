//! How long the texts are in tokens and how many of them the model has to cut: printed before training.

use std::fmt;

use super::encode::EncodedDataset;

/// Lengths of the examples in tokens, special tokens included, before any cut.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LengthHistogram {
    /// Number of examples.
    pub n_examples: usize,
    /// The shortest, the median, the 95th of 100, the longest.
    pub quantiles: [u32; 4],
    /// Mean length.
    pub mean: f64,
    /// Examples whose length is at most the first number and above that of the entry before.
    pub bins: Vec<(u32, usize)>,
    /// The longest length that is kept.
    pub max_length: usize,
    /// Examples that are longer and lose their ends.
    pub n_truncated: usize,
    /// Tokens that are cut off, as a share of all.
    pub cut_share: f64,
}

impl LengthHistogram {
    /// Counts the lengths of a data set that was encoded for at most `max_length` tokens.
    #[must_use]
    pub fn new(dataset: &EncodedDataset, max_length: usize) -> Self {
        Self::of_lengths(dataset.lengths_before().to_vec(), max_length)
    }

    /// Counts lengths in tokens, of which at most `max_length` are kept.
    #[must_use]
    pub fn of_lengths(mut lengths: Vec<u32>, max_length: usize) -> Self {
        lengths.sort_unstable();
        let n_examples = lengths.len();
        let quantile = |share: f64| {
            let rank = (share * n_examples as f64).ceil() as usize;
            lengths.get(rank.saturating_sub(1)).copied().unwrap_or(0)
        };
        let n_tokens: u64 = lengths.iter().map(|&length| u64::from(length)).sum();
        let n_cut: u64 =
            lengths.iter().map(|&length| u64::from(length).saturating_sub(max_length as u64)).sum();
        Self {
            n_examples,
            quantiles: [quantile(0.0), quantile(0.5), quantile(0.95), quantile(1.0)],
            mean: n_tokens as f64 / n_examples.max(1) as f64,
            bins: bins(&lengths),
            max_length,
            n_truncated: lengths.iter().filter(|&&length| length as usize > max_length).count(),
            cut_share: n_cut as f64 / n_tokens.max(1) as f64,
        }
    }

    /// The share of examples that lose their ends.
    #[must_use]
    pub fn truncated_share(&self) -> f64 {
        self.n_truncated as f64 / self.n_examples.max(1) as f64
    }
}

/// Counts sorted lengths in up to eight bins of a round width.
fn bins(lengths: &[u32]) -> Vec<(u32, usize)> {
    const N_BINS: u32 = 8;
    let longest = lengths.last().copied().unwrap_or(0);
    let width = longest.div_ceil(N_BINS).next_power_of_two();
    let mut bins = Vec::new();
    let mut n_below = 0;
    let mut upper = 0;
    while upper < longest {
        upper += width;
        let n_up_to = lengths.partition_point(|&length| length <= upper);
        bins.push((upper, n_up_to - n_below));
        n_below = n_up_to;
    }
    bins
}

impl fmt::Display for LengthHistogram {
    /// One line of figures and one line with a bar for each bin, for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let [shortest, median, long, longest] = self.quantiles;
        write!(
            f,
            "tokens: mean {:.1}, median {median}, 95 % ≤ {long}, range {shortest} to {longest}; ",
            self.mean
        )?;
        if self.n_truncated == 0 {
            write!(f, "none is cut at {}", self.max_length)?;
        } else {
            let percent = 100.0 * self.truncated_share();
            write!(
                f,
                "{} of {} examples ({percent:.1} %) are cut at {}, ",
                self.n_truncated, self.n_examples, self.max_length
            )?;
            write!(f, "{:.1} % of all tokens", 100.0 * self.cut_share)?;
        }
        let most = self.bins.iter().map(|&(_, count)| count).max().unwrap_or(0).max(1);
        // A bin that is not empty shows at least the lowest bar.
        let bars: String = self.bins.iter().map(|&(_, count)| BARS[(8 * count).div_ceil(most)]).collect();
        write!(f, "\n        1 |{bars}| {}", self.bins.last().map_or(0, |&(upper, _)| upper))
    }
}

#[cfg(test)]
mod tests {
    use super::super::labels::Label;
    use super::*;
    use crate::tokenizer::Encoding;

    fn encoded(lengths: &[usize], max_length: usize) -> EncodedDataset {
        let mut dataset = EncodedDataset::default();
        for &length in lengths {
            let kept = length.min(max_length);
            let encoding = Encoding {
                input_ids: vec![7; kept],
                token_type_ids: vec![0; kept],
                truncated: kept < length,
                length_before: length,
            };
            dataset.push(&encoding, Label::Unknown);
        }
        dataset
    }

    #[test]
    fn lengths_are_counted_by_hand() {
        let histogram = LengthHistogram::new(&encoded(&[3, 3, 4, 10, 20], 10), 10);
        assert_eq!(histogram.quantiles, [3, 4, 20, 20]);
        assert_eq!(histogram.mean, 8.0);
        assert_eq!(histogram.bins, [(4, 3), (8, 0), (12, 1), (16, 0), (20, 1)]);
        assert_eq!((histogram.n_truncated, histogram.truncated_share()), (1, 0.2));
        assert_eq!(histogram.cut_share, 0.25);
        let text = histogram.to_string();
        assert!(text.contains("1 of 5 examples (20.0 %) are cut at 10, 25.0 % of all tokens"), "{text}");
        assert!(text.ends_with("1 |█ ▃ ▃| 20"), "{text}");
    }

    #[test]
    fn nothing_cut_and_nothing_at_all() {
        assert!(LengthHistogram::new(&encoded(&[2, 5], 8), 8).to_string().contains("none is cut at 8"));
        let empty = LengthHistogram::new(&EncodedDataset::default(), 8);
        assert_eq!((empty.quantiles, empty.mean, empty.bins.len()), ([0; 4], 0.0, 0));
    }
}
