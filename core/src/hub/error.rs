//! What can go wrong between us and the hub: what happened, why it is likely, what to do. Never the token.

use thiserror::Error;

use super::{
    address::{AddressError, Repository, RepositoryKind},
    answer::AnswerHead,
    id::IdError,
    token::TokenError,
};
use crate::{
    checkpoint::error::CheckpointError, models::config_fields::ConfigError, models::load::LoadError,
};

/// Why a model or a data set could not be fetched.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum HubError {
    /// No model id.
    #[error(transparent)]
    Id(#[from] IdError),
    /// No hub, or no revision.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// No token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// 401 without a token: the hub does not say whether there is such a thing.
    #[error(
        "the hub shows `{id}` to nobody without an access token: either there is nothing of this name, so check the \
         spelling, or it is private or gated, so give an access token of an account that may read it (401)"
    )]
    TokenNeeded {
        /// Which one.
        id: String,
    },
    /// 401 with a token.
    #[error(
        "the hub does not take this access token for `{id}`: it may be mistyped, expired or withdrawn; copy it again \
         from the hub's settings (401)"
    )]
    TokenRefused {
        /// Which model.
        id: String,
    },
    /// 403.
    #[error(
        "the account behind this request may not read `{id}`: open the model's page on the hub, accept its conditions \
         or ask for access, and use a token that may read it (403)"
    )]
    Forbidden {
        /// Which model.
        id: String,
    },
    /// 404 for the repository itself.
    #[error("there is no {kind} `{id}` at revision `{revision}` on {host}: check the spelling (404)")]
    NotFound {
        /// Model or data set.
        kind: RepositoryKind,
        /// Which one.
        id: String,
        /// Which state of it.
        revision: String,
        /// Which hub.
        host: String,
    },
    /// 404 for a file that the model needs.
    #[error(
        "`{id}` has no {file}: it may hold another kind of model, or other formats only; choose one with config.json, \
         model.safetensors and tokenizer.json (404)"
    )]
    MissingFile {
        /// Which model.
        id: String,
        /// Which file.
        file: String,
    },
    /// A data set with several configurations, and none was named.
    #[error("the data set `{id}` has several configurations, name one with --dataset-config-name: {configs}")]
    ConfigNeeded {
        /// Which data set.
        id: String,
        /// Their names.
        configs: String,
    },
    /// A data set without files for training.
    #[error(
        "the data set `{id}` has no files for training{asked} that can be read (.parquet, .jsonl, .csv or .tsv, with \
         `train` in their name); it has: {found}"
    )]
    NoTrainSplit {
        /// Which data set.
        id: String,
        /// The configuration that was asked for, in words.
        asked: String,
        /// Its configurations, or its files.
        found: String,
    },
    /// No connection.
    #[error(
        "{host} cannot be reached ({reason}): check the connection and try again, what has come so far is kept; \
         without a connection, use the built-in model and data, or files on this machine"
    )]
    Offline {
        /// Which hub.
        host: String,
        /// What the system says.
        reason: String,
    },
    /// 429.
    #[error(
        "{host} takes no more requests for now: wait some minutes and try again, what has come so far is kept (429)"
    )]
    TooMany {
        /// Which hub.
        host: String,
        /// Seconds the hub asks to wait.
        retry_after: Option<u64>,
    },
    /// 408 and 5xx.
    #[error("{host} has a problem of its own: try again later, what has come so far is kept ({status})")]
    Busy {
        /// Which hub.
        host: String,
        /// Status code.
        status: u16,
        /// Seconds the hub asks to wait.
        retry_after: Option<u64>,
    },
    /// The connection ended too early.
    #[error("{file} is cut off: {n_have} of {n_total} bytes have come; try again, it goes on from there")]
    CutOff {
        /// Which file.
        file: String,
        /// Bytes that are here.
        n_have: u64,
        /// Bytes of the whole file.
        n_total: u64,
    },
    /// Any other answer.
    #[error("{host} gave an answer that is not understood ({what}): is this the address of a model hub?")]
    Strange {
        /// Which hub.
        host: String,
        /// What was wrong with it.
        what: String,
    },
    /// The weights cannot be used; known from their header.
    #[error("the weights of this model cannot be used, nothing more was fetched: {0}")]
    Weights(#[from] CheckpointError),
    /// The settings of the model cannot be used.
    #[error("this model cannot be used, nothing more was fetched: {0}")]
    Config(#[from] ConfigError),
    /// Settings and weights contradict each other, or weights are missing.
    #[error("this model cannot be used, nothing more was fetched: {0}")]
    Contradiction(#[from] LoadError),
    /// What came cannot be kept.
    #[error("what was fetched cannot be kept: {reason}")]
    Storage {
        /// What the system says, and what to do.
        reason: String,
    },
    /// The user stopped it.
    #[error("the download was stopped; what has come so far is kept")]
    Cancelled,
}

impl HubError {
    /// What an answer of another status than 200, 206 and 416 to a request for `file` means.
    #[must_use]
    pub fn of(head: &AnswerHead, repository: &Repository, file: &str, with_token: bool) -> Self {
        let (id, host) = (repository.id.to_string(), repository.endpoint.host().to_owned());
        let (file, retry_after) = (file.to_owned(), head.retry_after);
        let gone = || Self::NotFound {
            kind: repository.kind,
            id: id.clone(),
            revision: repository.revision.to_string(),
            host: host.clone(),
        };
        // The hub's own word is more exact than the status, where there is one.
        match (head.status, head.error_code.as_deref()) {
            (_, Some("GatedRepo" | "DisabledRepo")) if with_token => Self::Forbidden { id },
            (_, Some("EntryNotFound")) => Self::MissingFile { id, file },
            (404, Some("RepoNotFound" | "RevisionNotFound")) => gone(),
            // Of a data set only what its list names is asked for.
            (404, _) if repository.kind == RepositoryKind::Dataset => gone(),
            (401, _) if with_token => Self::TokenRefused { id },
            (401, _) => Self::TokenNeeded { id },
            (403, _) => Self::Forbidden { id },
            (404, _) => Self::MissingFile { id, file },
            (429, _) => Self::TooMany { host, retry_after },
            (status @ (408 | 500..=599), _) => Self::Busy { host, status, retry_after },
            (status, _) => Self::Strange { host, what: format!("status {status}") },
        }
    }

    /// Whether the same request may succeed a little later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Offline { .. } | Self::TooMany { .. } | Self::Busy { .. } | Self::CutOff { .. })
    }

    /// Whether it says no more than that there is no such file.
    #[must_use]
    pub fn is_missing_file(&self) -> bool {
        matches!(self, Self::MissingFile { .. })
    }

    /// Seconds the hub asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooMany { retry_after, .. } | Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::hub::{Endpoint, Revision};

    fn error(status: u16, code: Option<&str>, with_token: bool) -> HubError {
        let repository = Repository {
            kind: RepositoryKind::Model,
            endpoint: Endpoint::new("https://hub.example.org").unwrap(),
            id: "org/name".parse().unwrap(),
            revision: Revision::new("v1").unwrap(),
        };
        let head = AnswerHead { status, error_code: code.map(str::to_owned), ..AnswerHead::default() };
        HubError::of(&head, &repository, "model.safetensors", with_token)
    }

    #[test]
    fn every_status_has_its_own_message() {
        assert!(matches!(error(401, None, false), HubError::TokenNeeded { .. }));
        assert!(matches!(error(401, Some("RepoNotFound"), false), HubError::TokenNeeded { .. }));
        assert!(matches!(error(401, None, true), HubError::TokenRefused { .. }));
        assert!(matches!(error(403, None, true), HubError::Forbidden { .. }));
        assert!(matches!(error(401, Some("GatedRepo"), true), HubError::Forbidden { .. }));
        assert!(matches!(error(404, Some("RevisionNotFound"), false), HubError::NotFound { .. }));
        assert!(error(404, Some("EntryNotFound"), false).is_missing_file());
        assert!(error(404, None, false).is_missing_file());
        assert!(matches!(error(418, None, false), HubError::Strange { .. }));
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(error(status, None, false).is_temporary(), "{status}");
        }
    }

    #[test]
    fn messages_name_the_model_and_say_what_to_do() {
        for (status, with_token, advice) in
            [(401, false, "access token"), (401, true, "copy it again"), (403, true, "accept its conditions")]
        {
            let text = error(status, None, with_token).to_string();
            assert!(text.contains("org/name") && text.contains(advice), "{text}");
            assert!(text.contains(&status.to_string()), "{text}");
        }
        let text = error(404, Some("RepoNotFound"), false).to_string();
        assert!(text.contains("hub.example.org") && text.contains("v1"), "{text}");
    }
}
