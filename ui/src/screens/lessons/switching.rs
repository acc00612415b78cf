//! What the lesson about heads switches off, on which sentences, and how verdicts are compared.

use crate::screens::try_it::HeadsOff;

/// One sentence of most constructions, all in the words of the built-in set.
pub const SENTENCES: [&str; 8] = [
    "The soup was really fresh.",
    "The soup was anything but fresh.",
    "The plot was dull, but the acting saved it.",
    "The acting was superb, although the plot was dull.",
    "Nobody could say that the room was not spotless.",
    "The old one was better than this phone.",
    "Neither the soup nor the bread was stale.",
    "My sister found the room dirty, while I found it spotless.",
];

/// The verdicts on all sentences: class and its probability.
pub type Verdicts = Vec<(usize, f64)>;

/// What is switched off at a position, in words and as the engine wants it.
pub fn switched_off(position: usize, n_layers: usize, n_heads: usize) -> (String, HeadsOff) {
    let n_single = n_layers * n_heads;
    match position {
        0 => ("all heads on".to_owned(), HeadsOff::new()),
        p if p <= n_single => {
            let (layer, head) = ((p - 1) / n_heads, (p - 1) % n_heads);
            (format!("layer {layer}, head {head} off"), HeadsOff::from([(layer, vec![head])]))
        }
        p => {
            let layer = (p - 1 - n_single).min(n_layers.saturating_sub(1));
            (format!("all of layer {layer} off"), HeadsOff::from([(layer, (0..n_heads).collect())]))
        }
    }
}

/// How many verdicts differ.
pub fn flips(a: &Verdicts, b: &Verdicts) -> usize {
    a.iter().zip(b).filter(|(a, b)| a.0 != b.0).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_run_through_heads_and_then_layers() {
        let names = [0, 1, 4, 5, 8, 9, 10].map(|p| switched_off(p, 2, 4).0);
        assert_eq!(
            names,
            [
                "all heads on",
                "layer 0, head 0 off",
                "layer 0, head 3 off",
                "layer 1, head 0 off",
                "layer 1, head 3 off",
                "all of layer 0 off",
                "all of layer 1 off"
            ]
        );
        assert_eq!(switched_off(10, 2, 4).1, HeadsOff::from([(1, vec![0, 1, 2, 3])]));
        assert_eq!(flips(&vec![(0, 0.9), (1, 0.8)], &vec![(1, 0.6), (1, 0.5)]), 1);
    }
}
