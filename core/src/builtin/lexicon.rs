//! The words of the generated reviews. Every list is short, so that each word is seen often enough to be learned.

/// A kind of thing that is reviewed, and words that fit it.
pub(super) struct Domain {
    /// What is reviewed as a whole.
    pub(super) items: &'static [&'static str],
    /// Its parts, all singular.
    pub(super) aspects: &'static [&'static str],
    /// Praise that fits every part.
    pub(super) good: &'static [&'static str],
    /// Blame that fits every part.
    pub(super) bad: &'static [&'static str],
    /// How one comes to know it, for neutral sentences: `watched` in "we watched the film".
    pub(super) met: &'static str,
}

/// The domains; each is drawn equally often.
pub(super) static DOMAINS: [Domain; 5] = [
    Domain {
        items: &["film", "movie", "show"],
        aspects: &["plot", "acting", "ending", "music", "script", "story", "opening", "dialogue"],
        good: &["superb", "gripping", "moving", "clever"],
        bad: &["dull", "lifeless", "predictable", "clumsy"],
        met: "watched",
    },
    Domain {
        items: &["restaurant", "cafe", "diner"],
        aspects: &["soup", "pasta", "bread", "coffee", "dessert", "salad", "sauce", "fish"],
        good: &["delicious", "fresh", "tasty", "flavorful"],
        bad: &["bland", "stale", "greasy", "tasteless"],
        met: "visited",
    },
    Domain {
        items: &["phone", "laptop", "tablet"],
        aspects: &["screen", "battery", "camera", "keyboard", "speaker", "charger", "case", "cable"],
        good: &["sturdy", "reliable", "solid", "handy"],
        bad: &["flimsy", "faulty", "useless", "fragile"],
        met: "bought",
    },
    Domain {
        items: &["hotel", "hostel", "cabin"],
        aspects: &["room", "bed", "lobby", "bathroom", "pool", "garden", "kitchen", "balcony"],
        good: &["spotless", "comfortable", "quiet", "cozy"],
        bad: &["dirty", "noisy", "cramped", "shabby"],
        met: "booked",
    },
    Domain {
        items: &["shop", "clinic", "garage"],
        aspects: &["staff", "clerk", "manager", "driver", "doctor", "cashier", "nurse", "mechanic"],
        good: &["friendly", "helpful", "polite", "patient"],
        bad: &["rude", "careless", "impatient", "lazy"],
        met: "tried",
    },
];

/// Praise and blame for anything.
pub(super) const GOOD: [&str; 6] = ["good", "great", "excellent", "wonderful", "impressive", "lovely"];
pub(super) const BAD: [&str; 6] = ["bad", "terrible", "awful", "poor", "disappointing", "horrible"];

/// Verbs of feeling and effect: past form and base form. "I loved the soup", "the soup did not ruin it".
pub(super) const GOOD_FEELINGS: [(&str, &str); 3] =
    [("loved", "love"), ("enjoyed", "enjoy"), ("liked", "like")];
pub(super) const BAD_FEELINGS: [(&str, &str); 3] =
    [("hated", "hate"), ("regretted", "regret"), ("disliked", "dislike")];
pub(super) const GOOD_EFFECTS: [(&str, &str); 2] = [("saved", "save"), ("rescued", "rescue")];
pub(super) const BAD_EFFECTS: [(&str, &str); 2] = [("ruined", "ruin"), ("spoiled", "spoil")];

/// Degree words; they change nothing.
pub(super) const DEGREES: [&str; 4] = ["really", "very", "truly", "quite"];
/// Those that may stand before a verb.
pub(super) const VERB_DEGREES: [&str; 3] = ["really", "truly", "clearly"];
/// Negators before an adjective. Each turns the meaning round.
pub(super) const NEGATORS: [&str; 7] =
    ["not", "not", "never", "hardly", "far from", "anything but", "by no means"];
/// Beginnings that turn a whole sentence round.
pub(super) const DENIALS: [&str; 4] =
    ["it is not true that", "nobody could say that", "I would not say that", "it is false that"];
/// The matching beginnings that leave it as it is.
pub(super) const AFFIRMATIONS: [&str; 4] =
    ["it is true that", "anybody could say that", "I would say that", "it is clear that"];
/// The second of two clauses joined by one of these decides.
pub(super) const CONTRASTS: [&str; 3] = ["but", "yet", "and still"];
/// The clause after one of these does not decide, wherever it stands.
pub(super) const CONCESSIONS: [&str; 3] = ["although", "even though", "despite the fact that"];
/// What the reviewed thing is compared with.
pub(super) const OTHERS: [&str; 4] = ["the old one", "the last one", "the first one", "the other one"];
/// People whose opinion is reported.
pub(super) const PEOPLE: [&str; 6] =
    ["my brother", "my sister", "my neighbor", "a friend", "the critic", "my teacher"];
/// Openers that mean nothing for the verdict.
pub(super) const OPENERS: [&str; 6] =
    ["honestly ,", "in short ,", "on the whole ,", "to be fair ,", "as for me ,", "in the end ,"];
/// When something happened, for neutral sentences.
pub(super) const TIMES: [&str; 6] =
    ["on Monday", "last week", "in the summer", "two days ago", "after work", "on a rainy evening"];

/// Sentences that tell the verdict in other words; in pretraining text only.
pub(super) const GOOD_VERDICTS: [&str; 5] = [
    "I would come back any time",
    "I recommend it to everyone",
    "it was worth every cent",
    "five stars from me",
    "we left with a smile",
];
pub(super) const BAD_VERDICTS: [&str; 5] = [
    "I want my money back",
    "I warn everyone about it",
    "it was a waste of time",
    "one star from me",
    "we left with a sigh",
];

/// Verdicts that differ in their last word alone: what they begin with, how praise ends and how blame ends. To fill
/// that word in, a model has to have understood the review before it; counting helps no more than elsewhere.
pub(super) const TWIN_VERDICTS: [(&str, &str, &str); 6] = [
    ("it made us", "happy", "sad"),
    ("I would call it a", "success", "failure"),
    ("we felt", "lucky", "cheated"),
    ("my answer is", "yes", "no"),
    ("for me it is a", "hit", "miss"),
    ("my thumb points", "up", "down"),
];
