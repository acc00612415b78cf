//! The words of the generated descriptions: what there is, where, and what it is like.

/// A kind of place.
#[derive(Debug)]
pub(super) struct Kind {
    /// Its name, in representations and texts.
    pub(super) name: &'static str,
    /// What its size counts: one of them, and several.
    pub(super) parts: (&'static str, &'static str),
}

/// The kinds; each is drawn equally often.
pub(super) static KINDS: [Kind; 8] = [
    Kind { name: "hotel", parts: ("room", "rooms") },
    Kind { name: "cafe", parts: ("table", "tables") },
    Kind { name: "museum", parts: ("hall", "halls") },
    Kind { name: "library", parts: ("desk", "desks") },
    Kind { name: "market", parts: ("stall", "stalls") },
    Kind { name: "garden", parts: ("bench", "benches") },
    Kind { name: "theater", parts: ("stage", "stages") },
    Kind { name: "gym", parts: ("court", "courts") },
];

/// Names are made of one word of each list.
pub(super) const FIRST_NAMES: [&str; 12] =
    ["Willow", "Oak", "Silver", "Golden", "Blue", "Red", "Green", "Stone", "River", "Moon", "North", "Maple"];
pub(super) const LAST_NAMES: [&str; 8] =
    ["House", "Mill", "Gate", "Corner", "Lantern", "Anchor", "Bridge", "Crown"];

/// Value in the representation, and how one says it.
pub(super) const AREAS: [(&str, &str); 6] = [
    ("river", "by the river"),
    ("hill", "on the hill"),
    ("station", "near the station"),
    ("old town", "in the old town"),
    ("harbor", "at the harbor"),
    ("park", "beside the park"),
];

/// Value in the representation, the adjective, and what the prices are.
pub(super) const PRICES: [(&str, &str, &str); 3] =
    [("low", "cheap", "low"), ("middle", "moderately priced", "fair"), ("high", "expensive", "steep")];

/// Counts in words, from 1.
pub(super) const NUMBERS: [&str; 5] = ["one", "two", "three", "four", "five"];

/// The days on which a place may be closed.
pub(super) const DAYS: [&str; 4] = ["Sunday", "Monday", "Tuesday", "Friday"];
