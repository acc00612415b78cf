//! The constructions of the generated reviews, and how often each is drawn.

use crate::random::Random;

/// The ways to say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Construction {
    /// "The soup was really good."
    Plain,
    /// "The soup was anything but good."
    Negated,
    /// "Neither the soup nor the bread was good." and "Both the soup and the bread were good."
    Paired,
    /// "Nobody could say that the soup was not good."
    Wrapped,
    /// "The soup was good, but the bread was stale."
    Contrast,
    /// "The soup was good, although the bread was stale."
    Concession,
    /// "The old one was better than this cafe."
    Comparison,
    /// "I expected a good cafe and got a bad one."
    Expectation,
    /// "My brother said that the soup was good, and that was wrong."
    Hearsay,
    /// "My brother found the soup good, while I found it stale."
    Holder,
    /// "The soup used to be good, and now it is stale."
    Change,
}

/// How often each construction is drawn, in parts of 100. Plain sentences are the foothold for a learner.
pub(super) const WEIGHTS: [(Construction, u32); 11] = [
    (Construction::Plain, 46),
    (Construction::Negated, 12),
    (Construction::Paired, 5),
    (Construction::Wrapped, 4),
    (Construction::Contrast, 10),
    (Construction::Concession, 7),
    (Construction::Comparison, 8),
    (Construction::Expectation, 2),
    (Construction::Hearsay, 2),
    (Construction::Holder, 2),
    (Construction::Change, 2),
];

/// Draws a construction by its weight.
pub(super) fn draw_construction(random: &mut Random) -> Construction {
    let total = WEIGHTS.iter().map(|w| w.1).sum();
    let mut rest = random.below(total);
    for (construction, weight) in WEIGHTS {
        if rest < weight {
            return construction;
        }
        rest -= weight;
    }
    Construction::Plain
}
