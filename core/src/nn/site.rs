//! Sites: the places where a model applies a linear map, and what each map is for.
//!
//! Models list their sites, tuning methods choose among them by role. Neither knows the other.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a linear map is for, the same in every model.
///
/// The words are those a user types for `--target-modules`: `query`, `key`, `value`, `output`,
/// `feed-forward-up`, `feed-forward-down`, `pooler`, `head`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Hidden states to queries.
    Query,
    /// Hidden states to keys.
    Key,
    /// Hidden states to values.
    Value,
    /// Joined attention heads back to hidden states.
    #[serde(rename = "output")]
    AttentionOutput,
    /// Hidden states to the feed-forward activation.
    FeedForwardUp,
    /// Feed-forward activation back to hidden states.
    FeedForwardDown,
    /// First token to the pooled vector.
    Pooler,
    /// A linear map of the task head.
    Head,
}

impl Role {
    /// Every role, in the order of a forward pass.
    pub const ALL: [Self; 8] = [
        Self::Query,
        Self::Key,
        Self::Value,
        Self::AttentionOutput,
        Self::FeedForwardUp,
        Self::FeedForwardDown,
        Self::Pooler,
        Self::Head,
    ];

    /// The word for this role in settings and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Key => "key",
            Self::Value => "value",
            Self::AttentionOutput => "output",
            Self::FeedForwardUp => "feed-forward-up",
            Self::FeedForwardDown => "feed-forward-down",
            Self::Pooler => "pooler",
            Self::Head => "head",
        }
    }

    /// Whether this map belongs to the attention of a layer, so that its rows or columns belong to heads.
    #[must_use]
    pub const fn is_attention(self) -> bool {
        matches!(self, Self::Query | Self::Key | Self::Value | Self::AttentionOutput)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown module \"{0}\": expected query, key, value, output, feed-forward-up, feed-forward-down, pooler or head"
)]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == word).ok_or_else(|| UnknownRole(word.to_owned()))
    }
}

/// One linear map of a model: y = x Wᵀ + b with W (d_out, d_in).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Module path in the transformers model, for example `bert.encoder.layer.0.attention.self.query`.
    pub path: String,
    /// Layer number; `None` outside the layers.
    pub layer: Option<usize>,
    /// What the map is for.
    pub role: Role,
    /// Rows of the weight.
    pub d_out: usize,
    /// Columns of the weight.
    pub d_in: usize,
}

impl Site {
    /// Parameter name of the weight.
    #[must_use]
    pub fn weight_name(&self) -> String {
        format!("{}.weight", self.path)
    }

    /// Parameter name of the bias.
    #[must_use]
    pub fn bias_name(&self) -> String {
        format!("{}.bias", self.path)
    }

    /// Entries of the weight.
    #[must_use]
    pub const fn n_entries(&self) -> usize {
        self.d_out * self.d_in
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn words_settings_and_roles_agree() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
            let json = serde_json::to_string(&role).unwrap();
            assert_eq!(json, format!("\"{role}\""));
            assert_eq!(serde_json::from_str::<Role>(&json).unwrap(), role);
        }
        let error = "dense".parse::<Role>().unwrap_err();
        assert!(error.to_string().contains("\"dense\"") && error.to_string().contains("feed-forward-up"));
    }

    #[test]
    fn parameter_names_follow_the_path() {
        let site =
            Site { path: "bert.pooler.dense".into(), layer: None, role: Role::Pooler, d_out: 4, d_in: 3 };
        assert_eq!(site.weight_name(), "bert.pooler.dense.weight");
        assert_eq!(site.bias_name(), "bert.pooler.dense.bias");
        assert_eq!(site.n_entries(), 12);
        assert!(!site.role.is_attention() && Role::Value.is_attention());
    }
}
